//! The answer to what was asked, before any table.

use super::super::document::Block;
use super::super::format::{difference, difference_within, figure, time_us, times_us};
use super::super::{faults, findings, saving, storm, words};
use super::claim_end::claim_end_of;
use crate::judge::{self, Comparison, LatencySummary, LevelState, RunResult, VariantSummary, Verdict};
use crate::scenario::{Mode, Unit};

/// The answer to what was asked, in one sentence.
pub(super) fn answer(result: &RunResult) -> String {
    if let Some(reason) = result.control.as_ref().and_then(findings::failed_control) {
        return format!("No verdict, because the control failed: {reason}.");
    }
    let headline: Vec<&Comparison> = result.by_first_metric().into_iter().map(|(_, one)| one).collect();
    if let Some(state) = words::not_usable(result.state()).filter(|_| !headline.is_empty()) {
        return format!("No verdict: the run is {state}.");
    }
    match headline.as_slice() {
        [] => uncompared(result),
        [one] => pair(one),
        several => {
            let each = several.iter().map(|comparison| {
                let by = comparison.ratio.map(|ratio| format!(" ({})", difference(ratio.estimate)));
                format!("{} {}{}", comparison.candidate, words::verdict(comparison), by.unwrap_or_default())
            });
            format!(
                "Against {}, {}: {}.",
                several[0].baseline,
                several[0].metric.row().title,
                each.collect::<Vec<_>>().join(", ")
            )
        }
    }
}

/// Whether each variant kept the scenario's service level, and at which load.
pub(in crate::report) fn service_level(result: &RunResult) -> Option<Block> {
    let bound = result.record.scenario.slo.as_ref()?.response_p99?.0;
    let levels: Vec<_> = judge::service_levels(result, bound).collect();
    let of_clock = findings::of_clock(levels.first()?.clock);
    let each = levels.iter().map(|level| {
        let name = &level.variant.name;
        let without_time = findings::without_time(level.untimed);
        let reached = findings::level_figure(level.p99_us, level.late) + &without_time;
        match &level.state {
            LevelState::Kept => format!("kept by {name} ({reached})"),
            LevelState::Missed => format!("MISSED by {name} ({reached})"),
            LevelState::Untold { interval } => {
                let why = findings::level_untold(interval, level.claims);
                format!("cannot be told of {name} ({why}{without_time})")
            }
        }
    });
    let offered = result
        .record
        .offered
        .filter(|offered| offered.schedule_s > 0.0)
        .map(|offered| format!(", with {} claims per second offered", figure(offered.rate_per_s())));
    Some(Block::Line(format!(
        "Service level, {} at p99 {of_clock}{}: {}.",
        time_us(bound.as_secs_f64() * 1e6),
        offered.unwrap_or_default(),
        each.collect::<Vec<_>>().join(", ")
    )))
}

/// Variants without another to compare them with.
pub(in crate::report) fn uncompared(result: &RunResult) -> String {
    let storm = result.record.scenario.load.mode == Mode::Storm;
    let without_rate = if result.record.has_workers() { "" } else { ", in turns with the others" };
    let each = result.variants.iter().enumerate().map(|(n, variant)| {
        if storm {
            storm::answer(result, variant)
        } else {
            let task_context = result.record.scenario.load.task_context;
            alone(variant, result.own_rate_per_s(n), without_rate, task_context)
        }
    });
    faults::answer(result).into_iter().chain(each).collect::<Vec<_>>().join(" ")
}

/// One of them, and what its name stands with where it has no rate: variants that took turns claim by claim
/// share one time, and as many claims in it are no rate of either's.
fn alone(
    variant: &VariantSummary,
    own_rate_per_s: Option<f64>,
    without_rate: &str,
    task_context: bool,
) -> String {
    let Some(service) = &variant.service_us else {
        return format!("{}: no claim succeeded.", variant.name);
    };
    let of = |times: &Option<LatencySummary>| times.as_ref().map_or([0.0; 2], |times| [times.p50, times.p99]);
    let ([_, due], [resumed, last]) = (of(&variant.response_us), of(&variant.resume_us));
    let [p50, p99, due, resumed, last] = times_us([service.p50, service.p99, due, resumed, last]);
    let response = variant.response_us.as_ref().map(|_| format!("; {due} at p99 from when it was due"));
    let [end, end_of_resume] =
        ["to holding the lease", "to lease"].map(|lease| claim_end_of(variant.path, task_context, lease));
    let resume = variant
        .resume_us
        .as_ref()
        .map(|_| format!("; from signal {end_of_resume} {resumed} at the median, {last} at p99"));
    format!(
        "{}, {} at the median and {} at p99 from sending a claim {end}{}{}.",
        own_rate_per_s.map_or_else(
            || variant.name.clone() + without_rate,
            |rate| format!("{}: {} claims per second", variant.name, figure(rate))
        ),
        p50,
        p99,
        response.unwrap_or_default(),
        resume.unwrap_or_default()
    )
}

fn pair(comparison: &Comparison) -> String {
    let Comparison { baseline, candidate, .. } = comparison;
    let title = comparison.metric.row().title;
    let values = [comparison.candidate_value, comparison.baseline_value];
    let row = comparison.metric.row();
    let values = if row.unit == Unit::Microseconds && values.iter().any(|us| *us >= 1e4) {
        times_us(values).join(" against ")
    } else {
        format!("{} {}", values.map(figure).join(" against "), words::unit(row.unit))
    };
    let within = comparison.ratio.as_ref().map(difference_within).unwrap_or_default();
    match comparison.verdict {
        Verdict::NoChange => format!("{candidate} and {baseline} do not differ: {title} {within}."),
        Verdict::Inconclusive => match &comparison.too_few {
            Some(reason) => format!("{candidate} against {baseline}: {title} cannot be judged, {reason}."),
            None => format!("This run cannot tell {candidate} from {baseline}: {title} {within}."),
        },
        Verdict::Regression | Verdict::Improvement => {
            let than = words::than(comparison.verdict, comparison.metric);
            format!("{candidate} {than} {baseline}: {title} {within}, {values}.")
        }
    }
}

/// What the faster variant saves, in time and in round trips.
pub(in crate::report) fn savings(result: &RunResult) -> Vec<Block> {
    saving::of_run(result).map(Block::Line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::analyse;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, record};

    /// As many claims of each in one time say nothing of either's rate.
    #[test]
    fn variants_that_took_turns_have_no_rate_of_their_own() {
        let of = |arms: &[crate::judge::fixtures::SimulatedArm]| {
            let mut record = record(arms, 1);
            (record.strata, record.blocks) = (Vec::new(), Vec::new());
            analyse(record).unwrap()
        };
        let (alone, several) = (of(&[GRANT_LANE]), of(&[GRANT_LANE, HGET_LANE]));
        assert!(uncompared(&alone).contains("claims per second"), "{}", uncompared(&alone));
        let said = uncompared(&several);
        assert!(
            said.contains("hget-lane, in turns with the others, ") && !said.contains("per second"),
            "{said}"
        );
    }
}
