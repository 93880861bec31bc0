//! What the reader of a run should know.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ForeignClient;
use super::main_thread::MainThreadDoubt;
use super::usage::{GeneratorUse, OTHERS_WORTH_A_WARNING, STOLEN, is_busy};
use crate::scenario::{FaultKind, Metric};

/// Something a reader should know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "warning")]
pub enum Warning {
    /// Built without optimisation.
    DebugBuild,
    /// Generator and servers share cores.
    SharedMachine {
        /// Cores for all of them.
        cores: u32,
    },
    /// Some claims failed.
    Errors {
        /// The arm.
        arm: String,
        /// How many.
        errors: u64,
        /// Of how many.
        sent: u64,
    },
    /// Claims were sent and have no time: their replies were lost, or servers refused them or sent them
    /// elsewhere. No quantile knows of them.
    Untimed {
        /// The arm.
        arm: String,
        /// How many.
        claims: u64,
        /// Of how many that were sent.
        of: u64,
        /// What they would make of each 99th percentile that the arm has.
        p99: Vec<UntimedP99>,
    },
    /// Nothing was claimed for a part of a closed loop's window.
    Stall {
        /// The longest span without a claim, in seconds.
        longest_s: f64,
        /// Share of the window of all such spans from a tenth of a second on; of the longest alone where
        /// claims take as long themselves.
        share: f64,
    },
    /// A generator of a closed loop was done with its claims before the others: from then on the load was a
    /// smaller one.
    DoneEarly {
        /// Which part, from 1.
        part: u32,
        /// Share of the window that was left.
        share: f64,
    },
    /// The generator sent late, by no more than a timer and a scheduler take at best.
    LateSends {
        /// 99th percentile of the send lag.
        p99_us: f64,
        /// What it should be.
        limit_us: f64,
    },
    /// The generator's thread was busy most of the time: it may be the limit.
    GeneratorBusy {
        /// Share of the window that its thread ran.
        share: f64,
    },
    /// The run came near to what the generator reaches with a function that does nothing: it is the limit.
    GeneratorCeiling {
        /// Requests per second of the run.
        requests_per_sec: f64,
        /// Calibrated ceiling at the run's number of requests in flight.
        ceiling_per_sec: f64,
    },
    /// Other load on the machine in the window.
    BusyMachine {
        /// Share of all cores that neither this tool nor its servers used.
        share: f64,
    },
    /// Intervals of medians that are compared are wider for the programs that ran beside them.
    WiderBesideOthers {
        /// By this share of an effect, on either side.
        share: f64,
    },
    /// What variants differ by was another thing in the second half of the run: its figure is one of how long it
    /// lasted.
    EffectChanged {
        /// The variant that is compared.
        candidate: String,
        /// The first metric of the scenario.
        metric: Metric,
        /// Candidate over baseline in the first half.
        first: f64,
        /// In the second half.
        second: f64,
    },
    /// The median claim took much longer or shorter than in the runs before on this machine: it was in
    /// another state.
    UnlikeBefore {
        /// The arm, the first of the run.
        arm: String,
        /// Its median service time in this run, in microseconds.
        now_us: f64,
        /// The shortest of the runs before.
        low_us: f64,
        /// The longest of them.
        high_us: f64,
        /// How many there are.
        runs: u64,
    },
    /// The host of the virtual machine ran something else in the window when threads here could have run.
    CoresStolen {
        /// Share of all cores.
        share: f64,
    },
    /// A control group's CPU quota held this process back in the window.
    Throttled {
        /// Periods in which it was used up.
        periods: u64,
        /// Time that threads were held back, in seconds.
        seconds: f64,
    },
    /// Somebody else's commands ran on a server that may be shared (`--shared`): the servers' figures are
    /// withheld.
    ForeignCommands {
        /// The primary.
        primary: String,
        /// Calls that neither the tool sent nor a function of the library can have made, by command.
        commands: BTreeMap<String, u64>,
    },
    /// Somebody else's clients used a server that may be shared (`--shared`): the servers' figures are
    /// withheld.
    ForeignClients {
        /// The primary.
        primary: String,
        /// Who, by what the server knows of it (`CLIENT LIST`).
        clients: Vec<ForeignClient>,
    },
    /// Somebody else's clients came to a server that may be shared (`--shared`) and left again: the servers'
    /// figures are withheld.
    PassingClients {
        /// The primary.
        primary: String,
        /// Connections beyond the tool's own and those that are still there.
        connections: u64,
    },
    /// Further runs on this cluster were refused, and what they had asked by then is in the windows. They
    /// reported their commands, so these are not counted as a stranger's.
    Visited {
        /// Which processes.
        processes: Vec<String>,
        /// Calls in the windows.
        commands: u64,
    },
    /// A client is sent all that a server does (`MONITOR`), which slows the server down.
    Monitored {
        /// The primary.
        primary: String,
        /// Who, by what the server knows of it (`CLIENT LIST`).
        clients: Vec<ForeignClient>,
    },
    /// A server forked in the window, to save or to rewrite its log: the copied pages slow it down.
    Forked {
        /// The primary.
        primary: String,
        /// How often.
        times: u64,
    },
    /// Connections to a server broke while claims were made, at a time at which no fault that was asked for explains it.
    ConnectionsLost {
        /// The primary.
        primary: String,
        /// How many.
        connections: u64,
    },
    /// The machine moved memory to or from disk in the window.
    Swapping {
        /// Pages, both ways.
        pages: u64,
    },
    /// Servers lost what they had acknowledged: a replica that took over had not got it yet, or one came back
    /// empty.
    LostByServer {
        /// Grants that were issued, or claims that were made, and are gone.
        grants: u64,
        /// Further executions that went back by a step.
        executions: u64,
    },
    /// A fault went on after the last claim was due: what claims meet from there on is in no figure.
    FaultOutlastedLoad {
        /// Which, from 0.
        number: u32,
        /// What it is.
        kind: FaultKind,
        /// How long before its end the load was over, in seconds.
        by_s: f64,
    },
    /// Claims hold their lease, and too few replicas had them when the wait for these ended
    /// (`variant.wait_replicas`).
    Unreplicated {
        /// The arm.
        arm: String,
        /// How many.
        claims: u64,
        /// Of how many.
        of: u64,
    },
    /// Keys could not be removed.
    LeftOver {
        /// Commands that failed, each of which leaves at least one key.
        keys: u64,
    },
    /// Planned claims were not sent before the end.
    NotSent {
        /// The arm.
        arm: String,
        /// How many.
        claims: u64,
    },
    /// Workers of a closed loop found no grant in stock.
    EmptyStock {
        /// The arm.
        arm: String,
        /// How many claims.
        claims: u64,
    },
    /// Bare round trips of the ruler had no answer.
    RulersUnanswered {
        /// How many.
        round_trips: u64,
    },
    /// The generator was late and had no real-time priority.
    NoRealTime,
    /// Something that one of several generators was.
    OfGenerator {
        /// Which part, from 1.
        part: u32,
        /// What.
        what: Box<Self>,
    },
    /// Latency changed its level in the window.
    LevelShifted {
        /// The arm.
        arm: String,
        /// Share of the arm's claims that were made before.
        share: f64,
    },
    /// The run was stopped before its end.
    Interrupted,
    /// The baseline that was asked for is no arm of the run.
    NoBaseline {
        /// Its name.
        name: String,
    },
    /// The version that made the record took something else for the metric than this one does: its figures
    /// are left out.
    OtherDefinition {
        /// The metric.
        metric: Metric,
    },
    /// The servers' CPU is left out for the clock by which it was told.
    MainThreadTimes {
        /// Why.
        why: MainThreadDoubt,
    },
    /// Blocks of a closed loop have no part in which all claims were in flight, as the others have: no rate
    /// is of them.
    BlocksWithoutRate {
        /// How many in which claims succeeded.
        blocks: u64,
        /// Of how many.
        of: u64,
    },
    /// A metric that was to be judged has no values.
    NotMeasured {
        /// The metric.
        metric: String,
        /// Of which arm.
        arm: String,
    },
    /// Anything else, as earlier versions told it.
    Note {
        /// In words.
        text: String,
    },
}

/// A 99th percentile, and what it is with claims that have no time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UntimedP99 {
    /// Which.
    pub metric: Metric,
    /// Of the claims that have a time, in microseconds.
    pub known_us: f64,
    /// With all others later than these; `None` where it is one of those, and longer than any time that is
    /// known.
    pub with_late_us: Option<f64>,
}

impl Warning {
    /// The warning itself, whichever of several generators it is of.
    pub fn itself(&self) -> &Self {
        match self {
            Self::OfGenerator { what, .. } => what.itself(),
            other => other,
        }
    }

    /// What other programs and the host took of `cores` cores: all that neither the tool nor, where they run
    /// there, its servers had.
    pub fn of_cores_taken(used: &GeneratorUse, cores: u32, servers_here: bool) -> Vec<Self> {
        let others = used.others_share(cores, servers_here).filter(|share| is_busy(*share, cores));
        let stolen = used.stolen_share(cores).filter(|share| *share > STOLEN);
        let others = others.map(|share| Self::BusyMachine { share });
        others.into_iter().chain(stolen.map(|share| Self::CoresStolen { share })).collect()
    }

    /// Whether other programs used a machine of the run, or its host took from it, in the measure of a busy
    /// machine.
    pub fn is_of_a_busy_machine(&self) -> bool {
        match self.itself() {
            Self::BusyMachine { .. } => true,
            Self::CoresStolen { share } => *share > OTHERS_WORTH_A_WARNING,
            _ => false,
        }
    }
}
