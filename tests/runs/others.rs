//! What others do to the servers while claims are measured: every kind is found, and none where nobody does
//! anything.

use std::cell::Cell;
use std::rc::Rc;

use reclaim_analysis::judge::RunResult;
use reclaim_analysis::record::{InvalidReason, TimelinePoint, Warning};
use reclaim_bench::cluster::Cluster;
use reclaim_bench::load::{Activity, Progress};
use reclaim_bench::valkey::{NodeIndex, Wire};
use redis::Value;
use tokio_util::sync::CancellationToken;

use crate::common::one_run::{assert_clean, run_watched, scenario_text};
use crate::common::support;

const SECTIONS: &str = "[population]\nexecutions = 1200\nlanes = 2\npartitions = 16\n[load]\nconcurrency = 1\n\
                        claims = 1000";

/// Notices when a part of the run begins.
struct Begun {
    part: Activity,
    has: Cell<bool>,
}

impl Progress for Begun {
    fn begin(&self, activity: Activity, _: Option<u64>) {
        if activity == self.part {
            self.has.set(true);
        }
    }
    fn advance(&self, _: u64) {}
    fn second(&self, _: &TimelinePoint) {}
    fn note(&self, _: &str) {}
    fn snapshot(&self, _: reclaim_analysis::record::RunRecord) {}
}

/// Somebody else's connection to the only primary.
struct Stranger {
    _handle: Cluster,
    wire: Wire,
}

impl Stranger {
    async fn connect(cluster: &Cluster) -> Self {
        let nodes = cluster.topology().primaries().iter().map(|primary| primary.addr.clone()).collect();
        let handle =
            support::open(&reclaim_bench::cluster::ClusterRequest { nodes, ..support::shared_request() })
                .await;
        Self { wire: handle.admin(NodeIndex(0)), _handle: handle }
    }

    async fn send(&self, parts: &[&str]) -> Value {
        support::ask(&self.wire, parts).await
    }

    /// Waits until claims are being made: each reads the attempt index.
    async fn claims_are_made(&self, begun: &Begun) {
        while !begun.has.get() {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        let before = self.hgets().await;
        while self.hgets().await < before + 40 {}
    }

    async fn hgets(&self) -> u64 {
        support::calls(&self.wire, "hget").await
    }
}

/// Runs a scenario while `meddle` goes on beside it, from the window's first claims on.
async fn meddled(cluster: &Rc<Cluster>, seed: u64, meddle: impl AsyncFn(&Stranger)) -> RunResult {
    meddled_in(cluster, seed, (SECTIONS, Activity::Window), meddle).await
}

/// The same with other sections, from the first claims of another part on.
async fn meddled_in(
    cluster: &Rc<Cluster>,
    seed: u64,
    (sections, part): (&str, Activity),
    meddle: impl AsyncFn(&Stranger),
) -> RunResult {
    let stranger = Stranger::connect(cluster).await;
    let begun = Begun { part, has: Cell::new(false) };
    let text = scenario_text(sections, &["grant-lane"]);
    let cancel = CancellationToken::new();
    let run = run_watched(cluster, &text, seed, &begun, &cancel);
    tokio::pin!(run);
    let beside = async {
        stranger.claims_are_made(&begun).await;
        meddle(&stranger).await;
    };
    let (result, ()) = tokio::join!(run, beside);
    result
}

fn foreign(result: &RunResult) -> Vec<String> {
    let commands = |reason: &InvalidReason| match reason {
        InvalidReason::ForeignCommands { commands, .. } => commands.keys().cloned().collect(),
        _ => Vec::new(),
    };
    result.invalid_reasons.iter().flat_map(commands).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn other_clients_commands_are_found_whatever_they_are() {
    let cluster = Rc::new(support::own(1, 0).await);
    for (seed, (command, name)) in [
        (&["SET", "x", "1"][..], "set"),
        (&["PING"], "ping"),
        (&["CLIENT", "LIST"], "client|list"),
        (&["EVAL", "return 1", "0"], "eval"),
        // These are run by the claim's function as well, less often.
        (&["HSET", "h", "a", "b"], "hset"),
        (&["ZADD", "z", "1", "b"], "zadd"),
        (&["LRANGE", "l", "0", "-1"], "lrange"),
    ]
    .into_iter()
    .enumerate()
    {
        let result = meddled(&cluster, seed as u64, async |stranger: &Stranger| {
            for _ in 0..3 {
                stranger.send(command).await;
            }
        })
        .await;
        assert!(
            !result.valid && foreign(&result).iter().any(|found| found == name),
            "{name}: {:?}",
            result.invalid_reasons
        );
        // To know when to begin, the stranger asked as well.
        assert!(foreign(&result).iter().any(|found| found == "info"));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn on_a_shared_cluster_the_servers_figures_are_withheld() {
    let own = support::own(1, 0).await;
    let nodes = own.topology().primaries().iter().map(|primary| primary.addr.clone()).collect();
    let request = reclaim_bench::cluster::ClusterRequest { nodes, ..support::shared_request() };
    let shared = Rc::new(support::open(&request).await);
    let result = meddled(&shared, 1, async |stranger: &Stranger| {
        stranger.send(&["GET", "x"]).await;
        stranger.send(&["HGET", "x", "y"]).await;
    })
    .await;
    assert_clean(&result);
    let warned = |warning: &Warning| match warning {
        Warning::ForeignCommands { commands, .. } => {
            ["get", "hget", "info"].iter().all(|name| commands.contains_key(*name))
        }
        _ => false,
    };
    assert!(result.warnings.iter().any(warned), "{:?}", result.warnings);
    let server = &result.variants[0].server;
    assert_eq!((server.main_thread_cpu_us_per_claim, server.calls_per_claim.len()), (None, 0));
}

#[tokio::test(flavor = "current_thread")]
async fn the_tools_own_questions_show_in_no_claims_cost() {
    let cluster = Rc::new(support::own(1, 0).await);
    let text = scenario_text(SECTIONS, &["grant-lane"]);
    let result =
        run_watched(&cluster, &text, 3, &reclaim_bench::load::Silent, &CancellationToken::new()).await;
    assert_clean(&result);
    let calls = &result.record.primaries[0].counters.calls;
    let claims_own = ["fcall", "hget", "hgetall", "hset", "del", "sadd", "time", "xadd", "zadd", "zrem"];
    assert!(calls.keys().all(|name| claims_own.contains(&name.as_str())), "{calls:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_condition_that_changes_in_the_window_makes_a_run_invalid_by_name() {
    let other = format!("{}\n-- another body\n", ff_script::LIBRARY_SOURCE);
    for (command, condition) in [
        (&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"][..], "maxmemory-policy"),
        (&["CONFIG", "SET", "appendonly", "yes"], "appendonly"),
        (&["CONFIG", "SET", "save", "900 1"], "save"),
        (&["CONFIG", "SET", "hz", "50"], "hz"),
        (&["CONFIG", "SET", "maxmemory", "3gb"], "maxmemory"),
        (&["FUNCTION", "DELETE", "flowfabric"], "the library flowfabric"),
        (&["FUNCTION", "LOAD", "REPLACE", &other], "the library flowfabric"),
    ] {
        let cluster = Rc::new(support::own(1, 0).await);
        let result = meddled(&cluster, 1, async |stranger: &Stranger| {
            stranger.send(command).await;
        })
        .await;
        let found = |reason: &InvalidReason| matches!(reason, InvalidReason::ConditionChanged { condition: found, .. } if found == condition);
        assert!(result.invalid_reasons.iter().any(found), "{condition}: {:?}", result.invalid_reasons);
    }
}

/// What a primary sends to its replica takes time of its claims.
#[tokio::test(flavor = "current_thread")]
async fn a_replica_that_leaves_in_the_window_makes_a_run_invalid() {
    let cluster = Rc::new(support::own(1, 1).await);
    let primary = cluster.topology().primaries()[0].addr.clone();
    let replicas = cluster.replicas_of(&primary).await.unwrap();
    let result = meddled(&cluster, 1, async |_: &Stranger| {
        cluster.kill_server(&replicas[0]).await.unwrap();
    })
    .await;
    let found = |reason: &InvalidReason| {
        matches!(reason, InvalidReason::ConditionChanged { condition, before, after, .. }
            if (condition.as_str(), before.as_str(), after.as_str()) == ("the replicas in sync", "1", "0"))
    };
    assert!(result.invalid_reasons.iter().any(found), "{:?}", result.invalid_reasons);
}

#[tokio::test(flavor = "current_thread")]
async fn reset_counters_and_lack_of_memory_make_a_run_invalid_by_name() {
    type Found = fn(&InvalidReason) -> bool;
    let cases: [(&[&[&str]], Found); 3] = [
        (&[&["CONFIG", "RESETSTAT"]], |reason| matches!(reason, InvalidReason::ServerChanged { .. })),
        (
            &[
                &["CONFIG", "SET", "maxmemory-policy", "allkeys-random"],
                &["CONFIG", "SET", "maxmemory", "4mb"],
            ],
            |reason| matches!(reason, InvalidReason::Evicted { .. }),
        ),
        (&[&["CONFIG", "SET", "maxmemory", "1mb"]], |reason| {
            matches!(reason, InvalidReason::OutOfMemory { .. })
        }),
    ];
    for (commands, found) in cases {
        let cluster = Rc::new(support::own(1, 0).await);
        let result = meddled(&cluster, 1, async |stranger: &Stranger| {
            for command in commands {
                stranger.send(command).await;
            }
        })
        .await;
        assert!(result.invalid_reasons.iter().any(found), "{commands:?}: {:?}", result.invalid_reasons);
    }
}

/// What a warm-up fills (caches, queues) is what the window begins with.
#[tokio::test(flavor = "current_thread")]
async fn foreign_commands_are_found_in_a_warm_up() {
    let cluster = Rc::new(support::own(1, 0).await);
    let sections = format!("{SECTIONS}\nwarmup = 1000").replace("executions = 1200", "executions = 2200");
    let result = meddled_in(&cluster, 1, (&sections, Activity::Warmup), async |stranger: &Stranger| {
        stranger.send(&["SET", "x", "1"]).await;
    })
    .await;
    assert!(foreign(&result).iter().any(|found| found == "set"), "{:?}", result.invalid_reasons);
}

/// In churn functions run more than one claim explains; what none of them runs is foreign all the same.
#[tokio::test(flavor = "current_thread")]
async fn foreign_commands_are_found_beside_interruptions() {
    let cluster = Rc::new(support::own(1, 0).await);
    let sections = "[population]\nexecutions = 100\nlanes = 2\npartitions = 16\n[load]\nmode = \"churn\"\n\
                    concurrency = 2\nclaims = 1000";
    for (seed, command) in
        [&["LPUSH", "l", "1"][..], &["EVAL", "return 1", "0"], &["CLIENT", "LIST"]].iter().enumerate()
    {
        let part = (sections, Activity::Window);
        let result = meddled_in(&cluster, seed as u64, part, async |stranger: &Stranger| {
            stranger.send(command).await;
        })
        .await;
        let name = command[0].to_lowercase();
        assert!(
            foreign(&result).iter().any(|found| found.starts_with(&name)),
            "{name}: {:?}",
            result.invalid_reasons
        );
    }
}

/// Interruptions run any number of these, so that counts alone cannot tell: the client is known for a
/// stranger.
#[tokio::test(flavor = "current_thread")]
async fn who_sends_what_the_functions_run_as_well_is_found_by_its_connection() {
    let cluster = Rc::new(support::own(1, 0).await);
    let sections = "[population]\nexecutions = 100\nlanes = 2\npartitions = 16\n[load]\nmode = \"churn\"\n\
                    concurrency = 2\nclaims = 1000";
    let text = scenario_text(sections, &["grant-lane"]);
    let cancel = CancellationToken::new();
    let stranger = Stranger::connect(&cluster).await;
    stranger.send(&["CLIENT", "SETNAME", "payments"]).await;
    let run = |seed| run_watched(&cluster, &text, seed, &reclaim_bench::load::Silent, &cancel);
    // Connected and silent.
    assert_clean(&run(1).await);
    let beside = async {
        loop {
            stranger.send(&["HSET", "h", "a", "b"]).await;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let result = tokio::select! {
        result = run(2) => result,
        () = beside => unreachable!(),
    };
    let named = |reason: &InvalidReason| match reason {
        InvalidReason::ForeignClients { clients, .. } => {
            clients.iter().any(|c| c.name == "payments" && c.commands > 0)
        }
        _ => false,
    };
    assert!(!result.valid && result.invalid_reasons.iter().any(named), "{:?}", result.invalid_reasons);
}

/// A script that connects, asks and leaves is in no list of clients, and functions run what it asks.
#[tokio::test(flavor = "current_thread")]
async fn who_comes_and_leaves_between_two_looks_is_found_by_the_count_of_connections() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let cluster = Rc::new(support::own(1, 0).await);
    let addr = cluster.topology().primaries()[0].addr.clone();
    let sections = "[population]\nexecutions = 100\nlanes = 2\npartitions = 16\n[load]\nmode = \"churn\"\n\
                    concurrency = 2\nclaims = 1000";
    let result = meddled_in(&cluster, 1, (sections, Activity::Window), async |_: &Stranger| {
        for _ in 0..3 {
            let mut client = tokio::net::TcpStream::connect((addr.host.as_str(), addr.port)).await.unwrap();
            client.write_all(b"HSET h a b\r\n").await.unwrap();
            let mut reply = [0; 4];
            client.read_exact(&mut reply).await.unwrap();
        }
    })
    .await;
    let passed =
        |reason: &InvalidReason| matches!(reason, InvalidReason::PassingClients { connections: 3, .. });
    assert!(!result.valid && result.invalid_reasons.iter().any(passed), "{:?}", result.invalid_reasons);
}

#[tokio::test(flavor = "current_thread")]
async fn a_client_that_watches_all_commands_is_warned_of() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let cluster = Rc::new(support::own(1, 0).await);
    let addr = cluster.topology().primaries()[0].addr.clone();
    let mut monitor = tokio::net::TcpStream::connect((addr.host.as_str(), addr.port)).await.unwrap();
    monitor.write_all(b"MONITOR\r\n").await.unwrap();
    monitor.read_exact(&mut [0; 5]).await.unwrap();
    let text = scenario_text(SECTIONS, &["grant-lane"]);
    let result =
        run_watched(&cluster, &text, 3, &reclaim_bench::load::Silent, &CancellationToken::new()).await;
    assert_clean(&result);
    let warned = result.warnings.iter().any(|warning| matches!(warning, Warning::Monitored { .. }));
    assert!(warned, "{:?}", result.warnings);
}

#[tokio::test(flavor = "current_thread")]
async fn a_primary_that_falls_silent_ends_the_run_with_what_it_has() {
    let cluster = Rc::new(support::own(3, 0).await);
    let begun = std::time::Instant::now();
    let result = meddled(&cluster, 77, async |stranger| {
        stranger.send(&["CLIENT", "PAUSE", "600000", "ALL"]).await;
    })
    .await;
    // Each of some three hundred claims there would wait for its limit.
    assert!(begun.elapsed() < std::time::Duration::from_mins(3), "{:?}", begun.elapsed());
    let addr = cluster.topology().primaries()[0].addr.to_string();
    let said = format!("{:?}", result.invalid_reasons);
    assert!(!result.valid && said.contains("has answered nothing for") && said.contains(&addr), "{said}");
    assert!(result.variants[0].outcomes.claimed >= 40, "{:?}", result.variants[0].outcomes);
}
