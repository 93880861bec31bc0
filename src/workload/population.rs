//! Who is interrupted, and how: every identifier of a run as a pure function of its seed.
//!
//! Nothing here is stored per execution. A [`PopulationPlan`] answers for any [`ExecIndex`] at any time, so
//! that the population can grow while a run goes on and still be the same for the same seed.

use ff_core::partition::{Partition, PartitionFamily};
use ff_core::types::{
    AttemptId, AttemptIndex, ExecutionId, LaneId, LeaseId, SignalId, SuspensionId, WaitpointId,
};
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use uuid::Uuid;

pub use super::names::LANE_PREFIX;
use super::names::TAG;
pub(super) use super::names::{INSTANCE, SIGNAL, UUID_TEXT_PREFIX, WORKER, is_ours};
use super::shares::Shares;
use reclaim_analysis::scenario::{InterruptionMix, Population, Skew};

/// The attempt that a first claim makes. A resume keeps it, a reclaim of a lost lease makes the next one.
pub(super) const FIRST_ATTEMPT: AttemptIndex = AttemptIndex(0);

/// Number of an execution within its run, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExecIndex(pub u32);

/// Number of a lane within its run, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneIndex(pub u16);

/// How an execution is interrupted and made runnable again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum InterruptionKind {
    /// Suspended; a signal satisfies the condition.
    Signal,
    /// Suspended; the suspension expires into a resume.
    Timeout,
    /// Suspended; an operator resumes.
    Operator,
    /// Delayed; promoted when due.
    Delay,
}

/// The random streams of a population. Each one is addressed by (stream, round, execution), never drawn in
/// turn.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Stream {
    Execution = 1,
    Attempt,
    Lease,
    Suspension,
    Waitpoint,
    Signal,
    Partition,
    Kind,
    Ranks,
    Lane,
    LaneRanks,
    Loss,
}

/// Where each execution lives and what everything about it is called.
#[derive(Clone, Debug)]
pub struct PopulationPlan {
    seed: u64,
    generator: ChaCha8Rng,
    partitions: u16,
    lanes: u16,
    /// Of the partitions, hottest first; `None` where they are uniform.
    shares: Option<Shares<u16>>,
    /// The same for the lanes.
    lane_shares: Option<Shares<u16>>,
    kinds: Shares<InterruptionKind>,
}

impl PopulationPlan {
    /// Plans for `partitions` flow partitions (at least one).
    pub fn new(seed: u64, population: &Population, interruption: &InterruptionMix, partitions: u16) -> Self {
        let generator = ChaCha8Rng::seed_from_u64(seed);
        let partitions = partitions.max(1);
        let mut plan = Self {
            seed,
            generator,
            partitions,
            lanes: population.lanes.max(1),
            shares: None,
            lane_shares: None,
            kinds: Shares::by_weight(&kind_weights(interruption)),
        };
        if let Skew::Zipf(exponent) = population.skew {
            plan.shares = Some(plan.zipf(Stream::Ranks, plan.partitions, exponent));
        }
        if let Skew::Zipf(exponent) = population.lane_skew {
            plan.lane_shares = Some(plan.zipf(Stream::LaneRanks, plan.lanes, exponent));
        }
        plan
    }

    /// What everything is drawn from.
    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// How many partitions the executions are spread over.
    pub fn partitions(&self) -> u16 {
        self.partitions
    }

    /// How many lanes there are.
    pub fn lanes(&self) -> u16 {
        self.lanes
    }

    /// The partition of an execution.
    pub fn partition(&self, exec: ExecIndex) -> Partition {
        let index = match &self.shares {
            None => (exec.0 % u32::from(self.partitions)) as u16,
            Some(shares) => shares.at(self.point(Stream::Partition, 0, exec)),
        };
        Partition { family: PartitionFamily::Execution, index }
    }

    /// The lane of an execution. Round robin within each partition, starting one lane further in the next
    /// one, so that neither a lane nor a partition's share of it is favoured; or drawn by Zipf's law.
    pub fn lane(&self, exec: ExecIndex) -> LaneIndex {
        if let Some(shares) = &self.lane_shares {
            return LaneIndex(shares.at(self.point(Stream::Lane, 0, exec)));
        }
        let partitions = u32::from(self.partitions);
        let turn = u64::from(exec.0 / partitions) + u64::from(exec.0 % partitions);
        LaneIndex((turn % u64::from(self.lanes)) as u16)
    }

    /// Name of a lane.
    pub fn lane_id(lane: LaneIndex) -> LaneId {
        LaneId::new(format!("{LANE_PREFIX}{}", lane.0))
    }

    /// Id of an execution; its hash tag names [`Self::partition`].
    pub fn execution_id(&self, exec: ExecIndex) -> ExecutionId {
        let text = format!("{}:{}", self.partition(exec).hash_tag(), self.uuid(Stream::Execution, 0, exec));
        ExecutionId::parse(&text).expect("a hash tag and a UUID make an execution id")
    }

    /// Finds the execution that an id belongs to; `None` for ids that this plan did not make.
    pub fn find(&self, id: &str) -> Option<ExecIndex> {
        let (_, uuid) = id.rsplit_once(':')?;
        let bytes = Uuid::parse_str(uuid).ok()?.into_bytes();
        let exec = ExecIndex(u32::from_be_bytes(bytes[12..].try_into().ok()?));
        (self.execution_id(exec).as_str() == id).then_some(exec)
    }

    /// Id of an attempt. The first claim makes the first one and every resume keeps it; a reclaim of a lost
    /// lease makes the next.
    pub fn attempt_id(&self, exec: ExecIndex, index: AttemptIndex) -> AttemptId {
        AttemptId::from_uuid(self.uuid(Stream::Attempt, index.0.into(), exec))
    }

    /// Whether the lease of attempt number `attempts` (from 1) is revoked when it is lost; else it runs out.
    /// Drawn, half and half.
    pub fn revoked(&self, exec: ExecIndex, attempts: u32) -> bool {
        self.stream(Stream::Loss, attempts.into(), exec).random()
    }

    /// Id of the lease that claim number `claim` (from 1, like the lease epoch) asks for. `contender` tells
    /// workers apart that race for one grant.
    pub fn lease_id(&self, exec: ExecIndex, claim: u32, contender: u16) -> LeaseId {
        let round = u64::from(claim) | (u64::from(contender) << 32);
        LeaseId::from_uuid(self.uuid(Stream::Lease, round, exec))
    }

    /// Id of suspension number `interruption` (from 0).
    pub fn suspension_id(&self, exec: ExecIndex, interruption: u32) -> SuspensionId {
        SuspensionId::from_uuid(self.uuid(Stream::Suspension, interruption.into(), exec))
    }

    /// Id of the waitpoint of suspension number `interruption` (from 0).
    pub fn waitpoint_id(&self, exec: ExecIndex, interruption: u32) -> WaitpointId {
        WaitpointId::from_uuid(self.uuid(Stream::Waitpoint, interruption.into(), exec))
    }

    /// Id of the signal that ends suspension number `interruption` (from 0).
    pub fn signal_id(&self, exec: ExecIndex, interruption: u32) -> SignalId {
        SignalId::from_uuid(self.uuid(Stream::Signal, interruption.into(), exec))
    }

    /// Kind of interruption number `interruption` (from 0) of an execution, drawn by weight.
    pub fn kind(&self, exec: ExecIndex, interruption: u32) -> InterruptionKind {
        self.kinds.at(self.point(Stream::Kind, interruption.into(), exec))
    }

    /// A version-8 UUID: the tool's tag, 42 random bits, the execution's number in the last four bytes.
    fn uuid(&self, stream: Stream, round: u64, exec: ExecIndex) -> Uuid {
        let mut bytes = [0; 16];
        self.stream(stream, round, exec).fill_bytes(&mut bytes);
        bytes[..6].copy_from_slice(&TAG);
        bytes[12..].copy_from_slice(&exec.0.to_be_bytes());
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }

    /// The generator's position for one (stream, round, execution): four words of its own.
    fn stream(&self, stream: Stream, round: u64, exec: ExecIndex) -> ChaCha8Rng {
        let mut generator = self.generator.clone();
        generator.set_stream(((stream as u64) << 56) | round);
        generator.set_word_pos(u128::from(exec.0) * 4);
        generator
    }

    /// What a stream draws for an execution, in [0, 1).
    fn point(&self, stream: Stream, round: u64, exec: ExecIndex) -> f64 {
        self.stream(stream, round, exec).random()
    }

    fn zipf(&self, stream: Stream, count: u16, exponent: f64) -> Shares<u16> {
        Shares::zipf(count, exponent, &mut self.stream(stream, 0, ExecIndex(0)))
    }
}

fn kind_weights(mix: &InterruptionMix) -> [(f64, InterruptionKind); 4] {
    use InterruptionKind::{Delay, Operator, Signal, Timeout};
    [(mix.signal, Signal), (mix.timeout, Timeout), (mix.operator, Operator), (mix.delay, Delay)]
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use reclaim_analysis::scenario::PartitionCount;

    const EVEN: InterruptionMix = InterruptionMix { signal: 1.0, timeout: 1.0, operator: 1.0, delay: 1.0 };

    fn population(lanes: u16, skew: Skew) -> Population {
        let lane_skew = Skew::Uniform;
        Population {
            executions: 0,
            lanes,
            partitions: PartitionCount::Published,
            skew,
            lane_skew,
            payload_bytes: 0,
        }
    }

    fn plan(seed: u64, lanes: u16, partitions: u16, skew: Skew) -> PopulationPlan {
        PopulationPlan::new(seed, &population(lanes, skew), &EVEN, partitions)
    }

    fn spread(sizes: impl Iterator<Item = u32> + Clone) -> u32 {
        sizes.clone().max().unwrap_or(0) - sizes.min().unwrap_or(0)
    }

    proptest! {
        #[test]
        fn uniform_partitions_and_their_lanes_differ_by_at_most_one(
            seed: u64, lanes in 1u16..9, partitions in 1u16..70, executions in 0u32..2_000,
        ) {
            let plan = plan(seed, lanes, partitions, Skew::Uniform);
            let mut sizes = vec![0; usize::from(partitions)];
            let mut lane_sizes = vec![vec![0; usize::from(lanes)]; usize::from(partitions)];
            for exec in (0..executions).map(ExecIndex) {
                let partition = usize::from(plan.partition(exec).index);
                sizes[partition] += 1;
                lane_sizes[partition][usize::from(plan.lane(exec).0)] += 1;
            }
            prop_assert_eq!(sizes.iter().sum::<u32>(), executions);
            prop_assert!(spread(sizes.iter().copied()) <= 1);
            for lanes_of_one in &lane_sizes {
                prop_assert!(spread(lanes_of_one.iter().copied()) <= 1);
            }
            let total = |lane: usize| lane_sizes.iter().map(move |sizes| sizes[lane]).sum::<u32>();
            prop_assert!(spread((0..usize::from(lanes)).map(total)) <= u32::from(lanes));
        }

        #[test]
        fn every_identifier_depends_on_seed_and_number_only(
            seed: u64, exec in 0u32..1_000_000, round in 0u32..1_000, zipf in prop::option::of(0.1f64..2.0),
        ) {
            let skew = zipf.map_or(Skew::Uniform, Skew::Zipf);
            let (one, two) = (plan(seed, 4, 256, skew), plan(seed, 4, 256, skew));
            let other = plan(seed.wrapping_add(1), 4, 256, skew);
            let exec = ExecIndex(exec);
            prop_assert_eq!(one.execution_id(exec), two.execution_id(exec));
            prop_assert_eq!(one.lease_id(exec, round, 0), two.lease_id(exec, round, 0));
            prop_assert_eq!(one.kind(exec, round), two.kind(exec, round));
            prop_assert_ne!(one.execution_id(exec), other.execution_id(exec));
        }

        #[test]
        fn an_id_leads_back_to_its_execution(seed: u64, exec: u32, foreign: [u8; 16]) {
            let plan = plan(seed, 4, 256, Skew::Uniform);
            let id = plan.execution_id(ExecIndex(exec));
            prop_assert_eq!(plan.find(id.as_str()), Some(ExecIndex(exec)));
            prop_assert_eq!(id.partition(), plan.partition(ExecIndex(exec)).index);
            prop_assert!(is_ours(id.as_str()));
            let foreign = uuid::Builder::from_random_bytes(foreign).into_uuid();
            let foreign = format!("{{fp:0}}:{foreign}");
            prop_assert_eq!(plan.find(&foreign), None);
            prop_assert!(!is_ours(&foreign));
        }
    }

    #[test]
    fn identifiers_of_one_execution_never_repeat() {
        let plan = plan(7, 1, 1, Skew::Uniform);
        let mut seen = BTreeSet::new();
        for exec in (0..50).map(ExecIndex) {
            assert!(seen.insert(plan.uuid(Stream::Execution, 0, exec)));
            for round in 0..50 {
                assert!(seen.insert(plan.uuid(Stream::Attempt, round.into(), exec)));
                assert!(seen.insert(plan.lease_id(exec, round, 0).0));
                assert!(seen.insert(plan.lease_id(exec, round, 1).0));
                assert!(seen.insert(plan.suspension_id(exec, round).0));
                assert!(seen.insert(plan.waitpoint_id(exec, round).0));
                assert!(seen.insert(plan.signal_id(exec, round).0));
            }
        }
    }

    #[test]
    fn zipf_follows_its_law() {
        let plan = plan(3, 1, 64, Skew::Zipf(1.0));
        let mut sizes = BTreeMap::new();
        let executions = 40_000;
        for exec in (0..executions).map(ExecIndex) {
            *sizes.entry(plan.partition(exec).index).or_insert(0u32) += 1;
        }
        let mut sizes: Vec<u32> = sizes.into_values().collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        let harmonic: f64 = (1..=64).map(|rank| 1.0 / f64::from(rank)).sum();
        for rank in [1u32, 2, 4, 8] {
            let expected = f64::from(executions) / f64::from(rank) / harmonic;
            let seen = f64::from(sizes[rank as usize - 1]);
            assert!((seen / expected - 1.0).abs() < 0.1, "rank {rank}: {seen} instead of {expected}");
        }
    }

    #[test]
    fn kinds_follow_their_weights_and_no_weight_means_never() {
        let mix = InterruptionMix { signal: 3.0, timeout: 0.0, operator: 1.0, delay: 0.0 };
        let plan = PopulationPlan::new(5, &population(1, Skew::Uniform), &mix, 8);
        let mut counts = BTreeMap::new();
        for exec in 0..1_000 {
            for round in 0..10 {
                *counts.entry(plan.kind(ExecIndex(exec), round)).or_insert(0u32) += 1;
            }
        }
        assert_eq!(
            counts.keys().copied().collect::<Vec<_>>(),
            [InterruptionKind::Signal, InterruptionKind::Operator]
        );
        assert!((7_200..7_800).contains(&counts[&InterruptionKind::Signal]), "{counts:?}");
    }
}
