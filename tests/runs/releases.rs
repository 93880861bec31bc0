//! Function libraries of other releases, as published: what a scenario does not call, they need not have.

use std::path::Path;
use std::rc::Rc;

use reclaim_analysis::scenario::{self, LibrarySource, Scenario};
use reclaim_bench::cluster::{self, ClusterError, ClusterRequest};
use reclaim_bench::workload::functions_called;
use tokio_util::sync::CancellationToken;

use crate::common::one_run::{POPULATION, assert_clean, run, scenario_text};
use crate::common::support;

const RELEASES: [(&str, &str); 3] = [
    ("0.11.0", ff_script_0_11::LIBRARY_SOURCE),
    ("0.12.0", ff_script_0_12::LIBRARY_SOURCE),
    ("0.15.0", ff_script::LIBRARY_SOURCE),
];

/// Every kind of interruption, so that each function of them is called.
fn text(paths: &[&str]) -> String {
    let sections = "[interruption]\nsignal = 1\ntimeout = 1\noperator = 1\ndelay = 1\n[load]\nclaims = 400\nwarmup = 20\n\
                    [compare]\nstrata = 10\ncontrol_strata = 10\ncounter_blocks = 2\nblock_claims = 20";
    scenario_text(&format!("{POPULATION}\n{sections}"), paths)
}

fn request(dir: &Path, source: &str, scenario: &Scenario) -> ClusterRequest {
    let file = dir.join("flowfabric.lua");
    std::fs::write(&file, source).unwrap();
    let functions = functions_called(scenario);
    ClusterRequest { library: LibrarySource::File(file), functions, ..support::own_request(1, 0) }
}

#[tokio::test(flavor = "current_thread")]
async fn every_release_from_0_11_on_is_measured() {
    let dir = tempfile::tempdir().unwrap();
    let text = text(&["grant-lane", "hget-lane"]);
    let scenario = scenario::parse("test", &text).unwrap();
    for (release, source) in RELEASES {
        let cluster = support::open(&request(dir.path(), source, &scenario)).await;
        let result = run(&Rc::new(cluster), &text, 3).await;
        assert_clean(&result);
        assert_eq!(result.record.audit.lost, 0, "{release}");
        assert!(result.record.arms.iter().all(|arm| arm.outcomes.errors() == 0), "{release}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_function_that_a_release_lacks_is_named_with_the_one_that_brought_it() {
    let dir = tempfile::tempdir().unwrap();
    let scenario = scenario::parse("test", &text(&["grant-lane", "fused"])).unwrap();
    let request = request(dir.path(), ff_script_0_12::LIBRARY_SOURCE, &scenario);
    let refused =
        cluster::open(&request, &|_| (), &CancellationToken::new()).await.err().expect("it lacks one");
    assert!(
        matches!(&refused, ClusterError::LibraryIncomplete { missing, .. } if missing.len() == 1),
        "{refused:?}"
    );
    assert!(
        refused.to_string().contains("lacks ff_issue_grant_and_claim (since FlowFabric 0.13)"),
        "{refused}"
    );
}
