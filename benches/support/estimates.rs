//! What criterion last measured, read back from its own files, to relate one benchmark to another.

use std::path::{Path, PathBuf};

/// Median time of one iteration in nanoseconds, from the last run of this benchmark; `None` if there was
/// none.
pub fn median_ns(group: &str, function: &str) -> Option<f64> {
    read(&home().join(file_name(group)).join(file_name(function)))
}

/// The same for a benchmark without a group.
pub fn single_median_ns(function: &str) -> Option<f64> {
    read(&home().join(file_name(function)))
}

fn read(benchmark: &Path) -> Option<f64> {
    let path = benchmark.join("new/estimates.json");
    let estimates: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}

/// Where criterion keeps its results: as it decides itself, with `CARGO_TARGET_DIR` for a target elsewhere.
fn home() -> PathBuf {
    let named = |variable: &str| std::env::var_os(variable).map(PathBuf::from);
    let target = || concat!(env!("CARGO_MANIFEST_DIR"), "/../target").into();
    named("CRITERION_HOME")
        .unwrap_or_else(|| named("CARGO_TARGET_DIR").unwrap_or_else(target).join("criterion"))
}

/// Criterion's file name for a group or function.
fn file_name(name: &str) -> String {
    name.replace('/', "_")
}

/// Time of one claim by `grant-lane` in nanoseconds, where `claim_path` has been run.
pub fn claim_ns() -> Option<f64> {
    median_ns("claim_path", "grant-lane")
}

/// Prints one line per part: its time, and its share of a claim by `grant-lane` where `claim_path` has been
/// run.
#[expect(clippy::print_stdout, reason = "the answer of a benchmark belongs beside criterion's own lines")]
pub fn print_shares<'a>(title: &str, parts: impl IntoIterator<Item = (&'a str, f64)>) {
    let claim_ns = claim_ns();
    match claim_ns {
        Some(claim_ns) => println!(
            "{title}; shares are of one grant-lane claim, {:.0} us (last run of claim_path)",
            claim_ns / 1e3
        ),
        None => println!(
            "{title}; `cargo bench -p reclaim-microbench --bench claim_path` adds shares of a claim's time"
        ),
    }
    for (name, ns) in parts {
        let share = claim_ns.map_or(String::new(), |claim_ns| format!("{:>9.3} %", 100.0 * ns / claim_ns));
        println!("  {name:<40}{ns:>10.1} ns{share}");
    }
}
