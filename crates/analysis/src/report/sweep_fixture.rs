//! Sweeps of made-up runs over a simulated network, judged as real ones are.

use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, SimulatedArm, record, scenario};
use crate::judge::network_fixture::longer_round_trips;
use crate::judge::{RunResult, Sweep, SweepComparison, analyse_as, sweep};
use crate::record::{RunRecord, Warning};

/// Two values, two variants, the second one slower; too few blocks for an interval of claims per second. One
/// value would take quotes in a table of commas.
pub(super) fn curve() -> Sweep {
    let few = |record: &mut RunRecord| record.blocks.truncate(4);
    over(&[GRANT_LANE, HGET_LANE], &[("0us", 0.0), ("a,b", 103.0)], &few)
}

/// The baseline and these candidates, at values enough for a line through each: up to 250 us.
pub(super) fn with_lines(candidates: &[SimulatedArm]) -> Sweep {
    let arms: Vec<SimulatedArm> = [GRANT_LANE].into_iter().chain(candidates.iter().copied()).collect();
    over(&arms, &[("0us", 0.0), ("100us", 100.0), ("250us", 250.0)], &|_| ())
}

fn over(arms: &[SimulatedArm], values: &[(&str, f64)], change: &dyn Fn(&mut RunRecord)) -> Sweep {
    let run = |added_us: f64| {
        let mut record = record(arms, 1);
        record.warnings = vec![Warning::SharedMachine { cores: 2 }];
        change(&mut record);
        if added_us > 0.0 {
            longer_round_trips(&mut record, added_us);
        }
        analyse_as(record, &scenario(arms))
    };
    let results: Vec<RunResult> = values.iter().map(|(_, added_us)| run(*added_us)).collect();
    let wanted: Vec<String> = values.iter().map(|(value, _)| (*value).to_owned()).collect();
    sweep("load.network.added_rtt", &wanted, wanted.iter().map(String::as_str).zip(&results))
}

/// What the second variant of a point is against the first one.
pub(super) fn against(sweep: &Sweep, point: usize) -> &SweepComparison {
    sweep.points[point].arms[1].against.as_ref().unwrap()
}
