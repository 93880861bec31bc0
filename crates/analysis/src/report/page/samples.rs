//! A page of every kind, from made-up results: for the tests, and for the browser that looks at them (`.ci/pages.py`).

use std::sync::OnceLock;
use std::time::Duration;

use super::{calibrations, capacities, compared, history, runs, series, sweeps};
use crate::judge::capacity::simulated::{Simulated, policy};
use crate::judge::capacity::{Capacity, CapacityPlan, NextStep};
use crate::judge::fixtures::{
    GRANT_LANE, HGET_LANE, Noise, SimulatedArm, TWIN, calibration_record, record, scenario, spread,
    timed_steps,
};
use crate::judge::{
    self, Comparison, GatePolicy, HistoryEntry, RunResult, StoredOptions, Sweep, Trend, analyse, analyse_as,
};
use crate::record::{
    AddedRoundTrip, Fault, Histogram, LatencyHistogram, RedirectKind, RetryCause, RunRecord, StormRecord,
    TimelinePoint, Warning, WindowEvent, WindowEventKind,
};
use crate::scenario::{ArrivalsForm, Mode, ModelForm, VariantPath};
use crate::stats::Estimate;

/// A page with the JSON that its figures are from.
pub struct Sample {
    /// What it is a page of; a file name.
    pub name: &'static str,
    /// The page.
    pub html: String,
    /// The result, as it is stored; a list for several.
    pub json: String,
}

/// Text that would be markup if it were not escaped.
pub const HOSTILE: &str =
    "<script>alert('x')</script>\"><img src=http://example.invalid/x onerror=alert(1)>&amp;]]>";

/// One page of every kind, and of results that are broken in every way.
pub fn samples() -> Vec<Sample> {
    let mut all: Vec<Sample> = vec![
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
    ]
    .into_iter()
    .map(|(name, result)| Sample { name, html: runs(&[&result]), json: json(&result) })
    .collect();
    let capacity = capacity();
    all.push(Sample { name: "capacity", html: capacities(&[&capacity]), json: json(&capacity) });
    let none = Capacity::conclude(CapacityPlan { ..capacity.plan.clone() }, Vec::new(), None);
    all.push(Sample { name: "capacity-empty", html: capacities(&[&none]), json: json(&none) });
    for (name, key, values) in [
        ("sweep-rtt", "load.network.added_rtt", ["0us", "250us", "500us", "1ms", "2ms"]),
        ("sweep", "population.skew", ["uniform", "zipf 0.8", "zipf 1.0", "zipf 1.1", "zipf 1.2"]),
    ] {
        let sweep = sweep(key, &values);
        all.push(Sample { name, html: sweeps(&[("rtt-sweep", &sweep)]), json: json(&sweep) });
    }
    let results: Vec<RunResult> = (1..=5).map(|seed| ab(seed, |_| ())).collect();
    let repeated = judge::repeat(&results, results.len() as u64);
    let gate = judge::gate_repeated(&results, &repeated, &GatePolicy { enforce: true, response_p99: None });
    all.push(Sample {
        name: "series",
        html: series(&[("lane-ab", &repeated, &gate)]),
        json: json(&repeated),
    });
    let calibration = judge::assess(calibration_record());
    all.push(Sample { name: "calibration", html: calibrations(&[&calibration]), json: json(&calibration) });
    let trends = trends();
    all.push(Sample { name: "history", html: history(&trends), json: json(&trends) });
    let beside = [lane_ab(), twenty(), invalid()];
    all.push(Sample {
        name: "beside",
        html: runs(&beside.iter().collect::<Vec<_>>()),
        json: json(&beside.as_slice()),
    });
    let (base, candidate) = (single(), slower());
    let options = StoredOptions::from_gate_section(&base.record.scenario.gate);
    if let Ok(stored) = judge::compare(&base, &candidate, &options) {
        all.push(Sample {
            name: "compared",
            html: compared(&stored, &base, &candidate),
            json: json(&stored),
        });
    }
    all
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

fn ab(seed: u64, change: impl FnOnce(&mut RunRecord)) -> RunResult {
    let arms = [GRANT_LANE, HGET_LANE];
    let mut record = record(&arms, seed);
    record.timeline = window(30, 3);
    let index = ("HGET current_attempt_index", 0.36);
    timed_steps(&mut record.arms[0], &[index, ("FCALL ff_claim_resumed_execution", 0.6)]);
    let lane = [("HGET lane_id", 0.27), index, ("FCALL ff_claim_resumed_execution", 0.34)];
    timed_steps(&mut record.arms[1], &lane);
    change(&mut record);
    analyse_as(record, &scenario(&arms))
}

/// A comparison as most are.
pub fn lane_ab() -> RunResult {
    ab(1, |_| ())
}

fn equal() -> RunResult {
    let arms = [GRANT_LANE, TWIN];
    analyse_as(record(&arms, 2), &scenario(&arms))
}

/// One variant in an open loop, with a window in which things happened.
fn single() -> RunResult {
    open_loop(1.0, 90)
}

fn slower() -> RunResult {
    open_loop(1.3, 91)
}

fn open_loop(slower: f64, seed: u64) -> RunResult {
    let mut record = record(&[GRANT_LANE], seed);
    let load = &mut record.scenario.load;
    (load.model, load.concurrency) = (ModelForm::Open, None);
    (load.rate, load.arrivals) = (Some(5_000.0), Some(ArrivalsForm::Poisson));
    let arm = &mut record.arms[0];
    (arm.service, arm.response, arm.send_lag) =
        (spread(6_000, 190.0 * slower, seed), spread(6_000, 260.0 * slower, seed), spread(6_000, 8.0, seed));
    record.timeline = window(90, 3);
    record.timeline[40].errors = 120;
    record.events = [
        (39.2, WindowEventKind::StallBegan),
        (40.4, WindowEventKind::FirstTimedOut),
        (40.6, WindowEventKind::FirstRedirected { redirect: RedirectKind::Moved }),
        (41.1, WindowEventKind::StallEnded),
    ]
    .map(|(t_s, what)| WindowEvent { t_s, what })
    .to_vec();
    record.scenario.population.executions = 20_000;
    analyse(record).unwrap()
}

fn window(seconds: u32, primaries: u32) -> Vec<TimelinePoint> {
    let mut noise = Noise::new(9);
    (1..=seconds)
        .map(|second| TimelinePoint {
            t_s: f64::from(second),
            claimed: (5_000.0 * (0.02 * noise.normal()).exp()) as u64,
            p50_us: Some(190.0 * (0.02 * noise.normal()).exp()),
            p99_us: Some(420.0 * (0.15 * noise.normal()).exp()),
            response_p50_us: Some(260.0 * (0.03 * noise.normal()).exp()),
            response_p99_us: Some(610.0 * (0.2 * noise.normal()).exp()),
            tool_resident_bytes: Some(20 << 20),
            send_lag_p99_us: Some(30.0 * (0.3 * noise.normal()).exp()),
            stock: u64::from(seconds - second) * 300,
            primary_cpu: (0..primaries).map(|n| 0.2 + 0.03 * f64::from(n) + 0.01 * noise.normal()).collect(),
            ..TimelinePoint::default()
        })
        .collect()
}

const NAMES: [&str; 20] = [
    "baseline",
    "v01",
    "v02",
    "v03-a-rather-long-name-of-a-variant",
    "v04",
    "v05",
    "v06",
    "v07",
    "v08",
    "v09",
    "v10",
    "v11",
    "v12",
    "v13",
    "v14",
    "v15",
    "v16",
    "v17",
    "v18",
    "v19",
];

fn twenty_arms() -> Vec<SimulatedArm> {
    NAMES
        .iter()
        .enumerate()
        .map(|(n, name)| SimulatedArm { name, slower: 0.8 + 0.02 * n as f64, ..GRANT_LANE })
        .map(|arm| if arm.name == "baseline" { SimulatedArm { slower: 1.0, ..arm } } else { arm })
        .collect()
}

fn twenty() -> RunResult {
    let arms = twenty_arms();
    analyse_as(record(&arms, 3), &scenario(&arms))
}

/// Ten million claims of twenty variants within an hour; judged from the usual samples.
pub fn hour() -> RunResult {
    let mut result = twenty();
    for (n, arm) in result.record.arms.iter_mut().enumerate() {
        let clock = |median: f64| {
            let mut noise = Noise::new(n as u64);
            let mut histogram = LatencyHistogram::default();
            // A few thousand different values, each many times.
            for _ in 0..2_000 {
                let time = Duration::from_secs_f64(median * (0.3 * noise.normal()).exp() / 1e6);
                (0..250).for_each(|_| histogram.record(time));
            }
            histogram.encode()
        };
        (arm.service, arm.response) = (clock(190.0), clock(260.0));
        (arm.send_lag, arm.resume) = (clock(15.0), clock(900.0));
        arm.outcomes.claimed = 500_000;
    }
    let variants = judge::analyse(result.record.clone()).unwrap().variants;
    result.variants = variants;
    result.record.timeline = window(3_600, 6);
    result
}

fn invalid() -> RunResult {
    ab(4, |record| {
        record.audit.lost = 2;
        record.audit.claimed -= 2;
        record.audit.examples = vec!["execution {fp:7}:abc was never claimed".into()];
        record.faults.push(Fault::Infrastructure { detail: "the connection to 127.0.0.1:7002 broke".into() });
        record.warnings.push(Warning::DebugBuild);
    })
}

/// Ctrl-C in the window: little is there, and one variant never had its turn.
fn partial() -> RunResult {
    ab(5, |record| {
        record.partial = true;
        record.strata.truncate(3);
        record.blocks.clear();
        record.arms[1].service = Histogram(None);
        record.arms[1].outcomes.dropped = record.arms[1].outcomes.claimed;
        record.arms[1].outcomes.claimed = 0;
    })
}

/// Damaged, and with values that no run has.
fn broken() -> RunResult {
    let mut result = ab(6, |record| {
        record.arms[0].service = Histogram(Some("AAAA".into()));
        record.timeline[3].p99_us = Some(f64::NAN);
        record.timeline[4].t_s = 2.0;
        record.primaries.clear();
    });
    result.variants[1].server.calls_per_claim.clear();
    result
}

fn control_failed() -> RunResult {
    ab(7, |record| {
        for stratum in record.strata.iter_mut().filter(|stratum| stratum.control) {
            for ticks in &mut stratum.sides[1].service.0 {
                *ticks += *ticks / 20;
            }
        }
    })
}

/// Every name that a file can choose would be markup.
pub fn hostile() -> RunResult {
    named(HOSTILE)
}

/// Every name that a file can choose is this one.
pub fn named(name: &str) -> RunResult {
    static SOUND: OnceLock<RunResult> = OnceLock::new();
    let mut result = SOUND.get_or_init(|| ab(8, |_| ())).clone();
    result.warnings.push(Warning::Note { text: name.to_owned() });
    let record = &mut result.record;
    for text in [&mut record.scenario.name, &mut record.scenario.summary, &mut record.environment.host.cpu] {
        name.clone_into(text);
    }
    name.clone_into(&mut record.primaries[0].addr);
    record.audit.examples = vec![name.to_owned()];
    for (arm, variant) in record.arms.iter_mut().zip(&mut result.variants) {
        arm.name = format!("{}{name}", arm.name);
        variant.name.clone_from(&arm.name);
        variant.server.calls_per_claim.insert(name.to_owned(), 1.0);
    }
    for Comparison { candidate, baseline, .. } in &mut result.comparisons {
        (*candidate, *baseline) = (format!("hget-lane{name}"), format!("grant-lane{name}"));
    }
    result.record.faults = vec![Fault::Infrastructure { detail: name.to_owned() }];
    result.invalid_reasons.clone_from(&result.record.faults);
    result
}

fn storm() -> RunResult {
    let mut record = record(&[GRANT_LANE], 9);
    record.scenario.load.mode = Mode::Storm;
    record.arms[0].resume = spread(6_000, 900_000.0, 3);
    record.timeline = window(4, 3);
    record.storm = Some(StormRecord {
        executions: 6_000,
        held: 6_000,
        given_up: 0,
        last_signal_us: Some(1_250_000.0),
        signals_answered_us: Some(1_260_000.0),
        retries: [(RetryCause::Unanswered, 4), (RetryCause::GrantGone, 1)].into(),
    });
    let scenario = scenario(&[GRANT_LANE]);
    analyse_as(record, &scenario)
}

fn simulated_network() -> RunResult {
    ab(10, |record| {
        record.added_rtt = Some(AddedRoundTrip { asked_us: 500.0, given: spread(1_000, 520.0, 2) });
    })
}

fn capacity() -> Capacity {
    let cluster = Simulated { noise: 0.02, ..Simulated::serving(2_000.0) };
    let mut policy = policy();
    (policy.concurrency, policy.refinements) = (vec![1, 2, 4, 8, 16, 32, 64], 6);
    policy.targets_per_s = vec![1_000.0, 5_000.0, 20_000.0];
    let first = cluster.run(crate::judge::capacity::ProbeLoad::Open { rate_per_s: 500.0 }, 1);
    let plan = CapacityPlan { scenario: first.record.scenario.clone(), seed: 1, policy, stopped: None };
    let mut probes = Vec::new();
    loop {
        let so_far = Capacity::conclude(plan.clone(), probes.clone(), Some(&first));
        match so_far.next {
            NextStep::Probe { offer, .. } if probes.len() < 120 => {
                probes.push(cluster.probe(offer, probes.len() as u64));
            }
            _ => return so_far,
        }
    }
}

/// Half a round trip fewer than the baseline's, whatever the network.
fn sweep(key: &str, values: &[&str]) -> Sweep {
    let wanted: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    let results: Vec<RunResult> = (0..values.len())
        .map(|n| {
            let added_us = [0.0, 250.0, 500.0, 1_000.0, 2_000.0][n.min(4)];
            let base = 200.0 + 2.0 * added_us;
            let hget = SimulatedArm { slower: (base + 40.0 + added_us) / base, ..HGET_LANE };
            let full = SimulatedArm {
                name: "full-grant",
                path: VariantPath::FullGrant,
                slower: (base - 20.0 - added_us).max(60.0) / base,
                cpu_us: 50.0,
            };
            let arms = [GRANT_LANE, hget, full];
            let mut record = record(&arms, 20 + n as u64);
            if key.contains("rtt") && added_us > 0.0 {
                record.added_rtt =
                    Some(AddedRoundTrip { asked_us: added_us, given: spread(500, added_us, 1) });
            }
            let mut result = analyse_as(record, &scenario(&arms));
            for comparison in &mut result.comparisons {
                comparison.baseline_value *= base / 200.0;
            }
            result
        })
        .collect();
    judge::sweep(key, &wanted, values.iter().copied().zip(&results))
}

fn trends() -> Vec<Trend> {
    let mut noise = Noise::new(4);
    let first = HistoryEntry::from_result(&single());
    let entries: Vec<HistoryEntry> = (0..28u32)
        .map(|n| {
            let mut entry = first.clone();
            entry.started = format!("2026-01-{:02}T02:00:00Z", n + 1);
            entry.commit = format!("{:07x}", 0x1234 + n * 97);
            let factor = if n < 16 { 1.0 } else { 1.06 } * (0.008 * noise.normal()).exp();
            for value in entry.metrics.values_mut().filter(|value| value.unit == "us") {
                value.value *= factor;
                value.interval = value.interval.map(|i| Estimate {
                    estimate: i.estimate * factor,
                    low: i.low * factor,
                    high: i.high * factor,
                    ..i
                });
            }
            entry
        })
        .collect();
    ["grant-lane/service_p50", "grant-lane/response_p99", "grant-lane/throughput"]
        .into_iter()
        .filter_map(|metric| judge::trend(&entries, &entries[0].scenario, metric))
        .collect()
}
