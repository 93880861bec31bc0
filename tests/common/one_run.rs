//! A whole run on a cluster that stands: scenario in, analysed record out.

use std::rc::Rc;

use reclaim_analysis::judge::{self, RunResult};
use reclaim_analysis::scenario::{self, Scenario};
use reclaim_bench::cluster::Cluster;
use reclaim_bench::load::{self, LoadError, Progress, RunSetup, Silent};
use tokio_util::sync::CancellationToken;

/// Runs a scenario on a cluster and analyses what came of it, if it came to anything.
pub async fn attempt(cluster: &Rc<Cluster>, scenario: &Scenario, seed: u64) -> Result<RunResult, LoadError> {
    attempt_watched(cluster, scenario, seed, &Silent, &CancellationToken::new()).await
}

async fn attempt_watched(
    cluster: &Rc<Cluster>,
    scenario: &Scenario,
    seed: u64,
    watch: &dyn Progress,
    cancel: &CancellationToken,
) -> Result<RunResult, LoadError> {
    let setup = RunSetup { clusters: std::slice::from_ref(cluster), scenario, seed, watch, cancel };
    Ok(judge::analyse_as(load::run(setup).await?, scenario))
}

/// The same of a scenario's text, where nothing else will do.
pub async fn run(cluster: &Rc<Cluster>, text: &str, seed: u64) -> RunResult {
    run_watched(cluster, text, seed, &Silent, &CancellationToken::new()).await
}

pub async fn run_watched(
    cluster: &Rc<Cluster>,
    text: &str,
    seed: u64,
    watch: &dyn Progress,
    cancel: &CancellationToken,
) -> RunResult {
    let scenario = scenario::parse("test", text).unwrap_or_else(|error| panic!("{error}"));
    let result = attempt_watched(cluster, &scenario, seed, watch, cancel).await;
    result.unwrap_or_else(|error| panic!("{error}"))
}

/// A scenario with these sections and one variant per path.
pub fn scenario_text(sections: &str, paths: &[&str]) -> String {
    use std::fmt::Write as _;
    let mut text = format!("schema = 1\nname = \"test\"\nsummary = \"a test\"\n{sections}\n");
    for path in paths {
        let _ = write!(text, "[[variant]]\nname = \"{path}\"\npath = \"{path}\"\n");
    }
    text
}

pub fn assert_clean(result: &RunResult) {
    let audit = &result.record.audit;
    let violations =
        [audit.lost, audit.double_claims, audit.attempt_changed, audit.epoch_errors, audit.state_errors];
    assert_eq!(violations, [0; 5], "{:?}", audit.examples);
    assert!(result.valid, "{:?}", result.invalid_reasons);
}

pub const POPULATION: &str = "[population]\nexecutions = 300\nlanes = 2\npartitions = 16";

pub async fn keys(cluster: &Cluster) -> i64 {
    let mut total = 0;
    for node in cluster.topology().nodes() {
        let mut cost = reclaim_analysis::record::WireCost::default();
        let reply = cluster.admin(node).call("dbsize", &redis::cmd("DBSIZE"), &mut cost).await.unwrap();
        total += match reply {
            redis::Value::Int(keys) => keys,
            other => panic!("{other:?}"),
        };
    }
    total
}
