//! Instruction counts of the pure code, under Callgrind: the same inputs as the criterion benchmarks, and
//! figures that a busy machine does not change.
//!
//! Needs `--features instructions`, valgrind and `gungraun-runner` of the same version as the crate. Each
//! count is that of a whole pool, so a change of one instruction per parse moves it by thousands.
//! `tests/instructions.rs` compares the counts with `benches/instructions.toml`.

#![allow(missing_docs, reason = "the benchmark macros make modules that cannot carry documentation")]

mod support;

use std::hint::black_box;

use ff_core::partition::{Partition, PartitionFamily, PartitionKey};
use ff_core::types::ExecutionId;
use gungraun::{LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};
use reclaim_analysis::record::Recorder;
use reclaim_bench::flowfabric::{ExecutionKeys, ReclaimGrant};
use reclaim_bench::valkey::{Topology, reply_len, request_len};
use support::claims::{Claim, topology};
use support::parser::{Allocating, Floor, PARSER_ENV, Parser, Shipped, UnderTest};
use support::{cases, inputs};

/// A pool that lives until the process ends, so that freeing it is not counted.
type Pool<T> = &'static [T];

fn keys(case: &str) -> Pool<PartitionKey> {
    cases::case(case).keys().leak()
}

fn keys_under_test(case: &str) -> (UnderTest, Pool<PartitionKey>) {
    (UnderTest::from_env(), keys(case))
}

fn parse_all<P: Parser>(keys: Pool<PartitionKey>) {
    for key in keys {
        black_box(P::parse(black_box(key)).ok());
    }
}

// ff-core's parser, or the one that `RECLAIM_BENCH_PARSER` puts in its place. An id is its case's name with
// `_` for every other sign.
#[library_benchmark]
#[bench::fp_1_digit(keys_under_test("fp/1-digit"))]
#[bench::fp_2_digit(keys_under_test("fp/2-digit"))]
#[bench::fp_3_digit(keys_under_test("fp/3-digit"))]
#[bench::fp_4_digit(keys_under_test("fp/4-digit"))]
#[bench::fp_5_digit(keys_under_test("fp/5-digit"))]
#[bench::b_1_digit(keys_under_test("b/1-digit"))]
#[bench::b_2_digit(keys_under_test("b/2-digit"))]
#[bench::b_3_digit(keys_under_test("b/3-digit"))]
#[bench::b_4_digit(keys_under_test("b/4-digit"))]
#[bench::b_5_digit(keys_under_test("b/5-digit"))]
#[bench::q_1_digit(keys_under_test("q/1-digit"))]
#[bench::q_2_digit(keys_under_test("q/2-digit"))]
#[bench::q_3_digit(keys_under_test("q/3-digit"))]
#[bench::q_4_digit(keys_under_test("q/4-digit"))]
#[bench::q_5_digit(keys_under_test("q/5-digit"))]
#[bench::error_missing_braces(keys_under_test("error/missing-braces"))]
#[bench::error_malformed_body(keys_under_test("error/malformed-body"))]
#[bench::error_unknown_prefix(keys_under_test("error/unknown-prefix"))]
#[bench::error_index_not_a_number(keys_under_test("error/index-not-a-number"))]
#[bench::error_index_too_large(keys_under_test("error/index-too-large"))]
#[bench::mix_claims(keys_under_test("mix/claims"))]
#[bench::mix_all(keys_under_test("mix/all"))]
fn parse((parser, keys): (UnderTest, Pool<PartitionKey>)) {
    match parser {
        UnderTest::Shipped => parse_all::<Shipped>(keys),
        UnderTest::Allocating => parse_all::<Allocating>(keys),
    }
}

// The yardstick, where claims go.
#[library_benchmark]
#[bench::fp_1_digit(keys("fp/1-digit"))]
#[bench::fp_2_digit(keys("fp/2-digit"))]
#[bench::fp_3_digit(keys("fp/3-digit"))]
#[bench::fp_4_digit(keys("fp/4-digit"))]
#[bench::fp_5_digit(keys("fp/5-digit"))]
#[bench::mix_claims(keys("mix/claims"))]
#[bench::mix_all(keys("mix/all"))]
fn floor(keys: Pool<PartitionKey>) {
    parse_all::<Floor>(keys);
}

fn execution_partitions() -> Pool<Partition> {
    inputs::pool("alias-collapse", |rng| inputs::partition(rng, PartitionFamily::Execution, 3)).leak()
}

fn grants() -> Pool<ReclaimGrant> {
    inputs::pool("grants", inputs::grant).leak()
}

fn encoded_grants() -> Pool<String> {
    grants().iter().map(support::grant_to_wire).collect::<Vec<_>>().leak()
}

fn execution_ids() -> Pool<ExecutionId> {
    inputs::pool("execution-ids", inputs::execution_id).leak()
}

#[library_benchmark]
#[bench::pool(execution_partitions())]
fn alias_collapse(partitions: Pool<Partition>) {
    for partition in partitions {
        black_box(PartitionKey::from(black_box(partition)).parse().ok());
    }
}

#[library_benchmark]
#[bench::pool(grants())]
fn grant_partition(grants: Pool<ReclaimGrant>) {
    for grant in grants {
        black_box(black_box(grant).partition().ok());
    }
}

#[library_benchmark]
#[bench::pool(encoded_grants())]
fn grant_decode(grants: Pool<String>) {
    for text in grants {
        black_box(serde_json::from_str::<ReclaimGrant>(black_box(text)).ok());
    }
}

#[library_benchmark]
#[bench::pool(execution_ids())]
fn execution_id_parse(ids: Pool<ExecutionId>) {
    for id in ids {
        black_box(ExecutionId::parse(black_box(id.as_str())).ok());
    }
}

#[library_benchmark]
#[bench::pool(execution_ids())]
fn execution_id_partition(ids: Pool<ExecutionId>) {
    for id in ids {
        black_box(black_box(id).partition());
    }
}

fn claims() -> Pool<Claim> {
    Claim::pool().leak()
}

#[library_benchmark]
#[bench::pool((topology(), claims()))]
fn route((topology, claims): (Topology, Pool<Claim>)) -> Topology {
    for claim in claims {
        black_box(topology.owner_of(black_box(claim).partition));
    }
    topology
}

#[library_benchmark]
#[bench::pool(claims())]
fn keys_of_execution(claims: Pool<Claim>) {
    for claim in claims {
        black_box(ExecutionKeys::new(claim.partition, &black_box(claim).grant.execution_id));
    }
}

#[library_benchmark]
#[bench::pool(claims())]
fn fcall(claims: Pool<Claim>) {
    for claim in claims {
        black_box(black_box(claim).fcall());
    }
}

#[library_benchmark]
#[bench::pool(claims())]
fn count_request(claims: Pool<Claim>) {
    for claim in claims {
        black_box(request_len(&black_box(claim).fcall));
    }
}

#[library_benchmark]
#[bench::pool(claims())]
fn count_reply(claims: Pool<Claim>) {
    for claim in claims {
        black_box(reply_len(&black_box(claim).fcall_reply));
    }
}

#[library_benchmark]
#[bench::pool(claims())]
fn read_reply(claims: Pool<Claim>) {
    for claim in claims {
        black_box(black_box(claim).read_fcall_reply().ok());
    }
}

/// A recorder whose histograms have grown to the claims' range already, as they have after a run's first
/// seconds.
fn warm_recorder() -> Recorder {
    let mut recorder = Recorder::new(1, []);
    for claim in claims() {
        claim.record(&mut recorder);
    }
    recorder
}

#[library_benchmark]
#[bench::pool((warm_recorder(), claims()))]
fn record((mut recorder, claims): (Recorder, Pool<Claim>)) -> Recorder {
    for claim in claims {
        black_box(claim).record(&mut recorder);
    }
    recorder
}

library_benchmark_group!(name = partition_key, benchmarks = [parse, floor, alias_collapse]);
library_benchmark_group!(
    name = grant,
    benchmarks = [grant_partition, grant_decode, execution_id_parse, execution_id_partition]
);
library_benchmark_group!(
    name = claim_encoding,
    benchmarks = [route, keys_of_execution, fcall, count_request, count_reply, read_reply, record]
);

main!(
    config = LibraryBenchmarkConfig::default().pass_through_env(PARSER_ENV),
    library_benchmark_groups = [partition_key, grant, claim_encoding]
);
