//! How long after each fault a run was as it had been before the first one.
//!
//! The window is looked at in groups of slices, long enough for a 99th percentile to mean something. What the
//! groups before the first fault show is the noise; back is where response time and rate stay within it.
//! Response times stand where their claims were due, so that a claim which waited through an outage counts
//! for the outage.

use crate::record::{InjectedFault, InjectedRecord, Outcomes, RunRecord, TimeSlice};
use crate::scenario::P99;
use crate::stats::Latencies;

use super::recovery_result::{Before, HIDDEN_FROM, Recovery, on_end};

/// Claims that a group must have for its 99th percentile to be more than one claim's luck.
const CLAIMS_PER_GROUP: u64 = 20;

/// Groups before the first fault that say what noise is.
const FEWEST_BEFORE: usize = 10;

/// Groups on end beyond the noise that count as a disturbance while a fault goes on.
const AGAIN: usize = 2;

/// Standard deviations that noise reaches.
const REACH: f64 = 3.0;

/// Every fault that struck, in the order of time; nothing for a run without one.
pub(super) fn recoveries(record: &RunRecord) -> Vec<Recovery> {
    let Some(injected) = &record.injected else { return Vec::new() };
    let schedule_s = record.offered.map_or(f64::INFINITY, |offered| offered.schedule_s);
    let Some(first_s) = injected.faults.iter().find_map(|fault| fault.struck_s) else { return Vec::new() };
    let window = Window::new(injected, (schedule_s, record.loaded_s()), first_s);
    // A storm ebbs away from its first moment on: nothing of it is as before.
    let before = if record.storm.is_some() { None } else { window.before(first_s) };
    let struck: Vec<(u32, &InjectedFault, f64)> = injected
        .faults
        .iter()
        .enumerate()
        .filter_map(|(n, fault)| Some((n as u32, fault, fault.struck_s?)))
        .collect();
    let next_s = |place: usize| struck.get(place + 1).map_or(f64::INFINITY, |(_, _, next_s)| *next_s);
    let all = struck.iter().enumerate();
    let seen = all.map(|(place, (n, fault, at_s))| {
        let seen = window.recovery((*n, fault), (*at_s, next_s(place)), before);
        told(seen, fault, record.loaded_s())
    });
    let mut seen: Vec<Recovery> = seen.collect();
    for (place, pair) in struck.windows(2).enumerate() {
        let gap_s = pair[1].2 - pair[0].2;
        let earlier = &seen[place];
        let cut_short = earlier.recovered_s.is_none() && before.is_some();
        // A fault that no claim noticed passes on only what it inherited; one hidden by noise ends with its
        // first success.
        let left = match (earlier.nothing_failed, earlier.hidden_by_noise) {
            (true, _) => earlier.with_earlier,
            (_, true) => earlier.first_success_s.is_none_or(|first_s| first_s >= gap_s),
            _ => true,
        };
        seen[place].next_struck_s = cut_short.then_some(gap_s);
        seen[place + 1].with_earlier = cut_short && left;
    }
    seen
}

/// What may be said of what was seen.
fn told(mut seen: Recovery, fault: &InjectedFault, loaded_s: f64) -> Recovery {
    seen.outlasted_load_s = fault.ended_s.map(|ended_s| ended_s - loaded_s).filter(|by_s| *by_s > 0.0);
    seen.nothing_failed = seen.late == Some(0) && seen.outlasted_load_s.is_none() && went_unnoticed(fault);
    if seen.nothing_failed {
        seen.first_success_s = None;
    }
    seen
}

/// Whether no try of a claim came to nothing from a fault on.
fn went_unnoticed(fault: &InjectedFault) -> bool {
    let Outcomes { claimed, dropped, empty_stock, .. } = fault.outcomes;
    let others = fault.outcomes.planned() - claimed - dropped - empty_stock;
    fault.first_failure_s.is_none() && fault.retries.is_empty() && others == 0
}

/// The window in groups of slices.
struct Window<'a> {
    slices: &'a [TimeSlice],
    slice_s: f64,
    /// Slices in a group.
    each: usize,
    /// When the load ended.
    loaded_s: f64,
}

/// Neighbouring slices as one.
struct Group {
    begin_s: f64,
    length_s: f64,
    claimed: u64,
    /// Claims without a time.
    untimed: u64,
    response: Option<Latencies>,
}

impl<'a> Window<'a> {
    /// Without the slice in which the schedule ends, which is not a whole one.
    fn new(injected: &'a InjectedRecord, (schedule_s, loaded_s): (f64, f64), first_s: f64) -> Self {
        let each_s = injected.slice_s;
        let whole = (schedule_s / each_s).floor() as usize;
        let slices = &injected.slices[..injected.slices.len().min(whole)];
        let calm = slices.len().min((first_s / each_s) as usize);
        let due: u64 = slices[..calm].iter().map(|slice| slice.due).sum();
        let each = (CLAIMS_PER_GROUP * calm as u64).div_ceil(due.max(1)).max(1);
        Self { slices, slice_s: each_s, each: each as usize, loaded_s }
    }

    /// Groups from the slice that holds a moment until the one that holds another; only whole ones.
    fn groups(&self, from_s: f64, to_s: f64) -> Vec<Group> {
        let begin = ((from_s / self.slice_s) as usize).min(self.slices.len());
        let end = ((to_s / self.slice_s) as usize).clamp(begin, self.slices.len());
        let chunks = self.slices[begin..end].chunks_exact(self.each).enumerate();
        chunks.map(|(n, slices)| self.group(begin + n * self.each, slices)).collect()
    }

    fn group(&self, begin: usize, slices: &[TimeSlice]) -> Group {
        let mut response: Option<Latencies> = None;
        for latencies in slices.iter().filter_map(|slice| Latencies::readable(&slice.response)) {
            match &mut response {
                None => response = Some(latencies),
                // Histograms of one run have one form.
                Some(all) => drop(all.merge(&latencies)),
            }
        }
        Group {
            begin_s: begin as f64 * self.slice_s,
            length_s: slices.len() as f64 * self.slice_s,
            claimed: slices.iter().map(|slice| slice.claimed).sum(),
            untimed: slices.iter().map(|slice| slice.untimed).sum(),
            response,
        }
    }

    fn group_s(&self) -> f64 {
        self.each as f64 * self.slice_s
    }

    /// The noise. The first group holds the start, when everything is cold.
    fn before(&self, first_s: f64) -> Option<Before> {
        let mut groups = self.groups(0.0, first_s);
        groups.drain(..groups.len().min(1));
        // Claims stand where they were due: one that was under way when the fault struck waited through the
        // outage, and that is the fault's and no noise.
        groups.retain(|group| !group.reaches(first_s));
        let logs: Vec<f64> = groups.iter().filter_map(|group| Some(group.p99_us()?.ln())).collect();
        if logs.len() < FEWEST_BEFORE || logs.len() < groups.len() {
            return None;
        }
        let rates: Vec<f64> = groups.iter().map(|group| group.claimed as f64 / self.group_s()).collect();
        let (p99, rate) = (Spread::from_values(&logs), Spread::from_values(&rates));
        Some(Before {
            groups: groups.len() as u32,
            group_s: self.group_s(),
            p99_us: p99.mean.exp(),
            // A hair above, for logarithms and back.
            p99_limit_us: (p99.mean + REACH * p99.deviation).max(p99.high).exp() * (1.0 + 1e-9),
            claims_per_s: rate.mean,
            least_claims_per_s: (rate.mean - REACH * rate.deviation).min(rate.low),
        })
    }

    fn recovery(
        &self,
        (number, fault): (u32, &InjectedFault),
        (at_s, next_s): (f64, f64),
        before: Option<Before>,
    ) -> Recovery {
        let after = |moment: Option<f64>| moment.map(|moment| (moment - at_s).max(0.0));
        let groups = self.groups(at_s, next_s);
        let over_s = fault.ended_s.unwrap_or(at_s);
        let outlasts = over_s > self.loaded_s;
        let back = |good: &dyn Fn(&Group) -> bool| {
            let on_end = on_end(self.group_s());
            // What is disturbed only later, or again, while the fault goes on is not back before.
            let disturbed = |groups: &[Group]| groups[0].begin_s < over_s && !groups.iter().any(good);
            let last = groups.windows(AGAIN).rposition(disturbed).map_or(0, |begin| begin + AGAIN);
            let begin =
                groups[last..].windows(on_end).find(|groups| groups.iter().all(good))?.first()?.begin_s;
            Some((begin - at_s).max(0.0))
        };
        let p99_back_s = before.and_then(|before| {
            back(&|group| group.p99_of_all_us().is_some_and(|p99_us| p99_us <= before.p99_limit_us))
        });
        let rate_back_s = before.and_then(|before| {
            back(&|group| group.claimed as f64 / self.group_s() >= before.least_claims_per_s)
        });
        let first_success_s = after(fault.first_success_s);
        // Claims that are due while nothing succeeds wait for all of that: a p99 that is back before does not
        // show them.
        let hidden_by_noise = p99_back_s
            .zip(first_success_s)
            .is_some_and(|(back_s, first_s)| back_s + HIDDEN_FROM * self.group_s() < first_s);
        let seemed_back = outlasts && p99_back_s.is_some() && rate_back_s.is_some();
        let [p99_back_s, rate_back_s] =
            [p99_back_s, rate_back_s].map(|back_s| back_s.filter(|_| !hidden_by_noise && !outlasts));
        let recovered_s = p99_back_s.zip(rate_back_s).map(|(p99, rate)| p99.max(rate));
        let until_s = at_s + recovered_s.unwrap_or(f64::INFINITY);
        let disturbed: Vec<&Group> = groups.iter().filter(|group| group.begin_s < until_s).collect();
        let late = before.map(|before| later_than(&disturbed, before.p99_limit_us));
        Recovery {
            fault: number,
            marked_failed_s: after(fault.marked_failed_s),
            took_over_s: after(fault.took_over_s),
            first_success_s,
            p99_back_s,
            rate_back_s,
            recovered_s,
            late: late.filter(|_| !hidden_by_noise),
            slowest_us: slowest_us(&disturbed),
            before,
            hidden_by_noise,
            nothing_failed: false,
            outlasted_load_s: None,
            seemed_back,
            next_struck_s: None,
            with_earlier: false,
        }
    }
}

/// Claims of these groups that took longer, those without a time among them.
fn later_than(groups: &[&Group], limit_us: f64) -> u64 {
    let of = |group: &&Group| group.response.as_ref().map_or(0, |all| all.above(limit_us)) + group.untimed;
    groups.iter().map(of).sum()
}

/// What the slowest claim of these groups took; `None` where none was successful.
fn slowest_us(groups: &[&Group]) -> Option<f64> {
    groups.iter().filter_map(|group| Some(group.response.as_ref()?.max_us())).max_by(f64::total_cmp)
}

impl Group {
    /// Whether a claim that was due in it may have ended only after that moment.
    fn reaches(&self, moment_s: f64) -> bool {
        let slowest_s = self.response.as_ref().map_or(0.0, |all| all.max_us() / 1e6);
        self.begin_s + self.length_s + slowest_s > moment_s && slowest_s > self.length_s
    }

    fn p99_us(&self) -> Option<f64> {
        Some(self.response.as_ref()?.quantile_us(P99)).filter(|us| *us > 0.0)
    }

    /// p99 with claims without a time counted as slowest; `None` if p99 is one of these.
    fn p99_of_all_us(&self) -> Option<f64> {
        self.response.as_ref()?.quantile_with_later_us(P99, self.untimed).filter(|us| *us > 0.0)
    }
}

/// Values around their mean.
struct Spread {
    mean: f64,
    deviation: f64,
    low: f64,
    high: f64,
}

impl Spread {
    /// Of at least two values.
    fn from_values(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Self {
            mean,
            deviation: (squares / (n - 1.0)).sqrt(),
            low: values.iter().copied().fold(f64::INFINITY, f64::min),
            high: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

#[cfg(test)]
#[path = "recovery_tests.rs"]
mod tests;
