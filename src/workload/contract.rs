//! What a claim promises to write, and what a release promises to take away: the part of the audit that looks beyond
//! `exec_core`. A function that writes less is quicker, and wrong.

use ff_core::types::LaneId;

use super::batch::{Batch, Replies};
use super::ledger::Phase;
use super::population::FIRST_ATTEMPT;
use crate::flowfabric::{
    Acquired, CallError, ExecutionKeys, IsAmongLeases, ReadAttemptRecord, ReadLastAcquired, ReadLeaseRecord,
    ReadOwner, ReadScore, SortedIndex, Texts, WorkerIdentity,
};

/// Executions whose contract is read back; all of them where a run has no more. A fault of one claim in 1,000 is among so
/// many with a probability of 1 - 0.999^10,000 = 0.99995.
pub(super) const SAMPLE: usize = 10_000;

/// What was read of one execution beyond its state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contract {
    owner: Texts,
    lease: Texts,
    attempt: Texts,
    lease_expiry: Option<String>,
    active: Option<String>,
    eligible: Option<String>,
    among_leases: bool,
    acquired: Option<Acquired>,
}

/// Adds the commands that read it, all of them to the execution's partition.
pub(super) fn ask(keys: &ExecutionKeys, lane_id: &LaneId, worker: &WorkerIdentity, batch: &mut Batch) {
    batch.ask(&ReadOwner(keys));
    batch.ask(&ReadLeaseRecord(keys));
    batch.ask(&ReadAttemptRecord { keys, attempt_index: FIRST_ATTEMPT });
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
            lease_expiry: replies.read::<ReadScore<'_>>()?,
            active: replies.read::<ReadScore<'_>>()?,
            eligible: replies.read::<ReadScore<'_>>()?,
            among_leases: replies.read::<IsAmongLeases<'_>>()?,
            acquired: replies.read::<ReadLastAcquired<'_>>()?,
        })
    }

    /// What is not as it must be in `phase`, in words; empty where all is well. `claims` is the lease epoch.
    pub(super) fn broken(
        &self,
        phase: Phase,
        claims: u32,
        (id, attempt_id): (&str, &str),
        worker: &WorkerIdentity,
    ) -> Vec<&'static str> {
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
        if phase == Phase::Active {
            self.held(&mut must, &epoch, (id, attempt_id), worker);
        } else {
            must(self.lease.iter().all(Option::is_none), "its lease record is still there");
            must(self.lease_expiry.is_none(), "it is still in the index of leases by their end");
            must(self.active.is_none(), "it is still in its lane's active set");
            must(!self.among_leases, "it is still among its worker's leases");
        }
        let eligible = matches!(phase, Phase::Fresh | Phase::Runnable);
        let words = if eligible {
            "it is not in its lane's eligible set"
        } else {
            "it is still in its lane's eligible set"
        };
        must(self.eligible.is_some() == eligible, words);
        broken
    }

    /// What must be there while a worker holds the lease.
    fn held(
        &self,
        must: &mut impl FnMut(bool, &'static str),
        epoch: &str,
        (id, attempt_id): (&str, &str),
        worker: &WorkerIdentity,
    ) {
        let of = |texts: &Texts, position: usize| texts.get(position).cloned().flatten().unwrap_or_default();
        let [lease_id, owner_epoch, ends] = [0, 1, 2].map(|position| of(&self.owner, position));
        let (worker_id, instance_id) = (worker.worker_id.as_str(), worker.instance_id.as_str());
        must(!lease_id.is_empty() && owner_epoch == epoch, "exec_core does not name its lease");
        must(
            of(&self.owner, 3) == worker_id && of(&self.owner, 4) == instance_id,
            "exec_core names another worker",
        );
        must(of(&self.owner, 5) == "not_applicable", "exec_core says that it is eligible");
        let record = [&lease_id, epoch, &ends, worker_id, instance_id, id, attempt_id];
        must(
            (0..record.len()).all(|position| of(&self.lease, position) == record[position]),
            "its lease record is missing or another one",
        );
        let attempt = ["started", &lease_id, epoch, worker_id, instance_id];
        must(
            (0..attempt.len()).all(|position| of(&self.attempt, position) == attempt[position]),
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
            owner: texts(&["lease", "2", "1700000000000", "w", "w-0", "not_applicable"]),
            lease: texts(&["lease", "2", "1700000000000", "w", "w-0", ID, "attempt"]),
            attempt: texts(&["started", "lease", "2", "w", "w-0"]),
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
            owner: vec![None; 6],
            lease: vec![None; 7],
            attempt: texts(&["suspended", "lease", "2", "w", "w-0"]),
            lease_expiry: None,
            active: None,
            eligible: eligible.then(|| "0".into()),
            among_leases: false,
            acquired: held().acquired,
        }
    }

    fn broken(contract: &Contract, phase: Phase, claims: u32) -> Vec<&'static str> {
        contract.broken(phase, claims, (ID, "attempt"), &worker())
    }

    #[test]
    fn a_kept_promise_is_quiet() {
        assert!(broken(&held(), Phase::Active, 2).is_empty());
        assert!(broken(&released(false), Phase::Interrupted, 2).is_empty());
        assert!(broken(&released(true), Phase::Runnable, 2).is_empty());
        let fresh = Contract { acquired: None, ..released(true) };
        assert!(broken(&fresh, Phase::Fresh, 0).is_empty());
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
            let found = broken(&contract, Phase::Active, 2);
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
            let found = broken(&contract, Phase::Runnable, 2);
            assert!(found.len() == 1 && found[0].contains(word), "{word}: {found:?}");
        }
    }
}
