//! Servers for the live tests: one cluster, started once per test process, killed with it.
//!
//! Each test has its own runtime, so each opens its own connections to the shared servers. Tests share them:
//! use execution ids of your own, and a cluster of your own ([`own`]) where counters or functions are at
//! stake.

use reclaim_analysis::record::WireCost;
use reclaim_analysis::scenario::Provider;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use reclaim_bench::cluster::{self, Cluster, ClusterRequest};
use reclaim_bench::valkey::{NodeAddr, Wire};
use redis::Value;
use tokio_util::sync::CancellationToken;

/// A handle on the shared cluster: three primaries, the published library, one connection per primary.
pub async fn connect() -> Cluster {
    open(&shared_request()).await
}

/// What [`connect`] opens; a test may change it first.
pub fn shared_request() -> ClusterRequest {
    ClusterRequest {
        provider: Provider::External,
        nodes: shared().to_vec(),
        shared: true,
        ..ClusterRequest::default()
    }
}

/// A cluster of the test's own, stopped when the handle goes.
pub async fn own(primaries: u16, replicas: u16) -> Cluster {
    open(&own_request(primaries, replicas)).await
}

/// What [`own`] opens.
pub fn own_request(primaries: u16, replicas: u16) -> ClusterRequest {
    ClusterRequest {
        provider: Provider::Local,
        primaries,
        replicas,
        valkey_server: valkey_server(),
        ..ClusterRequest::default()
    }
}

/// The binary that the environment names.
pub fn valkey_server() -> Option<PathBuf> {
    std::env::var_os("VALKEY_SERVER").map(PathBuf::from)
}

/// A measured window of another test binds all threads of this process, and a program that is started
/// meanwhile inherits it: to call before one is started that says what cores it has.
pub fn allow_every_core() {
    let mut all = rustix::thread::CpuSet::new();
    (0..rustix::thread::CpuSet::MAX_CPU).for_each(|core| all.set(core));
    rustix::thread::sched_setaffinity(None, &all).unwrap();
}

/// Sends one command over a connection of the test's.
pub async fn ask(wire: &Wire, words: &[&str]) -> Value {
    let mut cmd = redis::cmd(words[0]);
    cmd.arg(&words[1..]);
    wire.call("test", &cmd, &mut WireCost::default()).await.unwrap()
}

/// Sends one command to every primary.
pub async fn everywhere(cluster: &Cluster, words: &[&str]) -> Vec<Value> {
    let mut replies = Vec::new();
    for node in cluster.topology().nodes() {
        replies.push(ask(&cluster.admin(node), words).await);
    }
    replies
}

/// How often a server was called for a command, by its name in `INFO commandstats`, whoever called.
pub async fn calls(wire: &Wire, command: &str) -> u64 {
    let Value::BulkString(text) = ask(wire, &["INFO", "commandstats"]).await else { panic!("no text") };
    let (text, before) = (String::from_utf8(text).unwrap(), format!("cmdstat_{command}:calls="));
    let calls = text.lines().find_map(|line| line.strip_prefix(&before));
    calls.map_or(0, |calls| calls.split(',').next().unwrap().parse().unwrap())
}

/// Opens or explains.
pub async fn open(request: &ClusterRequest) -> Cluster {
    match cluster::open(request, &|_| (), &CancellationToken::new()).await {
        Ok(cluster) => cluster,
        Err(error) => panic!("{error}"),
    }
}

/// Addresses of the shared primaries. Their handle lives on a thread that never ends; the kernel kills the
/// servers when this process does.
fn shared() -> &'static [NodeAddr] {
    static SHARED: OnceLock<Vec<NodeAddr>> = OnceLock::new();
    SHARED.get_or_init(|| {
        let (report, addrs) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let cluster = own(3, 0).await;
                let addrs: Vec<_> =
                    cluster.topology().primaries().iter().map(|primary| primary.addr.clone()).collect();
                report.send(addrs).unwrap();
                std::future::pending::<()>().await;
            });
        });
        addrs.recv().expect("the shared cluster did not start; its error stands above")
    })
}

/// Process ids of the children of a process whose names, which the kernel cuts at 15 bytes, begin with
/// `name`.
pub fn children_of(parent: u32, name: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        // Behind the name in parentheses: state, then the parent's id.
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let is_child = rest.split_whitespace().nth(1) == Some(&parent.to_string());
        if is_child && stat.contains(&format!("({name}")) {
            found.push(pid);
        }
    }
    found
}

/// Kills a process.
pub fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

/// Whether a process goes on.
pub fn alive(pid: u32) -> bool {
    // A zombie has been killed; only its parent has not looked yet.
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(')').map_or("", |(_, rest)| rest).trim_start().starts_with('Z'))
}

/// Waits until something happens; panics where it does not within `patience`.
pub fn wait_until(patience: Duration, what: &str, mut happens: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !happens() {
        assert!(begun.elapsed() < patience, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(50));
    }
}
