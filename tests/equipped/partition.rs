//! Servers in containers that are cut off, and started again, with Docker and an image.

use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use reclaim_analysis::judge::{self, RunResult};
use reclaim_analysis::record::{InvalidReason, Warning};
use reclaim_analysis::scenario::{self, CutFrom};
use reclaim_bench::cluster::{Cluster, ClusterRequest, Containers, ServerView};
use reclaim_bench::load::{self, RunSetup, Silent};
use reclaim_bench::valkey::NodeIndex;
use tokio_util::sync::CancellationToken;

use crate::container::{containers, of_this_machine, request};
use crate::owner::{GONE_WITHIN, own_until_stdin_ends, owner_apart, wait_until_gone};
use crate::support;

/// Networks of this tool's on this machine.
fn networks() -> String {
    let machine = format!("label={}", of_this_machine());
    let list =
        Command::new("docker").args(["network", "ls", "--quiet", "--filter", &machine]).output().unwrap();
    assert!(list.status.success(), "{}", String::from_utf8_lossy(&list.stderr));
    String::from_utf8(list.stdout).unwrap()
}

/// A replica each, and servers that do not wait for long.
fn apart(image: &str) -> ClusterRequest {
    ClusterRequest {
        containers: Containers::Each,
        replicas: 1,
        node_timeout: Duration::from_secs(2),
        // Claims are not waited for longer than this; a look at a server that is cut off is as short.
        timeout: Duration::from_secs(1),
        ..request(image)
    }
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !done().await {
        assert!(begun.elapsed() < Duration::from_mins(1), "not within a minute: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Whether a primary of the map answers over a connection that is new.
async fn is_reached(cluster: &Cluster, node: NodeIndex) -> bool {
    let reached = async { cluster.further_wire(node, 1).await.is_ok() };
    tokio::time::timeout(Duration::from_millis(700), reached).await.unwrap_or(false)
}

pub async fn a_server_is_cut_off_from_servers_or_from_everybody_and_comes_back(image: String) {
    let (no_containers, no_networks) = (containers(&image), networks());
    let cluster = support::open(&apart(&image)).await;
    assert_eq!(containers(&image).lines().count(), no_containers.lines().count() + 6);
    assert_eq!(networks().lines().count(), no_networks.lines().count() + 2);
    let info = cluster.info(256);
    assert_eq!((info.provider.as_str(), info.primaries, info.replicas), ("container", 3, 3));
    assert!(info.same_machine && cluster.can_cut_off());
    let topology = cluster.topology();
    let [first, second, _] = topology.nodes().collect::<Vec<_>>()[..] else { panic!("three primaries") };
    let addr = |node: NodeIndex| topology.primaries()[usize::from(node.0)].addr.clone();
    let slot = |node| (0..16_384).find(|slot| topology.owner_of_slot(*slot) == node).unwrap();
    let view = async |node: NodeIndex| {
        let witness = cluster.witness_of(&addr(node)).await.unwrap();
        cluster.view_of(&witness, &addr(node), slot(node)).await.unwrap()
    };

    // Clients reach it all the time; the others give its slots to its replica.
    let off = cluster.cut_off(&addr(first), CutFrom::Servers).await.unwrap();
    assert!(is_reached(&cluster, first).await);
    until("its replica takes over", async || view(first).await.heir.is_some()).await;
    assert!(view(first).await.failed && is_reached(&cluster, first).await);
    off.rejoin().await.unwrap();
    cluster.until_rejoined(&addr(first)).await.unwrap();
    let ServerView { failed, heir } = view(first).await;
    assert!(!failed, "the others have it down as failed");
    let replicas = cluster.replicas_of(&heir.unwrap()).await.unwrap();
    assert_eq!(replicas, [addr(first)], "what was a primary follows the one that took over");

    // Nobody reaches it for a moment that is too short for the others to notice.
    assert!(is_reached(&cluster, second).await);
    let off = cluster.cut_off(&addr(second), CutFrom::Everybody).await.unwrap();
    assert!(!is_reached(&cluster, second).await);
    // However that ends: nothing is said of it.
    drop(off);
    until("it is reached again", async || is_reached(&cluster, second).await).await;
    cluster.until_rejoined(&addr(second)).await.unwrap();
    assert_eq!(view(second).await.heir, None, "it was not away for long enough");

    cluster.shutdown();
    assert_eq!((containers(&image), networks()), (no_containers, no_networks));
}

fn scenario_of((rate, seconds): (u32, u32), replicas: u32, fault: &str) -> String {
    format!(
        "schema = 1\nname = \"test\"\nsummary = \"a test\"\n[cluster]\nprovider = \"container\"\nreplicas = {replicas}\n\
         [population]\nexecutions = {}\nlanes = 2\npartitions = 32\n[load]\nmode = \"staged\"\nmodel = \"open\"\n\
         rate = {rate}\nduration = \"{seconds}s\"\ntimeout = \"1s\"\n[[fault]]\n{fault}\n\
         [[variant]]\nname = \"grant-lane\"\npath = \"grant-lane\"\n",
        rate * seconds * 3 / 2 + 1_000
    )
}

async fn run(cluster: &Rc<Cluster>, text: &str, seed: u64) -> RunResult {
    let scenario = scenario::parse("test", text).unwrap_or_else(|error| panic!("{error}"));
    let cancel = CancellationToken::new();
    let setup = RunSetup {
        clusters: std::slice::from_ref(cluster),
        scenario: &scenario,
        seed,
        watch: &Silent,
        cancel: &cancel,
    };
    let record = load::run(setup).await.unwrap_or_else(|error| panic!("{error}"));
    let result = judge::analyse_as(record, &scenario);
    // A busy machine sends late, which is no matter here; everything else is.
    let others = |reason: &&InvalidReason| !matches!(reason, InvalidReason::SendLag { .. });
    let invalid: Vec<_> = result.invalid_reasons.iter().filter(others).collect();
    assert_eq!(invalid, Vec::<&InvalidReason>::new(), "{:?}", result.record.audit);
    let audit = &result.record.audit;
    let sum = audit.claimed + audit.expired + audit.outstanding + audit.lost_by_server;
    assert_eq!((audit.grants_issued, audit.double_claims, audit.lost), (sum, 0, 0), "{audit:?}");
    result
}

/// What a primary acknowledges that the others have given up is lost, and every claim of it is named.
pub async fn what_a_primary_takes_while_it_is_cut_off_is_lost_and_named(image: String) {
    let cluster = Rc::new(support::open(&apart(&image)).await);
    let fault = "at = \"3s\"\nfor = \"6s\"\npartition = \"busiest primary\"\ncut_from = \"servers\"";
    let result = run(&cluster, &scenario_of((200, 16), 1, fault), 1).await;
    let injected = &result.record.injected.as_ref().unwrap().faults[0];
    assert!(injected.failure.is_none() && injected.heir.is_some(), "{injected:?}");
    assert!(injected.ended_s.unwrap() - injected.struck_s.unwrap() >= 6.0, "{injected:?}");
    let audit = &result.record.audit;
    // It took claims for most of its node timeout.
    assert!(audit.lost_by_server > 20, "{audit:?}");
    assert!(audit.lost_by_server_ids.len() as u64 >= audit.lost_by_server, "{audit:?}");
    let said = |warning: &Warning| matches!(warning, Warning::LostByServer { grants, .. } if *grants == audit.lost_by_server);
    assert!(result.warnings.iter().any(said), "{:?}", result.warnings);
    // Nothing was amiss when it was cut off, and it is not called recovered then.
    let recovery = &result.recoveries[0];
    // On a machine that is slow today it may still be slower than before when the load ends: no time is known
    // then.
    assert!(recovery.recovered_s.is_none_or(|after| after > 1.0), "{recovery:?}");
}

/// One that nobody reaches for less than the others wait is waited for, and loses nothing.
pub async fn a_primary_that_nobody_reaches_for_a_moment_is_waited_for(image: String) {
    let request = ClusterRequest { replicas: 0, node_timeout: Duration::from_secs(30), ..apart(&image) };
    let cluster = Rc::new(support::open(&request).await);
    let fault = "at = \"3s\"\nfor = \"1500ms\"\npartition = \"busiest primary\"";
    let result = run(&cluster, &scenario_of((200, 12), 0, fault), 2).await;
    let injected = &result.record.injected.as_ref().unwrap().faults[0];
    assert!(injected.failure.is_none() && injected.heir.is_none(), "{injected:?}");
    let (audit, recovery) = (&result.record.audit, &result.recoveries[0]);
    assert_eq!((audit.lost_by_server, audit.rolled_back), (0, 0), "{audit:?}");
    assert!(recovery.slowest_us.unwrap() >= 1e6, "{recovery:?}");
    assert!(recovery.recovered_s.is_none_or(|after| after >= 1.0), "{recovery:?}");
}

/// Somebody stops the run while a server is off its networks for much longer.
pub async fn a_server_that_is_cut_off_comes_back_with_the_end_of_the_run(image: String) {
    let cluster = Rc::new(support::open(&ClusterRequest { replicas: 0, ..apart(&image) }).await);
    let fault = "at = \"1s\"\nfor = \"50s\"\npartition = \"busiest primary\"";
    let text = scenario_of((50, 60), 0, fault);
    let scenario = scenario::parse("test", &text).unwrap_or_else(|error| panic!("{error}"));
    let (cancel, watch) = (CancellationToken::new(), Silent);
    let setup = RunSetup {
        clusters: std::slice::from_ref(&cluster),
        scenario: &scenario,
        seed: 4,
        watch: &watch,
        cancel: &cancel,
    };
    let stop = async {
        // By then it has been struck, whatever getting ready took: an end before that has no fault to undo.
        until("a server is not reached", async || {
            let topology = cluster.topology();
            for node in topology.nodes() {
                if !is_reached(&cluster, node).await {
                    return true;
                }
            }
            false
        })
        .await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        cancel.cancel();
    };
    let (record, ()) = tokio::join!(load::run(setup), stop);
    let record = record.unwrap_or_else(|error| panic!("{error}"));
    let injected = &record.injected.as_ref().unwrap().faults[0];
    let lasted_s = injected.ended_s.unwrap() - injected.struck_s.unwrap();
    assert!(record.partial && injected.failure.is_none() && lasted_s < 40.0, "{injected:?}");
    assert!(record.audit.executions_checked > 0 && record.audit.violations() == 0, "{:?}", record.audit);
    let infrastructure = |reason: &&InvalidReason| matches!(reason, InvalidReason::Infrastructure { .. });
    assert_eq!(record.invalid_reasons.iter().find(infrastructure), None);
}

/// In a container as anywhere else: one without a replica comes back empty, and all that was on it is
/// accounted for.
pub async fn a_server_in_a_container_is_started_again(image: String) {
    for containers in [Containers::One, Containers::Each] {
        let cluster = Rc::new(support::open(&ClusterRequest { containers, ..request(&image) }).await);
        let fault = "at = \"2s\"\nrestart = \"busiest primary\"";
        let result = run(&cluster, &scenario_of((100, 9), 0, fault), 3).await;
        let injected = &result.record.injected.as_ref().unwrap().faults[0];
        assert!(injected.failure.is_none() && injected.emptied, "{injected:?}");
        assert!(result.record.audit.lost_by_server > 0, "{:?}", result.record.audit);
        let topology = cluster.topology();
        let struck =
            topology.primaries().iter().find(|primary| Some(primary.addr.to_string()) == injected.server);
        assert!(cluster.has_library(&struck.unwrap().addr).await);
    }
}

/// Also what the owner runs that it starts. Its networks have nobody who could remove them; the next command
/// does.
pub fn networks_of_a_killed_owner_are_removed_by_the_next_command(image: &str) {
    if own_until_stdin_ends() {
        return;
    }
    let (no_containers, no_networks) = (containers(image), networks());
    let (mut owner, addrs, _output) =
        owner_apart("networks_of_a_killed_owner_are_removed_by_the_next_command");
    assert_eq!(networks().lines().count(), no_networks.lines().count() + 2);
    owner.kill().unwrap();
    owner.wait().unwrap();
    wait_until_gone(&addrs, 5 * GONE_WITHIN);
    let state = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    while (containers(image), networks()) != (no_containers.clone(), no_networks.clone()) {
        assert!(begun.elapsed() < 10 * GONE_WITHIN, "left: {} {}", containers(image), networks());
        let mut down = Command::new(env!("CARGO_BIN_EXE_reclaim-bench"));
        assert!(
            down.args(["cluster", "down"]).env("XDG_STATE_HOME", state.path()).status().unwrap().success()
        );
    }
}
