//! What claims met of faults, and what the servers lost: counts, by the outcome or the cause.

use super::document::Block;
use super::format::count;
use crate::record::{Doubts, FailedTry, InjectedRecord, Outcomes, RunRecord};

/// How claims ended after each fault, and what had to be tried again.
pub(super) fn claims(injected: &InjectedRecord) -> Option<Block> {
    let mut rows = Vec::new();
    for fault in injected.faults.iter().filter(|fault| fault.struck_s.is_some()) {
        let mut row = |what: String, n: u64| {
            if n > 0 {
                rows.push(vec![fault.kind.as_str().to_owned(), what, count(n)]);
            }
        };
        row("claims that took more than one try".to_owned(), fault.claims_retried);
        for (cause, n) in &fault.retries {
            row(format!("tries that came to nothing: {}", tried(cause)), *n);
        }
        row("executions taken out of the circuit, their state not known".to_owned(), fault.left_out);
        for (outcome, n) in ended(&fault.outcomes, fault.settled, fault.doubts) {
            row(outcome, n);
        }
    }
    (!rows.is_empty()).then(|| Block::Table {
        heading: "What claims met, from each fault on".into(),
        header: vec!["fault", "what", "times"],
        rows,
        words: vec![1],
    })
}

/// Claims that did not end in the usual way.
fn ended(outcomes: &Outcomes, settled: u64, doubts: Doubts) -> Vec<(String, u64)> {
    let refused = outcomes.refused.iter().map(|(code, n)| (format!("claims refused: {code}"), *n));
    let doubts = if doubts.is_empty() {
        // Results of before do not know what became of the others.
        Doubts { claimed: settled, not_claimed: 0, open: outcomes.ambiguous.saturating_sub(settled) }
    } else {
        doubts
    };
    [
        ("claims with a try without a reply, read to hold their lease", doubts.claimed),
        ("claims with a try without a reply, found not to have taken it", doubts.not_claimed),
        ("claims with a try without a reply, of which only the audit could tell", doubts.open),
        ("claims whose grant was past its time", outcomes.expired),
        ("claims given up on: no reply in time", outcomes.timed_out),
        ("claims given up on: failed", outcomes.failed),
        ("claims given up on: redirected", outcomes.redirected.values().sum()),
    ]
    .into_iter()
    .map(|(what, n)| (what.to_owned(), n))
    .chain(refused)
    .collect()
}

/// What a try came to.
pub(super) fn tried(cause: &str) -> &str {
    match FailedTry::from_key(cause) {
        FailedTry::TimedOut => "no reply in time",
        FailedTry::Disconnected => "the connection was lost",
        FailedTry::Moved => "MOVED",
        FailedTry::Ask => "ASK",
        FailedTry::TryAgain => "TRYAGAIN",
        FailedTry::Unreadable => "the execution could not be read",
        FailedTry::Code(code) => code,
    }
}

/// That a failover lost something, as a warning.
pub(super) fn lost_by_server(grants: u64, executions: u64) -> String {
    let back = if executions == 0 {
        String::new()
    } else {
        format!(", and put {} further executions back by a step", count(executions))
    };
    format!(
        "servers lost {} grants or claims that they had acknowledged{back}: in a failover, for replication is asynchronous, \
         or because one came back empty. The audit names them; whoever held such a lease believes that it still does.",
        count(grants)
    )
}

/// What the servers lost, by name.
pub(super) fn lost(record: &RunRecord) -> Option<Block> {
    const SHOWN: usize = 10;
    let ids = &record.audit.lost_by_server_ids;
    let mut items: Vec<String> = ids.iter().take(SHOWN).cloned().collect();
    if let Some(more) = ids.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        items.push(format!("{} more: audit.lost_by_server_ids of result.json", count(more as u64)));
    }
    let heading = "Acknowledged, and lost by the servers".to_owned();
    (!items.is_empty()).then_some(Block::List { heading, items })
}
