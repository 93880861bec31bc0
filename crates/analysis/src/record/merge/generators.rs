//! What stays of each part: its machine, its work, how punctual it was.

use super::claims::{added, sum_of};
use super::error::MergeError;
use super::fitting::note;
use crate::record::{Conditions, GeneratorRecord, RunRecord};

/// One entry for each part, in their order.
pub(super) fn generators(parts: &[RunRecord]) -> Result<Vec<GeneratorRecord>, MergeError> {
    let window_us = 1e6 * window_s(parts);
    let one = |(n, part): (usize, &RunRecord)| {
        let number = n as u32 + 1;
        let lacks = |what| MergeError::Lacks { part: number, what };
        let lags = part.arms.iter().map(|arm| (n, &arm.send_lag));
        let Lateness { late_us, late_in, all_us } = lateness(parts, part);
        Ok(GeneratorRecord {
            part: number,
            host: part.environment.host.clone(),
            claims: part.window.as_ref().ok_or_else(|| lacks("totals of its window"))?.outcomes.claimed,
            used: part.generator.ok_or_else(|| lacks("figures of its own CPU"))?,
            send_lag: sum_of(lags, "send_lag of all variants")?,
            late_us,
            late_in,
            late_share: (window_us > 0.0).then(|| all_us as f64 / window_us),
            longest_gap_s: part.longest_gap_s,
            stalled_s: part.stalled_s,
            service_p50_us: service_p50_us(n, part)?,
            conditions: conditions(parts, n),
        })
    };
    parts.iter().enumerate().map(one).collect()
}

/// Median service time of the variant whose claims take longest, which explain a span that is no longer. Each
/// part has its own: machine, connections and number in flight are its own.
fn service_p50_us(number: usize, part: &RunRecord) -> Result<Option<f64>, MergeError> {
    let mut largest: Option<f64> = None;
    for arm in &part.arms {
        let own = added([(number, &arm.service)], &format!("service of {}", arm.name))?;
        largest = [largest, own.quantile_us(0.5)].into_iter().flatten().reduce(f64::max);
    }
    Ok(largest)
}

/// The conditions of a further part, where they differ from the first part's, or where it was bound to a core
/// of another part: the first part's conditions would not show that two shared a core.
fn conditions(parts: &[RunRecord], number: usize) -> Option<Conditions> {
    let own = &parts[number].environment;
    let ours = own.conditions.as_ref()?;
    let crowded = |(n, other): (usize, &RunRecord)| {
        let other = &other.environment;
        let theirs = other.conditions.as_ref().map_or(&[][..], |theirs| &theirs.generator_on);
        n != number
            && own.host.is_machine_of(&other.host)
            && ours.generator_on.iter().any(|core| theirs.contains(core))
    };
    let otherwise = parts[0].environment.conditions.as_ref() != Some(ours);
    let shown = number > 0 && (otherwise || parts.iter().enumerate().any(crowded));
    shown.then(|| ours.clone())
}

/// How much later than the first part another one began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lateness {
    /// At most.
    late_us: u64,
    /// In which window or block that was, from 1.
    late_in: u32,
    /// Over all of them.
    all_us: u64,
}

/// Where a run was stopped, over the windows that a part had begun.
fn lateness(parts: &[RunRecord], part: &RunRecord) -> Lateness {
    let first = |window: usize| parts.iter().filter_map(|part| note(part).began_us.get(window)).min();
    let mut lateness = Lateness::default();
    for (window, began_us) in note(part).began_us.iter().enumerate() {
        let late_us = began_us - first(window).unwrap_or(began_us);
        lateness.all_us += late_us;
        if window == 0 || late_us > lateness.late_us {
            (lateness.late_us, lateness.late_in) = (late_us, window as u32 + 1);
        }
    }
    lateness
}

/// Time of all windows and blocks, by the part whose was the longest.
fn window_s(parts: &[RunRecord]) -> f64 {
    parts.iter().filter_map(|part| part.generator).map(|used| used.window_s).fold(0.0, f64::max)
}
