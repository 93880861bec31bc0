//! Several generators in one run: each by itself, for a sum hides that one of them was the limit.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::latency_summary::{LatencySummary, latency};
use super::send_lag::{SendLag, of_arms, of_generator};
use super::validity::stall::done_early;
use crate::record::{
    GENERATOR_BUSY, GeneratorRecord, GeneratorUse, InvalidReason, MachineUse, RunRecord, Warning, by_machine,
    is_busy_generator,
};
use crate::scenario::Scenario;

/// How much later than the first a generator may begin a window, in microseconds. Clocks of machines are
/// compared over a round trip, and on a busy machine threads wake some milliseconds late: less than this is
/// no finding.
pub const MOST_LATE_US: u64 = 50_000;

/// Share of the time of all windows and blocks that may be over when a generator begins them. Blocks are
/// short: of one that lasts 20 ms a generator that comes 10 ms late has missed half, and the others had fewer
/// claims in flight than they were to have. Less than this is within what is left out at the beginning of a
/// block, a fifth of all its claims.
pub const MOST_LATE_SHARE: f64 = 0.1;

/// By so many seconds generators' seconds may be apart before it is worth a word: what stands in one second of
/// the timeline is then of two.
const APART_S: f64 = 0.5;

/// One of several generators in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GeneratorSummary {
    /// Which part, from 1.
    pub part: u32,
    /// Its machine, numbered from 1: those with the same number shared the machine's cores.
    pub machine: u32,
    /// Its share of the claims that succeeded.
    pub claims_share: f64,
    /// Share of the window that its thread ran; `None` where no window was measured.
    pub busy: Option<f64>,
    /// CPU of its thread per successful claim, in microseconds.
    pub cpu_us_per_claim: Option<f64>,
    /// sent - scheduled (open loop).
    pub send_lag_us: Option<LatencySummary>,
    /// Share of the time in which claims were made that was left when it was done with its own: from then on
    /// a closed loop's load was smaller. `None` where that is not worth a word, and in an open loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_early: Option<f64>,
    /// Whether it was the limit, and in what: of all whose thread had no time to spare, or that sent too
    /// late, the worst is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<GeneratorLimit>,
}

/// In what a generator was the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GeneratorLimit {
    /// Its thread had no time to spare.
    Busy,
    /// It sent later than claims may be sent.
    Late,
}

/// All of them; empty where one generator made the run.
pub(super) fn summarise(record: &RunRecord, scenario: &Scenario) -> Vec<GeneratorSummary> {
    let all: u64 = record.generators.iter().map(|one| one.claims).sum();
    let worst = limit(record, scenario);
    let machines = by_machine(&record.generators);
    let machine =
        |part| machines.iter().position(|machine| machine.parts.contains(&part)).unwrap_or_default();
    let early = done_early(record, scenario);
    let one = |generator: &GeneratorRecord| GeneratorSummary {
        part: generator.part,
        machine: machine(generator.part) as u32 + 1,
        claims_share: generator.claims as f64 / all.max(1) as f64,
        busy: busy(generator),
        cpu_us_per_claim: (generator.claims > 0)
            .then(|| 1e6 * generator.used.thread_cpu_s / generator.claims as f64),
        send_lag_us: latency(&generator.send_lag),
        done_early: early.iter().find(|(part, _)| *part == generator.part).map(|(_, share)| *share),
        limit: worst.filter(|(part, _)| *part == generator.part).map(|(_, limit)| limit),
    };
    record.generators.iter().map(one).collect()
}

/// The generator with the busiest thread, and how busy that was.
pub(super) fn busiest(record: &RunRecord) -> Option<(u32, f64)> {
    let all = record.generators.iter().filter_map(|one| Some((one.part, busy(one)?)));
    all.reduce(|a, b| if b.1 > a.1 { b } else { a })
}

/// What the generators on the first one's machine used together, with that machine's figures; of a single
/// generator its own.
pub(super) fn at_the_first(record: &RunRecord) -> Option<GeneratorUse> {
    let machines = by_machine(&record.generators);
    machines.first().map(|machine| machine.used).or(record.generator)
}

/// Generators on which the run's calibration says nothing; empty where there is none.
pub(crate) fn uncalibrated(record: &RunRecord) -> Vec<u32> {
    let others = record.generators.iter().filter(|one| !record.is_calibrated_for(one));
    others.filter(|_| record.calibration.is_some()).map(|one| one.part).collect()
}

/// By how much, at most, the generators' timelines had drifted apart in the end, in seconds. Each generator
/// counts only its own time, so one that ends a window or a block before the others has counted less than
/// they have. `None` where the drift is not worth a word or is unknown, and for a single window, which all
/// begin together.
pub(crate) fn seconds_apart(record: &RunRecord) -> Option<f64> {
    let several = !record.blocks.is_empty() || record.generators.iter().any(|one| one.late_in > 1);
    let of_all = record.window.as_ref().filter(|_| several).map_or(0.0, |window| window.active_s);
    let ahead = record.generators.iter().map(|one| of_all - one.used.window_s);
    Some(ahead.fold(0.0, f64::max)).filter(|apart_s| *apart_s > APART_S)
}

/// Share of the window that a generator's thread ran.
fn busy(generator: &GeneratorRecord) -> Option<f64> {
    let used = &generator.used;
    (used.window_s > 0.0).then(|| used.thread_cpu_s / used.window_s)
}

/// The one that was furthest beyond what a generator may be: busy for most of the window, or later than
/// claims may be sent.
fn limit(record: &RunRecord, scenario: &Scenario) -> Option<(u32, GeneratorLimit)> {
    let beyond = |generator: &GeneratorRecord| {
        let busy = busy(generator).map(|share| (share / GENERATOR_BUSY, GeneratorLimit::Busy));
        let late = of_generator(generator, record, scenario);
        let late = late.map(|lag| (lag.of_allowed(), GeneratorLimit::Late));
        [busy, late].map(|beyond| beyond.map(|(by, limit)| (by, (generator.part, limit))))
    };
    let all = record.generators.iter().flat_map(beyond).flatten().filter(|(by, _)| *by > 1.0);
    all.reduce(|a, b| if b.0 > a.0 { b } else { a }).map(|(_, worst)| worst)
}

/// Generators that began a window after the others, and those that began all of them so late that much of
/// their time was over.
pub(super) fn began_late(record: &RunRecord) -> impl Iterator<Item = InvalidReason> {
    let late = record.generators.iter().filter(|one| one.late_us > MOST_LATE_US);
    let once = late.map(|one| InvalidReason::BeganLate {
        part: one.part,
        window: one.late_in,
        late_us: one.late_us,
        limit_us: MOST_LATE_US,
    });
    let often = record.generators.iter().filter_map(|one| {
        let share = one.late_share.filter(|share| *share > MOST_LATE_SHARE)?;
        Some(InvalidReason::LateBeginnings { part: one.part, share, limit: MOST_LATE_SHARE })
    });
    once.chain(often)
}

/// Generators that sent too late: among the claims of all, those of one may be too few to show.
pub(super) fn sent_late(record: &RunRecord, scenario: &Scenario) -> impl Iterator<Item = InvalidReason> {
    record.generators.iter().filter_map(|one| {
        let lag = of_generator(one, record, scenario).filter(SendLag::is_too_late)?;
        Some(InvalidReason::OfGenerator { part: one.part, what: Box::new(lag.invalid_reason()) })
    })
}

/// What bears on the figures of several generators: of each of them, and of each machine with all that ran
/// there.
pub(super) fn warnings(record: &RunRecord, scenario: &Scenario) -> Vec<Warning> {
    let of = |part: u32, what: Warning| Warning::OfGenerator { part, what: Box::new(what) };
    let all_late = of_arms(record, scenario).any(|lag| lag.is_late());
    let mut warnings = Vec::new();
    for one in &record.generators {
        let busy = busy(one).filter(|share| is_busy_generator(*share));
        let late = of_generator(one, record, scenario).filter(|_| !all_late);
        warnings.extend(busy.map(|share| of(one.part, Warning::GeneratorBusy { share })));
        warnings.extend(late.and_then(|lag| lag.warning()).map(|late| of(one.part, late)));
    }
    let machines = by_machine(&record.generators);
    let several = machines.len() > 1;
    for machine in &machines {
        let named = |what| if several { of(machine.parts[0], what) } else { what };
        warnings.extend(of_machine(machine, record).into_iter().map(named));
    }
    warnings
}

fn of_machine(machine: &MachineUse<'_>, record: &RunRecord) -> Vec<Warning> {
    let cores = machine.host.cores;
    // The servers are seen from the first part's machine.
    let environment = &record.environment;
    let servers_here = environment.valkey.same_machine && environment.host.is_machine_of(machine.host);
    let used = GeneratorUse {
        // The first part reads them for all: on a machine that servers share with any generator they are no
        // other program.
        servers_cpu_s: record.generator.map_or(0.0, |all| all.servers_cpu_s),
        ..machine.used
    };
    Warning::of_cores_taken(&used, cores, servers_here)
}

#[cfg(test)]
mod tests {
    use super::super::analyse::analyse_as;
    use super::super::fixtures::{GRANT_LANE, file, generator, record};
    use super::super::result::RunResult;
    use super::*;
    use crate::record::{Histogram, LatencyHistogram};
    use crate::scenario::{ArrivalsForm, ModelForm};
    use std::time::Duration;

    /// A run of four generators, each of them idle and punctual, after a change.
    fn analysed(change: impl FnOnce(&mut RunRecord)) -> RunResult {
        let mut record = record(&[GRANT_LANE], 1);
        record.generators = (1..=4).map(generator).collect();
        record.generator = Some(GeneratorUse { servers_cpu_s: 4.0, ..generator(1).used });
        change(&mut record);
        let scenario = Scenario::try_from(&record.scenario).unwrap();
        analyse_as(record, &scenario)
    }

    fn open(record: &mut RunRecord) {
        let mut scenario = file(&[GRANT_LANE]);
        (scenario.load.model, scenario.load.concurrency) = (ModelForm::Open, None);
        (scenario.load.rate, scenario.load.arrivals) = (Some(600.0), Some(ArrivalsForm::Constant));
        scenario.population.executions = 20_000;
        record.scenario = scenario;
        record.arms[0].response = lags(6_000, 310);
        record.arms[0].send_lag = lags(6_000, 10);
        record.generators.iter_mut().for_each(|one| one.send_lag = lags(1_500, 10));
    }

    fn lags(count: u32, us: u64) -> Histogram {
        let mut histogram = LatencyHistogram::default();
        (0..count).for_each(|_| histogram.record(Duration::from_micros(us)));
        histogram.encode()
    }

    fn of(part: u32, what: Warning) -> Warning {
        Warning::OfGenerator { part, what: Box::new(what) }
    }

    #[test]
    fn generators_that_are_idle_and_punctual_are_no_finding() {
        let result = analysed(|_| ());
        assert!(
            result.valid && result.warnings.is_empty(),
            "{:?} {:?}",
            result.invalid_reasons,
            result.warnings
        );
        let shares: Vec<f64> = result.generator_summaries.iter().map(|one| one.claims_share).collect();
        assert!(shares.iter().all(|share| (share - 0.25).abs() < 1e-9), "{shares:?}");
        assert!(result.generator_summaries.iter().all(|one| one.limit.is_none()));
        assert!(analysed(open).valid);
    }

    #[test]
    fn one_thread_without_time_is_the_limit_however_idle_the_others_are() {
        let result = analysed(|r| r.generators[2].used.thread_cpu_s = 9.5);
        assert_eq!(result.warnings, [of(3, Warning::GeneratorBusy { share: 0.95 })]);
        let limits = result.generator_summaries.iter().map(|one| one.limit).collect::<Vec<_>>();
        assert_eq!(limits, [None, None, Some(GeneratorLimit::Busy), None]);
    }

    #[test]
    fn one_that_sends_late_makes_an_open_loop_invalid_though_all_together_look_punctual() {
        let late = |us: u64| {
            analysed(|record| {
                open(record);
                record.generators[1].send_lag = lags(1_500, us);
            })
        };
        let [InvalidReason::OfGenerator { part: 2, what }] = &late(9_000).invalid_reasons[..] else {
            panic!("{:?}", late(9_000).invalid_reasons)
        };
        assert!(matches!(**what, InvalidReason::SendLag { .. }));
        assert_eq!(late(9_000).generator_summaries[1].limit, Some(GeneratorLimit::Late));
        let warned = late(60);
        assert!(warned.valid);
        assert!(
            matches!(&warned.warnings[..], [Warning::OfGenerator { part: 2, what }]
                if matches!(**what, Warning::LateSends { .. })),
            "{:?}",
            warned.warnings
        );
    }

    #[test]
    fn a_window_that_did_not_begin_everywhere_at_once_is_invalid() {
        let skewed = |late_us: u64| {
            analysed(|r| (r.generators[3].late_us, r.generators[3].late_in) = (late_us, 7)).invalid_reasons
        };
        let late = InvalidReason::BeganLate { part: 4, window: 7, late_us: 50_001, limit_us: 50_000 };
        assert_eq!((skewed(50_000), skewed(50_001)), (vec![], vec![late]));
    }

    /// A few milliseconds each time are much of windows that are short.
    #[test]
    fn a_generator_that_misses_much_of_all_windows_makes_a_run_invalid() {
        let missed = |share| analysed(|r| r.generators[3].late_share = Some(share)).invalid_reasons;
        let late = InvalidReason::LateBeginnings { part: 4, share: 0.101, limit: 0.1 };
        assert_eq!((missed(0.1), missed(0.101)), (vec![], vec![late]));
    }

    #[test]
    fn the_other_generators_of_a_machine_are_not_other_programs() {
        // Ten seconds on eight cores: four generators of 4 s each and servers of 4 s are 20 of 80.
        let busy = |machine_s: f64| {
            analysed(|record| {
                record.environment.host.cores = 8;
                for one in &mut record.generators {
                    one.host.cores = 8;
                    one.used.machine_cpu_s = Some(machine_s);
                    (one.used.thread_cpu_s, one.used.process_cpu_s) = (4.0, Some(4.0));
                }
            })
            .warnings
        };
        assert_eq!(busy(21.0), []);
        let [Warning::BusyMachine { share }] = busy(44.0)[..] else { panic!("{:?}", busy(44.0)) };
        assert!((share - 0.3).abs() < 1e-9);
        // On machines of their own one is named, and the servers are the first one's.
        let named = analysed(|record| {
            for one in &mut record.generators {
                one.host.boot = Some(format!("boot {}", one.part));
            }
            record.environment.host.boot = Some("boot 1".into());
            record.generators[1].used.machine_cpu_s = Some(11.0);
        });
        let [Warning::OfGenerator { part: 2, what }] = &named.warnings[..] else {
            panic!("{:?}", named.warnings)
        };
        assert!(matches!(**what, Warning::BusyMachine { .. }));
    }

    #[test]
    fn a_part_alone_is_no_result() {
        let result = analysed(|record| {
            record.generators.clear();
            record.part =
                Some(crate::record::PartNote { number: 2, of: 4, rendezvous: "x".into(), began_us: vec![1] });
        });
        assert_eq!(result.invalid_reasons, [InvalidReason::PartOfARun { part: 2, of: 4 }]);
    }

    #[test]
    fn the_only_part_of_a_run_is_a_result() {
        let result = analysed(|record| {
            record.generators.clear();
            record.part =
                Some(crate::record::PartNote { number: 1, of: 1, rendezvous: "x".into(), began_us: vec![1] });
        });
        assert_eq!(result.invalid_reasons, []);
    }
}
