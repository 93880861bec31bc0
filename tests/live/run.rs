//! Whole runs: scenario in, analysed record out.

use std::rc::Rc;

use reclaim_bench::cluster::Cluster;
use reclaim_bench::judge::{self, RunResult};
use reclaim_bench::load::{self, RunSetup, Silent};
use reclaim_bench::scenario;
use tokio_util::sync::CancellationToken;

use crate::support;

/// Runs a scenario on a cluster and analyses what came of it.
async fn run(cluster: &Rc<Cluster>, text: &str, seed: u64) -> RunResult {
    let (file, scenario) = scenario::parse("test", text).unwrap_or_else(|error| panic!("{error}"));
    let setup = RunSetup {
        cluster,
        scenario: &scenario,
        file: &file,
        seed,
        watch: &Silent,
        cancel: &CancellationToken::new(),
    };
    let record = load::run(setup).await.unwrap_or_else(|error| panic!("{error}"));
    judge::analyse_as(record, &scenario)
}

const AB: &str = r#"
schema = 1
name = "ab"
summary = "a small comparison"
[population]
executions = 300
lanes = 2
partitions = 16
[load]
concurrency = 1
claims = 800
warmup = 20
[compare]
baseline = "grant-lane"
strata = 20
control_strata = 20
counter_blocks = 5
block_claims = 40
[[variant]]
name = "grant-lane"
path = "grant-lane"
[[variant]]
name = "hget-lane"
path = "hget-lane"
"#;

#[tokio::test(flavor = "current_thread")]
async fn a_comparison_counts_exactly_what_its_arms_send() {
    let cluster = Rc::new(support::own(3, 0).await);
    let result = run(&cluster, AB, 42).await;
    assert!(result.valid, "{:?}", result.invalid_reasons);
    let per_claim = |arm: usize, command: &str| result.variants[arm].server.commands_per_claim[command];
    assert!((per_claim(0, "hget") - 1.0).abs() < 1e-9 && (per_claim(1, "hget") - 2.0).abs() < 1e-9);
    assert!((per_claim(0, "fcall") - 1.0).abs() < 1e-9 && (per_claim(1, "fcall") - 1.0).abs() < 1e-9);
    let round_trips = result.record.arms.iter().map(|arm| (arm.wire.round_trips, arm.wire.claims));
    assert_eq!(round_trips.collect::<Vec<_>>(), [(800, 400), (1_200, 400)]);
    assert_eq!(result.variants.iter().map(|v| v.outcomes.claimed).sum::<u64>(), 800);
    assert!(result.control.is_some_and(|control| control.ratio.is_some()));
    let audit = &result.record.audit;
    assert_eq!((audit.lost, audit.double_claims, audit.attempt_changed, audit.epoch_errors), (0, 0, 0, 0));
    assert_eq!(audit.grants_issued, audit.claimed);
    let again = run(&Rc::new(support::own(3, 0).await), AB, 42).await;
    assert_eq!(again.record.plan_sha256, result.record.plan_sha256);
}
