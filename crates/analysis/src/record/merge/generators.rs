//! What stays of each part: its machine, its work, how punctual it was.

use super::claims::sum_of;
use super::error::MergeError;
use super::fitting::note;
use crate::record::{GeneratorRecord, RunRecord};

/// One entry for each part, in their order.
pub(super) fn generators(parts: &[RunRecord]) -> Result<Vec<GeneratorRecord>, MergeError> {
    let one = |(n, part): (usize, &RunRecord)| {
        let number = n as u32 + 1;
        let lacks = |what| MergeError::Lacks { part: number, what };
        let lags = part.arms.iter().map(|arm| (n, &arm.send_lag));
        let (late_us, late_in) = lateness(parts, part);
        Ok(GeneratorRecord {
            part: number,
            host: part.environment.host.clone(),
            claims: part.window.as_ref().ok_or_else(|| lacks("totals of its window"))?.outcomes.claimed,
            used: part.generator.ok_or_else(|| lacks("figures of its own CPU"))?,
            send_lag: sum_of(lags, "send_lag of all variants")?,
            late_us,
            late_in,
        })
    };
    parts.iter().enumerate().map(one).collect()
}

/// How much later than the first part this one began, at most, and in which window or block that was. Where a run was stopped,
/// over those that a part had begun.
fn lateness(parts: &[RunRecord], part: &RunRecord) -> (u64, u32) {
    let first = |window: usize| parts.iter().filter_map(|part| note(part).began_us.get(window)).min();
    let mut latest = (0, 0);
    for (window, began_us) in note(part).began_us.iter().enumerate() {
        let late_us = began_us - first(window).unwrap_or(began_us);
        if window == 0 || late_us > latest.0 {
            latest = (late_us, window as u32 + 1);
        }
    }
    latest
}
