//! Results of simulated runs: every figure in them follows from a record, as in a stored result.

use std::sync::OnceLock;
use std::time::Duration;

use reclaim_analysis::judge::fault_fixture;
use reclaim_analysis::judge::fixtures::{self, GRANT_LANE, HGET_LANE, SimulatedArm, spread};
use reclaim_analysis::judge::{RunResult, analyse};
use reclaim_analysis::record::{
    CalibratedLag, CalibrationNote, CalibrationRecord, Disturbance, GeneratorUse, Histogram, InvalidReason,
    LatencyHistogram, LevelRecord, LevelRound, Offered, RetryCause, RunRecord, StormRecord, TimelinePoint,
    Warning,
};
use reclaim_analysis::scenario::{self, ArrivalsForm, ModelForm, Ramp, ScenarioFile, Shipped, VariantPath};

const HMGET_LANE: SimulatedArm =
    SimulatedArm { name: "hmget-lane", path: VariantPath::HmgetLane, ..GRANT_LANE };
const FULL_GRANT: SimulatedArm =
    SimulatedArm { name: "full-grant", path: VariantPath::FullGrant, slower: 0.76, cpu_us: 55.0 };
const FUSED: SimulatedArm =
    SimulatedArm { name: "fused", path: VariantPath::Fused, slower: 0.84, cpu_us: 70.0 };

/// The result of a simulated run, after a change of what it measured.
fn run(arms: &[SimulatedArm], change: impl FnOnce(&mut RunRecord)) -> RunResult {
    let mut record = fixtures::record(arms, 1);
    change(&mut record);
    analyse(record).unwrap()
}

/// The headline run: a difference, and a control that passed.
pub fn lane_ab() -> RunResult {
    static RUN: OnceLock<RunResult> = OnceLock::new();
    RUN.get_or_init(|| run(&[GRANT_LANE, HGET_LANE], |_| ())).clone()
}

/// Several candidates, `fused` among them.
pub fn claim_paths() -> RunResult {
    run(&[GRANT_LANE, HMGET_LANE, FULL_GRANT, FUSED], |record| record.scenario.name = "claim-paths".into())
}

/// Interruptions, scanner and claims together; one arm.
pub fn churn() -> RunResult {
    run(&[GRANT_LANE], |record| {
        record.scenario = shipped("steady");
        record.arms[0].resume = spread(record.arms[0].outcomes.claimed, 3_100.0, 1);
        record.arms[0].outcomes.timed_out = 3;
    })
}

/// Everything resumed at once; some claims were made again, and one execution never got its lease.
pub fn storm() -> RunResult {
    run(&[GRANT_LANE], |record| {
        record.scenario = shipped("storm");
        record.scenario.population.executions = 6_003;
        let arm = &mut record.arms[0];
        arm.resume = spread(arm.outcomes.claimed, 900_000.0, 2);
        (arm.outcomes.timed_out, arm.outcomes.ambiguous) = (4, 2);
        record.storm = Some(StormRecord {
            executions: arm.outcomes.claimed + 3,
            held: arm.outcomes.claimed + 2,
            given_up: 1,
            last_signal_us: Some(1_250_000.0),
            signals_answered_us: Some(1_260_000.0),
            retries: [(RetryCause::Unanswered, 4), (RetryCause::GrantGone, 1)].into(),
        });
    })
}

/// The scenario of a name, as it ships.
fn shipped(name: &str) -> ScenarioFile {
    let shipped = Shipped::find(name).unwrap();
    scenario::parse(name, shipped.text).unwrap().file().clone()
}

/// Times as an open loop has them.
fn answer_on_schedule(record: &mut RunRecord) {
    let claims = record.arms[0].outcomes.claimed;
    record.arms[0].response = spread(claims, 310.0, 3);
    record.arms[0].send_lag = spread(claims, 12.0, 4);
}

/// An open loop.
pub fn open_loop() -> RunResult {
    run(&[GRANT_LANE], offer)
}

fn offer(record: &mut RunRecord) {
    let load = &mut record.scenario.load;
    (load.model, load.concurrency) = (ModelForm::Open, None);
    (load.rate, load.arrivals) = (Some(600.0), Some(ArrivalsForm::Poisson));
    record.scenario.population.executions = 20_000;
    answer_on_schedule(record);
}

/// The same load by three generators on two machines, one of which had no time left and began late.
pub fn generators() -> RunResult {
    run(&[GRANT_LANE], |record| {
        offer(record);
        record.generators = (1..=3).map(fixtures::generator).collect();
        for one in &mut record.generators {
            one.host.boot = Some(if one.part < 3 { "first".into() } else { "second".into() });
            one.claims = 2_000;
            one.send_lag = spread(one.claims, 12.0, u64::from(one.part));
        }
        let last = &mut record.generators[2];
        (last.used.thread_cpu_s, last.late_us, last.late_in) = (9.1, 62_000, 1);
    })
}

/// Figures that must not be used, for every reason that one run can have.
pub fn invalid() -> RunResult {
    run(&[GRANT_LANE, HGET_LANE], |record| {
        *record.primaries[0].counters.calls.get_mut("hget").unwrap() += 7;
        record.arms[1].wire.commands -= record.arms[1].wire.claims / 2;
        record.audit.lost = 2;
        record.audit.claimed -= 2;
        record.audit.examples = vec!["execution {fp:7}:abc was never claimed".into()];
        record.arms[1].outcomes.failed = 900;
        record.invalid_reasons = vec![
            InvalidReason::ServerChanged {
                primary: "127.0.0.1:7001".into(),
                detail: "run_id differs".into(),
            },
            InvalidReason::Infrastructure { detail: "the connection to 127.0.0.1:7002 broke".into() },
        ];
    })
}

/// Ctrl-C in the window: one arm had not had its turn.
pub fn partial() -> RunResult {
    run(&[GRANT_LANE, HGET_LANE], |record| {
        record.partial = true;
        record.strata.truncate(2);
        record.blocks.clear();
        let late = &mut record.arms[1];
        (late.outcomes.dropped, late.outcomes.claimed) = (late.outcomes.claimed, 0);
        (late.service, late.active_s) = (Histogram(None), 0.0);
        late.wire = reclaim_analysis::record::WireTotals::default();
    })
}

/// The baseline differs from itself.
pub fn control_failed() -> RunResult {
    run(&[GRANT_LANE, HGET_LANE], |record| {
        for stratum in record.strata.iter_mut().filter(|stratum| stratum.control) {
            stratum.sides[1].service.0.iter_mut().for_each(|ticks| *ticks += *ticks / 25);
        }
    })
}

/// A run that has much to say against itself, without a fault.
pub fn warned() -> RunResult {
    run(&[GRANT_LANE, HGET_LANE], |record| {
        record.calibration = Some(CalibrationNote {
            measured: "2026-01-01T00:00:00Z".into(),
            in_flight: 1,
            ceiling_per_sec: 15_000.0,
            client_cpu_us_per_request: 4.2,
            round_trip_overhead_us: Some(11.5),
            send_lag: Some(CalibratedLag { rate_per_sec: 2_000.0, p99_us: 85.0 }),
            disturbed: vec![Disturbance::OthersBusy { share: 0.384 }],
        });
        record.tool.debug_build = true;
        record.arms[0].outcomes.failed = 3;
        record.generator = Some(GeneratorUse {
            window_s: 10.0,
            thread_cpu_s: 9.3,
            process_cpu_s: Some(9.3),
            servers_cpu_s: 4.0,
            machine_cpu_s: Some(17.3),
            stolen_cpu_s: Some(0.8),
            ..GeneratorUse::default()
        });
        record.warnings = vec![
            Warning::SharedMachine { cores: 2 },
            Warning::BusyMachine { share: 0.2 },
            Warning::LeftOver { keys: 12 },
        ];
    })
}

/// A rate that climbs for 18 of 20 seconds; from the 16th second on the response times grow tenfold.
pub fn ramp() -> RunResult {
    run(&[GRANT_LANE], |record| {
        answer_on_schedule(record);
        record.scenario = shipped("ramp");
        let ramp = Ramp::new(400.0, 3_000.0, Duration::from_secs(18));
        record.arms[0].active_s = 20.0;
        record.offered = Some(Offered { claims: 36_600, schedule_s: ramp.time_of(36_599.0) });
        record.timeline = (0..20).map(|second| climbing(&ramp, second)).collect();
    })
}

fn climbing(ramp: &Ramp, second: u32) -> TimelinePoint {
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
        stock: 41_000 - ramp.count_until(end) as u64,
        primary_cpu: vec![0.04 * end, 0.045 * end],
        ..TimelinePoint::default()
    }
}

/// A primary was killed, its replica took over, and two claims were lost with it.
pub fn failover() -> RunResult {
    analyse(fault_fixture::killed()).unwrap()
}

/// What the generator can do, measured with nothing but the counts.
pub fn calibration_record() -> CalibrationRecord {
    let record = fixtures::calibration_record();
    CalibrationRecord {
        levels: vec![LevelRecord {
            in_flight: 64,
            connections: 1,
            rounds: vec![LevelRound { requests: 10_000, seconds: 0.1, client_cpu_s: 0.09 }],
            service: spread(10_000, 600.0, 5),
        }],
        send_lag: Vec::new(),
        round_trip: None,
        sent: 10_000,
        counted: 10_000,
        generator: None,
        ..record
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
        ("generators", generators()),
        ("invalid", invalid()),
        ("partial", partial()),
        ("control_failed", control_failed()),
        ("warned", warned()),
        ("ramp", ramp()),
        ("failover", failover()),
    ]
}
