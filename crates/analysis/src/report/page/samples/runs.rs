//! Made-up results of runs.

use std::sync::OnceLock;
use std::time::Duration;

use crate::judge::fault_fixture::killed;
use crate::judge::fixtures::{
    GRANT_LANE, HGET_LANE, Noise, SimulatedArm, TWIN, generator, record, scenario, spread, timed_steps,
};
use crate::judge::profile_fixture::{Truth, profiled};
use crate::judge::{self, Comparison, RunResult, analyse, analyse_as};
use crate::record::{
    AddedRoundTrip, Histogram, InvalidReason, LatencyHistogram, Outcomes, RedirectKind, RetryCause,
    RunRecord, StormRecord, TimelinePoint, Warning, WindowEvent, WindowEventKind, WindowTotals,
};
use crate::scenario::{ArrivalsForm, Mode, ModelForm};

/// A primary was killed under load.
pub(super) fn failover() -> RunResult {
    let mut record = killed();
    record.timeline = window(20, 3);
    analyse(record).unwrap()
}

/// Text that would be markup if it were not escaped.
pub const HOSTILE: &str =
    "<script>alert('x')</script>\"><img src=http://example.invalid/x onerror=alert(1)>&amp;]]>";

fn ab(seed: u64, change: impl FnOnce(&mut RunRecord)) -> RunResult {
    let arms = [GRANT_LANE, HGET_LANE];
    let mut record = record(&arms, seed);
    record.timeline = window(30, 3);
    ends_within_a_second(&mut record, 0.4);
    let index = ("HGET current_attempt_index", 0.36);
    timed_steps(&mut record.arms[0], &[index, ("FCALL ff_claim_resumed_execution", 0.6)]);
    let lane = [("HGET lane_id", 0.27), index, ("FCALL ff_claim_resumed_execution", 0.34)];
    timed_steps(&mut record.arms[1], &lane);
    change(&mut record);
    analyse_as(record, &scenario(&arms))
}

/// One of the same comparison, made with another seed.
pub(super) fn another_ab(seed: u64) -> RunResult {
    ab(seed, |_| ())
}

/// A comparison as most are.
pub fn lane_ab() -> RunResult {
    ab(1, |_| ())
}

pub(super) fn equal() -> RunResult {
    let arms = [GRANT_LANE, TWIN];
    analyse_as(record(&arms, 2), &scenario(&arms))
}

/// One variant in an open loop, with a window in which things happened.
pub(super) fn single() -> RunResult {
    open_loop(1.0, 90)
}

pub(super) fn slower() -> RunResult {
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

/// The window ended so far into its last second.
fn ends_within_a_second(record: &mut RunRecord, part_s: f64) {
    let active_s = record.timeline.len() as f64 - 1.0 + part_s;
    if let Some(last) = record.timeline.last_mut() {
        last.claimed = (last.claimed as f64 * part_s) as u64;
        last.part_s = Some(part_s);
    }
    let claimed = record.timeline.iter().map(|point| point.claimed).sum();
    let outcomes = Outcomes { claimed, ..Outcomes::default() };
    record.window = Some(WindowTotals { active_s, outcomes, ..WindowTotals::default() });
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

pub(super) fn twenty() -> RunResult {
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

pub(super) fn invalid() -> RunResult {
    ab(4, |record| {
        record.audit.lost = 2;
        record.audit.claimed -= 2;
        record.audit.examples = vec!["execution {fp:7}:abc was never claimed".into()];
        record
            .invalid_reasons
            .push(InvalidReason::Infrastructure { detail: "the connection to 127.0.0.1:7002 broke".into() });
        record.warnings.push(Warning::DebugBuild);
    })
}

/// Ctrl-C in the window: little is there, and one variant never had its turn.
pub(super) fn partial() -> RunResult {
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
pub(super) fn broken() -> RunResult {
    let mut result = ab(6, |record| {
        record.arms[0].service = Histogram(Some("AAAA".into()));
        record.timeline[3].p99_us = Some(f64::NAN);
        record.timeline[4].t_s = 2.0;
        record.primaries.clear();
    });
    result.variants[1].server.calls_per_claim.clear();
    result
}

pub(super) fn control_failed() -> RunResult {
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
    result.record.invalid_reasons = vec![InvalidReason::Infrastructure { detail: name.to_owned() }];
    result.invalid_reasons.clone_from(&result.record.invalid_reasons);
    result
}

/// Two libraries, the second with one call more.
pub(super) fn profile() -> RunResult {
    let mut candidate = Truth::default();
    candidate.commands.insert("HGET", (1, 3.0));
    judge::analyse(profiled(&[Truth::default(), candidate])).unwrap()
}

pub(super) fn storm() -> RunResult {
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

pub(super) fn simulated_network() -> RunResult {
    ab(10, |record| {
        record.added_rtt = Some(AddedRoundTrip { asked_us: 500.0, given: spread(1_000, 520.0, 2) });
    })
}

/// By three generators on two machines, of which the second one was busy.
pub(super) fn several_generators() -> RunResult {
    ab(11, |record| {
        record.generators = (1..=3).map(generator).collect();
        let (second, third) = (1, 2);
        record.generators[second].used.thread_cpu_s = 9.2;
        for (one, boot) in record.generators.iter_mut().zip(["one", "one", "another"]) {
            one.host.boot = Some(boot.into());
        }
        (record.generators[third].late_us, record.generators[third].late_in) = (1_850, 4);
    })
}
