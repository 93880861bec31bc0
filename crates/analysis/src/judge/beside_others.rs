//! What an interval allows for where other programs ran beside a comparison.
//!
//! Both arms have the same neighbours, so equal arms stay equal. But an effect is made of parts (a thread
//! that has to be woken, memory that is or is not in a cache) which neighbours lengthen unlike, and where
//! they stay for the whole run no stratum is without them: nothing within the run shows what a quiet one
//! would have said. What trials showed stands for it: the interval of an effect is wider on either side by a
//! share of the effect.

use crate::record::{Conditions, RunRecord, Warning};
use crate::stats::Estimate;

use super::metric_source::{Source, source};
use super::result::Comparison;

/// Share of an effect by which neighbours change it where threads are apart and cores awake: eight runs of a
/// minute, half of them beside a loop or a compiler, lay between ln 1.183 and ln 1.208
/// (results/reference/trials/headline-minute.txt): an eighth of the smaller one.
const ARRANGED: f64 = 0.13;

/// The same where servers are not placed, or cores may sleep, or are kept awake otherwise than by spinning:
/// ln 1.125 to 1.131 beside others, where quiet runs said ln 1.216 to 1.223 (the same file; ln 1.140 against
/// ln 1.249 in headline.txt).
const LEFT_ALONE: f64 = 0.7;

/// Share of an effect that its interval is to be wider by on either side; `None` for a run that was by
/// itself.
pub(super) fn allowance(record: &RunRecord, warnings: &[Warning]) -> Option<f64> {
    let conditions = record.environment.conditions.as_ref();
    let first = conditions.is_some_and(|now| now.is_arranged() && !now.servers_on.is_empty());
    let mut others = record.generators.iter().filter_map(|generator| generator.conditions.as_ref());
    let arranged = first && others.all(Conditions::is_arranged);
    let busy = ran_beside_others(warnings);
    busy.then_some(if arranged { ARRANGED } else { LEFT_ALONE })
}

/// Whether others ran beside a run in such a measure that its intervals allow for it.
pub(super) fn ran_beside_others(warnings: &[Warning]) -> bool {
    warnings.iter().any(Warning::is_of_a_busy_machine)
}

/// Whether the trials say how far others change it: the middle of service times, of arms that claim in
/// different ways. What differs between two libraries, SDKs or servers of one way is not made of round trips.
/// Tails change by a multiple of themselves (p99 by
/// 1.08 to 1.32 there), and the servers' CPU no more than from one quiet run to the next.
fn is_changed(comparison: &Comparison, record: &RunRecord) -> bool {
    let path = |name: &str| record.arm(name).map(|arm| &arm.path);
    path(&comparison.baseline) != path(&comparison.candidate)
        && matches!(source(comparison.metric), Source::ServiceQuantile(0.5) | Source::ServiceInRoundTrips(_))
}

/// Widens the intervals of medians that were compared. Whether there were any.
pub(super) fn allow_for_others(comparisons: &mut [Comparison], share: f64, record: &RunRecord) -> bool {
    let mut any = false;
    for comparison in comparisons.iter_mut().filter(|one| is_changed(one, record)) {
        let Some(ratio) = comparison.ratio else { continue };
        any = true;
        comparison.allowed_for_others = Some(share);
        comparison.ratio = Some(ratio_beside_others(ratio, share));
        comparison.difference =
            comparison.difference.map(|difference| difference_beside_others(difference, share));
        // An effect loses that share of itself before it is held against the threshold.
        comparison.detectable = comparison.detectable.map(|size| (size.ln_1p() / (1.0 - share)).exp_m1());
    }
    any
}

/// A ratio that is known to `share` of its effect at best.
pub(super) fn ratio_beside_others(ratio: Estimate, share: f64) -> Estimate {
    ratio.wider_by_factor((share * ratio.estimate.ln().abs()).exp())
}

/// A difference that is known to `share` of itself at best.
pub(super) fn difference_beside_others(difference: Estimate, share: f64) -> Estimate {
    difference.wider_by(share * difference.estimate.abs())
}

/// A ratio's interval of what varied within the run alone, as it was before it was made wider by `allowed`:
/// the random error, which differs from run to run where what ran beside may not.
pub(super) fn without_allowance(ratio: Estimate, allowed: Option<f64>) -> Estimate {
    let Some(share) = allowed else { return ratio };
    let random = ratio_beside_others(ratio, -share);
    // An interval of no width comes back as one of a rounding error, which would count for more than all
    // others.
    let nothing = (random.high / random.low).ln().abs() < 1e-12;
    if nothing { Estimate { low: ratio.estimate, high: ratio.estimate, ..ratio } } else { random }
}

#[cfg(test)]
mod tests {
    use super::super::analyse::analyse_as;
    use super::super::fixtures::{GRANT_LANE, HGET_LANE, SimulatedArm, TWIN, record, scenario};
    use super::super::result::{RunResult, Verdict};
    use super::*;
    use crate::judge::fixtures::generator;
    use crate::record::AwakeBy;
    use crate::scenario::{Cores, Metric, Placement};

    const BUSY: Warning = Warning::BusyMachine { share: 0.4 };

    fn arranged() -> Conditions {
        Conditions {
            placement: Placement::Apart,
            cores: Cores::Awake,
            servers_on: vec![0],
            awake_by: Some(AwakeBy::Spinning { on: vec![0, 1] }),
            ..Conditions::default()
        }
    }

    fn analysed(arms: &[SimulatedArm], conditions: Conditions, found: &[Warning]) -> RunResult {
        let mut record = record(arms, 1);
        record.environment.conditions = Some(conditions);
        record.warnings.extend_from_slice(found);
        analyse_as(record, &scenario(arms))
    }

    fn p50(result: &RunResult) -> &Comparison {
        result.comparisons.iter().find(|one| one.metric == Metric::ServiceP50).unwrap()
    }

    #[test]
    fn an_effect_beside_others_is_known_to_a_share_of_itself_at_best() {
        let arms = [GRANT_LANE, HGET_LANE];
        let quiet = analysed(&arms, arranged(), &[]);
        let (alone, apart) = (p50(&quiet).ratio.unwrap(), p50(&quiet).difference.unwrap());
        let elsewhere = Conditions { servers_on: vec![], ..arranged() };
        let by_limit = Conditions { awake_by: Some(AwakeBy::DmaLatency), ..arranged() };
        let shares = [
            (arranged(), ARRANGED),
            (elsewhere, LEFT_ALONE),
            (by_limit, LEFT_ALONE),
            (Conditions::default(), LEFT_ALONE),
        ];
        for (conditions, share) in shares {
            let of_a_part = Warning::OfGenerator { part: 2, what: Box::new(BUSY) };
            for found in [BUSY, of_a_part] {
                let busy = analysed(&arms, conditions.clone(), &[found]);
                let (ratio, difference) = (p50(&busy).ratio.unwrap(), p50(&busy).difference.unwrap());
                assert_eq!((ratio.estimate, difference.estimate), (alone.estimate, apart.estimate));
                let effect = alone.estimate.ln();
                assert!(((alone.low / ratio.low).ln() - share * effect).abs() < 1e-12, "{ratio:?} {alone:?}");
                assert!(((ratio.high / alone.high).ln() - share * effect).abs() < 1e-12);
                assert!((apart.low - difference.low - share * apart.estimate).abs() < 1e-9);
                assert!((difference.high - apart.high - share * apart.estimate).abs() < 1e-9);
                assert!(busy.warnings.contains(&Warning::WiderBesideOthers { share }), "{:?}", busy.warnings);
                let random = without_allowance(ratio, p50(&busy).allowed_for_others);
                assert!((random.low / alone.low - 1.0).abs() < 1e-12);
                assert!((random.high / alone.high - 1.0).abs() < 1e-12);
                let [seen, wanted] = [&quiet, &busy].map(|result| p50(result).detectable.unwrap().ln_1p());
                assert!((wanted * (1.0 - share) / seen - 1.0).abs() < 1e-12);
            }
        }
        assert!(!quiet.warnings.iter().any(|said| matches!(said, Warning::WiderBesideOthers { .. })));
    }

    /// Of several generators, the one whose machine was left alone says how far the others' neighbours may
    /// matter.
    #[test]
    fn a_generator_elsewhere_that_was_left_alone_counts() {
        let mut record = record(&[GRANT_LANE, HGET_LANE], 1);
        record.environment.conditions = Some(arranged());
        record.generators = (1..=2).map(generator).collect();
        assert_eq!(allowance(&record, &[BUSY]), Some(ARRANGED));
        record.generators[1].conditions = Some(Conditions { servers_on: vec![], ..arranged() });
        assert_eq!(allowance(&record, &[BUSY]), Some(ARRANGED), "the servers are not its own");
        record.generators[1].conditions = Some(Conditions::default());
        assert_eq!(allowance(&record, &[BUSY]), Some(LEFT_ALONE));
    }

    #[test]
    fn what_was_known_exactly_is_known_exactly_without_what_is_allowed_for_others() {
        let exact = Estimate { estimate: 1.2, low: 1.2, high: 1.2, confidence: 0.95 };
        let beside = ratio_beside_others(exact, 0.13);
        assert!(beside.low < 1.18 && beside.high > 1.22, "{beside:?}");
        assert_eq!(without_allowance(beside, Some(0.13)), exact);
    }

    #[test]
    fn cores_that_the_host_took_count_where_they_are_as_many_as_a_busy_machines() {
        let arms = [GRANT_LANE, HGET_LANE];
        let allowed = |share| {
            let found = [Warning::CoresStolen { share }];
            p50(&analysed(&arms, arranged(), &found)).allowed_for_others
        };
        assert_eq!((allowed(0.03), allowed(0.4)), (None, Some(ARRANGED)));
    }

    #[test]
    fn verdicts_follow_the_wider_interval_and_equal_arms_stay_equal() {
        let arms = [GRANT_LANE, HGET_LANE];
        let equal = analysed(&[GRANT_LANE, TWIN], Conditions::default(), &[BUSY]);
        assert_eq!(p50(&equal).verdict, Verdict::NoChange, "{:?}", p50(&equal));
        // Beyond the threshold by its own interval, not with what neighbours may have made of it.
        let mut record = record(&arms, 1);
        record.environment.conditions = Some(Conditions::default());
        let mut wanted = scenario(&arms);
        let of_threshold = |record: &RunRecord, wanted: &crate::scenario::Scenario| {
            p50(&analyse_as(record.clone(), wanted)).verdict
        };
        let ratio = p50(&analyse_as(record.clone(), &wanted)).ratio.unwrap();
        wanted.compare.as_mut().unwrap().noise_threshold = ratio.low - 1.0 - 0.01;
        assert_eq!(of_threshold(&record, &wanted), Verdict::Regression);
        record.warnings.push(BUSY);
        assert_eq!(of_threshold(&record, &wanted), Verdict::Inconclusive);
    }

    #[test]
    fn sides_of_a_duet_are_what_they_are_by_themselves() {
        let arms = [GRANT_LANE, HGET_LANE];
        let result = |found: &[Warning]| {
            let mut record = record(&arms, 1);
            record.arms[1].path = record.arms[0].path;
            record.warnings.extend_from_slice(found);
            analyse_as(record, &scenario(&arms))
        };
        assert_eq!(p50(&result(&[BUSY])).ratio, p50(&result(&[])).ratio);
        assert!(
            !result(&[BUSY]).warnings.iter().any(|said| matches!(said, Warning::WiderBesideOthers { .. }))
        );
    }

    #[test]
    fn what_was_not_compared_says_nothing_of_its_interval() {
        let busy = analysed(&[GRANT_LANE], arranged(), &[BUSY]);
        assert_eq!(busy.warnings, [BUSY]);
    }
}
