//! [`RunRecord`]: all that a run measured, and nothing that was concluded from it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_zero::is_zero;
use super::main_thread::{MainThreadClock, MainThreadDoubt};
use super::{
    Aborted, ArmRecord, Audit, CalibrationNote, ClusterRecord, Conditions, CounterBlock, Environment,
    GeneratorRecord, GeneratorUse, Histogram, InjectedRecord, InvalidReason, LibraryInfo, PartNote,
    PrimaryRecord, RunBefore, StormRecord, Stratum, TimelinePoint, Tool, Warning, WindowEvent, WindowTotals,
};
use crate::json::{FromJson, to_json_line};
use crate::scenario::{Placement, ScenarioFile};

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
    /// Which part of a run of several generators this is; `None` where one made the run, and where the parts
    /// were merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<PartNote>,
    /// The generators, where several made the run; empty where one did. `generator` is their sum then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub generators: Vec<GeneratorRecord>,
    /// What the generator can do on this machine, where it was calibrated (`reclaim-bench calibrate`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<CalibrationNote>,
    /// Longest span of the window without a successful claim; `None` in results of versions that did not keep
    /// it. Of several generators: the longest in which none of them had one. Spans below a tenth of a second
    /// they do not keep, so where it is shorter than that, this is a bound: no generator had one that long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_gap_s: Option<f64>,
    /// Time of the window in spans of a tenth of a second or longer without a successful claim (of several
    /// generators: in which none of them had one), all together; `None` in results of versions that did not
    /// keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stalled_s: Option<f64>,
    /// Bare round trips of the ruler that had no answer: they have no time, and the servers may not have
    /// counted them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rulers_unanswered: u64,
    /// What the ruler's round trips were (`PING`); `None` where none were made, and in results of versions
    /// whose ruler was `FCALL ff_version`.
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
    /// The runs beside which the result was stored that measured the same with the same, the earliest first. Empty
    /// where there are none, where others ran beside this one, and in results of versions that did not keep them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs_before: Vec<RunBefore>,
    /// What the run found wrong with itself while it ran; any entry makes the result invalid.
    // The result's own stand in the same JSON object, as with warnings, so here they have another name there.
    #[serde(rename = "faults")]
    pub invalid_reasons: Vec<InvalidReason>,
    /// What a reader should know but what does not make the result wrong. A result adds its own to them and
    /// stands in the same JSON object, so here they have another name.
    #[serde(rename = "run_warnings")]
    pub warnings: Vec<Warning>,
}

to_json_line!(RunRecord);

impl FromJson for RunRecord {
    fn from_json(text: &str) -> serde_json::Result<Self> {
        // As a result holds it, so that serde's code for all that is in one is made once.
        #[derive(Deserialize)]
        struct Alone {
            #[serde(flatten)]
            record: RunRecord,
        }
        Ok(serde_json::from_str::<Alone>(text)?.record)
    }
}

impl RunRecord {
    /// Executions of a storm, and how many of them hold a lease. Results of versions that did not count these
    /// have only the `timed` ones, whose time to resume is known.
    pub fn storm_counts(&self, timed: u64) -> (u64, u64) {
        let population = u64::from(self.scenario.population.executions);
        self.storm.as_ref().map_or((population, timed), |storm| (storm.executions, storm.held))
    }

    /// Whether somebody stopped the run before its end; one that its service level ended has an answer.
    pub fn was_interrupted(&self) -> bool {
        self.partial && self.aborted.is_none()
    }

    /// What a variant's claims came to, by its name.
    pub fn arm(&self, variant: &str) -> Option<&ArmRecord> {
        self.arms.iter().find(|arm| arm.name == variant)
    }

    /// The function library that a variant claims with: its own, or the run's.
    pub fn library_of(&self, variant: &str) -> &LibraryInfo {
        self.arm(variant).and_then(|arm| arm.library.as_ref()).unwrap_or(&self.environment.library)
    }

    /// The audits that must add up. Clusters that share no claims are checked one by one, for a surplus in
    /// one could hide a lack in another.
    pub fn audits(&self) -> Vec<&Audit> {
        if self.is_server_duet() {
            self.clusters.iter().map(|cluster| &cluster.audit).collect()
        } else {
            vec![&self.audit]
        }
    }

    /// For how long claims were due, in seconds of the window: the schedule, or as far as it got where the
    /// run was ended before that. A closed loop's is the window's.
    pub fn loaded_s(&self) -> f64 {
        let scheduled_s = self.offered.map_or(f64::INFINITY, |offered| offered.schedule_s);
        let active_s = self.window.as_ref().map_or(f64::INFINITY, |window| window.active_s);
        scheduled_s.min(active_s)
    }

    /// Seconds in which claims were made for any purpose, without the warm-up. In results of versions that
    /// did not keep them, the time of the counter blocks, plus that of the arms unless they had blocks.
    pub fn claims_made_s(&self) -> f64 {
        let summed = || {
            let blocks: f64 = self.blocks.iter().map(|block| block.duration_s).sum();
            let in_blocks = self.strata.iter().any(|stratum| stratum.apart);
            let mixed = self.arms.iter().map(|arm| arm.active_s).fold(0.0, f64::max);
            if in_blocks { blocks } else { mixed + blocks }
        };
        self.window.as_ref().map_or_else(summed, |window| window.active_s)
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

    /// Rate of what `counted` counts in second `number` (from 0) of the timeline, over the part of that
    /// second that was measured; `None` where this part is too short or unknown.
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

    /// Why the main threads' times are in no figure, where they are not.
    pub fn main_thread_doubt(&self) -> Option<MainThreadDoubt> {
        let clocks: Vec<(MainThreadClock, u32)> =
            self.primaries.iter().map(|one| self.clock_of(one)).collect();
        let polls = |(clock, io_threads): &(MainThreadClock, u32)| {
            *io_threads > 1 && *clock != MainThreadClock::Active
        };
        if clocks.iter().any(polls) {
            return Some(MainThreadDoubt::Polling);
        }
        let unlike = clocks.windows(2).any(|two| two[0].0 != two[1].0);
        unlike.then_some(MainThreadDoubt::UnlikeClocks)
    }

    /// By which clock the first primary's main thread was timed; [`Self::main_thread_doubt`] says whether all were.
    pub fn main_thread_clock(&self) -> Option<MainThreadClock> {
        Some(self.clock_of(self.primaries.first()?).0)
    }

    /// By which clock a primary's main thread was timed, and how many io-threads it had.
    fn clock_of(&self, primary: &PrimaryRecord) -> (MainThreadClock, u32) {
        let own = primary.cluster.and_then(|number| self.clusters.get(number as usize));
        let valkey = own.map_or(&self.environment.valkey, |cluster| &cluster.valkey);
        let unsaid = || MainThreadClock::unsaid(&valkey.version, valkey.io_threads);
        (primary.counters.main_thread_clock.unwrap_or_else(unsaid), valkey.io_threads)
    }

    /// The scenario's name, with the simulated network where there is one: figures with and without it must
    /// never stand under one name.
    pub fn label(&self) -> String {
        let (name, rtt) = (&self.scenario.name, self.scenario.load.network.added_rtt);
        if rtt.0.is_zero() { name.clone() } else { format!("{name} (+{rtt} RTT)") }
    }

    /// Whether workers of their own make the claims (SDK duet): each has a time by its worker's clock, and the
    /// time between claims is that of the pipes to them.
    pub fn has_workers(&self) -> bool {
        self.arms.iter().any(|arm| arm.sdk.is_some())
    }

    /// Whether [`Self::calibration`], where there is one, holds for one of several generators: it was made on
    /// the first generator's machine, with that generator's cores and arrangement.
    pub fn is_calibrated_for(&self, generator: &GeneratorRecord) -> bool {
        let (first, own) = (&self.environment.host, &generator.host);
        let there = self.environment.conditions.as_ref();
        let alike = |here: &Conditions| {
            // Where no thread is bound to a core, the first generator keeps the shared cores awake for all
            // generators.
            let unbound = there.is_some_and(|there| there.placement == here.placement)
                && here.placement == Placement::Free
                && first.shares_cores_with(own);
            unbound || Conditions::same_for_generator(there, Some(here))
        };
        first.is_machine_of(own)
            && first.cores == own.cores
            && generator.conditions.as_ref().is_none_or(alike)
    }

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

/// A simulated network (`load.network.added_rtt`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AddedRoundTrip {
    /// What the scenario asks for.
    pub asked_us: f64,
    /// What replies were really held back for, warm-up aside: a timer is late, and that belongs to the
    /// figure.
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
    /// Claims per second as they were due. With random arrivals this differs from the rate that was asked
    /// for.
    pub fn rate_per_s(&self) -> f64 {
        self.claims as f64 / self.schedule_s
    }
}

/// As much of a SHA-256 as reports show.
pub fn short_sha256(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}
