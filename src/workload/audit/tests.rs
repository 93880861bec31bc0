use ff_core::state::{AttemptState, LifecyclePhase, OwnershipState};
use ff_core::types::{AttemptId, AttemptIndex, LeaseEpoch, LeaseId};
use reclaim_analysis::record::Audit;
use uuid::Uuid;

use super::expected::{Expected, Seen};
use super::inspector::Inspector;
use crate::flowfabric::{AuditView, WorkerIdentity};
use crate::workload::executions::MayBeLost;
use crate::workload::ledger::{Entry, GrantTotals, Handout, Phase};
use crate::workload::population::{FIRST_ATTEMPT, InterruptionKind};

const NOW_MS: u64 = 1_000_000;

fn attempt_id(index: AttemptIndex) -> AttemptId {
    AttemptId::from_uuid(Uuid::from_u128(1 + 10 * u128::from(index.0)))
}

fn lease_id() -> LeaseId {
    LeaseId::from_uuid(Uuid::from_u128(2))
}

/// An execution in `phase` after `claims` claims, and the cluster's view of it when all went well.
fn healthy(phase: Phase, claims: u32) -> (Entry, Seen) {
    let active = phase == Phase::Active;
    let entry = Entry {
        phase,
        claims,
        attempts: claims.min(1),
        lease: active.then(lease_id),
        interruptions: claims,
        ..Entry::default()
    };
    let (lifecycle_phase, attempt_state) = match phase {
        Phase::Planned | Phase::Fresh => (LifecyclePhase::Runnable, AttemptState::PendingFirstAttempt),
        Phase::Active => (LifecyclePhase::Active, AttemptState::RunningAttempt),
        Phase::Interrupted => (LifecyclePhase::Suspended, AttemptState::AttemptInterrupted),
        Phase::Runnable => (LifecyclePhase::Runnable, AttemptState::AttemptInterrupted),
        Phase::Lapsed => (LifecyclePhase::Active, AttemptState::AttemptInterrupted),
    };
    let view = AuditView {
        lifecycle_phase,
        ownership_state: match phase {
            Phase::Active => OwnershipState::Leased,
            Phase::Lapsed => OwnershipState::LeaseRevoked,
            _ => OwnershipState::Unowned,
        },
        attempt_state,
        attempt_id: (claims > 0).then(|| attempt_id(FIRST_ATTEMPT)),
        attempt_index: (claims > 0).then_some(FIRST_ATTEMPT),
        lease_epoch: LeaseEpoch(claims.into()),
        lease_id: matches!(phase, Phase::Active | Phase::Lapsed).then(lease_id),
        waitpoint_id: None,
    };
    (entry, Seen { view: Some(view), grant: false, contract: None, now_ms: NOW_MS })
}

fn inspect(entry: &Entry, seen: &Seen, totals: GrantTotals) -> Audit {
    inspect_after(entry, seen, totals, MayBeLost::Nothing)
}

fn inspect_after(entry: &Entry, seen: &Seen, totals: GrantTotals, may_be_lost: MayBeLost) -> Audit {
    let mut inspector = Inspector::new(totals);
    let worker = WorkerIdentity { worker_id: "w".into(), instance_id: "w-0".into() };
    let expected = Expected {
        id: "x",
        attempt_id: &attempt_id,
        entry,
        kind: InterruptionKind::Signal,
        revoked: true,
        worker: &worker,
        may_be_lost,
    };
    inspector.inspect(&expected, seen);
    inspector.audit
}

fn violations(audit: &Audit) -> u64 {
    audit.lost + audit.double_claims + audit.attempt_changed + audit.epoch_errors + audit.state_errors
}

#[test]
fn healthy_executions_are_quiet() {
    let phases = [Phase::Fresh, Phase::Active, Phase::Interrupted, Phase::Runnable, Phase::Lapsed];
    for (phase, claims) in phases.into_iter().zip([0, 1, 2, 3, 4]) {
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
        ("never promoted", Phase::Runnable, |_, s| *s = healthy(Phase::Interrupted, 1).1, |a| a.state_errors),
        ("stolen", Phase::Active, |e, _| e.lease = None, |a| a.state_errors),
        ("grant left over", Phase::Active, |_, s| s.grant = true, |a| a.state_errors),
        (
            "epoch too high",
            Phase::Active,
            |e, _| (e.claims, e.attempts) = (0, 0),
            |a| a.epoch_errors.min(a.attempt_changed),
        ),
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
        assert_eq!((violations(&audit), audit.examples.len()), (words, words as usize), "{name}: {audit:?}");
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
    let resolved = |audit: &Audit| (audit.doubtful_claimed, audit.doubtful_not_claimed);
    assert_eq!(resolved(&audit), (1, 0));
    let audit = inspect(&entry, &Seen { grant: true, ..untouched.clone() }, issued);
    assert_eq!((audit.outstanding, violations(&audit)), (1, 0), "{audit:?}");
    assert_eq!(resolved(&audit), (0, 1));
    // Without a grant out it was no claim that had no reply.
    let ungranted = Entry { handout: Handout::None, ..entry.clone() };
    assert_eq!(resolved(&inspect(&ungranted, &untouched, GrantTotals::default())), (0, 0));
    // Uncertain about one claim is not uncertain about two.
    let audit = inspect(&entry, &healthy(Phase::Active, 3).1, issued);
    assert_eq!(audit.epoch_errors, 1);
    // And a grant that went without a claim is still lost.
    assert_eq!(inspect(&entry, &untouched, issued).lost, 1);
}

#[test]
fn what_a_failover_lost_is_named_and_is_no_violation() {
    let claimed = GrantTotals { issued: 1, claimed: 1, expired: 0 };
    let (entry, _) = healthy(Phase::Active, 2);
    let before = Seen { grant: true, ..healthy(Phase::Runnable, 1).1 };
    let audit = inspect_after(&entry, &before, claimed, MayBeLost::Latest);
    assert_eq!((audit.claimed, audit.lost_by_server, violations(&audit)), (0, 1, 0), "{audit:?}");
    assert!(audit.lost_by_server_ids[0].starts_with("x: acknowledged claims that are gone: 1"));
    // The same of an execution that no failover concerns.
    let audit = inspect(&entry, &before, claimed);
    assert!(violations(&audit) > 0 && audit.lost_by_server == 0, "{audit:?}");
    // A step behind, without a claim.
    let (entry, _) = healthy(Phase::Runnable, 2);
    let audit =
        inspect_after(&entry, &healthy(Phase::Active, 2).1, GrantTotals::default(), MayBeLost::Latest);
    assert_eq!((audit.rolled_back, audit.lost_by_server, violations(&audit)), (1, 0, 0), "{audit:?}");
    // A grant that is gone.
    let (mut entry, seen) = healthy(Phase::Runnable, 2);
    entry.handout = Handout::Grant { expires_at_ms: NOW_MS + 1 };
    let audit =
        inspect_after(&entry, &seen, GrantTotals { issued: 1, claimed: 0, expired: 0 }, MayBeLost::Latest);
    assert_eq!((audit.lost_by_server, audit.rolled_back, violations(&audit)), (1, 0, 0), "{audit:?}");
}

#[test]
fn no_failover_explains_a_state_that_never_was_or_two_claims_of_one_grant() {
    let totals = GrantTotals { issued: 2, claimed: 2, expired: 0 };
    let (mut entry, seen) = healthy(Phase::Active, 2);
    let ahead = healthy(Phase::Active, 3).1;
    assert!(violations(&inspect_after(&entry, &ahead, totals, MayBeLost::Latest)) > 0);
    let gone = Seen { view: None, ..seen.clone() };
    assert!(violations(&inspect_after(&entry, &gone, totals, MayBeLost::Latest)) > 0);
    let mut other = healthy(Phase::Runnable, 1).1;
    other.view.as_mut().unwrap().attempt_id = Some(AttemptId::from_uuid(Uuid::nil()));
    assert!(violations(&inspect_after(&entry, &other, totals, MayBeLost::Latest)) > 0);
    entry.double_claims = 1;
    for seen in [seen, healthy(Phase::Runnable, 1).1] {
        assert_eq!(inspect_after(&entry, &seen, totals, MayBeLost::Latest).double_claims, 1);
    }
}

#[test]
fn all_that_was_on_a_server_that_came_back_empty_is_accounted_for_and_nothing_else() {
    let (mut entry, _) = healthy(Phase::Active, 3);
    // The first claim is the preparation's, without a grant.
    entry.granted = 2;
    let gone = Seen { view: None, grant: false, contract: None, now_ms: NOW_MS };
    let totals = GrantTotals { issued: 2, claimed: 2, expired: 0 };
    let emptied = inspect_after(&entry, &gone, totals, MayBeLost::Everything);
    assert_eq!((emptied.claimed, emptied.lost_by_server, violations(&emptied)), (0, 2, 0));
    assert_eq!(emptied.lost_by_server_ids.len(), 1);
    assert!(violations(&inspect_after(&entry, &gone, totals, MayBeLost::Latest)) > 0);
    // One that was granted and waited, and one that is as it should be.
    let (mut waiting, _) = healthy(Phase::Runnable, 1);
    waiting.handout = Handout::Grant { expires_at_ms: NOW_MS + 1 };
    let issued = GrantTotals { issued: 1, claimed: 0, expired: 0 };
    let audit = inspect_after(&waiting, &gone, issued, MayBeLost::Everything);
    assert_eq!((audit.lost_by_server, audit.rolled_back, violations(&audit)), (1, 1, 0));
    let (entry, seen) = healthy(Phase::Active, 2);
    let audit = inspect_after(&entry, &seen, GrantTotals::default(), MayBeLost::Everything);
    assert_eq!((audit.lost_by_server, violations(&audit)), (0, 0));
}

/// After a lease was lost and reclaimed: two claims, two attempts.
fn reclaimed() -> (Entry, Seen) {
    let (mut entry, mut seen) = healthy(Phase::Active, 2);
    entry.attempts = 2;
    let view = seen.view.as_mut().unwrap();
    (view.attempt_id, view.attempt_index) = (Some(attempt_id(AttemptIndex(1))), Some(AttemptIndex(1)));
    (entry, seen)
}

#[test]
fn a_reclaimed_lease_goes_with_the_next_attempt_and_a_resume_with_the_same() {
    let (entry, seen) = reclaimed();
    assert_eq!(violations(&inspect(&entry, &seen, GrantTotals::default())), 0);
    // The attempt that a resume would have kept, and one too many.
    let kept = healthy(Phase::Active, 2).1;
    assert_eq!(inspect(&entry, &kept, GrantTotals::default()).attempt_changed, 1);
    let mut further = seen.clone();
    further.view.as_mut().unwrap().attempt_index = Some(AttemptIndex(2));
    assert_eq!(inspect(&entry, &further, GrantTotals::default()).attempt_changed, 1);
    // And a new attempt where a resume was made.
    let (resumed, _) = healthy(Phase::Active, 2);
    assert_eq!(inspect(&resumed, &seen, GrantTotals::default()).attempt_changed, 1);
}

#[test]
fn a_reclaim_without_a_reply_is_settled_with_its_new_attempt() {
    let issued = GrantTotals { issued: 1, ..GrantTotals::default() };
    let (mut entry, untouched) = healthy(Phase::Lapsed, 1);
    entry.handout = Handout::Grant { expires_at_ms: NOW_MS + 1_000 };
    entry.uncertain = true;
    let audit = inspect(&entry, &reclaimed().1, issued);
    assert_eq!((audit.claimed, violations(&audit)), (1, 0), "{audit:?}");
    let audit = inspect(&entry, &Seen { grant: true, ..untouched }, issued);
    assert_eq!((audit.outstanding, violations(&audit)), (1, 0), "{audit:?}");
    // One that went on with the old attempt is no reclaim.
    assert_eq!(inspect(&entry, &healthy(Phase::Active, 2).1, issued).attempt_changed, 1);
}

#[test]
fn a_lease_that_was_lost_in_another_way_than_it_should_is_found() {
    let (entry, mut seen) = healthy(Phase::Lapsed, 1);
    seen.view.as_mut().unwrap().ownership_state = OwnershipState::LeaseExpiredReclaimable;
    assert_eq!(inspect(&entry, &seen, GrantTotals::default()).state_errors, 1);
    let held = healthy(Phase::Active, 1).1;
    assert_eq!(inspect(&entry, &held, GrantTotals::default()).state_errors, 1);
}

#[test]
fn a_failover_may_take_a_reclaim_back_with_its_attempt() {
    let claimed = GrantTotals { issued: 1, claimed: 1, expired: 0 };
    let (entry, _) = reclaimed();
    let before = Seen { grant: true, ..healthy(Phase::Lapsed, 1).1 };
    let audit = inspect_after(&entry, &before, claimed, MayBeLost::Latest);
    assert_eq!((audit.claimed, audit.lost_by_server, violations(&audit)), (0, 1, 0), "{audit:?}");
}
