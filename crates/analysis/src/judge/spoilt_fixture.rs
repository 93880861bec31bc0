//! Made-up records that something is wrong with, before they are judged: what is wrong is found by `analyse`,
//! as that of a real run is.

use crate::record::{Aborted, Histogram, RunRecord, Samples};

/// In the control, the baseline's second side takes a fifth longer than its first: it differs from itself.
pub fn control_fails(record: &mut RunRecord) {
    for stratum in record.strata.iter_mut().filter(|stratum| stratum.control) {
        let slower = stratum.sides[1].service.0.iter().map(|ticks| ticks + ticks / 5).collect();
        stratum.sides[1].service = Samples(slower);
    }
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
