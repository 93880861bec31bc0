//! Debian's server against the pinned build, in one run.

use std::rc::Rc;

use reclaim_analysis::judge;
use reclaim_analysis::scenario::{Draft, ServerOption, Shipped};
use reclaim_bench::cluster::ClusterRequest;
use reclaim_bench::load::{self, RunSetup, Silent};
use tokio_util::sync::CancellationToken;

use crate::support;

pub async fn two_versions_stand_in_one_result(other: String) {
    let shipped = Shipped::find("server-duet").unwrap();
    let text =
        shipped.text.replace("claims = 20000", "claims = 2000").replace("strata = 100 ", "strata = 20 ");
    let base_server = ServerOption { path: Some(other.clone()), config: Vec::new() };
    let scenario = Draft { base_server, ..Draft::new("server-duet", &text) }.check().unwrap();
    let request = ClusterRequest { primaries: scenario.cluster.primaries, ..support::own_request(1, 0) };
    let mut clusters = Vec::new();
    for request in request.of_clusters(&scenario) {
        clusters.push(Rc::new(support::open(&request).await));
    }
    let cancel = CancellationToken::new();
    let setup =
        RunSetup { clusters: &clusters, scenario: &scenario, seed: 7, watch: &Silent, cancel: &cancel };
    let record = load::run(setup).await.unwrap_or_else(|error| panic!("{error}"));
    let result = judge::analyse_as(record, &scenario);
    assert!(result.valid, "{:?}", result.invalid_reasons);
    let [base, candidate, control] = &result.record.clusters[..] else {
        panic!("{:?}", result.record.clusters)
    };
    assert_ne!(base.valkey.version, candidate.valkey.version);
    assert_eq!((&base.server.path, &base.valkey.version), (&other, &base.server.version));
    assert_eq!((&control.server, &control.valkey.version), (&base.server, &base.valkey.version));
    let said = reclaim_analysis::report::text(&result, None);
    for cluster in [base, candidate] {
        assert!(said.contains(&format!("Valkey {}", cluster.valkey.version)), "{said}");
    }
}
