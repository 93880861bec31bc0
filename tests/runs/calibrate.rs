//! The generator in front of a function that does nothing: counts agree, and runs find what was measured.

use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use reclaim_analysis::judge::{CALIBRATION_SCHEMA, Calibration, CalibrationProblem, RunResult, assess};
use reclaim_analysis::record::{CalibrationRecord, Conditions};
use reclaim_analysis::scenario::MachineSection;
use reclaim_analysis::stats::Latencies;
use reclaim_bench::calibrate::{CalibrateError, CalibrateSetup, CalibrationPlan, Part, calibrate};
use reclaim_bench::cluster::Cluster;
use reclaim_bench::valkey::NodeIndex;
use tokio_util::sync::CancellationToken;

use crate::common::support;

fn small() -> CalibrationPlan {
    CalibrationPlan {
        in_flight: vec![1, 64],
        connections: vec![1, 3],
        rounds: 2,
        turn: Duration::from_millis(10),
        rates: vec![500.0],
        lag_time: Duration::from_millis(100),
        round_trips: 50,
        ..CalibrationPlan::full()
    }
}

async fn measure(
    cluster: &Rc<Cluster>,
    plan: &CalibrationPlan,
    cancel: &CancellationToken,
) -> Result<CalibrationRecord, CalibrateError> {
    calibrate(CalibrateSetup {
        cluster,
        plan,
        machine: MachineSection::default(),
        seed: 7,
        notify: &|_| (),
        cancel,
    })
    .await
}

#[tokio::test(flavor = "current_thread")]
async fn every_request_is_recorded_and_counted_by_the_server() {
    let cluster = Rc::new(support::own(1, 0).await);
    let before = cluster.counters().await.unwrap();
    let record = measure(&cluster, &small(), &CancellationToken::new()).await.unwrap();
    let delta = cluster.counters().await.unwrap()[0].since(&before[0]).unwrap();
    assert_eq!(delta.calls.get("fcall"), Some(&record.sent));
    assert_eq!((record.counted, record.failed), (record.sent, 0));
    // The function writes nothing and calls nothing; each connection asked for its number.
    let known = |name: &&String| matches!(name.as_str(), "fcall" | "info" | "client|id");
    let others: Vec<_> = delta.calls.keys().filter(|name| !known(name)).collect();
    assert!(others.is_empty(), "{others:?}");

    let levels: Vec<_> = record.levels.iter().map(|level| (level.connections, level.in_flight)).collect();
    assert_eq!(levels, [(1, 1), (1, 64), (3, 1), (3, 64)]);
    for level in &record.levels {
        let requests: u64 = level.rounds.iter().map(|round| round.requests).sum();
        assert_eq!(level.rounds.len(), 2);
        assert_eq!(Latencies::decode(&level.service).unwrap().unwrap().count(), requests);
        let sound = |seconds: f64| seconds > 0.0 && seconds.is_finite();
        assert!(level.rounds.iter().all(|round| sound(round.seconds) && sound(round.client_cpu_s)));
        // One thread cannot use more CPU than there is time; the clocks tick differently.
        assert!(level.rounds.iter().all(|round| round.client_cpu_s < 1.1 * round.seconds + 0.001));
    }
    assert_eq!(record.send_lag.len(), 2);
    for cell in &record.send_lag {
        assert_eq!(Latencies::decode(&cell.send_lag).unwrap().unwrap().count(), cell.requests);
        assert_eq!(cell.requests, 50);
    }
    let sides = record.round_trip.as_ref().unwrap();
    assert_eq!((sides.client.0.len(), sides.bare.0.len()), (50, 50));
    assert!(!record.complete);
    let calibration = assess(record);
    assert!(calibration.valid, "{:?}", calibration.problems);
    assert_eq!(calibration.level_summaries.len(), 4);
    assert!(calibration.round_trip_summary.is_some() && calibration.ceiling_per_sec.unwrap() > 0.0);
}

#[tokio::test(flavor = "current_thread")]
async fn somebody_else_s_calls_make_a_calibration_invalid() {
    let cluster = Rc::new(support::own(1, 0).await);
    let mut stranger = cluster.bare_socket(NodeIndex(0)).unwrap().unwrap();
    let notify = |_: &str| {
        use std::io::Write as _;
        stranger
            .try_clone()
            .unwrap()
            .write_all(b"*3\r\n$5\r\nFCALL\r\n$10\r\nff_version\r\n$1\r\n0\r\n")
            .unwrap();
    };
    let (plan, cancel) = (CalibrationPlan { parts: vec![Part::Levels], ..small() }, CancellationToken::new());
    let setup = CalibrateSetup {
        cluster: &cluster,
        plan: &plan,
        machine: MachineSection::default(),
        seed: 7,
        notify: &notify,
        cancel: &cancel,
    };
    let record = calibrate(setup).await.unwrap();
    let mut reply = [0; 5];
    std::io::Read::read_exact(&mut stranger, &mut reply).unwrap();
    let calibration = assess(record);
    let of_others = matches!(calibration.problems[0], CalibrationProblem::CallsDisagree { .. });
    assert!(!calibration.valid && of_others, "{:?}", calibration.problems);
}

#[tokio::test(flavor = "current_thread")]
async fn a_cancelled_calibration_ends_without_a_record() {
    let cluster = Rc::new(support::own(1, 0).await);
    let cancel = CancellationToken::new();
    cancel.cancel();
    let ended = measure(&cluster, &small(), &cancel).await;
    assert!(matches!(ended, Err(CalibrateError::Cancelled)), "{ended:?}");
}

fn tool(cluster: &Cluster, home: &Path) -> Command {
    let node = cluster.topology().primaries()[0].addr.to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_reclaim-bench"));
    command.env("RECLAIM_BENCH_NODES", node).env("XDG_CACHE_HOME", home).current_dir(home);
    command
}

fn json<T: serde::de::DeserializeOwned>(command: &mut Command) -> T {
    support::allow_every_core();
    let output = command.args(["--format", "json", "--quiet"]).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

#[tokio::test(flavor = "current_thread")]
async fn the_tool_keeps_a_calibration_and_runs_carry_it() {
    let cluster = support::own(1, 0).await;
    let home = tempfile::tempdir().unwrap();
    let kept = home.path().join("reclaim-bench/calibration.json");

    // Whatever else wants the cores: the scheduler may put everything anywhere, now as later.
    let free = ["--placement", "free", "--cores", "free"];
    let narrowed: Calibration =
        json(tool(&cluster, home.path()).args(["calibrate", "--quick", "--only", "round-trip"]).args(free));
    assert!(narrowed.valid && !narrowed.record.complete && narrowed.record.levels.is_empty());
    assert!(!kept.exists(), "a narrowed calibration was kept");

    let whole: Calibration = json(tool(&cluster, home.path()).args(["calibrate", "--quick"]).args(free));
    assert_eq!(whole.schema, CALIBRATION_SCHEMA);
    assert!(whole.valid && whole.record.complete, "{:?}", whole.problems);
    let stored: Calibration = serde_json::from_str(&std::fs::read_to_string(&kept).unwrap()).unwrap();
    assert_eq!(stored, whole);
    let results = std::fs::read_dir(home.path().join("results")).unwrap();
    assert!(results.flatten().all(|dir| dir.path().join("calibration.json").is_file()));

    // What the first one met must not keep the second from being made.
    let run = ["run", "smoke", "--claims", "800", "--anyway", "--no-progress"];
    let freely = ["--set", "machine.placement=free", "--set", "machine.cores=free"];
    let result: RunResult = json(tool(&cluster, home.path()).args(run).args(freely));
    let note = result.record.calibration.unwrap();
    assert_eq!(note.measured, whole.record.started);
    assert!(whole.level_summaries.iter().any(|level| level.in_flight == note.in_flight));

    // A run whose generator is kept apart, where it can be, is under other conditions and carries none.
    let apart: RunResult = json(tool(&cluster, home.path()).args(run));
    let here = apart.record.environment.conditions.as_ref();
    let alike = Conditions::same_for_generator(whole.record.conditions.as_ref(), here);
    assert_eq!(apart.record.calibration.is_some(), alike);

    std::fs::write(&kept, "{").unwrap();
    let result: RunResult = json(tool(&cluster, home.path()).args(run).args(freely));
    assert_eq!(result.record.calibration, None);
}
