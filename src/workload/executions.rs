//! [`Workload`]: the executions of one run, and what was done with them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use ff_core::types::{AttemptId, LaneId, LeaseId, WorkerId, WorkerInstanceId};

use super::error::WorkloadError;
use super::ledger::{GrantTotals, Ledger, Phase};
use super::nodes::Nodes;
use super::population::{ExecIndex, FIRST_ATTEMPT, INSTANCE, LaneIndex, PopulationPlan, SIGNAL, WORKER};
use super::ticket::{ClaimTicket, HeldLease};
use crate::cluster::Cluster;
use crate::flowfabric::{ExecutionKeys, OnTimeout, ResumeCondition, WorkerIdentity};
use reclaim_analysis::scenario::{GrantSpec, Scenario};

/// The executions of one run, and what was done with them.
///
/// All methods take `&self`: tasks of one thread share it. A method that takes a list of executions sends pipelined
/// batches to all primaries at once (staging); one whose name ends in `_one` sends a single call (churn).
pub struct Workload {
    pub(super) nodes: Nodes,
    pub(super) plan: PopulationPlan,
    pub(super) ledger: Ledger,
    pub(super) grant: GrantSpec,
    pub(super) payload: Vec<u8>,
    pub(super) worker: WorkerIdentity,
    pub(super) lanes: Vec<LaneId>,
    pub(super) condition: ResumeCondition,
    /// Partitions with executions of this run; each has a waitpoint secret.
    pub(super) partitions_used: RefCell<BTreeSet<u16>>,
    /// Those of them whose secret is ours.
    pub(super) own_secrets: RefCell<BTreeSet<u16>>,
}

impl Workload {
    /// Prepares a workload over `partitions` flow partitions (see [`partitions`](super::partitions)); sends nothing.
    pub fn new(cluster: Rc<Cluster>, scenario: &Scenario, seed: u64, partitions: u16) -> Self {
        let population = &scenario.population;
        let plan = PopulationPlan::new(seed, population, &scenario.interruption, partitions);
        let lanes = (0..plan.lanes()).map(|lane| PopulationPlan::lane_id(LaneIndex(lane))).collect();
        Self {
            nodes: Nodes::new(cluster),
            plan,
            ledger: Ledger::default(),
            grant: scenario.grant,
            payload: vec![b'.'; population.payload_bytes as usize],
            worker: worker(),
            lanes,
            condition: ResumeCondition::on_signal(SIGNAL, OnTimeout::AutoResume),
            partitions_used: RefCell::default(),
            own_secrets: RefCell::default(),
        }
    }

    /// Names and places of everything, as the seed determines them.
    pub fn plan(&self) -> &PopulationPlan {
        &self.plan
    }

    /// Who claims: grants are bound to it, and the leases' index of its instance is cleaned up.
    pub fn worker(&self) -> &WorkerIdentity {
        &self.worker
    }

    /// Where an execution stands, as far as replies told.
    pub fn phase(&self, exec: ExecIndex) -> Phase {
        self.ledger.read(exec, |e| e.phase)
    }

    /// Executions in a phase, in order of number; those with a call that ended without a reply are left out.
    pub fn in_phase(&self, phase: Phase) -> Vec<ExecIndex> {
        self.ledger.in_phase(phase)
    }

    /// How many executions there are, created or not.
    pub fn executions(&self) -> u32 {
        self.ledger.len()
    }

    /// Grants so far.
    pub fn grants(&self) -> GrantTotals {
        self.ledger.grants()
    }

    /// Lease to ask for in the next claim of an execution; `contender` tells apart workers that race for one grant.
    pub fn next_lease(&self, exec: ExecIndex, contender: u16) -> LeaseId {
        self.plan.lease_id(exec, self.ledger.read(exec, |e| e.claims) + 1, contender)
    }

    /// Attempt that a first claim of an execution must create.
    pub fn attempt_id(&self, exec: ExecIndex) -> AttemptId {
        self.plan.attempt_id(exec)
    }

    /// Records a claim that succeeded. The execution is active from here on.
    pub fn record_claim(&self, exec: ExecIndex, lease: &HeldLease) {
        let attempt = lease.attempt_id.as_ref();
        let same = attempt.is_none_or(|id| *id == self.plan.attempt_id(exec));
        self.ledger.claimed(exec, lease, same && lease.attempt_index == FIRST_ATTEMPT);
    }

    /// Records that a claim found its grant past its time. The execution stays eligible.
    pub fn record_expired(&self, exec: ExecIndex, ticket: &ClaimTicket) {
        self.ledger.expired(exec, ticket.grant.expires_at_ms);
    }

    /// Records that a claim ended without a reply and that nobody found out more. Where the execution is not claimed
    /// again, the audit settles the claim by what it reads.
    pub fn record_unanswered(&self, exec: ExecIndex) {
        self.ledger.change(exec, |e| e.uncertain = true);
    }

    /// Whether a call about the execution ended without a reply, and nobody has found out since whether it took effect.
    pub fn is_unsettled(&self, exec: ExecIndex) -> bool {
        self.ledger.read(exec, |e| e.uncertain)
    }

    pub(super) fn lane(&self, exec: ExecIndex) -> &LaneId {
        &self.lanes[usize::from(self.plan.lane(exec).0)]
    }

    pub(super) fn keys(&self, exec: ExecIndex) -> ExecutionKeys {
        ExecutionKeys::new(self.plan.partition(exec), &self.plan.execution_id(exec))
    }

    /// Checks that every one of `execs` stands in `wanted`.
    pub(super) fn expect_phase(&self, execs: &[ExecIndex], wanted: Phase) -> Result<(), WorkloadError> {
        match execs.iter().find(|&&exec| self.phase(exec) != wanted) {
            None => Ok(()),
            Some(&exec) => Err(WorkloadError::WrongPhase {
                execution: self.plan.execution_id(exec),
                phase: self.phase(exec),
                wanted,
            }),
        }
    }

    /// Pairs each execution with its partition, as [`exchange`](super::batch::exchange) wants them.
    pub(super) fn routed(&self, execs: &[ExecIndex]) -> Vec<(ff_core::partition::Partition, ExecIndex)> {
        execs.iter().map(|&exec| (self.plan.partition(exec), exec)).collect()
    }
}

fn worker() -> WorkerIdentity {
    WorkerIdentity { worker_id: WorkerId::new(WORKER), instance_id: WorkerInstanceId::new(INSTANCE) }
}
