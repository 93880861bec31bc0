//! The validated scenario: every combination in here makes sense, later code never checks again.

use std::time::Duration;

use super::arrivals::Arrivals;
use super::choices::{Mode, Provider, VariantPath};
use super::fault::FaultSpec;
use super::file::ScenarioFile;
use super::library::LibrarySource;
use super::machine::MachineSection;
use super::metric::Metric;
use super::node_name::NodeName;
use super::sdk_source::SdkSource;
use super::server::ArmServer;

/// What one run does, validated. It owns the [`ScenarioFile`] that it was made from, which is what results
/// embed.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Name, also the first part of the result directory's name.
    pub name: String,
    /// One line for lists.
    pub summary: String,
    /// What cluster to build where the tool builds one.
    pub cluster: ClusterSpec,
    /// The function library that every primary must run.
    pub library: LibrarySource,
    /// Who is interrupted.
    pub population: Population,
    /// How executions are interrupted, by weight.
    pub interruption: InterruptionMix,
    /// The grants that the reclaim scanner issues.
    pub grant: GrantSpec,
    /// How claims are offered.
    pub load: Load,
    /// How the arms are compared; `None` where there is one variant.
    pub compare: Option<Compare>,
    /// The arms. The first one is the baseline unless [`Compare::baseline`] says otherwise. Never empty.
    pub variants: Vec<VariantSpec>,
    /// Where threads run, and whether cores may sleep.
    pub machine: MachineSection,
    /// Service level, judged on response time, and after faults.
    pub slo: Option<Slo>,
    /// What is done to the servers in the window, in the order of time. With any, the loop is open and there
    /// is one variant.
    pub faults: Vec<FaultSpec>,
    /// Where all of this comes from, with every default filled in.
    pub(super) file: ScenarioFile,
}

impl Scenario {
    /// The file form, with every default filled in and every option applied.
    pub fn file(&self) -> &ScenarioFile {
        &self.file
    }

    /// Position of the arm that the others are compared with; that of the first one where nothing is compared.
    pub fn baseline(&self) -> usize {
        let name = self.compare.as_ref().map(|compare| &compare.baseline);
        self.variants.iter().position(|variant| Some(&variant.name) == name).unwrap_or(0)
    }
}

/// The cluster that a run works on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSpec {
    /// Who runs its servers.
    pub provider: Provider,
    /// Some nodes of a running one; empty where the tool starts servers.
    pub nodes: Vec<NodeName>,
    /// Primaries, 1 to 64.
    pub primaries: u16,
    /// Replicas of each primary.
    pub replicas: u16,
    /// The servers' `cluster-node-timeout`; `None` is the tool's own.
    pub node_timeout: Option<Duration>,
}

/// The executions that a run creates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Population {
    /// How many.
    pub executions: u32,
    /// Lanes that they are spread over.
    pub lanes: u16,
    /// Partitions that they are spread over.
    pub partitions: PartitionCount,
    /// How evenly.
    pub skew: Skew,
    /// How evenly they are spread over the lanes.
    pub lane_skew: Skew,
    /// Size of each input payload.
    pub payload_bytes: u32,
}

/// How many flow partitions the executions are spread over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionCount {
    /// What the deployment publishes in `ff:config:partitions`, else FlowFabric's default of 256.
    Published,
    /// A fixed number, for clusters that the tool owns.
    Count(u16),
}

/// Distribution of executions over partitions or lanes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Skew {
    /// Round robin: sizes differ by at most one.
    Uniform,
    /// Zipf with this exponent.
    Zipf(f64),
}

/// Relative weights of the kinds of interruption; at least one is positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InterruptionMix {
    /// Suspended, then a signal satisfies the condition.
    pub signal: f64,
    /// Suspended, then the suspension times out into a resume.
    pub timeout: f64,
    /// Suspended, then an operator resumes.
    pub operator: f64,
    /// Delayed, then promoted.
    pub delay: f64,
}

/// How grants are issued.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GrantSpec {
    /// Time to live of a grant.
    pub ttl: Duration,
    /// Share of the grants (0 to 1) that no worker claims before they expire; they are claimed late.
    pub unconsumed: f64,
    /// Lease that a claim asks for.
    pub lease_ttl: Duration,
    /// Pause of the reclaim scanner between two scans of one primary, in churn.
    pub scan_interval: Duration,
}

/// How claims are offered to the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// Stock first, or everything together.
    pub mode: Mode,
    /// Closed or open loop.
    pub model: Model,
    /// Connections per primary.
    pub connections: u16,
    /// How long the window is.
    pub amount: Amount,
    /// Claims before the window that are not recorded.
    pub warmup: u64,
    /// Longest wait for one reply.
    pub timeout: Duration,
    /// Workers that hold the same grant and race for it; 1 is the normal case.
    pub contenders: u16,
    /// Whether each claim is followed by the SDK's task-context reads.
    pub task_context: bool,
    /// Simulated extra time per round trip.
    pub added_rtt: Duration,
}

/// Who decides when a claim is made.
#[derive(Clone, Debug, PartialEq)]
pub enum Model {
    /// This many virtual workers, each claiming again as soon as it is done.
    Closed {
        /// Claims in flight.
        concurrency: u32,
    },
    /// A schedule decides, whatever the cluster does.
    Open {
        /// Claims per second, over all primaries.
        rate_per_sec: f64,
        /// Spacing of the schedule.
        arrivals: Arrivals,
    },
}

impl Model {
    /// Whether the rate changes during the run.
    pub fn is_ramp(&self) -> bool {
        matches!(self, Self::Open { arrivals: Arrivals::Ramp { .. }, .. })
    }
}

/// Length of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Exactly this many claims over all arms, control strata and counter blocks not included.
    Claims(u64),
    /// Until this time has passed.
    Duration(Duration),
    /// All arrivals of a trace.
    Trace,
}

/// How arms are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Compare {
    /// Name of the arm that the others are compared with.
    pub baseline: String,
    /// Strata in which the arms are mixed.
    pub strata: u32,
    /// Blocks of one arm each, in random order, between which server counters are read.
    pub counter_blocks: u32,
    /// Claims in one counter block.
    pub block_claims: u32,
    /// Metrics that are judged, in the order asked for.
    pub metrics: Vec<Metric>,
    /// Differences smaller than this share are noise.
    pub noise_threshold: f64,
    /// Confidence of every interval, e.g. 0.95.
    pub confidence: f64,
    /// How the arms take turns.
    pub mixing: Mixing,
    /// Where the control's claims come from.
    pub control: ControlSides,
}

/// Where the claims come from that compare the baseline with itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlSides {
    /// So many strata of their own (`control_strata`), with the baseline on both sides.
    OwnStrata(u32),
    /// The baseline's claims of every stratum, dealt to two sides: no claim is made for the control, and
    /// every arm runs equally often.
    Halves,
    /// The baseline once more in every stratum: a block, or claims by a second process or on a second
    /// cluster, for two instances of one program differ by a little.
    SideOfItsOwn,
}

impl Compare {
    /// Strata that are the control's alone.
    pub fn own_controls(&self) -> u32 {
        if let ControlSides::OwnStrata(strata) = self.control { strata } else { 0 }
    }

    /// Whether there is a control.
    pub fn is_controlled(&self) -> bool {
        self.control != ControlSides::OwnStrata(0)
    }
}

/// How the arms of a comparison take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mixing {
    /// Claim by claim in random order.
    Claims,
    /// In blocks of one arm alone.
    Blocks,
}

/// One arm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariantSpec {
    /// Name in results.
    pub name: String,
    /// The way of claiming.
    pub path: VariantPath,
    /// A function library of this arm's own (library duet), loaded beside the run's.
    pub library: Option<LibrarySource>,
    /// The SDK that a worker of its own is built against, which makes its claims (SDK duet).
    pub sdk: Option<SdkSource>,
    /// Whether its library counts and times what its functions call.
    pub instrumented: bool,
    /// A server of this arm's own (server duet), on whose cluster it claims.
    pub server: Option<ArmServer>,
    /// Whether each claim waits until replicas have it.
    pub wait: Option<ReplicaWait>,
}

/// WAIT after a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaWait {
    /// How many replicas must have the claim.
    pub replicas: u16,
    /// Longest wait for them.
    pub timeout: Duration,
}

/// What a claim does beside taking its lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// Reads the task's context.
    pub task_context: bool,
    /// Waits for replicas.
    pub wait_replicas: bool,
}

impl VariantSpec {
    /// What its claims do beside taking their leases.
    pub fn extras(&self, task_context: bool) -> Extras {
        Extras { task_context, wait_replicas: self.wait.is_some() }
    }
}

/// Service level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slo {
    /// Bound of the response time's 99th percentile.
    pub response_p99: Option<Duration>,
    /// Response time beyond which the level is hopelessly missed, and the run ended.
    pub abort: Option<Duration>,
    /// Time after a fault within which everything must be as it was before.
    pub recovery: Option<Duration>,
}
