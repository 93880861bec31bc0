//! Connections of the generator's that somebody kills while claims are timed (`CLIENT KILL`): the run goes on over
//! new ones, and each of its claims is counted once.

use std::rc::Rc;

use reclaim_analysis::judge::RunResult;
use reclaim_analysis::record::{Outcomes, Warning};
use reclaim_bench::cluster::{Cluster, ClusterRequest};
use reclaim_bench::valkey::{NodeIndex, Wire};
use redis::Value;
use tokio_util::sync::CancellationToken;

use super::AtWindow;
use crate::common::one_run::{assert_clean, run_watched, scenario_text};
use crate::common::support;

/// Claims in flight in the closed loop.
const CONCURRENCY: u64 = 4;

/// So many claims are made before the connection is killed.
const BEFORE: u64 = 40;

/// How long the test waits for the window and its first claims.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(2);

/// Somebody's connection to the only primary.
struct Killer(Wire);

impl Killer {
    async fn on(cluster: &Cluster) -> Self {
        Self(cluster.further_wire(NodeIndex(0), 1).await.unwrap())
    }

    async fn ask(&self, words: &[&str]) -> Value {
        support::ask(&self.0, words).await
    }

    async fn text(&self, words: &[&str]) -> String {
        let Value::BulkString(text) = self.ask(words).await else { panic!("{words:?}") };
        String::from_utf8(text).unwrap()
    }

    /// Functions that were called so far: one for each claim.
    async fn calls(&self) -> u64 {
        support::calls(&self.0, "fcall").await
    }

    /// Connections over which a hash was read or a function called last, by the server's numbers. While a window is
    /// open claims are made over these, and something else was asked over all others that were opened for it.
    async fn of_claims(&self) -> Vec<String> {
        let clients = self.text(&["CLIENT", "LIST"]).await;
        let of_claims = clients
            .lines()
            .filter(|client| client.split(' ').any(|field| matches!(field, "cmd=hget" | "cmd=fcall")));
        of_claims
            .filter_map(|client| Some(client.split(' ').next()?.strip_prefix("id=")?.to_owned()))
            .collect()
    }
}

/// Runs a scenario and kills the one connection over which its claims are made, once some of them are. `older` are
/// connections of others.
async fn cut_once(killer: &Killer, older: &[String], cluster: &Rc<Cluster>, text: &str) -> RunResult {
    let (watch, cancel) = (AtWindow::default(), CancellationToken::new());
    let cut = async {
        watch.0.notified().await;
        let before = killer.calls().await;
        while killer.calls().await < before + BEFORE {}
        let mut found = killer.of_claims().await;
        found.retain(|client| !older.contains(client));
        assert_eq!(found.len(), 1, "{found:?} {older:?}");
        assert_eq!(killer.ask(&["CLIENT", "KILL", "ID", &found[0]]).await, Value::Int(1));
    };
    // A window that shows no claims ends the test.
    let cut = async { tokio::time::timeout(PATIENCE, cut).await.expect("claims were seen in the window") };
    let (result, ()) = tokio::join!(run_watched(cluster, text, 1, &watch, &cancel), cut);
    result
}

/// Every claim that was planned was sent and came to something that has a name, and all who count them agree. Returns
/// how many met the loss.
fn accounted(result: &RunResult) -> u64 {
    let outcomes = &result.variants[0].outcomes;
    let Outcomes { claimed, failed, ambiguous, .. } = *outcomes;
    let named = Outcomes { claimed, failed, ambiguous, ..Outcomes::default() };
    assert_eq!(*outcomes, named, "nothing else becomes of a claim here");
    assert_eq!(result.record.primaries[0].claims, outcomes.sent());
    let met = failed + ambiguous;
    let timeline = &result.record.timeline;
    let counted: (u64, u64) = (
        timeline.iter().map(|second| second.claimed).sum(),
        timeline.iter().map(|second| second.errors).sum(),
    );
    assert_eq!(counted, (claimed, met), "{outcomes:?}");
    let audit = &result.record.audit;
    assert_eq!(audit.grants_issued, audit.claimed + audit.expired + audit.outstanding, "{audit:?}");
    assert_eq!((audit.double_claims, audit.lost, audit.epoch_errors), (0, 0, 0), "{audit:?}");
    assert!((claimed..=claimed + met).contains(&audit.claimed), "{outcomes:?} {audit:?}");
    met
}

/// Primaries to which connections broke that no fault explains, and how many.
fn warned_of(result: &RunResult) -> Vec<(&str, u64)> {
    let lost = result.warnings.iter().filter_map(|warning| match warning {
        Warning::ConnectionsLost { primary, connections } => Some((primary.as_str(), *connections)),
        _ => None,
    });
    lost.collect()
}

/// On servers that others may use, so that whoever kills connections makes the run no less valid.
#[tokio::test(flavor = "current_thread")]
async fn a_connection_that_is_killed_in_a_window_is_opened_anew_and_all_claims_are_counted() {
    let own = support::own(1, 0).await;
    let killer = Killer::on(&own).await;
    let older = killer.of_claims().await;
    let nodes = own.topology().primaries().iter().map(|primary| primary.addr.clone()).collect();
    let request = ClusterRequest { nodes, ..support::shared_request() };
    let cluster = Rc::new(support::open(&request).await);
    let sections = format!(
        "[population]\nexecutions = 1200\nlanes = 2\npartitions = 16\n[load]\nconcurrency = {CONCURRENCY}\n\
         claims = 1000"
    );
    let result = cut_once(&killer, &older, &cluster, &scenario_text(&sections, &["grant-lane"])).await;
    assert_clean(&result);
    let met = accounted(&result);
    let outcomes = &result.variants[0].outcomes;
    assert_eq!(outcomes.sent(), 1_000);
    // Each worker has one claim in flight, and the next one goes over the new connection.
    assert!((1..=CONCURRENCY).contains(&met), "{outcomes:?}");
    assert_eq!(result.record.audit.claimed, outcomes.claimed + outcomes.ambiguous, "{outcomes:?}");
    let primary = &result.record.primaries[0];
    assert_eq!(primary.connections_lost, 1);
    assert!(primary.unanswered.is_some_and(|commands| commands <= met), "{:?}", primary.unanswered);
    assert_eq!(warned_of(&result), [(primary.addr.as_str(), 1)]);
}

/// Long before the fault, whose own cut is counted too and made up for claim by claim.
#[tokio::test(flavor = "current_thread")]
async fn a_connection_that_is_killed_outside_of_a_faults_time_is_opened_anew_before_it() {
    let cluster = Rc::new(support::own(1, 0).await);
    let sections = "[population]\nexecutions = 2800\nlanes = 2\npartitions = 16\n[load]\nmodel = \"open\"\n\
                    rate = 100\nduration = \"12s\"\ntimeout = \"2s\"\n[[fault]]\nat = \"10s\"\n\
                    disconnect = \"any primary\"\n";
    let result =
        cut_once(&Killer::on(&cluster).await, &[], &cluster, &scenario_text(sections, &["grant-lane"])).await;
    let met = accounted(&result);
    let outcomes = &result.variants[0].outcomes;
    // Without a new connection all claims until the fault would meet the loss: five of six.
    assert!(met < outcomes.sent() / 2, "{outcomes:?}");
    let primary = &result.record.primaries[0];
    assert_eq!(primary.connections_lost, 2);
    // The fault's own is none that a reader must be told of.
    assert_eq!(warned_of(&result), [(primary.addr.as_str(), 1)]);
    let injected = result.record.injected.as_ref().unwrap();
    let fault = &injected.faults[0];
    assert!(fault.failure.is_none() && fault.struck_s.is_some(), "{fault:?}");
    assert!(fault.claims_retried > 0 && fault.retries.contains_key("disconnected"), "{fault:?}");
}
