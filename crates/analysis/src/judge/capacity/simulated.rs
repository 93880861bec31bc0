//! A cluster whose capacity is known: one queue with a constant service time, and what a run would record of
//! it.

use std::time::Duration;

use rand::RngExt as _;

use super::{CapacityPolicy, PrimaryLoad, Probe, ProbeLoad, ProbeVerdict, Resources};
use crate::judge::fixtures::{GRANT_LANE, Noise, record};
use crate::judge::{RunResult, analyse};
use crate::record::stream;
use crate::record::{GeneratorUse, LatencyHistogram, Offered, RunRecord, WireTotals};
use crate::scenario::{ArrivalsForm, HumanDuration, ModelForm, SloSection};

/// The service level of every simulation.
pub const SLO_US: f64 = 5_000.0;

/// Time that a claim takes beside the queue.
const NETWORK_S: f64 = 200e-6;

/// A cluster of one primary.
#[derive(Clone, Copy)]
pub struct Simulated {
    /// Main-thread CPU of one claim.
    pub service_s: f64,
    /// Spread of that from probe to probe.
    pub noise: f64,
    /// Claims per second that the generator can send.
    pub generator_per_s: f64,
    /// Claims of a probe.
    pub claims: usize,
}

impl Simulated {
    /// A quiet one that serves this many claims per second.
    pub const fn serving(per_s: f64) -> Self {
        Self { service_s: 1.0 / per_s, noise: 0.0, generator_per_s: 1e9, claims: 10_000 }
    }

    /// The rate at which the 99th percentile of the response time is the service level, from long
    /// simulations.
    pub fn true_capacity(&self) -> f64 {
        let (mut low, mut high) = (0.01 / self.service_s, 1.0 / self.service_s);
        for round in 0..14 {
            let rate = f64::midpoint(low, high);
            let mut responses = self.open(rate, 400_000, round, 1.0).0;
            responses.sort_by(f64::total_cmp);
            let p99 = responses[responses.len() * 99 / 100];
            if p99 * 1e6 <= SLO_US { low = rate } else { high = rate }
        }
        low
    }

    /// Response times and send lags in seconds, when the last claim was due, and when it was done.
    fn open(&self, rate: f64, claims: usize, seed: u64, slower: f64) -> (Vec<f64>, Vec<f64>, f64, f64) {
        let mut rng = stream(seed, "simulated arrivals");
        let (mut due, mut sender_free, mut server_free) = (0.0, 0.0f64, 0.0f64);
        let (mut responses, mut lags) = (Vec::with_capacity(claims), Vec::with_capacity(claims));
        for _ in 0..claims {
            due -= (1.0 - rng.random::<f64>()).ln() / rate;
            let sent = sender_free.max(due);
            sender_free = sent + 1.0 / self.generator_per_s;
            let done = server_free.max(sent) + self.service_s * slower;
            server_free = done;
            responses.push(done + NETWORK_S - due);
            lags.push(sent - due + 10e-6);
        }
        (responses, lags, due, server_free + NETWORK_S)
    }

    /// A run of the cluster at this load, as it would be stored.
    pub fn run(&self, offer: ProbeLoad, seed: u64) -> RunResult {
        let slower = (self.noise * Noise::new(seed).normal()).exp();
        let mut record = record(&[GRANT_LANE], seed);
        let (responses, lags, due, done) = match offer {
            ProbeLoad::Open { rate_per_s } => self.open(rate_per_s, self.claims, seed, slower),
            ProbeLoad::Closed { concurrency } => {
                // Everyone waits for everyone else: the law with a = service / (service + network) and b = 0.
                let round = NETWORK_S + f64::from(concurrency) * self.service_s * slower;
                let length = self.claims as f64 * round / f64::from(concurrency);
                (vec![round; self.claims], Vec::new(), 0.0, length)
            }
        };
        fill(&mut record, offer, &responses, &lags, (due, done));
        let busy_s = self.service_s * slower * self.claims as f64;
        record.primaries[0].counters.main_thread_cpu_us = busy_s * 1e6;
        record.generator = Some(GeneratorUse {
            window_s: done,
            thread_cpu_s: (self.claims as f64 / self.generator_per_s).min(done),
            servers_cpu_s: busy_s,
            ..GeneratorUse::default()
        });
        analyse(record).unwrap()
    }

    /// The same as the search sees it.
    pub fn probe(&self, offer: ProbeLoad, seed: u64) -> Probe {
        Probe::from_result(&self.run(offer, seed), &format!("{seed}"), SLO_US).unwrap()
    }
}

fn fill(record: &mut RunRecord, offer: ProbeLoad, responses: &[f64], lags: &[f64], (due, done): (f64, f64)) {
    let histogram = |seconds: &mut dyn Iterator<Item = f64>| {
        let mut histogram = LatencyHistogram::default();
        seconds.for_each(|seconds| histogram.record(Duration::from_secs_f64(seconds.max(0.0))));
        histogram.encode()
    };
    let claims = responses.len() as u64;
    let load = &mut record.scenario.load;
    load.claims = Some(claims);
    record.scenario.population.executions = 2 * claims as u32;
    record.scenario.slo = Some(SloSection {
        response_p99: Some(HumanDuration(Duration::from_micros(SLO_US as u64))),
        ..SloSection::default()
    });
    let arm = &mut record.arms[0];
    if let ProbeLoad::Open { rate_per_s } = offer {
        (load.model, load.concurrency) = (ModelForm::Open, None);
        (load.rate, load.arrivals) = (Some(rate_per_s), Some(ArrivalsForm::Poisson));
        arm.response = histogram(&mut responses.iter().copied());
        arm.send_lag = histogram(&mut lags.iter().copied());
        record.offered = Some(Offered { claims, schedule_s: due });
    } else if let ProbeLoad::Closed { concurrency } = offer {
        load.concurrency = Some(concurrency);
    }
    let lags = lags.iter().copied().chain(std::iter::repeat(0.0));
    arm.service = histogram(&mut responses.iter().zip(lags).map(|(response, lag)| response - lag));
    arm.outcomes.claimed = claims;
    arm.active_s = done;
    arm.wire = WireTotals { claims, round_trips: 2 * claims, commands: 2 * claims, ..arm.wire };
    (record.audit.grants_issued, record.audit.claimed) = (claims, claims);
    let primary = &mut record.primaries[0];
    primary.claims = claims;
    for command in ["fcall", "hget"] {
        primary.counters.sent.insert(command.to_owned(), claims);
        primary.counters.calls.insert(command.to_owned(), claims);
    }
}

/// A probe of which only the verdict counts.
pub fn plain(offer: ProbeLoad, verdict: ProbeVerdict) -> Probe {
    Probe {
        dir: String::new(),
        offer,
        started: String::new(),
        duration_s: 1.0,
        claims: 10_000,
        errors: 0,
        offered_per_s: None,
        achieved_per_s: 0.0,
        response_p50_us: None,
        response_p99_us: None,
        service_p50_us: None,
        service_p99_us: None,
        send_lag_p99_us: None,
        drain_us: None,
        cpu_us_per_claim: None,
        grant_cpu_us: None,
        primaries: Vec::<PrimaryLoad>::new(),
        resources: Resources::default(),
        near_generator_ceiling: false,
        beside_others: false,
        verdict,
        reasons: Vec::new(),
        limit: None,
    }
}

/// A policy that searches from 500 claims per second, without a curve and without refinement.
pub fn policy() -> CapacityPolicy {
    CapacityPolicy {
        slo_us: SLO_US,
        start_per_s: 500.0,
        resolution: 0.05,
        required_per_s: None,
        walk: true,
        concurrency: Vec::new(),
        utilisation: 0.6,
        targets_per_s: vec![1_000.0, 20_000.0],
        precision: 0.05,
        refinements: 0,
        seed: 1,
    }
}
