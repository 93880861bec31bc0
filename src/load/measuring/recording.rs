//! The recorder of a scenario, and what recording a claim costs the thread that makes it: reading the clock for
//! each of its round trips, and keeping the times.

use std::time::{Duration, Instant};

use reclaim_analysis::record::{Outcome, Purpose, Recorder, Stamps, StepTimes, WireCost};
use reclaim_analysis::scenario::{Scenario, VariantSpec, all_steps};

/// Claims in one go, and how often: the median is not moved by a go that was interrupted.
const CLAIMS: u32 = 500;
const GOES: usize = 9;

/// A recorder for the scenario's arms, and strata with these numbers of sides.
pub(in crate::load) fn recorder(scenario: &Scenario, sides: impl IntoIterator<Item = usize>) -> Recorder {
    Recorder::new(scenario.variants.len(), sides).keeping_responses(scenario.load.model.is_ramp())
}

/// Time per claim of this scenario's variant with the most round trips, in nanoseconds: each of them timed
/// and the claim recorded as in a stratum, with nothing sent. For between windows: it keeps the thread busy
/// for a few milliseconds.
pub(super) fn recording_ns_per_claim(scenario: &Scenario) -> f64 {
    let context = scenario.load.task_context;
    let count = |variant: &VariantSpec| all_steps(variant.path, variant.extras(context)).count();
    let steps = scenario.variants.iter().map(count).max().unwrap_or(1);
    let mut goes: Vec<Duration> = (0..GOES).map(|_| one_go(scenario, steps)).collect();
    goes.sort_unstable();
    goes[GOES / 2].as_nanos() as f64 / f64::from(CLAIMS)
}

fn one_go(scenario: &Scenario, steps: usize) -> Duration {
    let mut recorder = recorder(scenario, [2]);
    let purpose = Purpose::Stratum { stratum: 0, side: 0 };
    let begun = Instant::now();
    for claim in 0..CLAIMS {
        let sent = begun.elapsed();
        let mut times = StepTimes::default();
        for _ in 0..steps {
            let step = Instant::now();
            times.push(step.elapsed());
        }
        // Places in histograms as far apart as real claims have them.
        let done = begun.elapsed() + Duration::from_micros(100 + u64::from(claim % 200));
        let stamps = Stamps { scheduled: None, sent, done, resume: None, steps: times };
        recorder.record(0, purpose, &stamps, &Outcome::Claimed, WireCost::default(), 0);
    }
    let taken = begun.elapsed();
    std::hint::black_box(&recorder);
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::fixtures::scenario;
    use reclaim_analysis::scenario::VariantPath;

    #[test]
    fn it_takes_some_time() {
        let ns = recording_ns_per_claim(&scenario(&[VariantPath::HgetLane]));
        assert!(ns.is_finite() && ns > 0.0, "{ns}");
    }
}
