//! Which of a run's executions are one generator's, where several share them, and by which names it goes.

use ff_core::types::{LaneId, WorkerId, WorkerInstanceId};
use serde::{Deserialize, Serialize};

use super::population::{ExecIndex, LANE_PREFIX, LaneIndex, WORKER};
use crate::flowfabric::WorkerIdentity;

/// One of several generators of a run. Of n generators it has every n-th execution, and lanes and a worker of its
/// own, so that no reclaim scanner finds what is another generator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Slice {
    number: u32,
    of: u32,
}

impl Slice {
    /// All of a run.
    pub const WHOLE: Self = Self { number: 1, of: 1 };

    /// Generator `number`, from 1, of `of`; `None` where there is no such generator.
    pub fn new(number: u32, of: u32) -> Option<Self> {
        (1..=of).contains(&number).then_some(Self { number, of })
    }

    /// Number of this generator, from 1.
    pub fn number(self) -> u32 {
        self.number
    }

    /// How many generators share the run.
    pub fn generators(self) -> u32 {
        self.of
    }

    /// Whether nobody else has a part of the run.
    pub fn is_whole(self) -> bool {
        self.of == 1
    }

    /// Whether this is the first generator, which does what is done once.
    pub fn leads(self) -> bool {
        self.number == 1
    }

    /// Whether an execution is this generator's.
    pub fn owns(self, exec: ExecIndex) -> bool {
        exec.0 % self.of == self.number - 1
    }

    /// How many of `total` belong to this generator, of the first `total` executions for one; the shares add up
    /// to `total`.
    pub fn share_of(self, total: u32) -> u32 {
        self.share_of_claims(total.into()) as u32
    }

    /// The same for claims.
    pub fn share_of_claims(self, total: u64) -> u64 {
        let (number, of) = (u64::from(self.number), u64::from(self.of));
        total / of + u64::from(number <= total % of)
    }

    /// Lane name; each generator has `lanes` lanes of its own.
    pub(super) fn lane_id(self, lane: LaneIndex, lanes: u16) -> LaneId {
        let number = u64::from(self.number - 1) * u64::from(lanes) + u64::from(lane.0);
        LaneId::new(format!("{LANE_PREFIX}{number}"))
    }

    /// The worker that claims for this generator.
    pub(super) fn worker(self) -> WorkerIdentity {
        let place = self.number - 1;
        let name = if self.leads() { WORKER.to_owned() } else { format!("{WORKER}-{place}") };
        WorkerIdentity {
            worker_id: WorkerId::new(name),
            instance_id: WorkerInstanceId::new(format!("{WORKER}-{place}")),
        }
    }
}

impl std::fmt::Display for Slice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "generator {} of {}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::population::INSTANCE;
    use super::*;

    fn parts(of: u32) -> Vec<Slice> {
        (1..=of).map(|number| Slice::new(number, of).unwrap()).collect()
    }

    proptest! {
        #[test]
        fn every_execution_is_one_parts_and_shares_are_all(of in 1u32..600, total in 0u32..5_000) {
            let parts = parts(of);
            prop_assert_eq!(parts.iter().map(|part| part.share_of(total)).sum::<u32>(), total);
            for exec in (0..total.min(300)).map(ExecIndex) {
                prop_assert_eq!(parts.iter().filter(|part| part.owns(exec)).count(), 1);
            }
            let counted: Vec<u32> = parts.iter()
                .map(|part| (0..total).filter(|n| part.owns(ExecIndex(*n))).count() as u32)
                .collect();
            prop_assert_eq!(counted, parts.iter().map(|part| part.share_of(total)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn no_two_parts_share_a_name_and_one_alone_has_the_names_it_always_had() {
        let mut names = BTreeSet::new();
        for part in parts(5) {
            let worker = part.worker();
            assert!(names.insert(worker.instance_id.to_string()));
            (0..3).for_each(|lane| {
                assert!(names.insert(part.lane_id(LaneIndex(lane), 3).to_string() + "lane"));
            });
        }
        let alone = Slice::WHOLE.worker();
        assert_eq!(
            (alone.worker_id.to_string(), alone.instance_id.to_string()),
            (WORKER.into(), INSTANCE.into())
        );
        assert_eq!((Slice::new(0, 2), Slice::new(3, 2), Slice::new(0, 0)), (None, None, None));
    }
}
