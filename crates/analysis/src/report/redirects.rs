//! Redirects by server: as a run met them, and as the servers count them.

use super::document::Block;
use super::format::count;
use crate::record::{InjectedRecord, NotCounted, RedirectKind};

/// That a server counted others than were met.
pub(super) fn disagree(server: &str, redirect: RedirectKind, (met, counted): (u64, u64)) -> String {
    format!(
        "{server} counted {} {} where {} were met. Someone else uses the cluster with an old map: keep other clients away \
         and run again.",
        count(counted),
        redirect.code(),
        count(met)
    )
}

/// Redirects as the run met them, and beside them what servers counted where that was read.
pub(super) fn table(injected: &InjectedRecord) -> Option<Block> {
    let read = !injected.redirects_counted.is_empty();
    let counted = |server: &str, kind| {
        let by_kind = injected.redirects_counted.get(server)?;
        Some(by_kind.get(&kind).copied().unwrap_or_default())
    };
    let mut rows = Vec::new();
    for (server, kinds) in &injected.redirects {
        for (kind, n) in kinds {
            let mut row = vec![server.clone(), kind.code().to_owned(), count(*n)];
            if read {
                row.push(counted(server, *kind).map_or_else(|| "-".to_owned(), count));
            }
            rows.push(row);
        }
    }
    let (heading, header) = if read {
        let heading =
            "Redirects by server, as claims and all else met them and as the server counts them (errorstats)";
        (heading, vec!["server", "answer", "met", "counted"])
    } else {
        ("Redirects by server", vec!["server", "answer", "times"])
    };
    (!rows.is_empty()).then(|| Block::Table { heading: heading.into(), header, rows, words: vec![1] })
}

/// Whose redirects nobody could compare, and why.
pub(super) fn not_compared(injected: &InjectedRecord) -> Option<Block> {
    let why = |why: NotCounted| match why {
        NotCounted::NoPrimaryBefore => {
            "was no primary when the window began, and its counters were not read then"
        }
        NotCounted::Silent => "did not answer after the window",
        NotCounted::Restarted => "was started again, and has counted from there",
    };
    let servers = injected.redirects_not_counted.iter();
    let said: Vec<String> = servers.map(|(server, reason)| format!("{server} {}", why(*reason))).collect();
    (!said.is_empty())
        .then(|| Block::Line(format!("Redirects that nobody could compare: {}.", said.join("; "))))
}
