//! `[[fault]]` on real servers: processes stopped and killed, replicas that take over, connections cut, under
//! load.

mod connections;
mod ends;
mod level;
mod slots;

use std::rc::Rc;
use std::time::Duration;

use reclaim_analysis::judge::{Recovery, RunResult};
use reclaim_analysis::record::{
    InjectedFault, InjectionFailure, InvalidReason, NotCounted, Warning, WindowEventKind,
};
use reclaim_analysis::record::{RunRecord, TimelinePoint, WireCost};
use reclaim_bench::cluster::Cluster;
use reclaim_bench::load::{Activity, Progress};
use rustix::process::{Pid, test_kill_process};

use tokio_util::sync::CancellationToken;

use crate::common::one_run::{attempt, run, run_watched, scenario_text};
use crate::common::support;

/// An open loop over so many seconds with one fault.
fn scenario(mode: &str, (rate, seconds): (u32, u32), fault: &str) -> String {
    let executions = rate * seconds * 3 / 2 + 1_000;
    let sections = format!(
        "[cluster]\nreplicas = 1\n[population]\nexecutions = {executions}\nlanes = 2\npartitions = 32\n[load]\n\
         mode = \"{mode}\"\nmodel = \"open\"\nrate = {rate}\nduration = \"{seconds}s\"\ntimeout = \"2s\"\n[[fault]]\n{fault}"
    );
    scenario_text(&sections, &["grant-lane"])
}

/// A busy machine sends late, which is no matter here; everything else is.
fn invalid_reasons(result: &RunResult) -> Vec<&InvalidReason> {
    result.invalid_reasons.iter().filter(|reason| !matches!(reason, InvalidReason::SendLag { .. })).collect()
}

/// The one fault, which was carried out, with its recovery.
fn only(result: &RunResult) -> (&InjectedFault, &Recovery) {
    assert_eq!(invalid_reasons(result), Vec::<&InvalidReason>::new(), "{:?}", result.record.audit);
    let injected = result.record.injected.as_ref().expect("faults were injected");
    assert_eq!((injected.faults.len(), result.recoveries.len()), (1, 1));
    let fault = &injected.faults[0];
    assert!(fault.failure.is_none() && fault.struck_s.is_some() && fault.ended_s.is_some(), "{fault:?}");
    let struck = |kind: &WindowEventKind| matches!(kind, WindowEventKind::FaultStruck { .. });
    assert_eq!(result.record.events.iter().filter(|event| struck(&event.what)).count(), 1);
    (fault, &result.recoveries[0])
}

/// Every claim of the window holds its lease, or is one of the few that a failover lost; none twice.
fn assert_accounted(result: &RunResult) {
    let (outcomes, audit) = (&result.variants[0].outcomes, &result.record.audit);
    let injected = result.record.injected.as_ref().unwrap();
    let settled: u64 = injected.faults.iter().map(|fault| fault.settled).sum();
    assert_eq!(outcomes.ambiguous, settled, "{outcomes:?}");
    assert_eq!(outcomes.claimed + settled, outcomes.planned(), "{outcomes:?}");
    let sum = audit.claimed + audit.expired + audit.outstanding + audit.lost_by_server;
    assert_eq!((audit.grants_issued, audit.double_claims, audit.lost), (sum, 0, 0), "{audit:?}");
}

fn alive(cluster: &Cluster) -> usize {
    let pid = |pid: u32| Pid::from_raw(pid.cast_signed()).unwrap();
    cluster.server_pids().into_iter().filter(|&id| test_kill_process(pid(id)).is_ok()).count()
}

/// Everything due at a server that stands still waits for its end: quantile q is S - (1 - q) T (1 - rho). A
/// server that another program keeps waiting works off more slowly than rho says: of three runs one must show
/// it.
#[tokio::test(flavor = "current_thread")]
async fn a_pause_shows_in_response_time_as_the_stall_formula_says() {
    for setting in [(400, 5, 0.8), (250, 6, 0.5)] {
        let mut seen = Vec::new();
        while !seen.iter().any(|share| (0.95..1.05).contains(share)) {
            assert!(seen.len() < 3, "{setting:?}: p99 over what was predicted: {seen:?}");
            seen.push(stalled(setting).await);
        }
    }
}

/// p99 of the response time over what is predicted of it, at a rate, in a window of so many seconds with such
/// a stall.
async fn stalled((rate, window, stall): (u32, u32, f64)) -> f64 {
    let cluster = Rc::new(support::own(1, 0).await);
    let fault = format!("at = \"2s\"\nfor = \"{}ms\"\npause = \"busiest primary\"\n", (stall * 1e3) as u32);
    let scenario = scenario("staged", (rate, window), &fault).replace("replicas = 1", "replicas = 0");
    let result = run(&cluster, &scenario, 1).await;
    let (fault, recovery) = only(&result);
    assert_accounted(&result);
    let window = f64::from(window);
    let lasted = fault.ended_s.unwrap() - fault.struck_s.unwrap();
    let busy_s = result.record.primaries[0].counters.main_thread_cpu_us / 1e6;
    let predicted = 1e6 * (lasted - 0.01 * window * (1.0 - (busy_s / window).min(1.0)));
    // Nothing on the server succeeds while it stands still.
    assert!(recovery.first_success_s.unwrap() >= 0.99 * lasted, "{recovery:?}");
    assert!(fault.retries.is_empty() && fault.heir.is_none(), "{fault:?}");
    assert_eq!(alive(&cluster), 1);
    result.variants[0].response_us.unwrap().p99 / predicted
}

#[tokio::test(flavor = "current_thread")]
async fn a_killed_primary_is_followed_to_its_replica_and_no_claim_is_lost_or_made_twice() {
    let cluster = Rc::new(support::own(3, 1).await);
    let fault = "at = \"3s\"\nkill = \"busiest primary\"\n";
    let result = run(&cluster, &scenario("staged", (200, 16), fault), 2).await;
    let (fault, recovery) = only(&result);
    assert_accounted(&result);
    let heir = fault.heir.as_ref().unwrap();
    assert_ne!(Some(heir), fault.server.as_ref());
    let (marked, taken) = (recovery.marked_failed_s.unwrap(), recovery.took_over_s.unwrap());
    // The servers wait for their node timeout before they call anybody failed.
    assert!(marked > 2.0 && marked <= taken, "{recovery:?}");
    assert!(recovery.first_success_s.unwrap() + 0.1 >= taken, "{recovery:?}");
    assert!(fault.claims_retried > 0 && fault.retries.contains_key("disconnected"), "{fault:?}");
    // What had no reply was either there or not, and all of it is told.
    let doubts = fault.doubts;
    assert_eq!((doubts.claimed, doubts.open), (fault.settled, 0), "{fault:?}");
    assert!(doubts.not_claimed > 0 && doubts.not_claimed <= fault.claims_retried, "{fault:?}");
    assert!(fault.first_failure_s.is_some() && !recovery.nothing_failed, "{fault:?}");
    assert!(recovery.slowest_us.unwrap() >= 1e6 * taken * 0.5, "{recovery:?}");
    assert!(result.record.primaries.iter().any(|primary| &primary.addr == heir));
    for kind in [
        WindowEventKind::MarkedFailed { server: fault.server.clone().unwrap() },
        WindowEventKind::TookOver { server: heir.clone() },
    ] {
        assert!(result.record.events.iter().any(|event| event.what == kind), "{kind:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_planned_failover_loses_nothing_and_its_redirects_are_counted_where_they_came_from() {
    let cluster = Rc::new(support::own(3, 1).await);
    let result =
        run(&cluster, &scenario("staged", (300, 8), "at = \"3s\"\nfailover = \"any primary\"\n"), 3).await;
    let (fault, recovery) = only(&result);
    assert_accounted(&result);
    let audit = &result.record.audit;
    assert_eq!((audit.lost_by_server, audit.rolled_back), (0, 0), "{audit:?}");
    assert!(recovery.took_over_s.is_some(), "{fault:?}");
    let injected = result.record.injected.as_ref().unwrap();
    let of_old =
        injected.redirects.get(fault.server.as_ref().unwrap()).map(|kinds| kinds.values().sum::<u64>());
    let moved = fault.retries.get("moved").copied().unwrap_or(0);
    assert!(of_old.unwrap_or(0) >= moved && moved > 0, "{injected:?}");
    // The one that was a primary counts on as a replica, and its count is compared.
    let old = fault.server.as_ref().unwrap();
    assert_eq!(injected.redirects.get(old), injected.redirects_counted.get(old), "{injected:?}");
    // Of the one that is a primary now nobody read the counters before, which is said where it sent anybody
    // elsewhere.
    let heir = fault.heir.as_ref().unwrap();
    let wanted = injected.redirects.contains_key(heir).then_some(NotCounted::NoPrimaryBefore);
    assert_eq!(injected.redirects_not_counted.get(heir).copied(), wanted);
    assert_eq!(alive(&cluster), 6);
}

#[tokio::test(flavor = "current_thread")]
async fn claims_whose_connection_is_cut_are_read_and_claimed_again() {
    let cluster = Rc::new(support::own(3, 0).await);
    let fault = "at = \"3s\"\ndisconnect = \"busiest primary\"\n";
    let text = scenario("staged", (400, 6), fault).replace("replicas = 1", "replicas = 0");
    let result = run(&cluster, &text, 4).await;
    let (fault, _) = only(&result);
    assert_accounted(&result);
    assert!(fault.heir.is_none() && fault.first_success_s.is_some(), "{fault:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_busy_script_holds_everybody_up_for_its_time() {
    let cluster = Rc::new(support::own(2, 0).await);
    let fault = "at = \"2s\"\nfor = \"700ms\"\nbusy = \"busiest primary\"\n";
    let text = scenario("staged", (200, 5), fault).replace("replicas = 1", "replicas = 0");
    let result = run(&cluster, &text, 5).await;
    let (fault, recovery) = only(&result);
    assert_accounted(&result);
    let lasted = fault.ended_s.unwrap() - fault.struck_s.unwrap();
    assert!(lasted >= 0.69 && recovery.slowest_us.unwrap() >= 0.5e6, "{fault:?} {recovery:?}");
    let served_again = fault.first_success_s.unwrap() - fault.struck_s.unwrap();
    assert!(served_again >= 0.69, "nobody is served while the script runs: {fault:?}");
}

/// Interruptions, scanners and claims all follow the cluster; the audit accounts for what a failover put
/// back.
#[tokio::test(flavor = "current_thread")]
async fn in_churn_everything_goes_on_through_a_kill() {
    let cluster = Rc::new(support::own(3, 1).await);
    let fault = "at = \"3s\"\nkill = \"busiest primary\"\n";
    let result = run(&cluster, &scenario("churn", (150, 16), fault), 6).await;
    let (fault, _) = only(&result);
    let audit = &result.record.audit;
    let sum = audit.claimed + audit.expired + audit.outstanding + audit.lost_by_server;
    assert_eq!((audit.grants_issued, audit.double_claims, audit.lost), (sum, 0, 0), "{audit:?}");
    assert!(audit.lost_by_server_ids.len() as u64 >= audit.lost_by_server.min(1), "{audit:?}");
    assert!(fault.first_success_s.is_some(), "{fault:?}");
    let after: u64 = result.record.timeline.iter().filter(|point| point.t_s > 14.0).map(|p| p.claimed).sum();
    assert!(after > 0, "claims go on: {:?}", result.record.timeline);
}

#[tokio::test(flavor = "current_thread")]
async fn a_fault_that_cannot_be_carried_out_makes_the_run_invalid_and_says_why() {
    // The scenario asks for replicas, and this cluster has none.
    let cluster = Rc::new(support::own(3, 0).await);
    let result =
        run(&cluster, &scenario("staged", (200, 4), "at = \"2s\"\nfailover = \"any primary\"\n"), 7).await;
    let found = result.invalid_reasons.iter().any(|reason| {
        matches!(reason, InvalidReason::NotInjected { failure: InjectionFailure::NoSuchServer, .. })
    });
    assert!(found && !result.valid, "{:?}", result.invalid_reasons);
    assert!(result.recoveries.is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn a_process_of_somebody_else_is_not_touched() {
    let own = support::own(1, 0).await;
    let request = reclaim_bench::cluster::ClusterRequest {
        provider: reclaim_analysis::scenario::Provider::External,
        nodes: own.topology().primaries().iter().map(|primary| primary.addr.clone()).collect(),
        ..Default::default()
    };
    let cluster = Rc::new(support::open(&request).await);
    let text = scenario("staged", (50, 4), "at = \"2s\"\nfor = \"1s\"\npause = \"any primary\"\n");
    let scenario =
        reclaim_analysis::scenario::parse("test", &text.replace("replicas = 1", "replicas = 0")).unwrap();
    let refused = attempt(&cluster, &scenario, 1).await.map(drop).unwrap_err().to_string();
    assert!(refused.contains("a process of somebody else's"), "{refused}");
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(alive(&own), 1);
}

/// A primary dies while everything resumes at once: signals are sent again, claims made again, until all hold
/// a lease.
#[tokio::test(flavor = "current_thread")]
async fn in_a_storm_everything_resumes_although_a_primary_dies() {
    let cluster = Rc::new(support::own(3, 1).await);
    // Several kinds, for each is made runnable in its own way.
    let text = scenario_text(
        "[cluster]\nreplicas = 1\n[population]\nexecutions = 4000\nlanes = 2\npartitions = 32\n[interruption]\n\
         signal = 2.0\noperator = 1.0\ntimeout = 1.0\n[load]\nmode = \"storm\"\nconcurrency = 16\ntimeout = \"2s\"\n\
         [[fault]]\nat = \"300ms\"\nkill = \"busiest primary\"\n",
        &["grant-lane"],
    );
    let result = run(&cluster, &text, 20).await;
    let (fault, recovery) = only(&result);
    assert!(fault.heir.is_some() && recovery.before.is_none(), "{fault:?}");
    let (storm, audit) = (result.record.storm.as_ref().unwrap(), &result.record.audit);
    let sum = audit.claimed + audit.expired + audit.outstanding + audit.lost_by_server;
    assert_eq!((audit.grants_issued, audit.double_claims, audit.lost), (sum, 0, 0), "{audit:?}");
    // What was acknowledged and is gone with the primary may never resume, and the audit names it.
    assert!(storm.without_lease() <= audit.rolled_back + audit.lost_by_server, "{storm:?} {audit:?}");
    // The storm was not over when the primary died: some waited for the replica.
    let taken_s = fault.took_over_s.unwrap();
    assert!(result.variants[0].resume_us.unwrap().max >= 1e6 * taken_s, "{:?} {fault:?}", result.variants[0]);
}

/// A primary without replica or disk comes back empty: all that was on it is accounted for as lost by the
/// server, and what a primary needs is there again.
#[tokio::test(flavor = "current_thread")]
async fn a_restarted_primary_comes_back_empty_and_all_that_was_on_it_is_accounted_for() {
    let cluster = Rc::new(support::own(3, 0).await);
    let fault = "at = \"2s\"\nrestart = \"busiest primary\"\n";
    let text = scenario("staged", (150, 9), fault).replace("replicas = 1", "replicas = 0");
    let before: Vec<u32> = cluster.server_pids();
    let result = run(&cluster, &text, 14).await;
    let (fault, _) = only(&result);
    assert!(fault.emptied && fault.heir.is_none(), "{fault:?}");
    let (audit, outcomes) = (&result.record.audit, &result.variants[0].outcomes);
    let sum = audit.claimed + audit.expired + audit.outstanding + audit.lost_by_server;
    assert_eq!((audit.grants_issued, audit.double_claims, audit.lost), (sum, 0, 0), "{audit:?}");
    // Claims before and after: those of a third of the executions are gone, or were refused, for there is no
    // such execution.
    let refused: u64 = outcomes.refused.values().sum();
    assert!(audit.lost_by_server >= refused && refused > 0, "{audit:?} {outcomes:?}");
    assert!(audit.lost_by_server_ids.len() as u64 >= refused.min(1_000), "{audit:?}");
    let said = |warning: &Warning| matches!(warning, Warning::LostByServer { grants, .. } if *grants > 0);
    assert!(result.warnings.iter().any(said), "{:?}", result.warnings);
    // One process is another, and the cluster is whole.
    let after = cluster.server_pids();
    assert_eq!(before.iter().zip(&after).filter(|(before, after)| before != after).count(), 1);
    assert_eq!(alive(&cluster), 3);
    let topology = cluster.topology();
    let primary = topology.primaries().iter().find(|primary| Some(primary.addr.to_string()) == fault.server);
    assert!(cluster.has_library(&primary.unwrap().addr).await);
    // Executions can be created, suspended and claimed there again.
    let again = scenario("staged", (150, 3), "at = \"1s\"\ndisconnect = \"any primary\"\n");
    let again = run(&cluster, &again.replace("replicas = 1", "replicas = 0"), 15).await;
    only(&again);
    assert_accounted(&again);
}

/// One that stays away for longer than the others wait for it is replaced, and comes back as a replica:
/// nothing is gone.
#[tokio::test(flavor = "current_thread")]
async fn a_primary_that_is_started_again_after_its_replica_took_over_loses_little() {
    let cluster = Rc::new(support::own(3, 1).await);
    let fault = "at = \"2s\"\nfor = \"9s\"\nrestart = \"busiest primary\"\n";
    let result = run(&cluster, &scenario("staged", (100, 14), fault), 16).await;
    let (fault, recovery) = only(&result);
    assert_accounted(&result);
    assert!(!fault.emptied && fault.heir.is_some(), "{fault:?}");
    assert!(recovery.took_over_s.unwrap() < 11.0, "{recovery:?}");
    assert_eq!(alive(&cluster), 6);
}

/// Says when the window begins.
#[derive(Default)]
struct AtWindow(tokio::sync::Notify);

impl Progress for AtWindow {
    fn begin(&self, activity: Activity, _: Option<u64>) {
        if activity == Activity::Window {
            self.0.notify_one();
        }
    }
    fn advance(&self, _: u64) {}
    fn second(&self, _: &TimelinePoint) {}
    fn note(&self, _: &str) {}
    fn snapshot(&self, _: RunRecord) {}
}

/// The replica of a primary that is killed has not got the last claims: its link was cut before, while it
/// stood still.
#[tokio::test(flavor = "current_thread")]
async fn claims_that_a_failover_lost_are_named_and_no_violation() {
    let cluster = Rc::new(support::own(3, 1).await);
    let text = scenario("staged", (200, 16), "at = \"3s\"\nkill = \"busiest primary\"\n")
        .replace("partitions = 32", "partitions = 1");
    let partition =
        ff_core::partition::Partition { family: ff_core::partition::PartitionFamily::Flow, index: 0 };
    let doomed = cluster.topology().owner_of(partition);
    let watch = AtWindow::default();
    let primary = cluster.topology().primaries()[usize::from(doomed.0)].addr.clone();
    let replica = cluster.replicas_of(&primary).await.unwrap().remove(0);
    let cut = async {
        let wire = cluster.further_wire(doomed, 1).await.unwrap();
        let send = async |words: &[&str]| {
            let mut cmd = redis::cmd(words[0]);
            cmd.arg(&words[1..]);
            wire.call("test", &cmd, &mut WireCost::default()).await
        };
        watch.0.notified().await;
        tokio::time::sleep(Duration::from_millis(2_300)).await;
        // What is sent from here on it cannot have: it does not notice that its link is gone.
        let stopped = cluster.stop_process(&replica).await.unwrap();
        send(&["CLIENT", "KILL", "TYPE", "replica"]).await.unwrap();
        while send(&["PING"]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        drop(stopped);
    };
    let cancel = CancellationToken::new();
    let (result, ()) = tokio::join!(run_watched(&cluster, &text, 17, &watch, &cancel), cut);
    let (fault, _) = only(&result);
    assert!(fault.heir.is_some(), "{fault:?}");
    let audit = &result.record.audit;
    assert!(audit.lost_by_server > 0, "{audit:?}");
    assert!(audit.lost_by_server_ids.len() as u64 >= audit.lost_by_server, "{audit:?}");
    assert_accounted(&result);
    let said = |warning: &Warning| matches!(warning, Warning::LostByServer { grants, .. } if *grants == audit.lost_by_server);
    assert!(result.warnings.iter().any(said), "{:?}", result.warnings);
}
