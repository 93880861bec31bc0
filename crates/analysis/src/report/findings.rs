//! What a gate found, in words.

use super::format::{difference_within, per_claim, share, time_us};
use crate::judge::{Cause, Conclusion, Control, ControlFailure, Finding, Gate};
use crate::record::Aborted;

/// What a gate says whose verdicts are binding, with the exit code that follows and the first reasons; `None` where they
/// are not.
pub(super) fn gate(gate: &Gate, interrupted: bool) -> Option<String> {
    const SHOWN: usize = 3;
    if !gate.enforced {
        return None;
    }
    if interrupted {
        return Some("GATE: NOT JUDGED (exit 130): it was interrupted".to_owned());
    }
    let word = match gate.conclusion {
        Conclusion::Pass => "passed",
        Conclusion::Regression => "FAILED",
        Conclusion::Inconclusive => "INCONCLUSIVE",
        Conclusion::Invalid => "INVALID",
    };
    let mut reasons: Vec<_> = gate.findings.iter().take(SHOWN).map(finding).collect();
    if let Some(more) = gate.findings.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        reasons.push(format!("{more} more"));
    }
    let colon = if reasons.is_empty() { "" } else { ": " };
    Some(format!("GATE: {word} (exit {}){colon}{}", gate.conclusion.exit_code(), reasons.join("; ")))
}

/// One line, without a full stop.
pub(super) fn finding(finding: &Finding) -> String {
    let text = cause(&finding.cause);
    finding.run.map_or_else(|| text.clone(), |run| format!("run {run}: {text}"))
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
        Cause::SeriesControlFailed { ratio } => {
            format!("over all runs the baseline differs from itself by {}", difference_within(ratio))
        }
        Cause::Metric { metric, candidate, baseline, ratio, over_all_runs } => {
            let amount = match ratio {
                Ok(ratio) => difference_within(ratio),
                Err(Some(too_few)) => too_few.to_string(),
                Err(None) => "no estimate".to_owned(),
            };
            let over = if *over_all_runs { " over all runs" } else { "" };
            format!("{metric} of {candidate} against {baseline}{over}: {amount}")
        }
        Cause::MoreOf { metric, candidate, baseline, candidate_value, baseline_value } => {
            let [value, base] = [*candidate_value, *baseline_value].map(per_claim);
            format!("{metric} of {candidate} {base} → {value} per claim, against {baseline}")
        }
        Cause::ServiceLevel { variant, p99_us, bound_us } => format!(
            "{variant} answers within {} at p99, the service level is {}",
            time_us(*p99_us),
            time_us(*bound_us)
        ),
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
fn control_failure(failure: &ControlFailure) -> String {
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
        ControlFailure::Uncertain { half_width, limit } => format!(
            "too noisy to judge: the baseline compared with itself is uncertain by ±{:.2} %; a {} threshold needs \
             ±{}: use more claims, a quieter machine or a larger compare.noise_threshold",
            100.0 * half_width,
            share(2.0 * limit),
            share(*limit)
        ),
    }
}
