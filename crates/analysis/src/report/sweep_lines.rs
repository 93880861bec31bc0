//! The differences of a sweep as lines over the round-trip time, and what they say of another network.

use std::time::Duration;

use super::document::Block;
use super::format::{share, signed_within, time_us};
use super::{sweep_answer, words};
use crate::judge::{Sweep, SweepLine};

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
        heading: "As a line over the round-trip time: at none added, and for each microsecond of it (95 % intervals)".to_owned(),
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
    use super::super::sweep_fixture::{curve, line};
    use super::*;
    use crate::scenario::Metric;

    #[test]
    fn the_line_is_shown_and_predicts_a_network_of_ones_own() {
        let mut curve = curve();
        let rtt = Duration::from_micros(500);
        assert!(super::super::network_prediction(&curve, rtt, None).contains("No prediction"));
        curve.lines = vec![line("hget-lane", 60.0, 1.02)];
        let text = super::super::sweep_text("rtt-sweep", &curve, None);
        assert!(
            text.contains("hget-lane less grant-lane")
                && text.contains("+60.0 [")
                && text.contains("+1.02 [")
                && !text.contains("beyond what was measured"),
            "{text}"
        );
        let said = super::super::network_prediction(&curve, rtt, None);
        // What is added to the measured machine's own round trips, not all of a network.
        for part in [
            "With every round trip 500.0 µs longer than on the measured machine\n",
            "hget-lane takes +570.0 [",
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
        assert_eq!([100, 200].map(beyond), [true, false]);
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
