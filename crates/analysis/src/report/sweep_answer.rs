//! What a sweep comes to, in a sentence, and why there is none: the page and the text say the same.

use super::format::share;
use super::{findings, words};
use crate::judge::{Sweep, SweepComparison, SweepLine, SweepPoint, Verdict};
use crate::stats::MIN_LINE_POINTS;

/// Variants that are compared, in the order of the first point.
pub(super) fn candidates(sweep: &Sweep) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for arm in sweep.points.iter().flat_map(|point| &point.arms).filter(|arm| arm.against.is_some()) {
        if !names.contains(&arm.name.as_str()) {
            names.push(&arm.name);
        }
    }
    names
}

/// A value as rows and marks have it: of a run whose figures must not be used it says so.
pub(super) fn value_of(point: &SweepPoint) -> String {
    words::setting(&point.value) + if point.valid { "" } else { " (invalid)" }
}

/// The answer, without a full stop; never empty.
pub(super) fn answer(sweep: &Sweep) -> String {
    let candidates = candidates(sweep);
    let measured = sweep.points.len();
    if sweep.is_without_verdict() {
        return no_verdict(sweep);
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

fn no_verdict(sweep: &Sweep) -> String {
    let why = match sweep.points.iter().filter(|point| !point.valid).count() {
        0 => "the control failed at each of them",
        n if n == sweep.points.len() => "each of the runs is invalid or was interrupted",
        _ => "each of the runs is invalid, was interrupted or has a control that failed",
    };
    format!("No verdict at any value of {}: {why}", sweep.key)
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

/// Why variants of a sweep over round trips have no line.
pub(super) fn without_line(sweep: &Sweep) -> Vec<String> {
    if !sweep.is_over_round_trips() {
        return Vec::new();
    }
    if let Some(metric) = sweep.metric().filter(|metric| !metric.grows_with_round_trips()) {
        let metric = words::metric_label(metric);
        return vec![format!(
            "No lines over the round-trip time: {metric} is no time of a claim, which each round trip makes longer by as much. Put \
             service_p50 first in compare.metrics."
        )];
    }
    let reason = |name: &str| {
        let with = |of: &dyn Fn(&SweepPoint) -> bool| sweep.points.iter().filter(|point| of(point)).count();
        let has = |point: &SweepPoint| {
            let arm = point.arms.iter().find(|arm| arm.name == name);
            arm.and_then(|arm| arm.against.as_ref()?.ratio).is_some()
        };
        let usable = with(&|point| point.is_judged() && has(point));
        if usable >= MIN_LINE_POINTS {
            return format!("No line for {name}: its {usable} values make none.");
        }
        let unfit = [
            (with(&|point| !point.valid), "the run is invalid or was interrupted"),
            (with(&|point| point.valid && point.control_failed.is_some()), "the control failed"),
            (with(&|point| point.is_judged() && !has(point)), "there is no interval"),
        ];
        let unfit: Vec<String> =
            unfit.iter().filter(|(n, _)| *n > 0).map(|(n, why)| format!("at {n} {why}")).collect();
        let colon = if unfit.is_empty() { "" } else { ": " };
        format!(
            "No line for {name}: it takes {MIN_LINE_POINTS} values whose verdicts count, and of {} there are {usable}{colon}{}.",
            sweep.points.len(),
            unfit.join(", ")
        )
    };
    candidates(sweep).into_iter().filter(|name| sweep.line(name).is_none()).map(reason).collect()
}

fn one_candidate(sweep: &Sweep, name: &str) -> String {
    let judged = || {
        let usable = sweep.points.iter().filter(|point| point.is_judged());
        usable.filter_map(|p| p.arms.iter().find(|arm| arm.name == name)?.against.as_ref())
    };
    let baseline = judged().next().map_or("its baseline", |against: &SweepComparison| &against.baseline);
    let of = |verdict: Verdict| judged().filter(|against| against.verdict == verdict).count();
    let (all, wanted) = (judged().count(), sweep.points.len());
    let every = if all == wanted {
        "at every value".to_owned()
    } else {
        format!("at each of the {all} values that are judged (of {wanted})")
    };
    match (of(Verdict::Improvement), of(Verdict::Regression), of(Verdict::NoChange)) {
        (n, 0, 0) if n == all && n > 0 => format!("{name} is better than {baseline} {every}"),
        (0, n, 0) if n == all && n > 0 => format!("{name} is worse than {baseline} {every}"),
        (better, worse, same) => format!(
            "{name} against {baseline}: better at {better}, worse at {worse}, no different at {same} of {all} values"
        ),
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
