//! The curve of a sweep: a table for people, lines for a plot.

use super::document::Block;
use super::numbers::{difference_within, figure, maybe};
use crate::judge::{Sweep, SweepArm, SweepDifference, SweepPoint, Verdict};

/// What a sweep says.
pub(super) fn of(scenario: &str, sweep: &Sweep) -> Vec<Block> {
    let simulated = sweep.points.iter().any(|point| point.added_rtt_us.is_some());
    let compared = sweep.points.iter().flat_map(|point| &point.arms).any(|arm| arm.against.is_some());
    let mut blocks = vec![Block::Title(format!("{scenario}: {} from value to value", sweep.key))];
    if simulated {
        blocks.push(Block::Line(
            "SIMULATED NETWORK: the tool held every reply of a claim back; `added` is for how long it really was, at \
             the median. All times contain it."
                .to_owned(),
        ));
    }
    let invalid = sweep.points.iter().filter(|point| !point.valid).count();
    if invalid > 0 {
        blocks.push(Block::Alarm(format!(
            "{invalid} of the runs are invalid or were interrupted: see their reports."
        )));
    }
    let mut header = vec!["value", "variant"];
    let mut words = vec![1];
    if simulated {
        header.push("added");
    } else {
        header.push("busiest primary");
    }
    header.extend(["claims/s", "p50"]);
    if compared {
        words.push(header.len() + 2);
        header.extend(["difference", "in %", "verdict"]);
    } else {
        header.push("p99");
    }
    let row = |point: &SweepPoint, arm: &SweepArm| {
        let mut row = vec![point.value.clone(), arm.name.clone()];
        row.push(maybe(if simulated { point.added_rtt_us.or(Some(0.0)) } else { point.busiest_share }));
        row.extend([figure(arm.throughput_per_s), maybe(arm.service_p50_us)]);
        if compared {
            row.extend(against(point, arm));
        } else {
            row.push(maybe(arm.service_p99_us));
        }
        row
    };
    let rows =
        sweep.points.iter().flat_map(|point| point.arms.iter().map(move |arm| row(point, arm))).collect();
    let heading = "Service time (µs) at each value".to_owned();
    blocks.push(Block::Table { heading, header, rows, words });
    blocks
}

fn against(point: &SweepPoint, arm: &SweepArm) -> [String; 3] {
    let Some(difference) = &arm.against else { return ["baseline".into(), String::new(), String::new()] };
    let amount = difference.amount().map_or("-".to_owned(), |(estimate, low, high)| {
        format!("{} [{}, {}]", signed(estimate), bound(low), bound(high))
    });
    let share = difference.ratio.as_ref().map_or("-".to_owned(), difference_within);
    [amount, share, if point.valid { word(difference.verdict) } else { "invalid" }.to_owned()]
}

/// A difference in microseconds with its sign.
fn signed(us: f64) -> String {
    format!("{}{}", if us < 0.0 { "-" } else { "+" }, figure(us.abs()))
}

/// An end of its interval, without a plus.
fn bound(us: f64) -> String {
    format!("{}{}", if us < 0.0 { "-" } else { "" }, figure(us.abs()))
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Regression => "slower",
        Verdict::Improvement => "faster",
        Verdict::NoChange => "no change",
        Verdict::Inconclusive => "inconclusive",
    }
}

/// One line per value and variant; what is not known stays empty.
pub(super) fn csv(sweep: &Sweep) -> String {
    let mut text = String::from(
        "value,valid,added_rtt_us,busiest_share,variant,claims,throughput_per_s,service_p50_us,service_p99_us,\
         difference_us,difference_low_us,difference_high_us,ratio,ratio_low,ratio_high\n",
    );
    let number = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.6}"));
    for point in &sweep.points {
        for arm in &point.arms {
            let amount = arm.against.as_ref().and_then(SweepDifference::amount);
            let ratio = arm.against.as_ref().and_then(|against| against.ratio);
            let fields = [
                format!("\"{}\"", point.value.replace('"', "\"\"")),
                point.valid.to_string(),
                number(point.added_rtt_us),
                number(point.busiest_share),
                arm.name.clone(),
                arm.claims.to_string(),
                number(Some(arm.throughput_per_s)),
                number(arm.service_p50_us),
                number(arm.service_p99_us),
                number(amount.map(|(estimate, ..)| estimate)),
                number(amount.map(|(_, low, _)| low)),
                number(amount.map(|(.., high)| high)),
                number(ratio.map(|ratio| ratio.estimate)),
                number(ratio.map(|ratio| ratio.low)),
                number(ratio.map(|ratio| ratio.high)),
            ];
            text += &fields.join(",");
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Estimate;

    fn curve() -> Sweep {
        let arm = |name: &str, p50: f64, against| SweepArm {
            name: name.into(),
            claims: 1_000,
            throughput_per_s: 1e6 / p50,
            service_p50_us: Some(p50),
            service_p99_us: None,
            against,
        };
        let against = SweepDifference {
            baseline: "grant-lane".into(),
            metric: "service_p50".into(),
            unit: "us".into(),
            baseline_value: 500.0,
            ratio: Some(Estimate { estimate: 1.2, low: 1.1, high: 1.3, confidence: 0.95 }),
            verdict: Verdict::Regression,
        };
        let arms = vec![arm("grant-lane", 500.0, None), arm("hget-lane", 600.0, Some(against))];
        let point = |value: &str, added: Option<f64>, arms| SweepPoint {
            value: value.into(),
            valid: true,
            added_rtt_us: added,
            busiest_share: Some(1.02),
            arms,
        };
        Sweep {
            key: "load.network.added_rtt".into(),
            points: vec![point("0us", None, arms.clone()), point("a,b", Some(103.0), arms)],
        }
    }

    #[test]
    fn a_curve_is_marked_as_simulated_and_tells_amounts_with_intervals() {
        let text = super::super::sweep_text("rtt-sweep", &curve());
        for word in
            ["SIMULATED NETWORK", "+100.0 [50.0, 150.0]", "+20.0 % [10.0, 30.0]", "slower", "103", "baseline"]
        {
            assert!(text.contains(word), "no {word} in\n{text}");
        }
    }

    #[test]
    fn every_value_and_variant_has_a_line_of_equal_length() {
        let text = csv(&curve());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 1 + 4);
        let columns = lines[0].split(',').count();
        assert!(lines[1..3].iter().all(|line| line.split(',').count() == columns), "{text}");
        assert!(lines[3].starts_with("\"a,b\",true,103.000000,1.020000,grant-lane,1000,"), "{}", lines[3]);
        assert!(
            lines[2].ends_with("100.000000,50.000000,150.000000,1.200000,1.100000,1.300000"),
            "{}",
            lines[2]
        );
    }
}
