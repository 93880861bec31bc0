//! What parsing a partition key costs, in every situation that a claim or a public entry point meets.
//!
//! `partition_key/parse/*` is ff-core's parser, `partition_key/floor/*` the yardstick on the same keys,
//! `partition_key/overhead` what the loop, the call and its result cost without any parsing: subtract it.
//! Times include dropping the result, since an error may own a string. `RECLAIM_BENCH_PARSER=allocating` puts
//! a slower parser in the place of ff-core's, to see that a comparison with a saved baseline fires.

mod support;

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use ff_core::partition::{PartitionFamily, PartitionKey};
use ff_core::types::ExecutionId;
use reclaim_bench::flowfabric::ReclaimGrant;
use support::cases::{case, mix_cases, single_cases};
use support::cpu_time::ThreadCpuTime;
use support::estimates;
use support::inputs::{self, POOL, Walk};
use support::parser::{Allocating, Floor, Nothing, Parser, Shipped, UnderTest};

fn main() {
    let mut criterion = support::criterion();
    match UnderTest::from_env() {
        UnderTest::Shipped => parse::<Shipped>(&mut criterion, "partition_key/parse"),
        UnderTest::Allocating => parse::<Allocating>(&mut criterion, "partition_key/parse"),
    }
    parse::<Floor>(&mut criterion, "partition_key/floor");
    overhead(&mut criterion);
    alias_collapse(&mut criterion);
    grants(&mut criterion);
    execution_ids(&mut criterion);
    criterion.final_summary();
    verdict();
}

/// A faster parser that saves less than this share of a claim changes nothing that anybody could measure.
const WORTH_A_CHANGE: f64 = 0.005;

/// How far ff-core's parser is from the floor, and whether a claim would notice.
#[expect(clippy::print_stdout, reason = "the answer of a benchmark belongs beside criterion's own lines")]
fn verdict() {
    // Most of a claim's keys have three digits; what the loop around a parser takes is no part of it.
    let parsing = |group| {
        let overhead = estimates::single_median_ns("partition_key/overhead")?;
        Some(estimates::median_ns(group, "fp/3-digit")? - overhead)
    };
    let (Some(shipped), Some(floor)) = (parsing("partition_key/parse"), parsing("partition_key/floor"))
    else {
        return;
    };
    let parts = [("ff-core's parser", shipped), ("the floor", floor), ("their difference", shipped - floor)];
    estimates::print_shares("parsing the key of a claim, the loop subtracted", parts);
    let matters = estimates::claim_ns().map_or("", |claim_ns| {
        if shipped - floor < WORTH_A_CHANGE * claim_ns { ": it does not matter" } else { ": it matters" }
    });
    println!("  ff-core's parser takes {:.1} times the floor{matters}", shipped / floor);
}

fn parse<P: Parser>(criterion: &mut Criterion<ThreadCpuTime>, group: &str) {
    let mut group = criterion.benchmark_group(group);
    for case in single_cases() {
        let keys = case.keys();
        let mut walk = Walk::new(&keys);
        group.bench_function(&case.name, |b| b.iter(|| P::parse(walk.step()).ok()));
    }
    group.throughput(Throughput::Elements(POOL as u64));
    for case in mix_cases() {
        let keys = case.keys();
        group.bench_function(&case.name, |b| {
            b.iter(|| {
                for key in &keys {
                    black_box(P::parse(black_box(key)).ok());
                }
            });
        });
    }
    group.finish();
}

fn overhead(criterion: &mut Criterion<ThreadCpuTime>) {
    let keys = case("fp/3-digit").keys();
    let mut walk = Walk::new(&keys);
    criterion.bench_function("partition_key/overhead", |b| b.iter(|| Nothing::parse(walk.step()).ok()));
}

/// `Execution` and `Flow` share a tag, so a key made from one parses back as the other.
fn alias_collapse(criterion: &mut Criterion<ThreadCpuTime>) {
    let partitions =
        inputs::pool("alias-collapse", |rng| inputs::partition(rng, PartitionFamily::Execution, 3));
    let mut walk = Walk::new(&partitions);
    criterion.bench_function("partition_key/alias-collapse", |b| {
        b.iter(|| PartitionKey::from(walk.step()).parse().ok());
    });
}

fn grants(criterion: &mut Criterion<ThreadCpuTime>) {
    let grants = inputs::pool("grants", inputs::grant);
    let mut walk = Walk::new(&grants);
    criterion.bench_function("grant/partition", |b| b.iter(|| walk.step().partition().ok()));

    let wire: Vec<String> = grants.iter().map(support::grant_to_wire).collect();
    let mut walk = Walk::new(&wire);
    criterion.bench_function("grant/decode", |b| {
        b.iter(|| serde_json::from_str::<ReclaimGrant>(walk.step()).ok());
    });
}

fn execution_ids(criterion: &mut Criterion<ThreadCpuTime>) {
    let ids = inputs::pool("execution-ids", inputs::execution_id);
    let mut walk = Walk::new(&ids);
    criterion
        .bench_function("execution_id/parse", |b| b.iter(|| ExecutionId::parse(walk.step().as_str()).ok()));
    let mut walk = Walk::new(&ids);
    criterion.bench_function("execution_id/partition", |b| b.iter(|| walk.step().partition()));
}
