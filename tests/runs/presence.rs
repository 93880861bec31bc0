//! Several runs on one cluster that is not the tool's own: they see each other, and what they share stays as
//! long as one of them needs it.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use ff_core::partition::{Partition, PartitionFamily};
use reclaim_analysis::record::{InvalidReason, Warning, WireCost};
use reclaim_analysis::scenario::Provider;
use reclaim_bench::cluster::{self, Announcement, Cluster, ClusterError, ClusterRequest, Company};
use reclaim_bench::valkey::{NodeAddr, NodeIndex};
use redis::Value;
use tokio_util::sync::CancellationToken;

use crate::common::one_run::{run, scenario_text};
use crate::common::support;

/// Longest wait for something that takes seconds on an idle machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// A cluster of three that nobody has loaded a library on, and its nodes.
async fn somebodys() -> (Cluster, Vec<NodeAddr>) {
    let own = support::own(3, 0).await;
    for node in own.topology().nodes() {
        ask(&own, node, &["FUNCTION", "FLUSH"]).await;
    }
    let nodes = own.topology().primaries().iter().map(|primary| primary.addr.clone()).collect();
    (own, nodes)
}

async fn ask(cluster: &Cluster, node: NodeIndex, words: &[&str]) -> Value {
    let mut cmd = redis::cmd(words[0]);
    cmd.arg(&words[1..]);
    cluster.admin(node).call("test", &cmd, &mut WireCost::default()).await.unwrap()
}

/// Keys, and primaries with the library.
async fn found(cluster: &Cluster) -> (i64, usize) {
    let (mut keys, mut libraries) = (0, 0);
    for node in cluster.topology().nodes() {
        let Value::Int(here) = ask(cluster, node, &["DBSIZE"]).await else { panic!() };
        keys += here;
        let list = ask(cluster, node, &["FUNCTION", "LIST", "LIBRARYNAME", "flowfabric"]).await;
        libraries += usize::from(list != Value::Array(vec![]));
    }
    (keys, libraries)
}

fn announced(nodes: &[NodeAddr], what: &str, shared: bool) -> ClusterRequest {
    let otherwise = "give --shared to run beside it";
    let company = if shared { Company::Accepted } else { Company::Refused { otherwise } };
    ClusterRequest {
        provider: Provider::External,
        nodes: nodes.to_vec(),
        shared,
        announcement: Some(Announcement { what: what.to_owned(), company }),
        ..ClusterRequest::default()
    }
}

#[tokio::test(flavor = "current_thread")]
async fn whoever_ends_last_removes_what_runs_share() {
    let (own, nodes) = somebodys().await;
    let first = support::open(&announced(&nodes, "a run of one", false)).await;
    let cancel = CancellationToken::new();
    let refused = cluster::open(&announced(&nodes, "a run of two", false), &|_| (), &cancel).await;
    let Err(error @ ClusterError::RunsUnderWay { .. }) = refused.map(drop) else { panic!("two at once") };
    let text = error.to_string();
    for part in ["a run of one (process ", "begun 0 s ago", "--shared", "15 s"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let own_and_card = (5, 3);
    assert_eq!(
        found(&own).await,
        own_and_card,
        "its mark, that of the library on each primary, and the other's card"
    );

    let second = support::open(&announced(&nodes, "a run of two", true)).await;
    assert_eq!(second.others().await.unwrap().len(), 1);
    first.leave().await.unwrap();
    assert_eq!(found(&own).await, (4, 3), "the second still needs it");
    second.leave().await.unwrap();
    assert_eq!(found(&own).await, (0, 0));
}

#[tokio::test(flavor = "current_thread")]
async fn of_two_that_leave_at_once_one_removes_what_they_share() {
    let (own, nodes) = somebodys().await;
    for _ in 0..5 {
        let first = support::open(&announced(&nodes, "a run of one", false)).await;
        let second = support::open(&announced(&nodes, "a run of two", true)).await;
        let (one, two) = tokio::join!(first.leave(), second.leave());
        assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
        assert_eq!(found(&own).await, (0, 0));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn who_comes_while_the_last_one_leaves_waits_and_finds_nothing_taken_away() {
    let (own, nodes) = somebodys().await;
    let first = support::open(&announced(&nodes, "a run of one", false)).await;
    assert!(first.may_remove_shared().await);
    let leaving = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        first.leave().await.unwrap();
        Instant::now()
    };
    let coming = async {
        let second = support::open(&announced(&nodes, "a run of two", false)).await;
        (Instant::now(), second)
    };
    let (left, (came, second)) = tokio::join!(leaving, coming);
    assert!(came > left, "it did not wait");
    assert_eq!(found(&own).await, (4, 3));
    second.leave().await.unwrap();
    assert_eq!(found(&own).await, (0, 0));
}

#[tokio::test(flavor = "current_thread")]
async fn of_two_that_come_at_once_one_stays() {
    let (own, nodes) = somebodys().await;
    for _ in 0..5 {
        let cancel = CancellationToken::new();
        let come = async |what| cluster::open(&announced(&nodes, what, false), &|_| (), &cancel).await;
        let (one, two) = tokio::join!(come("a run of one"), come("a run of two"));
        let stayed: Vec<Cluster> = [one, two].into_iter().filter_map(Result::ok).collect();
        assert_eq!(stayed.len(), 1);
        // The other one may have left a card.
        let (keys, libraries) = found(&own).await;
        assert!((4..=5).contains(&keys) && libraries == 3, "{keys} keys, {libraries} libraries");
        stayed[0].leave().await.unwrap();
        assert_eq!(found(&own).await, (0, 0));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn cancelling_while_the_library_is_loaded_leaves_nothing() {
    let (own, nodes) = somebodys().await;
    let mut cut_off = 0;
    for nth in 0..12 {
        let cancel = CancellationToken::new();
        let watched = async {
            // From the first mark on, a little later each time.
            while found(&own).await.0 == 0 && !cancel.is_cancelled() {}
            for _ in 0..nth {
                tokio::task::yield_now().await;
            }
            cancel.cancel();
        };
        let opened = async {
            let opened = cluster::open(&announced(&nodes, "a run of one", false), &|_| (), &cancel).await;
            cancel.cancel();
            opened
        };
        let (opened, ()) = tokio::join!(opened, watched);
        match opened {
            Ok(cluster) => cluster.leave().await.unwrap(),
            Err(error) => {
                assert!(matches!(error, ClusterError::Cancelled), "{error}");
                cut_off += 1;
            }
        }
        assert_eq!(found(&own).await, (0, 0), "after {nth}");
    }
    assert!(cut_off > 0, "none was cut off");
}

#[tokio::test(flavor = "current_thread")]
async fn what_marks_and_refused_runs_ask_in_a_window_is_no_foreign_command() {
    let (_own, nodes) = somebodys().await;
    let cluster = Rc::new(support::open(&announced(&nodes, "a run of one", false)).await);
    // Longer than a mark lives.
    let text = scenario_text(
        "[population]\nexecutions = 400\nlanes = 2\npartitions = 16\n[load]\nmode = \"churn\"\n\
         model = \"open\"\nrate = 50.0\nduration = \"17s\"\nwarmup = 10",
        &["grant-lane"],
    );
    // It finds out that it is not wanted while claims are measured.
    let visit = async {
        tokio::time::sleep(Duration::from_secs(9)).await;
        let cancel = CancellationToken::new();
        let second = cluster::open(&announced(&nodes, "another", false), &|_| (), &cancel).await;
        assert!(matches!(second.map(drop), Err(ClusterError::RunsUnderWay { .. })));
        std::future::pending::<()>().await;
    };
    let result = tokio::select! {
        result = run(&cluster, &text, 3) => result,
        () = cluster.stay_marked() => unreachable!(),
        () = visit => unreachable!(),
    };
    // How well this machine keeps the schedule is not asked here.
    let foreign = |reason: &InvalidReason| {
        matches!(reason, InvalidReason::ForeignCommands { .. } | InvalidReason::CountersDisagree { .. })
    };
    assert!(!result.invalid_reasons.iter().any(foreign), "{:?}", result.invalid_reasons);
    let visited = |warning: &Warning| matches!(warning, Warning::Visited { processes, commands: 5.. } if processes.len() == 1);
    assert!(result.warnings.iter().any(visited), "{:?}", result.warnings);
    let second =
        cluster::open(&announced(&nodes, "another", false), &|_| (), &CancellationToken::new()).await;
    assert!(matches!(second.map(drop), Err(ClusterError::RunsUnderWay { .. })));
    let of_primaries = &result.record.primaries;
    assert!(!of_primaries.is_empty());
    assert!(of_primaries.iter().all(|primary| !primary.counters.calls.contains_key("pexpire")));
    cluster.leave().await.unwrap();
}

fn tool(arguments: &[&str], nodes: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reclaim-bench"));
    command.env_remove("RECLAIM_BENCH_NODES").args(arguments).args(["--nodes", nodes]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A run that goes on until it is stopped, once it is on the cluster.
async fn long_run(own: &Cluster, nodes: &str, output: &Path) -> Child {
    let long = ["--set", "load.mode=\"churn\"", "--claims", "10000000", "--no-progress", "-o"];
    let run =
        tool(&[&["run", "smoke"], &long[..], &[output.to_str().unwrap()]].concat(), nodes).spawn().unwrap();
    let begun = Instant::now();
    while found(own).await.0 < 500 {
        assert!(begun.elapsed() < PATIENCE, "it writes nothing");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    run
}

#[tokio::test(flavor = "current_thread")]
async fn clean_beside_a_run_names_it_and_after_a_crash_it_cleans() {
    let (own, nodes) = somebodys().await;
    let nodes = nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let output = tempfile::tempdir().unwrap();
    let mut run = long_run(&own, &nodes, output.path()).await;
    let beside = tool(&["clean"], &nodes).output().unwrap();
    let said = text(&beside);
    assert_eq!(beside.status.code(), Some(2), "{said}");
    for part in ["a run of smoke (process ", &run.id().to_string(), "ago", "--anyway"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let beside = tool(&["run", "smoke", "-o", output.path().to_str().unwrap()], &nodes).output().unwrap();
    assert_eq!(beside.status.code(), Some(2));
    assert!(text(&beside).contains("--shared"), "{}", text(&beside));
    assert!(found(&own).await.0 > 100, "nothing was taken away");

    run.kill().unwrap();
    run.wait().unwrap();
    let anyway = tool(&["clean", "--anyway"], &nodes).output().unwrap();
    assert_eq!(anyway.status.code(), Some(0), "{}", text(&anyway));
    assert_eq!(found(&own).await, (0, 0));

    // The next one is forgotten by the servers themselves.
    let mut run = long_run(&own, &nodes, output.path()).await;
    run.kill().unwrap();
    run.wait().unwrap();
    let begun = Instant::now();
    while tool(&["clean"], &nodes).output().unwrap().status.code() != Some(0) {
        assert!(begun.elapsed() < PATIENCE, "the mark stays");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(found(&own).await, (0, 0));
}

#[tokio::test(flavor = "current_thread")]
async fn clean_does_the_others_where_a_primary_is_gone() {
    let (own, nodes) = somebodys().await;
    support::everywhere(&own, &["CONFIG", "SET", "cluster-require-full-coverage", "no"]).await;
    let nodes = nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let output = tempfile::tempdir().unwrap();
    let mut run = long_run(&own, &nodes, output.path()).await;
    run.kill().unwrap();
    run.wait().unwrap();
    let topology = own.topology();
    let marked = topology.owner_of(Partition { family: PartitionFamily::Flow, index: 0 });
    let other = topology.nodes().find(|&node| node != marked).unwrap();
    let lost = own.wire(other).addr().clone();
    let end = |node: NodeIndex| {
        let pid = own.server_pid(own.wire(node).addr()).unwrap();
        support::kill(pid);
    };
    end(other);
    let cleaned = tool(&["clean", "--anyway"], &nodes).output().unwrap();
    let said = text(&cleaned);
    assert_eq!(cleaned.status.code(), Some(2), "{said}");
    assert!(said.contains("removed ") && said.contains(&format!("SCAN for {lost}")), "{said}");
    for node in topology.nodes().filter(|&node| node != other) {
        let kept = ask(&own, node, &["KEYS", "ff:exec:*"]).await;
        assert_eq!(kept, Value::Array(vec![]), "{said}");
        assert_eq!(ask(&own, node, &["FUNCTION", "LIST"]).await, Value::Array(vec![]), "{said}");
    }

    // Whether a run is under way stands on one primary alone.
    end(marked);
    let refused = tool(&["clean"], &nodes).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused).contains("which runs are under way"), "{}", text(&refused));
    let cleaned = tool(&["clean", "--anyway"], &nodes).output().unwrap();
    assert!(text(&cleaned).contains("SCAN for"), "{}", text(&cleaned));
}
