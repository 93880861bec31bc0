//! The curve of a sweep as tables. Its lines over the round-trip time: `sweep_lines`; for a plot: `sweep_csv`.

use super::document::Block;
use super::format::{confidence, count, difference_within, figure, maybe, time_us, within};
use super::sweep_answer::value_of;
use super::sweep_lines::{allowed_for_others, lines};
use super::{faults, findings, sweep_answer, words};
use crate::judge::{Conclusion, Sweep, SweepArm, SweepComparison, SweepPoint};
use crate::scenario::Metric;
use crate::stats::{CONFIDENCE, Estimate};

/// What a sweep says.
pub(super) fn blocks(scenario: &str, sweep: &Sweep) -> Vec<Block> {
    let mut blocks = alarms(sweep);
    blocks.push(Block::Title(format!("{scenario}: {} from value to value", sweep.key)));
    let simulated = sweep.points.iter().any(|point| point.added_rtt_us.is_some());
    if simulated {
        blocks.push(Block::Line(words::simulated_network(
            "; `added` is for how long it really was, at the median. All times contain it.",
        )));
    }
    blocks.push(Block::Line(sweep_answer::answer(sweep) + "."));
    blocks.extend(sweep_answer::without_line(sweep).into_iter().map(Block::Line));
    blocks.push(figures(sweep, simulated));
    blocks.extend(without_interval(sweep).map(Block::Line));
    blocks.extend(differences(sweep, simulated));
    blocks.extend(recoveries(sweep));
    blocks.extend(lines(sweep));
    blocks.extend(allowed_for_others(sweep).into_iter().map(Block::Line));
    let items = to_keep_in_mind(sweep);
    if !items.is_empty() {
        blocks.push(Block::List { heading: "Keep in mind".into(), items });
    }
    blocks
}

/// What the runs say to their reader, each thing once.
pub(super) fn to_keep_in_mind(sweep: &Sweep) -> Vec<String> {
    words::merged(sweep.points.iter().flat_map(remarks), sweep.points.len())
}

/// How the runs came through their faults, value by value.
fn recoveries(sweep: &Sweep) -> Option<Block> {
    let mut rows = Vec::new();
    for point in &sweep.points {
        for recovery in &point.recoveries {
            let time = |s: Option<f64>| s.map_or_else(|| "-".to_owned(), faults::seconds);
            let never = recovery.untold().is_none() && recovery.recovered_s.is_none();
            rows.push(vec![
                value_of(point),
                time(recovery.marked_failed_s),
                time(recovery.took_over_s),
                faults::first_success(recovery),
                if never {
                    "never".to_owned()
                } else {
                    time(recovery.recovered_s.filter(|_| !recovery.with_earlier))
                },
                faults::late(recovery),
                recovery.slowest_us.map_or_else(|| "-".to_owned(), time_us),
                count(point.lost_by_server),
            ]);
        }
    }
    (!rows.is_empty()).then(|| {
        Block::figures(
            "After each fault: time until its server was marked as failed, until a replica had taken over, until claims on its \
             slots succeeded, until all was as before",
            vec![
                "value",
                "marked failed",
                "taken over",
                "first success",
                "as before",
                "late claims",
                "slowest",
                "lost by servers",
            ],
            rows,
        )
    })
}

/// That the gate failed runs, and at which values; `None` where it did not, and where runs are invalid or
/// missing, which is said by itself.
pub(super) fn gate(sweep: &Sweep) -> Option<String> {
    let worst = sweep.conclusion();
    matches!(worst, Conclusion::Regression | Conclusion::Inconclusive).then(|| {
        let at = sweep.points.iter().filter(|point| point.conclusion == Some(worst));
        let values: Vec<String> = at.map(|point| words::setting(&point.value)).collect();
        format!("{} at {}.", words::conclusion::with_exit_code(worst), values.join(", "))
    })
}

/// What must not be missed: verdicts that fail the command, runs that are not there, and runs whose figures
/// must not be used.
fn alarms(sweep: &Sweep) -> Vec<Block> {
    let mut blocks = Vec::new();
    blocks.extend(gate(sweep).map(Block::Alarm));
    let (made, wanted) = (sweep.points.len(), sweep.wanted.len());
    if made < wanted {
        let known = |value: &&String| !sweep.points.iter().any(|point| point.value == **value);
        let missing: Vec<String> =
            sweep.wanted.iter().filter(known).map(|value| words::setting(value)).collect();
        blocks.push(Block::Alarm(format!(
            "UNFINISHED: {made} of {wanted} values were run; {} not.",
            missing.join(", ")
        )));
    }
    if let Some(error) = &sweep.ended_by {
        blocks.push(Block::Alarm(format!("ENDED BY AN ERROR: {error}.")));
    }
    let invalid: Vec<&SweepPoint> = sweep.points.iter().filter(|point| !point.valid).collect();
    if !invalid.is_empty() {
        let values: Vec<String> = invalid.iter().map(|point| words::setting(&point.value)).collect();
        blocks.push(Block::Alarm(format!(
            "{} of the runs are invalid or were interrupted, do not use their figures: {}.",
            invalid.len(),
            values.join(", ")
        )));
        let reasons = invalid.iter().flat_map(|point| {
            point
                .invalid_reasons
                .iter()
                .map(|reason| (words::setting(&point.value), words::invalid_reason(reason)))
        });
        let items = words::merged(reasons, sweep.points.len());
        if !items.is_empty() {
            blocks.push(Block::List { heading: "Why".into(), items });
        }
    }
    blocks
}

/// What a run says to its reader, with the value of that run.
fn remarks(point: &SweepPoint) -> Vec<(String, String)> {
    let control = point
        .control_failed
        .iter()
        .filter_map(findings::failed_control)
        .map(|reason| format!("no verdict, because the control failed: {reason}."));
    control
        .chain(point.warnings.iter().map(words::warning))
        .map(|text| (words::setting(&point.value), text))
        .collect()
}

fn figures(sweep: &Sweep, simulated: bool) -> Block {
    let row = |point: &SweepPoint, arm: &SweepArm| {
        let time = |us: Option<f64>, interval: Option<&Estimate>| {
            us.map_or_else(|| "-".to_owned(), |us| within(us, interval))
        };
        vec![
            value_of(point),
            arm.name.clone(),
            maybe(if simulated { added(point) } else { point.busiest_share }),
            arm.throughput_per_s
                .map_or_else(|| "-".to_owned(), |rate| within(rate, arm.throughput_interval.as_ref())),
            time(arm.service_p50_us, arm.service_p50_interval.as_ref()),
            time(arm.service_p99_us, arm.service_p99_interval.as_ref()),
        ]
    };
    let third = if simulated { "added" } else { "busiest primary" };
    let arms = sweep.points.iter().flat_map(|point| &point.arms);
    let intervals = arms.flat_map(|arm| {
        [&arm.throughput_interval, &arm.service_p50_interval, &arm.service_p99_interval].into_iter().flatten()
    });
    Block::Table {
        heading: format!(
            "Throughput and service time (µs) at each value, with {} intervals",
            confidence(intervals, CONFIDENCE)
        ),
        header: vec!["value", "variant", third, "claims/s", "p50", "p99"],
        rows: rows(sweep, row),
        words: vec![1],
    }
}

fn differences(sweep: &Sweep, simulated: bool) -> Option<Block> {
    let arms = || sweep.points.iter().flat_map(|point| &point.arms);
    let first = arms().find_map(|arm| arm.against.as_ref())?;
    let ratios = arms().filter_map(|arm| arm.against.as_ref()?.ratio.as_ref());
    let mut header = vec!["value", "variant", "difference", "in %", "verdict"];
    let mut words = vec![1, 4];
    if simulated {
        header.insert(2, "added");
        words[1] += 1;
    }
    let row = |point: &SweepPoint, arm: &SweepArm| {
        let Some(against) = &arm.against else { return Vec::new() };
        let mut row = vec![value_of(point), arm.name.clone()];
        row.extend(simulated.then(|| maybe(added(point))));
        row.extend(against_baseline(point, against));
        row
    };
    let mut rows = rows(sweep, row);
    rows.retain(|row| !row.is_empty());
    let heading = format!(
        "Difference from {}: {} ({}), with {} intervals",
        first.baseline,
        first.metric.row().title,
        words::unit(first.metric.row().unit),
        confidence(ratios, CONFIDENCE)
    );
    Some(Block::Table { heading, header, rows, words })
}

fn rows(sweep: &Sweep, row: impl Fn(&SweepPoint, &SweepArm) -> Vec<String>) -> Vec<Vec<String>> {
    let row = &row;
    sweep.points.iter().flat_map(|point| point.arms.iter().map(move |arm| row(point, arm))).collect()
}

/// The value without an added time is that of no added time.
fn added(point: &SweepPoint) -> Option<f64> {
    point.added_rtt_us.or(Some(0.0))
}

fn without_interval(sweep: &Sweep) -> Option<String> {
    let column = |metric: Metric| match metric {
        Metric::Throughput => "claims/s",
        Metric::ServiceP50 => "p50",
        Metric::ServiceP99 => "p99",
        other => other.row().title,
    };
    let values: Vec<String> = sweep.points.iter().map(|point| words::setting(&point.value)).collect();
    let missing = sweep.points.iter().zip(&values).flat_map(|(point, value)| {
        let none = point.arms.iter().flat_map(|arm| &arm.without_interval);
        none.map(move |none| (value.as_str(), column(none.metric), &none.too_few))
    });
    words::no_interval(missing, sweep.points.len())
}

fn against_baseline(point: &SweepPoint, difference: &SweepComparison) -> [String; 3] {
    let amount = difference.amount().map_or("-".to_owned(), |(estimate, low, high)| {
        format!("{} [{}, {}]", signed(estimate), bound(low), bound(high))
    });
    let share = difference.ratio.as_ref().map_or("-".to_owned(), difference_within);
    [
        amount,
        share,
        if point.valid { words::verdict_of(difference.verdict, difference.metric) } else { "invalid" }
            .to_owned(),
    ]
}

/// A difference with its sign.
fn signed(us: f64) -> String {
    format!("{}{}", if us < 0.0 { "-" } else { "+" }, figure(us.abs()))
}

/// An end of its interval, without a plus.
fn bound(us: f64) -> String {
    format!("{}{}", if us < 0.0 { "-" } else { "" }, figure(us.abs()))
}

#[cfg(test)]
mod tests {
    use super::super::sweep_fixture::{against, curve};
    use super::*;
    use crate::judge::Control;
    use crate::record::{InvalidReason, Warning};

    #[test]
    fn a_curve_is_marked_as_simulated_and_tells_amounts_with_intervals() {
        let curve = curve();
        let text = super::super::sweep_text("rtt-sweep", &curve, None);
        let mut words = ["SIMULATED NETWORK", "slower", "from grant-lane"].map(str::to_owned).to_vec();
        words.push(format!("{:.1}", curve.points[1].added_rtt_us.unwrap()));
        for point in 0..2 {
            let (more, ratio) =
                (against(&curve, point).amount().unwrap(), against(&curve, point).ratio.unwrap());
            let percent = |ratio: f64| 100.0 * (ratio - 1.0);
            words.push(format!("+{:.1} [{:.1}, {:.1}]", more.0, more.1, more.2));
            words.push(format!(
                "+{:.1} % [{:.1}, {:.1}]",
                percent(ratio.estimate),
                percent(ratio.low),
                percent(ratio.high)
            ));
        }
        for word in words {
            assert!(text.contains(&word), "no {word} in\n{text}");
        }
        // A round trip more of 103 us, beside what there is without it.
        let more = [0, 1].map(|point| against(&curve, point).amount().unwrap().0);
        assert!((more[1] - more[0] - 103.0).abs() < 5.0, "{more:?}");
    }

    #[test]
    fn how_each_run_came_through_its_fault_stands_in_one_table() {
        let runs: Vec<_> = [1.05, 4.05]
            .map(|outage_s| {
                crate::judge::analyse(crate::judge::fault_fixture::outage(8.0, outage_s)).unwrap()
            })
            .into();
        let wanted = ["1s".to_owned(), "4s".to_owned()];
        let of = wanted.iter().map(String::as_str).zip(&runs);
        let mut sweep = crate::judge::sweep("cluster.node_timeout", &wanted, of);
        sweep.points.iter_mut().for_each(|point| point.valid = true);
        let mut invalid = sweep.clone();
        invalid.points[1].valid = false;
        let Some(Block::Table { rows, .. }) = recoveries(&invalid) else { panic!("no table") };
        assert_eq!((rows[0][0].as_str(), rows[1][0].as_str()), ("1 s", "4 s (invalid)"));
        let Some(Block::Table { rows, .. }) = recoveries(&sweep) else { panic!("no table") };
        assert_eq!((rows.len(), rows[0][0].as_str(), rows[1][0].as_str()), (2, "1 s", "4 s"));
        // A pause moves no primary.
        assert_eq!((rows[0][2].as_str(), rows[1][7].as_str()), ("-", "0"));
        assert!(rows[1][3].starts_with("4.0"), "{rows:?}");
        assert!(recoveries(&curve()).is_none(), "no faults, no table");
    }

    #[test]
    fn figures_have_their_intervals_and_one_line_says_where_there_is_none() {
        let curve = curve();
        let text = super::super::sweep_text("rtt-sweep", &curve, None);
        for arm in curve.points.iter().flat_map(|point| &point.arms) {
            let (p50, interval) = (arm.service_p50_us.unwrap(), arm.service_p50_interval.unwrap());
            assert!(arm.throughput_interval.is_none());
            let rate = count(arm.throughput_per_s.unwrap().round() as u64);
            let said = format!("{rate}  {p50:.1} [{:.1}, {:.1}]", interval.low, interval.high);
            assert!(text.contains(&said), "no {said} in\n{text}");
        }
        let line = "No interval: claims/s needs at least 8 counter blocks, has 2.";
        assert_eq!(text.matches(line).count(), 1, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    }

    #[test]
    fn what_the_runs_say_against_themselves_stands_in_the_sweep_once() {
        let mut curve = curve();
        curve.points[1].valid = false;
        curve.points[1].invalid_reasons = vec![InvalidReason::StockRanOut { claims: 7 }];
        curve.points[1].control_failed =
            Some(Control { ratio: None, passed: false, failure: None, allowance: None });
        curve.points[1].warnings.push(Warning::BusyMachine { share: 0.3 });
        curve.wanted.push("9ms".into());
        let text = super::super::sweep_text("rtt-sweep", &curve, None);
        for said in [
            "!! UNFINISHED: 2 of 3 values were run; 9 ms not.",
            "!! 1 of the runs are invalid or were interrupted, do not use their figures: a,b.",
            "  - a,b: 7 claims were due when no grant was in stock.",
            "  - generator and servers share 2 cores",
            "  - a,b: no verdict, because the control failed: the baseline differs from itself.",
            "  - a,b: other programs took 30 % of the machine",
        ] {
            assert_eq!(text.matches(said).count(), 1, "{said} in\n{text}");
        }
        // Two variants in the one table, one of them in the other.
        assert_eq!(text.matches("\n  a,b (invalid)  ").count(), 3, "{text}");
        assert!(text.contains("\n  0 µs ") && !text.contains("0 µs (invalid)"), "{text}");
    }
}
