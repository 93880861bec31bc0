//! Where the time of a claim goes: a waterfall of its round trips.

use super::document::Block;
use super::format::{TimeUnit, share};
use crate::judge::{ClaimPart, LatencySummary, RunResult, VariantSummary, claim_parts};

/// Width of the picture, in characters.
const WIDTH: f64 = 24.0;

/// The same on a terminal with eighty columns.
const NARROW: f64 = 12.0;

/// What the client does between round trips.
pub(super) const CLIENT: &str = "the client between them";

/// One table over all variants: every round trip, and the client's own work between them.
pub(super) fn waterfall(result: &RunResult) -> Option<Block> {
    if waits_between(result) {
        return None;
    }
    let timed: Vec<_> = result.variants.iter().map(|variant| (variant, claim_parts(variant))).collect();
    let longest = timed.iter().filter_map(|(_, parts)| Some(parts.last()?.to_us)).fold(0.0, f64::max);
    let parts: Vec<_> =
        timed.iter().flat_map(|(variant, parts)| parts.iter().map(move |part| (*variant, part))).collect();
    // Ways of the SDK have no round trips that are timed.
    let end = if result.record.scenario.load.task_context {
        "from sending the claim until its task can begin"
    } else {
        "from sending the claim to its lease"
    };
    let as_wide = |width: f64, tail: bool| table(&parts, (longest, end), width, tail);
    // Without the picture where there is no room for it: the shares say the same.
    (!parts.is_empty())
        .then(|| Block::Widths(vec![as_wide(WIDTH, true), as_wide(NARROW, false), as_wide(0.0, false)]))
}

type Part<'a> = (&'a VariantSummary, &'a ClaimPart<'a>);

/// The table with a picture of so many characters, or without one; with the 99th percentiles, or without.
fn table(parts: &[Part<'_>], (longest, end): (f64, &'static str), width: f64, tail: bool) -> Block {
    let picture = width > 0.0;
    let times = |(_, part): &Part<'_>| {
        let of_step = part.time.as_ref().map_or([0.0; 2], |time| [time.p50, time.p99]);
        [of_step[0], of_step[1], part.mean_us()]
    };
    // The shortest decides in other tables; here that would be the client's own work.
    let longest_us = parts.iter().flat_map(times).fold(0.0, f64::max);
    let unit = TimeUnit::fitting([1.0, longest_us]);
    let row = |(variant, part): &Part<'_>| {
        let quantile = |of: fn(&LatencySummary) -> f64| {
            part.time.as_ref().map_or_else(|| "-".to_owned(), |time| unit.figure(of(time)))
        };
        let mut cells = vec![
            variant.name.clone(),
            part.title.unwrap_or(CLIENT).to_owned(),
            quantile(|time| time.p50),
            quantile(|time| time.p99),
            unit.figure(part.mean_us()),
            share(part.share),
            bar(part.from_us / longest, part.to_us / longest, width),
        ];
        keep(&mut cells, tail, picture);
        cells
    };
    let mut header = vec!["variant", "round trip", "p50", "p99", "mean", "share", end];
    keep(&mut header, tail, picture);
    let last = header.len() - 1;
    Block::Table {
        heading: unit.heading("Where the time of a claim goes"),
        header,
        rows: parts.iter().map(row).collect(),
        words: if picture { vec![1, last] } else { vec![1] },
    }
}

/// Takes out the columns that a narrower table has not.
fn keep<T>(cells: &mut Vec<T>, tail: bool, picture: bool) {
    if !picture {
        cells.pop();
    }
    if !tail {
        cells.remove(3);
    }
}

/// Whether claims waited for servers between their round trips: that time is neither the wire's nor the
/// client's.
pub(super) fn waits_between(result: &RunResult) -> bool {
    let faults = result.record.injected.iter().flat_map(|injected| &injected.faults);
    faults.map(|fault| fault.claims_retried).sum::<u64>() > 0
}

/// A bar from one share of the width to another, at least one character long.
fn bar(from: f64, to: f64, width: f64) -> String {
    let [from, to] = [from, to].map(|share| (share * width).round() as usize);
    format!("{}{}", "·".repeat(from), "█".repeat(to.saturating_sub(from).max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::fixtures::{self, GRANT_LANE, HGET_LANE};

    fn result(timed: bool) -> RunResult {
        let mut record = fixtures::record(&[GRANT_LANE, HGET_LANE], 1);
        for (arm, [first, second]) in record.arms.iter_mut().zip([[0.3, 0.6], [0.4, 0.4]]).filter(|_| timed) {
            fixtures::timed_steps(arm, &[("HGET current_attempt_index", first), ("FCALL", second)]);
        }
        crate::judge::analyse(record).unwrap()
    }

    #[test]
    fn round_trips_stand_behind_each_other_and_add_up_to_the_claim() {
        let result = result(true);
        let Some(Block::Widths(tables)) = waterfall(&result) else { panic!("no table") };
        let Block::Table { rows, .. } = &tables[0] else { panic!("no table") };
        let column = |n: usize| rows.iter().map(|row| row[n].as_str()).collect::<Vec<_>>();
        for (share, percent) in column(5).into_iter().zip([30.0, 60.0, 10.0, 40.0, 40.0, 20.0]) {
            let shown: f64 = share.trim_end_matches(" %").parse().unwrap();
            assert!((shown - percent).abs() < 0.15, "{share} is not {percent} %");
        }
        assert_eq!(column(1)[..3], ["HGET current_attempt_index", "FCALL", CLIENT]);
        // The longest claim fills the picture; each bar begins where the one before it ended.
        let lengths: Vec<(usize, usize)> =
            column(6).iter().map(|bar| (bar.matches('·').count(), bar.chars().count())).collect();
        assert_eq!(lengths[5].1, WIDTH as usize);
        assert!(
            lengths[0].0 == 0 && lengths[1].0 == lengths[0].1 && lengths[2].0 == lengths[1].1,
            "{lengths:?}"
        );
    }

    #[test]
    fn on_eighty_columns_it_is_a_table_still() {
        let mut record = fixtures::record(&[GRANT_LANE, HGET_LANE], 1);
        for arm in &mut record.arms {
            let steps = [("HGET current_attempt_index", 0.3), ("FCALL ff_claim_resumed_execution", 0.6)];
            fixtures::timed_steps(arm, &steps);
        }
        let result = crate::judge::analyse(record).unwrap();
        let at = |columns| crate::report::text::render(waterfall(&result).as_slice(), Some(columns));
        for (columns, picture, tail) in [(100, true, true), (80, true, false), (64, false, false)] {
            let text = at(columns);
            let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= columns.into() && !text.contains("variant: "), "{columns}\n{text}");
            assert_eq!((text.contains('█'), text.contains("p99")), (picture, tail), "{columns}\n{text}");
        }
    }

    #[test]
    fn a_result_without_times_of_steps_has_no_waterfall() {
        assert!(waterfall(&result(false)).is_none());
    }
}
