//! What the claims of all parts came to: arms, strata, blocks, the window second by second.

use super::batches::Batches;
use super::error::MergeError;
use super::fitting::go_round;
use crate::record::{
    AddedRoundTrip, ArmRecord, CounterBlock, Histogram, LatencyHistogram, Outcomes, RunRecord, Samples,
    SteadyPart, StepRecord, Stratum, StratumSide, WireTotals,
};

/// The sum of one histogram over all parts. `what` names it where it cannot be read.
pub(super) fn added<'a>(
    parts: impl IntoIterator<Item = (usize, &'a Histogram)>,
    what: &str,
) -> Result<LatencyHistogram, MergeError> {
    let mut sum = LatencyHistogram::default();
    for (number, histogram) in parts {
        sum.add(histogram).map_err(MergeError::damaged(number, what))?;
    }
    Ok(sum)
}

/// The same as a record holds it.
pub(super) fn sum_of<'a>(
    parts: impl IntoIterator<Item = (usize, &'a Histogram)>,
    what: &str,
) -> Result<Histogram, MergeError> {
    Ok(added(parts, what)?.encode())
}

/// The arms; all parts have the same.
pub(super) fn arms(parts: &[RunRecord], batches: Option<&Batches>) -> Result<Vec<ArmRecord>, MergeError> {
    (0..parts[0].arms.len()).map(|position| arm(parts, position, batches)).collect()
}

fn arm(parts: &[RunRecord], position: usize, batches: Option<&Batches>) -> Result<ArmRecord, MergeError> {
    let of_parts = || parts.iter().map(|part| &part.arms[position]).enumerate();
    let first = &parts[0].arms[position];
    let sum = |what: &str, of: fn(&ArmRecord) -> &Histogram| {
        sum_of(of_parts().map(|(n, arm)| (n, of(arm))), &format!("{what} of {}", first.name))
    };
    let longest_s = || of_parts().map(|(_, arm)| arm.active_s).fold(0.0, f64::max);
    Ok(ArmRecord {
        name: first.name.clone(),
        path: first.path,
        library: first.library.clone(),
        sdk: first.sdk.clone(),
        handover_p50_us: of_parts().filter_map(|(_, arm)| arm.handover_p50_us).reduce(f64::max),
        outcomes: outcomes(of_parts().map(|(_, arm)| &arm.outcomes)),
        late: outcomes(of_parts().map(|(_, arm)| &arm.late)),
        active_s: batches.map_or_else(longest_s, |batches| batches.arm_active_s(position as u32)),
        service: sum("service", |arm| &arm.service)?,
        response: sum("response", |arm| &arm.response)?,
        send_lag: sum("send_lag", |arm| &arm.send_lag)?,
        resume: sum("resume", |arm| &arm.resume)?,
        error_service: sum("error_service", |arm| &arm.error_service)?,
        steps: steps(parts, position)?,
        wire: of_parts().map(|(_, arm)| arm.wire).fold(WireTotals::default(), both_wires),
        unreplicated: of_parts().map(|(_, arm)| arm.unreplicated).sum(),
    })
}

/// Round trips by their titles, in the order of the part that has most of them: one whose claims all failed
/// has none.
fn steps(parts: &[RunRecord], position: usize) -> Result<Vec<StepRecord>, MergeError> {
    let arms = || parts.iter().map(|part| &part.arms[position]);
    let mut titles: Vec<&String> = Vec::new();
    let mut by_length: Vec<&ArmRecord> = arms().collect();
    by_length.sort_by_key(|arm| std::cmp::Reverse(arm.steps.len()));
    for step in by_length.iter().flat_map(|arm| &arm.steps) {
        if !titles.contains(&&step.title) {
            titles.push(&step.title);
        }
    }
    let step = |title: &String| {
        let with_title = |(n, arm): (usize, &ArmRecord)| {
            let own = arm.steps.iter().filter(|step| step.title == *title);
            own.map(|step| (n, step.time.clone())).collect::<Vec<_>>()
        };
        let all: Vec<(usize, Histogram)> = arms().enumerate().flat_map(with_title).collect();
        let what = format!("{title} of {}", parts[0].arms[position].name);
        let time = sum_of(all.iter().map(|(n, time)| (*n, time)), &what)?;
        Ok(StepRecord { title: title.clone(), time })
    };
    titles.into_iter().map(step).collect()
}

fn both_wires(sum: WireTotals, more: WireTotals) -> WireTotals {
    let WireTotals { claims, round_trips, commands, bytes_out, bytes_in } = more;
    WireTotals {
        claims: sum.claims + claims,
        round_trips: sum.round_trips + round_trips,
        commands: sum.commands + commands,
        bytes_out: sum.bytes_out + bytes_out,
        bytes_in: sum.bytes_in + bytes_in,
    }
}

/// The sum of these.
pub(super) fn outcomes<'a>(all: impl Iterator<Item = &'a Outcomes>) -> Outcomes {
    all.fold(Outcomes::default(), |mut sum, more| {
        sum.add(more);
        sum
    })
}

/// The strata, without those in which a side has no sample at all. Strata that only some parts had reached
/// when a run was stopped are included.
pub(super) fn strata(parts: &[RunRecord]) -> Vec<Stratum> {
    let measured = |stratum: &Stratum| stratum.sides.iter().all(|side| !side.service.0.is_empty());
    if go_round(parts) {
        return in_order(parts.iter().map(|part| &part.strata[..])).into_iter().filter(measured).collect();
    }
    let longest = parts.iter().max_by_key(|part| part.strata.len());
    let plans = longest.map(|part| part.strata.as_slice()).unwrap_or_default();
    let joined = |(n, plan): (usize, &Stratum)| {
        let own: Vec<&Stratum> = parts.iter().filter_map(|part| part.strata.get(n)).collect();
        let side = |(place, side): (usize, &StratumSide)| StratumSide {
            arm: side.arm,
            service: interleaved(own.iter().map(|stratum| &stratum.sides[place].service)),
        };
        let rulers: Vec<&Samples> = own.iter().filter_map(|stratum| stratum.ruler.as_ref()).collect();
        Stratum {
            control: plan.control,
            apart: plan.apart,
            sides: plan.sides.iter().enumerate().map(side).collect(),
            ruler: (!rulers.is_empty()).then(|| interleaved(rulers)),
        }
    };
    plans.iter().enumerate().map(joined).filter(measured).collect()
}

/// Samples of all parts in the order of time, as nearly as it is known: all parts go through a stratum at the
/// same time. One part's samples after another's would put late samples before early ones, and a server that
/// warms up, or drifts, would look like one that jumps.
fn interleaved<'a>(all: impl IntoIterator<Item = &'a Samples>) -> Samples {
    Samples(in_order(all.into_iter().map(|samples| &samples.0[..])))
}

/// Lists of what the parts did in the same time as one list in the order of time: the k-th of n items of a
/// part is taken to have come after about k / n of that time. Where executions go round, these are whole
/// strata, since each part then goes through its strata at its own speed.
fn in_order<'a, T: Clone + 'a>(all: impl IntoIterator<Item = &'a [T]>) -> Vec<T> {
    let mut placed: Vec<(f64, T)> = Vec::new();
    for own in all {
        let place = |k: usize| (k as f64 + 0.5) / own.len() as f64;
        placed.extend(own.iter().enumerate().map(|(k, one)| (place(k), one.clone())));
    }
    // Stable: what has the same place stays in the order of the parts.
    placed.sort_by(|a, b| a.0.total_cmp(&b.0));
    placed.into_iter().map(|(_, one)| one).collect()
}

/// The blocks that all parts came to the end of. The servers' side is the first part's, who read it when all
/// were silent.
pub(super) fn blocks(parts: &[RunRecord]) -> Vec<CounterBlock> {
    let whole = parts.iter().map(|part| part.blocks.len()).min().unwrap_or_default();
    let joined = |(n, first): (usize, &CounterBlock)| {
        let own = || parts.iter().map(move |part| &part.blocks[n]);
        CounterBlock {
            claims: own().map(|block| block.claims).sum(),
            duration_s: own().map(|block| block.duration_s).fold(0.0, f64::max),
            // A part that got no lease in the block adds nothing to the rate of all.
            steady: steady(own().filter(|block| block.claims > 0).map(|block| block.steady)),
            ..first.clone()
        }
    };
    parts[0].blocks.iter().take(whole).enumerate().map(joined).collect()
}

/// The steady parts of a block as one: the claims of all of them, over a time that makes their rate the sum
/// of all rates, Σ claims / Σ (claims / time). The spans of the parts begin and end at slightly different
/// moments, so neither the longest nor their mean would. `None` where one of them has none: its rate is not
/// known, and that of the whole block over all of its time would be another one than the other blocks have.
/// Whoever judges the record leaves such a block out of rates.
fn steady(all: impl Iterator<Item = Option<SteadyPart>>) -> Option<SteadyPart> {
    let (mut claims, mut rate) = (0, 0.0);
    for part in all {
        let part = part.filter(|part| part.claims > 0 && part.duration_s > 0.0)?;
        claims += part.claims;
        rate += part.claims as f64 / part.duration_s;
    }
    (rate > 0.0).then(|| SteadyPart { claims, duration_s: claims as f64 / rate })
}

/// The simulated network, which all parts have or none.
pub(super) fn added_rtt(parts: &[RunRecord]) -> Result<Option<AddedRoundTrip>, MergeError> {
    let Some(first) = &parts[0].added_rtt else { return Ok(None) };
    let given = parts.iter().enumerate().filter_map(|(n, part)| Some((n, &part.added_rtt.as_ref()?.given)));
    Ok(Some(AddedRoundTrip { given: sum_of(given, "added_rtt")?, ..*first }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, record};

    #[test]
    fn samples_stand_in_the_order_of_time_however_many_a_part_has() {
        let of = |ticks: &[u32]| Samples(ticks.to_vec());
        let all = [of(&[1, 5, 9]), of(&[2, 8]), of(&[])];
        assert_eq!(interleaved(&all).0, [1, 2, 5, 8, 9]);
        assert_eq!(interleaved(&[of(&[1, 3]), of(&[2, 4])]).0, [1, 2, 3, 4]);
        assert_eq!(interleaved(&[]).0, [] as [u32; 0]);
    }

    #[test]
    fn steady_parts_have_the_sum_of_their_rates() {
        let part = |claims, duration_s| Some(SteadyPart { claims, duration_s });
        let both = steady([part(100, 0.1), part(300, 0.2)].into_iter()).unwrap();
        assert_eq!(both.claims, 400);
        assert!((both.claims as f64 / both.duration_s - 2_500.0).abs() < 1e-9, "{both:?}");
        assert_eq!(steady([part(100, 0.1), None].into_iter()), None, "a rate that is not known");
        assert_eq!(steady([part(100, 0.0)].into_iter()), None);
    }
    /// The second of two generators has no claim in a block, or none that all in flight were beside.
    #[test]
    fn a_block_has_one_rate_of_all_generators_or_none() {
        let part = SteadyPart { claims: 100, duration_s: 0.1 };
        let merged = |claims: u64, own: Option<SteadyPart>| {
            let mut parts = [1, 2].map(|seed| record(&[GRANT_LANE, HGET_LANE], seed));
            for block in parts.iter_mut().flat_map(|record| &mut record.blocks) {
                block.steady = Some(part);
            }
            (parts[1].blocks[0].claims, parts[1].blocks[0].steady) = (claims, own);
            let all = blocks(&parts);
            assert!(all[1..].iter().all(|block| block.steady.is_some_and(|both| both.claims == 200)));
            all[0].steady.map(|both| both.claims)
        };
        assert_eq!(
            [merged(200, Some(part)), merged(0, None), merged(200, None)],
            [Some(200), Some(100), None]
        );
    }
}
