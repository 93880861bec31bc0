//! Reads a `result.json` with this crate alone, draws its conclusions again from what was measured, and
//! prints them.
//!
//! `cargo run -p reclaim-analysis --example verdict -- results/reference/.../result.json`

#![allow(clippy::print_stdout, reason = "a program, which says what it found")]

use std::error::Error;

use reclaim_analysis::judge::{self, GatePolicy, RunResult};
use reclaim_analysis::report;
use reclaim_analysis::scenario::ScenarioFile;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("which result.json?")?;
    let stored: RunResult = serde_json::from_slice(&std::fs::read(&path)?)?;
    let result = judge::analyse(stored.record)?;
    let scenario: &ScenarioFile = &result.record.scenario;
    println!("{}: {}", scenario.name, scenario.summary);
    for comparison in &result.comparisons {
        let ratio = comparison.ratio.map_or_else(
            || "not known".to_owned(),
            |ratio| format!("{:.3} [{:.3}, {:.3}]", ratio.estimate, ratio.low, ratio.high),
        );
        println!(
            "{} of {} over {}: {ratio}, {:?}",
            comparison.metric, comparison.candidate, comparison.baseline, comparison.verdict
        );
    }
    let gate = judge::gate(&result, &GatePolicy { enforce: true, ..GatePolicy::from_scenario(scenario) });
    println!("{:?}", gate.conclusion);
    for finding in &gate.findings {
        println!("  {}", report::finding(finding));
    }
    Ok(())
}
