//! A cluster that stays: up, status, down. There is one such cluster per user and the place of its state is
//! an environment variable, which a test process cannot change safely; so all of it is done by the built
//! tool.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use reclaim_analysis::record::WireCost;
use reclaim_analysis::scenario::Provider;
use reclaim_bench::cluster::ClusterRequest;
use reclaim_bench::valkey::NodeAddr;
use redis::Value;

use crate::common::support;

/// Longest wait for something that takes a second on an idle machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// The tool with a state directory of the test's own. Takes down what it has brought up, whatever fails.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reclaim-bench"));
        command.arg("cluster").args(arguments).env("XDG_STATE_HOME", self.0.path());
        command.env_remove("RECLAIM_BENCH_NODES").stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn up(&self) -> Child {
        let mut command = self.command(&["up", "--primaries", "3"]);
        if let Some(server) = support::valkey_server() {
            command.arg("--valkey-server").arg(server);
        }
        command.spawn().unwrap()
    }

    fn say(&self, arguments: &[&str]) -> (Option<i32>, String) {
        said(&self.command(arguments).output().unwrap())
    }

    fn state(&self) -> std::path::PathBuf {
        self.0.path().join("reclaim-bench/cluster.json")
    }

    /// Ports of the servers that have been started here and not taken down.
    fn ports(&self) -> Vec<u16> {
        let entries = std::fs::read_dir(self.0.path().join("reclaim-bench/cluster"));
        let ports = entries.into_iter().flatten().flatten();
        ports.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.command(&["down"]).output();
    }
}

fn said(output: &Output) -> (Option<i32>, String) {
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), format!("{out}{error}"))
}

fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn wait_until(what: &str, mut happens: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !happens() {
        assert!(begun.elapsed() < PATIENCE, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_cluster_that_stays_survives_its_starter_until_it_is_taken_down() {
    let place = Place::new();
    assert_eq!(place.say(&["status"]), (Some(0), "no cluster is up\n".to_owned()));
    let up = place.up().wait_with_output().unwrap();
    assert!(up.status.success(), "{:?}", said(&up));
    let out = String::from_utf8(up.stdout).unwrap();
    let nodes: Vec<NodeAddr> = out
        .trim()
        .split(',')
        .map(|node| NodeAddr {
            host: "127.0.0.1".into(),
            port: node.rsplit_once(':').unwrap().1.parse().unwrap(),
        })
        .collect();
    assert_eq!(nodes.len(), 3);

    let (code, again) = said(&place.up().wait_with_output().unwrap());
    assert!(code == Some(2) && again.contains("cluster down"), "{again}");
    assert!(place.say(&["status"]).1.starts_with("up: "));
    let request =
        ClusterRequest { provider: Provider::External, nodes: nodes.clone(), ..ClusterRequest::default() };
    let cluster = support::open(&request).await;
    // It is nobody's to undo: what a run finds and removes at its end is not there.
    for node in cluster.topology().nodes() {
        let size = cluster.admin(node).call("dbsize", &redis::cmd("DBSIZE"), &mut WireCost::default()).await;
        assert_eq!(size, Ok(Value::Int(0)));
    }

    let (code, stopped) = place.say(&["down"]);
    assert!(code == Some(0) && nodes.iter().all(|node| stopped.contains(&node.to_string())), "{stopped}");
    assert!(!nodes.iter().any(|node| answers(node.port)));
    assert_eq!(place.say(&["down"]).1, "no cluster is up\n");
}

#[test]
fn a_start_that_is_killed_leaves_nothing_that_down_or_the_next_start_does_not_find() {
    for (pause, next) in [(0, "down"), (20, "down"), (300, "down"), (40, "up")] {
        let place = Place::new();
        let mut up = place.up();
        wait_until("a start of servers", || place.ports().len() == 3);
        std::thread::sleep(Duration::from_millis(pause));
        up.kill().unwrap();
        up.wait().unwrap();
        assert!(!place.state().exists(), "it was done before it was killed");
        let ports = place.ports();
        if next == "down" {
            let (code, text) = place.say(&["down"]);
            assert_eq!(code, Some(0), "{text}");
        } else {
            wait_until("an answer of all servers", || ports.iter().all(|&port| answers(port)));
            let (code, text) = place.say(&["status"]);
            assert!(code == Some(0) && text.contains("cut off"), "{text}");
            let (code, text) = said(&place.up().wait_with_output().unwrap());
            assert!(code == Some(0) && text.contains("cut off"), "{text}");
        }
        std::thread::sleep(Duration::from_millis(200));
        assert!(!ports.iter().any(|&port| answers(port)), "after {pause} ms and {next}");
    }
}

#[test]
fn of_two_starts_at_once_one_is_told_to_wait() {
    let place = Place::new();
    let ended = [place.up(), place.up()].map(|up| said(&up.wait_with_output().unwrap()));
    let mut codes: Vec<_> = ended.iter().map(|(code, _)| *code).collect();
    codes.sort();
    assert_eq!(codes, [Some(0), Some(2)], "{ended:?}");
    assert!(ended.iter().any(|(_, text)| text.contains("under way")), "{ended:?}");
    let ports = place.ports();
    assert_eq!(ports.len(), 3);
    assert_eq!(place.say(&["down"]).0, Some(0));
    assert!(!ports.iter().any(|&port| answers(port)));
}

#[test]
fn a_damaged_state_file_says_what_to_do_and_that_works() {
    let place = Place::new();
    assert!(place.up().wait_with_output().unwrap().status.success());
    let ports = place.ports();
    std::fs::write(place.state(), "{\"servers\": [").unwrap();
    for command in ["status", "up"] {
        let (code, text) = place.say(&[command]);
        assert!(code == Some(2) && text.contains("`reclaim-bench cluster down`"), "{command}: {text}");
    }
    assert_eq!(place.say(&["down"]).0, Some(0));
    assert!(!ports.iter().any(|&port| answers(port)));
    assert!(!place.state().exists());
}

#[test]
fn a_server_that_does_not_answer_is_not_said_to_have_stopped() {
    let place = Place::new();
    assert!(place.up().wait_with_output().unwrap().status.success());
    let pid = pid_of(&place.state());
    signal("-STOP", pid);
    let (code, text) = place.say(&["down"]);
    signal("-CONT", pid);
    assert!(code == Some(2) && text.contains("Is its process stopped"), "{text}");
    assert_eq!(place.say(&["down"]).0, Some(0));
}

fn pid_of(state: &Path) -> u64 {
    let state: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(state).unwrap()).unwrap();
    state["servers"][0]["pid"].as_u64().unwrap()
}

fn signal(name: &str, pid: u64) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}
