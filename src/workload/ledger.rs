//! What the tool knows about every execution: the expectation that the audit compares the cluster with.
//!
//! One small entry per execution, everything that the seed determines left out. Phases only move on when a
//! reply says so; a call that ended without one marks the entry as uncertain, and whoever reads the execution
//! next finds out.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Instant;

use ff_core::types::LeaseId;

use super::population::{ExecIndex, LaneIndex};
use super::ticket::HeldLease;

/// Where an execution stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Part of the plan, not on the cluster.
    #[default]
    Planned,
    /// Created and eligible; never claimed.
    Fresh,
    /// A worker of ours holds the lease.
    Active,
    /// Suspended or delayed.
    Interrupted,
    /// Eligible again, with its attempt interrupted.
    Runnable,
    /// Its lease was revoked or ran out, and nobody has reclaimed it yet.
    Lapsed,
}

impl Phase {
    /// The phases that the next successful call can lead to.
    pub(super) fn successors(self) -> &'static [Self] {
        match self {
            Self::Planned => &[Self::Fresh],
            Self::Fresh | Self::Runnable | Self::Lapsed => &[Self::Active],
            Self::Active => &[Self::Interrupted, Self::Lapsed],
            Self::Interrupted => &[Self::Runnable],
        }
    }

    /// Whether a claim from here starts a new attempt. Else it goes on with the one there is.
    pub(super) fn claim_makes_an_attempt(self) -> bool {
        matches!(self, Self::Fresh | Self::Lapsed)
    }
}

/// What was last handed out for an execution and is not used up yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Handout {
    /// Nothing.
    #[default]
    None,
    /// A grant that vanishes at this server time.
    Grant {
        /// Milliseconds.
        expires_at_ms: u64,
    },
    /// A ticket without a grant (`fused`).
    Ticket,
}

/// Partition and lane: names one eligible set.
pub(super) type SetKey = (u16, LaneIndex);

/// What is handed out from one eligible set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HandedOut {
    /// Executions with something out.
    pub count: u32,
    /// No grant among them vanishes before this server time in milliseconds.
    pub first_expiry_ms: u64,
}

impl HandedOut {
    const NOTHING: Self = Self { count: 0, first_expiry_ms: u64::MAX };

    fn replace(&mut self, before: Handout, after: Handout) {
        self.count += u32::from(after != Handout::None);
        self.count -= u32::from(before != Handout::None);
        if let Handout::Grant { expires_at_ms } = after {
            self.first_expiry_ms = self.first_expiry_ms.min(expires_at_ms);
        }
        if self.count == 0 {
            *self = Self::NOTHING;
        }
    }
}

/// One execution's entry.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    pub phase: Phase,
    /// A call that would have moved the phase on ended without a reply.
    pub uncertain: bool,
    /// A claim's reply named another attempt than it had to go on with, or to make.
    pub attempt_differs: bool,
    /// More claims than handouts succeeded.
    pub double_claims: u32,
    /// Claims that succeeded: what the lease epoch must be.
    pub claims: u32,
    /// The lease epoch as the last claim's reply gave it.
    pub epoch: u64,
    /// Interruptions begun.
    pub interruptions: u32,
    /// Attempts made: one by the first claim, one by each reclaim of a lost lease.
    pub attempts: u32,
    pub lease: Option<LeaseId>,
    /// Partition and lane.
    pub set: SetKey,
    pub handout: Handout,
    /// Server time in milliseconds at which a timeout or delay is due.
    pub due_ms: u64,
    /// Waitpoint token of the suspension in force.
    pub token: Option<Box<str>>,
    /// When a reply last changed what is here.
    pub touched: Option<Instant>,
    /// When the last claim's reply came.
    pub last_claim: Option<Instant>,
    /// Claims that consumed a grant.
    pub granted: u32,
    /// Claims that were acknowledged and that a failover lost, noticed when the execution was claimed again.
    pub lost_by_server: u32,
}

/// Grants over the whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GrantTotals {
    /// Issued by the scanner.
    pub issued: u64,
    /// Consumed by a claim.
    pub claimed: u64,
    /// Known to have vanished unconsumed.
    pub expired: u64,
}

/// All entries and totals. Shared by concurrently running tasks of one thread.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: RefCell<Vec<Entry>>,
    grants: RefCell<GrantTotals>,
    held: RefCell<HashMap<SetKey, HandedOut>>,
}

impl Ledger {
    /// Number of executions, created or not.
    pub fn len(&self) -> u32 {
        self.entries.borrow().len() as u32
    }

    /// Makes room for `additional` more executions and returns their numbers. `set_of` tells where each will
    /// be eligible.
    pub fn extend(&self, additional: u32, set_of: impl Fn(ExecIndex) -> SetKey) -> Vec<ExecIndex> {
        let first = self.len();
        let added: Vec<_> = (first..first.saturating_add(additional)).map(ExecIndex).collect();
        let entry = |&exec: &ExecIndex| Entry { set: set_of(exec), ..Entry::default() };
        self.entries.borrow_mut().extend(added.iter().map(entry));
        added
    }

    /// Reads one entry.
    pub fn read<T>(&self, exec: ExecIndex, read: impl FnOnce(&Entry) -> T) -> T {
        read(&self.entries.borrow()[exec.0 as usize])
    }

    /// Changes one entry.
    pub fn change<T>(&self, exec: ExecIndex, change: impl FnOnce(&mut Entry) -> T) -> T {
        let entry = &mut self.entries.borrow_mut()[exec.0 as usize];
        entry.touched = Some(Instant::now());
        change(entry)
    }

    /// Executions that exist on the cluster, or may.
    pub fn used(&self) -> Vec<ExecIndex> {
        let entries = self.entries.borrow();
        let used = entries.iter().enumerate().filter(|(_, e)| e.phase != Phase::Planned || e.uncertain);
        used.map(|(number, _)| ExecIndex(number as u32)).collect()
    }

    /// Executions in `phase` whose entry is certain.
    pub fn in_phase(&self, phase: Phase) -> Vec<ExecIndex> {
        let entries = self.entries.borrow();
        let matching = entries.iter().enumerate().filter(|(_, e)| e.phase == phase && !e.uncertain);
        matching.map(|(number, _)| ExecIndex(number as u32)).collect()
    }

    /// Grants so far.
    pub fn grants(&self) -> GrantTotals {
        *self.grants.borrow()
    }

    /// What is handed out from an eligible set.
    pub fn held(&self, set: SetKey) -> HandedOut {
        self.held.borrow().get(&set).copied().unwrap_or(HandedOut::NOTHING)
    }

    /// Replaces what is handed out for an execution; returns what it was.
    fn hand(&self, exec: ExecIndex, handout: Handout) -> Handout {
        let (set, phase, before) =
            self.change(exec, |e| (e.set, e.phase, std::mem::replace(&mut e.handout, handout)));
        // One whose lease was lost is in no eligible set, whatever is out for it.
        if phase != Phase::Lapsed {
            self.held.borrow_mut().entry(set).or_insert(HandedOut::NOTHING).replace(before, handout);
        }
        before
    }

    /// A grant was issued. One that the ledger still held must have expired, else the server had refused.
    pub fn granted(&self, exec: ExecIndex, expires_at_ms: u64) {
        let before = self.hand(exec, Handout::Grant { expires_at_ms });
        let mut grants = self.grants.borrow_mut();
        grants.issued += 1;
        if matches!(before, Handout::Grant { .. }) {
            grants.expired += 1;
        }
    }

    /// A ticket without a grant was handed out.
    pub fn ticketed(&self, exec: ExecIndex) {
        self.hand(exec, Handout::Ticket);
    }

    /// A claim answered that the grant which vanishes at `expires_at_ms` is past its time. Several workers
    /// may learn that about one grant; it counts once.
    pub fn expired(&self, exec: ExecIndex, expires_at_ms: u64) {
        if self.read(exec, |e| e.handout) == (Handout::Grant { expires_at_ms }) {
            self.hand(exec, Handout::None);
            self.grants.borrow_mut().expired += 1;
        }
    }

    /// A claim succeeded, after which there are `attempts` attempts; its reply named the `right` one, or not.
    /// `may_be_lost`: whether the one before may be gone with a failover, so that the lease epoch counts on
    /// from before it.
    pub fn claimed(
        &self,
        exec: ExecIndex,
        lease: &HeldLease,
        (attempts, right): (u32, bool),
        may_be_lost: bool,
    ) {
        let handout = self.hand(exec, Handout::None);
        self.change(exec, |e| {
            e.phase = Phase::Active;
            e.uncertain = false;
            e.claims += 1;
            e.granted += u32::from(matches!(handout, Handout::Grant { .. }));
            if may_be_lost && let Ok(epoch) = u32::try_from(lease.epoch.0) {
                let lost = e.claims.saturating_sub(epoch.max(1));
                e.claims -= lost;
                e.lost_by_server += lost;
            }
            e.last_claim = Some(Instant::now());
            e.epoch = lease.epoch.0;
            e.lease = Some(lease.lease_id.clone());
            e.attempts = attempts;
            e.attempt_differs |= !right;
            e.double_claims += u32::from(handout == Handout::None);
        });
        self.grants.borrow_mut().claimed += u64::from(matches!(handout, Handout::Grant { .. }));
    }
}

#[cfg(test)]
mod tests {
    use ff_core::types::{AttemptIndex, LeaseEpoch};
    use uuid::Uuid;

    use super::*;

    fn lease(epoch: u64) -> HeldLease {
        HeldLease {
            lease_id: LeaseId::from_uuid(Uuid::from_u128(epoch.into())),
            epoch: LeaseEpoch(epoch),
            attempt_id: None,
            attempt_index: AttemptIndex(0),
            expires_at: None,
        }
    }

    fn one_set(_: ExecIndex) -> SetKey {
        (0, LaneIndex(0))
    }

    #[test]
    fn what_is_out_is_known_by_set() {
        let ledger = Ledger::default();
        let execs = ledger.extend(4, |exec| (3, LaneIndex((exec.0 % 2) as u16)));
        let held = |lane| {
            (ledger.held((3, LaneIndex(lane))).count, ledger.held((3, LaneIndex(lane))).first_expiry_ms)
        };
        ledger.granted(execs[0], 200);
        ledger.granted(execs[2], 100);
        ledger.granted(execs[2], 300);
        ledger.ticketed(execs[1]);
        assert_eq!((held(0), held(1)), ((2, 100), (1, u64::MAX)));
        ledger.claimed(execs[2], &lease(1), (1, true), false);
        ledger.claimed(execs[1], &lease(1), (1, true), false);
        assert_eq!((held(0), held(1)), ((1, 100), (0, u64::MAX)));
        ledger.expired(execs[0], 200);
        ledger.claimed(execs[0], &lease(1), (1, true), false);
        assert_eq!(held(0), (0, u64::MAX));
    }

    #[test]
    fn what_is_out_for_a_lost_lease_is_in_no_eligible_set() {
        let ledger = Ledger::default();
        let execs = ledger.extend(2, one_set);
        ledger.change(execs[0], |e| e.phase = Phase::Lapsed);
        ledger.granted(execs[0], 100);
        ledger.granted(execs[1], 100);
        assert_eq!(ledger.held((0, LaneIndex(0))).count, 1);
        ledger.claimed(execs[0], &lease(1), (1, true), false);
        assert_eq!(ledger.held((0, LaneIndex(0))).count, 1);
        assert_eq!(ledger.grants().claimed, 1);
    }

    #[test]
    fn a_grant_is_claimed_or_expired_once() {
        let ledger = Ledger::default();
        let exec = ledger.extend(1, one_set)[0];
        ledger.granted(exec, 100);
        ledger.expired(exec, 100);
        ledger.expired(exec, 100);
        ledger.granted(exec, 200);
        ledger.expired(exec, 100);
        ledger.granted(exec, 300);
        ledger.claimed(exec, &lease(1), (1, true), false);
        assert_eq!(ledger.grants(), GrantTotals { issued: 3, claimed: 1, expired: 2 });
        assert_eq!(ledger.read(exec, |e| e.double_claims), 0);
        ledger.claimed(exec, &lease(2), (1, true), false);
        assert_eq!(ledger.read(exec, |e| e.double_claims), 1);
    }

    #[test]
    fn a_population_grows_and_keeps_its_numbers() {
        let ledger = Ledger::default();
        assert_eq!(ledger.extend(2, one_set), [ExecIndex(0), ExecIndex(1)]);
        ledger.change(ExecIndex(1), |e| e.phase = Phase::Fresh);
        assert_eq!(ledger.extend(1, one_set), [ExecIndex(2)]);
        assert_eq!(ledger.used(), [ExecIndex(1)]);
        ledger.change(ExecIndex(2), |e| e.uncertain = true);
        assert_eq!(ledger.used(), [ExecIndex(1), ExecIndex(2)]);
        assert_eq!(ledger.in_phase(Phase::Fresh), [ExecIndex(1)]);
        assert!(size_of::<Entry>() <= 128, "{} bytes per execution", size_of::<Entry>());
    }
}
