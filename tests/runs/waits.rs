//! `wait_replicas`: claims that wait until replicas have them, beside claims that do not.

use std::rc::Rc;

use reclaim_analysis::record::Warning;
use reclaim_analysis::scenario::{self, WAIT};

use crate::common::one_run::{POPULATION, assert_clean, attempt, run, scenario_text};
use crate::common::support;

/// A closed loop of so many claims; the last variant waits.
fn waiting(cluster: &str, load: &str, paths: &[&str], timeout: &str) -> String {
    let sections = format!("[cluster]\n{cluster}\n{POPULATION}\n[load]\nconcurrency = 1\n{load}");
    let text = scenario_text(&sections, paths);
    format!(
        "{text}[[variant]]\nname = \"replicated\"\npath = \"grant-lane\"\nwait_replicas = 1\nwait_timeout = \"{timeout}\"\n"
    )
}

#[tokio::test(flavor = "current_thread")]
async fn waiting_for_a_replica_is_one_timed_round_trip_beside_the_plain_claim() {
    let load = "claims = 800\nwarmup = 20\nconnections = 2\n[compare]\nbaseline = \"grant-lane\"\nstrata = 20\n\
                control_strata = 20\ncounter_blocks = 5\nblock_claims = 40";
    let cluster = Rc::new(support::own(3, 1).await);
    let result = run(&cluster, &waiting("replicas = 1", load, &["grant-lane"], "2s"), 11).await;
    assert_clean(&result);
    let [plain, replicated] = &result.record.arms[..] else { panic!("two arms") };
    assert_eq!((plain.wire.round_trips, replicated.wire.round_trips), (800, 1_200));
    assert_eq!((plain.steps.len(), replicated.steps.len()), (2, 3));
    assert_eq!(replicated.steps[2].title, WAIT.title);
    assert!(!replicated.steps[2].time.is_empty());
    let waits = &result.variants[1].server.commands_per_claim["wait"];
    assert!((waits - 1.0).abs() < 1e-9, "{waits}");
    assert_eq!((plain.unreplicated, replicated.unreplicated), (0, 0));
    // Servers of our own are replicas as well: what they apply is no other program's work.
    let primaries_s: f64 = result.record.primaries.iter().map(|one| one.counters.process_cpu_us / 1e6).sum();
    let all_s = result.record.generator.unwrap().servers_cpu_s;
    assert!(all_s > primaries_s, "{all_s} s of all servers, {primaries_s} s of the primaries alone");
}

#[tokio::test(flavor = "current_thread")]
async fn a_claim_that_no_replica_has_in_time_holds_its_lease_and_is_counted() {
    let cluster = Rc::new(support::own(1, 1).await);
    let primary = cluster.topology().primaries()[0].addr.clone();
    let replica = cluster.replicas_of(&primary).await.unwrap().remove(0);
    let stopped = cluster.stop_process(&replica).await.unwrap();
    let text = waiting("primaries = 1\nreplicas = 1", "claims = 40", &[], "20ms");
    let result = run(&cluster, &text, 12).await;
    drop(stopped);
    assert_clean(&result);
    assert_eq!((result.variants[0].outcomes.claimed, result.record.arms[0].unreplicated), (40, 40));
    let said = Warning::Unreplicated { arm: "replicated".into(), claims: 40, of: 40 };
    assert!(result.warnings.contains(&said), "{:?}", result.warnings);
    // Each of them waited until the end of its time.
    assert!(result.variants[0].service_us.unwrap().p50 >= 20_000.0, "{:?}", result.variants[0].service_us);
}

#[tokio::test(flavor = "current_thread")]
async fn a_wait_for_replicas_that_are_not_there_is_refused_before_anything_is_written() {
    let cluster = Rc::new(support::own(1, 0).await);
    // The file says that there is one.
    let text = waiting("primaries = 1\nreplicas = 1", "claims = 40", &[], "20ms");
    let scenario = scenario::parse("test", &text).unwrap();
    let refused = attempt(&cluster, &scenario, 1).await.map(drop).unwrap_err().to_string();
    assert!(
        refused.contains("needs as many replicas of each primary") && refused.contains("has 0"),
        "{refused}"
    );
}
