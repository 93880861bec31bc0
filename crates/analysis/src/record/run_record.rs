//! [`RunRecord`]: all that a run measured, and nothing that was concluded from it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::audit::is_zero;
use super::inside::Inside;
use super::{
    Aborted, Audit, BatchNote, CalibrationNote, ClusterRecord, Environment, Fault, GeneratorRecord,
    GeneratorUse, Histogram, InjectedRecord, LibraryInfo, Outcomes, PartNote, Samples, SdkInfo, StormRecord,
    Tool, Warning, WindowEvent,
};
use crate::scenario::{ScenarioFile, VariantPath};

/// What a run did and saw. Statistics, gate, capacity and reports read this and nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunRecord {
    /// The tool that ran.
    pub tool: Tool,
    /// The whole scenario as resolved: defaults filled in, options applied.
    pub scenario: ScenarioFile,
    /// Seed of every random stream of the run.
    pub seed: u64,
    /// SHA-256 of the plan: which execution is claimed by which arm, in which order. One seed, one plan.
    pub plan_sha256: String,
    /// Start, RFC 3339 in UTC.
    pub started: String,
    /// From start to the end of the audit.
    pub duration_s: f64,
    /// Whether the run was interrupted; what is here was measured before that.
    pub partial: bool,
    /// The machine and the servers.
    pub environment: Environment,
    /// The clusters of a server duet, the baseline's first; empty where all arms claimed on one cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<ClusterRecord>,
    /// Time that staging took, and what it cost.
    pub staging: Staging,
    /// One entry per variant, in the scenario's order.
    pub arms: Vec<ArmRecord>,
    /// Paired samples, stratum by stratum. Empty without a comparison.
    pub strata: Vec<Stratum>,
    /// Blocks of one arm each, with the servers' counters around them. Empty without a comparison.
    pub blocks: Vec<CounterBlock>,
    /// The servers' counters over the window, one entry per primary.
    pub primaries: Vec<PrimaryRecord>,
    /// The simulated network, where there was one: every round trip of a claim took this much longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added_rtt: Option<AddedRoundTrip>,
    /// What an open loop's schedule came out as; `None` for a closed loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered: Option<Offered>,
    /// How a storm went; `None` for other modes, and in results of versions that did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storm: Option<StormRecord>,
    /// What `[[fault]]` did to the servers; `None` without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub injected: Option<InjectedRecord>,
    /// What the load generator itself used in the window; `None` in results of versions before it was kept.
    #[serde(default)]
    pub generator: Option<GeneratorUse>,
    /// Which part of a run of several generators this is; `None` where one made the run, and where the parts were merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<PartNote>,
    /// The generators, where several made the run; empty where one did. `generator` is their sum then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub generators: Vec<GeneratorRecord>,
    /// What the generator can do on this machine, where it was calibrated (`reclaim-bench calibrate`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<CalibrationNote>,
    /// Longest span of the window without a successful claim; `None` in results of versions that did not keep it. Of several
    /// generators: the longest in which none of them had one. Spans below a tenth of a second they do not keep, so where it
    /// is shorter than that, this is a bound: no generator had one that long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_gap_s: Option<f64>,
    /// Bare round trips of the ruler that had no answer: they have no time, and the servers may not have counted them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rulers_unanswered: u64,
    /// What the ruler's round trips were (`PING`); `None` where none were made, and in results of versions whose ruler was
    /// `FCALL ff_version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruler_command: Option<String>,
    /// Where `[slo] abort` ended the run: it is partial then, and has missed its level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aborted: Option<Aborted>,
    /// One entry per second of the window.
    pub timeline: Vec<TimelinePoint>,
    /// All claims of the window together; `None` in results of versions that did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowTotals>,
    /// What happened in the window, in the order of time; empty in results of versions that did not keep it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<WindowEvent>,
    /// What reading everything back showed.
    pub audit: Audit,
    /// What the run found wrong with itself while it ran; any entry makes the result invalid.
    pub faults: Vec<Fault>,
    /// What a reader should know but what does not make the result wrong. A result adds its own to them and stands
    /// in the same JSON object, so here they have another name.
    #[serde(rename = "run_warnings")]
    pub warnings: Vec<Warning>,
}

impl RunRecord {
    /// Whether somebody stopped the run before its end; one that its service level ended has an answer.
    pub fn was_interrupted(&self) -> bool {
        self.partial && self.aborted.is_none()
    }

    /// For how long claims were due, in seconds of the window: the schedule, or as far as it got where the run was ended
    /// before that. A closed loop's is the window's.
    pub fn loaded_s(&self) -> f64 {
        let scheduled_s = self.offered.map_or(f64::INFINITY, |offered| offered.schedule_s);
        let active_s = self.window.as_ref().map_or(f64::INFINITY, |window| window.active_s);
        scheduled_s.min(active_s)
    }

    /// What the ruler's round trips were; `None` where none were made.
    pub fn ruler(&self) -> Option<&str> {
        let made = self.strata.iter().any(|stratum| stratum.ruler.is_some());
        made.then(|| self.ruler_command.as_deref().unwrap_or("FCALL ff_version"))
    }

    /// The timeline without a last second that was not, or may not have been, measured to its end.
    pub fn whole_seconds(&self) -> &[TimelinePoint] {
        let whole = match (&self.window, self.timeline.last()) {
            (Some(_), Some(last)) if last.part_s.is_none() => self.timeline.len(),
            _ => self.timeline.len().saturating_sub(1),
        };
        &self.timeline[..whole]
    }

    /// Whether nothing says how much of the last second was measured: a rate over it would be a guess.
    pub fn last_second_is_unknown(&self) -> bool {
        self.window.is_none() && self.timeline.last().is_some_and(|last| last.part_s.is_none())
    }

    /// So many things that were counted in a second of the timeline, by its number from 0, per second of what was measured
    /// of it; `None` where too little was, or nobody knows how much.
    pub fn per_sec(&self, number: usize, counted: impl Fn(&TimelinePoint) -> u64) -> Option<f64> {
        let point = self.timeline.get(number)?;
        let unknown = number + 1 == self.timeline.len() && self.last_second_is_unknown();
        if unknown { None } else { point.per_sec(counted(point)) }
    }

    /// Whether what the servers counted cannot be ascribed to claims, for others used them in the window.
    pub fn server_figures_withheld(&self) -> bool {
        let others = |warning: &Warning| {
            matches!(
                warning,
                Warning::ForeignCommands { .. }
                    | Warning::ForeignClients { .. }
                    | Warning::PassingClients { .. }
            )
        };
        self.warnings.iter().any(others)
    }

    /// The scenario's name, with the simulated network where there is one: figures with and without it must never
    /// stand under one name.
    pub fn label(&self) -> String {
        let (name, rtt) = (&self.scenario.name, self.scenario.load.network.added_rtt);
        if rtt.0.is_zero() { name.clone() } else { format!("{name} (+{rtt} RTT)") }
    }
}

impl RunRecord {
    /// Whether the arms claimed on clusters of their own.
    pub fn is_server_duet(&self) -> bool {
        !self.clusters.is_empty()
    }

    /// The cluster that an arm claimed on, in a server duet.
    pub fn cluster_of(&self, arm: usize) -> Option<&ClusterRecord> {
        self.clusters.iter().find(|cluster| cluster.arms.contains(&(arm as u32)))
    }

    /// The same of the arm with this name.
    pub fn cluster_of_named(&self, arm: &str) -> Option<&ClusterRecord> {
        self.cluster_of(self.arms.iter().position(|own| own.name == arm)?)
    }

    /// Whose a cluster is: the names of its arms, or the control's.
    pub fn cluster_name(&self, cluster: &ClusterRecord) -> String {
        let name = |arm: &u32| self.arms.get(*arm as usize).map_or("an unknown arm", |arm| arm.name.as_str());
        if cluster.is_control() {
            return "the control".to_owned();
        }
        cluster.arms.iter().map(name).collect::<Vec<_>>().join(" and ")
    }
}

/// Getting the stock ready: pipelined, outside the window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Staging {
    /// Executions created.
    pub executions: u64,
    /// Interruptions made; leases that were taken away for `lease-reclaim` are among them.
    pub interruptions: u64,
    /// Grants issued.
    pub grants: u64,
    /// Time that all of it took.
    pub duration_s: f64,
    /// Main-thread CPU of all primaries per grant issued (`ff_issue_claim_grant` and the scanner's reads).
    pub grant_cpu_us: Option<f64>,
}

/// All that one arm did in the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ArmRecord {
    /// The variant's name.
    pub name: String,
    /// The way of claiming.
    pub path: VariantPath,
    /// The function library that it was measured with, in a library duet.
    #[serde(default)]
    pub library: Option<LibraryInfo>,
    /// The SDK that its worker was built against, in an SDK duet. What such a worker sends nobody but the servers count, so
    /// its claims have no wire cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdk: Option<SdkInfo>,
    /// Median time in microseconds that handing a claim over to its worker and its answer back took beside the claim, which
    /// is in no figure; `None` where no worker of its own makes the claims. Of several generators the largest of their
    /// medians.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handover_p50_us: Option<f64>,
    /// How its claims ended. The control's and the blocks' claims are not in here.
    pub outcomes: Outcomes,
    /// Time in which its claims were made; arms that are mixed share it.
    pub active_s: f64,
    /// done - sent, successful claims only.
    pub service: Histogram,
    /// done - scheduled, successful claims only; empty in a closed loop.
    pub response: Histogram,
    /// sent - scheduled; empty in a closed loop.
    pub send_lag: Histogram,
    /// From the call that made the execution runnable being sent until the lease is held; empty when staged.
    pub resume: Histogram,
    /// done - sent of claims that were refused, lost or expired: error paths return early.
    pub error_service: Histogram,
    /// Each round trip of a claim in order, successful claims only; empty in results of versions that did not time them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepRecord>,
    /// Wire cost of its successful claims, summed.
    pub wire: WireTotals,
    /// Of its claims that hold their lease: those that `variant.wait_replicas` replicas did not have when the wait for them
    /// ended.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unreplicated: u64,
}

impl ArmRecord {
    /// Its histograms of whole claims, by what they measure.
    pub fn clocks(&self) -> [(&'static str, &Histogram); 5] {
        [
            ("service", &self.service),
            ("response", &self.response),
            ("send_lag", &self.send_lag),
            ("resume", &self.resume),
            ("error_service", &self.error_service),
        ]
    }
}

/// One of the round trips that a claim makes, over all claims of an arm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepRecord {
    /// What is sent and waited for, e.g. `HGET lane_id`.
    pub title: String,
    /// From encoding the request until its reply is read.
    pub time: Histogram,
}

/// Sums over the successful claims of an arm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WireTotals {
    /// Claims summed over.
    pub claims: u64,
    /// Waits for an answer.
    pub round_trips: u64,
    /// Commands sent.
    pub commands: u64,
    /// Request bytes.
    pub bytes_out: u64,
    /// Reply bytes.
    pub bytes_in: u64,
}

/// Service times of one stratum, in the order taken, by arm (index into [`RunRecord::arms`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stratum {
    /// Whether both sides are the baseline: then `sides` has two entries for the same arm.
    pub control: bool,
    /// The sides that were mixed at random. A baseline that is there twice is a control within the comparison.
    pub sides: Vec<StratumSide>,
    /// The ruler: bare round trips ([`RunRecord::ruler_command`]) on the claims' connections, at random places among the
    /// claims. `None` where none were made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruler: Option<Samples>,
    /// Whether each side was claimed by itself, with the servers for itself, and not claim by claim among the others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub apart: bool,
}

/// One side of a stratum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StratumSide {
    /// Index into [`RunRecord::arms`].
    pub arm: u32,
    /// done - sent of its successful claims.
    pub service: Samples,
}

/// A run of claims of one arm, with the servers' counters read before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CounterBlock {
    /// Blocks with the same number form one group in which every arm has one block, in random order.
    pub group: u32,
    /// Index into [`RunRecord::arms`].
    pub arm: u32,
    /// Claims that succeeded.
    pub claims: u64,
    /// The block's length.
    pub duration_s: f64,
    /// Counters of all primaries, summed.
    pub counters: CounterDelta,
    /// Of a block with several claims in flight: the part in which all of them were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steady: Option<SteadyPart>,
    /// What the library of an instrumented arm counted in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<Inside>,
    /// Function calls that one claim makes, where it is more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function_calls_per_claim: Option<u32>,
}

/// The part of a block between its ramp-in and its drain: from the first claim that counts being sent until the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SteadyPart {
    /// Claims that succeeded for each that was sent in it, the last one aside: as many as came back.
    pub claims: u64,
    /// Its length.
    pub duration_s: f64,
}

impl CounterBlock {
    /// Claims and seconds of the arm alone, at the load that was asked for: of the steady part where there is one.
    pub fn rate_parts(&self) -> (f64, f64) {
        match self.steady {
            Some(steady) => (steady.claims as f64, steady.duration_s),
            None => (self.claims as f64, self.duration_s),
        }
    }

    /// Claims that reached the function, whatever it answered: each is one `FCALL`, or [`Self::function_calls_per_claim`]. Costs are counted over these, since
    /// the servers' counters have the refused ones too. Without the tool's own count of them, those that succeeded.
    pub fn reached(&self) -> u64 {
        let calls = u64::from(self.function_calls_per_claim.unwrap_or(1).max(1));
        self.counters.sent.get("fcall").map_or(self.claims, |sent| sent / calls)
    }
}

/// Difference of one server's counters over a time. Sources: `INFO commandstats`, `INFO cpu`, `INFO stats`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CounterDelta {
    /// Calls by lower-case command name, commands inside functions included.
    pub calls: BTreeMap<String, u64>,
    /// Commands that the tool sent in the same time, by name.
    pub sent: BTreeMap<String, u64>,
    /// As many calls of a command that claims send as their functions may have made themselves, by the library's source:
    /// so many more than were sent may be counted. Empty where no function calls one, as in FlowFabric's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_functions: BTreeMap<String, u64>,
    /// Main thread's CPU, user and system (or its active time where io-threads spin).
    pub main_thread_cpu_us: f64,
    /// CPU of the whole process, user and system.
    pub process_cpu_us: f64,
    /// `total_net_input_bytes`.
    pub net_in_bytes: u64,
    /// `total_net_output_bytes`.
    pub net_out_bytes: u64,
    /// `usec` of `cmdstat_fcall`: what functions took, by the server's own clock, in microseconds; 0 in results of versions
    /// that did not keep it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub fcall_us: u64,
}

/// One primary over the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PrimaryRecord {
    /// Its address.
    pub addr: String,
    /// Its cluster (index into [`RunRecord::clusters`]) in a server duet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<u32>,
    /// Flow partitions it serves.
    pub partitions: u32,
    /// Claims planned on it.
    pub claims: u64,
    /// Its counters over the window.
    pub counters: CounterDelta,
    /// Redirects it answered with.
    pub redirects: BTreeMap<super::RedirectKind, u64>,
    /// Commands to it without a reply: it may have run them or not.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unanswered: u64,
}

/// A simulated network (`load.network.added_rtt`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AddedRoundTrip {
    /// What the scenario asks for.
    pub asked_us: f64,
    /// What replies were really held back for, warm-up aside: a timer is late, and that belongs to the figure.
    pub given: Histogram,
}

/// The schedule of an open loop's window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Offered {
    /// Claims on it.
    pub claims: u64,
    /// From its start until the last of them was due.
    pub schedule_s: f64,
}

impl Offered {
    /// Claims per second as they were due. With random arrivals this differs from the rate that was asked for.
    pub fn rate_per_s(&self) -> f64 {
        self.claims as f64 / self.schedule_s
    }
}

/// As much of a SHA-256 as reports show.
pub fn short_sha256(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}

/// The window as a whole: the claims of the arms, of the control and of the counter blocks, the warm-up's aside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WindowTotals {
    /// Time in which claims were made: where the timeline ends.
    pub active_s: f64,
    /// How all of its claims ended. Those that were sent are the sum over the timeline.
    pub outcomes: Outcomes,
    /// Its batches, the one that went on included. Only in a part's record ([`RunRecord::part`]): merging needs them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub batches: Vec<BatchNote>,
}

/// Shortest part of a second over which a rate is formed: over less a few claims more or less are all of it.
const SHORTEST_RATED_S: f64 = 0.1;

/// One second of the window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimelinePoint {
    /// End of the second, from the window's start.
    pub t_s: f64,
    /// How much of it was measured, from its begin, where that was less than all of it: the last one. Rates are over this
    /// part. In results of versions that did not keep it ([`RunRecord::window`] is missing) the last second may be a part as
    /// well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_s: Option<f64>,
    /// Claims that succeeded in it.
    pub claimed: u64,
    /// Claims that did not.
    pub errors: u64,
    /// Median service time in it; `None` without a claim.
    pub p50_us: Option<f64>,
    /// 99th percentile of it.
    pub p99_us: Option<f64>,
    /// Median response time in it (open loop).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_p50_us: Option<f64>,
    /// 99th percentile of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_p99_us: Option<f64>,
    /// Response times in it, of a run whose rate changes (ramp): quantiles over several seconds come from all of
    /// their claims.
    #[serde(default, skip_serializing_if = "Histogram::is_empty")]
    pub response: Histogram,
    /// The times that its quantiles were taken from. Only in a part's record ([`RunRecord::part`]): quantiles of several parts
    /// come from all of their claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<SecondTimes>,
    /// The tool's resident memory, where the system tells; of several generators all of theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_resident_bytes: Option<u64>,
    /// 99th percentile of how late claims were sent in it (open loop).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_lag_p99_us: Option<f64>,
    /// Grants in stock at its end.
    pub stock: u64,
    /// Share of a core that each primary's main thread used in it, in the order of `primaries`; empty where the
    /// counters were not read in that second.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub primary_cpu: Vec<f64>,
}

/// All times of one second.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecondTimes {
    /// Service times of the claims that succeeded in it.
    pub service: Histogram,
    /// Their response times (open loop).
    #[serde(default, skip_serializing_if = "Histogram::is_empty")]
    pub response: Histogram,
    /// How late claims were sent in it (open loop).
    #[serde(default, skip_serializing_if = "Histogram::is_empty")]
    pub send_lag: Histogram,
}

impl TimelinePoint {
    /// How much of the second was measured.
    pub fn length_s(&self) -> f64 {
        self.part_s.unwrap_or(1.0)
    }

    /// Until when it was measured, from the window's start.
    pub fn measured_until_s(&self) -> f64 {
        self.t_s - 1.0 + self.length_s()
    }

    /// So many things that were counted in it, per second; `None` where too little of it was measured.
    pub fn per_sec(&self, counted: u64) -> Option<f64> {
        (self.length_s() >= SHORTEST_RATED_S).then(|| counted as f64 / self.length_s())
    }

    /// Successful claims per second, over the part that was measured; `None` where that is too little.
    pub fn claims_per_sec(&self) -> Option<f64> {
        self.per_sec(self.claimed)
    }
}
