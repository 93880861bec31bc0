//! What a claim costs on the client's side, without the network: from the grant to the bytes of its commands,
//! and from the bytes of the replies to the recorded sample.
//!
//! Each part is measured alone, `claim_encoding/whole` is all of them in the order of a `grant-lane` claim.
//! Waking up, system calls and the connection's own queue are not in here: they are in `claim_path`.

mod support;

use std::hint::black_box;
use std::time::Instant;

use criterion::BenchmarkGroup;
use reclaim_analysis::record::slot_of_tag;
use reclaim_analysis::record::{LatencyHistogram, Recorder, StepTimes};
use reclaim_bench::flowfabric::{ClaimResumedExecution, ExecutionKeys, ReadAttemptIndex, Request};
use reclaim_bench::valkey::{Topology, reply_len, request_len};
use redis::parse_redis_value;
use support::claims::{self, Claim};
use support::cpu_time::ThreadCpuTime;
use support::estimates;
use support::inputs::Walk;

const GROUP: &str = "claim_encoding";

fn main() {
    let mut criterion = support::criterion();
    let parts = measure(criterion.benchmark_group(GROUP));
    criterion.final_summary();
    let medians = parts.into_iter().filter_map(|part| Some((part, estimates::median_ns(GROUP, part)?)));
    estimates::print_shares("client side of a claim", medians);
}

/// Runs every benchmark and names them.
fn measure(group: BenchmarkGroup<'_, ThreadCpuTime>) -> Vec<&'static str> {
    let claims = Claim::pool();
    let topology = claims::topology();
    let mut parts = Parts { group, measured: Vec::new() };
    route(&mut parts, &claims, &topology);
    encode(&mut parts, &claims);
    decode(&mut parts, &claims);
    record(&mut parts, &claims);
    whole(&mut parts, &claims, &topology);
    parts.group.finish();
    parts.measured
}

/// The group, and which parts it has measured so far.
struct Parts<'a> {
    group: BenchmarkGroup<'a, ThreadCpuTime>,
    measured: Vec<&'static str>,
}

impl Parts<'_> {
    fn part<O>(&mut self, name: &'static str, mut routine: impl FnMut() -> O) {
        self.group.bench_function(name, |b| b.iter(&mut routine));
        self.measured.push(name);
    }
}

fn route(parts: &mut Parts<'_>, claims: &[Claim], topology: &Topology) {
    let tags = claims::tags();
    let (mut walk, mut tag) = (Walk::new(claims), Walk::new(&tags));
    parts.part("parse partition key", || walk.step().grant.partition().ok());
    parts.part("slot of tag", || slot_of_tag(tag.step()));
    parts.part("route to primary", || topology.owner_of(walk.step().partition));
}

fn encode(parts: &mut Parts<'_>, claims: &[Claim]) {
    let mut walk = Walk::new(claims);
    parts.part("key context", || {
        let claim = walk.step();
        ExecutionKeys::new(claim.partition, &claim.grant.execution_id)
    });
    parts.part("hget command", || walk.step().hget());
    parts.part("fcall command", || walk.step().fcall());
    parts.part("count request bytes", || request_len(&walk.step().fcall));
    parts.part("pack fcall", || walk.step().fcall.get_packed_command());
}

fn decode(parts: &mut Parts<'_>, claims: &[Claim]) {
    let mut walk = Walk::new(claims);
    parts.part("decode reply", || parse_redis_value(&walk.step().fcall_wire).ok());
    parts.part("count reply bytes", || reply_len(&walk.step().fcall_reply));
    parts.part("read lease", || walk.step().read_fcall_reply().ok());
}

fn record(parts: &mut Parts<'_>, claims: &[Claim]) {
    let mut walk = Walk::new(claims);
    let mut recorder = Recorder::new(1, []);
    parts.part("record sample", || walk.step().record(&mut recorder));
    let mut histogram = LatencyHistogram::default();
    parts.part("one histogram of it", || histogram.record(walk.step().service()));
    // What timing every round trip by itself adds to a claim of two: two readings of the clock and a
    // histogram for each.
    let mut by_place = [LatencyHistogram::default(), LatencyHistogram::default()];
    parts.part("timing its round trips", || {
        let mut steps = StepTimes::default();
        for _ in &by_place {
            let begun = Instant::now();
            steps.push(black_box(begun).elapsed());
        }
        for (place, time) in by_place.iter_mut().zip(steps.iter()) {
            place.record(time);
        }
    });
}

fn whole(parts: &mut Parts<'_>, claims: &[Claim], topology: &Topology) {
    let mut walk = Walk::new(claims);
    let mut recorder = Recorder::new(1, []);
    parts.part("whole", || claim(walk.step(), topology, &mut recorder));
}

/// Everything that a `grant-lane` claim computes, with the replies at hand.
fn claim(claim: &Claim, topology: &Topology, recorder: &mut Recorder) {
    let Ok(partition) = claim.grant.partition() else { return };
    black_box(topology.owner_of(partition));
    let keys = ExecutionKeys::new(partition, &claim.grant.execution_id);

    let hget = ReadAttemptIndex(&keys).command();
    black_box((request_len(&hget), hget.get_packed_command()));
    let Ok(reply) = parse_redis_value(&claim.hget_wire) else { return };
    black_box((reply_len(&reply), ReadAttemptIndex::parse(&reply).ok()));

    let fcall = claim.fcall_with(&keys);
    black_box((request_len(&fcall), fcall.get_packed_command()));
    let Ok(reply) = parse_redis_value(&claim.fcall_wire) else { return };
    black_box((reply_len(&reply), ClaimResumedExecution::parse(&reply).ok()));

    claim.record(recorder);
}
