//! What a claim promises to write, and what a release promises to take away: the part of the audit that looks
//! beyond `exec_core`. A function that writes less is quicker, and wrong.

use ff_core::types::{AttemptIndex, LaneId};

use super::batch::{CommandBatch, Replies};
use super::ledger::Phase;
use crate::flowfabric::{
    Acquired, CallError, ExecutionKeys, IsAmongLeases, ReadAttemptRecord, ReadLastAcquired, ReadLeaseRecord,
    ReadOwner, ReadScore, SortedIndex, Texts, WorkerIdentity,
};

/// Executions whose contract is read back; all of them where a run has no more. A fault of one claim in 1,000
/// is among so many with a probability of 1 - 0.999^10,000 = 0.99995.
pub(super) const SAMPLE: usize = 10_000;

/// What was read of one execution beyond its state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contract {
    owner: Texts,
    lease: Texts,
    attempt: Texts,
    /// The attempt before; empty where there was none.
    attempt_before: Texts,
    lease_expiry: Option<String>,
    active: Option<String>,
    eligible: Option<String>,
    among_leases: bool,
    acquired: Option<Acquired>,
}

/// What the functions have promised of one execution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Promise<'a> {
    pub phase: Phase,
    /// The lease epoch.
    pub claims: u32,
    /// Attempts made.
    pub attempts: u32,
    /// Whether a lease that was lost was revoked; else it ran out.
    pub revoked: bool,
    pub id: &'a str,
    /// Id of the current attempt.
    pub attempt_id: &'a str,
    pub worker: &'a WorkerIdentity,
}

/// Adds the commands that read it, all of them to the execution's partition; of the attempt with this index,
/// and of the one before.
pub(super) fn ask(
    keys: &ExecutionKeys,
    lane_id: &LaneId,
    attempt_index: AttemptIndex,
    worker: &WorkerIdentity,
    batch: &mut CommandBatch,
) {
    batch.ask(&ReadOwner(keys));
    batch.ask(&ReadLeaseRecord(keys));
    batch.ask(&ReadAttemptRecord { keys, attempt_index });
    let before = AttemptIndex(attempt_index.0.saturating_sub(1));
    batch.ask(&ReadAttemptRecord { keys, attempt_index: before });
    for index in [SortedIndex::LeaseExpiry, SortedIndex::Active, SortedIndex::Eligible] {
        batch.ask(&ReadScore { keys, lane_id, index });
    }
    batch.ask(&IsAmongLeases { keys, instance_id: &worker.instance_id });
    batch.ask(&ReadLastAcquired(keys));
}

impl Contract {
    /// Reads the replies to [`ask`].
    pub(super) fn read(replies: &mut Replies) -> Result<Self, CallError> {
        Ok(Self {
            owner: replies.read::<ReadOwner<'_>>()?,
            lease: replies.read::<ReadLeaseRecord<'_>>()?,
            attempt: replies.read::<ReadAttemptRecord<'_>>()?,
            attempt_before: replies.read::<ReadAttemptRecord<'_>>()?,
            lease_expiry: replies.read::<ReadScore<'_>>()?,
            active: replies.read::<ReadScore<'_>>()?,
            eligible: replies.read::<ReadScore<'_>>()?,
            among_leases: replies.read::<IsAmongLeases<'_>>()?,
            acquired: replies.read::<ReadLastAcquired<'_>>()?,
        })
    }

    /// What is not as promised, in words; empty where all is well.
    pub(super) fn broken(&self, promise: &Promise<'_>) -> Vec<&'static str> {
        let Promise { phase, claims, .. } = *promise;
        let epoch = claims.to_string();
        let mut broken = Vec::new();
        let mut must = |holds: bool, words: &'static str| {
            if !holds {
                broken.push(words);
            }
        };
        let taken = self.acquired.as_ref();
        must(
            if claims == 0 { taken.is_none() } else { taken.is_some_and(|last| last.epoch == epoch) },
            "its lease history does not end with its last claim",
        );
        match phase {
            Phase::Active => self.held(&mut must, &epoch, promise),
            Phase::Lapsed => self.lost(&mut must, promise.revoked),
            _ => {
                must(self.lease.iter().all(Option::is_none), "its lease record is still there");
                must(self.lease_expiry.is_none(), "it is still in the index of leases by their end");
                must(self.active.is_none(), "it is still in its lane's active set");
                must(!self.among_leases, "it is still among its worker's leases");
            }
        }
        self.counted(&mut must, promise.attempts);
        let eligible = matches!(phase, Phase::Fresh | Phase::Runnable);
        let words = if eligible {
            "it is not in its lane's eligible set"
        } else {
            "it is still in its lane's eligible set"
        };
        must(self.eligible.is_some() == eligible, words);
        broken
    }

    /// What must be there after a lease was lost and before it is reclaimed. Its lane's active set keeps it
    /// either way, and one that ran out stays everywhere until then; only its record vanishes by itself.
    fn lost(&self, must: &mut impl FnMut(bool, &'static str), revoked: bool) {
        must(self.active.is_some(), "its lane's active set does not have it");
        if revoked {
            must(self.lease.iter().all(Option::is_none), "its lease record is still there");
            must(self.lease_expiry.is_none(), "it is still in the index of leases by their end");
            must(!self.among_leases, "it is still among its worker's leases");
        } else {
            must(self.lease_expiry.is_some(), "the index of leases by their end does not have it");
            must(self.among_leases, "its worker's leases do not have it");
        }
    }

    /// Attempts: as many as were made, and one that was reclaimed has taken the place of the one before.
    fn counted(&self, must: &mut impl FnMut(bool, &'static str), attempts: u32) {
        must(text_at(&self.owner, 6) == attempts.to_string(), "exec_core does not count its attempts right");
        let Some(before) = attempts.checked_sub(2) else { return };
        must(
            text_at(&self.attempt, 5) == "reclaim" && text_at(&self.attempt, 6) == before.to_string(),
            "its attempt does not say which one it replaces",
        );
        must(
            text_at(&self.attempt_before, 0) == "interrupted_reclaimed",
            "the attempt that was reclaimed is not closed",
        );
    }

    /// What must be there while a worker holds the lease.
    fn held(
        &self,
        must: &mut impl FnMut(bool, &'static str),
        epoch: &str,
        &Promise { id, attempt_id, worker, .. }: &Promise<'_>,
    ) {
        let [lease_id, owner_epoch, ends] = [0, 1, 2].map(|position| text_at(&self.owner, position));
        let (worker_id, instance_id) = (worker.worker_id.as_str(), worker.instance_id.as_str());
        must(!lease_id.is_empty() && owner_epoch == epoch, "exec_core does not name its lease");
        must(
            text_at(&self.owner, 3) == worker_id && text_at(&self.owner, 4) == instance_id,
            "exec_core names another worker",
        );
        must(text_at(&self.owner, 5) == "not_applicable", "exec_core says that it is eligible");
        let record = [&lease_id, epoch, &ends, worker_id, instance_id, id, attempt_id];
        must(
            (0..record.len()).all(|position| text_at(&self.lease, position) == record[position]),
            "its lease record is missing or another one",
        );
        let attempt = ["started", &lease_id, epoch, worker_id, instance_id];
        must(
            (0..attempt.len()).all(|position| text_at(&self.attempt, position) == attempt[position]),
            "its attempt does not run under the lease",
        );
        must(
            same_time(self.lease_expiry.as_deref(), &ends),
            "the index of leases by their end does not have it",
        );
        must(same_time(self.active.as_deref(), &ends), "its lane's active set does not have it");
        must(self.among_leases, "its worker's leases do not have it");
        must(
            self.acquired
                .as_ref()
                .is_some_and(|last| last.lease_id == lease_id && last.attempt_id == attempt_id),
            "its lease history names another lease or attempt",
        );
    }
}

/// The text of a field; empty where it is missing.
fn text_at(texts: &Texts, position: usize) -> String {
    texts.get(position).cloned().flatten().unwrap_or_default()
}

/// Whether a score is this time in milliseconds. Servers write large scores in more than one way.
fn same_time(score: Option<&str>, ends: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    score.and_then(number).zip(number(ends)).is_some_and(|(score, ends)| (score - ends).abs() < 0.5)
}

#[cfg(test)]
mod tests {
    use ff_core::types::{WorkerId, WorkerInstanceId};

    use super::*;

    const ID: &str = "{fp:1}:x";

    fn worker() -> WorkerIdentity {
        WorkerIdentity { worker_id: WorkerId::new("w"), instance_id: WorkerInstanceId::new("w-0") }
    }

    fn texts(texts: &[&str]) -> Texts {
        texts.iter().map(|text| Some((*text).to_owned())).collect()
    }

    fn held() -> Contract {
        Contract {
            owner: texts(&["lease", "2", "1700000000000", "w", "w-0", "not_applicable", "1"]),
            lease: texts(&["lease", "2", "1700000000000", "w", "w-0", ID, "attempt"]),
            attempt: texts(&["started", "lease", "2", "w", "w-0", "initial"]),
            attempt_before: Texts::new(),
            lease_expiry: Some("1700000000000".into()),
            active: Some("1.7e+12".into()),
            eligible: None,
            among_leases: true,
            acquired: Some(Acquired {
                lease_id: "lease".into(),
                epoch: "2".into(),
                attempt_id: "attempt".into(),
            }),
        }
    }

    fn released(eligible: bool) -> Contract {
        Contract {
            owner: [vec![None; 6], texts(&["1"])].concat(),
            lease: vec![None; 7],
            attempt: texts(&["suspended", "lease", "2", "w", "w-0", "initial"]),
            attempt_before: Texts::new(),
            lease_expiry: None,
            active: None,
            eligible: eligible.then(|| "0".into()),
            among_leases: false,
            acquired: held().acquired,
        }
    }

    /// After a reclaim: the second attempt.
    fn reclaimed() -> Contract {
        let mut contract = held();
        contract.owner[6] = Some("2".into());
        contract.attempt = texts(&["started", "lease", "2", "w", "w-0", "reclaim", "0"]);
        contract.attempt_before = texts(&["interrupted_reclaimed", "before", "1", "w", "w-0", "initial"]);
        contract
    }

    fn promised(contract: &Contract, phase: Phase, attempts: u32, revoked: bool) -> Vec<&'static str> {
        let worker = worker();
        let (id, attempt_id, claims) = (ID, "attempt", 2);
        contract.broken(&Promise { phase, claims, attempts, revoked, id, attempt_id, worker: &worker })
    }

    fn broken(contract: &Contract, phase: Phase) -> Vec<&'static str> {
        promised(contract, phase, 1, false)
    }

    #[test]
    fn a_kept_promise_is_quiet() {
        assert!(broken(&held(), Phase::Active).is_empty());
        assert!(broken(&released(false), Phase::Interrupted).is_empty());
        assert!(broken(&released(true), Phase::Runnable).is_empty());
        let fresh =
            Contract { acquired: None, owner: [vec![None; 6], texts(&["0"])].concat(), ..released(true) };
        let worker = worker();
        let (id, attempt_id) = (ID, "attempt");
        let promise = Promise {
            phase: Phase::Fresh,
            claims: 0,
            attempts: 0,
            revoked: false,
            id,
            attempt_id,
            worker: &worker,
        };
        assert!(fresh.broken(&promise).is_empty());
        assert!(promised(&reclaimed(), Phase::Active, 2, false).is_empty());
        // A lease that ran out stays in the indexes until it is reclaimed, one that was revoked does not.
        assert!(broken(&held(), Phase::Lapsed).is_empty());
        let revoked = Contract { active: held().active, ..released(false) };
        assert!(promised(&revoked, Phase::Lapsed, 1, true).is_empty());
        assert_eq!(promised(&held(), Phase::Lapsed, 1, true).len(), 3);
        assert_eq!(promised(&revoked, Phase::Lapsed, 1, false).len(), 2);
    }

    #[test]
    fn a_reclaim_that_starts_no_new_attempt_or_leaves_the_old_one_open_is_named() {
        type Plant = fn(&mut Contract);
        let cases: [(Plant, &str); 5] = [
            (|c| c.owner[6] = Some("1".into()), "count its attempts"),
            (|c| c.attempt[5] = Some("initial".into()), "which one it replaces"),
            (|c| c.attempt[6] = Some("1".into()), "which one it replaces"),
            (|c| c.attempt_before[0] = Some("started".into()), "not closed"),
            (|c| c.attempt_before = vec![None; 7], "not closed"),
        ];
        for (plant, word) in cases {
            let mut contract = reclaimed();
            plant(&mut contract);
            let found = promised(&contract, Phase::Active, 2, false);
            assert!(found.len() == 1 && found[0].contains(word), "{word}: {found:?}");
        }
    }

    #[test]
    fn each_thing_that_is_not_written_is_named_alone() {
        type Plant = fn(&mut Contract);
        let cases: [(Plant, &str); 11] = [
            (|c| c.owner[0] = None, "exec_core does not name its lease"),
            (|c| c.owner[3] = Some("v".into()), "another worker"),
            (|c| c.owner[5] = Some("eligible_now".into()), "eligible"),
            (|c| c.lease = vec![None; 7], "lease record"),
            (|c| c.lease[2] = Some("1".into()), "lease record"),
            (|c| c.attempt[0] = Some("suspended".into()), "its attempt"),
            (|c| c.lease_expiry = None, "index of leases"),
            (|c| c.active = Some("1".into()), "active set"),
            (|c| c.eligible = Some("0".into()), "still in its lane's eligible set"),
            (|c| c.among_leases = false, "worker's leases"),
            (|c| c.acquired = None, "lease history"),
        ];
        for (plant, word) in cases {
            let mut contract = held();
            plant(&mut contract);
            let found = broken(&contract, Phase::Active);
            assert!(found.iter().any(|words| words.contains(word)), "{word}: {found:?}");
        }
    }

    #[test]
    fn each_thing_that_is_not_taken_away_is_named() {
        type Plant = fn(&mut Contract);
        let cases: [(Plant, &str); 5] = [
            (|c| c.lease = held().lease, "lease record"),
            (|c| c.lease_expiry = Some("1".into()), "index of leases"),
            (|c| c.active = Some("1".into()), "active set"),
            (|c| c.among_leases = true, "worker's leases"),
            (|c| c.eligible = None, "not in its lane's eligible set"),
        ];
        for (plant, word) in cases {
            let mut contract = released(true);
            plant(&mut contract);
            let found = broken(&contract, Phase::Runnable);
            assert!(found.len() == 1 && found[0].contains(word), "{word}: {found:?}");
        }
    }
}
