//! What a gate found, in words.

use super::faults;
use super::format::{apart, count, difference_within, part_of, per_claim, several, share, time_us};
use super::words::{self, conclusion::ConclusionWord};
use crate::judge::{
    CONTROL_LIMIT, Cause, Clock, Conclusion, Control, ControlFailure, Finding, Gate, Untold, WithoutTime,
};
use crate::record::Aborted;
use crate::scenario::FaultKind;
use crate::stats::{Estimate, TooFew};

/// What a gate says whose verdicts are binding, with the exit code that follows and the first reasons; `None`
/// where they are not.
pub(super) fn gate(gate: &Gate, interrupted: bool) -> Option<String> {
    const SHOWN: usize = 3;
    if !gate.enforced {
        return None;
    }
    if interrupted {
        return Some("GATE: NOT JUDGED (exit 130): it was interrupted".to_owned());
    }
    // What did not decide is no reason for what was decided: it is counted, not listed.
    let (decided, besides): (Vec<_>, Vec<_>) =
        gate.findings.iter().partition(|finding| finding.conclusion == gate.conclusion);
    let mut reasons: Vec<_> = decided.iter().take(SHOWN).map(|one| finding(one)).collect();
    let undecided = besides.iter().filter(|one| one.conclusion == Conclusion::Inconclusive).count();
    let more = decided.len().saturating_sub(SHOWN) + besides.len() - undecided;
    if more > 0 {
        reasons.push(format!("{more} more"));
    }
    if undecided > 0 {
        reasons.push(format!("besides, {undecided} could not be judged"));
    }
    let colon = if reasons.is_empty() { "" } else { ": " };
    let concluded = words::conclusion::with_exit_code(gate.conclusion);
    Some(format!("{concluded}{colon}{}", reasons.join("; ")))
}

/// One line, without a full stop.
pub(super) fn finding(finding: &Finding) -> String {
    let text = cause(&finding.cause);
    finding.run.map_or_else(|| text.clone(), |run| format!("run {run}: {text}"))
}

/// The same after what it amounts to, in a place's words.
pub(super) fn with_conclusion(finding: &Finding, word: ConclusionWord) -> String {
    format!("{}: {}", word(finding.conclusion), self::finding(finding))
}

fn cause(cause: &Cause) -> String {
    match cause {
        Cause::InvalidRun { reasons } => format!("the run is invalid for {} reason(s)", (*reasons).max(1)),
        Cause::Interrupted => {
            "the run was interrupted: what it had measured is kept, and not judged".to_owned()
        }
        Cause::Aborted(aborted) => self::aborted(aborted),
        Cause::CutShort { made, wanted } => {
            format!("{made} of {wanted} runs were made: a series that was cut short is not judged")
        }
        Cause::BrokeOff { made, wanted, error } => {
            format!("{made} of {wanted} runs were made, then the series ended with an error: {error}")
        }
        Cause::NothingJudged => {
            "nothing was judged: the gate needs a second [[variant]] or an [slo]".to_owned()
        }
        Cause::Unsuccessful { variant, claims, of, refused } => {
            let refused: Vec<String> =
                refused.iter().map(|(code, n)| format!(", {n} refused with {code}")).collect();
            format!("{claims} of {of} claims of {variant} did not succeed{}", refused.concat())
        }
        Cause::ControlFailed { failure: Some(failure) } => control_failure(failure),
        Cause::ControlFailed { failure: None } => "the control failed".to_owned(),
        Cause::SeriesControlFailed { failure } => format!("over all runs: {}", control_failure(failure)),
        Cause::Metric { metric, candidate, baseline, ratio, over_all_runs } => {
            let over = if *over_all_runs { " over all runs" } else { "" };
            let metric = words::metric_label(*metric);
            format!("{metric} of {candidate} against {baseline}{over}: {}", amount(ratio))
        }
        Cause::NotCompared { metric, candidate, baseline, withheld } => {
            let metric = words::metric_label(*metric);
            format!("{metric} of {candidate} against {baseline}: {}", not_compared(*withheld))
        }
        Cause::MoreOf { metric, candidate, baseline, candidate_value, baseline_value } => {
            let [value, base] = apart([*candidate_value, *baseline_value], per_claim);
            let counted = words::counted_label(metric);
            format!("{counted} of {candidate} {base} → {value} per claim, against {baseline}")
        }
        Cause::ServiceLevel { variant, clock, p99_us, late, untimed, bound_us } => {
            level_missed(variant, (*clock, *bound_us), *p99_us, *late) + &without_time(*untimed)
        }
        Cause::ServiceLevelUntold { variant, clock, claims, interval, untimed, bound_us } => {
            let why = level_untold(interval, *claims) + &without_time(*untimed);
            level_open(variant, (*clock, *bound_us), &why)
        }
        Cause::Recovery { kind, recovered_s, next_struck_s, bound_s, .. } => {
            recovery(*kind, (*recovered_s, *next_struck_s), *bound_s)
        }
        Cause::StillFailing { kind, first_success_s, bound_s, .. } => {
            still_failing(*kind, *first_success_s, *bound_s)
        }
        Cause::RecoveryUnknown { kind, why, .. } => {
            let (kind, why) = (kind.as_str(), untold(*why));
            format!("how long the run took to recover from the {kind} is not known: {why}")
        }
    }
}

/// By how much arms differ, or why nobody can tell.
fn amount(ratio: &Result<Estimate, Option<TooFew>>) -> String {
    words::difference_or_why(ratio.as_ref().ok(), ratio.as_ref().err().and_then(Option::as_ref))
}

/// Why there is nothing to compare by a metric that the scenario names.
fn not_compared(withheld: bool) -> &'static str {
    if withheld {
        "compare.metrics names it, and its figures are left out (see the warnings)"
    } else {
        "compare.metrics names it, and no values of it were taken"
    }
}

/// The times that a service level is held to, and why they are not response times.
pub(super) fn of_clock(clock: Clock) -> &'static str {
    match clock {
        Clock::Response => "of the response time",
        Clock::Service => "of the service time (a closed loop has no response time)",
        Clock::Resume => "of the time to resume (a storm has no response time)",
        Clock::SendLag => "of the send lag",
    }
}

fn level_missed(
    variant: &str,
    (clock, bound_us): (Clock, f64),
    p99_us: f64,
    late: Option<(u64, u64)>,
) -> String {
    let (bound, of_clock) = (time_us(bound_us), of_clock(clock));
    match late {
        None => format!(
            "{variant} answers within {} at p99 {of_clock}, the service level is {bound}",
            time_us(p99_us)
        ),
        Some((late, of)) => format!(
            "{} of {} executions of {variant} were back later than {bound} or never, the service level is {bound} at p99 \
             {of_clock}",
            count(late),
            count(of)
        ),
    }
}

fn level_open(variant: &str, (clock, bound_us): (Clock, f64), why: &str) -> String {
    let (bound, of_clock) = (time_us(bound_us), of_clock(clock));
    format!("whether {variant} kept the service level, {bound} at p99 {of_clock}, cannot be told: {why}")
}

/// What a level was held against: the p99, or how many executions of a storm were late.
pub(super) fn level_figure(p99_us: f64, late: Option<(u64, u64)>) -> String {
    match late {
        None => time_us(p99_us),
        Some((late, of)) => format!("{} of {} executions were later", count(late), count(of)),
    }
}

/// What a p99 does not know of, behind it; nothing where it knows of all claims.
pub(super) fn without_time(untimed: Option<WithoutTime>) -> String {
    untimed.map_or_else(String::new, |untimed| {
        let claims = several(untimed.claims, "claim has", "claims have");
        let p99 = untimed.p99_us.map_or_else(|| "longer than any that is known".to_owned(), time_us);
        format!("; {claims} no time, and with all of these late p99 is {p99}")
    })
}

/// Why nobody can tell whether a level was kept, without a full stop.
pub(super) fn level_untold(interval: &Result<Estimate, TooFew>, claims: u64) -> String {
    match interval {
        Ok(p99) => format!(
            "p99 lies between {} and {}, the {} interval of {} claims",
            time_us(p99.low),
            time_us(p99.high),
            share(p99.confidence),
            count(claims)
        ),
        Err(too_few) => format!("p99 {too_few}"),
    }
}

/// How long it took until all was as before a fault; of one that was not by then, when the next one struck,
/// if it did.
fn recovery(kind: FaultKind, (recovered_s, next_s): (Option<f64>, Option<f64>), bound_s: f64) -> String {
    let when = match (recovered_s, next_s) {
        (Some(recovered_s), _) => format!("were as before after {}", faults::seconds(recovered_s)),
        (None, Some(next_s)) => {
            format!("were not as before when the next fault struck, {} later", faults::seconds(next_s))
        }
        (None, None) => "never were as before".to_owned(),
    };
    format!(
        "after the {} response time and rate {when}, [slo] recovery is {}",
        kind.as_str(),
        faults::seconds(bound_s)
    )
}

/// For how long nothing succeeded after a fault, which is longer than all had to be as before.
fn still_failing(kind: FaultKind, first_success_s: f64, bound_s: f64) -> String {
    format!(
        "after the {} nothing succeeded on the server's slots for {}, [slo] recovery is {}",
        kind.as_str(),
        faults::seconds(first_success_s),
        faults::seconds(bound_s)
    )
}

/// Why nobody can tell when all was as before after a fault.
fn untold(why: Option<Untold>) -> &'static str {
    match why {
        Some(Untold::TooLittleBefore) => "too little of it lies before the first fault",
        Some(Untold::HiddenByNoise) => "it was so restless before the fault that its noise holds the outage",
        Some(Untold::OutlastedLoad) => "the load had ended before the fault was over",
        Some(Untold::NextFault) => "the next fault struck before all was as before",
        Some(Untold::EarlierFault) => "it struck before all was as before the fault before it",
        None => "the load ended before its time was over",
    }
}

/// Why a run was ended before its time, without a full stop.
pub(super) fn aborted(aborted: &Aborted) -> String {
    format!(
        "over one in a hundred claims took longer than {} ([slo] abort, by the response time; in a closed loop by the \
         service time) or had no answer in each of {} seconds on end, which ended the run after {:.1} s",
        time_us(aborted.limit_us),
        aborted.seconds,
        aborted.after_s
    )
}

/// Why a control failed; `None` for one that passed.
pub(super) fn failed_control(control: &Control) -> Option<String> {
    let told = control.failure.as_ref().map(control_failure);
    (!control.passed).then(|| told.unwrap_or_else(|| "the baseline differs from itself".to_owned()))
}

/// The baseline against itself with its interval, whose confidence is not that of the comparisons.
pub(super) fn control_within(control: &Control) -> Option<String> {
    let ratio = control.ratio.as_ref()?;
    Some(format!("{} ({} interval)", difference_within(ratio), share(ratio.confidence)))
}

/// The same, and whether it passed: `-0.3 % [-1.0, 0.5] (99 % interval), passed`.
pub(super) fn control_state(control: &Control) -> String {
    let ratio = control_within(control).map(|ratio| ratio + ", ").unwrap_or_default();
    ratio + if control.passed { "passed" } else { "failed" }
}

/// One line, without a full stop.
pub(super) fn control_failure(failure: &ControlFailure) -> String {
    match failure {
        ControlFailure::TooFew { too_few, own_strata } => {
            let more = if *own_strata { "raise compare.control_strata" } else { "use more claims" };
            format!("no control: {too_few}; {more}")
        }
        ControlFailure::Differs { ratio } => format!(
            "the baseline differs from itself by {} ({:.0} % interval): the arms were not treated alike",
            difference_within(ratio),
            100.0 * ratio.confidence
        ),
        ControlFailure::ClustersDiffer { ratio, limit } => format!(
            "two clusters of the baseline's server differ by {} ({:.0} % interval), which is more than {} the threshold \
             (±{}): run again, for it is another pair of clusters then; or use a quieter machine or a larger \
             compare.noise_threshold",
            difference_within(ratio),
            100.0 * ratio.confidence,
            part_of(CONTROL_LIMIT),
            share(*limit)
        ),
        ControlFailure::Uncertain { half_width, limit } => format!(
            "too noisy to judge: the baseline compared with itself is uncertain by ±{:.2} %; a {} threshold needs \
             ±{}: use more claims, a quieter machine or a larger compare.noise_threshold",
            100.0 * half_width,
            share(limit / CONTROL_LIMIT),
            share(*limit)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Metric;

    fn level(cause: Cause) -> String {
        finding(&Finding { conclusion: Conclusion::Regression, run: None, cause })
    }

    #[test]
    fn a_missed_level_says_by_which_clock() {
        let missed = |clock, late| {
            let (variant, p99_us, bound_us) = ("a".to_owned(), 25e3, 20e3);
            level(Cause::ServiceLevel { variant, clock, p99_us, late, untimed: None, bound_us })
        };
        assert_eq!(
            [
                missed(Clock::Response, None),
                missed(Clock::Service, None),
                missed(Clock::Resume, Some((130, 6_100)))
            ],
            [
                "a answers within 25.0 ms at p99 of the response time, the service level is 20.0 ms",
                "a answers within 25.0 ms at p99 of the service time (a closed loop has no response time), the service level \
                 is 20.0 ms",
                "130 of 6,100 executions of a were back later than 20.0 ms or never, the service level is 20.0 ms at p99 of \
                 the time to resume (a storm has no response time)"
            ]
        );
        let ended = aborted(&Aborted { limit_us: 1e6, seconds: 5, after_s: 12.34 });
        assert!(ended.contains("in a closed loop by the service time"), "{ended}");
    }

    #[test]
    fn a_level_that_nobody_can_tell_says_what_is_known() {
        let untold = |interval| {
            let (variant, clock, bound_us) = ("a".to_owned(), Clock::Response, 20e3);
            let untimed = None;
            level(Cause::ServiceLevelUntold { variant, clock, claims: 6_000, interval, untimed, bound_us })
        };
        let within = untold(Ok(Estimate { estimate: 19e3, low: 17e3, high: 21.5e3, confidence: 0.95 }));
        assert_eq!(
            within,
            "whether a kept the service level, 20.0 ms at p99 of the response time, cannot be told: p99 lies between 17.0 \
             ms and 21.5 ms, the 95 % interval of 6,000 claims"
        );
        let few = untold(Err(TooFew::samples("claims", 5_000, 20)));
        assert!(few.ends_with("cannot be told: p99 needs at least 5000 claims, has 20"), "{few}");
    }

    #[test]
    fn a_level_says_how_many_claims_its_p99_does_not_know_of_and_what_it_is_with_them() {
        let missed = |claims, p99_us| {
            let (variant, clock, untimed) =
                ("a".to_owned(), Clock::Response, Some(WithoutTime { claims, p99_us }));
            level(Cause::ServiceLevel { variant, clock, p99_us: 25e3, late: None, untimed, bound_us: 20e3 })
        };
        let some = missed(90, Some(31e3));
        assert!(
            some.ends_with("is 20.0 ms; 90 claims have no time, and with all of these late p99 is 31.0 ms"),
            "{some}"
        );
        let one = missed(1, None);
        assert!(
            one.ends_with(
                "; 1 claim has no time, and with all of these late p99 is longer than any that is known"
            ),
            "{one}"
        );
    }

    #[test]
    fn a_metric_that_nothing_was_compared_by_says_why() {
        let said = |metric, withheld| {
            let (candidate, baseline) = ("b".to_owned(), "a".to_owned());
            let cause = Cause::NotCompared { metric, candidate, baseline, withheld };
            finding(&Finding { conclusion: Conclusion::Inconclusive, run: None, cause })
        };
        assert_eq!(
            [said(Metric::ServerCpu, true), said(Metric::ResponseP99, false)],
            [
                "server CPU of b against a: compare.metrics names it, and its figures are left out (see the warnings)",
                "response p99 of b against a: compare.metrics names it, and no values of it were taken"
            ]
        );
    }

    #[test]
    fn the_interval_of_a_control_says_its_own_confidence() {
        let ratio = Estimate { estimate: 1.002, low: 0.998, high: 1.006, confidence: 0.99 };
        let control = Control { ratio: Some(ratio), passed: true, failure: None, allowance: None };
        assert_eq!(control_within(&control).as_deref(), Some("+0.2 % [-0.2, 0.6] (99 % interval)"));
    }

    #[test]
    fn what_could_not_be_judged_is_no_reason_for_a_gate_to_fail() {
        let finding = |conclusion, metric| Finding {
            conclusion,
            run: None,
            cause: Cause::Metric {
                metric,
                candidate: "b".into(),
                baseline: "a".into(),
                ratio: Ok(Estimate { estimate: 1.2, low: 1.1, high: 1.3, confidence: 0.95 }),
                over_all_runs: false,
            },
        };
        let mut gate = Gate {
            conclusion: Conclusion::Regression,
            findings: vec![
                finding(Conclusion::Regression, Metric::ServiceP50),
                finding(Conclusion::Inconclusive, Metric::ServiceP99),
            ],
            enforced: true,
        };
        let said = super::gate(&gate, false).unwrap();
        assert!(said.starts_with("GATE: FAILED (exit 1): service p50 of b against a: +20.0 %"), "{said}");
        assert!(!said.contains("p99") && said.ends_with("; besides, 1 could not be judged"), "{said}");
        gate.conclusion = Conclusion::Inconclusive;
        gate.findings.remove(0);
        let said = super::gate(&gate, false).unwrap();
        assert!(said.starts_with("GATE: INCONCLUSIVE (exit 3): service p99"), "{said}");
        assert!(!said.contains("besides"), "{said}");
    }
}
