//! A cluster that stays: up, status, down. One test, because there is one such cluster per user and the place of its
//! state is an environment variable, which a test process cannot change safely; it runs in a process of its own.

use reclaim_analysis::scenario::Provider;
use std::process::Command;

use reclaim_bench::cluster::{self, ClusterError, ClusterRequest};
use tokio_util::sync::CancellationToken;

use crate::support;

const STEP: &str = "RECLAIM_BENCH_TEST_DETACHED_STEP";

/// Runs one step in a process with `state` as its state directory; whether it succeeded.
fn step(name: &str, state: &tempfile::TempDir) -> bool {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "detached::a_cluster_that_stays_survives_its_starter_until_it_is_taken_down"])
        .env(STEP, name)
        .env("XDG_STATE_HOME", state.path())
        .status()
        .unwrap();
    status.success()
}

#[tokio::test(flavor = "current_thread")]
async fn a_cluster_that_stays_survives_its_starter_until_it_is_taken_down() {
    match std::env::var(STEP).as_deref() {
        Ok("up") => up().await,
        Ok("up again") => up_again().await,
        Ok("down") => down().await,
        Ok(step) => panic!("unknown step {step}"),
        Err(_) => {
            let state = tempfile::tempdir().unwrap();
            // All of them, so that a failure leaves no server.
            let steps = ["up", "up again", "down"].map(|name| (name, step(name, &state)));
            assert!(steps.iter().all(|(_, succeeded)| *succeeded), "{steps:?}");
        }
    }
}

async fn up() {
    assert_eq!(cluster::status().await.unwrap(), None);
    let cluster = cluster::up(&support::own_request(3, 0), &|_| (), &CancellationToken::new()).await.unwrap();
    assert_eq!(cluster.servers.len(), 3);
}

async fn up_again() {
    let status = cluster::status().await.unwrap().unwrap();
    assert_eq!(status.running, status.cluster.nodes());
    let again = cluster::up(&support::own_request(1, 0), &|_| (), &CancellationToken::new()).await;
    assert!(
        matches!(&again, Err(ClusterError::Detached(text)) if text.contains("cluster down")),
        "{again:?}"
    );
    let request = ClusterRequest {
        provider: Provider::External,
        nodes: status.cluster.nodes(),
        ..ClusterRequest::default()
    };
    assert_eq!(support::open(&request).await.topology().primaries().len(), 3);
}

async fn down() {
    let stopped = cluster::down().await.unwrap().unwrap();
    assert!(
        stopped.nodes().iter().all(|addr| std::net::TcpStream::connect((&*addr.host, addr.port)).is_err())
    );
    assert_eq!(cluster::status().await.unwrap(), None);
    assert_eq!(cluster::down().await.unwrap(), None);
}
