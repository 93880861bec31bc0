//! What one execution should look like, what was seen of it, and what a server lost of it.

use ff_core::state::{AttemptState, LifecyclePhase, OwnershipState};
use ff_core::types::{AttemptId, AttemptIndex};

use super::super::contract::Contract;
use super::super::executions::MayBeLost;
use super::super::ledger::{Entry, Handout, Phase};
use super::super::population::InterruptionKind;
use crate::flowfabric::{AuditView, WorkerIdentity};

/// What was read of one execution.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// `None` where there is no such execution.
    pub(super) view: Option<AuditView>,
    /// Whether a grant is there.
    pub(super) grant: bool,
    /// What it has beyond its state, where it is in the sample.
    pub(super) contract: Option<Contract>,
    /// Server time after the reads, in milliseconds.
    pub(super) now_ms: u64,
}

/// What one execution should look like.
pub(super) struct Expected<'a> {
    pub(super) id: &'a str,
    /// Id of each of its attempts.
    pub(super) attempt_id: &'a dyn Fn(AttemptIndex) -> AttemptId,
    pub(super) entry: &'a Entry,
    /// Kind of the last interruption.
    pub(super) kind: InterruptionKind,
    /// Whether a lease that was lost was revoked; else it ran out.
    pub(super) revoked: bool,
    pub(super) worker: &'a WorkerIdentity,
    /// How much of the execution may be gone with a failover, or with a server that came back empty.
    pub(super) may_be_lost: MayBeLost,
}

impl Expected<'_> {
    /// Whether a claim of the execution ended without a reply, and nobody found out what became of it.
    pub(super) fn has_doubtful_claim(&self) -> bool {
        let waits_for_one = self.entry.phase.successors() == [Phase::Active];
        self.entry.uncertain && waits_for_one && self.entry.handout != Handout::None
    }

    /// How many claims of the execution succeeded.
    pub(super) fn claims(&self, unnoticed_claim: bool) -> u32 {
        self.entry.claims + u32::from(unnoticed_claim)
    }

    /// How many attempts its claims made.
    pub(super) fn attempts(&self, unnoticed_claim: bool) -> u32 {
        let entry = self.entry;
        entry.attempts + u32::from(unnoticed_claim && entry.phase.claim_makes_an_attempt())
    }

    /// Whether the cluster shows an attempt that the execution had, the current one or one before.
    pub(super) fn had_attempt(&self, view: &AuditView) -> bool {
        let shown = view.attempt_id.as_ref().zip(view.attempt_index);
        shown.is_some_and(|(id, index)| index.0 < self.entry.attempts && *id == (self.attempt_id)(index))
    }
}

/// What a failover took away from an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LostByServer {
    /// Claims that are gone.
    pub(super) claims: u64,
    /// Lease epoch that is left.
    pub(super) epoch: u64,
    /// Whether its state is an earlier one.
    pub(super) back: bool,
}

/// What the server lost: the execution is back in an earlier state, or its grant is missing. `None` where nothing
/// is lost, and where the execution is in a state in which it never was.
pub(super) fn lost(expected: &Expected<'_>, seen: &Seen) -> Option<LostByServer> {
    let entry = expected.entry;
    let Some(view) = &seen.view else {
        let gone = expected.may_be_lost == MayBeLost::Everything;
        return gone.then(|| LostByServer { claims: entry.granted.into(), epoch: 0, back: true });
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
    (expected.had_attempt(view) && (is < was || (is == was && grant_gone))).then_some(LostByServer {
        claims,
        epoch,
        back: is < was,
    })
}

/// An execution's steps since its first claim, counted on.
pub(super) fn step(claims: u64, phase: Phase) -> u64 {
    3 * claims
        + match phase {
            Phase::Planned | Phase::Fresh | Phase::Active => 0,
            Phase::Interrupted | Phase::Lapsed => 1,
            Phase::Runnable => 2,
        }
}

/// Whether an execution looks as it must in `phase`: what an interrupted one waits for, how a lost lease was
/// lost.
pub(super) fn matches(phase: Phase, expected: &Expected<'_>, view: Option<&AuditView>) -> bool {
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

pub(super) fn could_be(phase: Phase, view: Option<&AuditView>) -> bool {
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
