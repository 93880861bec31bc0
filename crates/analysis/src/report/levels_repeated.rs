//! Service levels over the runs of a series: in how many of them each was kept.

use super::format::time_us;
use super::{faults, findings};
use crate::judge::{Clock, Repeated};

/// Whether each variant kept the scenario's service level, and whether all was as before in time after each
/// fault: in how many of the runs. Nothing where no run that counts was held to a level.
pub(super) fn levels(repeated: &Repeated) -> Vec<String> {
    let clocks = [Clock::Service, Clock::Response, Clock::Resume];
    let by_clock = clocks.into_iter().filter_map(|clock| service_level(repeated, clock));
    by_clock.chain(recovery_level(repeated)).collect()
}

fn service_level(repeated: &Repeated, clock: Clock) -> Option<String> {
    let held: Vec<_> = repeated
        .attempts
        .iter()
        .flat_map(|attempt| &attempt.service_levels)
        .filter(|level| level.metric == clock.p99())
        .collect();
    let bound = time_us(held.first()?.bound_us);
    let judged: Vec<_> = held.iter().map(|level| (level.variant.clone(), level.kept)).collect();
    let each = each_in_runs(repeated, &judged, "cannot be told");
    Some(format!("Service level, {bound} at p99 {}: {each}.", findings::of_clock(clock)))
}

fn recovery_level(repeated: &Repeated) -> Option<String> {
    let held: Vec<_> = repeated.attempts.iter().flat_map(|attempt| &attempt.recovery_levels).collect();
    let first = held.first()?;
    let several = held.iter().any(|level| level.fault != first.fault);
    let judged: Vec<_> = held
        .iter()
        .map(|level| {
            let kind = faults::noun(level.kind);
            let after = if several {
                format!("after fault {}, {kind}", level.fault + 1)
            } else {
                format!("after the {kind}")
            };
            (after, level.kept)
        })
        .collect();
    let each = each_in_runs(repeated, &judged, "not known");
    Some(format!("Recovery within {}: {each}.", faults::seconds(first.bound_s)))
}

/// Whose level was kept in how many of the runs, in the order in which they first come.
fn each_in_runs(repeated: &Repeated, judged: &[(String, Option<bool>)], untold: &str) -> String {
    let mut each: Vec<(&str, Vec<Option<bool>>)> = Vec::new();
    for (whose, kept) in judged {
        match each.iter_mut().find(|(known, _)| *known == whose.as_str()) {
            Some((_, so_far)) => so_far.push(*kept),
            None => each.push((whose.as_str(), vec![*kept])),
        }
    }
    let all = repeated.attempts.len();
    let said = each.iter().map(|(whose, kept)| format!("{whose} ({})", in_runs(all, kept, untold)));
    said.collect::<Vec<_>>().join(", ")
}

/// In how many of all runs a level was missed and kept. One that is left out is not judged, nor is a variant in
/// one where none of its claims succeeded.
fn in_runs(all: usize, kept: &[Option<bool>], untold: &str) -> String {
    let runs = |state: Option<bool>| kept.iter().filter(|one| **one == state).count();
    let states = [
        (runs(Some(false)), "MISSED"),
        (runs(None), untold),
        (runs(Some(true)), "kept"),
        (all.saturating_sub(kept.len()), "not judged"),
    ];
    let mut parts: Vec<String> = Vec::new();
    for (n, state) in states.into_iter().filter(|(n, _)| *n > 0) {
        let of_all = if parts.is_empty() { format!(" of {all} runs") } else { String::new() };
        parts.push(format!("{state} in {n}{of_all}"));
    }
    parts.join(", ")
}
