//! [`Workload`]: the executions of one run, and what was done with them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ff_core::types::{AttemptId, AttemptIndex, LaneId, LeaseId};

use super::error::WorkloadError;
use super::ledger::{GrantTotals, Ledger, Phase};
use super::nodes::Nodes;
use super::population::{ExecIndex, LaneIndex, PopulationPlan, SIGNAL};
use super::slice::Slice;
use super::ticket::{ClaimTicket, HeldLease};
use crate::cluster::Cluster;
use crate::flowfabric::{ExecutionKeys, OnTimeout, ResumeCondition, WorkerIdentity};
use reclaim_analysis::scenario::{GrantSpec, Scenario};

/// How far a replica may be behind: one that is in sync, on a machine that is busy.
const REPLICATION_LAG: Duration = Duration::from_secs(5);

/// The executions of one run, and what was done with them.
///
/// All methods take `&self`: tasks of one thread share it. A method that takes a list of executions sends
/// pipelined batches to all primaries at once (staging); one whose name ends in `_one` sends a single call
/// (churn).
pub struct Workload {
    pub(super) nodes: Nodes,
    pub(super) plan: PopulationPlan,
    /// Which of the planned executions are this workload's.
    pub(super) slice: Slice,
    pub(super) ledger: Ledger,
    pub(super) grant: GrantSpec,
    pub(super) payload: Vec<u8>,
    pub(super) worker: WorkerIdentity,
    pub(super) lanes: Vec<LaneId>,
    pub(super) condition: ResumeCondition,
    /// Partitions with executions of this run; each has a waitpoint secret.
    pub(super) partitions_used: RefCell<BTreeSet<u16>>,
    /// Partitions among them whose secret is ours.
    pub(super) own_secrets: RefCell<BTreeSet<u16>>,
    /// Failovers that may have lost what had been acknowledged.
    pub(super) losses: RefCell<Vec<PossibleLoss>>,
}

/// A failover in which the replica may not have got all yet, or a server that came back empty.
#[derive(Clone, Debug)]
pub(super) struct PossibleLoss {
    partitions: BTreeSet<u16>,
    /// What was acknowledged in between may be gone; `None` where all is.
    between: Option<(Instant, Instant)>,
}

/// What may be gone of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MayBeLost {
    /// Nothing.
    Nothing,
    /// What was last acknowledged.
    Latest,
    /// The whole execution.
    Everything,
}

impl PossibleLoss {
    /// Whether executions of a flow partition may be concerned.
    pub(super) fn covers(&self, partition: u16) -> bool {
        self.partitions.contains(&partition)
    }

    /// Whether what was acknowledged at a moment may be gone.
    fn reaches(&self, acknowledged: Instant) -> bool {
        self.between.is_none_or(|(from, to)| (from..=to).contains(&acknowledged))
    }
}

impl Workload {
    /// Prepares a workload over `partitions` flow partitions (see [`partitions`](super::partitions)); sends
    /// nothing.
    pub fn new(cluster: Rc<Cluster>, scenario: &Scenario, seed: u64, partitions: u16) -> Self {
        Self::of_part(cluster, scenario, (seed, partitions), Slice::WHOLE)
    }

    /// The same for one of several generators: the plan is everybody's, and it creates, interrupts, grants,
    /// audits and removes its own executions alone.
    pub fn of_part(
        cluster: Rc<Cluster>,
        scenario: &Scenario,
        (seed, partitions): (u64, u16),
        slice: Slice,
    ) -> Self {
        let population = &scenario.population;
        let plan = PopulationPlan::new(seed, population, &scenario.interruption, partitions);
        let lanes = (0..plan.lanes()).map(|lane| slice.lane_id(LaneIndex(lane), plan.lanes())).collect();
        Self {
            nodes: Nodes::new(cluster),
            plan,
            slice,
            ledger: Ledger::default(),
            grant: scenario.grant,
            payload: vec![b'.'; population.payload_bytes as usize],
            worker: slice.worker(),
            lanes,
            condition: ResumeCondition::on_signal(SIGNAL, OnTimeout::AutoResume),
            partitions_used: RefCell::default(),
            own_secrets: RefCell::default(),
            losses: RefCell::default(),
        }
    }

    /// Names and places of everything, as the seed determines them.
    pub fn plan(&self) -> &PopulationPlan {
        &self.plan
    }

    /// Which of the planned executions are this workload's.
    pub fn slice(&self) -> Slice {
        self.slice
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

    /// Lease to ask for in the next claim of an execution; `contender` tells apart workers that race for one
    /// grant.
    pub fn next_lease(&self, exec: ExecIndex, contender: u16) -> LeaseId {
        self.plan.lease_id(exec, self.ledger.read(exec, |e| e.claims) + 1, contender)
    }

    /// Attempt that the next claim of an execution must create, if it is one that creates an attempt.
    pub fn attempt_id(&self, exec: ExecIndex) -> AttemptId {
        self.plan.attempt_id(exec, AttemptIndex(self.ledger.read(exec, |e| e.attempts)))
    }

    /// The attempt that an execution is in; the first one before it has any.
    pub(super) fn attempt_index(&self, exec: ExecIndex) -> AttemptIndex {
        AttemptIndex(self.ledger.read(exec, |e| e.attempts).saturating_sub(1))
    }

    /// Records a claim that succeeded. The execution is active from here on.
    pub fn record_claim(&self, exec: ExecIndex, lease: &HeldLease) {
        let (phase, attempts) = self.ledger.read(exec, |e| (e.phase, e.attempts));
        let attempts = attempts + u32::from(phase.claim_makes_an_attempt());
        let index = AttemptIndex(attempts.saturating_sub(1));
        let named = lease.attempt_id.as_ref();
        let right =
            lease.attempt_index == index && named.is_none_or(|id| *id == self.plan.attempt_id(exec, index));
        // What a failover cannot have taken must be there, on the partitions that it concerned as well.
        let before = self.ledger.read(exec, |e| e.last_claim);
        let partition = self.plan.partition(exec).index;
        let may_be_lost = before.is_some_and(|before| {
            self.losses.borrow().iter().any(|loss| loss.covers(partition) && loss.reaches(before))
        });
        self.ledger.claimed(exec, lease, (attempts, right), may_be_lost);
    }

    /// Records that a claim found its grant past its time. The execution stays eligible.
    pub fn record_expired(&self, exec: ExecIndex, ticket: &ClaimTicket) {
        self.ledger.expired(exec, ticket.grant.expires_at_ms);
    }

    /// Records that a claim ended without a reply and that nobody found out more. Where the execution is not
    /// claimed again, the audit settles the claim by what it reads.
    pub fn record_unanswered(&self, exec: ExecIndex) {
        self.ledger.change(exec, |e| e.uncertain = true);
    }

    /// Notes that another server has taken over these flow partitions from one that failed at that moment,
    /// without asking it: what it had acknowledged shortly before, or acknowledges before it learns of it,
    /// may be gone.
    pub fn note_takeover(&self, partitions: &BTreeSet<u16>, failed: Instant) {
        let from = failed.checked_sub(REPLICATION_LAG).unwrap_or(failed);
        let to = Instant::now() + REPLICATION_LAG;
        self.losses
            .borrow_mut()
            .push(PossibleLoss { partitions: partitions.clone(), between: Some((from, to)) });
    }

    /// Notes that the server of these flow partitions came back empty: whatever it had acknowledged is gone.
    pub fn note_emptied(&self, partitions: &BTreeSet<u16>) {
        self.losses.borrow_mut().push(PossibleLoss { partitions: partitions.clone(), between: None });
    }

    /// What may be gone of an execution with a failover, or with a server that came back empty.
    pub(super) fn may_be_lost(&self, exec: ExecIndex) -> MayBeLost {
        let losses = self.losses.borrow();
        let concern = |loss: &&PossibleLoss| loss.covers(self.plan.partition(exec).index);
        let touched = self.ledger.read(exec, |e| e.touched);
        let mut may = MayBeLost::Nothing;
        for loss in losses.iter().filter(concern) {
            if loss.between.is_none() {
                return MayBeLost::Everything;
            }
            if touched.is_some_and(|touched| loss.reaches(touched)) {
                may = MayBeLost::Latest;
            }
        }
        may
    }

    /// Whether a call about the execution ended without a reply, and nobody has found out since whether it
    /// took effect.
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
