//! Whether a closed loop's load was there all the time: spans in which nothing was claimed, by all or by one
//! of several generators, and generators that were done before the others. Its workers wait then, and the
//! claims that they do not make are in no figure.

use crate::record::{ArmRecord, GeneratorRecord, InvalidReason, QUIET_NS, RunRecord, Warning};
use crate::scenario::{Mode, Model, Scenario};
use crate::stats::Latencies;

/// Spans without a claim are worth a warning if they are this share of the window, and beyond the second the
/// quantiles of a closed loop are refused; both only for spans that no claim's own time explains. A generator
/// that is done so long before the others is missing for as long.
pub(in super::super) const STALL_WARNS: f64 = 0.05;
const STALL_REFUSED: f64 = 0.2;
const SHORTEST_STALL_S: f64 = 0.25;
/// The record adds up spans from this length on. Where their sum reaches the second figure, short ones count
/// as well.
const STALLED_FROM_S: f64 = QUIET_NS as f64 / 1e9;
const STALLED_TOGETHER_S: f64 = 1.0;
/// Between two claims of one worker there may be a few round trips of the ruler, and a claim may take longer
/// than the median: a span of up to this many medians is short work.
const SHORT_CLAIMS: f64 = 4.0;

/// What is known of the spans without a claim in a window: in that of the run, or in a generator's own.
struct Quiet {
    longest_s: f64,
    stalled_s: Option<f64>,
    /// Largest median of the service times of its claims.
    median_s: f64,
    /// How long the window was, in seconds.
    window: f64,
}

/// Spans without a claim that are long enough to be looked at.
#[derive(Clone, Copy)]
struct Stall {
    /// The longest of them, in seconds.
    longest_s: f64,
    /// Share of the window that all such spans have together.
    share: f64,
}

impl Stall {
    fn is_refused(self) -> bool {
        self.share > STALL_REFUSED
    }

    fn invalid_reason(self) -> InvalidReason {
        InvalidReason::Stalled { longest_s: self.longest_s, share: self.share }
    }

    fn is_worth_a_word(self) -> bool {
        self.share > STALL_WARNS
    }

    fn warning(self) -> Warning {
        Warning::Stall { longest_s: self.longest_s, share: self.share }
    }
}

/// What makes a closed loop's figures those of another load. Where executions go round, claims wait for
/// scanners and for executions as well: there it is said alone.
pub(super) fn invalid_reasons(record: &RunRecord, scenario: &Scenario) -> Vec<InvalidReason> {
    if !is_closed(scenario) || scenario.load.mode != Mode::Staged {
        return Vec::new();
    }
    let of_all = of_run(record, scenario).filter(|stall| stall.is_refused());
    let mut reasons: Vec<InvalidReason> = of_all.map(Stall::invalid_reason).into_iter().collect();
    if of_all.is_none() {
        let alone = of_generators(record, scenario).filter(|(_, stall)| stall.is_refused());
        let named = |(part, stall): (u32, Stall)| InvalidReason::OfGenerator {
            part,
            what: Box::new(stall.invalid_reason()),
        };
        reasons.extend(alone.map(named));
    }
    // A block's rate is the sum of the generators', each over its own time. Much of a short window is a moment.
    let all_s = record.claims_made_s();
    let is_refused = |share: f64| share > STALL_REFUSED && share * all_s >= SHORTEST_STALL_S;
    let missing = done_early(record, scenario).into_iter().filter(|_| record.blocks.is_empty());
    let missing = missing.filter(|(_, share)| is_refused(*share));
    reasons.extend(missing.map(|(part, share)| InvalidReason::DoneEarly {
        part,
        share,
        limit: STALL_REFUSED,
    }));
    reasons
}

/// Spans without a claim that are worth a word, and generators that were done before the others.
pub(super) fn warnings(record: &RunRecord, scenario: &Scenario) -> Vec<Warning> {
    if !is_closed(scenario) {
        return Vec::new();
    }
    let of_all = of_run(record, scenario).filter(|stall| stall.is_worth_a_word());
    // A server stall hits all generators; only the excess counts as a generator's own.
    let common = of_all.map_or(0.0, |stall| stall.share);
    let alone = of_generators(record, scenario).filter(|(_, stall)| stall.share - common > STALL_WARNS);
    let named = |(part, stall): (u32, Stall)| Warning::OfGenerator { part, what: Box::new(stall.warning()) };
    let mut warnings: Vec<Warning> = of_all.map(Stall::warning).into_iter().collect();
    warnings.extend(alone.map(named));
    let early = done_early(record, scenario).into_iter();
    warnings.extend(early.map(|(part, share)| Warning::DoneEarly { part, share }));
    warnings
}

/// Generators of a closed loop that were done with their claims before the others, with the share of the time
/// that was left then, where that is worth a word, however short that time was. From block to block it is
/// another one that is done first, by chance, for claims are not dealt out evenly: there it takes more.
pub(in super::super) fn done_early(record: &RunRecord, scenario: &Scenario) -> Vec<(u32, f64)> {
    let all_s = record.claims_made_s();
    // Of a run that was stopped some may have been told earlier than others.
    if !is_closed(scenario) || record.partial || all_s <= 0.0 {
        return Vec::new();
    }
    let worth_a_word = if record.blocks.is_empty() { STALL_WARNS } else { STALL_REFUSED };
    let left = |one: &GeneratorRecord| {
        let share = (all_s - one.used.window_s) / all_s;
        (share > worth_a_word).then_some((one.part, share))
    };
    record.generators.iter().filter_map(left).collect()
}

/// An open loop's response times hold a stall, and a storm has one clock for all.
fn is_closed(scenario: &Scenario) -> bool {
    matches!(scenario.load.model, Model::Closed { .. }) && scenario.load.mode != Mode::Storm
}

/// Of all claims together.
fn of_run(record: &RunRecord, scenario: &Scenario) -> Option<Stall> {
    let quiet = Quiet {
        longest_s: record.longest_gap_s?,
        stalled_s: record.stalled_s,
        median_s: median_s(record),
        window: record.claims_made_s(),
    };
    stall(&quiet, scenario)
}

/// Of several generators, each by itself, with its number: where the others went on, all together have none.
fn of_generators(record: &RunRecord, scenario: &Scenario) -> impl Iterator<Item = (u32, Stall)> {
    record.generators.iter().filter_map(move |one| {
        let quiet = Quiet {
            longest_s: one.longest_gap_s?,
            stalled_s: one.stalled_s,
            median_s: one.service_p50_us.map_or_else(|| median_s(record), |us| us / 1e6),
            window: one.used.window_s,
        };
        Some((one.part, stall(&quiet, scenario)?))
    })
}

/// Largest median of the arms' service times.
fn median_s(record: &RunRecord) -> f64 {
    let median_s = |arm: &ArmRecord| Some(Latencies::readable(&arm.service)?.quantile_us(0.5) / 1e6);
    record.arms.iter().filter_map(median_s).fold(0.0, f64::max)
}

/// The spans of a closed loop's window that its claims' own time does not explain. The wait for grants that
/// are left to expire is after the window.
fn stall(quiet: &Quiet, scenario: &Scenario) -> Option<Stall> {
    let Quiet { longest_s, stalled_s, median_s, window } = *quiet;
    // Short spans are stalls only where claims are much shorter, and follow each other: in churn they wait
    // for scanners.
    let shorts_count = scenario.load.mode == Mode::Staged && SHORT_CLAIMS * median_s < STALLED_FROM_S;
    let together_s = stalled_s.filter(|_| shorts_count).unwrap_or(0.0).max(longest_s);
    if longest_s < SHORTEST_STALL_S && together_s < STALLED_TOGETHER_S {
        return None;
    }
    // With thousands in flight nothing ends before the first of many has: half of the claims took as long, so
    // that the quantiles show it.
    if median_s >= longest_s {
        return None;
    }
    (window > 0.0).then(|| Stall { longest_s, share: together_s / window })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, SimulatedArm, generator, record};
    use crate::judge::{RunResult, analyse_as};
    use crate::record::WindowTotals;
    use crate::scenario::Arrivals;

    type Change<'a> = &'a dyn Fn(&mut RunRecord, &mut Scenario);

    /// Two generators, each with ten seconds of its own, after a change.
    fn analysed(arms: &[SimulatedArm], change: impl FnOnce(&mut RunRecord, &mut Scenario)) -> RunResult {
        let mut record = record(arms, 1);
        record.generators = (1..=2).map(generator).collect();
        record.window = Some(WindowTotals { active_s: 10.0, ..WindowTotals::default() });
        (record.longest_gap_s, record.stalled_s) = (Some(0.02), Some(0.0));
        let mut scenario = Scenario::try_from(&record.scenario).unwrap();
        change(&mut record, &mut scenario);
        analyse_as(record, &scenario)
    }

    fn opened(scenario: &mut Scenario) {
        scenario.load.model = Model::Open { rate_per_sec: 1e3, arrivals: Arrivals::Constant };
    }

    fn of_second(warnings: &[Warning]) -> bool {
        let stalled = |what: &Warning| matches!(what, Warning::Stall { .. });
        warnings.iter().any(|one| matches!(one, Warning::OfGenerator { part: 2, what } if stalled(what)))
    }

    /// One of two virtual machines stands still: the other goes on, and all together have no gap.
    #[test]
    fn a_generator_that_stood_still_is_held_to_what_a_single_one_is_and_named() {
        let frozen = |longest_s: f64, change: &dyn Fn(&mut RunRecord, &mut Scenario)| {
            analysed(&[GRANT_LANE], |record, scenario| {
                record.generators[1].longest_gap_s = Some(longest_s);
                change(record, scenario);
            })
        };
        let result = frozen(3.0, &|_, _| ());
        let [InvalidReason::OfGenerator { part: 2, what }] = &result.invalid_reasons[..] else {
            panic!("{:?}", result.invalid_reasons)
        };
        assert!(matches!(**what, InvalidReason::Stalled { share, .. } if (share - 0.3).abs() < 1e-9));
        let warned = frozen(1.0, &|_, _| ());
        assert!(warned.valid && of_second(&warned.warnings), "{:?}", warned.warnings);
        // Together they are as long, each by itself is short.
        let often = frozen(0.2, &|record, _| record.generators[1].stalled_s = Some(2.6));
        assert!(!often.valid && of_second(&often.warnings), "{:?}", often.warnings);
        let fine: [(f64, Change<'_>); 3] = [
            (0.4, &|_, _| ()),
            // Its claims take as long, though most of all do not.
            (3.0, &|record, _| record.generators[1].service_p50_us = Some(3.1e6)),
            (3.0, &|_, scenario| opened(scenario)),
        ];
        for (longest_s, change) in fine {
            let result = frozen(longest_s, change);
            assert!(result.valid && !of_second(&result.warnings), "{:?}", result.warnings);
        }
        // What stopped the servers stopped both, and is said once.
        let servers = frozen(3.0, &|record, _| record.longest_gap_s = Some(3.0));
        assert!(matches!(servers.invalid_reasons[..], [InvalidReason::Stalled { .. }]));
        assert!(!of_second(&servers.warnings));
        // It hides no generator that stood still for much longer.
        let of_both = |warnings: &[Warning]| warnings.iter().any(|one| matches!(one, Warning::Stall { .. }));
        for (longest_s, named) in [(1.0, false), (1.4, false), (1.7, true)] {
            let result = frozen(longest_s, &|record, _| record.longest_gap_s = Some(1.0));
            assert!(result.valid && of_both(&result.warnings), "{longest_s}: {:?}", result.warnings);
            assert_eq!(of_second(&result.warnings), named, "{longest_s}: {:?}", result.warnings);
        }
    }

    /// 40,000 claims of which one of two has made its half long before the other.
    #[test]
    fn a_generator_that_was_done_long_before_the_others_makes_a_window_invalid() {
        let early = |arms: &[SimulatedArm], own_s: f64, change: &dyn Fn(&mut RunRecord, &mut Scenario)| {
            let result = analysed(arms, |record, scenario| {
                record.generators[0].used.window_s = own_s;
                change(record, scenario);
            });
            let percent = |share: f64| (share * 100.0).round() as u32;
            let done_early = result.generator_summaries.iter().find_map(|one| one.done_early).map(percent);
            // Whoever reads the warnings alone is told as well.
            let warned = result.warnings.iter().find_map(|warning| match warning {
                Warning::DoneEarly { part: 1, share } => Some(percent(*share)),
                _ => None,
            });
            assert_eq!(warned, done_early, "{:?}", result.warnings);
            (result.invalid_reasons, done_early)
        };
        let alone = |own_s| early(&[GRANT_LANE], own_s, &|_, _| ());
        let refused = InvalidReason::DoneEarly { part: 1, share: 0.3, limit: 0.2 };
        assert_eq!(alone(7.0), (vec![refused], Some(30)));
        assert_eq!((alone(8.0), alone(9.4)), ((vec![], Some(20)), (vec![], Some(6))));
        assert_eq!(alone(9.6), (vec![], None));
        // Long as a share, and a moment.
        let short = |record: &mut RunRecord, _: &mut Scenario| {
            let windows = record.generators.iter_mut().map(|one| &mut one.used.window_s);
            windows.for_each(|window_s| *window_s /= 20.0);
            record.window = Some(WindowTotals { active_s: 0.5, ..WindowTotals::default() });
        };
        assert_eq!(early(&[GRANT_LANE], 6.0, &short), (vec![], Some(40)));
        assert_eq!(early(&[GRANT_LANE], 7.0, &|record, _| record.partial = true), (vec![], None));
        assert_eq!(early(&[GRANT_LANE], 7.0, &|_, scenario| opened(scenario)), (vec![], None));
        let round = analysed(&[GRANT_LANE], |record, scenario| {
            record.generators[0].used.window_s = 7.0;
            scenario.load.mode = Mode::Churn;
        });
        assert!(round.generator_summaries[0].done_early.is_some());
        let refused = |reason: &InvalidReason| matches!(reason, InvalidReason::DoneEarly { .. });
        assert!(!round.invalid_reasons.iter().any(refused), "{:?}", round.invalid_reasons);
        // In blocks each generator's rate is over its own time: it is said where chance does not explain it.
        let blocks = |own_s| early(&[GRANT_LANE, HGET_LANE], own_s, &|_, _| ());
        assert_eq!((blocks(7.0), blocks(8.5)), ((vec![], Some(30)), (vec![], None)));
    }
}
