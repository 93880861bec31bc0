//! Made-up runs that have bare round trips among their claims.

use std::time::Duration;

use super::analyse::analyse_as;
use super::fixtures::{SimulatedArm, record, scenario};
use super::result::RunResult;
use crate::record::{RunRecord, Samples};
use crate::scenario::Metric;

/// A run of these arms with bare round trips of 50 us at the median, compared by the median service time in
/// microseconds and in round trips; on a machine on which everything takes `times` as long.
///
/// # Panics
/// Without two arms.
pub fn in_round_trips(arms: &[SimulatedArm], seed: u64, times: u32) -> RunResult {
    in_round_trips_but(arms, seed, |record| {
        for stratum in &mut record.strata {
            let sides = stratum.sides.iter_mut().map(|side| &mut side.service);
            let ticks = sides.chain(&mut stratum.ruler).flat_map(|samples| &mut samples.0);
            ticks.for_each(|ticks| *ticks *= times);
        }
    })
}

/// The same of a record that something was done to before it was judged.
///
/// # Panics
/// Without two arms.
pub fn in_round_trips_but(
    arms: &[SimulatedArm],
    seed: u64,
    change: impl FnOnce(&mut RunRecord),
) -> RunResult {
    let (mut record, mut scenario) = (record(arms, seed), scenario(arms));
    for stratum in record.strata.iter_mut().filter(|stratum| !stratum.control) {
        let mut ruler = Samples::default();
        (48..=52).for_each(|us| ruler.push(Duration::from_micros(us)));
        stratum.ruler = Some(ruler);
    }
    change(&mut record);
    let compare = scenario.compare.as_mut().unwrap();
    compare.metrics = vec![Metric::ServiceP50, Metric::ServiceP50RoundTrips];
    analyse_as(record, &scenario)
}
