//! Made-up records that something is wrong with, or that are held to something, before they are judged: what is
//! wrong is found by `analyse`, as that of a real run is.

use std::time::Duration;

use crate::record::{Aborted, Histogram, RunRecord, Samples};
use crate::scenario::{HumanDuration, SloSection};

/// In the control, the baseline's second side takes a fifth longer than its first: it differs from itself.
pub fn control_fails(record: &mut RunRecord) {
    for stratum in record.strata.iter_mut().filter(|stratum| stratum.control) {
        stratum.sides[1].service = a_fifth_longer(&stratum.sides[1].service);
    }
}

/// In the control, either side takes a fifth longer than the other in turns: in all they are alike, and nobody
/// knows that well enough.
pub fn control_is_uncertain(record: &mut RunRecord) {
    let mut control = record.strata.iter_mut().filter(|stratum| stratum.control);
    while let (Some(one), Some(other)) = (control.next(), control.next()) {
        let usual = one.sides[0].service.clone();
        let longer = a_fifth_longer(&usual);
        one.sides[1].service = longer.clone();
        other.sides[0].service = longer;
        other.sides[1].service = usual;
    }
}

fn a_fifth_longer(times: &Samples) -> Samples {
    Samples(times.0.iter().map(|ticks| ticks + ticks / 5).collect())
}

/// No control was taken.
pub fn without_control(record: &mut RunRecord) {
    record.strata.retain(|stratum| !stratum.control);
}

/// The first arm's times cannot be read: the run is invalid.
pub fn damaged(record: &mut RunRecord) {
    record.arms[0].service = Histogram(Some("AAAA".into()));
}

/// Somebody stopped the run.
pub fn interrupted(record: &mut RunRecord) {
    record.partial = true;
}

/// The run was ended after seven seconds, for three of them had missed 5 ms.
pub fn aborted(record: &mut RunRecord) {
    interrupted(record);
    record.aborted = Some(Aborted { limit_us: 5_000.0, seconds: 3, after_s: 7.0 });
}

/// Its claims must be answered within this time at p99.
pub fn held_to(record: &mut RunRecord, p99: Duration) {
    record.scenario.slo =
        Some(SloSection { response_p99: Some(HumanDuration(p99)), ..SloSection::default() });
}

/// All must be as before within this time after a fault.
pub fn must_recover_within(record: &mut RunRecord, bound: Duration) {
    record.scenario.slo = Some(SloSection { recovery: Some(HumanDuration(bound)), ..SloSection::default() });
}
