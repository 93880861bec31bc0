//! What a calibration means for one run: whether it was made for it, what the run notes of it, and whether the
//! run came near to the generator's limits.

use crate::record::{
    CalibratedLag, CalibrationNote, CalibrationRecord, Conditions, Host, RunRecord, SendLagRecord, Tool,
    Warning, WireTotals,
};
use crate::scenario::{Arrivals, ArrivalsForm, Model, Scenario};

use super::calibration::{CALIBRATION_SCHEMA, Calibration, SendLagSummary, lag};

/// Share of the calibrated ceiling beyond which a run is marked.
const NEAR_CEILING: f64 = 0.8;

/// A calibrated rate says how late the pacer is at rates up to this many times higher or lower.
const NEAR_RATE: f64 = 4.0;

/// Share of its rate by which an open loop may fall short, before its lag tells how long it was measured and
/// not how late the pacer is.
const FELL_SHORT: f64 = 0.05;

/// The same for random arrivals, in standard deviations of the time in which they are due.
const BY_CHANCE: f64 = 4.0;

impl Calibration {
    /// Whether the calibration holds for a run by this kind of build (with optimisation or without) on this
    /// machine: threads and cores must be arranged alike, and the servers be in the same place.
    pub fn fits(&self, tool: &Tool, host: &Host, run: &RunRecord) -> bool {
        let measured = &self.record;
        let conditions = run.environment.conditions.as_ref();
        self.schema == CALIBRATION_SCHEMA
            && self.valid
            && measured.complete
            && (&measured.host.cpu, measured.host.cores) == (&host.cpu, host.cores)
            && measured.tool.debug_build == tool.debug_build
            && Conditions::same_for_generator(measured.conditions.as_ref(), conditions)
            && in_one_place(measured, run)
    }

    /// What it says about a run of this scenario on this many primaries, by as many generators, each of which
    /// makes its part of the load. `None` without a level to compare with.
    pub fn note(&self, scenario: &Scenario, primaries: u32, generators: u32) -> Option<CalibrationNote> {
        let generators = f64::from(generators.max(1));
        let load = &scenario.load;
        let connections = f64::from(load.connections) * f64::from(primaries.max(1));
        let nearest_connections = nearest(&self.level_summaries, connections, |l| f64::from(l.connections))?;
        let levels =
            || self.level_summaries.iter().filter(|l| l.connections == nearest_connections.connections);
        let level = match load.model {
            Model::Closed { concurrency } => {
                let wanted = f64::from(concurrency) * f64::from(load.contenders.max(1)) / generators;
                nearest(levels(), wanted, |l| f64::from(l.in_flight))?
            }
            Model::Open { .. } => levels().max_by(|a, b| a.per_sec.total_cmp(&b.per_sec))?,
        };
        Some(CalibrationNote {
            measured: self.record.started.clone(),
            in_flight: level.in_flight,
            ceiling_per_sec: level.per_sec,
            client_cpu_us_per_request: level.client_cpu_us,
            round_trip_overhead_us: self.round_trip_summary.map(|summary| summary.overhead_us.estimate),
            send_lag: self.lag_at(&load.model, generators),
            disturbed: self.disturbed.clone(),
        })
    }

    fn lag_at(&self, model: &Model, generators: f64) -> Option<CalibratedLag> {
        let Model::Open { rate_per_sec, arrivals } = model else { return None };
        // Only its file knows how fast a trace is.
        if matches!(arrivals, Arrivals::Trace { .. }) {
            return None;
        }
        // Bursts are due all at once, as the worst of Poisson arrivals are.
        let constant = matches!(arrivals, Arrivals::Constant);
        let same = |cell: &&SendLagRecord| (cell.arrivals == ArrivalsForm::Constant) == constant;
        let wanted = *rate_per_sec / generators;
        let cell = nearest(self.record.send_lag.iter().filter(same), wanted, |cell| cell.rate_per_sec)?;
        let is_near = (1.0 / NEAR_RATE..=NEAR_RATE).contains(&(cell.rate_per_sec / wanted));
        let summary = lag(cell);
        let told = summary.send_lag_us.filter(|_| is_near && kept_up(cell, &summary))?;
        Some(CalibratedLag { rate_per_sec: cell.rate_per_sec, p99_us: told.p99 })
    }
}

/// Whether the servers of a calibration are where those of a run are: what the generator reached holds for one
/// way to them. Of those elsewhere the calibrated primary must be one of the run's: others may be nearer, or
/// further away.
fn in_one_place(measured: &CalibrationRecord, run: &RunRecord) -> bool {
    let (calibrated, used) = (&measured.valkey, &run.environment.valkey);
    // Versions that did not say whether connections were encrypted fit either way.
    let same_tls = calibrated.tls.zip(used.tls).is_none_or(|(one, other)| one == other);
    let reached = || run.primaries.iter().any(|primary| primary.addr == measured.primary);
    calibrated.provider == used.provider
        && calibrated.same_machine == used.same_machine
        && same_tls
        && (calibrated.same_machine || reached())
}

/// Whether an open loop kept its rate, of random arrivals as far as chance explains.
fn kept_up(cell: &SendLagRecord, summary: &SendLagSummary) -> bool {
    let constant = cell.arrivals == ArrivalsForm::Constant;
    let by_chance = if constant { 0.0 } else { BY_CHANCE / (cell.requests.max(1) as f64).sqrt() };
    summary.achieved_per_sec >= (1.0 - FELL_SHORT.max(by_chance)) * cell.rate_per_sec
}

/// Marks a run that came near to what the generator reaches with a function that does nothing; of several,
/// the one that made most of the claims among those that the calibration holds for.
pub(super) fn generator_limit(record: &RunRecord) -> Option<Warning> {
    let note = record.calibration.as_ref()?;
    let window_s = record.generator.map(|used| used.window_s).filter(|window_s| *window_s > 0.0)?;
    let of_arms = |count: fn(&WireTotals) -> u64| record.arms.iter().map(|arm| count(&arm.wire)).sum::<u64>();
    let claims = of_arms(|wire| wire.claims);
    if claims == 0 {
        return None;
    }
    // The control's and the blocks' claims are in no arm; the timeline has all of them.
    let all: u64 = record.timeline.iter().map(|second| second.claimed).sum();
    let of_claims = all as f64 * of_arms(|wire| wire.commands) as f64 / claims as f64;
    // Interruptions beside the claims and claims that were refused are requests as well. Those of late claims
    // are no part of the window, and workers of an SDK send over connections of their own.
    let sent: u64 = record.primaries.iter().flat_map(|primary| primary.counters.sent.values()).sum();
    let sent = if record.scenario.grant.unconsumed > 0.0 { 0 } else { sent };
    let requests_per_sec = of_claims.max(sent as f64) / window_s;
    let of_all: u64 = record.generators.iter().map(|one| one.claims).sum();
    let calibrated = record.generators.iter().filter(|one| record.is_calibrated_for(one));
    let most = calibrated.max_by_key(|one| one.claims);
    if most.is_none() && !record.generators.is_empty() {
        return None;
    }
    let requests_per_sec =
        most.map_or(requests_per_sec, |one| requests_per_sec * one.claims as f64 / of_all.max(1) as f64);
    let ceiling = Warning::GeneratorCeiling { requests_per_sec, ceiling_per_sec: note.ceiling_per_sec };
    let warning = match most {
        Some(one) => Warning::OfGenerator { part: one.part, what: Box::new(ceiling) },
        None => ceiling,
    };
    (requests_per_sec > NEAR_CEILING * note.ceiling_per_sec).then_some(warning)
}

/// The entry whose value has the smallest ratio to what is wanted.
fn nearest<'a, T>(
    entries: impl IntoIterator<Item = &'a T>,
    wanted: f64,
    value: impl Fn(&T) -> f64,
) -> Option<&'a T> {
    let distance = |entry: &T| (value(entry) / wanted.max(f64::MIN_POSITIVE)).ln().abs();
    entries.into_iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))
}

#[cfg(test)]
#[path = "calibration_of_run_tests.rs"]
mod tests;
