//! One probe: a run at one load, in the numbers that the search needs, and the rules for a capacity.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limit::{Limit, Resources, limit};
use super::load::ProbeLoad;
use crate::judge::gate::ERRORS;
use crate::judge::primary_load::PrimaryLoad;
use crate::record::{GENERATOR_BUSY, InvalidReason, SEND_LAG_SHARE, is_busy_generator};
use crate::stats::{Estimate, TooFew};

/// Share of the offered rate that must be achieved.
const ACHIEVED: f64 = 0.99;

/// What a probe says about the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProbeVerdict {
    /// The cluster sustains this load.
    Passed,
    /// It does not.
    Failed,
    /// The load was not what was asked for, because of the generator: neither.
    Generator,
    /// The load was not what was asked for, because of other programs on the generator's machine or its host:
    /// neither.
    Disturbed,
    /// The run is invalid for another reason: neither.
    Invalid,
}

/// Why a probe did not pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum Reason {
    /// The upper bound of the response time's 99th percentile.
    ResponseP99 {
        /// What it was.
        upper_us: f64,
        /// The service level.
        limit_us: f64,
    },
    /// Fewer claims per second were made than were due.
    Rate {
        /// Due.
        offered_per_s: f64,
        /// Made.
        achieved_per_s: f64,
    },
    /// Claims failed.
    Errors {
        /// How many.
        errors: u64,
        /// Of how many.
        claims: u64,
    },
    /// Claims were left over when the schedule ended.
    Backlog {
        /// Time that they took.
        drain_us: f64,
        /// The service level, which the last claims have to meet as well.
        limit_us: f64,
    },
    /// The generator sent late.
    SendLag {
        /// 99th percentile of the send lag.
        p99_us: f64,
        /// What it may be.
        limit_us: f64,
    },
    /// The generator's thread had no time left; of several generators the busiest one's.
    GeneratorBusy {
        /// Share of the window that it ran.
        share: f64,
    },
    /// One of several generators began after the others, so that a part of the load was missing.
    BeganLate {
        /// Which.
        part: u32,
        /// By so much.
        late_us: u64,
        /// That may be.
        limit_us: u64,
    },
    /// The run cannot be used; or, of a closed loop whose load was a smaller one for a part of the window, its
    /// point of the curve cannot: there the verdict is `failed`.
    Invalid {
        /// Why.
        #[serde(rename = "fault")]
        why: InvalidReason,
    },
    /// The service level cannot be judged.
    TooFew {
        /// Why.
        too_few: TooFew,
    },
}

/// A run in the numbers that the search needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Probe {
    /// Its directory, beside `capacity.json`.
    pub dir: String,
    /// What was asked for.
    pub offer: ProbeLoad,
    /// Start, RFC 3339 in UTC.
    pub started: String,
    /// From start to the end of the audit.
    pub duration_s: f64,
    /// Claims planned.
    pub claims: u64,
    /// Claims that failed, were not sent, or found no grant.
    pub errors: u64,
    /// Claims per second as the schedule came out (open loop).
    pub offered_per_s: Option<f64>,
    /// Successful claims per second, the time until the last one was done included.
    pub achieved_per_s: f64,
    /// Median response time (open loop).
    pub response_p50_us: Option<f64>,
    /// 99th percentile of the response time (open loop), with its interval.
    pub response_p99_us: Option<Estimate>,
    /// Median service time.
    pub service_p50_us: Option<f64>,
    /// 99th percentile of the service time.
    pub service_p99_us: Option<f64>,
    /// 99th percentile of the send lag (open loop); of several generators that of the one with the highest.
    pub send_lag_p99_us: Option<f64>,
    /// From when the last claim was due until all were done (open loop).
    pub drain_us: Option<f64>,
    /// Main-thread CPU per claim, summed over the primaries.
    pub cpu_us_per_claim: Option<f64>,
    /// Main-thread CPU per grant, measured while the stock was filled.
    pub grant_cpu_us: Option<f64>,
    /// Each primary's share of the work.
    pub primaries: Vec<PrimaryLoad>,
    /// CPU in the window.
    pub resources: Resources,
    /// Whether the load came near what the generator reached with a function that does nothing, when it was
    /// calibrated.
    #[serde(default)]
    pub near_generator_ceiling: bool,
    /// Whether other programs ran on its machine, or took it away.
    #[serde(default)]
    pub beside_others: bool,
    /// What the probe says.
    pub verdict: ProbeVerdict,
    /// Why it did not pass; empty where it did.
    pub reasons: Vec<Reason>,
    /// What held it back, by evidence; `None` where it passed or cannot be used, and of a closed loop.
    pub limit: Option<Limit>,
}

impl Probe {
    /// What the load did not get.
    pub(super) fn shortfalls(&self, slo_us: f64) -> Vec<Reason> {
        let mut reasons = Vec::new();
        match self.response_p99_us {
            Some(p99) if p99.high > slo_us => {
                reasons.push(Reason::ResponseP99 { upper_us: p99.high, limit_us: slo_us });
            }
            // Nothing succeeded: the errors say so.
            _ => {}
        }
        if let Some((offered_per_s, achieved_per_s)) = self.offered_per_s.zip(self.kept_up_per_s(slo_us))
            && achieved_per_s < ACHIEVED * offered_per_s
        {
            reasons.push(Reason::Rate { offered_per_s, achieved_per_s });
        }
        reasons.extend(self.too_many_failed());
        if let Some(drain_us) = self.drain_us.filter(|drain_us| *drain_us > slo_us) {
            reasons.push(Reason::Backlog { drain_us, limit_us: slo_us });
        }
        if let Some(share) = self.resources.generator_share().filter(|share| is_busy_generator(*share)) {
            reasons.push(Reason::GeneratorBusy { share });
        }
        reasons
    }

    /// Claims that came to nothing, where they are more than a load may have: then those that succeeded are not
    /// what so many in flight bring, or what was asked for.
    pub(super) fn too_many_failed(&self) -> Option<Reason> {
        let (errors, claims) = (self.errors, self.claims);
        (errors as f64 > ERRORS * claims as f64).then_some(Reason::Errors { errors, claims })
    }

    /// Whether a closed loop's claims per second are the cluster's: all claims were made, by generators that
    /// were there all the time and would have made more.
    pub fn is_of_the_cluster(&self) -> bool {
        self.verdict == ProbeVerdict::Passed && !self.is_of_the_generator()
    }

    /// Whether a closed loop's claims per second are of fewer in flight for a part of the window: one of its
    /// generators stood still, or was done before the others.
    pub fn is_of_a_smaller_load(&self) -> bool {
        let missing = |reason: &Reason| matches!(reason, Reason::Invalid { why } if was_missing(why));
        self.verdict == ProbeVerdict::Failed && self.reasons.iter().any(missing)
    }

    /// How far an open probe was within its rules (below one) or beyond them: the largest of what was
    /// measured over what may be. Only the achieved rate is not in it; what it misses are late claims or
    /// errors, which are. `None` without response times.
    pub fn strain(&self, slo_us: f64) -> Option<f64> {
        let ratios = [
            self.drain_us.map(|drain_us| drain_us / slo_us),
            self.send_lag_p99_us.map(|lag_us| lag_us / (SEND_LAG_SHARE * slo_us)),
            Some(self.errors as f64 / (ERRORS * self.claims.max(1) as f64)),
            self.resources.generator_share().map(|share| share / GENERATOR_BUSY),
        ];
        let p99 = self.response_p99_us?.high / slo_us;
        Some(ratios.into_iter().flatten().fold(p99, f64::max))
    }

    /// What it says, and what held it back, by its reasons.
    pub(super) fn judge(&self, slo_us: f64) -> (ProbeVerdict, Option<Limit>) {
        let unusable = |reason: &Reason| match reason {
            Reason::Invalid { why } => !was_missing(why),
            Reason::TooFew { .. } => true,
            _ => false,
        };
        if self.reasons.iter().any(unusable) {
            return (ProbeVerdict::Invalid, None);
        }
        if self.reasons.is_empty() {
            return (ProbeVerdict::Passed, None);
        }
        // It has no level and no schedule that something could keep it from.
        if matches!(self.offer, ProbeLoad::Closed { .. }) {
            return (ProbeVerdict::Failed, None);
        }
        let mut limit = limit(&self.primaries, &self.resources, self.generator_late());
        if matches!(limit, Limit::Generator { .. } | Limit::Host { .. } | Limit::Quota { .. })
            && self.generator_had_time()
            && self.service_p50_us.is_some_and(|p50| p50 > slo_us)
        {
            // Less than one claim takes: sending it in time would not have helped.
            limit = self.resources.nothing_short();
        }
        let verdict = match limit {
            Limit::Generator { .. } => ProbeVerdict::Generator,
            Limit::OtherPrograms { .. } | Limit::Host { .. } | Limit::Quota { .. } => ProbeVerdict::Disturbed,
            _ => ProbeVerdict::Failed,
        };
        (verdict, Some(limit))
    }

    /// Whether something that may be gone the next time kept the load from being offered: other programs, the
    /// host, or a generator that was late although it had time. A machine that stalls now and then does that
    /// at every rate.
    pub fn was_disturbed(&self) -> bool {
        match self.verdict {
            ProbeVerdict::Disturbed => true,
            ProbeVerdict::Generator => self.generator_had_time() && !self.near_generator_ceiling,
            ProbeVerdict::Passed | ProbeVerdict::Failed | ProbeVerdict::Invalid => false,
        }
    }

    /// Successful claims per second of the schedule and of what its last claims took beyond the service
    /// level: those that end within it are in time, however much of a short window that is.
    fn kept_up_per_s(&self, slo_us: f64) -> Option<f64> {
        let schedule_s = self.claims as f64 / self.offered_per_s?;
        let late_s = (self.drain_us.unwrap_or_default() - slo_us).max(0.0) / 1e6;
        Some((self.claims - self.errors) as f64 / (schedule_s + late_s))
    }

    /// Whether a closed loop's claims per second are as many as the generator makes, whatever the servers
    /// could. Its thread decides where that is known: with few in flight, a calibration's ceiling is made of
    /// round trips.
    pub fn is_of_the_generator(&self) -> bool {
        self.resources.generator_share().map_or(self.near_generator_ceiling, is_busy_generator)
    }

    /// Whether its thread is known to have had time to spare.
    fn generator_had_time(&self) -> bool {
        self.resources.generator_share().is_some_and(|share| !is_busy_generator(share))
    }

    fn generator_late(&self) -> bool {
        self.near_generator_ceiling
            || self.reasons.iter().any(|reason| {
                matches!(
                    reason,
                    Reason::SendLag { .. } | Reason::GeneratorBusy { .. } | Reason::BeganLate { .. }
                )
            })
    }

    /// Share of the window that the busiest primary's main thread ran; `None` where that is not known of any.
    pub fn busiest_primary(&self) -> Option<f64> {
        self.primaries.iter().filter_map(|primary| primary.busy).max_by(f64::total_cmp)
    }
}

/// Whether that is all of a closed loop, or one of several generators, that made no claims for a part of the window.
/// It says nothing about so many in flight, and nothing about rates that other probes found.
fn was_missing(why: &InvalidReason) -> bool {
    match why {
        InvalidReason::DoneEarly { .. } | InvalidReason::Stalled { .. } => true,
        InvalidReason::OfGenerator { what, .. } => matches!(**what, InvalidReason::Stalled { .. }),
        _ => false,
    }
}
