//! Reads back every execution that a run used and compares it with the ledger; of a sample, all that a claim promises.

use std::collections::BTreeSet;

use ff_core::state::{AttemptState, LifecyclePhase, OwnershipState};
use ff_core::types::{AttemptId, AttemptIndex};

use super::batch::{Batch, Control, Exchange, Replies, exchange};
use super::contract::{self, Contract, Promise};
use super::error::WorkloadError;
use super::executions::{MayBeLost, Workload};
use super::ledger::Phase;
use super::ledger::{Entry, GrantTotals, Handout};
use super::population::{ExecIndex, InterruptionKind};
use crate::flowfabric::{
    AuditView, CallError, ReadForAudit, ReadGrantExpiry, ReadServerTime, WorkerIdentity,
};
use rand::seq::SliceRandom as _;
use reclaim_analysis::record::{Audit, stream};

impl Workload {
    /// Reads back all executions that this run created and reports every difference from what it did.
    pub async fn audit(&self, control: &Control<'_>) -> Result<Audit, WorkloadError> {
        let used = self.ledger.used();
        let sample = self.sample(&used);
        let read_back = ReadBack { workload: self, sample };
        let mut seen = exchange(&self.nodes.giving_up(), self.routed(&used), &read_back, control).await?;
        let mut inspector = Inspector::new(self.ledger.grants());
        seen.sort_unstable_by_key(|(exec, _)| *exec);
        for (exec, seen) in seen {
            let id = self.plan.execution_id(exec);
            let attempt_id = &|index| self.plan.attempt_id(exec, index);
            self.ledger.read(exec, |entry| {
                let kind = self.plan.kind(exec, entry.interruptions.saturating_sub(1));
                let worker = &self.worker;
                let may_be_lost = self.may_be_lost(exec);
                let revoked = self.plan.revoked(exec, entry.attempts);
                let id = id.as_str();
                let expected = Expected { id, attempt_id, entry, kind, revoked, worker, may_be_lost };
                inspector.inspect(&expected, &seen);
            });
        }
        Ok(inspector.audit)
    }

    /// Which of the executions have their contract read back: drawn by the run's seed, those that were claimed first.
    fn sample(&self, used: &[ExecIndex]) -> BTreeSet<ExecIndex> {
        let mut drawn = used.to_vec();
        drawn.shuffle(&mut stream(self.plan.seed(), "audit"));
        drawn.sort_by_key(|&exec| self.ledger.read(exec, |entry| entry.claims < 2));
        drawn.truncate(contract::SAMPLE);
        drawn.into_iter().collect()
    }
}

/// What was read of one execution.
#[derive(Clone, Debug)]
struct Seen {
    /// `None` where there is no such execution.
    view: Option<AuditView>,
    /// Whether a grant is there.
    grant: bool,
    /// What it has beyond its state, where it is in the sample.
    contract: Option<Contract>,
    /// Server time after the reads, in milliseconds.
    now_ms: u64,
}

struct ReadBack<'a> {
    workload: &'a Workload,
    sample: BTreeSet<ExecIndex>,
}

impl Exchange for ReadBack<'_> {
    type Item = ExecIndex;
    type Output = (ExecIndex, Seen);

    fn encode(&self, &exec: &ExecIndex, batch: &mut Batch) {
        let keys = &self.workload.keys(exec);
        batch.ask(&ReadForAudit(keys));
        batch.ask(&ReadGrantExpiry(keys));
        if self.sample.contains(&exec) {
            let attempts = self.workload.ledger.read(exec, |entry| {
                // A claim that nobody heard of may have made one more.
                entry.attempts + u32::from(entry.uncertain && entry.phase.claim_makes_an_attempt())
            });
            let index = AttemptIndex(attempts.saturating_sub(1));
            contract::ask(keys, self.workload.lane(exec), index, &self.workload.worker, batch);
        }
        // Behind the others, so that a grant which ended between two commands counts as expired, not as lost.
        batch.ask(&ReadServerTime);
    }

    fn decode(&self, exec: ExecIndex, mut replies: Replies) -> Result<Self::Output, WorkloadError> {
        let sampled = self.sample.contains(&exec);
        let mut read = || -> Result<Seen, CallError> {
            Ok(Seen {
                view: replies.read::<ReadForAudit<'_>>()?,
                grant: replies.read::<ReadGrantExpiry<'_>>()?.is_some(),
                contract: sampled.then(|| Contract::read(&mut replies)).transpose()?,
                now_ms: replies.read::<ReadServerTime>()?.unsigned_abs() / 1_000,
            })
        };
        let id = self.workload.plan.execution_id(exec);
        Ok((exec, read().map_err(WorkloadError::command("the audit's reads", &id))?))
    }
}

/// What one execution should look like.
struct Expected<'a> {
    id: &'a str,
    /// Id of each of its attempts.
    attempt_id: &'a dyn Fn(AttemptIndex) -> AttemptId,
    entry: &'a Entry,
    /// Kind of the last interruption.
    kind: InterruptionKind,
    /// Whether a lease that was lost was revoked; else it ran out.
    revoked: bool,
    worker: &'a WorkerIdentity,
    /// What of it may be gone with a failover, or with a server that came back empty.
    may_be_lost: MayBeLost,
}

impl Expected<'_> {
    /// Whether a claim of it ended without a reply, and nobody found out what became of it.
    fn has_doubtful_claim(&self) -> bool {
        let waits_for_one = self.entry.phase.successors() == [Phase::Active];
        self.entry.uncertain && waits_for_one && self.entry.handout != Handout::None
    }

    /// Attempts that its claims made.
    fn attempts(&self, unnoticed_claim: bool) -> u32 {
        let entry = self.entry;
        entry.attempts + u32::from(unnoticed_claim && entry.phase.claim_makes_an_attempt())
    }

    /// Whether the cluster shows an attempt that it had, the current one or one before.
    fn had_attempt(&self, view: &AuditView) -> bool {
        let shown = view.attempt_id.as_ref().zip(view.attempt_index);
        shown.is_some_and(|(id, index)| index.0 < self.entry.attempts && *id == (self.attempt_id)(index))
    }
}

/// Collects differences. Pure: everything it needs has been read.
struct Inspector {
    audit: Audit,
}

impl Inspector {
    fn new(grants: GrantTotals) -> Self {
        let GrantTotals { issued, claimed, expired } = grants;
        Self { audit: Audit { grants_issued: issued, claimed, expired, ..Audit::default() } }
    }

    fn inspect(&mut self, expected: &Expected<'_>, seen: &Seen) {
        self.audit.executions_checked += 1;
        self.lost_before(expected);
        if expected.may_be_lost != MayBeLost::Nothing
            && let Some(loss) = lost(expected, seen)
        {
            self.check_double(expected);
            return self.lost_by_server(expected, seen, loss);
        }
        let violations = self.violations();
        let phase = self.reached(expected, seen);
        // Only a claim leads to Active, so an unanswered call that led there was one.
        let unnoticed_claim = phase == Phase::Active && expected.entry.phase != Phase::Active;
        if expected.has_doubtful_claim() {
            let Audit { doubtful_claimed, doubtful_not_claimed, .. } = &mut self.audit;
            *(if unnoticed_claim { doubtful_claimed } else { doubtful_not_claimed }) += 1;
        }
        if let Some(view) = &seen.view {
            self.check_claims(expected, view, unnoticed_claim);
            self.check_lease(expected, view, phase);
        }
        self.check_grant(expected, seen, unnoticed_claim);
        if let Some(contract) = &seen.contract {
            self.audit.contracts_checked += 1;
            // What is wrong already is told once.
            if self.violations() == violations {
                self.check_contract(expected, contract, phase, unnoticed_claim);
            }
        }
    }

    fn violations(&self) -> u64 {
        let Audit { lost, double_claims, attempt_changed, epoch_errors, state_errors, .. } = self.audit;
        lost + double_claims + attempt_changed + epoch_errors + state_errors
    }

    /// Compares what stands beside `exec_core` with what the functions promise to write.
    fn check_contract(
        &mut self,
        expected: &Expected<'_>,
        seen: &Contract,
        phase: Phase,
        unnoticed_claim: bool,
    ) {
        let attempts = expected.attempts(unnoticed_claim);
        let current = AttemptIndex(attempts.saturating_sub(1));
        let broken = seen.broken(&Promise {
            phase,
            claims: expected.entry.claims + u32::from(unnoticed_claim),
            attempts,
            revoked: expected.revoked,
            id: expected.id,
            attempt_id: &(expected.attempt_id)(current).to_string(),
            worker: expected.worker,
        });
        if !broken.is_empty() {
            self.audit.contract_errors += 1;
            self.example(expected, || {
                format!("({phase:?}) keeps no promise of its functions: {}", broken.join("; "))
            });
        }
    }

    /// The phase that an execution is in; the expected one where it is in none that this run could explain.
    fn reached(&mut self, expected: &Expected<'_>, seen: &Seen) -> Phase {
        let entry = expected.entry;
        let view = seen.view.as_ref();
        if matches(entry.phase, expected, view) {
            return entry.phase;
        }
        let next = entry.phase.successors().iter().copied().find(|next| could_be(*next, view));
        if let Some(next) = next.filter(|_| entry.uncertain) {
            return next;
        }
        self.audit.state_errors += 1;
        self.example(expected, || match &seen.view {
            None => format!("is gone, should be {:?}", entry.phase),
            Some(view) => format!(
                "is {:?} with its attempt {:?}, should be {:?}",
                view.lifecycle_phase, view.attempt_state, entry.phase
            ),
        });
        entry.phase
    }

    fn check_claims(&mut self, expected: &Expected<'_>, view: &AuditView, unnoticed_claim: bool) {
        let claims = expected.entry.claims + u32::from(unnoticed_claim);
        if view.lease_epoch.0 != u64::from(claims) {
            self.audit.epoch_errors += 1;
            let epoch = view.lease_epoch.0;
            self.example(expected, || format!("has lease epoch {epoch} after {claims} claims"));
        }
        let attempt = expected.attempts(unnoticed_claim).checked_sub(1).map(AttemptIndex);
        let attempt = attempt.map(|index| ((expected.attempt_id)(index), index));
        let seen = view.attempt_id.clone().zip(view.attempt_index);
        if seen != attempt || expected.entry.attempt_differs {
            self.audit.attempt_changed += 1;
            self.example(expected, || format!("has attempt {seen:?}, its claims made {attempt:?}"));
        }
        self.check_double(expected);
    }

    /// Claims without a grant of their own: never right, whatever servers lost.
    fn check_double(&mut self, expected: &Expected<'_>) {
        if expected.entry.double_claims > 0 {
            let double = expected.entry.double_claims;
            self.audit.double_claims += u64::from(double);
            self.example(expected, || format!("was claimed {double} times without a grant of its own"));
        }
    }

    /// Claims that a failover lost and that the execution's next claim showed to be gone.
    fn lost_before(&mut self, expected: &Expected<'_>) {
        let lost = u64::from(expected.entry.lost_by_server);
        if lost > 0 {
            self.audit.claimed = self.audit.claimed.saturating_sub(lost);
            self.audit.lost_by_server += lost;
            let words = format!("acknowledged claims that were gone when it was claimed again: {lost}");
            self.name_loss(expected, &words);
        }
    }

    /// An execution that a failover put back: claims that were acknowledged are gone, and with them that their grants were
    /// consumed; or it is only a step behind.
    fn lost_by_server(&mut self, expected: &Expected<'_>, seen: &Seen, loss: Loss) {
        let entry = expected.entry;
        if seen.view.is_none() {
            self.audit.claimed = self.audit.claimed.saturating_sub(loss.claims);
            self.audit.lost_by_server += loss.claims;
            self.audit.rolled_back += u64::from(loss.claims == 0);
            let words = format!("it is gone, with {} claims that had been acknowledged", loss.claims);
            self.name_loss(expected, &words);
        } else if loss.claims > 0 {
            self.audit.claimed = self.audit.claimed.saturating_sub(loss.claims);
            self.audit.lost_by_server += loss.claims;
            let epoch = loss.epoch;
            let words =
                format!("acknowledged claims that are gone: {}, its lease epoch is {epoch}", loss.claims);
            self.name_loss(expected, &words);
        } else if loss.back {
            self.audit.rolled_back += 1;
            self.name_loss(expected, &format!("it was {:?}, and that is gone", entry.phase));
        }
        let Handout::Grant { expires_at_ms } = entry.handout else { return };
        if seen.grant {
            self.audit.outstanding += 1;
        } else if expires_at_ms <= seen.now_ms {
            self.audit.expired += 1;
        } else {
            self.audit.lost_by_server += 1;
            self.name_loss(expected, "its grant was acknowledged and is gone");
        }
    }

    fn name_loss(&mut self, expected: &Expected<'_>, words: &str) {
        if self.audit.lost_by_server_ids.len() < Audit::MOST_LOSSES {
            self.audit.lost_by_server_ids.push(format!("{}: {words}", expected.id));
        }
    }

    fn check_lease(&mut self, expected: &Expected<'_>, view: &AuditView, phase: Phase) {
        let entry = expected.entry;
        if phase == Phase::Active && entry.phase == Phase::Active && view.lease_id != entry.lease {
            self.audit.state_errors += 1;
            self.example(expected, || {
                format!("is held by lease {:?}, the last claim took {:?}", view.lease_id, entry.lease)
            });
        }
    }

    fn check_grant(&mut self, expected: &Expected<'_>, seen: &Seen, unnoticed_claim: bool) {
        match expected.entry.handout {
            Handout::Grant { .. } if unnoticed_claim => {
                self.audit.claimed += 1;
                self.left_over(expected, seen);
            }
            Handout::Grant { .. } if seen.grant => self.audit.outstanding += 1,
            Handout::Grant { expires_at_ms } if expires_at_ms <= seen.now_ms => self.audit.expired += 1,
            Handout::Grant { expires_at_ms } => {
                self.audit.lost += 1;
                let early = expires_at_ms - seen.now_ms;
                self.example(expected, || format!("lost its grant at least {early} ms before its time"));
            }
            Handout::None | Handout::Ticket if seen.grant && expected.entry.uncertain => {
                self.audit.grants_issued += 1;
                self.audit.outstanding += 1;
            }
            Handout::None | Handout::Ticket => self.left_over(expected, seen),
        }
    }

    /// A grant that is there although none should be.
    fn left_over(&mut self, expected: &Expected<'_>, seen: &Seen) {
        if seen.grant {
            self.audit.state_errors += 1;
            self.example(expected, || "has a grant left over that no claim may use".into());
        }
    }

    fn example(&mut self, expected: &Expected<'_>, words: impl FnOnce() -> String) {
        if self.audit.examples.len() < Audit::MOST_EXAMPLES {
            self.audit.examples.push(format!("{} {}", expected.id, words()));
        }
    }
}

/// What a failover took away from an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Loss {
    /// Claims that are gone.
    claims: u64,
    /// Lease epoch that is left.
    epoch: u64,
    /// Whether its state is an earlier one.
    back: bool,
}

/// What is gone of an execution, if what is seen of it is a state in which it was before, or its grant is missing; `None`
/// where nothing is gone, and where it is in a state in which it never was.
fn lost(expected: &Expected<'_>, seen: &Seen) -> Option<Loss> {
    let entry = expected.entry;
    let Some(view) = &seen.view else {
        let gone = expected.may_be_lost == MayBeLost::Everything;
        return gone.then(|| Loss { claims: entry.granted.into(), epoch: 0, back: true });
    };
    let epoch = view.lease_epoch.0;
    let phase = match view.lifecycle_phase {
        _ if could_be(Phase::Active, Some(view)) => Phase::Active,
        LifecyclePhase::Suspended if could_be(Phase::Interrupted, Some(view)) => Phase::Interrupted,
        _ if could_be(Phase::Lapsed, Some(view)) => Phase::Lapsed,
        _ if matches(entry.phase, expected, Some(view)) => entry.phase,
        _ if could_be(Phase::Runnable, Some(view)) => Phase::Runnable,
        _ => return None,
    };
    let (was, is) = (step(entry.claims.into(), entry.phase), step(epoch, phase));
    let claims = u64::from(entry.claims).checked_sub(epoch)?;
    let unsure = entry.uncertain && is == was + 1;
    let grant_gone = match entry.handout {
        Handout::Grant { expires_at_ms } => !seen.grant && expires_at_ms > seen.now_ms && !unsure,
        Handout::None | Handout::Ticket => false,
    };
    (expected.had_attempt(view) && (is < was || (is == was && grant_gone))).then_some(Loss {
        claims,
        epoch,
        back: is < was,
    })
}

/// An execution's steps since its first claim, counted on.
fn step(claims: u64, phase: Phase) -> u64 {
    3 * claims
        + match phase {
            Phase::Planned | Phase::Fresh | Phase::Active => 0,
            Phase::Interrupted | Phase::Lapsed => 1,
            Phase::Runnable => 2,
        }
}

/// Whether an execution looks as it must in `phase`: what an interrupted one waits for, how a lost lease was lost.
fn matches(phase: Phase, expected: &Expected<'_>, view: Option<&AuditView>) -> bool {
    could_be(phase, view)
        && match (phase, view) {
            (Phase::Interrupted, Some(view)) => {
                let delayed = expected.kind == InterruptionKind::Delay;
                delayed == (view.lifecycle_phase == LifecyclePhase::Runnable)
            }
            (Phase::Lapsed, Some(view)) => {
                expected.revoked == (view.ownership_state == OwnershipState::LeaseRevoked)
            }
            _ => true,
        }
}

fn could_be(phase: Phase, view: Option<&AuditView>) -> bool {
    let Some(view) = view else { return phase == Phase::Planned };
    let AuditView { lifecycle_phase: lifecycle, ownership_state: owner, attempt_state: attempt, .. } = view;
    let (leased, interrupted) =
        (*owner == OwnershipState::Leased, *attempt == AttemptState::AttemptInterrupted);
    match phase {
        Phase::Planned => false,
        Phase::Fresh => {
            *lifecycle == LifecyclePhase::Runnable && !leased && *attempt == AttemptState::PendingFirstAttempt
        }
        Phase::Active => {
            *lifecycle == LifecyclePhase::Active && leased && *attempt == AttemptState::RunningAttempt
        }
        Phase::Interrupted => {
            matches!(lifecycle, LifecyclePhase::Suspended | LifecyclePhase::Runnable)
                && !leased
                && interrupted
        }
        Phase::Runnable => *lifecycle == LifecyclePhase::Runnable && !leased && interrupted,
        Phase::Lapsed => {
            let lost =
                matches!(owner, OwnershipState::LeaseRevoked | OwnershipState::LeaseExpiredReclaimable);
            *lifecycle == LifecyclePhase::Active && lost && interrupted
        }
    }
}

#[cfg(test)]
mod tests;
