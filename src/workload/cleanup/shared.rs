//! Keys that a partition's executions share: the stream of delivered signals, the waitpoint secret.

use std::collections::BTreeSet;

use ff_core::keys::IndexKeys;
use ff_core::partition::Partition;
use redis::{Cmd, Value};

use super::super::batch::{CommandBatch, Exchange, Oversight, Replies, exchange};
use super::super::error::{WorkloadError, is_wrong_type};
use super::super::nodes::Nodes;
use super::super::secrets::KID;
use super::tally::{Removal, number, partition, text, texts};
use crate::valkey::WireError;
use reclaim_analysis::record::WireCost;

/// Stream entries read at a time.
const PAGE: usize = 500;

/// A stream stays as an empty key when its last entry goes; this removes it, unless somebody added an entry
/// since. One that a group reads stays: its reader would lose its place.
const UNLINK_IF_EMPTY: &str = "if redis.call('EXISTS', KEYS[1]) == 1 and redis.call('XLEN', KEYS[1]) == 0 \
                               and #redis.call('XINFO', 'GROUPS', KEYS[1]) == 0 \
                               then return redis.call('UNLINK', KEYS[1]) end return 0";

/// Removes the entries of executions that are `ours` from a partition's stream of delivered signals, and the
/// stream once it is empty by that.
pub(super) async fn thin_signal_stream(
    nodes: &Nodes,
    partition: Partition,
    ours: &dyn Fn(&str) -> bool,
    removal: &mut Removal,
) {
    let key = IndexKeys::new(&partition).partition_signal_delivery();
    let addr = nodes.wire_of(partition).addr().clone();
    let thinned = match nodes.given_up(&addr) {
        Some(error) => Err(error),
        None => thin(nodes, partition, &key, ours, removal).await,
    };
    if let Err(error) = thinned {
        nodes.note(&addr, &error);
        let error = error.into();
        // A key of that name and another type is somebody else's.
        if !is_wrong_type(&error) {
            removal.fail("thinning out", &key, &error);
        }
    }
}

async fn thin(
    nodes: &Nodes,
    partition: Partition,
    key: &str,
    ours: &dyn Fn(&str) -> bool,
    removal: &mut Removal,
) -> Result<(), WireError> {
    let wire = nodes.wire_of(partition);
    let call = async |name, command: Cmd| wire.call(name, &command, &mut WireCost::default()).await;
    let mut start = "-".to_owned();
    loop {
        let mut read = redis::cmd("XRANGE");
        read.arg(key).arg(&start).arg("+").arg("COUNT").arg(PAGE);
        let entries = entries(&call("xrange", read).await?);
        let Some(last) = entries.last() else { break };
        start = format!("({}", last.id);
        let full = entries.len() == PAGE;
        let doomed: Vec<_> = entries.into_iter().filter(|entry| ours(&entry.execution_id)).collect();
        if !doomed.is_empty() {
            let mut delete = redis::cmd("XDEL");
            delete.arg(key);
            for entry in &doomed {
                delete.arg(&entry.id);
            }
            removal.entries += number(&call("xdel", delete).await?);
        }
        if !full {
            break;
        }
    }
    // Also one that an earlier clean-up had emptied when it was cut off.
    let mut unlink = redis::cmd("EVAL");
    unlink.arg(UNLINK_IF_EMPTY).arg(1).arg(key);
    removal.keys += number(&call("eval", unlink).await?);
    Ok(())
}

struct StreamEntry {
    id: String,
    execution_id: String,
}

fn entries(reply: &Value) -> Vec<StreamEntry> {
    let Value::Array(entries) = reply else { return Vec::new() };
    let entry = |entry: &Value| {
        let Value::Array(parts) = entry else { return None };
        let fields = texts(parts.get(1)?);
        let execution_id = fields.chunks_exact(2).find(|pair| pair[0] == "execution_id")?[1].clone();
        Some(StreamEntry { id: text(parts.first()?)?, execution_id })
    };
    // An entry of unknown form belongs to somebody else, but paging needs its id.
    let foreign = |entry: &Value| match entry {
        Value::Array(parts) => Some(StreamEntry { id: text(parts.first()?)?, execution_id: String::new() }),
        _ => None,
    };
    entries.iter().filter_map(|value| entry(value).or_else(|| foreign(value))).collect()
}

/// Removes the secrets of `partitions` that are this tool's and nothing else.
pub(super) async fn remove_secrets(
    nodes: &Nodes,
    partitions: &BTreeSet<u16>,
    control: &Oversight<'_>,
) -> Result<Removal, WorkloadError> {
    let mut removal = Removal::default();
    let routed = partitions.iter().map(|&index| (partition(index), partition(index))).collect();
    let mut ours = Vec::new();
    for checked in exchange(nodes, routed, &CheckSecret, control).await? {
        match checked {
            Ok(found) => ours.extend(found.map(|partition| (partition, partition))),
            Err(part) => removal.count(&part),
        }
    }
    for part in exchange(nodes, ours, &UnlinkSecret, control).await? {
        removal.count(&part);
    }
    Ok(removal)
}

fn secret_key(partition: Partition) -> String {
    IndexKeys::new(&partition).waitpoint_hmac_secrets()
}

/// Finds out whether a secret is this tool's alone: since rotated by an operator, it must stay.
struct CheckSecret;

impl Exchange for CheckSecret {
    type Item = Partition;
    type Output = Result<Option<Partition>, Removal>;

    fn encode(&self, &partition: &Partition, batch: &mut CommandBatch) {
        let mut read = redis::cmd("HKEYS");
        read.arg(secret_key(partition));
        batch.add("hkeys", read);
        let mut read = redis::cmd("HGET");
        read.arg(secret_key(partition)).arg("current_kid");
        batch.add("hget", read);
    }

    fn decode(&self, partition: Partition, mut replies: Replies) -> Result<Self::Output, WorkloadError> {
        let own_field = format!("secret:{KID}");
        let checked = replies.value().and_then(|fields| {
            let only_ours = texts(&fields).iter().all(|field| *field == "current_kid" || *field == own_field);
            Ok(only_ours && text(&replies.value()?).as_deref() == Some(KID))
        });
        Ok(match checked {
            Ok(ours) => Ok(ours.then_some(partition)),
            Err(error) if is_wrong_type(&error) => Ok(None),
            Err(error) => {
                let mut removal = Removal::default();
                removal.fail("reading", &secret_key(partition), &error);
                Err(removal)
            }
        })
    }
}

struct UnlinkSecret;

impl Exchange for UnlinkSecret {
    type Item = Partition;
    type Output = Removal;

    fn encode(&self, &partition: &Partition, batch: &mut CommandBatch) {
        let mut unlink = redis::cmd("UNLINK");
        unlink.arg(secret_key(partition));
        batch.add("unlink", unlink);
    }

    fn decode(&self, partition: Partition, mut replies: Replies) -> Result<Removal, WorkloadError> {
        let mut removal = Removal::default();
        removal.keys_from(&mut replies, "UNLINK", &secret_key(partition));
        Ok(removal)
    }
}
