//! A page of every kind, from made-up results: for the tests, and for the browser that looks at them
//! (`.ci/pages.py`).

mod curves;
mod runs;
mod window;

use self::curves::{capacity, sweep, trends};
use self::runs::{
    broken, control_failed, equal, failover, invalid, partial, profile, several_generators,
    simulated_network, single, slower, storm, twenty,
};
use super::{calibrations, capacities, compared, figures, history, series, sweeps};
use crate::judge::capacity::{Capacity, CapacityPlan};
use crate::judge::fixtures::calibration_record;
use crate::judge::{self, GatePolicy, RunResult, StoredOptions};
use crate::record::Warning;
use crate::report::ci::ff_bench_reports;

#[cfg(test)]
pub use self::curves::sweep_but;
pub use self::curves::sweep_without_verdicts;
#[cfg(test)]
pub use self::runs::{HOSTILE, named, within_a_day};
pub use self::runs::{hostile, hour, lane_ab, lane_ab_but};
#[cfg(test)]
pub use self::window::counted;

/// A page with the JSON that its figures are from.
pub struct Sample {
    /// What it is a page of; a file name.
    pub name: &'static str,
    /// The page.
    pub html: String,
    /// The result, as it is stored; a list for several.
    pub json: String,
}

/// One page of every kind, and of results that are broken in every way.
pub fn samples() -> Vec<Sample> {
    let mut all = of_runs();
    all.extend(of_capacities());
    all.extend(of_sweeps());
    all.extend(of_many_runs());
    all.extend(of_two_runs());
    all
}

fn of_runs() -> Vec<Sample> {
    vec![
        ("run", lane_ab()),
        ("no-difference", equal()),
        ("single", single()),
        ("twenty", twenty()),
        ("invalid", invalid()),
        ("partial", partial()),
        ("broken", broken()),
        ("control-failed", control_failed()),
        ("hostile", hostile()),
        ("storm", storm()),
        ("simulated-network", simulated_network()),
        ("several-generators", several_generators()),
        ("failover", failover()),
        ("profile", profile()),
    ]
    .into_iter()
    .map(|(name, result)| Sample { name, html: super::runs(&[&result]), json: json(&result) })
    .collect()
}

fn of_capacities() -> [Sample; 2] {
    let found = capacity();
    let none = Capacity::conclude(CapacityPlan { ..found.plan.clone() }, Vec::new(), None);
    [("capacity", found), ("capacity-empty", none)].map(|(name, one)| Sample {
        name,
        html: capacities(&[&one]),
        json: json(&one),
    })
}

fn of_sweeps() -> [Sample; 3] {
    let over_rtt = sweep("load.network.added_rtt", &["0us", "250us", "500us", "1ms", "2ms"]);
    let over_skew = sweep("population.skew", &["uniform", "zipf 0.8", "zipf 1.0", "zipf 1.1", "zipf 1.2"]);
    [("sweep-rtt", over_rtt), ("sweep", over_skew), ("sweep-control-failed", sweep_without_verdicts())]
        .map(|(name, one)| Sample { name, html: sweeps(&[("rtt-sweep", &one)]), json: json(&one) })
}

fn of_many_runs() -> Vec<Sample> {
    let mut all = Vec::new();
    let results: Vec<RunResult> = (1..=5).map(runs::another_ab).collect();
    let repeated = judge::repeat(&results, results.len() as u64);
    let gate = judge::gate_repeated(
        &results,
        &repeated,
        &GatePolicy { enforce: true, response_p99: None, recovery: None },
    );
    all.push(Sample {
        name: "series",
        html: series(&[("lane-ab", &repeated, &gate)]),
        json: json(&repeated),
    });
    let calibration = judge::assess(calibration_record());
    all.push(Sample { name: "calibration", html: calibrations(&[&calibration]), json: json(&calibration) });
    let trends = trends();
    all.push(Sample { name: "history", html: history(&trends), json: json(&trends) });
    let shared = lane_ab_but(|record| record.warnings.push(Warning::SharedMachine { cores: 2 }));
    let beside = [shared, twenty(), invalid()];
    all.push(Sample {
        name: "beside",
        html: super::runs(&beside.iter().collect::<Vec<_>>()),
        json: json(&beside.as_slice()),
    });
    all
}

/// One run against the other.
fn of_two_runs() -> Vec<Sample> {
    let mut all = Vec::new();
    let (base, candidate) = (single(), slower());
    let options = StoredOptions::from_gate_section(&base.record.scenario.gate);
    if let Ok(stored) = judge::compare(&base, &candidate, &options) {
        all.push(Sample {
            name: "compared",
            html: compared(&stored, &base, &candidate),
            json: json(&stored),
        });
    }
    let reports = [&base, &candidate].map(ff_bench_reports);
    if let [Ok(base), Ok(candidate)] = &reports
        && let Ok(stored) = judge::compare_figures(base, candidate, &options)
    {
        all.push(Sample { name: "figures", html: figures(&stored), json: json(&stored) });
    }
    all
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}
