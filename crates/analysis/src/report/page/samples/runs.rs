//! Made-up results of runs.

use std::sync::OnceLock;
use std::time::Duration;

use super::window::{counted, lasting};
use crate::judge::fault_fixture::killed;
use crate::judge::fixtures::{
    GRANT_LANE, HGET_LANE, Noise, SimulatedArm, TWIN, claim_each, generator, record, scenario, spread,
    timed_steps,
};
use crate::judge::network_fixture::longer_round_trips;
use crate::judge::profile_fixture::{Truth, profiled};
use crate::judge::{self, RunResult, analyse, analyse_as};
use crate::record::{
    CounterBlock, Histogram, InvalidReason, LatencyHistogram, RedirectKind, RetryCause, RunRecord,
    StormRecord, Warning, WindowEvent, WindowEventKind,
};
use crate::scenario::{ArrivalsForm, Mode, ModelForm};

/// A primary was killed under load.
pub(super) fn failover() -> RunResult {
    let mut record = killed();
    lasting(&mut record, 20.0);
    let Some(injected) = &record.injected else { unreachable!("it went through a fault") };
    let per_second = (1.0 / injected.slice_s).round() as usize;
    let struck_s = injected.faults[0].wanted_s;
    // The claims that waited succeed together, in the end. Response times are those of the claims that were due.
    for (second, slices) in record.timeline.iter_mut().zip(injected.slices.chunks(per_second)) {
        second.claimed = slices.iter().map(|slice| slice.claimed).sum();
        let mut response = LatencyHistogram::default();
        for slice in slices {
            response.add(&slice.response).unwrap();
        }
        (second.response_p50_us, second.response_p99_us) =
            (response.quantile_us(0.5), response.quantile_us(0.99));
    }
    errors_within(&mut record, struck_s as usize);
    analyse(record).unwrap()
}

/// Has all claims that did not succeed end in one second of the window, by its number from 0.
fn errors_within(record: &mut RunRecord, second: usize) {
    let errors: u64 = record.timeline.iter_mut().map(|point| std::mem::take(&mut point.errors)).sum();
    record.timeline[second].errors = errors;
}

/// Text that would be markup if it were not escaped.
pub const HOSTILE: &str =
    "<script>alert('x')</script>\"><img src=http://example.invalid/x onerror=alert(1)>&amp;]]>";

/// The window of a comparison ends within a second.
const AB_S: f64 = 9.4;

const AB: [SimulatedArm; 2] = [GRANT_LANE, HGET_LANE];

fn ab(seed: u64, change: impl FnOnce(&mut RunRecord)) -> RunResult {
    let mut record = record_of_ab(seed);
    change(&mut record);
    analyse(record).unwrap()
}

fn record_of_ab(seed: u64) -> RunRecord {
    let mut record = record(&AB, seed);
    steps_of_ab(&mut record);
    lasting(&mut record, AB_S);
    record
}

fn steps_of_ab(record: &mut RunRecord) {
    let index = ("HGET current_attempt_index", 0.36);
    timed_steps(&mut record.arms[0], &[index, ("FCALL ff_claim_resumed_execution", 0.6)]);
    let lane = [("HGET lane_id", 0.27), index, ("FCALL ff_claim_resumed_execution", 0.34)];
    timed_steps(&mut record.arms[1], &lane);
}

/// One of the same comparison, made with another seed.
pub(super) fn another_ab(seed: u64) -> RunResult {
    ab(seed, |_| ())
}

/// A comparison as most are.
pub fn lane_ab() -> RunResult {
    lane_ab_but(|_| ())
}

/// The same of a record that something was done to before it was judged.
pub fn lane_ab_but(change: impl FnOnce(&mut RunRecord)) -> RunResult {
    ab(1, change)
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
    let (failed, elsewhere) = (59, 1);
    let mut record = offered(slower, seed, 90, failed + elsewhere);
    let outcomes = &mut record.arms[0].outcomes;
    outcomes.timed_out = failed;
    outcomes.redirected.insert(RedirectKind::Moved, elsewhere);
    lasting(&mut record, 90.0);
    // Next to none in the second that begins with the stall; what was due in it comes in the next one.
    let late = record.timeline[40].claimed / 10 * 9;
    record.timeline[40].claimed -= late;
    record.timeline[41].claimed += late;
    errors_within(&mut record, 40);
    record.events = [
        (40.1, WindowEventKind::StallBegan),
        (40.4, WindowEventKind::FirstTimedOut),
        (40.6, WindowEventKind::FirstRedirected { redirect: RedirectKind::Moved }),
        (41.1, WindowEventKind::StallEnded),
    ]
    .map(|(t_s, what)| WindowEvent { t_s, what })
    .to_vec();
    analyse(record).unwrap()
}

/// So many seconds of an open loop, in which all of its claims but these succeed.
fn offered(slower: f64, seed: u64, seconds: u32, unsuccessful: u64) -> RunRecord {
    const PER_S: u32 = 200;
    let mut record = record(&[GRANT_LANE], seed);
    let load = &mut record.scenario.load;
    (load.model, load.concurrency) = (ModelForm::Open, None);
    (load.rate, load.arrivals) = (Some(f64::from(PER_S)), Some(ArrivalsForm::Poisson));
    let claims = u64::from(PER_S * seconds);
    load.claims = Some(claims);
    record.scenario.population.executions = 20_000;
    let claimed = claims - unsuccessful;
    claim_each(&mut record, &[GRANT_LANE], claimed);
    // Claims that had no effect have left their grants.
    record.audit.grants_issued += unsuccessful;
    record.audit.outstanding += unsuccessful;
    let arm = &mut record.arms[0];
    (arm.service, arm.response, arm.send_lag) = (
        spread(claimed, 190.0 * slower, seed),
        spread(claimed, 260.0 * slower, seed),
        spread(claimed, 8.0, seed),
    );
    record
}

/// One of many nights: half a minute of the same, so much slower.
pub(super) fn night(number: u32, slower: f64) -> RunResult {
    let mut record = offered(slower, u64::from(number), 30, 0);
    record.started = format!("2026-01-{:02}T02:00:00Z", number + 1);
    record.tool.commit = format!("{:07x}", 0x1234 + number * 97);
    lasting(&mut record, 30.0);
    analyse(record).unwrap()
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

/// Ten million claims of twenty variants within an hour; compared by the usual samples.
pub fn hour() -> RunResult {
    const EACH: u64 = 500_000;
    let arms = twenty_arms();
    let mut record = record(&arms, 3);
    claim_each(&mut record, &arms, EACH);
    record.scenario.load.claims = Some(EACH * arms.len() as u64);
    record.scenario.population.executions = 200_000;
    for (n, arm) in record.arms.iter_mut().enumerate() {
        let clock = |median: f64| {
            let mut noise = Noise::new(n as u64);
            let mut histogram = LatencyHistogram::default();
            // A few thousand different values, each many times.
            for _ in 0..2_000 {
                let time = Duration::from_secs_f64(median * (0.3 * noise.normal()).exp() / 1e6);
                (0..EACH / 2_000).for_each(|_| histogram.record(time));
            }
            histogram.encode()
        };
        (arm.service, arm.response) = (clock(190.0), clock(260.0));
        (arm.send_lag, arm.resume) = (clock(15.0), clock(900.0));
    }
    lasting(&mut record, 3_600.0);
    analyse(record).unwrap()
}

/// As many claims within a day.
#[cfg(test)]
pub fn within_a_day(mut record: RunRecord) -> RunResult {
    lasting(&mut record, 86_400.0);
    analyse(record).unwrap()
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
        lasting(record, 3.4);
    })
}

/// Damaged, and with values that no run has.
pub(super) fn broken() -> RunResult {
    ab(6, |record| {
        record.arms[0].service = Histogram(Some("AAAA".into()));
        record.timeline[3].p99_us = Some(f64::NAN);
        record.timeline[4].t_s = 2.0;
        record.primaries.clear();
        for block in record.blocks.iter_mut().filter(|block| block.arm == 1) {
            block.counters.calls.clear();
            block.counters.sent.clear();
        }
    })
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
    static SOUND: OnceLock<RunRecord> = OnceLock::new();
    let mut record = SOUND.get_or_init(|| record_of_ab(8)).clone();
    for text in [&mut record.scenario.name, &mut record.scenario.summary, &mut record.environment.host.cpu] {
        name.clone_into(text);
    }
    name.clone_into(&mut record.primaries[0].addr);
    record.audit.examples = vec![name.to_owned()];
    record.warnings.push(Warning::Note { text: name.to_owned() });
    for (arm, section) in record.arms.iter_mut().zip(&mut record.scenario.variants) {
        arm.name.push_str(name);
        section.name.clone_from(&arm.name);
    }
    // Commands are listed by name, and this one always has the same place.
    for CounterBlock { claims, counters, .. } in &mut record.blocks {
        counters.calls.insert(format!("k{name}"), *claims);
    }
    // A file with such a name is refused: its scenario is that of the sound one.
    let mut scenario = scenario(&AB);
    let baseline = &record.arms[0].name;
    scenario.compare.as_mut().unwrap().baseline.clone_from(baseline);
    record.scenario.compare.as_mut().unwrap().baseline = Some(baseline.clone());
    analyse_as(record, &scenario)
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
    lasting(&mut record, 4.0);
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
        longer_round_trips(record, 520.0);
        record.added_rtt.iter_mut().for_each(|added| added.asked_us = 500.0);
        steps_of_ab(record);
        lasting(record, 46.4);
    })
}

/// By three generators on two machines, of which the second one was busy.
pub(super) fn several_generators() -> RunResult {
    ab(11, |record| {
        record.generators = (1..=3).map(generator).collect();
        let (second, third) = (1, 2);
        record.generators[second].used.thread_cpu_s = 9.2;
        let claimed = counted(record).claimed;
        for one in &mut record.generators {
            (one.claims, one.used.window_s) = (claimed / 3, AB_S);
        }
        for (one, boot) in record.generators.iter_mut().zip(["one", "one", "another"]) {
            one.host.boot = Some(boot.into());
        }
        (record.generators[third].late_us, record.generators[third].late_in) = (1_850, 4);
    })
}
