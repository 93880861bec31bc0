//! The file form of a scenario (TOML), as results embed it.
//!
//! Every default of the format stands in this file (those of `[capacity]` in its own), once: in a section's `Default`,
//! or in [`ScenarioFile::resolve`] where it depends on another key.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::capacity::CapacitySection;
use super::choices::{Mode, Provider, VariantPath};
use super::duration::HumanDuration;
use super::machine::MachineSection;
use super::sweep::SweepSection;

/// A scenario as written: what a TOML file says, with every default filled in once it is resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioFile {
    /// Version of this format: 1.
    pub schema: u32,
    /// Name: lower-case letters, digits and `-`; the first part of the result directory's name.
    pub name: String,
    /// One line.
    pub summary: String,
    /// What cluster to use.
    #[serde(default)]
    pub cluster: ClusterSection,
    /// The function library under test.
    #[serde(default)]
    pub library: LibrarySection,
    /// Who is interrupted.
    #[serde(default)]
    pub population: PopulationSection,
    /// How: relative weights.
    #[serde(default)]
    pub interruption: InterruptionSection,
    /// What the reclaim scanner issues.
    #[serde(default)]
    pub grant: GrantSection,
    /// How claims are offered.
    #[serde(default)]
    pub load: LoadSection,
    /// How the arms are compared. Without it, two or more variants are compared with the defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare: Option<CompareSection>,
    /// When a difference from a stored result fails a build.
    #[serde(default)]
    pub gate: GateSection,
    /// The arms: at least one.
    #[serde(default, rename = "variant")]
    pub variants: Vec<VariantSection>,
    /// Where threads run, and whether cores may sleep.
    #[serde(default, skip_serializing_if = "MachineSection::is_empty")]
    pub machine: MachineSection,
    /// Service level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slo: Option<SloSection>,
    /// How the capacity command searches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacitySection>,
    /// The same run for several values of one key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepSection>,
}

/// `[cluster]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterSection {
    /// Who runs the servers.
    pub provider: Provider,
    /// Primaries of a cluster that the tool builds, 1 to 64.
    pub primaries: u16,
    /// Replicas of each primary, 0 to 5.
    pub replicas: u16,
    /// Some nodes of a running cluster, as `host:port`; the others are discovered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
}

impl Default for ClusterSection {
    fn default() -> Self {
        Self { provider: Provider::Auto, primaries: 3, replicas: 0, nodes: Vec::new() }
    }
}

/// `[library]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LibrarySection {
    /// Another version of the library: the path of its source, `<rev>:<path>` to read it with git, or `published`,
    /// which is the default. Paths in a scenario file are relative to the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// `[population]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PopulationSection {
    /// Executions to create.
    pub executions: u32,
    /// Lanes that they are spread over.
    pub lanes: u16,
    /// Flow partitions that they are spread over.
    pub partitions: PartitionsForm,
    /// How evenly.
    pub skew: SkewForm,
    /// How evenly they are spread over the lanes.
    pub lane_skew: SkewForm,
    /// Size of each input payload.
    pub payload_bytes: u32,
}

impl Default for PopulationSection {
    fn default() -> Self {
        Self {
            executions: 4_000,
            lanes: 4,
            partitions: PartitionsForm::Word(PartitionsWord::Published),
            skew: SkewForm::Uniform,
            lane_skew: SkewForm::Uniform,
            payload_bytes: 256,
        }
    }
}

/// `"published"`, or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "\"published\" or a whole number of partitions")]
pub enum PartitionsForm {
    /// A word.
    Word(PartitionsWord),
    /// This many; for clusters that the tool owns.
    Count(u16),
}

/// Words that stand for a number of partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartitionsWord {
    /// What the deployment publishes in `ff:config:partitions`, else FlowFabric's default.
    Published,
}

/// How evenly executions are spread: `"uniform"`, or `{ zipf = 1.1 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SkewForm {
    /// Sizes differ by at most one.
    Uniform,
    /// Zipf with this exponent, over 0 and at most 5.
    Zipf(f64),
}

/// `[interruption]`: relative weights, at least one of them positive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InterruptionSection {
    /// Suspended, then a signal satisfies the condition.
    #[serde(default)]
    pub signal: f64,
    /// Suspended, then the suspension times out into a resume.
    #[serde(default)]
    pub timeout: f64,
    /// Suspended, then an operator resumes.
    #[serde(default)]
    pub operator: f64,
    /// Delayed, then promoted.
    #[serde(default)]
    pub delay: f64,
}

impl Default for InterruptionSection {
    /// Signals only. A section that is there starts from zero instead, so that it says all there is.
    fn default() -> Self {
        Self { signal: 1.0, timeout: 0.0, operator: 0.0, delay: 0.0 }
    }
}

/// `[grant]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GrantSection {
    /// Time to live of a grant.
    pub ttl: HumanDuration,
    /// Share of the grants, 0 to 1, that nobody claims before they expire; they are claimed too late.
    pub unconsumed: f64,
    /// Lease that a claim asks for.
    pub lease_ttl: HumanDuration,
    /// Pause of the reclaim scanner between two scans of one primary, in churn.
    pub scan_interval: HumanDuration,
}

impl Default for GrantSection {
    fn default() -> Self {
        Self {
            ttl: HumanDuration::from_secs(600),
            unconsumed: 0.0,
            lease_ttl: HumanDuration::from_secs(600),
            scan_interval: HumanDuration::from_millis(10),
        }
    }
}

/// `[load]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LoadSection {
    /// Stock first, or everything together.
    pub mode: Mode,
    /// Closed or open loop.
    pub model: ModelForm,
    /// Closed loop: claims in flight. Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Open loop: claims per second over all primaries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Open loop: spacing of the claims. Default `"constant"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<ArrivalsForm>,
    /// Connections to each primary.
    pub connections: u16,
    /// Length of the window in claims over all arms; the control and the counter blocks come on top.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<u64>,
    /// Length of the window in time. Either this or `claims`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<HumanDuration>,
    /// Claims before the window that are not recorded.
    pub warmup: u64,
    /// Longest wait for one reply.
    pub timeout: HumanDuration,
    /// Workers that race for each grant.
    pub contenders: u16,
    /// Whether each claim is followed by the reads of the task's context that the SDK makes.
    pub task_context: bool,
    /// What lies between the worker and the cluster.
    pub network: NetworkSection,
}

impl Default for LoadSection {
    fn default() -> Self {
        Self {
            mode: Mode::Staged,
            model: ModelForm::Closed,
            concurrency: None,
            rate: None,
            arrivals: None,
            connections: 1,
            claims: None,
            duration: None,
            warmup: 0,
            timeout: HumanDuration::from_secs(5),
            contenders: 1,
            task_context: false,
            network: NetworkSection::default(),
        }
    }
}

/// `load.model`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelForm {
    /// A fixed number of workers, each claiming again as soon as it is done.
    Closed,
    /// A schedule decides, whatever the cluster does.
    Open,
}

/// `load.arrivals`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ArrivalsForm {
    /// Evenly spaced.
    Constant,
    /// Exponential gaps.
    Poisson,
    /// `{ burst = { size = 500, every = "1s" } }`
    Burst(BurstForm),
    /// `{ ramp = { from = 100.0, over = "30s" } }`: evenly spaced, faster and faster up to `load.rate`.
    Ramp(RampForm),
    /// `{ trace = "arrivals.txt" }`: a file with one time per line, as seconds or RFC 3339 in UTC, replayed with its
    /// own gaps. Its path is relative to the scenario's file; set by an option, to the current directory.
    Trace(String),
}

/// `load.arrivals.ramp`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RampForm {
    /// Claims per second at the start.
    pub from: f64,
    /// Time until `load.rate` is reached; from then on that stays.
    pub over: HumanDuration,
}

/// `load.arrivals.burst`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BurstForm {
    /// Claims per burst.
    pub size: u32,
    /// From burst to burst.
    pub every: HumanDuration,
}

/// `[load.network]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkSection {
    /// Simulated extra time per round trip; marked in every result.
    pub added_rtt: HumanDuration,
}

/// `[compare]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CompareSection {
    /// Name of the arm that the others are compared with. Default: the first variant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// Groups of claims in which the arms are mixed at random.
    pub strata: u32,
    /// Groups in which both sides are the baseline: what noise alone does. Default: as many as `strata`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_strata: Option<u32>,
    /// Blocks of one arm each, per arm, around which the servers' counters are read.
    pub counter_blocks: u32,
    /// Claims in one such block.
    pub block_claims: u32,
    /// Metrics that are judged.
    pub metrics: Vec<String>,
    /// Differences smaller than this share are noise.
    pub noise_threshold: f64,
    /// Confidence of every interval.
    pub confidence: f64,
    /// Whether the arms take turns claim by claim or in blocks of one arm alone.
    #[serde(skip_serializing_if = "MixingForm::is_auto")]
    pub mixing: MixingForm,
    /// Where the control's claims come from.
    #[serde(skip_serializing_if = "ControlForm::is_own")]
    pub control: ControlForm,
}

/// `compare.mixing`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MixingForm {
    /// Claim by claim where claims do not queue, else in blocks.
    #[default]
    Auto,
    /// Claim by claim: what the machine does, it does to all arms alike. Only where claims do not queue.
    Claims,
    /// In blocks of one arm alone, in random order, with a drain between them.
    Blocks,
}

impl MixingForm {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's `skip_serializing_if` gives a reference")]
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

/// `compare.control`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ControlForm {
    /// Strata of its own with the baseline on both sides, `control_strata` of them. Blocks never have them.
    #[default]
    Own,
    /// In every stratum the baseline has two sides: they are the control, and together the baseline. Half as many
    /// claims for the same certainty; `control_strata` does not count.
    Shared,
}

impl ControlForm {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's `skip_serializing_if` gives a reference")]
    fn is_own(&self) -> bool {
        *self == Self::Own
    }
}

impl Default for CompareSection {
    fn default() -> Self {
        Self {
            baseline: None,
            strata: 100,
            control_strata: None,
            counter_blocks: 20,
            block_claims: 250,
            metrics: ["service_p50", "service_p99", "server_cpu"].map(String::from).to_vec(),
            noise_threshold: 0.02,
            confidence: 0.95,
            mixing: MixingForm::Auto,
            control: ControlForm::Own,
        }
    }
}

/// `[gate]`: what makes the command fail. The thresholds are for a comparison with a stored result, as shares;
/// FlowFabric's own are the defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GateSection {
    /// Whether the verdicts of the run decide its exit code (1 for a regression, 3 for an inconclusive metric). Off,
    /// a run that answers its question is a success whatever the answer is.
    pub enforce: bool,
    /// Loss of throughput that warns.
    pub throughput_warn: f64,
    /// Loss of throughput that fails.
    pub throughput_fail: f64,
    /// Rise of the 99th percentile that warns.
    pub p99_warn: f64,
    /// Rise of the 99th percentile that fails.
    pub p99_fail: f64,
    /// Share of a variant's claims that may fail; beyond it the run is invalid.
    #[serde(skip_serializing_if = "is_usual_failed")]
    pub failed: f64,
}

/// Results of before the key do not have it, and those of now only where it is set.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_usual_failed(failed: &f64) -> bool {
    failed.total_cmp(&GateSection::default().failed).is_eq()
}

impl Default for GateSection {
    fn default() -> Self {
        Self {
            enforce: false,
            throughput_warn: 0.05,
            throughput_fail: 0.10,
            p99_warn: 0.10,
            p99_fail: 0.20,
            failed: 0.5,
        }
    }
}

/// `[[variant]]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VariantSection {
    /// Name in results: lower-case letters, digits and `-`.
    pub name: String,
    /// The way of claiming.
    pub path: VariantPath,
    /// A function library of this arm's own, named as in `[library]`: a library duet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub library: Option<String>,
}

/// `[slo]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SloSection {
    /// Bound of the response time's 99th percentile.
    pub response_p99: HumanDuration,
    /// Where the level is hopelessly missed: once more than a hundredth of the claims took longer than this, or were not
    /// answered, in each of five seconds on end, the run is ended. It fails then, whatever the gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort: Option<HumanDuration>,
}

impl ScenarioFile {
    /// Fills in the defaults that depend on other keys. Doing it twice changes nothing.
    pub fn resolve(&mut self) {
        match self.load.model {
            ModelForm::Closed => self.load.concurrency = self.load.concurrency.or(Some(1)),
            ModelForm::Open => {
                self.load.arrivals.get_or_insert(ArrivalsForm::Constant);
            }
        }
        if self.variants.len() > 1 {
            let first = &self.variants[0].name;
            let compare = self.compare.get_or_insert_default();
            compare.baseline.get_or_insert_with(|| first.clone());
            compare.control_strata.get_or_insert(compare.strata);
        }
    }
}
