//! A run whose rate climbs: its steps as a table.

use super::document::Block;
use super::format::{confidence, count, figure, share, within};
use super::words;
use crate::judge::{RampStep, ramp_steps};
use crate::record::RunRecord;
use crate::stats::CONFIDENCE;

/// The table by offered rate, and what is missing in it; nothing for a run without a ramp.
pub(super) fn blocks(record: &RunRecord) -> Vec<Block> {
    match ramp_steps(record) {
        None => Vec::new(),
        Some(Err(reason)) => vec![Block::Line(format!("No table by offered rate: {reason}."))],
        Some(Ok(steps)) => table(&steps),
    }
}

fn table(steps: &[RampStep]) -> Vec<Block> {
    let rows = steps
        .iter()
        .map(|step| {
            vec![
                time(step),
                figure(step.offered_per_s),
                figure(step.claimed_per_s),
                count(step.errors),
                step.response_p50.as_ref().map_or_else(|| "-".into(), |p50| figure(p50.us)),
                step.response_p99
                    .as_ref()
                    .map_or_else(|| "-".into(), |p99| within(p99.us, p99.interval.as_ref())),
                count(step.stock),
                step.busiest_cpu.map_or_else(|| "-".into(), share),
            ]
        })
        .collect();
    let header =
        vec!["time (s)", "offered/s", "claims/s", "errors", "p50", "p99", "stock", "busiest primary"];
    let intervals = steps.iter().filter_map(|step| step.response_p99.as_ref()?.interval.as_ref());
    let heading = format!(
        "By offered rate: response time (µs, {} interval of p99), CPU of the busiest primary",
        confidence(intervals, CONFIDENCE)
    );
    let mut blocks = vec![Block::figures(&heading, header, rows)];
    blocks.extend(missing(steps).map(Block::Line));
    blocks
}

/// Why some quantile or interval is not in the table.
fn missing(steps: &[RampStep]) -> Option<String> {
    if steps.iter().any(|step| step.claimed_per_s > 0.0 && step.response_p99.is_none()) {
        let text =
            "A dash: this result does not hold the response times of each second; a new run keeps them.";
        return Some(text.to_owned());
    }
    let times: Vec<String> = steps.iter().map(|step| format!("{} s", time(step))).collect();
    let without = steps.iter().zip(&times).filter_map(|(step, time)| {
        Some((time.as_str(), "p99", step.response_p99.as_ref()?.too_few.as_ref()?))
    });
    words::no_interval(without, steps.len())
}

fn time(step: &RampStep) -> String {
    format!("{}-{}", seconds(step.from_s), seconds(step.to_s))
}

/// Whole seconds as they are, others to a tenth.
fn seconds(at: f64) -> String {
    if (at - at.round()).abs() < 0.05 { format!("{at:.0}") } else { format!("{at:.1}") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::judge::fixtures::{GRANT_LANE, TWIN, record};
    use crate::record::Offered;
    use crate::scenario::{ArrivalsForm, HumanDuration, Ramp, RampForm};

    #[test]
    fn a_ramp_over_several_variants_has_no_table_and_says_why() {
        let mut shared = record(&[GRANT_LANE, TWIN], 1);
        (shared.strata, shared.blocks) = (Vec::new(), Vec::new());
        let form = RampForm { from: 100.0, over: HumanDuration::from_secs(18) };
        let load = &mut shared.scenario.load;
        (load.rate, load.arrivals) = (Some(300.0), Some(ArrivalsForm::Ramp(form)));
        let ramp = Ramp::new(100.0, 300.0, Duration::from_secs(18));
        let claims = ramp.count_until(20.0).round();
        shared.offered = Some(Offered { claims: claims as u64, schedule_s: ramp.time_of(claims - 1.0) });
        let said = blocks(&shared);
        let [Block::Line(line)] = said.as_slice() else { panic!("{said:?}") };
        assert!(line.starts_with("No table by offered rate: several variants"), "{line}");
        assert!(line.ends_with("give it one variant and no [compare]."), "{line}");
    }
}
