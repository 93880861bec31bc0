//! The curve of a sweep as lines for a plot.

use super::csv_table::{CsvTable, number};
use crate::judge::{Sweep, SweepArm, SweepComparison, SweepPoint, Verdict};
use crate::stats::Estimate;

const COLUMNS: [&str; 26] = [
    "value",
    "valid",
    "added_rtt_us",
    "busiest_share",
    "variant",
    "claims",
    "throughput_per_s",
    "throughput_low",
    "throughput_high",
    "service_p50_us",
    "service_p50_low_us",
    "service_p50_high_us",
    "service_p99_us",
    "service_p99_low_us",
    "service_p99_high_us",
    "metric",
    "unit",
    "difference",
    "difference_low",
    "difference_high",
    "ratio",
    "ratio_low",
    "ratio_high",
    "control_passed",
    "verdict",
    "confidence",
];

/// One line per value and variant; what is not known stays empty.
pub(super) fn csv(sweep: &Sweep) -> String {
    let mut table = CsvTable::new(COLUMNS);
    for point in &sweep.points {
        for arm in &point.arms {
            table.line(csv_line(point, arm));
        }
    }
    table.text()
}

fn csv_line(point: &SweepPoint, arm: &SweepArm) -> Vec<String> {
    let amount = arm.against.as_ref().and_then(SweepComparison::amount);
    let ratio = arm.against.as_ref().and_then(|against| against.ratio);
    let ends = |interval: Option<Estimate>| [interval.map(|i| i.low), interval.map(|i| i.high)].map(number);
    let mut fields = vec![
        point.value.clone(),
        point.valid.to_string(),
        number(point.added_rtt_us),
        number(point.busiest_share),
        arm.name.clone(),
        arm.claims.to_string(),
        number(arm.throughput_per_s),
    ];
    fields.extend(ends(arm.throughput_interval));
    fields.push(number(arm.service_p50_us));
    fields.extend(ends(arm.service_p50_interval));
    fields.push(number(arm.service_p99_us));
    fields.extend(ends(arm.service_p99_interval));
    fields.push(arm.against.as_ref().map_or(String::new(), |against| against.metric.name().to_owned()));
    fields.push(arm.against.as_ref().map_or(String::new(), |against| against.unit.clone()));
    fields.extend(
        amount.map_or([None; 3], |(estimate, low, high)| [estimate, low, high].map(Some)).map(number),
    );
    fields.extend(ratio.map_or([None; 3], |r| [r.estimate, r.low, r.high].map(Some)).map(number));
    fields.push(point.control_passed.map_or_else(String::new, |passed| passed.to_string()));
    // Nothing is said of a run whose figures must not be used.
    let judged = arm.against.as_ref().filter(|_| point.valid);
    fields.push(judged.map_or("", |against| verdict(against.verdict)).to_owned());
    fields.push(number(ratio.map(|ratio| ratio.confidence)));
    fields
}

/// As results name it.
fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Regression => "regression",
        Verdict::Improvement => "improvement",
        Verdict::NoChange => "no_change",
        Verdict::Inconclusive => "inconclusive",
    }
}

#[cfg(test)]
mod tests {
    use super::super::sweep_fixture::{against, curve};
    use super::*;

    #[test]
    fn every_value_and_variant_has_a_line_of_equal_length() {
        let curve = curve();
        let text = csv(&curve);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 1 + 4);
        let columns = lines[0].split(',').count();
        assert!(lines[1..3].iter().all(|line| line.split(',').count() == columns), "{text}");
        let point = &curve.points[1];
        let begins = format!(
            "\"a,b\",true,{:.6},{:.6},grant-lane,{},",
            point.added_rtt_us.unwrap(),
            point.busiest_share.unwrap(),
            point.arms[0].claims
        );
        assert!(lines[3].starts_with(&begins), "{}", lines[3]);
        let (more, ratio) = (against(&curve, 0).amount().unwrap(), against(&curve, 0).ratio.unwrap());
        let all = [more.0, more.1, more.2, ratio.estimate, ratio.low, ratio.high];
        let told = all.map(|value| format!("{value:.6}")).join(",");
        assert!(lines[2].contains(&format!(",service_p50,us,{told},")), "{}", lines[2]);
        let base = &curve.points[0].arms[0];
        let (p50, p99) = (base.service_p50_interval.unwrap(), base.service_p99_interval.unwrap());
        // Claims per second have no interval, and the baseline has no difference.
        let alone = format!(
            ",{:.6},,,{:.6},{:.6},{:.6},{:.6},{:.6},{:.6},,,,",
            base.throughput_per_s.unwrap(),
            base.service_p50_us.unwrap(),
            p50.low,
            p50.high,
            base.service_p99_us.unwrap(),
            p99.low,
            p99.high
        );
        assert!(lines[1].contains(&alone), "{}", lines[1]);
    }

    #[test]
    fn whoever_plots_a_point_can_tell_whether_it_is_judged() {
        let end = |change: fn(&mut SweepPoint)| {
            let mut curve = curve();
            change(&mut curve.points[0]);
            let text = csv(&curve);
            text.lines().nth(2).unwrap().rsplitn(4, ',').take(3).map(str::to_owned).collect::<Vec<_>>()
        };
        let confidence = format!("{:.6}", against(&curve(), 0).ratio.unwrap().confidence);
        let confidence = confidence.as_str();
        // From the last column to the third last.
        assert_eq!(end(|_| ()), [confidence, "regression", "true"]);
        assert_eq!(end(|point| point.valid = false), [confidence, "", "true"]);
        assert_eq!(end(|point| point.control_passed = None), [confidence, "regression", ""]);
        let vetoed = end(|point| {
            point.control_passed = Some(false);
            point.arms[1].against.as_mut().unwrap().verdict = Verdict::Inconclusive;
        });
        assert_eq!(vetoed, [confidence, "inconclusive", "false"]);
    }
}
