//! Several generators of one run, as processes: they meet on the cluster, make one result, and leave nothing.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use reclaim_analysis::judge::RunResult;
use reclaim_analysis::record::InvalidReason;
use reclaim_bench::cluster::Cluster;
use redis::Value;

use crate::common::support;

/// Longest wait for something that takes seconds on an idle machine.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// Blocks of two arms, and a counter block of each: whatever is read between two windows.
const COMPARED: &str = "\
schema = 1\nname = \"shared\"\nsummary = \"shared by generators\"\n[cluster]\nprimaries = 2\n[population]\n\
executions = 401\nlanes = 2\n[load]\nconcurrency = 6\nclaims = 1200\nwarmup = 40\n[compare]\nbaseline = \"grant-lane\"\n\
strata = 3\n[[variant]]\nname = \"grant-lane\"\npath = \"grant-lane\"\n[[variant]]\nname = \"first-claim\"\n\
path = \"first-claim\"\n";

/// A window of a minute, far below what any machine can do.
const LONG: &str = "\
schema = 1\nname = \"shared\"\nsummary = \"shared by generators\"\n[cluster]\nprimaries = 2\n[population]\n\
executions = 6500\nlanes = 2\n[load]\nmodel = \"open\"\nrate = 80.0\nduration = \"70s\"\nwarmup = 10\n[[variant]]\n\
name = \"grant-lane\"\npath = \"grant-lane\"\n";

/// Two small runs. The scenario without its sweep could not be shared.
const SWEPT: &str = "\
schema = 1\nname = \"shared\"\nsummary = \"shared by generators\"\n[cluster]\nprimaries = 1\n[sweep]\n\
key = \"load.concurrency\"\nvalues = [\"2\", \"4\"]\n[population]\nexecutions = 400\nlanes = 1\n[load]\nconcurrency = 1\n\
claims = 400\nwarmup = 10\n[[variant]]\nname = \"grant-lane\"\npath = \"grant-lane\"\n";

/// A directory with a scenario and results.
pub struct Desk(tempfile::TempDir);

impl Desk {
    pub fn new(scenario: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("shared.toml"), scenario).unwrap();
        Self(dir)
    }

    pub fn run(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reclaim-bench"));
        for name in ["RECLAIM_BENCH_NODES", "RECLAIM_BENCH_RENDEZVOUS", "RECLAIM_BENCH_PART"] {
            command.env_remove(name);
        }
        command.arg("run").arg(self.0.path().join("shared.toml")).arg("-o").arg(self.results());
        command.args(["--no-progress", "--anyway", "--seed", "7"]).args(more);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Where a run may write its events.
    pub fn events(&self) -> std::path::PathBuf {
        self.0.path().join("events")
    }

    fn results(&self) -> std::path::PathBuf {
        self.0.path().join("results")
    }

    /// The one result.
    pub fn result(&self) -> RunResult {
        let mut dirs: Vec<_> =
            std::fs::read_dir(self.results()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(dirs.len(), 1, "{dirs:?}");
        let text = std::fs::read_to_string(dirs.remove(0).join("result.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

pub fn end(child: Child) -> (Option<i32>, String) {
    let output: Output = child.wait_with_output().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), text)
}

/// What is wrong with a result beside what a machine does that has no core for each generator.
pub fn wrong(result: &RunResult) -> Vec<String> {
    let reasons = result.invalid_reasons.iter().filter(|reason| !is_of_a_busy_machine(reason));
    reasons.map(|reason| format!("{reason:?}")).collect()
}

/// Whether a generator did not begin with the others, stood still while they went on, or was done before them.
fn is_of_a_busy_machine(reason: &InvalidReason) -> bool {
    match reason {
        InvalidReason::BeganLate { .. }
        | InvalidReason::LateBeginnings { .. }
        | InvalidReason::DoneEarly { .. } => true,
        InvalidReason::OfGenerator { what, .. } => matches!(**what, InvalidReason::Stalled { .. }),
        _ => false,
    }
}

/// One run of so many generators, with all that it was to do and nothing else.
fn assert_one_run(result: &RunResult, generators: usize) {
    let record = &result.record;
    assert_eq!(wrong(result), Vec::<String>::new());
    assert!(record.part.is_none() && !record.partial);
    assert_eq!(record.generators.len(), generators);
    let audit = &record.audit;
    let violations =
        [audit.lost, audit.double_claims, audit.attempt_changed, audit.epoch_errors, audit.state_errors];
    assert_eq!(violations, [0; 5], "{:?}", audit.examples);
    // Three groups of one block for each arm and one more for the control: 200 claims each, a quarter before
    // them.
    let fresh: u64 = record.blocks.iter().filter(|block| block.arm == 1).map(|block| block.claims).sum();
    // What is claimed for the first time is created for it; so is a half of the warm-up.
    assert_eq!(audit.executions_checked, 401 + fresh + 20);
    let claims: Vec<u64> = record.blocks.iter().map(|block| block.claims).collect();
    assert_eq!(claims, vec![250; 9]);
    for block in &record.blocks {
        let calls = block.counters.calls.get("fcall").copied();
        assert_eq!(calls, block.counters.sent.get("fcall").copied(), "{block:?}");
    }
    assert_eq!(record.arms.iter().map(|arm| arm.outcomes.errors()).sum::<u64>(), 0);
}

/// A cluster of somebody's: two primaries without a library.
pub async fn somebodys() -> (Cluster, String) {
    let own = support::own(2, 0).await;
    support::everywhere(&own, &["FUNCTION", "FLUSH"]).await;
    let nodes: Vec<String> =
        own.topology().primaries().iter().map(|primary| primary.addr.to_string()).collect();
    (own, nodes.join(","))
}

/// Keys of a cluster, and primaries that have a library.
pub async fn left(own: &Cluster) -> (i64, usize) {
    let sizes = support::everywhere(own, &["DBSIZE"]).await;
    let keys =
        sizes.into_iter().map(|size| if let Value::Int(size) = size { size } else { panic!("{size:?}") });
    let lists = support::everywhere(own, &["FUNCTION", "LIST"]).await;
    (keys.sum(), lists.iter().filter(|list| **list != Value::Array(vec![])).count())
}

/// Waits until there are so many keys.
async fn wait_for_keys(own: &Cluster, keys: i64, otherwise: &str) {
    let begun = Instant::now();
    while left(own).await.0 < keys {
        assert!(begun.elapsed() < PATIENCE, "{otherwise}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the events that a run writes have this.
pub fn wait_for_event(events: &Path, what: &str) {
    support::wait_until(PATIENCE, what, || {
        std::fs::read_to_string(events).is_ok_and(|text| text.contains(what))
    });
}

#[test]
fn generators_that_the_tool_starts_make_one_run() {
    let desk = Desk::new(COMPARED);
    let mut command = desk.run(&["--provider", "local", "--generators", "2"]);
    // It is for somebody's cluster: nobody logs in to servers that the run starts.
    command.env("RECLAIM_BENCH_PASSWORD", "of another cluster");
    if let Some(server) = support::valkey_server() {
        command.arg("--valkey-server").arg(server);
    }
    let (code, text) = end(command.spawn().unwrap());
    let result = desk.result();
    assert_eq!(code, Some(if result.valid { 0 } else { 2 }), "{text}");
    assert_one_run(&result, 2);
    // Each waits a tenth of a second before each block: what the machine did then is no part of it.
    let (used, cores) = (result.record.generator.unwrap(), result.record.environment.host.cores);
    assert!(used.machine_cpu_s.unwrap() / f64::from(cores) < 1.1 * used.clocks_s().unwrap(), "{used:?}");
    assert!(used.clocks_s().unwrap() > used.window_s, "{used:?}");
}

#[test]
fn generators_are_started_for_each_run_of_a_sweep_and_of_a_series() {
    let one = SWEPT.replace("[sweep]\nkey = \"load.concurrency\"\nvalues = [\"2\", \"4\"]\n", "");
    let one = one.replace("concurrency = 1", "concurrency = 2");
    for (scenario, more) in [(SWEPT, &[][..]), (&one, &["--repeat", "2"])] {
        let desk = Desk::new(scenario);
        let mut command = desk.run(&[&["--provider", "local", "--generators", "2"][..], more].concat());
        if let Some(server) = support::valkey_server() {
            command.arg("--valkey-server").arg(server);
        }
        let (_, text) = end(command.spawn().unwrap());
        let entries = |dir: &Path| -> Vec<std::path::PathBuf> {
            std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
        };
        let all = entries(&desk.results());
        assert_eq!(all.len(), 1, "{text}");
        let runs: Vec<_> = entries(&all[0]).into_iter().filter(|path| path.is_dir()).collect();
        assert_eq!(runs.len(), 2, "{text}");
        for run in runs {
            let result = std::fs::read_to_string(run.join("result.json")).unwrap();
            let result: RunResult = serde_json::from_str(&result).unwrap();
            assert_eq!(wrong(&result), Vec::<String>::new(), "{text}");
            assert_eq!(result.record.generators.len(), 2, "{text}");
            assert_eq!(result.record.arms[0].outcomes.claimed, 400, "{text}");
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn three_processes_meet_on_a_cluster_and_leave_nothing() {
    let (own, nodes) = somebodys().await;
    let desks = [COMPARED; 3].map(Desk::new);
    let named = ["--nodes", &nodes, "--rendezvous", "three"];
    let first = desks[0].run(&[&named[..], &["--part", "1/3"]].concat()).spawn().unwrap();
    let by_slurm = desks[1].run(&named).envs([("SLURM_PROCID", "1"), ("SLURM_NTASKS", "3")]).spawn().unwrap();
    let by_index = desks[2]
        .run(&named)
        .envs([("JOB_COMPLETION_INDEX", "2"), ("RECLAIM_BENCH_PARTS", "3")])
        .spawn()
        .unwrap();
    let (code, text) = end(first);
    for (child, number) in [(by_slurm, 2), (by_index, 3)] {
        let (code, said) = end(child);
        assert_eq!(code, Some(0), "{said}\n{text}");
        assert!(said.contains(&format!("generator {number} of 3 of rendezvous three")), "{said}");
    }
    let result = desks[0].result();
    assert_eq!(code, Some(if result.valid { 0 } else { 2 }), "{text}");
    assert_one_run(&result, 3);
    assert!(!desks[1].results().exists() || std::fs::read_dir(desks[1].results()).unwrap().count() == 0);
    assert_eq!(left(&own).await, (0, 0));
}

#[tokio::test(flavor = "current_thread")]
async fn processes_that_take_the_next_free_number_are_one_run() {
    let (own, nodes) = somebodys().await;
    let desks = [COMPARED; 2].map(Desk::new);
    let any = ["--nodes", &nodes, "--rendezvous", "any", "--part", "auto/2"];
    let children = desks.each_ref().map(|desk| desk.run(&any).spawn().unwrap());
    let said = children.map(end);
    let stored =
        |desk: &&Desk| std::fs::read_dir(desk.results()).is_ok_and(|mut entries| entries.next().is_some());
    let leaders: Vec<&Desk> = desks.iter().filter(stored).collect();
    assert_eq!(leaders.len(), 1, "{said:?}");
    assert_one_run(&leaders[0].result(), 2);
    assert_eq!(left(&own).await, (0, 0));
}

/// A part that dies in a long window is named, and what both wrote is removed.
pub async fn one_is_killed_in(scenario: &str) {
    let (own, nodes) = somebodys().await;
    let (desk, other) = (Desk::new(scenario), Desk::new(scenario));
    let named = ["--nodes", &nodes, "--rendezvous", "killed"];
    let events = desk.events();
    let first = [&named[..], &["--part", "1/2", "--events", events.to_str().unwrap()]].concat();
    let first = desk.run(&first).spawn().unwrap();
    let mut second = other.run(&[&named[..], &["--part", "2/2"]].concat()).spawn().unwrap();
    wait_for_event(&events, "\"second\"");
    second.kill().unwrap();
    let killed = Instant::now();
    let (code, said) = end(first);
    assert!(killed.elapsed() < Duration::from_mins(2), "{:?}", killed.elapsed());
    second.wait().unwrap();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("generator 2 (process ") && said.contains("last heard of"), "{said}");
    let result = desk.result();
    assert!(!result.valid && result.record.arms[0].outcomes.claimed > 0);
    assert_eq!(left(&own).await, (0, 0), "{said}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_part_that_is_killed_in_the_window_is_named_and_leaves_nothing() {
    one_is_killed_in(LONG).await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_part_that_is_killed_before_the_window_is_named_and_leaves_nothing() {
    let (own, nodes) = somebodys().await;
    let many = LONG.replace("executions = 6500", "executions = 60000");
    let (desk, other) = (Desk::new(&many), Desk::new(&many));
    let named = ["--nodes", &nodes, "--rendezvous", "killed"];
    let first = desk.run(&[&named[..], &["--part", "1/2"]].concat()).spawn().unwrap();
    let mut second = other.run(&[&named[..], &["--part", "2/2"]].concat()).spawn().unwrap();
    // Executions are being created.
    wait_for_keys(&own, 2_000, "nothing is created").await;
    second.kill().unwrap();
    second.wait().unwrap();
    let (code, said) = end(first);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("generator 2 (process ") && said.contains("last heard of"), "{said}");
    assert_eq!(left(&own).await, (0, 0), "{said}");
}

/// The process that started it knows how it ended: nobody waits until its silence is long enough, and the run
/// says that.
#[test]
fn a_started_generator_that_is_killed_is_named_by_how_it_ended() {
    let desk = Desk::new(LONG);
    let events = desk.events();
    let mut command = desk.run(&["--generators", "2", "--events", events.to_str().unwrap()]);
    if let Some(server) = support::valkey_server() {
        command.arg("--valkey-server").arg(server);
    }
    let first = command.spawn().unwrap();
    wait_for_event(&events, "\"second\"");
    let is_generator = |pid: &u32| {
        std::fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.split(|b| *b == 0).any(|w| w == b"generator"))
    };
    let children = support::children_of(first.id(), "reclaim-bench");
    let other = children.into_iter().find(is_generator).expect("no other generator");
    support::kill(other);
    let (code, said) = end(first);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("generator 2: it ended with signal: 9") && !said.contains("last heard of"),
        "{said}"
    );
    let result = desk.result();
    assert!(!result.valid && result.record.window.is_some());
    let reasons: Vec<String> = result.invalid_reasons.iter().map(|reason| format!("{reason:?}")).collect();
    assert!(reasons[0].contains("signal: 9"), "{reasons:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn whoever_is_missing_has_another_plan_or_takes_a_name_twice_is_refused() {
    let (own, nodes) = somebodys().await;
    let desk = Desk::new(COMPARED);
    let of = |name: &'static str, more: &[&str]| {
        desk.run(&[&["--nodes", &nodes, "--rendezvous", name][..], more].concat()).spawn().unwrap()
    };
    let alone = of("alone", &["--part", "1/3", "--rendezvous-wait", "1s"]);
    let (code, said) = end(alone);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("generators 2 and 3 of 3 have not come within 1 s"), "{said}");
    let led = of("unled", &["--part", "2/2", "--rendezvous-wait", "1s"]);
    let (code, said) = end(led);
    assert!(code == Some(2) && said.contains("generator 1, which leads, has not come"), "{said}");

    let first = of("plans", &["--part", "1/2"]);
    // The later of two options counts.
    let (code, said) = end(of("plans", &["--part", "2/2", "--claims", "1300"]));
    let (first_code, first_said) = end(first);
    for (code, said) in [(code, said), (first_code, first_said)] {
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("generator 2 (process ") && said.contains("has another plan"), "{said}");
    }

    let first = of("taken", &["--part", "1/2", "--shared"]);
    wait_for_keys(&own, 4, "nobody leads").await;
    let (code, said) = end(of("taken", &["--part", "1/2", "--shared"]));
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("rendezvous taken is taken by process "), "{said}");
    let (code, said) = end(of("taken", &["--part", "2/2"]));
    assert_eq!(code, Some(0), "{said}");
    let (_, said) = end(first);
    assert!(!said.contains("error"), "{said}");
    assert_eq!(left(&own).await, (0, 0));
}
