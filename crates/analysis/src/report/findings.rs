//! What a gate found, in words.

use super::faults;
use super::format::{difference_within, per_claim, share, time_us};
use super::words::{self, conclusion::ConclusionWord};
use crate::judge::{Cause, Conclusion, Control, ControlFailure, Finding, Gate, Untold};
use crate::record::Aborted;
use crate::scenario::FaultKind;

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
        Cause::InvalidRun { faults } => format!("the run is invalid for {} reason(s)", (*faults).max(1)),
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
            let too_few = ratio.as_ref().err().and_then(Option::as_ref);
            let amount = words::difference_or_why(ratio.as_ref().ok(), too_few);
            let over = if *over_all_runs { " over all runs" } else { "" };
            let metric = words::metric_label(*metric);
            format!("{metric} of {candidate} against {baseline}{over}: {amount}")
        }
        Cause::MoreOf { metric, candidate, baseline, candidate_value, baseline_value } => {
            let [value, base] = [*candidate_value, *baseline_value].map(per_claim);
            let counted = words::counted_label(metric);
            format!("{counted} of {candidate} {base} → {value} per claim, against {baseline}")
        }
        Cause::ServiceLevel { variant, p99_us, bound_us } => format!(
            "{variant} answers within {} at p99, the service level is {}",
            time_us(*p99_us),
            time_us(*bound_us)
        ),
        Cause::Recovery { kind, recovered_s, next_struck_s, bound_s, .. } => {
            recovery(*kind, (*recovered_s, *next_struck_s), *bound_s)
        }
        Cause::StillFailing { kind, first_success_s, bound_s, .. } => format!(
            "after the {} nothing succeeded on the server's slots for {}, [slo] recovery is {}",
            kind.as_str(),
            faults::seconds(*first_success_s),
            faults::seconds(*bound_s)
        ),
        Cause::RecoveryUnknown { kind, why, .. } => format!(
            "how long the run took to recover from the {} is not known: {}",
            kind.as_str(),
            untold(*why)
        ),
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
        "the response time's p99 was beyond {} ([slo] abort) in {} seconds on end, which ended the run after {:.1} s",
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
            "two clusters of the baseline's server differ by {} ({:.0} % interval), which is more than half the threshold \
             (±{}): run again, for it is another pair of clusters then; or use a quieter machine or a larger \
             compare.noise_threshold",
            difference_within(ratio),
            100.0 * ratio.confidence,
            share(*limit)
        ),
        ControlFailure::Uncertain { half_width, limit } => format!(
            "too noisy to judge: the baseline compared with itself is uncertain by ±{:.2} %; a {} threshold needs \
             ±{}: use more claims, a quieter machine or a larger compare.noise_threshold",
            100.0 * half_width,
            share(2.0 * limit),
            share(*limit)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Metric;
    use crate::stats::Estimate;

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
