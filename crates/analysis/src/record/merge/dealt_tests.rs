//! The same claims recorded by one recorder, and dealt over several whose records are merged.
//!
//! All is equal but the order of samples within a side of a stratum, which is that of time only as nearly as
//! parts know it, and the grants in stock, of which each part knows its own. Seconds are equal where the
//! parts end each batch together: a part that is done before the others goes on with the next batch in its
//! own time of the window.

use std::time::Duration;

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, generator, record};
use crate::record::{
    ArmRecord, ArmRecorder, Histogram, Outcome, PartNote, Purpose, QUIET_NS, Recorder, RedirectKind, Samples,
    Stamps, StepRecord, StepTimes, Stratum, StratumSide, TimelinePoint, WireCost, stream,
};
use reclaim_statistics::below;

const ARMS: usize = 2;
const STRATA: usize = 3;

/// A claim, by what the recorder is told of it.
#[derive(Clone, Debug)]
struct Claim {
    arm: usize,
    purpose: Purpose,
    stamps: Stamps,
    outcome: Outcome,
    cost: WireCost,
    unreplicated: bool,
}

/// Claims in the order in which they ended, and how long their batch lasted.
struct Batch {
    claims: Vec<Claim>,
    active: Duration,
    arms: Vec<usize>,
}

fn outcome(rng: &mut ChaCha8Rng) -> Outcome {
    match below(rng, 20) {
        0 => Outcome::Expired,
        1 => Outcome::LostRace,
        2 => Outcome::Refused(format!("code_{}", below(rng, 3))),
        3 => Outcome::Ambiguous,
        4 => Outcome::Redirected(RedirectKind::Moved),
        5 => Outcome::TimedOut,
        6 => Outcome::Failed,
        _ => Outcome::Claimed,
    }
}

/// The `n`-th claim of a batch: a tenth of them warm-up, which is over before the others begin.
fn claim(rng: &mut ChaCha8Rng, n: u32) -> Claim {
    let stratum = below(rng, STRATA as u32);
    let side = below(rng, 2) as u8;
    let purpose = match below(rng, 10) {
        0 => Purpose::Warmup,
        1 => Purpose::Plain,
        2 => Purpose::Block,
        3 => Purpose::Late,
        4 | 5 => Purpose::Control { stratum: 2, side },
        6 => Purpose::Ruler { stratum },
        _ => Purpose::Stratum { stratum: stratum % 2, side },
    };
    let us = if purpose == Purpose::Warmup { below(rng, 300_000) } else { 300_000 + below(rng, 2_200_000) };
    // No two end at the same moment: which was first would be chance.
    let done = Duration::from_micros(u64::from(us)) + Duration::from_nanos(u64::from(n));
    let service = Duration::from_nanos(u64::from(1 + below(rng, 250_000_000)));
    let sent = done.saturating_sub(service);
    let scheduled = sent.saturating_sub(Duration::from_micros(u64::from(below(rng, 90_000))));
    let steps: StepTimes =
        (0..below(rng, 3)).map(|_| Duration::from_micros(u64::from(1 + below(rng, 900)))).collect();
    let resume = (below(rng, 2) == 0).then(|| Duration::from_micros(u64::from(below(rng, 4_000_000))));
    Claim {
        arm: usize::from(side),
        purpose,
        stamps: Stamps { scheduled: Some(scheduled), sent, done, resume, steps },
        outcome: outcome(rng),
        cost: WireCost {
            round_trips: 1 + below(rng, 2),
            commands: 1 + below(rng, 3),
            bytes_out: below(rng, 2_000),
            bytes_in: below(rng, 500),
        },
        unreplicated: below(rng, 9) == 0,
    }
}

fn batch(rng: &mut ChaCha8Rng, claims: u32, together: bool) -> Batch {
    let mut claims: Vec<Claim> = (0..claims).map(|n| claim(rng, n)).collect();
    claims.sort_by_key(|claim| claim.stamps.done);
    let last = claims.last().map_or(Duration::ZERO, |claim| claim.stamps.done);
    // Where parts end by themselves, the whole ends with the last of them.
    let active = if together { last + Duration::from_millis(u64::from(below(rng, 900))) } else { last };
    let arms = if below(rng, 4) == 0 { vec![0] } else { vec![0, 1] };
    Batch { claims, active, arms }
}

/// One recorder's record of these batches, of the claims that are its own.
fn recorded(
    batches: &[Batch],
    own: impl Fn(usize) -> bool,
    part: Option<PartNote>,
    together: bool,
) -> RunRecord {
    let mut recorder =
        Recorder::new(ARMS, [2; STRATA]).keeping_responses(true).keeping_for_merging(part.is_some());
    for batch in batches {
        let mut last = Duration::ZERO;
        for claim in batch.claims.iter().enumerate().filter(|(n, _)| own(*n)).map(|(_, claim)| claim) {
            last = claim.stamps.done;
            if let Purpose::Ruler { stratum } = claim.purpose {
                recorder.ruler(stratum, claim.stamps.done.saturating_sub(claim.stamps.sent));
                recorder.ruler_unanswered();
                continue;
            }
            recorder.record(claim.arm, claim.purpose, &claim.stamps, &claim.outcome, claim.cost, 0);
            if claim.unreplicated {
                recorder.unreplicated(claim.arm, claim.purpose);
                recorder.dropped(claim.arm, claim.purpose);
                recorder.empty_stock(claim.arm, claim.purpose);
            }
        }
        let active = if together || part.is_none() { batch.active } else { last };
        recorder.end_batch(active, batch.arms.iter().copied());
    }
    record_of(&recorder, part)
}

fn record_of(recorder: &Recorder, part: Option<PartNote>) -> RunRecord {
    let base = record(&[GRANT_LANE, HGET_LANE], 1);
    let arms = base.arms.iter().zip(recorder.arms()).map(|(arm, own)| arm_of(arm, own)).collect();
    let strata = recorder.strata().iter().zip(recorder.rulers()).enumerate();
    let strata = strata
        .map(|(n, (sides, ruler))| Stratum {
            control: n == 2,
            apart: false,
            sides: (0..2).map(|arm| StratumSide { arm, service: sides[arm as usize].clone() }).collect(),
            ruler: (!ruler.0.is_empty()).then(|| ruler.clone()),
        })
        .collect();
    RunRecord {
        arms,
        strata,
        blocks: Vec::new(),
        timeline: recorder.timeline(),
        window: Some(recorder.window()),
        events: recorder.events(),
        longest_gap_s: recorder.longest_gap().map(|gap| gap.as_secs_f64()),
        stalled_s: recorder.stalled().map(|stalled| stalled.as_secs_f64()),
        rulers_unanswered: recorder.rulers_unanswered(),
        generator: Some(generator(part.as_ref().map_or(1, |part| part.number)).used),
        part,
        ..base
    }
}

fn arm_of(arm: &ArmRecord, own: &ArmRecorder) -> ArmRecord {
    let step = |(n, time): (usize, &crate::record::LatencyHistogram)| StepRecord {
        title: format!("step {n}"),
        time: time.encode(),
    };
    ArmRecord {
        outcomes: own.outcomes.clone(),
        active_s: own.active.as_secs_f64(),
        service: own.service.encode(),
        response: own.response.encode(),
        send_lag: own.send_lag.encode(),
        resume: own.resume.encode(),
        error_service: own.error_service.encode(),
        steps: own.steps.iter().enumerate().map(step).collect(),
        wire: own.wire,
        unreplicated: own.unreplicated,
        ..arm.clone()
    }
}

/// Every value of a histogram, with its count.
fn values(histogram: &Histogram) -> Vec<(u64, u64)> {
    let decoded = histogram.decode().unwrap();
    let all = decoded.iter().flat_map(|decoded| decoded.iter_recorded());
    all.map(|value| (value.value_iterated_to(), value.count_at_value())).collect()
}

fn sorted(samples: &Samples) -> Vec<u32> {
    let mut sorted = samples.0.clone();
    sorted.sort_unstable();
    sorted
}

fn same_claims(one: &RunRecord, merged: &RunRecord) {
    assert_eq!(one.window, merged.window);
    assert_eq!(one.rulers_unanswered, merged.rulers_unanswered);
    for (own, of_all) in one.arms.iter().zip(&merged.arms) {
        let counted =
            |arm: &ArmRecord| (arm.outcomes.clone(), arm.wire, arm.unreplicated, arm.active_s.to_bits());
        assert_eq!(counted(own), counted(of_all));
        for ((what, own), (_, of_all)) in own.clocks().into_iter().zip(of_all.clocks()) {
            assert_eq!(values(own), values(of_all), "{what}");
        }
        let steps = |arm: &ArmRecord| -> Vec<_> {
            arm.steps.iter().map(|step| (step.title.clone(), values(&step.time))).collect()
        };
        assert_eq!(steps(own), steps(of_all));
    }
    let measured = |record: &RunRecord| -> Vec<_> {
        let whole =
            record.strata.iter().filter(|one| one.sides.iter().all(|side| !side.service.0.is_empty()));
        whole
            .map(|one| {
                let sides: Vec<_> = one.sides.iter().map(|side| (side.arm, sorted(&side.service))).collect();
                (one.control, sides, one.ruler.as_ref().map(sorted))
            })
            .collect()
    };
    assert_eq!(measured(one), measured(merged));
}

/// A span that is long enough to be kept is the same, with its moment; of shorter ones there is a bound.
fn same_gap(one: &RunRecord, merged: &RunRecord) {
    let kept_s = Duration::from_nanos(QUIET_NS).as_secs_f64();
    match (one.longest_gap_s, merged.longest_gap_s) {
        (Some(own), Some(bound)) if own < kept_s => assert!((own..=kept_s).contains(&bound), "{own} {bound}"),
        (own, of_all) => assert_eq!(own, of_all),
    }
    assert_eq!((one.stalled_s, &one.events), (merged.stalled_s, &merged.events));
}

fn same_seconds(one: &RunRecord, merged: &RunRecord) {
    let without = |point: &TimelinePoint| {
        (values(&point.response), TimelinePoint { response: Histogram(None), ..point.clone() })
    };
    let all = |record: &RunRecord| record.timeline.iter().map(without).collect::<Vec<_>>();
    assert_eq!(all(one), all(merged));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn dealt_claims_make_the_record_of_one_recorder(
        seed in any::<u64>(),
        sizes in proptest::collection::vec(0u32..120, 1..4),
        parts in prop_oneof![Just(1u32), Just(2), Just(8)],
        together in any::<bool>(),
    ) {
        let mut rng = stream(seed, "claims");
        let batches: Vec<Batch> = sizes.into_iter().map(|size| batch(&mut rng, size, together)).collect();
        let owners: Vec<u32> = (0..120).map(|_| below(&mut rng, parts) + 1).collect();
        let one = recorded(&batches, |_| true, None, together);
        let of_part = |number: u32| {
            let note = PartNote { number, of: parts, rendezvous: "x".into(), began_us: vec![7] };
            recorded(&batches, |n| owners[n] == number, Some(note), together)
        };
        let merged = merge((1..=parts).map(of_part).collect()).unwrap();
        same_claims(&one, &merged);
        same_gap(&one, &merged);
        if together {
            same_seconds(&one, &merged);
        } else {
            let claims = |record: &RunRecord| record.timeline.iter().map(|point| point.claimed + point.errors).sum::<u64>();
            prop_assert_eq!(claims(&one), claims(&merged));
        }
    }
}
