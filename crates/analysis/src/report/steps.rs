//! Where the time of a claim goes: a waterfall of its round trips.

use super::document::Block;
use super::format::{figure, maybe, share};
use crate::judge::{ClaimPart, LatencySummary, RunResult, VariantSummary, claim_parts};

/// Width of the picture, in characters.
const WIDTH: f64 = 24.0;

/// What the client does between round trips.
pub(super) const CLIENT: &str = "the client between them";

/// One table over all variants: every round trip, and the client's own work between them.
pub(super) fn waterfall(result: &RunResult) -> Option<Block> {
    let timed: Vec<_> = result.variants.iter().map(|variant| (variant, claim_parts(variant))).collect();
    let longest = timed.iter().filter_map(|(_, parts)| Some(parts.last()?.to_us)).fold(0.0, f64::max);
    let row = |(variant, part): (&VariantSummary, &ClaimPart<'_>)| {
        let quantile = |of: fn(&LatencySummary) -> f64| maybe(part.time.as_ref().map(of));
        vec![
            variant.name.clone(),
            part.title.unwrap_or(CLIENT).to_owned(),
            quantile(|time| time.p50),
            quantile(|time| time.p99),
            figure(part.mean_us()),
            share(part.share),
            bar(part.from_us / longest, part.to_us / longest),
        ]
    };
    let parts = timed.iter().flat_map(|(variant, parts)| parts.iter().map(move |part| (*variant, part)));
    let rows: Vec<_> = parts.map(row).collect();
    (!rows.is_empty()).then(|| Block::Table {
        heading: "Where the time of a claim goes (µs)".into(),
        header: vec![
            "variant",
            "round trip",
            "p50",
            "p99",
            "mean",
            "share",
            "from sending the claim to its lease",
        ],
        rows,
        words: vec![1, 6],
    })
}

/// A bar from one share of the width to another, at least one character long.
fn bar(from: f64, to: f64) -> String {
    let [from, to] = [from, to].map(|share| (share * WIDTH).round() as usize);
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
        let Some(Block::Table { rows, .. }) = waterfall(&result) else { panic!("no table") };
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
    fn a_result_without_times_of_steps_has_no_waterfall() {
        assert!(waterfall(&result(false)).is_none());
    }
}
