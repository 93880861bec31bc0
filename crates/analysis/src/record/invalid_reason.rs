//! What can be wrong with a run.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{InjectionFailure, RedirectKind};
use crate::scenario::{FaultKind, FaultTarget};

/// A client that is not this run's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ForeignClient {
    /// Where it connects from.
    pub addr: String,
    /// What it calls itself, or its library; empty where it says nothing.
    pub name: String,
    /// Commands that it sent between the start and the end of the windows.
    pub commands: u64,
}

/// Something that makes a result invalid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "fault")]
pub enum InvalidReason {
    /// The servers counted other commands than the tool sent.
    CountersDisagree {
        /// The primary.
        primary: String,
        /// The command.
        command: String,
        /// Sent by the tool.
        sent: u64,
        /// Counted by the server.
        counted: u64,
    },
    /// A server counted other redirects than the tool met.
    RedirectsDisagree {
        /// The primary.
        primary: String,
        /// Which.
        redirect: RedirectKind,
        /// Met by the tool.
        met: u64,
        /// Counted by the server.
        counted: u64,
    },
    /// The variants send other commands than their definition says.
    UnexpectedCommands {
        /// The arm.
        arm: String,
        /// The command.
        command: String,
        /// By definition, per claim.
        expected: f64,
        /// Measured, per claim.
        measured: f64,
    },
    /// A server restarted, failed over or had its counters reset in the window.
    ServerChanged {
        /// The primary.
        primary: String,
        /// What changed.
        detail: String,
    },
    /// Somebody else's commands ran on a server in the window.
    ForeignCommands {
        /// The primary.
        primary: String,
        /// Calls that neither the tool sent nor a function of the library can have made, by command.
        commands: BTreeMap<String, u64>,
    },
    /// Somebody else's clients asked something of a server between the start and the end of the windows.
    ForeignClients {
        /// The primary.
        primary: String,
        /// Who, by what the server knows of it (`CLIENT LIST`).
        clients: Vec<ForeignClient>,
    },
    /// Somebody else's clients came to a server in the window and left again: whether they asked what
    /// functions run as well nobody can tell.
    PassingClients {
        /// The primary.
        primary: String,
        /// Connections beyond the tool's own and those that are still there.
        connections: u64,
    },
    /// A condition was another one at the end of a window than at the start of the run.
    ConditionChanged {
        /// The primary.
        primary: String,
        /// A setting, a library, the number of replicas in sync, the owner of a slot.
        condition: String,
        /// At the start.
        before: String,
        /// At the end.
        after: String,
    },
    /// A server of a server duet was not what its arm asks for.
    OtherServer {
        /// Whose cluster it is in.
        cluster: String,
        /// The primary; `None` where no primary told.
        primary: Option<String>,
        /// Whether that was read after the last window, and not before the first.
        after: bool,
        /// The version, the allocator, a setting, how many primaries told.
        what: String,
        /// What was asked for.
        asked: String,
        /// What was found.
        found: String,
    },
    /// A server threw keys away to stay below its `maxmemory`.
    Evicted {
        /// The primary.
        primary: String,
        /// How many in the window.
        keys: u64,
    },
    /// A server refused commands because it was out of memory.
    OutOfMemory {
        /// The primary.
        primary: String,
        /// How many in the window.
        commands: u64,
    },
    /// A fault that the scenario asks for was not carried out.
    NotInjected {
        /// Which, from 0.
        number: u32,
        /// What it is.
        kind: FaultKind,
        /// To which server, by its role.
        target: FaultTarget,
        /// Why not.
        failure: InjectionFailure,
    },
    /// Due claims found no grant.
    StockRanOut {
        /// How many.
        claims: u64,
    },
    /// Executions of a storm hold no lease at its end: work was lost, and the others' times do not show it.
    NeverResumed {
        /// How many.
        executions: u64,
        /// Of how many.
        of: u64,
    },
    /// Arms that were mixed claim by claim waited in one queue.
    SharedQueue {
        /// Claims in flight on average.
        in_flight: f64,
        /// How many there may be, over all primaries.
        limit: f64,
    },
    /// The generator sent too late for its clock to be trusted.
    SendLag {
        /// 99th percentile of the send lag.
        p99_us: f64,
        /// What it may be.
        limit_us: f64,
    },
    /// Not one claim of a variant succeeded in the window: there is nothing to measure.
    NothingClaimed {
        /// The arm.
        arm: String,
        /// Claims that should have been made.
        planned: u64,
    },
    /// So many claims of a variant failed that the times of the others say nothing (`gate.failed`).
    TooManyFailed {
        /// The arm.
        arm: String,
        /// Sent claims that failed.
        failed: u64,
        /// Claims sent.
        sent: u64,
        /// Share that may fail.
        limit: f64,
    },
    /// Claims that were made once their grants had run out (`grant.unconsumed`) got their leases, which a
    /// function library must refuse them.
    ExpiredGrantsClaimed {
        /// The arm.
        arm: String,
        /// How many did.
        claimed: u64,
        /// Claims of grants that had run out.
        late: u64,
    },
    /// Nothing was claimed for a large part of a closed loop's window: its workers waited, and the claims
    /// that were not made in that time are in no quantile.
    Stalled {
        /// The longest span without a claim, in seconds.
        longest_s: f64,
        /// Share of the window of all such spans from a tenth of a second on; of the longest alone where
        /// claims take as long themselves.
        share: f64,
    },
    /// The audit found that claims did not do what they promise.
    AuditViolation {
        /// What.
        violation: Violation,
        /// How many grants or executions.
        count: u64,
    },
    /// The same, as earlier versions told it.
    Audit {
        /// In words.
        detail: String,
    },
    /// A histogram of the record cannot be read: there are no figures of it.
    DamagedHistogram {
        /// Which.
        histogram: String,
        /// What is wrong with it.
        detail: String,
    },
    /// This is one of several generators' records of a run: alone it says nothing, and the others have the
    /// rest.
    PartOfARun {
        /// Which part, from 1.
        part: u32,
        /// Of how many.
        of: u32,
    },
    /// A generator began a window, or a block, later than the first one: the load was not the one that was
    /// asked for.
    BeganLate {
        /// Which part, from 1.
        part: u32,
        /// Which window or block, from 1 in the order of time.
        window: u32,
        /// How much later, in microseconds.
        late_us: u64,
        /// What it may be.
        limit_us: u64,
    },
    /// A generator began its windows and blocks, all together, so late that much of their time was over: the
    /// load was not the one that was asked for.
    LateBeginnings {
        /// Which part, from 1.
        part: u32,
        /// Share of the time of all windows and blocks.
        share: f64,
        /// What it may be.
        limit: f64,
    },
    /// A generator of a closed loop was done with its claims long before the others: from then on the load
    /// was not the one that was asked for.
    DoneEarly {
        /// Which part, from 1.
        part: u32,
        /// Share of the window that was left.
        share: f64,
        /// What it may be.
        limit: f64,
    },
    /// Something that one of several generators met, or was.
    OfGenerator {
        /// Which part, from 1.
        part: u32,
        /// What.
        what: Box<Self>,
    },
    /// A phase could not be carried out to its end.
    Infrastructure {
        /// In words.
        detail: String,
    },
}

impl InvalidReason {
    /// The reason itself, whoever of several generators met it.
    pub fn itself(&self) -> &Self {
        match self {
            Self::OfGenerator { what, .. } => what.itself(),
            other => other,
        }
    }
}

/// What an audit can find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Violation {
    /// Grants that nothing explains.
    GrantsUnaccounted,
    /// Grants that more than one claim consumed.
    GrantsConsumedTwice,
    /// Executions without the attempt of their first claim.
    AttemptLost,
    /// Executions with a lease epoch other than their number of claims.
    WrongLeaseEpoch,
    /// Executions in a state that the run did not leave them in.
    WrongState,
    /// Executions that lack what a claim promises to write.
    WritesMissing,
    /// Grants that are missing from the audit's own sum.
    SumOfGrants,
}
