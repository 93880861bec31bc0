//! A process that owns a cluster, to be killed: the test binary itself, run again.

use reclaim_analysis::scenario::Provider;
use std::io::{BufRead as _, BufReader, Lines, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use reclaim_bench::cluster::{ClusterRequest, Containers};

use super::support;

/// What a user may expect after `kill -9`.
pub const GONE_WITHIN: Duration = Duration::from_secs(2);

/// Names the image for [`Provider::Container`].
pub const IMAGE: &str = "RECLAIM_BENCH_TEST_IMAGE";

/// Names the provider in the process that plays the owner.
const OWNER_OF: &str = "RECLAIM_BENCH_TEST_OWNER_OF";

/// Has that process run each server in a container of its own.
const APART: &str = "RECLAIM_BENCH_TEST_APART";

/// A process with a cluster, the addresses of its servers, and its output, which it must be able to write to.
pub type Owner = (Child, Vec<String>, Lines<BufReader<ChildStdout>>);

/// Runs `test` of this very binary in a process of its own, where it becomes [`own_until_stdin_ends`].
pub fn owner(test: &str, provider: Provider) -> Owner {
    owner_with(test, provider, &[])
}

/// The same with servers in containers of their own.
#[allow(dead_code, reason = "the equipped tests use it")]
pub fn owner_apart(test: &str) -> Owner {
    owner_with(test, Provider::Container, &[(APART, "1")])
}

fn owner_with(test: &str, provider: Provider, more: &[(&str, &str)]) -> Owner {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(OWNER_OF, provider.as_str())
        .envs(more.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let addrs: Vec<String> = lines
        .by_ref()
        .map(Result::unwrap)
        .take_while(|line| line != "ready")
        .filter_map(|line| line.strip_prefix("server ").map(str::to_owned))
        .collect();
    assert_eq!(addrs.len(), 3, "the owner did not open a cluster");
    (child, addrs, lines)
}

/// The owner's side: opens a cluster, says where, and keeps it until standard input ends. Whether this
/// process is one.
pub fn own_until_stdin_ends() -> bool {
    let Ok(provider) = std::env::var(OWNER_OF) else { return false };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let request = ClusterRequest {
            provider: Provider::ALL.into_iter().find(|known| known.as_str() == provider).unwrap(),
            image: std::env::var(IMAGE).ok(),
            containers: if std::env::var_os(APART).is_some() { Containers::Each } else { Containers::One },
            ..support::own_request(3, 0)
        };
        let cluster = support::open(&request).await;
        // Not through `print!`, which the test harness may hold back.
        let mut out = std::io::stdout();
        for primary in cluster.topology().primaries() {
            write!(out, "\nserver {}", primary.addr).unwrap();
        }
        writeln!(out, "\nready").unwrap();
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        cluster.shutdown();
    });
    true
}

pub fn answers(addr: &str) -> bool {
    TcpStream::connect(addr).is_ok()
}

pub fn wait_until_gone(addrs: &[String], limit: Duration) {
    let since = Instant::now();
    while addrs.iter().any(|addr| answers(addr)) {
        assert!(since.elapsed() < limit, "servers are left after {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
