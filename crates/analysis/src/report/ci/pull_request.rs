//! A short comment for a pull request; `markdown` has the whole report.

use super::super::document::Block;
use super::super::format::{apart, cores, figure, maybe, primaries};
use super::super::words::{self, conclusion};
use super::super::{faults, findings, markdown, own_arms, run_report, servers, text};
use super::fails_beyond;
use crate::judge::{
    Consequence, GateRole, RunResult, StoredComparison, StoredFailures, StoredMetric, StoredVerdict,
    error_findings, gate_role,
};

/// The verdicts of one run: what decides first, then metric by metric.
pub fn pull_request(result: &RunResult) -> String {
    let scenario = &result.record.scenario;
    let gate = result.gate();
    let concluded = conclusion::concluded(&gate, conclusion::in_comment);
    let mut blocks = vec![Block::Title(format!("reclaim-bench {}: {concluded}", result.record.label()))];
    if !result.is_usable() {
        let mut items: Vec<String> = result.invalid_reasons.iter().map(words::invalid_reason).collect();
        if let Some(aborted) = &result.record.aborted {
            items.push(findings::aborted(aborted));
        } else if result.record.partial {
            items.push("it was interrupted: what it had measured is kept, and not judged".to_owned());
        }
        blocks.push(Block::List { heading: "Why".into(), items });
        blocks.push(Block::Line(origin(result)));
        return markdown::render(&blocks);
    }
    // What did not succeed is worth a word also where no gate was asked for.
    let items: Vec<String> = if scenario.gate.enforce {
        let said = |found| findings::with_conclusion(found, conclusion::in_comment);
        gate.findings.iter().map(said).collect()
    } else {
        error_findings(result, scenario.has_response_level())
            .map(|(_, found)| findings::finding(&found))
            .collect()
    };
    if !items.is_empty() {
        blocks.push(Block::List { heading: "Findings".into(), items });
    }
    blocks.extend(run_report::savings(result));
    // A level that was missed is to be read also where it fails nothing.
    blocks.extend(run_report::service_level(result).into_iter().chain(faults::level(result)));
    if !result.comparisons.is_empty() {
        blocks.push(verdicts(result));
    }
    let unequal: Vec<_> = result.exact.iter().filter(|exact| !exact.equal).collect();
    if !unequal.is_empty() {
        let rows = unequal
            .iter()
            .map(|e| {
                let [base, value] = apart([e.baseline_value, e.candidate_value], figure);
                vec![e.candidate.clone(), e.metric.to_string(), base, value]
            })
            .collect();
        let header = vec!["variant", "per claim", "baseline", "value"];
        let heading = format!("Not equal{}", run_report::but_for_defined(result));
        blocks.push(Block::Table { heading, header, rows, words: vec![1] });
    }
    blocks.push(Block::Line(origin(result)));
    markdown::render(&blocks)
}

fn verdicts(result: &RunResult) -> Block {
    let rows = result
        .comparisons
        .iter()
        .map(|c| {
            let difference = words::difference_or_why(c.ratio.as_ref(), c.too_few.as_ref());
            let role = gate_role(result, &c.baseline, &c.candidate);
            let sign = sign(c.verdict.consequence(role == GateRole::Gates));
            let verdict = format!("{sign} {}", words::verdict_in_its_role(c, role));
            let (metric, [baseline, value]) = words::measured(c);
            vec![c.candidate.clone(), metric, baseline, value, difference, verdict]
        })
        .collect();
    Block::Table {
        heading: format!("Against {}", result.comparisons[0].baseline),
        header: vec!["variant", "metric", "baseline", "value", "difference", "verdict"],
        rows,
        words: vec![1, 5],
    }
}

/// A mark for what a verdict comes to.
pub(super) fn sign(consequence: Consequence) -> &'static str {
    match consequence {
        Consequence::Fails => "✗",
        Consequence::Reported => "▲",
        Consequence::Passes => "✓",
        Consequence::Undecided => "?",
    }
}

fn origin(result: &RunResult) -> String {
    let control = match &result.control {
        Some(control) => format!("control {}; ", findings::control_state(control)),
        None => String::new(),
    };
    format!("{control}{}, seed {}", place(result), result.record.seed)
}

/// Where a run was made: what is the same for every run of a series.
pub(super) fn place(result: &RunResult) -> String {
    let (host, valkey, library) = (
        &result.record.environment.host,
        &result.record.environment.valkey,
        &result.record.environment.library,
    );
    format!(
        "library {}, {} with {}, {} ({})",
        library.version,
        servers::sides(&result.record).unwrap_or_else(|| format!("Valkey {}", valkey.version)),
        primaries(valkey.primaries),
        host.cpu,
        cores(host.cores)
    )
}

/// A comparison with a stored result: what is judged, what is not equal, what else differed, what each result
/// says of its own arms; with `all`, metrics that no threshold is set for as well.
pub fn pull_request_stored(comparison: &StoredComparison, all: bool) -> String {
    markdown::render(&stored(comparison, all))
}

/// The same for a terminal with so many columns.
pub fn stored_text(comparison: &StoredComparison, all: bool, columns: Option<u16>) -> String {
    text::render(&stored(comparison, all), columns)
}

fn stored(comparison: &StoredComparison, all: bool) -> Vec<Block> {
    let title = format!(
        "reclaim-bench {} against {}: {}",
        comparison.candidate.scenario,
        comparison.base.started,
        conclusion::in_comment(comparison.conclusion)
    );
    let mut blocks = vec![Block::Title(title)];
    blocks.extend(words::differing(&comparison.differences));
    let shown = |metric: &StoredMetric| all || metric.verdict != StoredVerdict::NotJudged;
    blocks.push(Block::Table {
        heading: "Metrics".into(),
        header: vec!["variant", "metric", "base", "value", "difference", "fails beyond", "verdict"],
        rows: comparison.metrics.iter().filter(|m| shown(m)).map(stored_row).collect(),
        words: vec![1, 6],
    });
    let hidden = comparison.metrics.iter().filter(|m| !shown(m)).count();
    if hidden > 0 {
        blocks.push(Block::Line(format!("{hidden} more metrics have no threshold: --all shows them.")));
    }
    if !comparison.exact.is_empty() {
        let rows = comparison
            .exact
            .iter()
            .map(|e| {
                let [base, value] = apart([e.base_value, e.candidate_value], figure);
                vec![e.variant.clone(), e.metric.to_string(), base, value, stored_word(e.verdict).to_owned()]
            })
            .collect();
        let header = vec!["variant", "per claim", "base", "value", "verdict"];
        blocks.push(Block::Table { heading: "Not equal".into(), header, rows, words: vec![1, 4] });
    }
    if !comparison.failures.is_empty() {
        let row = |f: &StoredFailures| {
            let [base, value] = words::failures(f);
            vec![f.variant.clone(), base, value, stored_word(f.verdict).to_owned()]
        };
        let (header, rows) =
            (vec!["variant", "base", "value", "verdict"], comparison.failures.iter().map(row).collect());
        let heading = words::NOT_SUCCESSFUL.into();
        blocks.push(Block::Table { heading, header, rows, words: vec![3] });
    }
    blocks.extend(own_arms::blocks(&comparison.own_arms));
    blocks
}

fn stored_row(metric: &StoredMetric) -> Vec<String> {
    vec![
        metric.variant.clone(),
        words::with_unit(metric.metric),
        maybe(metric.base_value),
        maybe(metric.candidate_value),
        words::difference_or_why(metric.ratio.as_ref(), metric.too_few.as_ref()),
        fails_beyond(metric.thresholds),
        stored_word(metric.verdict).to_owned(),
    ]
}

fn stored_word(verdict: StoredVerdict) -> &'static str {
    match verdict {
        StoredVerdict::Fail => "✗ fail",
        StoredVerdict::Warn => "! warning",
        StoredVerdict::Inconclusive => "? inconclusive",
        StoredVerdict::Pass => "✓ pass",
        StoredVerdict::NotJudged => "not judged",
    }
}
