//! Other clients and what they sent.

use std::collections::BTreeMap;

use super::super::format::count;
use crate::record::ForeignClient;

/// Which commands of others ran on a primary.
pub(super) fn ran_on(primary: &str, commands: &BTreeMap<String, u64>) -> String {
    format!("somebody else's commands ran on {primary}: {}. ", listed(commands))
}

/// Who used a primary.
pub(super) fn used_by(primary: &str, clients: &[ForeignClient]) -> String {
    let who = clients_listed(clients);
    format!("other clients used {primary} between the start and the end of the windows: {who}. ")
}

/// Who came to a primary and left again.
pub(super) fn passed_by(primary: &str, connections: u64) -> String {
    format!(
        "other clients came to {primary} during the window and left again ({} connections), and what they asked cannot be told \
         from what functions run. ",
        count(connections)
    )
}

/// Who is told of every command on a primary, and what that does.
pub(super) fn monitored(primary: &str, clients: &[ForeignClient]) -> String {
    format!(
        "all that {primary} does is sent to a client as well (MONITOR), which slows every claim down: {}. End it for figures \
         of the claim path alone.",
        clients_listed(clients)
    )
}

/// That another run was started here and found out that it may not.
pub(super) fn visited(processes: &[String], commands: u64) -> String {
    format!(
        "a run was started on this cluster and refused ({}): {} calls by which it found that out are in the window.",
        processes.join(", "),
        count(commands)
    )
}

/// The busiest clients: where they come from, what they call themselves, and how much they sent.
fn clients_listed(clients: &[ForeignClient]) -> String {
    const SHOWN: usize = 3;
    let mut sorted: Vec<_> = clients.iter().collect();
    sorted.sort_by_key(|client| std::cmp::Reverse(client.commands));
    let more = sorted.len().saturating_sub(SHOWN);
    let mut words: Vec<_> = sorted
        .into_iter()
        .take(SHOWN)
        .map(|client| {
            let name = if client.name.is_empty() { String::new() } else { format!(" ({})", client.name) };
            format!("{}{name} with {} commands", client.addr, count(client.commands))
        })
        .collect();
    if more > 0 {
        words.push(format!("{more} more"));
    }
    words.join(", ")
}

/// Commands with their number, the most frequent first; a few of them.
pub(super) fn listed(commands: &BTreeMap<String, u64>) -> String {
    const SHOWN: usize = 5;
    let mut sorted: Vec<_> = commands.iter().collect();
    sorted.sort_by_key(|(_, calls)| std::cmp::Reverse(**calls));
    let more = sorted.len().saturating_sub(SHOWN);
    let mut words: Vec<_> = sorted
        .into_iter()
        .take(SHOWN)
        .map(|(command, calls)| format!("{} {command}", count(*calls)))
        .collect();
    if more > 0 {
        words.push(format!("{more} other commands"));
    }
    words.join(", ")
}
