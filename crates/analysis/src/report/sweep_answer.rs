//! What a sweep comes to, in a sentence, and why there is none: the page and the text say the same.

use super::format::share;
use super::{findings, words};
use crate::judge::{NoLine, NoSweepVerdict, Sweep, SweepLine, SweepPoint, SweepVerdicts, Verdict};
use crate::stats::MIN_LINE_POINTS;

/// A value as rows and marks have it: of a run whose figures must not be used it says so.
pub(super) fn value_of(point: &SweepPoint) -> String {
    words::setting(&point.value) + if point.valid { "" } else { " (invalid)" }
}

/// The answer, without a full stop; never empty.
pub(super) fn answer(sweep: &Sweep) -> String {
    let candidates = sweep.candidates();
    let measured = sweep.points.len();
    if let Some(why) = sweep.no_verdict() {
        return no_verdict(&sweep.key, why);
    }
    let slopes: Vec<String> = candidates
        .iter()
        .filter_map(|name| Some(format!("{name} takes {}", longer(sweep.line(name)?.per_us.estimate, 1))))
        .collect();
    match candidates.as_slice() {
        [] => format!("{measured} values of {} were measured", sweep.key),
        [one] => one_candidate(sweep, one),
        _ if !slopes.is_empty() => slopes.join("; ") + ", at the load that was measured",
        several => {
            format!("{} variants against their baseline at {measured} values of {}", several.len(), sweep.key)
        }
    }
}

fn no_verdict(key: &str, why: NoSweepVerdict) -> String {
    let why = match why {
        NoSweepVerdict::ControlFailed => "the control failed at each of them",
        NoSweepVerdict::Unusable => "each of the runs is invalid or was interrupted",
        NoSweepVerdict::Either => "each of the runs is invalid, was interrupted or has a control that failed",
    };
    format!("No verdict at any value of {key}: {why}")
}

/// At how many values nothing is judged for a failed control, and why; `None` where no control failed.
pub(super) fn vetoed(sweep: &Sweep) -> Option<String> {
    let failed: Vec<(String, String)> = sweep
        .points
        .iter()
        .filter_map(|point| {
            let reason = findings::failed_control(point.control_failed.as_ref()?)?;
            Some((words::setting(&point.value), reason))
        })
        .collect();
    let (n, all) = (failed.len(), sweep.points.len());
    let reasons = words::merged(failed, all).join("; ");
    match n {
        0 => None,
        n if n == all => {
            Some(format!("Nothing is judged at any value, for the control failed at each: {reasons}."))
        }
        n => Some(format!(
            "At {n} of {all} values nothing is judged, for the control failed there: {reasons}."
        )),
    }
}

/// Why variants of a sweep over round trips have no line: each reason once.
pub(super) fn without_line(sweep: &Sweep) -> Vec<String> {
    let mut reasons: Vec<String> = Vec::new();
    for name in sweep.candidates() {
        let Some(reason) = sweep.no_line(name).map(|why| no_line(name, sweep.points.len(), why)) else {
            continue;
        };
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    reasons
}

fn no_line(name: &str, values: usize, why: NoLine) -> String {
    match why {
        NoLine::OtherMetric(metric) => format!(
            "No lines over the round-trip time: {} is no time of a claim, which each round trip makes longer by as much. Put \
             service_p50 first in compare.metrics.",
            words::metric_label(metric)
        ),
        NoLine::NoneFits { usable } => format!("No line for {name}: its {usable} values make none."),
        NoLine::TooFewValues { usable, invalid, control_failed, without_interval } => {
            let unfit = [
                (invalid, "the run is invalid or was interrupted"),
                (control_failed, "the control failed"),
                (without_interval, "there is no interval"),
            ];
            let unfit: Vec<String> =
                unfit.iter().filter(|(n, _)| *n > 0).map(|(n, why)| format!("at {n} {why}")).collect();
            let colon = if unfit.is_empty() { "" } else { ": " };
            format!(
                "No line for {name}: it takes {MIN_LINE_POINTS} values whose verdicts count, and of {values} there are \
                 {usable}{colon}{}.",
                unfit.join(", ")
            )
        }
    }
}

fn one_candidate(sweep: &Sweep, name: &str) -> String {
    let verdicts = sweep.verdicts(name);
    let (all, wanted) = (verdicts.judged(), sweep.wanted.len().max(sweep.points.len()));
    let baseline = verdicts.baseline.unwrap_or("its baseline");
    let every = if all == wanted {
        "at every value".to_owned()
    } else {
        format!("at each of the {all} values that are judged (of {wanted})")
    };
    match verdicts.everywhere() {
        Some(Verdict::Improvement) => format!("{name} is better than {baseline} {every}"),
        Some(Verdict::Regression) => format!("{name} is worse than {baseline} {every}"),
        _ => {
            let SweepVerdicts { better, worse, same, undecided, .. } = verdicts;
            let untold =
                if undecided > 0 { format!(", not to be told at {undecided}") } else { String::new() };
            format!(
                "{name} against {baseline}: better at {better}, worse at {worse}, no different at {same}{untold} of {all} values"
            )
        }
    }
}

/// A slope of a time over the round-trip time. It is no number of round trips: where claims queue, one round
/// trip more may make no claim longer.
fn longer(slope: f64, decimals: usize) -> String {
    let word = if slope >= 0.0 { "longer" } else { "shorter" };
    format!("{:.decimals$} round-trip times of the network {word}", slope.abs())
}

/// A line in words: what the slope says at the load that was measured, and what is there without an added
/// round trip.
pub(super) fn line_in_words(sweep: &Sweep, line: &SweepLine, base: &str) -> String {
    let slope = line.per_us;
    let [low, high] = if slope.estimate >= 0.0 { [slope.low, slope.high] } else { [-slope.high, -slope.low] };
    format!(
        "{} than the baseline at the load that was measured ({} interval {low:.2} to {high:.2}), and {base} without an added round \
         trip{}",
        longer(slope.estimate, 2),
        share(slope.confidence),
        beyond(sweep, line, 0.0)
    )
}

/// What stands behind a figure that a line has where no point carries it; nothing where points do.
pub(super) fn beyond(sweep: &Sweep, line: &SweepLine, added_rtt_us: f64) -> &'static str {
    if sweep.is_beyond(&line.name, added_rtt_us) { " (beyond what was measured)" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::super::sweep_fixture::with_lines;
    use super::*;
    use crate::judge::fixtures::{FULL_GRANT, HGET_LANE};
    use crate::stats::Estimate;

    #[test]
    fn a_slope_is_told_as_a_time_and_not_as_a_number_of_round_trips() {
        let mut curve = with_lines(&[HGET_LANE, FULL_GRANT]);
        for (line, [estimate, low, high]) in
            curve.lines.iter_mut().zip([[1.02, 0.98, 1.06], [-0.98, -1.05, -0.96]])
        {
            line.per_us = Estimate { estimate, low, high, confidence: 0.95 };
        }
        assert_eq!(
            answer(&curve),
            "hget-lane takes 1.0 round-trip times of the network longer; full-grant takes 1.0 round-trip times of the network \
             shorter, at the load that was measured"
        );
        let said = |n: usize| line_in_words(&curve, &curve.lines[n], "+60.0 µs");
        let than = "than the baseline at the load that was measured (95 % interval";
        for (n, begins) in [
            format!("1.02 round-trip times of the network longer {than} 0.98 to 1.06)"),
            format!("0.98 round-trip times of the network shorter {than} 0.96 to 1.05)"),
        ]
        .iter()
        .enumerate()
        {
            assert!(said(n).starts_with(begins), "{}", said(n));
        }
    }

    #[test]
    fn what_a_line_says_of_no_added_round_trip_is_marked_where_that_was_not_measured() {
        let mut curve = with_lines(&[HGET_LANE]);
        let said = |curve: &Sweep| line_in_words(curve, &curve.lines[0], "+60.0 µs");
        assert!(said(&curve).ends_with("and +60.0 µs without an added round trip"), "{}", said(&curve));
        curve.points[0].added_rtt_us = Some(50.0);
        let marked = "without an added round trip (beyond what was measured)";
        assert!(said(&curve).ends_with(marked), "{}", said(&curve));
    }
}
