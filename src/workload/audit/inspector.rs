//! Compares what was read back with what should be there.

use ff_core::types::AttemptIndex;

use super::super::contract::{Contract, Promise};
use super::super::executions::MayBeLost;
use super::super::ledger::{GrantTotals, Handout, Phase};
use super::expected::{Expected, LostByServer, Seen, could_be, lost, matches};
use crate::flowfabric::AuditView;
use reclaim_analysis::record::Audit;

/// Collects differences. Pure: everything it needs has been read.
pub(super) struct Inspector {
    pub(super) audit: Audit,
}

impl Inspector {
    pub(super) fn new(grants: GrantTotals) -> Self {
        let GrantTotals { issued, claimed, expired } = grants;
        Self { audit: Audit { grants_issued: issued, claimed, expired, ..Audit::default() } }
    }

    pub(super) fn inspect(&mut self, expected: &Expected<'_>, seen: &Seen) {
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
            claims: expected.claims(unnoticed_claim),
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
        let claims = expected.claims(unnoticed_claim);
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
            self.uncount(lost);
            let words = format!("acknowledged claims that were gone when it was claimed again: {lost}");
            self.name_loss(expected, &words);
        }
    }

    /// An execution that a failover put back: claims that were acknowledged are gone, and with them that
    /// their grants were consumed; or it is only a step behind.
    fn lost_by_server(&mut self, expected: &Expected<'_>, seen: &Seen, loss: LostByServer) {
        let entry = expected.entry;
        if seen.view.is_none() {
            self.uncount(loss.claims);
            self.audit.rolled_back += u64::from(loss.claims == 0);
            let words = format!("it is gone, with {} claims that had been acknowledged", loss.claims);
            self.name_loss(expected, &words);
        } else if loss.claims > 0 {
            self.uncount(loss.claims);
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

    /// Takes claims that a server lost out of those that were made.
    fn uncount(&mut self, lost: u64) {
        self.audit.claimed = self.audit.claimed.saturating_sub(lost);
        self.audit.lost_by_server += lost;
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
