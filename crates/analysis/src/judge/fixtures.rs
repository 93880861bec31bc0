//! Records made in code, sound unless a test breaks them.

use std::time::Duration;

pub use super::calibration_fixture::{calibration_note, calibration_record, environment};
pub use super::noise_fixture::{Noise, spread};
use crate::record::{
    ArmRecord, Audit, CounterBlock, CounterDelta, GeneratorRecord, GeneratorUse, Histogram, LatencyHistogram,
    Outcomes, PrimaryRecord, RunRecord, Samples, SdkInfo, Staging, StepRecord, Stratum, StratumSide,
    TimelinePoint, Tool, WireTotals,
};
use crate::scenario::{Extras, Scenario, ScenarioFile, VariantPath, expected_cost};
use crate::stats::Latencies;

/// One arm of a simulated run.
#[derive(Clone, Copy)]
pub struct SimulatedArm {
    /// Its name.
    pub name: &'static str,
    /// Its way of claiming.
    pub path: VariantPath,
    /// Service times over the baseline's.
    pub slower: f64,
    /// Server CPU per claim, in microseconds.
    pub cpu_us: f64,
}

/// The usual baseline.
pub const GRANT_LANE: SimulatedArm =
    SimulatedArm { name: "grant-lane", path: VariantPath::GrantLane, slower: 1.0, cpu_us: 60.0 };
/// The usual candidate, a fifth slower.
pub const HGET_LANE: SimulatedArm =
    SimulatedArm { name: "hget-lane", path: VariantPath::HgetLane, slower: 1.2, cpu_us: 75.0 };
/// A candidate with a round trip less, a tenth faster.
pub const FULL_GRANT: SimulatedArm =
    SimulatedArm { name: "full-grant", path: VariantPath::FullGrant, slower: 0.9, cpu_us: 50.0 };
/// The baseline's twin.
pub const TWIN: SimulatedArm = SimulatedArm { name: "twin", ..GRANT_LANE };

const STRATA: u32 = 60;
const CLAIMS_PER_SIDE: u32 = 100;
const BLOCKS: u32 = 12;
const CLAIMS_PER_BLOCK: u64 = 200;

/// The scenario that fits [`record`], as its record holds it.
pub fn file(arms: &[SimulatedArm]) -> ScenarioFile {
    let variants: Vec<_> =
        arms.iter().map(|arm| serde_json::json!({ "name": arm.name, "path": arm.path })).collect();
    let mut text = serde_json::json!({
        "schema": 1,
        "name": "lane-ab",
        "summary": "What carrying lane_id in the grant saves",
        "load": { "claims": u64::from(STRATA * CLAIMS_PER_SIDE) * arms.len() as u64 },
        "variant": variants,
    });
    if arms.len() > 1 {
        text["compare"] = serde_json::json!({
            "strata": STRATA, "counter_blocks": BLOCKS, "block_claims": CLAIMS_PER_BLOCK
        });
    }
    let mut file: ScenarioFile = serde_json::from_value(text).unwrap();
    file.resolve();
    file
}

/// What [`file`] means.
pub fn scenario(arms: &[SimulatedArm]) -> Scenario {
    Scenario::try_from(&file(arms)).unwrap()
}

/// A sound run of these arms, the first one being the baseline. One arm alone has no strata and no blocks,
/// like a run without a comparison; its timeline has the claims per second instead.
pub fn record(arms: &[SimulatedArm], seed: u64) -> RunRecord {
    let mut noise = Noise::new(seed);
    let (mut strata, histograms) = strata(arms, &mut noise);
    let arm_records: Vec<_> =
        arms.iter().zip(&histograms).map(|(arm, histogram)| arm_record(arm, histogram)).collect();
    let claims: u64 = arm_records.iter().map(|arm| arm.outcomes.claimed).sum();
    let mut timeline = Vec::new();
    let mut blocks = blocks(arms, &mut noise);
    if arms.len() == 1 {
        strata.clear();
        blocks.clear();
        timeline = seconds(&arms[0], &mut noise);
    }
    RunRecord {
        tool: Tool { version: "0.1.0".into(), commit: "0123456".into(), debug_build: false },
        scenario: file(arms),
        seed,
        plan_sha256: "00".repeat(32),
        started: "2026-01-02T03:04:05Z".into(),
        duration_s: 12.5,
        partial: false,
        environment: environment(),
        clusters: Vec::new(),
        staging: Staging::default(),
        arms: arm_records,
        strata,
        blocks,
        primaries: vec![primary(arms, claims)],
        added_rtt: None,
        offered: None,
        storm: None,
        injected: None,
        generator: None,
        calibration: None,
        longest_gap_s: None,
        stalled_s: None,
        part: None,
        generators: Vec::new(),
        rulers_unanswered: 0,
        ruler_command: None,
        events: Vec::new(),
        aborted: None,
        timeline,
        window: None,
        audit: Audit {
            grants_issued: claims,
            claimed: claims,
            executions_checked: 4_000,
            ..Audit::default()
        },
        runs_before: Vec::new(),
        invalid_reasons: Vec::new(),
        warnings: Vec::new(),
    }
}

/// The one server, which counted all claims of the window.
fn primary(arms: &[SimulatedArm], claims: u64) -> PrimaryRecord {
    PrimaryRecord {
        addr: "127.0.0.1:7000".into(),
        cluster: None,
        partitions: 256,
        claims,
        counters: counters(arms, claims / arms.len() as u64, 60.0 * claims as f64),
        redirects: std::collections::BTreeMap::new(),
        unanswered: None,
        connections_lost: 0,
    }
}

/// Strata in turns with those of the control, and each arm's times in the former.
fn strata(arms: &[SimulatedArm], noise: &mut Noise) -> (Vec<Stratum>, Vec<LatencyHistogram>) {
    let mut histograms = vec![LatencyHistogram::default(); arms.len()];
    let mut strata = Vec::new();
    for number in 0..2 * STRATA {
        let control = number % 2 == 1;
        let sides: Vec<usize> = if control { vec![0, 0] } else { (0..arms.len()).collect() };
        let sides = sides
            .into_iter()
            .map(|arm| {
                let mut service = Samples::default();
                for _ in 0..CLAIMS_PER_SIDE {
                    let time = noise.service(arms[arm].slower);
                    service.push(time);
                    if !control {
                        histograms[arm].record(time);
                    }
                }
                StratumSide { arm: arm as u32, service }
            })
            .collect();
        strata.push(Stratum { control, sides, apart: false, ruler: None });
    }
    (strata, histograms)
}

fn arm_record(arm: &SimulatedArm, service: &LatencyHistogram) -> ArmRecord {
    let claims = service.count();
    ArmRecord {
        library: None,
        sdk: None,
        handover_p50_us: None,
        name: arm.name.into(),
        path: arm.path,
        outcomes: Outcomes { claimed: claims, ..Outcomes::default() },
        active_s: 10.0,
        service: service.encode(),
        response: Histogram(None),
        send_lag: Histogram(None),
        resume: Histogram(None),
        error_service: Histogram(None),
        steps: Vec::new(),
        wire: wire(arm.path, claims),
        unreplicated: 0,
        late: Outcomes::default(),
    }
}

fn wire(path: VariantPath, claims: u64) -> WireTotals {
    let cost = expected_cost(path, Extras::default());
    let commands = claims * u64::from(cost.commands.values().sum::<u32>());
    WireTotals {
        claims,
        round_trips: claims * u64::from(cost.round_trips),
        commands,
        bytes_out: 900 * claims + 80 * commands,
        bytes_in: 120 * claims + 10 * commands,
    }
}

/// Has each arm of a record make so many claims, as its servers and its audit count them. Its times stay:
/// their number is up to who asks for this.
pub fn claim_each(record: &mut RunRecord, arms: &[SimulatedArm], claims: u64) {
    for (own, simulated) in record.arms.iter_mut().zip(arms) {
        own.outcomes.claimed = claims;
        own.wire = wire(simulated.path, claims);
    }
    let all = claims * arms.len() as u64;
    record.primaries = vec![primary(arms, all)];
    (record.audit.grants_issued, record.audit.claimed) = (all, all);
}

fn blocks(arms: &[SimulatedArm], noise: &mut Noise) -> Vec<CounterBlock> {
    (0..BLOCKS)
        .flat_map(|group| (0..arms.len()).map(move |arm| (group, arm)))
        .map(|(group, arm)| {
            let simulated = &arms[arm];
            let cpu = simulated.cpu_us * CLAIMS_PER_BLOCK as f64 * (0.005 * noise.normal()).exp();
            CounterBlock {
                group,
                arm: arm as u32,
                claims: CLAIMS_PER_BLOCK,
                duration_s: 0.04 * simulated.slower * (0.01 * noise.normal()).exp(),
                counters: counters(&arms[arm..=arm], CLAIMS_PER_BLOCK, cpu),
                ..CounterBlock::default()
            }
        })
        .collect()
}

fn seconds(arm: &SimulatedArm, noise: &mut Noise) -> Vec<TimelinePoint> {
    (1..=30)
        .map(|second| TimelinePoint {
            t_s: f64::from(second),
            claimed: (5_000.0 / arm.slower * (0.01 * noise.normal()).exp()) as u64,
            p50_us: Some(200.0 * arm.slower),
            p99_us: Some(265.0 * arm.slower),
            ..TimelinePoint::default()
        })
        .collect()
}

fn counters(arms: &[SimulatedArm], claims_each: u64, cpu_us: f64) -> CounterDelta {
    let fcall = claims_each * arms.len() as u64;
    let mut sent = std::collections::BTreeMap::<String, u64>::new();
    for (command, each) in arms.iter().flat_map(|arm| expected_cost(arm.path, Extras::default()).commands) {
        *sent.entry(command.to_owned()).or_default() += u64::from(each) * claims_each;
    }
    let inside = [("hset".to_owned(), 3 * fcall), ("zrem".to_owned(), fcall), ("info".to_owned(), 1)];
    CounterDelta {
        calls: sent.clone().into_iter().chain(inside).collect(),
        sent,
        by_functions: std::collections::BTreeMap::new(),
        main_thread_cpu_us: cpu_us,
        main_thread_clock: None,
        process_cpu_us: cpu_us * 1.1,
        net_in_bytes: fcall * 1_000,
        net_out_bytes: fcall * 150,
        fcall_us: 0,
    }
}

/// Gives an arm's claims round trips of these titles, each of them this share of every claim's mean.
pub fn timed_steps(arm: &mut ArmRecord, parts: &[(&str, f64)]) {
    let service = Latencies::decode(&arm.service).unwrap().unwrap();
    let step = |(title, share): &(&str, f64)| {
        let mut histogram = LatencyHistogram::default();
        let mean = Duration::from_secs_f64(share * service.mean_us() / 1e6);
        (0..service.count()).for_each(|_| histogram.record(mean));
        StepRecord { title: (*title).to_owned(), time: histogram.encode() }
    };
    arm.steps = parts.iter().map(step).collect();
}

/// Has workers of their own make the claims of a record, all built against one SDK.
pub fn by_workers(record: &mut RunRecord) {
    let sdk = SdkInfo {
        source: "0.15.0".into(),
        version: "0.15.0".into(),
        commit: None,
        sha256: "ab".repeat(32),
        compiler: "rustc 1.93.0".into(),
    };
    for arm in &mut record.arms {
        arm.sdk = Some(sdk.clone());
    }
}

/// One of several generators of a run that lasted ten seconds: a thread that is busy for a fifth of them.
pub fn generator(part: u32) -> GeneratorRecord {
    GeneratorRecord {
        part,
        host: environment().host,
        claims: 1_500,
        used: GeneratorUse {
            window_s: 10.0,
            thread_cpu_s: 2.0,
            process_cpu_s: Some(2.1),
            servers_cpu_s: if part == 1 { 4.0 } else { 0.0 },
            ..GeneratorUse::default()
        },
        send_lag: Histogram(None),
        late_us: 0,
        late_in: 1,
        late_share: Some(0.0),
        longest_gap_s: None,
        stalled_s: None,
        service_p50_us: None,
        conditions: None,
    }
}
