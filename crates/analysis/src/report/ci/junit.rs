//! Test report for build servers (`JUnit` XML): every verdict is a test case.
//!
//! | what | test case |
//! |---|---|
//! | no change, improvement | passed, with the difference |
//! | equal | passed |
//! | regression, more of what does not vary | failure where the scenario's gate is enforced, else passed with its words |
//! | inconclusive, control failed | skipped: it must not look green, and noise must not turn a build red |
//! | claims that did not succeed, beyond the baseline's | failure |
//! | a service level that was missed, of response time or recovery | failure |
//! | a service level or a recovery that nobody can tell | skipped |
//! | invalid or interrupted run | error; its verdicts are skipped |
//! | what each of two stored results says of its own arms | passed, with both: it is not judged |
//!
//! An A/B by design that finds its baseline faster has an answer, not a failure: only where verdicts decide
//! the exit code do they fail a test case. Of a series of runs, verdicts come over all of them, and what must
//! hold in each run is a suite of that run.

use std::fmt::Write as _;

use super::super::format::{apart, per_claim, signed_within};
use super::super::{faults, findings, own_arms, servers, words};
use crate::judge::{
    Cause, Comparison, Conclusion, Consequence, Gate, GateRole, RunResult, RunState, StoredComparison,
    StoredMetric, StoredVerdict, error_findings, gate_role, judged_exact, recovery_levels, service_levels,
};
use crate::scenario::Metric;
use crate::stats::Estimate;

/// Why a verdict of such a run is none.
const UNUSABLE: &str = "the run is invalid, or was interrupted";

/// How a test case ends.
pub(super) enum Case {
    Passed,
    /// With something that is to be read all the same.
    PassedWith(String),
    Failure(String),
    Skipped(String),
    Error(String),
}

/// The verdicts of one run.
pub fn junit(result: &RunResult) -> String {
    document(&[run_suite(&result.record.label(), result, true)])
}

/// What one run has to say; where it is not `alone` but one of a series, verdicts come over all runs and are
/// not here.
pub(super) fn run_suite(name: &str, result: &RunResult, alone: bool) -> Suite {
    let record = &result.record;
    let mut suite = Suite::new(name, &record.started, record.duration_s);
    let usable = result.is_usable();
    suite.add("run", "valid", validity(result));
    if let Some(control) = result.control.as_ref().filter(|_| alone) {
        suite.add("run", "control", findings::failed_control(control).map_or(Case::Passed, Case::Skipped));
    }
    let service_level = record.scenario.has_response_level();
    let failing: Vec<_> = error_findings(result, service_level).filter(|_| usable).collect();
    for variant in &result.variants {
        let found = failing.iter().find(|(failing, _)| failing.name == variant.name);
        let case = match found {
            Some((_, finding)) => Case::Failure(findings::finding(finding)),
            None if usable => Case::Passed,
            None if result.state() == RunState::Aborted => Case::Failure(aborted(result)),
            None => Case::Skipped(UNUSABLE.to_owned()),
        };
        suite.add(&variant.name, "claims succeed", case);
    }
    add_service_levels(&mut suite, result, usable);
    add_recovery_levels(&mut suite, result, usable);
    for comparison in result.comparisons.iter().filter(|_| alone) {
        let [candidate, baseline] =
            [&comparison.candidate, &comparison.baseline].map(|arm| servers::arm_with_server(record, arm));
        let class = format!("{candidate} against {baseline}");
        let role = gate_role(result, &comparison.baseline, &comparison.candidate);
        let vetoed = result.control.as_ref().and_then(findings::failed_control);
        let case = match (result.consequence(comparison), vetoed) {
            (None, _) => Case::Skipped(UNUSABLE.to_owned()),
            (Some(Consequence::Undecided), Some(reason)) => {
                Case::Skipped(format!("inconclusive, because the control failed: {reason}"))
            }
            (Some(consequence), _) => Case::from_consequence(consequence, text(comparison, role)),
        };
        suite.add(&class, comparison.metric.name(), case);
    }
    add_exact(&mut suite, result);
    if alone {
        add_nothing_judged(&mut suite, "run", &result.gate());
    }
    suite
}

/// Where the gate was asked and found nothing to judge, or not all that was asked for: that is inconclusive, and must
/// not look green.
pub(super) fn add_nothing_judged(suite: &mut Suite, class: &str, gate: &Gate) {
    for finding in &gate.findings {
        let case = || Case::Skipped(findings::finding(finding));
        match &finding.cause {
            Cause::NothingJudged => suite.add(class, "gate", case()),
            Cause::NotCompared { metric, candidate, baseline, .. } => {
                suite.add(&format!("{candidate} against {baseline}"), metric.name(), case());
            }
            _ => {}
        }
    }
}

/// Whether its figures may be used at all.
fn validity(result: &RunResult) -> Case {
    match result.state() {
        RunState::Invalid => {
            let first = result.invalid_reasons.first().map(words::invalid_reason);
            Case::Error(first.unwrap_or_else(|| "the run is invalid".to_owned()))
        }
        RunState::Aborted => Case::Failure(aborted(result)),
        RunState::Interrupted => Case::Error("the run was interrupted".to_owned()),
        RunState::ControlFailed | RunState::Judged => Case::Passed,
    }
}

fn aborted(result: &RunResult) -> String {
    result.record.aborted.as_ref().map(findings::aborted).unwrap_or_default()
}

/// A case for each variant with a level to keep.
fn add_service_levels(suite: &mut Suite, result: &RunResult, usable: bool) {
    let bound = result.record.scenario.slo.as_ref().and_then(|slo| Some(slo.response_p99?.0));
    for level in bound.into_iter().flat_map(|bound| service_levels(result, bound)) {
        let case = match level.finding() {
            _ if !usable => Case::Skipped(UNUSABLE.to_owned()),
            // It says by which clock also where the level was kept.
            None => Case::PassedWith(format!(
                "kept at p99 {}: {}{}",
                findings::of_clock(level.clock),
                findings::level_figure(level.p99_us, level.late),
                findings::without_time(level.untimed)
            )),
            Some(found) if found.conclusion == Conclusion::Inconclusive => {
                Case::Skipped(findings::finding(&found))
            }
            Some(found) => Case::Failure(findings::finding(&found)),
        };
        suite.add(&level.variant.name, "service level", case);
    }
}

/// A case for each fault with a time within which it must be over.
fn add_recovery_levels(suite: &mut Suite, result: &RunResult, usable: bool) {
    let bound = result.record.scenario.slo.as_ref().and_then(|slo| Some(slo.recovery?.0));
    for level in bound.into_iter().flat_map(|bound| recovery_levels(result, bound)) {
        let case = match (usable, level.kept) {
            (false, _) => Case::Skipped(UNUSABLE.to_owned()),
            (true, Some(true)) => Case::Passed,
            (true, Some(false)) => Case::Failure(faults::level_of(&level)),
            (true, None) => Case::Skipped(faults::level_of(&level)),
        };
        suite.add(&format!("fault {}", level.recovery.fault + 1), "recovery", case);
    }
}

/// A case for each count that the gate looks at.
fn add_exact(suite: &mut Suite, result: &RunResult) {
    for exact in judged_exact(result) {
        let class = format!("{} against {}", exact.candidate, exact.baseline);
        let [value, base] = apart([exact.candidate_value, exact.baseline_value], per_claim);
        let text = format!("{value} per claim instead of {base}");
        let case = match result.consequence_of_count(exact) {
            None => Case::Skipped(UNUSABLE.to_owned()),
            Some(Consequence::Passes) => Case::Passed,
            Some(Consequence::Reported) => Case::PassedWith(format!("{text} (not gated)")),
            Some(other) => Case::from_consequence(other, text),
        };
        suite.add(&class, &exact.metric.to_string(), case);
    }
}

/// The verdicts of a comparison with a stored result.
pub fn junit_stored(comparison: &StoredComparison) -> String {
    let name = format!("{} against a stored result", comparison.candidate.scenario);
    let mut suite = Suite::new(&name, &comparison.candidate.started, 0.0);
    for metric in comparison.metrics.iter().filter(|m| m.verdict != StoredVerdict::NotJudged) {
        suite.add(&metric.variant, metric.metric.name(), stored(metric));
    }
    for exact in &comparison.exact {
        let [value, base] = apart([exact.candidate_value, exact.base_value], per_claim);
        let text = format!("{value} per claim instead of {base}");
        let case = if exact.verdict == StoredVerdict::Fail { Case::Failure(text) } else { Case::Passed };
        suite.add(&exact.variant, &exact.metric.to_string(), case);
    }
    for failures in &comparison.failures {
        let [base, candidate] = words::failures(failures);
        let text = format!("{candidate} did not succeed, of the base {base}");
        let case = if failures.verdict == StoredVerdict::Fail {
            Case::Failure(text)
        } else {
            Case::PassedWith(text)
        };
        suite.add(&failures.variant, "claims succeed", case);
    }
    for pair in &comparison.own_arms {
        suite.add(&pair.pair(), pair.metric.name(), Case::PassedWith(own_arms::said(pair)));
    }
    let told = comparison.metrics.iter().any(|metric| metric.verdict == StoredVerdict::Inconclusive);
    // Nothing to judge must not look green.
    if comparison.conclusion == Conclusion::Inconclusive && !told {
        let why = "inconclusive: no metric that has a threshold is in both results";
        suite.add("comparison", "gate", Case::Skipped(why.to_owned()));
    }
    document(&[suite])
}

impl Case {
    pub(super) fn from_consequence(consequence: Consequence, text: String) -> Self {
        match consequence {
            Consequence::Fails => Self::Failure(text),
            Consequence::Undecided => Self::Skipped(text),
            Consequence::Reported | Consequence::Passes => Self::PassedWith(text),
        }
    }
}

fn text(comparison: &Comparison, role: GateRole) -> String {
    let ratio = words::difference_or_why(comparison.ratio.as_ref(), comparison.too_few.as_ref());
    let amount = with_its_unit(ratio, comparison.metric, comparison.difference.as_ref());
    format!("{}: {amount}", words::verdict_in_its_role(comparison, role))
}

/// What is said of a ratio, and the difference in the metric's own unit where that is known.
pub(super) fn with_its_unit(ratio: String, metric: Metric, difference: Option<&Estimate>) -> String {
    match difference {
        Some(more) => format!("{ratio}, {} {}", signed_within(more), words::unit(metric.row().unit)),
        None => ratio,
    }
}

fn stored(metric: &StoredMetric) -> Case {
    let amount = words::difference_or_why(metric.ratio.as_ref(), metric.too_few.as_ref());
    match metric.verdict {
        StoredVerdict::Fail => Case::Failure(amount),
        StoredVerdict::Inconclusive => {
            let undecided = metric.undecided().filter(|_| metric.ratio.is_some());
            let why = undecided.as_ref().and_then(words::undecided_by);
            let why = why.map(|why| format!(", {why}")).unwrap_or_default();
            Case::Skipped(format!("inconclusive: {amount}{why}"))
        }
        StoredVerdict::Warn | StoredVerdict::Pass | StoredVerdict::NotJudged => Case::Passed,
    }
}

/// One `<testsuite>` in the making. `quick-junit` would write it, but brings a clock (chrono) into a crate
/// that has none.
pub(super) struct Suite {
    name: String,
    started: String,
    seconds: f64,
    cases: String,
    /// Cases, failures, errors, skipped.
    counts: [u32; 4],
}

impl Suite {
    pub(super) fn new(name: &str, started: &str, seconds: f64) -> Self {
        let [name, started] = [name, started].map(escape);
        Self { name, started, seconds, cases: String::new(), counts: [0; 4] }
    }

    pub(super) fn add(&mut self, class: &str, name: &str, case: Case) {
        let (position, element) = match case {
            Case::Passed => (0, None),
            Case::PassedWith(text) => (0, Some(("system-out", text))),
            Case::Failure(text) => (1, Some(("failure", text))),
            Case::Error(text) => (2, Some(("error", text))),
            Case::Skipped(text) => (3, Some(("skipped", text))),
        };
        self.counts[0] += 1;
        if position > 0 {
            self.counts[position] += 1;
        }
        // The run took its time once, for all of its verdicts: the first case has it.
        let seconds = if self.counts[0] == 1 { self.seconds } else { 0.0 };
        let (suite, class, name) = (&self.name, escape(class), escape(name));
        let case =
            format!("    <testcase classname=\"{suite}.{class}\" name=\"{name}\" time=\"{seconds:.3}\"");
        // Writing to a String cannot fail.
        let _ = match element {
            None => writeln!(self.cases, "{case}/>"),
            Some(("system-out", text)) => writeln!(
                self.cases,
                "{case}>\n      <system-out>{}</system-out>\n    </testcase>",
                escape(&text)
            ),
            // Viewers show the one or the other.
            Some((element, text)) => writeln!(
                self.cases,
                "{case}>\n      <{element} message=\"{0}\">{0}</{element}>\n    </testcase>",
                escape(&text)
            ),
        };
    }

    fn element(&self) -> String {
        let [tests, failures, errors, skipped] = self.counts;
        format!(
            "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" \
             skipped=\"{skipped}\" timestamp=\"{}\" time=\"{:.3}\">\n{}  </testsuite>\n",
            self.name, self.started, self.seconds, self.cases
        )
    }
}

/// The file with these suites.
pub(super) fn document(suites: &[Suite]) -> String {
    let elements = suites.iter().map(Suite::element).collect::<Vec<_>>().concat();
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n{elements}</testsuites>\n")
}

/// Text for an attribute in double quotes. Characters that XML 1.0 forbids become a replacement character.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\t' | '\n' | '\r' => safe.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn nothing_in_a_name_becomes_markup() {
        assert_eq!(escape("a<b & \"c\">\u{1}\n"), "a&lt;b &amp; &quot;c&quot;&gt;\u{fffd} ");
    }
}
