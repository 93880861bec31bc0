//! Seeded pools of inputs.
//!
//! A benchmark that parses one literal for ever measures a predictor that knows every branch and, once
//! inlined, a constant. Each benchmark here walks a pool of inputs drawn from [`SEED`] and its own name, so
//! that two machines, criterion and the instruction counts all see the same bytes.

use ff_core::keys::ExecKeyContext;
use ff_core::partition::{Partition, PartitionConfig, PartitionFamily, PartitionKey};
use ff_core::types::{ExecutionId, LaneId, WorkerId, WorkerInstanceId};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reclaim_bench::flowfabric::{ReclaimGrant, WorkerIdentity};
use sha2::{Digest, Sha256};

/// Keys, ids or grants per pool: too many for a branch predictor to learn the order of, few enough (about 200
/// KB) to stay in a core's own cache, as the grant of a claim does.
pub const POOL: usize = 4096;

/// Whole claims per pool: commands and replies are larger, and a real claim finds its own in the cache.
pub const CLAIMS: usize = 64;

/// Root of every pool.
pub const SEED: u64 = 42;

/// Lanes that grants are spread over, as in the shipped scenarios.
const LANES: u8 = 4;

/// The stream of one named pool: independent of how many other pools there are.
pub fn stream(name: &str) -> ChaCha8Rng {
    let digest = Sha256::new().chain_update(SEED.to_le_bytes()).chain_update(name).finalize();
    ChaCha8Rng::from_seed(digest.into())
}

/// Draws [`POOL`] inputs.
pub fn pool<T>(name: &str, draw: impl FnMut(&mut ChaCha8Rng) -> T) -> Vec<T> {
    pool_of(POOL, name, draw)
}

/// Draws `count` inputs.
pub fn pool_of<T>(count: usize, name: &str, mut draw: impl FnMut(&mut ChaCha8Rng) -> T) -> Vec<T> {
    let mut rng = stream(name);
    (0..count).map(|_| draw(&mut rng)).collect()
}

/// Walks a pool without end, one input per call.
pub struct Walk<'a, T> {
    pool: &'a [T],
    next: usize,
}

impl<'a, T> Walk<'a, T> {
    /// Starts at the first input.
    ///
    /// # Panics
    /// When the pool's length is no power of two: a step is to cost a mask, not a division.
    pub fn new(pool: &'a [T]) -> Self {
        assert!(pool.len().is_power_of_two(), "a walk cannot mask its position in {} inputs", pool.len());
        Self { pool, next: 0 }
    }

    /// The next input, hidden from the optimiser.
    #[inline]
    pub fn step(&mut self) -> &'a T {
        self.next = (self.next + 1) & (self.pool.len() - 1);
        std::hint::black_box(&self.pool[self.next])
    }
}

/// A key with exactly this text, as it would come off the wire.
///
/// # Panics
/// Never: the key is a transparent string.
pub fn key_from_wire(text: &str) -> PartitionKey {
    serde_json::from_value(serde_json::Value::from(text)).expect("a partition key is any JSON string")
}

/// A partition of a family whose index has exactly `digits` digits, 1 to 5.
pub fn partition(rng: &mut ChaCha8Rng, family: PartitionFamily, digits: u32) -> Partition {
    let low = if digits == 1 { 0 } else { 10u16.pow(digits - 1) };
    let high = 10u16.checked_pow(digits).map_or(u16::MAX, |next| next - 1);
    Partition { family, index: rng.random_range(low..=high) }
}

/// An execution on any of the flow partitions that FlowFabric sets up by default.
///
/// # Panics
/// Never: the text is well formed.
pub fn execution_id(rng: &mut ChaCha8Rng) -> ExecutionId {
    let partition = rng.random_range(0..PartitionConfig::default().num_flow_partitions);
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    let uuid = uuid::Builder::from_random_bytes(bytes).into_uuid();
    ExecutionId::parse(&format!("{{fp:{partition}}}:{uuid}")).expect("tag and uuid are well formed")
}

/// A grant as the reclaim scanner issues it.
pub fn grant(rng: &mut ChaCha8Rng) -> ReclaimGrant {
    let execution_id = execution_id(rng);
    let partition = Partition { family: PartitionFamily::Flow, index: execution_id.partition() };
    ReclaimGrant {
        partition_key: partition.into(),
        grant_key: ExecKeyContext::new(&partition, &execution_id).claim_grant(),
        expires_at_ms: 1_790_000_000_000 + rng.random_range(0..600_000),
        lane_id: LaneId::new(format!("bench-lane-{}", rng.random_range(0..LANES))),
        execution_id,
    }
}

/// The worker that all benchmarks claim as.
pub fn worker() -> WorkerIdentity {
    WorkerIdentity {
        worker_id: WorkerId::new("bench-worker"),
        instance_id: WorkerInstanceId::new("bench-worker-1"),
    }
}
