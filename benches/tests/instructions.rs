//! The instruction counts stay where the committed baseline says, repeat exactly, and show a planted
//! regression.
//!
//! Runs the `instructions` benchmark three times. Only with `--features instructions`: it needs valgrind and
//! a `gungraun-runner` of the crate's version on PATH. `RECLAIM_BENCH_UPDATE=1` writes
//! `benches/instructions.toml` anew.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// Instructions per benchmark, by `group::function::id`, for one walk over its pool.
type Counts = BTreeMap<String, u64>;

/// The committed counts and how far a run may lie from them.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Baseline {
    /// Compiler that made them: another one generates other code.
    rustc: String,
    /// Share by which a count may exceed the baseline, so that a compiler's small changes do not fail
    /// anybody.
    soft_limit: f64,
    counts: Counts,
}

/// A count beyond the baseline's limit.
#[derive(Debug, PartialEq)]
struct Regression {
    benchmark: String,
    baseline: u64,
    now: u64,
}

impl Baseline {
    fn path() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.toml"))
    }

    fn read() -> Self {
        toml::from_str(&std::fs::read_to_string(Self::path()).unwrap()).unwrap()
    }

    fn write(&self) {
        let head = "# Instruction counts of benches/instructions.rs: one walk over each pool of inputs.\n\
                    # Written by: RECLAIM_BENCH_UPDATE=1 cargo test -p reclaim-microbench --features instructions --test instructions\n\n";
        std::fs::write(Self::path(), format!("{head}{}", toml::to_string(self).unwrap())).unwrap();
    }

    fn regressions(&self, counts: &Counts) -> Vec<Regression> {
        let beyond = |(name, &now): (&String, &u64)| {
            let &baseline = self.counts.get(name)?;
            let limit = baseline as f64 * (1.0 + self.soft_limit);
            (now as f64 > limit).then(|| Regression { benchmark: name.clone(), baseline, now })
        };
        counts.iter().filter_map(beyond).collect()
    }
}

/// Runs the benchmark with a parser under test and reads what the runner reports.
fn count(parser: &str) -> Counts {
    let output = Command::new(env!("CARGO"))
        .args(["bench", "--quiet", "--features", "instructions", "--bench", "instructions"])
        .args(["--", "--output-format=json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("RECLAIM_BENCH_PARSER", parser)
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(
        output.status.success(),
        "the benchmark did not run; are valgrind and gungraun-runner {} installed?\n{stderr}",
        runner_version()
    );
    let counts: Counts = stdout.lines().map(read_line).collect();
    assert!(!counts.is_empty(), "the runner reported nothing: {stderr}");
    counts
}

fn read_line(line: &str) -> (String, u64) {
    let summary: serde_json::Value = serde_json::from_str(line).unwrap();
    let text = |field: &str| summary[field].as_str().unwrap_or_else(|| panic!("no {field} in {line}"));
    let name = format!("{}::{}::{}", text("group"), text("function_name"), text("id"));
    // A second run of the same benchmark reports the one before beside it.
    let instructions = &summary["profiles"][0]["data"]["total"]["metrics"]["Ir"]["values"];
    let now = instructions["new"].as_u64().or_else(|| instructions["both"][0].as_u64());
    (name, now.unwrap_or_else(|| panic!("no instruction count in {line}")))
}

/// The version that the manifest pins.
fn runner_version() -> String {
    let manifest: toml::Table = include_str!("../Cargo.toml").parse().unwrap();
    manifest["dependencies"]["gungraun"]["version"].as_str().unwrap().trim_start_matches('=').to_owned()
}

fn rustc_version() -> String {
    let output = Command::new("rustc").arg("--version").output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn counts_repeat_and_stay_within_the_limit_and_a_slower_parser_does_not() {
    let first = count("shipped");
    let second = count("shipped");
    assert_eq!(first, second, "the same code has two counts");

    if std::env::var_os("RECLAIM_BENCH_UPDATE").is_some() {
        Baseline { rustc: rustc_version(), soft_limit: 0.05, counts: first.clone() }.write();
    }
    let baseline = Baseline::read();
    let names = |counts: &Counts| counts.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&first), names(&baseline.counts), "the baseline is of other benchmarks; write it anew");
    let regressions = baseline.regressions(&first);
    assert!(
        regressions.is_empty(),
        "more instructions than the baseline of {} allows (this is {}): {regressions:#?}",
        baseline.rustc,
        rustc_version()
    );

    let slower = baseline.regressions(&count("allocating"));
    let valid = |name: &&String| name.contains("::parse::") && !name.contains("error_");
    let fired: Vec<&String> = slower.iter().map(|regression| &regression.benchmark).collect();
    let missed: Vec<&String> = first.keys().filter(valid).filter(|name| !fired.contains(name)).collect();
    assert!(missed.is_empty(), "an allocating parser goes unnoticed in {missed:?}");
    assert!(fired.iter().all(|name| name.contains("::parse::")), "what does not parse changed: {fired:?}");
}

#[test]
fn a_count_is_a_regression_only_beyond_the_limit() {
    let counts = |n: u64| Counts::from([("a::b::c".to_owned(), n), ("new::one::x".to_owned(), n)]);
    let baseline = Baseline {
        rustc: String::new(),
        soft_limit: 0.05,
        counts: Counts::from([("a::b::c".to_owned(), 1_000)]),
    };
    for quiet in [0, 900, 1_000, 1_050] {
        assert_eq!(baseline.regressions(&counts(quiet)), [], "{quiet}");
    }
    let fired = baseline.regressions(&counts(1_051));
    assert_eq!(fired, [Regression { benchmark: "a::b::c".into(), baseline: 1_000, now: 1_051 }]);
}
