//! A pool of claims as the client sees them between the grant and the record: keys, commands, replies, lease.

use std::time::Duration;

use ff_core::partition::{Partition, PartitionFamily};
use ff_core::types::{AttemptIndex, LeaseId};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use reclaim_analysis::record::{Outcome, Purpose, Recorder, Stamps};
use reclaim_analysis::record::{SLOTS, WireCost};
use reclaim_bench::flowfabric::{
    ClaimResumedExecution, ClaimedLease, ExecutionKeys, ReadAttemptIndex, ReclaimGrant, ReplyError, Request,
    WorkerIdentity,
};
use reclaim_bench::valkey::{NodeAddr, Primary, Topology};
use redis::{Cmd, Value};

use super::inputs::{self, CLAIMS};

/// Lease that a claim asks for.
const LEASE_TTL: Duration = Duration::from_secs(30);

/// The wire cost of one `grant-lane` claim, which has no bearing on how long recording it takes.
const COST: WireCost = WireCost { round_trips: 2, commands: 2, bytes_out: 1_100, bytes_in: 180 };

/// One claim by `grant-lane`: what it sends and what comes back.
pub struct Claim {
    /// The grant it consumes.
    pub grant: ReclaimGrant,
    /// Its partition, parsed.
    pub partition: Partition,
    /// The execution's keys.
    pub keys: ExecutionKeys,
    /// Reply to the read of the attempt index, in RESP2.
    pub hget_wire: Vec<u8>,
    /// The claiming call.
    pub fcall: Cmd,
    /// Its reply, in RESP2.
    pub fcall_wire: Vec<u8>,
    /// The same, decoded.
    pub fcall_reply: Value,
    lease_id: LeaseId,
    worker: WorkerIdentity,
    stamps: Stamps,
}

impl Claim {
    /// The pool that every benchmark of the encoding walks.
    pub fn pool() -> Vec<Self> {
        inputs::pool_of(CLAIMS, "claims", Self::draw)
    }

    /// # Panics
    /// Never: what is drawn is well formed.
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        let grant = inputs::grant(rng);
        let partition = grant.partition().expect("a drawn grant has a valid key");
        let keys = ExecutionKeys::new(partition, &grant.execution_id);
        let mut uuid = || {
            let mut bytes = [0; 16];
            rng.fill_bytes(&mut bytes);
            uuid::Builder::from_random_bytes(bytes).into_uuid()
        };
        let (lease_id, attempt_id) = (LeaseId(uuid()), uuid());
        let worker = inputs::worker();
        let fcall = fcall(&keys, &grant, &worker, &lease_id);
        let epoch: u32 = rng.random_range(2..20);
        let fcall_wire = fcall_reply_wire(&lease_id, epoch, grant.expires_at_ms + 30_000, attempt_id);
        let fcall_reply = redis::parse_redis_value(&fcall_wire).expect("the reply is RESP2");
        let sent = Duration::from_micros(rng.random_range(0..900_000));
        // Between the fastest and the slowest claims of an idle machine.
        let service = Duration::from_nanos(rng.random_range(150_000..2_000_000));
        Self {
            grant,
            partition,
            keys,
            hget_wire: b"$1\r\n0\r\n".to_vec(),
            fcall,
            fcall_wire,
            fcall_reply,
            lease_id,
            worker,
            stamps: Stamps {
                scheduled: None,
                sent,
                done: sent + service,
                resume: None,
                steps: [service.mul_f64(0.3), service.mul_f64(0.7)].into_iter().collect(),
            },
        }
    }

    /// Encodes the read of the attempt index.
    pub fn hget(&self) -> Cmd {
        ReadAttemptIndex(&self.keys).command()
    }

    /// Encodes the claiming call: 11 keys, 8 arguments.
    pub fn fcall(&self) -> Cmd {
        self.fcall_with(&self.keys)
    }

    /// The same, with keys made elsewhere.
    pub fn fcall_with(&self, keys: &ExecutionKeys) -> Cmd {
        fcall(keys, &self.grant, &self.worker, &self.lease_id)
    }

    /// Reads the claiming call's reply into a lease.
    pub fn read_fcall_reply(&self) -> Result<ClaimedLease, ReplyError> {
        ClaimResumedExecution::parse(&self.fcall_reply)
    }

    /// Enters the claim into a recorder with one arm.
    pub fn record(&self, recorder: &mut Recorder) {
        recorder.record(0, Purpose::Plain, &self.stamps, &Outcome::Claimed, COST, 0);
    }

    /// done - sent.
    pub fn service(&self) -> Duration {
        self.stamps.done.saturating_sub(self.stamps.sent)
    }
}

fn fcall(keys: &ExecutionKeys, grant: &ReclaimGrant, worker: &WorkerIdentity, lease_id: &LeaseId) -> Cmd {
    ClaimResumedExecution {
        keys,
        lane_id: &grant.lane_id,
        worker,
        attempt_index: AttemptIndex::new(0),
        lease_id,
        lease_ttl: LEASE_TTL,
    }
    .command()
}

/// What `ff_claim_resumed_execution` answers: `[1, "OK", lease, epoch, expiry, attempt, index, "resumed"]`,
/// where all but the head are strings.
fn fcall_reply_wire(lease_id: &LeaseId, epoch: u32, expires_at_ms: u64, attempt_id: uuid::Uuid) -> Vec<u8> {
    let fields = [
        "OK".to_owned(),
        lease_id.to_string(),
        epoch.to_string(),
        expires_at_ms.to_string(),
        attempt_id.to_string(),
        "0".to_owned(),
        "resumed".to_owned(),
    ];
    let head = format!("*{}\r\n:1\r\n", fields.len() + 1);
    let fields = fields.into_iter().map(|field| format!("${}\r\n{field}\r\n", field.len()));
    std::iter::once(head).chain(fields).collect::<String>().into_bytes()
}

/// Three primaries with even slot ranges, as the local cluster has them.
///
/// # Panics
/// Never: the ranges cover every slot once.
pub fn topology() -> Topology {
    let third = SLOTS as u16 / 3;
    let shards = (0..3u16)
        .map(|n| {
            let high = if n == 2 { SLOTS as u16 - 1 } else { (n + 1) * third - 1 };
            let addr = NodeAddr { host: "127.0.0.1".into(), port: 7_000 + n };
            (Primary { id: format!("primary-{n}"), addr, slots: 0, replicas: 0 }, vec![(n * third, high)])
        })
        .collect();
    Topology::new(shards).expect("three thirds are a whole")
}

/// A partition's hash tag as slots are computed from.
pub fn tags() -> Vec<String> {
    inputs::pool("tags", |rng| inputs::partition(rng, PartitionFamily::Flow, 3).hash_tag())
}
