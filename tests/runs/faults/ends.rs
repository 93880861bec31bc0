//! How faults end: when somebody stops the run, when the load is over before them, and how a series ends with
//! an error.

use std::rc::Rc;
use std::time::Duration;

use reclaim_analysis::judge::RunResult;
use reclaim_analysis::record::{InjectedFault, InvalidReason, Warning};
use reclaim_bench::cluster::{self, Cluster, ClusterRequest};
use reclaim_bench::load::{Activity, Progress};
use reclaim_bench::store::read_series;
use tokio_util::sync::CancellationToken;

use super::{AtWindow, alive, invalid_reasons, scenario};
use crate::common::one_run::{run, run_watched};
use crate::common::support;

/// Servers that give each other up soon.
async fn impatient(primaries: u16) -> Rc<Cluster> {
    let request =
        ClusterRequest { node_timeout: Duration::from_secs(3), ..support::own_request(primaries, 0) };
    Rc::new(support::open(&request).await)
}

/// Runs a scenario that is stopped so long after its window began.
async fn stopped_after(cluster: &Rc<Cluster>, text: &str, after: Duration) -> RunResult {
    let (watch, cancel) = (AtWindow::default(), CancellationToken::new());
    let stop = async {
        watch.0.notified().await;
        tokio::time::sleep(after).await;
        cancel.cancel();
    };
    tokio::join!(run_watched(cluster, text, 31, &watch, &cancel), stop).0
}

/// The fault ended long before its time, and what it had been done to serves again.
fn assert_undone(result: &RunResult, cluster: &Cluster, lasting: Duration) -> InjectedFault {
    let record = &result.record;
    assert!(record.partial, "it was stopped");
    let fault = &record.injected.as_ref().unwrap().faults[0];
    assert!(fault.failure.is_none(), "{fault:?}");
    let lasted_s = fault.ended_s.unwrap() - fault.struck_s.unwrap();
    assert!(lasted_s < lasting.as_secs_f64() / 2.0, "{fault:?}");
    let infrastructure = |reason: &&InvalidReason| matches!(reason, InvalidReason::Infrastructure { .. });
    assert_eq!(invalid_reasons(result).into_iter().find(infrastructure), None);
    let audit = &record.audit;
    assert!(audit.executions_checked > 0 && audit.violations() == 0, "{audit:?}");
    assert_eq!(alive(cluster), cluster.server_pids().len());
    for pid in cluster.server_pids() {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let state = stat.rsplit_once(')').unwrap().1.trim_start().chars().next();
        assert_ne!(state, Some('T'), "{pid} is stopped");
    }
    fault.clone()
}

/// By the time of the end the others have given the server up, and nobody serves anything: the audit waits
/// that out.
#[tokio::test(flavor = "current_thread")]
async fn a_pause_ends_with_the_run_and_the_audit_waits_until_the_cluster_is_well() {
    let cluster = impatient(3).await;
    let fault = "at = \"1s\"\nfor = \"50s\"\npause = \"busiest primary\"\n";
    let text = scenario("staged", (50, 60), fault).replace("replicas = 1", "replicas = 0");
    let result = stopped_after(&cluster, &text, Duration::from_secs(9)).await;
    let fault = assert_undone(&result, &cluster, Duration::from_secs(50));
    assert!(fault.marked_failed_s.is_some() && fault.retries.contains_key("CLUSTERDOWN"), "{fault:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_server_that_is_to_stay_away_comes_back_with_the_end_of_the_run() {
    let cluster = Rc::new(support::own(3, 1).await);
    let fault = "at = \"1s\"\nfor = \"40s\"\nrestart = \"busiest primary\"\n";
    let result =
        stopped_after(&cluster, &scenario("staged", (50, 50), fault), Duration::from_millis(2_500)).await;
    assert_undone(&result, &cluster, Duration::from_secs(40));
    assert_eq!(alive(&cluster), 6);
}

/// A server lets a script be ended after five seconds, and this one not before.
#[tokio::test(flavor = "current_thread")]
async fn a_busy_script_is_ended_with_the_run() {
    let cluster = Rc::new(support::own(2, 0).await);
    let fault = "at = \"1s\"\nfor = \"50s\"\nbusy = \"busiest primary\"\n";
    let text = scenario("staged", (50, 60), fault).replace("replicas = 1", "replicas = 0");
    let result = stopped_after(&cluster, &text, Duration::from_secs(2)).await;
    assert_undone(&result, &cluster, Duration::from_secs(50));
}

/// Nothing is done to anybody any more once the run has been stopped.
#[tokio::test(flavor = "current_thread")]
async fn a_fault_that_is_due_after_the_end_of_a_run_does_not_strike() {
    let cluster = Rc::new(support::own(3, 1).await);
    let fault = "at = \"2s\"\nkill = \"busiest primary\"\n";
    let result =
        stopped_after(&cluster, &scenario("staged", (100, 20), fault), Duration::from_millis(1_900)).await;
    let fault = &result.record.injected.as_ref().unwrap().faults[0];
    assert!(fault.struck_s.is_none() && fault.failure.is_some(), "{fault:?}");
    assert_eq!(alive(&cluster), 6);
}

/// The replica takes over when nobody claims any more: that is said, and no time of recovery.
#[tokio::test(flavor = "current_thread")]
async fn a_fault_that_outlasts_the_load_is_said() {
    let cluster = Rc::new(support::own(3, 1).await);
    let fault = "at = \"3s\"\nkill = \"busiest primary\"\n";
    let result = run(&cluster, &scenario("staged", (250, 4), fault), 32).await;
    assert_eq!(invalid_reasons(&result), Vec::<&InvalidReason>::new(), "{:?}", result.record.audit);
    let said = |warning: &Warning| matches!(warning, Warning::FaultOutlastedLoad { by_s, .. } if *by_s > 0.0);
    assert!(result.warnings.iter().any(said), "{:?}", result.warnings);
    let recovery = &result.recoveries[0];
    assert_eq!(recovery.recovered_s, None, "{recovery:?}");
    assert!(recovery.before.is_some() && recovery.late > Some(0), "{recovery:?}");
}

/// Tells what is said in the order in which it is.
#[derive(Default)]
struct Lines(std::cell::RefCell<Vec<String>>);

impl Progress for Lines {
    fn begin(&self, _: Activity, _: Option<u64>) {}
    fn advance(&self, _: u64) {}
    fn second(&self, _: &reclaim_analysis::record::TimelinePoint) {}
    fn note(&self, text: &str) {
        self.0.borrow_mut().push(text.to_owned());
    }
    fn snapshot(&self, _: reclaim_analysis::record::RunRecord) {}
}

/// A server is watched for some seconds after a pause; that it goes on is said before the next fault begins.
#[tokio::test(flavor = "current_thread")]
async fn what_happens_to_servers_is_said_in_its_order() {
    let cluster = Rc::new(support::own(2, 0).await);
    let fault = "at = \"1s\"\nfor = \"300ms\"\npause = \"busiest primary\"\n[[fault]]\nat = \"2s\"\nfor = \"300ms\"\n\
                 busy = \"busiest primary\"\n";
    let text = scenario("staged", (100, 4), fault).replace("replicas = 1", "replicas = 0");
    let lines = Lines::default();
    run_watched(&cluster, &text, 33, &lines, &CancellationToken::new()).await;
    let lines = lines.0.into_inner();
    let told: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("fault: ")).collect();
    let ends = ["begins", "is over", "begins", "is over"];
    assert!(told.len() == 4 && told.iter().zip(ends).all(|(line, end)| line.ends_with(end)), "{told:?}");
    assert!(told[..2].iter().all(|line| line.starts_with("pause of ")), "{told:?}");
}

/// The second run finds no server: what the first one measured is kept, and why there are no more.
#[tokio::test(flavor = "current_thread")]
async fn an_error_ends_a_series_and_is_in_all_that_is_left_of_it() {
    let scratch = tempfile::tempdir().unwrap();
    let (output, once) = (scratch.path().join("results"), scratch.path().join("once"));
    let server = scratch.path().join("server");
    let real = cluster::server_binary(support::valkey_server().as_deref(), &|_| ()).await.unwrap();
    let script = format!(
        "#!/bin/sh\nmkdir '{}' 2>/dev/null || exit 1\nexec '{}' \"$@\"\n",
        once.display(),
        real.display()
    );
    std::fs::write(&server, script).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&server, executable).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_reclaim-bench"));
    command.env_remove("RECLAIM_BENCH_NODES").args([
        "run",
        "smoke",
        "--provider",
        "local",
        "--primaries",
        "1",
    ]);
    command.args(["--repeat", "3", "--anyway", "--no-progress", "--claims", "2000", "-o"]).arg(&output);
    let ended = command.arg("--valkey-server").arg(&server).output().unwrap();
    let (said, why) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert_eq!(ended.status.code(), Some(2), "{said}{why}");
    let dir = std::fs::read_dir(&output).unwrap().next().unwrap().unwrap().path();
    assert!(why.contains("error: ") && why.contains(&format!("result: {}", dir.display())), "{why}");
    let series = read_series(&dir).unwrap();
    let error = series.repeated.ended_by.as_deref().unwrap();
    assert!(error.contains("did not start") && series.repeated.attempts.len() == 1, "{error}");
    let summary = std::fs::read_to_string(dir.join("summary.md")).unwrap();
    let json = std::fs::read_to_string(dir.join("repeat.json")).unwrap();
    assert!(summary.contains("did not start") && json.contains("did not start"), "{summary}{json}");
    assert!(said.contains("ENDED BY AN ERROR") && !said.contains("130"), "{said}");
}
