//! Library duets with changes planted into the published source: what must fire and what must stay quiet.
//!
//! How small a change is found, and how rarely nothing is called something, is what `scripts/trials.py`
//! shows.

use std::path::Path;
use std::rc::Rc;

use reclaim_analysis::judge::{self, RunResult, Verdict};
use reclaim_analysis::record::WireCost;
use reclaim_analysis::scenario::{self, Metric, MetricName};
use reclaim_bench::cluster::{Cluster, ClusterError};
use reclaim_bench::load::LoadError;
use reclaim_bench::valkey::Wire;

use crate::common::one_run::attempt;
use crate::common::support;

/// The first lines of the function that a claim calls, after its arguments have been checked.
const INSIDE_THE_CLAIM: &str = "  -- 3. Must be attempt_interrupted (resumed after suspension/delay)\n";

const DUET: &str = r#"
schema = 1
name = "duet"
summary = "two libraries"
[population]
executions = 600
lanes = 2
partitions = 16
[load]
claims = 2000
warmup = 40
[compare]
strata = 20
control_strata = 10
metrics = ["service_p50"]
counter_blocks = 4
block_claims = 100
noise_threshold = 0.05
[[variant]]
name = "base"
path = "grant-lane"
[[variant]]
name = "candidate"
path = "grant-lane"
library = 'CANDIDATE'
"#;

async fn duet(cluster: &Rc<Cluster>, candidate: &str) -> Result<RunResult, LoadError> {
    let text = DUET.replace("CANDIDATE", candidate);
    let scenario = scenario::parse("duet", &text).unwrap_or_else(|error| panic!("{error}"));
    attempt(cluster, &scenario, 7).await
}

/// The published library with `code` inside the claim.
pub fn planted(dir: &Path, code: &str) -> String {
    changed(dir, |source| {
        let (before, after) =
            source.split_once("'ff_claim_resumed_execution', function").expect("registered");
        let (head, tail) = after.split_once(INSIDE_THE_CLAIM).expect("the place is there");
        format!("{before}'ff_claim_resumed_execution', function{head}{code}\n{INSIDE_THE_CLAIM}{tail}")
    })
}

fn changed(dir: &Path, change: impl FnOnce(&str) -> String) -> String {
    let path = dir.join("candidate.lua");
    std::fs::write(&path, change(ff_script::LIBRARY_SOURCE)).unwrap();
    path.display().to_string()
}

fn p50(result: &RunResult) -> &judge::Comparison {
    result.comparisons.iter().find(|c| c.metric == Metric::ServiceP50).unwrap()
}

async fn keys(wire: &Wire) -> redis::Value {
    wire.call("dbsize", &redis::cmd("DBSIZE"), &mut WireCost::default()).await.unwrap()
}

#[tokio::test(flavor = "current_thread")]
async fn a_library_against_itself_is_quiet() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Rc::new(support::own(2, 0).await);
    let same = duet(&cluster, &changed(dir.path(), str::to_owned)).await.unwrap();
    assert!(same.valid, "{:?}", same.invalid_reasons);
    assert!(!matches!(p50(&same).verdict, Verdict::Regression | Verdict::Improvement), "{:?}", p50(&same));
    assert!(same.exact.iter().all(|exact| exact.equal), "{:?}", same.exact);
    assert!(same.exact.iter().any(|exact| exact.metric == MetricName::calls("hgetall")), "{:?}", same.exact);
    let library = |arm: usize| same.record.arms[arm].library.clone().unwrap();
    assert_eq!((library(0), library(1)), (same.record.environment.library.clone(), library(0)));
    assert_eq!(same.record.blocks.len(), 2 * 4);
}

#[tokio::test(flavor = "current_thread")]
async fn a_busy_loop_in_the_claim_is_a_regression() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Rc::new(support::own(2, 0).await);
    // More than a claim on a quiet machine, and seen in one that builds with all its cores as well.
    let busy = "  local stop = os.clock() + 0.0004 while os.clock() < stop do end";
    let slow = duet(&cluster, &planted(dir.path(), busy)).await.unwrap();
    assert!(slow.valid, "{:?}", slow.invalid_reasons);
    assert!(slow.exact.iter().all(|exact| exact.equal), "a loop calls nothing: {:?}", slow.exact);
    let ratio = p50(&slow).ratio.unwrap();
    assert!(ratio.low > 1.0, "{ratio:?}");
    // A slow machine makes the loop a smaller share of a claim, and a noisy one makes the control veto.
    assert!(matches!(p50(&slow).verdict, Verdict::Regression | Verdict::Inconclusive), "{:?}", p50(&slow));
    if slow.control.as_ref().unwrap().passed && ratio.low > 1.05 {
        assert_eq!(p50(&slow).verdict, Verdict::Regression);
    }
    let library = |arm: usize| slow.record.arms[arm].library.clone().unwrap();
    assert_eq!(library(0), slow.record.environment.library);
    assert_ne!(library(0).sha256, library(1).sha256);
}

#[tokio::test(flavor = "current_thread")]
async fn one_call_more_inside_the_function_is_found_exactly() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Rc::new(support::own(2, 0).await);
    let more = duet(&cluster, &planted(dir.path(), "  redis.call('EXISTS', K.core_key)")).await.unwrap();
    assert!(more.valid, "{:?}", more.invalid_reasons);
    let unequal: Vec<_> = more.exact.iter().filter(|exact| !exact.equal).collect();
    let [exists] = unequal.as_slice() else { panic!("{unequal:?}") };
    assert_eq!(exists.metric.to_string(), "calls.exists");
    assert!(exists.baseline_value.abs() < 1e-9 && (exists.candidate_value - 1.0).abs() < 1e-9, "{exists:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_renamed_function_is_named_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Rc::new(support::own(1, 0).await);
    let renamed = |source: &str| source.replace("'ff_claim_resumed_execution'", "'ff_claim_resumed'");
    let wire = cluster.admin(cluster.topology().owner_of_slot(0));
    let before = keys(&wire).await;
    let error = duet(&cluster, &changed(dir.path(), renamed)).await.unwrap_err();
    let said = error.to_string();
    assert!(said.contains("candidate.lua lacks ff_claim_resumed_execution"), "{said}");
    assert_eq!(keys(&wire).await, before);
}

#[tokio::test(flavor = "current_thread")]
async fn servers_that_are_not_ours_keep_their_library() {
    let visitor = Rc::new(support::connect().await);
    let before = visitor.library();
    let error = duet(&visitor, "published").await.unwrap_err();
    assert!(matches!(error, LoadError::Cluster(ClusterError::NotOurs(_))), "{error}");
    assert_eq!(visitor.library(), before);
}
