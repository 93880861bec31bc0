//! Results made in code, with figures that are easy to recognise.

use std::collections::BTreeMap;
use std::time::Duration;

use reclaim_analysis::judge::fixtures::environment;
use reclaim_analysis::judge::{
    Comparison, Control, ExactMetric, LatencySummary, RunResult, SCHEMA, ServerCost, VariantSummary, Verdict,
};
use reclaim_analysis::record::{
    ArmRecord, Audit, CalibratedLag, CalibrationNote, CalibrationRecord, Disturbance, Environment, Fault,
    Histogram, LatencyHistogram, LevelRecord, LevelRound, Offered, Outcomes, RetryCause, RunRecord, Samples,
    Staging, StormRecord, Stratum, StratumSide, TimelinePoint, Tool, Warning, WireTotals,
};
use reclaim_analysis::scenario::{self, Metric, Ramp, Shipped, VariantPath};
use reclaim_analysis::stats::{Estimate, TooFew};

/// The headline run: a difference, a control that passed, a metric that cannot be judged.
pub fn lane_ab() -> RunResult {
    let mut result = plain("lane-ab", &[("grant-lane", 227.0), ("hget-lane", 275.6)]);
    result.comparisons = vec![
        compared("service_p50", 227.0, 275.6, Some((1.214, 1.201, 1.228)), Verdict::Regression),
        Comparison {
            too_few: Some(TooFew::Samples { what: "claims per arm".into(), needed: 5_000, have: 4_500 }),
            ..compared("service_p99", 610.0, 640.0, None, Verdict::Inconclusive)
        },
        Comparison {
            detectable: Some(0.034),
            ..compared("server_cpu", 61.0, 62.2, Some((1.02, 0.99, 1.051)), Verdict::Inconclusive)
        },
    ];
    result.exact = vec![
        exact("round_trips", 2.0, 3.0),
        exact("commands", 2.0, 3.0),
        exact("bytes_in", 1_310.0, 1_310.0),
    ];
    result.control = Some(Control { ratio: Some(estimate(1.001, 0.994, 1.008)), passed: true, reason: None });
    result.record.strata = vec![Stratum {
        control: false,
        apart: false,
        sides: vec![
            StratumSide { arm: 0, service: Samples(vec![2_270, 2_280]) },
            StratumSide { arm: 1, service: Samples(vec![2_756]) },
        ],
        ruler: None,
    }];
    result
}

/// Several candidates, `fused` among them.
pub fn claim_paths() -> RunResult {
    let mut result = plain(
        "claim-paths",
        &[("grant-lane", 227.0), ("hmget-lane", 228.0), ("full-grant", 172.0), ("fused", 190.0)],
    );
    let ratios = [
        ("hmget-lane", 228.0, (1.004, 0.996, 1.012), Verdict::NoChange),
        ("full-grant", 172.0, (0.758, 0.751, 0.766), Verdict::Improvement),
        ("fused", 190.0, (0.837, 0.829, 0.845), Verdict::Improvement),
    ];
    result.comparisons = ratios
        .into_iter()
        .map(|(candidate, value, ratio, verdict)| Comparison {
            candidate: candidate.into(),
            ..compared("service_p50", 227.0, value, Some(ratio), verdict)
        })
        .collect();
    result
}

/// Interruptions, scanner and claims together; one arm.
pub fn churn() -> RunResult {
    let mut result = plain("steady", &[("grant-lane", 400.0)]);
    result.variants[0].resume_us = Some(latency(3_100.0));
    result.variants[0].outcomes.timed_out = 3;
    result
}

/// Everything resumed at once; some claims were made again.
pub fn storm() -> RunResult {
    let mut result = plain("storm", &[("grant-lane", 400.0)]);
    let resume = LatencySummary { count: 19_997, p50: 900_000.0, p99: 1_700_000.0, ..latency(900_000.0) };
    result.variants[0].resume_us = Some(LatencySummary { max: 6_200_000.0, ..resume });
    let outcomes = &mut result.variants[0].outcomes;
    (outcomes.claimed, outcomes.timed_out, outcomes.ambiguous) = (19_997, 4, 2);
    result.record.storm = Some(StormRecord {
        executions: 20_000,
        held: 19_999,
        given_up: 1,
        last_signal_us: Some(1_250_000.0),
        signals_answered_us: Some(1_260_000.0),
        retries: [(RetryCause::Unanswered, 4), (RetryCause::GrantGone, 1)].into(),
    });
    (result.valid, result.invalid_reasons) = (false, vec![Fault::NeverResumed { executions: 1, of: 20_000 }]);
    result
}

/// An open loop with a service level.
pub fn open_loop() -> RunResult {
    let mut result = plain("lane-ab", &[("grant-lane", 230.0)]);
    result.variants[0].response_us = Some(latency(310.0));
    result.variants[0].send_lag_us = Some(latency(40.0));
    result
}

/// Figures that must not be used, for every reason there is.
pub fn invalid() -> RunResult {
    let mut result = lane_ab();
    result.valid = false;
    result.invalid_reasons = vec![
        Fault::CountersDisagree {
            primary: "127.0.0.1:7000".into(),
            command: "hget".into(),
            sent: 20_000,
            counted: 20_007,
        },
        Fault::UnexpectedCommands {
            arm: "hget-lane".into(),
            command: "hget".into(),
            expected: 2.0,
            measured: 1.5,
        },
        Fault::ServerChanged { primary: "127.0.0.1:7001".into(), detail: "run_id differs".into() },
        Fault::StockRanOut { claims: 12 },
        Fault::NeverResumed { executions: 3, of: 20_000 },
        Fault::SendLag { p99_us: 900.0, limit_us: 500.0 },
        Fault::Audit { detail: "2 grants are unaccounted for".into() },
        Fault::Infrastructure { detail: "the connection to 127.0.0.1:7002 broke".into() },
    ];
    result.record.audit.lost = 2;
    result.record.audit.examples = vec!["execution {fp:7}:abc was never claimed".into()];
    result
}

/// Ctrl-C in the window.
pub fn partial() -> RunResult {
    let mut result = plain("lane-ab", &[("grant-lane", 227.0)]);
    result.record.partial = true;
    result.variants.push(VariantSummary {
        name: "hget-lane".into(),
        path: VariantPath::HgetLane,
        service_us: None,
        throughput_per_s: 0.0,
        outcomes: Outcomes { dropped: 10_000, ..Outcomes::default() },
        ..result.variants[0].clone()
    });
    result
}

/// The baseline differs from itself.
pub fn control_failed() -> RunResult {
    let mut result = lane_ab();
    result.control = Some(Control {
        ratio: Some(estimate(1.04, 1.02, 1.06)),
        passed: false,
        reason: Some("the baseline differs from itself by +4.0 %".into()),
    });
    for comparison in &mut result.comparisons {
        comparison.verdict = Verdict::Inconclusive;
    }
    result
}

/// Every warning there is.
pub fn warned() -> RunResult {
    let mut result = lane_ab();
    result.record.calibration = Some(CalibrationNote {
        measured: "2026-01-01T00:00:00Z".into(),
        in_flight: 64,
        ceiling_per_sec: 150_000.0,
        client_cpu_us_per_request: 4.2,
        round_trip_overhead_us: Some(11.5),
        send_lag: Some(CalibratedLag { rate_per_sec: 2_000.0, p99_us: 85.0 }),
        disturbed: vec![Disturbance::OthersBusy { share: 0.384 }],
    });
    result.warnings = vec![
        Warning::DebugBuild,
        Warning::SharedMachine { cores: 2 },
        Warning::Errors { arm: "grant-lane".into(), errors: 3, sent: 10_003 },
        Warning::GeneratorBusy { share: 0.93 },
        Warning::GeneratorCeiling { requests_per_sec: 131_000.0, ceiling_per_sec: 150_000.0 },
        Warning::BusyMachine { share: 0.2 },
        Warning::CoresStolen { share: 0.04 },
        Warning::LeftOver { keys: 12 },
        Warning::Note { text: "a | pipe, *stars* and <tags>".into() },
    ];
    result
}

/// A rate that climbs for 18 of 20 seconds; from the 16th second on the response times grow tenfold.
pub fn ramp() -> RunResult {
    let mut result = plain("ramp", &[("grant-lane", 230.0)]);
    result.variants[0].response_us = Some(latency(310.0));
    let ramp = Ramp::new(400.0, 3_000.0, Duration::from_secs(18));
    let record = &mut result.record;
    record.arms[0].active_s = 20.0;
    record.offered = Some(Offered { claims: 36_600, schedule_s: ramp.time_of(36_599.0) });
    record.timeline = (0..20u32)
        .map(|second| {
            let (begin, end) = (f64::from(second), f64::from(second + 1));
            let claimed = (ramp.count_until(end) - ramp.count_until(begin)) as u64;
            let slower = if second < 16 { 1 } else { 10 };
            let mut response = LatencyHistogram::default();
            for n in 0..claimed {
                response.record(Duration::from_micros(slower * (300 + n % 100)));
            }
            TimelinePoint {
                t_s: end,
                claimed,
                errors: u64::from(second == 19),
                p50_us: Some(230.0),
                p99_us: Some(600.0),
                response_p50_us: response.quantile_us(0.5),
                response_p99_us: response.quantile_us(0.99),
                response: response.encode(),
                tool_resident_bytes: None,
                stock: 41_000 - ramp.count_until(end) as u64,
                primary_cpu: vec![0.04 * end, 0.045 * end],
            }
        })
        .collect();
    result
}

/// What the generator can do, measured with nothing but the counts.
pub fn calibration_record() -> CalibrationRecord {
    let Environment { host, valkey, .. } = environment();
    CalibrationRecord {
        tool: Tool { version: "0.1.0".into(), commit: "0123456".into(), debug_build: false },
        host,
        valkey,
        primary: "127.0.0.1:7000".into(),
        started: "2026-01-01T00:00:00Z".into(),
        duration_s: 30.0,
        seed: 5,
        complete: true,
        levels: vec![LevelRecord {
            in_flight: 64,
            connections: 1,
            rounds: vec![LevelRound { requests: 10_000, seconds: 0.1, client_cpu_s: 0.09 }],
            service: arm_record("grant-lane", VariantPath::GrantLane, 600.0).service,
        }],
        send_lag: Vec::new(),
        round_trip: None,
        sent: 10_000,
        counted: 10_000,
        failed: 0,
        conditions: None,
        generator: None,
    }
}

/// All of them, by name.
pub fn all() -> Vec<(&'static str, RunResult)> {
    vec![
        ("lane_ab", lane_ab()),
        ("claim_paths", claim_paths()),
        ("churn", churn()),
        ("storm", storm()),
        ("open_loop", open_loop()),
        ("invalid", invalid()),
        ("partial", partial()),
        ("control_failed", control_failed()),
        ("warned", warned()),
        ("ramp", ramp()),
    ]
}

fn plain(name: &str, arms: &[(&str, f64)]) -> RunResult {
    let shipped = Shipped::find(name).unwrap();
    let scenario = scenario::parse(name, shipped.text).unwrap();
    let file = scenario.file();
    let path = |arm: &str| match arm {
        "hget-lane" => VariantPath::HgetLane,
        "hmget-lane" => VariantPath::HmgetLane,
        "full-grant" => VariantPath::FullGrant,
        "fused" => VariantPath::Fused,
        _ => VariantPath::GrantLane,
    };
    let variants: Vec<_> = arms.iter().map(|(arm, p50)| variant(arm, path(arm), *p50)).collect();
    let records = arms.iter().map(|(arm, p50)| arm_record(arm, path(arm), *p50)).collect();
    RunResult {
        schema: SCHEMA.into(),
        valid: true,
        invalid_reasons: Vec::new(),
        warnings: Vec::new(),
        variants,
        comparisons: Vec::new(),
        exact: Vec::new(),
        worth: Vec::new(),
        control: None,
        record: RunRecord {
            tool: Tool { version: "0.1.0".into(), commit: "0123456".into(), debug_build: false },
            scenario: file.clone(),
            seed: 42,
            plan_sha256: "5ca1ab1e".repeat(8),
            started: "2026-01-02T03:04:05Z".into(),
            duration_s: 12.5,
            partial: false,
            environment: environment(),
            staging: Staging {
                executions: 4_000,
                interruptions: 20_000,
                grants: 20_000,
                duration_s: 3.2,
                grant_cpu_us: Some(41.0),
            },
            arms: records,
            strata: Vec::new(),
            blocks: Vec::new(),
            primaries: Vec::new(),
            added_rtt: None,
            offered: None,
            storm: None,
            generator: None,
            calibration: None,
            longest_gap_s: None,
            aborted: None,
            timeline: Vec::new(),
            audit: Audit {
                grants_issued: 20_000,
                claimed: 20_000,
                executions_checked: 4_000,
                ..Audit::default()
            },
            faults: Vec::new(),
            warnings: Vec::new(),
        },
    }
}

fn hgets(path: VariantPath) -> f64 {
    match path {
        VariantPath::GrantLane => 1.0,
        VariantPath::HgetLane => 2.0,
        _ => 0.0,
    }
}

fn variant(name: &str, path: VariantPath, p50: f64) -> VariantSummary {
    let mut commands = BTreeMap::from([("fcall".to_owned(), 1.0), ("hget".to_owned(), hgets(path))]);
    if path == VariantPath::HmgetLane {
        commands.insert("hmget".into(), 1.0);
    }
    VariantSummary {
        name: name.into(),
        path,
        outcomes: Outcomes { claimed: 10_000, ..Outcomes::default() },
        throughput_per_s: 1e6 / p50,
        service_us: Some(latency(p50)),
        response_us: None,
        send_lag_us: None,
        resume_us: None,
        steps: Vec::new(),
        server: ServerCost {
            main_thread_cpu_us_per_claim: Some(61.0),
            round_trips_per_claim: commands.values().sum(),
            commands_per_claim: commands.clone(),
            calls_per_claim: commands,
            bytes_in_per_claim: 1_310.0,
            bytes_out_per_claim: 152.5,
        },
    }
}

fn latency(p50: f64) -> LatencySummary {
    LatencySummary {
        count: 10_000,
        mean: p50 * 1.1,
        p50,
        p90: p50 * 1.5,
        p95: p50 * 1.8,
        p99: p50 * 2.7,
        p999: p50 * 6.0,
        max: p50 * 40.0,
        p50_interval: Some(estimate(p50, p50 * 0.99, p50 * 1.01)),
    }
}

fn arm_record(name: &str, path: VariantPath, p50: f64) -> ArmRecord {
    let mut service = LatencyHistogram::default();
    service.record(Duration::from_secs_f64(p50 / 1e6));
    let commands = 1 + hgets(path) as u64 + u64::from(path == VariantPath::HmgetLane);
    ArmRecord {
        library: None,
        name: name.into(),
        path,
        outcomes: Outcomes { claimed: 10_000, ..Outcomes::default() },
        active_s: 10.0,
        service: service.encode(),
        response: Histogram(None),
        send_lag: Histogram(None),
        resume: Histogram(None),
        error_service: Histogram(None),
        steps: Vec::new(),
        wire: WireTotals {
            claims: 10_000,
            round_trips: 10_000 * commands,
            commands: 10_000 * commands,
            bytes_out: 13_100_000,
            bytes_in: 1_525_000,
        },
    }
}

fn compared(
    metric: &str,
    baseline: f64,
    candidate: f64,
    ratio: Option<(f64, f64, f64)>,
    verdict: Verdict,
) -> Comparison {
    Comparison {
        baseline: "grant-lane".into(),
        candidate: "hget-lane".into(),
        metric: Metric::find(metric).unwrap(),
        unit: "us".into(),
        baseline_value: baseline,
        candidate_value: candidate,
        ratio: ratio.map(|(value, low, high)| estimate(value, low, high)),
        difference: None,
        too_few: None,
        p_value: Some(0.0005),
        detectable: Some(0.01),
        verdict,
    }
}

fn exact(metric: &str, baseline: f64, candidate: f64) -> ExactMetric {
    ExactMetric {
        baseline: "grant-lane".into(),
        candidate: "hget-lane".into(),
        metric: metric.parse().unwrap(),
        baseline_value: baseline,
        candidate_value: candidate,
        equal: baseline.total_cmp(&candidate).is_eq(),
    }
}

fn estimate(estimate: f64, low: f64, high: f64) -> Estimate {
    Estimate { estimate, low, high, confidence: 0.95 }
}
