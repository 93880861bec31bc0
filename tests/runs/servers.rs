//! Server duets: each arm on a cluster of its own, all at once.

use std::path::Path;
use std::rc::Rc;

use reclaim_analysis::judge::{self, RunResult, Verdict};
use reclaim_analysis::scenario::{self, Draft, Metric, ServerOption};
use reclaim_bench::cluster::{Cluster, ClusterRequest};
use reclaim_bench::load::{self, RunSetup, Silent};
use tokio_util::sync::CancellationToken;

use crate::common::support;
use crate::parts::{Desk, end, wrong};

const DUET: &str = r#"
schema = 1
name = "duet"
summary = "two servers"
[cluster]
provider = "local"
primaries = 1
[population]
executions = 400
lanes = 2
partitions = 16
[load]
claims = 2000
warmup = 60
[compare]
strata = 20
control = "shared"
metrics = ["service_p50"]
counter_blocks = 4
block_claims = 50
noise_threshold = 0.1
[[variant]]
name = "base"
path = "grant-lane"
server = "default"
[[variant]]
name = "candidate"
path = "grant-lane"
server = "default"
"#;

/// What the candidate's server is: its binary, and its settings.
type Candidate<'a> = (Option<&'a str>, &'a [(&'a str, &'a str)]);

/// Runs the duet; what is done to its clusters before that is a test's own.
async fn duet(
    text: &str,
    (path, config): Candidate<'_>,
    meddle: impl AsyncFnOnce(&[Rc<Cluster>]),
) -> (RunResult, Vec<u32>) {
    let candidate_server = ServerOption {
        path: path.map(str::to_owned),
        config: config.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    };
    let draft = Draft { candidate_server, ..Draft::new("duet", text) };
    let scenario = draft.check().unwrap_or_else(|error| panic!("{error}"));
    let request = ClusterRequest { primaries: scenario.cluster.primaries, ..support::own_request(1, 0) };
    let mut clusters = Vec::new();
    for request in request.of_clusters(&scenario) {
        clusters.push(Rc::new(support::open(&request).await));
    }
    meddle(&clusters).await;
    let pids = clusters.iter().flat_map(|cluster| cluster.server_pids()).collect();
    let cancel = CancellationToken::new();
    let setup =
        RunSetup { clusters: &clusters, scenario: &scenario, seed: 7, watch: &Silent, cancel: &cancel };
    let record = load::run(setup).await.unwrap_or_else(|error| panic!("{error}"));
    (judge::analyse_as(record, &scenario), pids)
}

fn p50(result: &RunResult) -> &judge::Comparison {
    result.comparisons.iter().find(|c| c.metric == Metric::ServiceP50).unwrap()
}

#[tokio::test(flavor = "current_thread")]
async fn a_server_against_itself_is_quiet_on_three_clusters_that_are_gone_afterwards() {
    let (same, pids) = duet(DUET, (None, &[]), async |_| ()).await;
    assert!(same.valid, "{:?}", same.invalid_reasons);
    assert!(!matches!(p50(&same).verdict, Verdict::Regression | Verdict::Improvement), "{:?}", p50(&same));
    assert!(same.exact.iter().all(|exact| exact.equal), "{:?}", same.exact);
    let record = &same.record;
    assert_eq!(record.clusters.iter().map(|cluster| cluster.arms.len()).collect::<Vec<_>>(), [1, 1, 0]);
    for (number, cluster) in record.clusters.iter().enumerate() {
        assert_eq!(cluster.audit.executions_checked, 400, "{:?}", cluster.audit);
        assert_eq!((cluster.audit.violations(), cluster.audit.lost), (0, 0));
        assert_eq!(cluster.server.sha256, record.clusters[0].server.sha256);
        assert_eq!(cluster.before, cluster.after);
        let own: Vec<_> =
            record.primaries.iter().filter(|primary| primary.cluster == Some(number as u32)).collect();
        let [primary] = own.as_slice() else { panic!("{own:?}") };
        assert_eq!(primary.addr, cluster.before[0].addr);
        assert_eq!(primary.counters.calls["fcall"], primary.counters.sent["fcall"]);
        assert_eq!(primary.claims, primary.counters.sent["fcall"], "each claim on its own cluster");
    }
    // Strata and counter blocks, and the control's side of each stratum.
    assert_eq!(
        record.primaries.iter().map(|primary| primary.claims).collect::<Vec<_>>(),
        [1_200, 1_200, 1_000]
    );
    assert_eq!(pids.len(), 3);
    let left = pids.iter().filter(|pid| Path::new(&format!("/proc/{pid}")).exists());
    assert_eq!(left.count(), 0, "servers end with their clusters");
}

/// Four in flight queue, so each arm has its cluster for itself: 20 blocks of 50 claims, and 13 before them.
#[test]
fn several_generators_share_the_clusters_of_a_duet() {
    let desk = Desk::new(&DUET.replace("[load]\n", "[load]\nconcurrency = 4\n"));
    let (code, said) = end(desk.run(&["--generators", "2"]).spawn().unwrap());
    assert!(matches!(code, Some(0 | 2 | 3)), "{said}");
    let result = desk.result();
    assert_eq!(wrong(&result), Vec::<String>::new(), "{said}");
    let record = &result.record;
    assert_eq!(record.generators.len(), 2);
    assert_eq!(record.clusters.iter().map(|cluster| cluster.arms.len()).collect::<Vec<_>>(), [1, 1, 0]);
    for (number, cluster) in record.clusters.iter().enumerate() {
        assert_eq!(cluster.audit.executions_checked, 400, "{:?}", cluster.audit);
        assert_eq!((cluster.audit.violations(), cluster.audit.lost), (0, 0));
        assert_eq!(cluster.before, cluster.after);
        let own: Vec<_> =
            record.primaries.iter().filter(|primary| primary.cluster == Some(number as u32)).collect();
        let [primary] = own.as_slice() else { panic!("{own:?}") };
        assert_eq!(primary.addr, cluster.before[0].addr);
        assert_eq!(primary.claims, 20 * 63, "those of both");
        assert_eq!(primary.counters.sent["fcall"], 20 * 63);
        assert_eq!(primary.counters.calls["fcall"], 20 * 63);
    }
    assert!(record.blocks.iter().all(|block| block.claims == 63), "{:?}", record.blocks);
}

#[tokio::test(flavor = "current_thread")]
async fn a_server_that_syncs_each_write_is_slower() {
    let config = [("appendonly", "yes"), ("appendfsync", "always")];
    let (synced, _) = duet(DUET, (None, &config), async |_| ()).await;
    assert!(synced.valid, "{:?}", synced.invalid_reasons);
    let cluster = synced.record.cluster_of(1).unwrap();
    assert_eq!(cluster.after[0].config["appendfsync"], "always");
    assert!(synced.record.cluster_of(0).unwrap().server.config.is_empty());
    let ratio = p50(&synced).ratio.unwrap();
    // Beside other tests the interval of so few claims may hold 1.
    assert!(ratio.estimate > 1.0, "{ratio:?}");
    // A noisy machine makes the control veto; a disk that syncs at once makes the difference small.
    if synced.control.as_ref().unwrap().passed && ratio.low > 1.3 {
        assert_eq!(p50(&synced).verdict, Verdict::Regression);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_server_that_is_not_set_as_asked_for_invalidates() {
    let (other, _) = duet(DUET, (None, &[("appendonly", "yes")]), async |clusters| {
        support::everywhere(&clusters[1], &["CONFIG", "SET", "appendonly", "no"]).await;
    })
    .await;
    assert!(!other.valid);
    let said = format!("{:?}", other.invalid_reasons);
    assert!(said.contains("the setting appendonly"), "{said}");
}

#[tokio::test(flavor = "current_thread")]
async fn several_in_flight_are_compared_in_blocks_with_replicas_and_without() {
    let text = DUET
        .replace("warmup = 60", "warmup = 60\nconcurrency = 4")
        .replacen("server = \"default\"\n", "", 1)
        .replace("server = \"default\"", "wait_replicas = 1\nserver = { replicas = 1 }");
    let (replicated, pids) = duet(&text, (None, &[]), async |_| ()).await;
    assert!(replicated.valid, "{:?}", replicated.invalid_reasons);
    assert!(replicated.record.strata.iter().all(|stratum| stratum.apart && stratum.sides.len() == 3));
    // All claims are some block's: what the generator did is held against the time of each of them once.
    let record = &replicated.record;
    let in_blocks_s: f64 = record.blocks.iter().map(|block| block.duration_s).sum();
    let used = record.generator.unwrap();
    assert!((used.window_s - in_blocks_s).abs() < 1e-6, "{used:?} in {in_blocks_s} s");
    assert!(used.clocks_s().unwrap() >= used.window_s, "{used:?}");
    let replicas: Vec<u32> =
        replicated.record.clusters.iter().map(|cluster| cluster.valkey.replicas).collect();
    assert_eq!((replicas, pids.len()), (vec![0, 1, 0], 4));
    assert!(replicated.record.audit.violations() == 0);
}

#[test]
fn a_setting_that_the_tool_decides_is_refused_before_anything_starts() {
    let dir = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_reclaim-bench"))
        .args(["run", "server-duet", "--candidate-config", "port=7000", "-o"])
        .arg(dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("--candidate-config port=7000: variant[1].server.config.port: decided by"),
        "{said}"
    );
    assert!(!said.contains("starting"), "{said}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn the_shipped_scenario_is_three_clusters_of_one_server() {
    let shipped = scenario::Shipped::find("server-duet").unwrap();
    let clusters = scenario::parse(shipped.name, shipped.text).unwrap().clusters();
    assert_eq!(clusters.len(), 3);
    assert!(clusters.iter().all(|cluster| cluster.server == clusters[0].server));
}
