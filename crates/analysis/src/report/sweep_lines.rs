//! The differences of a sweep as lines over the round-trip time, and what they say of another network.

use std::time::Duration;

use super::document::Block;
use super::format::{confidence, share, signed_within, time_us};
use super::{sweep_answer, words};
use crate::judge::{Sweep, SweepLine};
use crate::stats::CONFIDENCE;

/// The differences as lines over the round-trip time.
pub(super) fn lines(sweep: &Sweep) -> Option<Block> {
    let row = |line: &SweepLine| {
        vec![
            format!("{} less {}", line.name, line.baseline),
            words::metric_label(line.metric),
            signed_within(&line.base) + sweep_answer::beyond(sweep, line, 0.0),
            signed_within(&line.per_us),
        ]
    };
    (!sweep.lines.is_empty()).then(|| Block::Table {
        heading: format!(
            "As a line over the round-trip time: at none added, and for each microsecond of it ({} intervals)",
            confidence(sweep.lines.iter().flat_map(|line| [&line.base, &line.per_us]), CONFIDENCE)
        ),
        header: vec!["variant", "metric", "at none added", "per µs"],
        rows: sweep.lines.iter().map(row).collect(),
        words: vec![1],
    })
}

/// What the lines' intervals allow for, line by line; nothing where no other programs ran beside a point.
pub(super) fn allowed_for_others(sweep: &Sweep) -> Vec<String> {
    let said = |line: &SweepLine| {
        Some(format!(
            "Other programs ran beside a point of {}'s line: its intervals are wider by {} of the value on either side.",
            line.name,
            share(line.allowed_for_others?)
        ))
    };
    sweep.lines.iter().filter_map(said).collect()
}

/// What the lines say of a network whose round trips take so much longer than the measured machine's.
pub(super) fn prediction(sweep: &Sweep, rtt: Duration) -> Vec<Block> {
    let us = rtt.as_secs_f64() * 1e6;
    if sweep.lines.is_empty() {
        let why = "No prediction: it takes a sweep of load.network.added_rtt with at least three sound values, compared by a \
                   time of a claim.";
        return vec![Block::Line(why.to_owned())];
    }
    let items = sweep.lines.iter().map(|line| {
        let more = line.at(us);
        format!(
            "{} takes {} {} more than {}{}",
            line.name,
            signed_within(&more),
            words::unit_named(&line.unit),
            line.baseline,
            sweep_answer::beyond(sweep, line, us)
        )
    });
    vec![Block::List {
        heading: format!("With every round trip {} longer than on the measured machine", time_us(us)),
        items: items.collect(),
    }]
}

#[cfg(test)]
mod tests {
    use super::super::sweep_fixture::{curve, with_lines};
    use super::*;
    use crate::judge::fixtures::HGET_LANE;
    use crate::scenario::Metric;

    #[test]
    fn the_line_is_shown_and_predicts_a_network_of_ones_own() {
        let rtt = Duration::from_micros(500);
        assert!(super::super::network_prediction(&curve(), rtt, None).contains("No prediction"));
        let mut curve = with_lines(&[HGET_LANE]);
        let line = curve.lines[0].clone();
        let text = super::super::sweep_text("rtt-sweep", &curve, None);
        assert!(
            text.contains("hget-lane less grant-lane")
                && text.contains(&format!("+{:.1} [", line.base.estimate))
                && text.contains(&format!("+{:.2} [", line.per_us.estimate))
                && !text.contains("beyond what was measured"),
            "{text}"
        );
        let said = super::super::network_prediction(&curve, rtt, None);
        // What is added to the measured machine's own round trips, not all of a network.
        let more = line.at(500.0).estimate;
        assert!((more - line.base.estimate - 500.0).abs() < 25.0, "a round trip more: {more}");
        for part in [
            "With every round trip 500.0 µs longer than on the measured machine\n",
            &format!("hget-lane takes +{more:.1} ["),
            "(beyond what was measured)",
        ] {
            assert!(said.contains(part), "no {part} in\n{said}");
        }
        // Nothing is known below the smallest value that can be used, either.
        curve.points[0].added_rtt_us = Some(250.0);
        let beyond = |us| {
            let said = super::super::network_prediction(&curve, Duration::from_micros(us), None);
            said.contains("beyond what was measured")
        };
        assert_eq!([50, 200].map(beyond), [true, false]);
        let text = super::super::sweep_text("rtt-sweep", &curve, None);
        assert_eq!(text.matches("] (beyond what was measured)").count(), 1, "at none added\n{text}");
    }

    /// The slope of anything but a claim's time is no number of round trips.
    #[test]
    fn a_sweep_that_is_compared_by_another_metric_has_no_lines_and_says_why() {
        let mut curve = curve();
        curve.lines.clear();
        for against in
            curve.points.iter_mut().flat_map(|p| &mut p.arms).filter_map(|arm| arm.against.as_mut())
        {
            (against.metric, against.unit) =
                (Metric::Throughput, Metric::Throughput.row().unit.name().to_owned());
        }
        let text = super::super::sweep_text("rtt-sweep", &curve, None);
        assert_eq!(text.matches("No lines over the round-trip time: ").count(), 1, "{text}");
        assert!(
            text.contains("Put service_p50 first in compare.metrics.") && !text.contains("round-trip times"),
            "{text}"
        );
        let rtt = Duration::from_millis(1);
        assert!(super::super::network_prediction(&curve, rtt, None).contains("No prediction"));
    }
}
