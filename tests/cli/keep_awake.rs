//! The helper that keeps cores awake: in the idle class, only when told to, and gone with whoever started it.
#![cfg(target_os = "linux")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait: on a busy machine an idle thread gets its core when nobody else wants it.
const PATIENCE: Duration = Duration::from_mins(1);

/// `SCHED_IDLE` as `/proc/<pid>/stat` shows it, and where: the 41st field, of which two stand before the
/// parenthesis.
const SCHED_IDLE: &str = "5";
const POLICY: usize = 38;

fn start(cores: &str) -> (Child, ChildStdin, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_reclaim-bench"))
        .args(["keep-awake", cores])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut answer = String::new();
    BufReader::new(output).read_line(&mut answer).unwrap();
    (child, input, answer)
}

/// The file of each thread that spins.
fn of_threads(pid: u32, file: &str) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let read =
        |name: &str, dir: &std::path::Path| std::fs::read_to_string(dir.join(name)).unwrap_or_default();
    tasks
        .map(|task| task.unwrap().path())
        .filter(|dir| read("comm", dir).starts_with("awake-"))
        .map(|dir| read(file, &dir))
        .collect()
}

fn used_ns(pid: u32) -> u64 {
    let ns = |text: &String| text.split_whitespace().next().unwrap().parse::<u64>().unwrap();
    of_threads(pid, "schedstat").iter().map(ns).sum()
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A core that this process may use: whoever runs the tests may have bound them.
fn a_core() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    list.trim().split([',', '-']).next().unwrap().to_owned()
}

#[test]
fn it_spins_in_the_idle_class_while_told_to_and_ends_with_its_input() {
    let (mut child, mut input, answer) = start(&a_core());
    assert_eq!(answer, "ready\n");
    let pid = child.id();
    until("the thread is idle", || {
        let stat = of_threads(pid, "stat");
        let policy = |stat: &String| {
            let (_, rest) = stat.rsplit_once(") ").unwrap();
            rest.split_whitespace().nth(POLICY).map(str::to_owned)
        };
        stat.len() == 1 && policy(&stat[0]).as_deref() == Some(SCHED_IDLE)
    });
    let resting = used_ns(pid);
    input.write_all(b"1").unwrap();
    until("it spins", || used_ns(pid) > resting + 10_000_000);
    input.write_all(b"0").unwrap();
    let mut last = used_ns(pid);
    until("it rests", || {
        std::thread::sleep(Duration::from_millis(50));
        std::mem::replace(&mut last, used_ns(pid)) == last
    });
    input.write_all(b"1").unwrap();
    until("it spins again", || used_ns(pid) > last + 1_000_000);
    // As where whoever started it is killed.
    drop(input);
    until("it is gone", || child.try_wait().unwrap().is_some());
}

#[test]
fn a_core_that_is_not_there_is_said() {
    let (mut child, _input, answer) = start("1023");
    assert_ne!(answer, "ready\n");
    assert!(!child.wait().unwrap().success());
}
