//! What loading the library did to servers that are not ours, and undoing it.
//!
//! A primary on which a run loads its library gets a mark: a hash with the library's checksum and the source
//! that it replaced. Who tidies up, the run itself or `clean` after a crash, touches a library only where its
//! mark stands and the server still holds the very source that was loaded.

use redis::Value;

use super::error::ClusterError;
use super::library::{Before, Held, Library, delete, sha256_hex};
use crate::flowfabric::LibraryAlias;
use crate::valkey::{NodeIndex, Topology, Wire, ask, unexpected};
use ff_core::partition::{Partition, PartitionFamily};

/// How the key of every mark begins; a partition's tag and [`END`] follow.
const BEGIN: &str = "ff:reclaim-bench:";
const END: &str = ":library";

/// What became of a primary's library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undone {
    /// It has none any more, as before.
    Removed,
    /// It has again the one from before.
    PutBack,
    /// Somebody has loaded another one since, or taken it away: not ours to touch.
    NotOurs,
}

/// The key of a primary's mark: on the first partition that it serves. `None` for one that serves none.
pub(super) fn mark_key(topology: &Topology, node: NodeIndex) -> Option<String> {
    (0..u16::MAX)
        .map(|index| Partition { family: PartitionFamily::Flow, index })
        .find(|partition| topology.owner_of(*partition) == node)
        .map(|partition| format!("{BEGIN}{}{END}", partition.hash_tag()))
}

/// Writes the mark before the library is loaded: a crash in between leaves a mark, never a library without
/// one.
pub(super) async fn mark(
    wire: &Wire,
    key: &str,
    library: &Library,
    before: &Before,
) -> Result<(), ClusterError> {
    let mut cmd = redis::cmd("HSET");
    cmd.arg(key).arg("sha256").arg(&library.sha256);
    if let Before::Other(code) = before {
        cmd.arg("before").arg(code);
    }
    ask(wire, "HSET library mark", &cmd, "hset").await?;
    Ok(())
}

/// Removes a mark.
pub(super) async fn unmark(wire: &Wire, key: &str) -> Result<(), ClusterError> {
    ask(wire, "UNLINK library mark", redis::cmd("UNLINK").arg(key), "unlink").await?;
    Ok(())
}

/// The keys of all marks on a primary.
pub(super) async fn marks(wire: &Wire) -> Result<Vec<String>, ClusterError> {
    let (mut cursor, mut found) = ("0".to_owned(), Vec::new());
    loop {
        let mut cmd = redis::cmd("SCAN");
        cmd.arg(&cursor).arg("MATCH").arg(format!("{BEGIN}*{END}")).arg("COUNT").arg(1_000);
        let reply = ask(wire, "SCAN", &cmd, "scan").await?;
        let Value::Array(parts) = &reply else { return Err(unexpected(wire, "SCAN", &reply).into()) };
        let [next, Value::Array(keys)] = parts.as_slice() else {
            return Err(unexpected(wire, "SCAN", &reply).into());
        };
        found.extend(keys.iter().filter_map(text));
        cursor = text(next).unwrap_or_else(|| "0".to_owned());
        if cursor == "0" {
            return Ok(found);
        }
    }
}

/// Undoes what a mark says was done, and removes the mark.
pub(super) async fn undo_marked(wire: &Wire, key: &str) -> Result<Undone, ClusterError> {
    let mut cmd = redis::cmd("HMGET");
    cmd.arg(key).arg("sha256").arg("before");
    let reply = ask(wire, "HMGET library mark", &cmd, "hmget").await?;
    let Value::Array(fields) = &reply else { return Err(unexpected(wire, "HMGET", &reply).into()) };
    let field = |position: usize| fields.get(position).and_then(text);
    let Some(sha256) = field(0) else { return Ok(Undone::NotOurs) };
    let before = field(1).map_or(Before::Nothing, Before::Other);
    let undone = undo(wire, &sha256, &before).await?;
    unmark(wire, key).await?;
    Ok(undone)
}

/// Gives a primary back the library from before, if it still runs the one with this checksum.
pub(super) async fn undo(wire: &Wire, sha256: &str, before: &Before) -> Result<Undone, ClusterError> {
    let held = Held::read(wire, LibraryAlias::OWN).await?;
    if held.is_none_or(|held| sha256_hex(held.code.as_bytes()) != sha256) {
        return Ok(Undone::NotOurs);
    }
    match before {
        Before::Same => Ok(Undone::NotOurs),
        Before::Nothing => delete(wire).await.map(|()| Undone::Removed),
        Before::Other(code) => Library::put_back(code).load(wire, code, true).await.map(|()| Undone::PutBack),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}
