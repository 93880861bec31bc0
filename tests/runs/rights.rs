//! The rights that docs/rights.md asks for are enough, and none of them is idle.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ff_core::partition::{Partition, PartitionFamily};
use reclaim_analysis::record::WireCost;
use reclaim_bench::cluster::Cluster;
use redis::Value;

use crate::common::support::everywhere;
use crate::parts::somebodys;

const DOCS: &str = include_str!("../../docs/rights.md");

/// Listed for what this test does not bring about: slots that move.
const UNUSED_HERE: [&str; 1] = ["asking"];

fn words() -> Vec<&'static str> {
    let (_, block) = DOCS.split_once("```acl\n").unwrap();
    block.split_once("```").unwrap().0.split_whitespace().collect()
}

/// What several generators need besides.
fn words_of_generators() -> Vec<&'static str> {
    let (_, line) = DOCS.split_once("- Several generators need ").unwrap();
    line.lines().next().unwrap().split('`').skip(1).step_by(2).flat_map(str::split_whitespace).collect()
}

fn tool(arguments: &[&str], nodes: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reclaim-bench"));
    command.args(arguments).args(["--nodes", nodes, "--user", "bench"]);
    command.env("RECLAIM_BENCH_PASSWORD", "PASSWORD").stdin(Stdio::null());
    command
}

/// Leaves what a crash leaves.
async fn killed(own: &Cluster, arguments: &[&str], nodes: &str) {
    let mut run = tool(arguments, nodes).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while everywhere(own, &["DBSIZE"]).await.iter().any(|size| !matches!(size, Value::Int(300..))) {
        assert!(begun.elapsed() < Duration::from_mins(2), "it writes nothing");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    run.kill().unwrap();
    run.wait().unwrap();
    // And what a clean-up leaves that was cut off: an entry whose execution is gone.
    let partition = Partition { family: PartitionFamily::Flow, index: 3 };
    let mut orphan = redis::cmd("ZADD");
    orphan.arg("ff:idx:{fp:3}:lease_expiry").arg(1).arg("{fp:3}:7265636c-622d-8224-bda9-554000000099");
    let wire = own.admin(own.topology().owner_of(partition));
    wire.call("test", &orphan, &mut WireCost::default()).await.unwrap();
}

fn calls(infos: &[Value]) -> BTreeSet<String> {
    let mut called = BTreeSet::new();
    for info in infos {
        let Value::BulkString(text) = info else { panic!() };
        let text = String::from_utf8_lossy(text);
        let names = text.lines().filter_map(|line| line.strip_prefix("cmdstat_")?.split(':').next());
        called.extend(names.map(str::to_owned));
    }
    called
}

#[tokio::test(flavor = "current_thread")]
async fn the_rights_in_the_docs_are_enough_and_none_is_idle() {
    let (own, nodes) = somebodys().await;
    everywhere(&own, &words()).await;
    everywhere(&own, &["ACL", "LOG", "RESET"]).await;
    everywhere(&own, &["CONFIG", "RESETSTAT"]).await;
    let output = tempfile::tempdir().unwrap();
    let small = [
        "--no-progress",
        "--anyway",
        "-o",
        output.path().to_str().unwrap(),
        "--set",
        "population.executions=300",
        "--set",
        "interruption.timeout=1.0",
        "--set",
        "interruption.operator=1.0",
        "--set",
        "interruption.delay=1.0",
    ];
    let staged = ["--set", "load.claims=800", "--set", "load.warmup=20", "--set", "load.task_context=true"];
    let compared = [
        "--set",
        "compare.strata=10",
        "--set",
        "compare.control_strata=10",
        "--set",
        "compare.counter_blocks=2",
        "--set",
        "compare.block_claims=20",
    ];
    for arguments in [
        [&["run", "claim-paths"], &small[..], &staged, &compared].concat(),
        [&["run", "steady", "--set", "load.duration=\"3s\""], &small[..]].concat(),
        [&["run", "grant-expiry", "--set", "load.claims=300"], &small[..]].concat(),
        vec!["clean", "--anyway"],
    ] {
        if arguments[0] == "clean" {
            killed(&own, &[&["run", "steady"], &small[..]].concat(), &nodes).await;
        }
        let done = tool(&arguments, &nodes).output().unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(!said.contains("NOPERM"), "{arguments:?}: {said}");
        // How good its figures are is not asked here.
        assert!(!said.contains("error: "), "{arguments:?}: {said}");
    }
    let denied = everywhere(&own, &["ACL", "LOG"]).await;
    assert_eq!(denied, vec![Value::Array(vec![]); 2]);
    assert_eq!(everywhere(&own, &["DBSIZE"]).await, vec![Value::Int(0); 2], "something stays");

    let called = calls(&everywhere(&own, &["INFO", "commandstats"]).await);
    let listed = words().into_iter().filter_map(|word| word.strip_prefix('+'));
    let idle: Vec<_> =
        listed.filter(|command| !called.contains(*command) && !UNUSED_HERE.contains(command)).collect();
    assert!(idle.is_empty(), "listed and never called: {idle:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn several_generators_need_what_the_docs_name_for_them_and_say_so_without_it() {
    let (own, nodes) = somebodys().await;
    everywhere(&own, &words()).await;
    let output = tempfile::tempdir().unwrap();
    let run = || {
        let mut run = tool(&["run", "smoke", "--generators", "2", "--concurrency", "4"], &nodes);
        run.args(["--no-progress", "--anyway", "-o", output.path().to_str().unwrap()]);
        run.args(["--set", "population.executions=300", "--set", "load.claims=800"]);
        let done = run.output().unwrap();
        format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr))
    };
    let said = run();
    assert!(said.contains("SSUBSCRIBE") && said.contains("docs/rights.md"), "{said}");
    // The first one is refused before the others could hear of it, and takes them along.
    assert!(!said.contains("is killed"), "{said}");
    assert_eq!(everywhere(&own, &["DBSIZE"]).await, vec![Value::Int(0); 2], "something stays: {said}");

    let words = words_of_generators();
    everywhere(&own, &[&["ACL", "SETUSER", "bench"], &words[..]].concat()).await;
    everywhere(&own, &["ACL", "LOG", "RESET"]).await;
    let said = run();
    assert!(said.contains("0 claimed twice"), "{said}");
    assert_eq!(everywhere(&own, &["ACL", "LOG"]).await, vec![Value::Array(vec![]); 2], "{said}");
    assert_eq!(everywhere(&own, &["DBSIZE"]).await, vec![Value::Int(0); 2], "something stays: {said}");
    let called = calls(&everywhere(&own, &["INFO", "commandstats"]).await);
    let listed = words.iter().filter_map(|word| word.strip_prefix('+'));
    let idle: Vec<_> = listed.filter(|command| !called.contains(*command)).collect();
    assert!(idle.is_empty(), "listed and never called: {idle:?}");
}
