//! Reads back every execution that a run used and compares it with the ledger; of a sample, all that a claim promises.

use std::collections::BTreeSet;

use ff_core::state::{AttemptState, LifecyclePhase, OwnershipState};
use ff_core::types::AttemptId;

use super::batch::{Batch, Control, Exchange, Replies, exchange};
use super::contract::{self, Contract};
use super::error::WorkloadError;
use super::executions::Workload;
use super::ledger::Phase;
use super::ledger::{Entry, GrantTotals, Handout};
use super::population::{ExecIndex, FIRST_ATTEMPT, InterruptionKind};
use crate::flowfabric::{
    AuditView, CallError, ReadForAudit, ReadGrantExpiry, ReadServerTime, WorkerIdentity,
};
use rand::seq::SliceRandom as _;
use reclaim_analysis::record::{Audit, stream};

/// Violations that are told in words; the counts hold all of them.
const EXAMPLES: usize = 10;

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
            let attempt_id = self.plan.attempt_id(exec);
            self.ledger.read(exec, |entry| {
                let kind = self.plan.kind(exec, entry.interruptions.saturating_sub(1));
                let worker = &self.worker;
                inspector.inspect(&Expected { id: id.as_str(), attempt_id, entry, kind, worker }, &seen);
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
            contract::ask(keys, self.workload.lane(exec), &self.workload.worker, batch);
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
    attempt_id: AttemptId,
    entry: &'a Entry,
    /// Kind of the last interruption.
    kind: InterruptionKind,
    worker: &'a WorkerIdentity,
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
        let violations = self.violations();
        let phase = self.reached(expected, seen);
        // Only a claim leads to Active, so an unanswered call that led there was one.
        let unnoticed_claim = phase == Phase::Active && expected.entry.phase != Phase::Active;
        if let Some(view) = &seen.view {
            self.check_claims(expected, view, unnoticed_claim);
            self.check_lease(expected, view, phase);
        }
        self.check_grant(expected, seen, unnoticed_claim);
        if let Some(contract) = &seen.contract {
            self.audit.contracts_checked += 1;
            // What is wrong already is told once.
            if self.violations() == violations {
                let claims = expected.entry.claims + u32::from(unnoticed_claim);
                self.check_contract(expected, contract, phase, claims);
            }
        }
    }

    fn violations(&self) -> u64 {
        let Audit { lost, double_claims, attempt_changed, epoch_errors, state_errors, .. } = self.audit;
        lost + double_claims + attempt_changed + epoch_errors + state_errors
    }

    /// Compares what stands beside `exec_core` with what the functions promise to write.
    fn check_contract(&mut self, expected: &Expected<'_>, seen: &Contract, phase: Phase, claims: u32) {
        let attempt_id = expected.attempt_id.to_string();
        let broken = seen.broken(phase, claims, (expected.id, &attempt_id), expected.worker);
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
        if matches(entry.phase, expected.kind, seen.view.as_ref()) {
            return entry.phase;
        }
        let next = entry.phase.successor();
        if entry.uncertain && could_be(next, seen.view.as_ref()) {
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
        let attempt = (claims > 0).then(|| (expected.attempt_id.clone(), FIRST_ATTEMPT));
        let seen = view.attempt_id.clone().zip(view.attempt_index);
        if seen != attempt || expected.entry.attempt_differs {
            self.audit.attempt_changed += 1;
            self.example(expected, || format!("has attempt {seen:?}, its first claim made {attempt:?}"));
        }
        if expected.entry.double_claims > 0 {
            let double = expected.entry.double_claims;
            self.audit.double_claims += u64::from(double);
            self.example(expected, || format!("was claimed {double} times without a grant of its own"));
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
        if self.audit.examples.len() < EXAMPLES {
            self.audit.examples.push(format!("{} {}", expected.id, words()));
        }
    }
}

/// Whether an execution looks as it must in `phase`; `kind` tells what an interrupted one waits for.
fn matches(phase: Phase, kind: InterruptionKind, view: Option<&AuditView>) -> bool {
    could_be(phase, view)
        && match (phase, view) {
            (Phase::Interrupted, Some(view)) => {
                (kind == InterruptionKind::Delay) == (view.lifecycle_phase == LifecyclePhase::Runnable)
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
    }
}

#[cfg(test)]
mod tests {
    use ff_core::types::{AttemptIndex, LeaseEpoch, LeaseId};
    use uuid::Uuid;

    use super::*;

    const NOW_MS: u64 = 1_000_000;

    fn attempt_id() -> AttemptId {
        AttemptId::from_uuid(Uuid::from_u128(1))
    }

    fn lease_id() -> LeaseId {
        LeaseId::from_uuid(Uuid::from_u128(2))
    }

    /// An execution in `phase` after `claims` claims, and the cluster's view of it when all went well.
    fn healthy(phase: Phase, claims: u32) -> (Entry, Seen) {
        let active = phase == Phase::Active;
        let entry =
            Entry { phase, claims, lease: active.then(lease_id), interruptions: claims, ..Entry::default() };
        let (lifecycle_phase, attempt_state) = match phase {
            Phase::Planned | Phase::Fresh => (LifecyclePhase::Runnable, AttemptState::PendingFirstAttempt),
            Phase::Active => (LifecyclePhase::Active, AttemptState::RunningAttempt),
            Phase::Interrupted => (LifecyclePhase::Suspended, AttemptState::AttemptInterrupted),
            Phase::Runnable => (LifecyclePhase::Runnable, AttemptState::AttemptInterrupted),
        };
        let view = AuditView {
            lifecycle_phase,
            ownership_state: if active { OwnershipState::Leased } else { OwnershipState::Unowned },
            attempt_state,
            attempt_id: (claims > 0).then(attempt_id),
            attempt_index: (claims > 0).then_some(FIRST_ATTEMPT),
            lease_epoch: LeaseEpoch(claims.into()),
            lease_id: active.then(lease_id),
            waitpoint_id: None,
        };
        (entry, Seen { view: Some(view), grant: false, contract: None, now_ms: NOW_MS })
    }

    fn inspect(entry: &Entry, seen: &Seen, totals: GrantTotals) -> Audit {
        let mut inspector = Inspector::new(totals);
        let worker = WorkerIdentity { worker_id: "w".into(), instance_id: "w-0".into() };
        let expected = Expected {
            id: "x",
            attempt_id: attempt_id(),
            entry,
            kind: InterruptionKind::Signal,
            worker: &worker,
        };
        inspector.inspect(&expected, seen);
        inspector.audit
    }

    fn violations(audit: &Audit) -> u64 {
        audit.lost + audit.double_claims + audit.attempt_changed + audit.epoch_errors + audit.state_errors
    }

    #[test]
    fn healthy_executions_are_quiet() {
        let phases = [Phase::Fresh, Phase::Active, Phase::Interrupted, Phase::Runnable];
        for (phase, claims) in phases.into_iter().zip([0, 1, 2, 3]) {
            let (entry, seen) = healthy(phase, claims);
            let audit = inspect(&entry, &seen, GrantTotals::default());
            assert_eq!(audit, Audit { executions_checked: 1, ..Audit::default() }, "{phase:?}");
        }
    }

    #[test]
    fn every_kind_of_violation_is_found_and_no_other() {
        type Plant = fn(&mut Entry, &mut Seen);
        type Count = fn(&Audit) -> u64;
        let cases: [(&str, Phase, Plant, Count); 11] = [
            ("gone", Phase::Runnable, |_, s| s.view = None, |a| a.state_errors),
            ("moved on", Phase::Interrupted, |_, s| *s = healthy(Phase::Active, 1).1, |a| a.state_errors),
            (
                "never promoted",
                Phase::Runnable,
                |_, s| *s = healthy(Phase::Interrupted, 1).1,
                |a| a.state_errors,
            ),
            ("stolen", Phase::Active, |e, _| e.lease = None, |a| a.state_errors),
            ("grant left over", Phase::Active, |_, s| s.grant = true, |a| a.state_errors),
            ("epoch too high", Phase::Active, |e, _| e.claims = 0, |a| a.epoch_errors.min(a.attempt_changed)),
            ("epoch too low", Phase::Runnable, |e, _| e.claims += 1, |a| a.epoch_errors),
            (
                "other attempt id",
                Phase::Runnable,
                |_, s| {
                    s.view.as_mut().unwrap().attempt_id = Some(AttemptId::from_uuid(Uuid::nil()));
                },
                |a| a.attempt_changed,
            ),
            (
                "other attempt index",
                Phase::Runnable,
                |_, s| {
                    s.view.as_mut().unwrap().attempt_index = Some(AttemptIndex(1));
                },
                |a| a.attempt_changed,
            ),
            ("claimed twice", Phase::Active, |e, _| e.double_claims = 1, |a| a.double_claims),
            (
                "grant lost",
                Phase::Runnable,
                |e, _| {
                    e.handout = Handout::Grant { expires_at_ms: NOW_MS + 1 };
                },
                |a| a.lost,
            ),
        ];
        for (name, phase, plant, count) in cases {
            let (mut entry, mut seen) = healthy(phase, 1);
            plant(&mut entry, &mut seen);
            let audit = inspect(&entry, &seen, GrantTotals { issued: 1, ..GrantTotals::default() });
            assert_eq!(count(&audit), 1, "{name}: {audit:?}");
            let words = if name == "epoch too high" { 2 } else { 1 };
            assert_eq!(
                (violations(&audit), audit.examples.len()),
                (words, words as usize),
                "{name}: {audit:?}"
            );
        }
    }

    #[test]
    fn a_grant_is_outstanding_or_expired_by_what_is_read() {
        let issued = GrantTotals { issued: 1, ..GrantTotals::default() };
        let (mut entry, mut seen) = healthy(Phase::Runnable, 1);
        entry.handout = Handout::Grant { expires_at_ms: NOW_MS };
        let audit = inspect(&entry, &seen, issued);
        assert_eq!((audit.expired, audit.outstanding, violations(&audit)), (1, 0, 0));
        seen.grant = true;
        let audit = inspect(&entry, &seen, issued);
        assert_eq!((audit.expired, audit.outstanding, violations(&audit)), (0, 1, 0));
    }

    #[test]
    fn a_claim_without_a_reply_is_settled_by_what_is_read() {
        let issued = GrantTotals { issued: 1, ..GrantTotals::default() };
        let (mut entry, untouched) = healthy(Phase::Runnable, 1);
        entry.handout = Handout::Grant { expires_at_ms: NOW_MS + 1_000 };
        entry.uncertain = true;
        let claimed = healthy(Phase::Active, 2).1;
        let audit = inspect(&entry, &claimed, issued);
        assert_eq!((audit.claimed, violations(&audit)), (1, 0), "{audit:?}");
        let audit = inspect(&entry, &Seen { grant: true, ..untouched.clone() }, issued);
        assert_eq!((audit.outstanding, violations(&audit)), (1, 0), "{audit:?}");
        // Uncertain about one claim is not uncertain about two.
        let audit = inspect(&entry, &healthy(Phase::Active, 3).1, issued);
        assert_eq!(audit.epoch_errors, 1);
        // And a grant that went without a claim is still lost.
        assert_eq!(inspect(&entry, &untouched, issued).lost, 1);
    }
}
