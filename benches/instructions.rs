//! Instruction counts of the pure code, under Callgrind: the same inputs as the criterion benchmarks, and figures that
//! a busy machine does not change.
//!
//! Needs `--features instructions`, valgrind and `gungraun-runner` of the same version as the crate. Each count is
//! that of a whole pool, so a change of one instruction per parse moves it by thousands. `tests/instructions.rs`
//! compares the counts with `benches/instructions.toml`.

mod support;

use std::hint::black_box;

use ff_core::partition::{Partition, PartitionFamily, PartitionKey};
use ff_core::types::ExecutionId;
use gungraun::{LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};
use reclaim_bench::flowfabric::ReclaimGrant;
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

/// One benchmark function with one run per parse case; an id is the case's name with `_` for every other sign.
macro_rules! over_parse_cases {
    ($(#[$doc:meta])* $function:ident, $setup:ident, $input:ident: $type:ty, $body:expr) => {
        $(#[$doc])*
        #[library_benchmark(setup = $setup)]
        #[bench::fp_1_digit("fp/1-digit")]
        #[bench::fp_2_digit("fp/2-digit")]
        #[bench::fp_3_digit("fp/3-digit")]
        #[bench::fp_4_digit("fp/4-digit")]
        #[bench::fp_5_digit("fp/5-digit")]
        #[bench::b_1_digit("b/1-digit")]
        #[bench::b_2_digit("b/2-digit")]
        #[bench::b_3_digit("b/3-digit")]
        #[bench::b_4_digit("b/4-digit")]
        #[bench::b_5_digit("b/5-digit")]
        #[bench::q_1_digit("q/1-digit")]
        #[bench::q_2_digit("q/2-digit")]
        #[bench::q_3_digit("q/3-digit")]
        #[bench::q_4_digit("q/4-digit")]
        #[bench::q_5_digit("q/5-digit")]
        #[bench::error_missing_braces("error/missing-braces")]
        #[bench::error_malformed_body("error/malformed-body")]
        #[bench::error_unknown_prefix("error/unknown-prefix")]
        #[bench::error_index_not_a_number("error/index-not-a-number")]
        #[bench::error_index_too_large("error/index-too-large")]
        #[bench::mix_claims("mix/claims")]
        #[bench::mix_all("mix/all")]
        fn $function($input: $type) {
            $body
        }
    };
}

over_parse_cases!(
    /// ff-core's parser, or the one that `RECLAIM_BENCH_PARSER` puts in its place.
    parse,
    keys_under_test,
    input: (UnderTest, Pool<PartitionKey>),
    match input.0 {
        UnderTest::Shipped => parse_all::<Shipped>(input.1),
        UnderTest::Allocating => parse_all::<Allocating>(input.1),
    }
);

over_parse_cases!(
    /// The yardstick on the same keys.
    floor,
    keys,
    pool: Pool<PartitionKey>,
    parse_all::<Floor>(pool)
);

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

library_benchmark_group!(name = partition_key, benchmarks = [parse, floor, alias_collapse]);
library_benchmark_group!(
    name = grant,
    benchmarks = [grant_partition, grant_decode, execution_id_parse, execution_id_partition]
);

main!(
    config = LibraryBenchmarkConfig::default().pass_through_env(PARSER_ENV),
    library_benchmark_groups = [partition_key, grant]
);
