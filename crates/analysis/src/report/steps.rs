//! Where the time of a claim goes: a waterfall of its round trips.

use super::document::Block;
use super::format::{figure, share};
use crate::judge::RunResult;

/// Width of the picture, in characters.
const WIDTH: f64 = 24.0;

/// One table over all variants: every round trip, and the client's own work between them.
pub(super) fn waterfall(result: &RunResult) -> Option<Block> {
    let timed = || {
        result.variants.iter().filter_map(|v| Some((v, v.service_us?))).filter(|(v, _)| !v.steps.is_empty())
    };
    let longest = timed().map(|(_, service)| service.mean).fold(0.0, f64::max);
    let mut rows = Vec::new();
    for (variant, service) in timed() {
        let mut begin = 0.0;
        let mut row = |what: &str, [p50, p99]: [String; 2], part: f64| {
            let mean = part * service.mean;
            let picture = bar(begin / longest, (begin + mean) / longest);
            begin += mean;
            rows.push(vec![
                variant.name.clone(),
                what.to_owned(),
                p50,
                p99,
                figure(mean),
                share(part),
                picture,
            ]);
        };
        for step in &variant.steps {
            row(&step.title, [figure(step.time.p50), figure(step.time.p99)], step.share);
        }
        let rest = 1.0 - variant.steps.iter().map(|step| step.share).sum::<f64>();
        row("the client between them", ["-".into(), "-".into()], rest.max(0.0));
    }
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
    use crate::record::{LatencyHistogram, StepRecord};
    use std::time::Duration;

    fn result(timed: bool) -> RunResult {
        let mut record = fixtures::record(&[GRANT_LANE, HGET_LANE], 1);
        for (arm, parts) in record.arms.iter_mut().zip([[0.3, 0.6], [0.4, 0.4]]).filter(|_| timed) {
            let service = crate::stats::Latencies::decode(&arm.service).unwrap().unwrap();
            arm.steps = parts
                .iter()
                .zip(["HGET current_attempt_index", "FCALL"])
                .map(|(part, title)| {
                    let mut histogram = LatencyHistogram::default();
                    (0..service.count()).for_each(|_| {
                        histogram.record(Duration::from_secs_f64(part * service.mean_us() / 1e6));
                    });
                    StepRecord { title: title.to_owned(), time: histogram.encode() }
                })
                .collect();
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
        let client = "the client between them";
        assert_eq!(column(1)[..3], ["HGET current_attempt_index", "FCALL", client]);
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
