//! Finds what this tool wrote by walking through a cluster's keys: for `clean`, which has no ledger.

use std::collections::BTreeSet;

use ff_core::types::ExecutionId;
use redis::{Cmd, Value};

use super::super::batch::{CommandBatch, Exchange, Oversight, Replies, exchange};
use super::super::error::{WorkloadError, is_wrong_type};
use super::super::nodes::Nodes;
use super::super::population::{LANE_PREFIX, UUID_TEXT_PREFIX, WORKER, is_ours};
use super::tally::{Removal, number, partition, text, texts};
use crate::cluster::{NAMESPACE, RENDEZVOUS, is_card};
use crate::flowfabric::{CallError, ExecutionKeys};
use crate::valkey::Wire;
use reclaim_analysis::record::WireCost;

/// Keys that one SCAN step looks at: a short command for the server, few round trips.
const STEP: u32 = 1_000;

/// What of this tool's is left on a cluster.
#[derive(Default)]
pub(super) struct Leftovers {
    /// Executions that have a core.
    pub executions: Vec<ExecutionId>,
    /// Partitions with a stream of delivered signals.
    pub streams: BTreeSet<u16>,
    /// Partitions with a waitpoint secret.
    pub secrets: BTreeSet<u16>,
    /// Primaries whose keys could not be listed.
    pub unlisted: Removal,
}

/// Lists executions, streams and secrets of all primaries.
///
/// An execution belongs to this tool by its namespace, whatever its id looks like.
pub(super) async fn find(nodes: &Nodes, control: &Oversight<'_>) -> Result<Leftovers, WorkloadError> {
    let mut found = Leftovers::default();
    for wire in nodes.routing().wires() {
        let mut walk = Walk::over_keys();
        while let Some(names) = listed(walk.step(wire, control).await, wire, &mut found.unlisted)? {
            let mut cores = Vec::new();
            for name in names {
                match classify(&name) {
                    Kind::Core(id) => cores.push((partition(id.partition()), id)),
                    Kind::SignalStream(partition) => _ = found.streams.insert(partition),
                    Kind::Secret(partition) => _ = found.secrets.insert(partition),
                    Kind::Own | Kind::SharedZset | Kind::SharedSet | Kind::Foreign => {}
                }
            }
            found
                .executions
                .extend(exchange(nodes, cores, &ReadNamespace, control).await?.into_iter().flatten());
        }
    }
    // SCAN may show a key twice.
    found.executions.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    found.executions.dedup();
    Ok(found)
}

/// The next names of a primary. One that cannot be asked has none, and that is a failure to remove what it
/// holds: the others are cleaned all the same.
fn listed(
    step: Result<Option<Vec<String>>, WorkloadError>,
    wire: &Wire,
    unlisted: &mut Removal,
) -> Result<Option<Vec<String>>, WorkloadError> {
    match step {
        Err(WorkloadError::Call { source, .. }) => {
            unlisted.fail("SCAN", &wire.addr().to_string(), &source);
            Ok(None)
        }
        step => step,
    }
}

/// Passes on the id of an execution in this tool's namespace.
struct ReadNamespace;

impl Exchange for ReadNamespace {
    type Item = ExecutionId;
    type Output = Option<ExecutionId>;

    fn encode(&self, id: &ExecutionId, batch: &mut CommandBatch) {
        let mut read = redis::cmd("HGET");
        read.arg(ExecutionKeys::from_id(id).exec().core()).arg("namespace");
        batch.add("hget", read);
    }

    fn decode(&self, id: ExecutionId, mut replies: Replies) -> Result<Option<ExecutionId>, WorkloadError> {
        let namespace = match replies.value() {
            // A key with such a name and another type is somebody else's.
            Err(error) if is_wrong_type(&error) => return Ok(None),
            namespace => namespace.map_err(WorkloadError::command("HGET namespace", &id))?,
        };
        Ok((text(&namespace).as_deref() == Some(NAMESPACE)).then_some(id))
    }
}

/// Removes keys and index entries that bear this tool's mark and belong to no execution.
pub(super) async fn remove_orphans(nodes: &Nodes, control: &Oversight<'_>) -> Result<Removal, WorkloadError> {
    let mut removal = Removal::default();
    for wire in nodes.routing().wires() {
        let mut walk = Walk::over_keys();
        // Where that fails, it failed in `find`, which counted it.
        while let Some(names) = listed(walk.step(wire, control).await, wire, &mut Removal::default())? {
            for name in names {
                match classify(&name) {
                    // A core that is still here could not be removed, and says where the rest of it is.
                    Kind::Core(_) | Kind::Foreign | Kind::SignalStream(_) | Kind::Secret(_) => {}
                    Kind::Own => {
                        let mut unlink = redis::cmd("UNLINK");
                        unlink.arg(&name);
                        match send(wire, "unlink", &unlink).await {
                            Ok(reply) => removal.keys += number(&reply),
                            Err(error) => removal.fail("UNLINK", &name, &error),
                        }
                    }
                    Kind::SharedZset => {
                        remove_members(wire, &name, ["ZSCAN", "ZREM"], control, &mut removal).await;
                    }
                    Kind::SharedSet => {
                        remove_members(wire, &name, ["SSCAN", "SREM"], control, &mut removal).await;
                    }
                }
            }
        }
    }
    Ok(removal)
}

/// Removes this tool's members from a set that others use as well.
async fn remove_members(
    wire: &Wire,
    key: &str,
    [scan, remove]: [&'static str; 2],
    control: &Oversight<'_>,
    removal: &mut Removal,
) {
    let mut walk = Walk::over_members(scan, key);
    loop {
        let items = match walk.step(wire, control).await {
            Ok(Some(items)) => items,
            Err(WorkloadError::Call { source, .. }) => {
                // A key with such a name and another type is somebody else's.
                if !is_wrong_type(&source) {
                    removal.fail(scan, key, &source);
                }
                return;
            }
            Ok(None) | Err(_) => return,
        };
        // ZSCAN answers members and scores in turn; a score never bears the mark.
        let members: Vec<_> = items.into_iter().filter(|item| is_ours(item)).collect();
        if members.is_empty() {
            continue;
        }
        let mut command = redis::cmd(remove);
        command.arg(key).arg(members);
        match send(wire, if remove == "ZREM" { "zrem" } else { "srem" }, &command).await {
            Ok(reply) => removal.entries += number(&reply),
            Err(error) => removal.fail(remove, key, &error),
        }
    }
}

/// What a key is, by its name.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// An execution's core, of any namespace.
    Core(ExecutionId),
    /// A key of this tool alone.
    Own,
    SharedZset,
    SharedSet,
    SignalStream(u16),
    Secret(u16),
    Foreign,
}

fn classify(name: &str) -> Kind {
    if let Some(core) = name.strip_prefix("ff:exec:{fp:").and_then(|rest| rest.strip_suffix(":core")) {
        // What remains is the rest of the hash tag, then the id, which begins with the same tag.
        let id = core.split_once("}:").and_then(|(_, id)| ExecutionId::parse(id).ok());
        return id.map_or(Kind::Foreign, Kind::Core);
    }
    if is_ours(name) || name.starts_with(RENDEZVOUS) || is_card(name) || is_of_a_worker(name) {
        return Kind::Own;
    }
    let Some((family, rest)) = name.strip_prefix("ff:").and_then(|rest| rest.split_once(":{fp:")) else {
        return Kind::Foreign;
    };
    let Some((index, tail)) = rest.split_once("}:") else { return Kind::Foreign };
    let Ok(partition) = index.parse() else { return Kind::Foreign };
    match (family, tail) {
        ("part", "signal_delivery") => Kind::SignalStream(partition),
        ("sec", "waitpoint_hmac") => Kind::Secret(partition),
        ("idx", "all_executions") => Kind::SharedSet,
        (
            "idx",
            "lease_expiry"
            | "suspension_timeout"
            | "attempt_timeout"
            | "execution_deadline"
            | "pending_waitpoint_expiry",
        ) => Kind::SharedZset,
        ("idx", tail) => {
            let lane = tail.strip_prefix("lane:").and_then(|rest| rest.strip_prefix(LANE_PREFIX));
            let leases = tail.strip_prefix("worker:").and_then(|rest| rest.strip_suffix(":leases"));
            // A lane of ours is named by a number; another tenant's lane may share the first part of the
            // name.
            let own_lane = lane.and_then(|rest| rest.split_once(':')).is_some_and(|(number, _)| {
                !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
            });
            if own_lane || leases.is_some_and(is_instance) { Kind::Own } else { Kind::Foreign }
        }
        _ => Kind::Foreign,
    }
}

/// Whether this is the name of the worker instance of a generator: each has a number.
fn is_instance(name: &str) -> bool {
    let number = name.strip_prefix(WORKER).and_then(|rest| rest.strip_prefix('-'));
    number.is_some_and(|number| number.parse::<u32>().is_ok_and(|parsed| parsed.to_string() == number))
}

/// Whether a key is that of a generator's worker.
fn is_of_a_worker(key: &str) -> bool {
    let worker = key.strip_prefix("ff:worker:").and_then(|rest| rest.split_once(':'));
    worker.is_some_and(|(worker, _)| worker == WORKER || is_instance(worker))
}

/// A cursor that walks over a node's keys, or over a set's members.
struct Walk {
    command: &'static str,
    key: Option<String>,
    pattern: String,
    cursor: Option<String>,
}

impl Walk {
    fn over_keys() -> Self {
        Self { command: "SCAN", key: None, pattern: "ff:*".into(), cursor: Some("0".into()) }
    }

    fn over_members(command: &'static str, key: &str) -> Self {
        let pattern = format!("*{UUID_TEXT_PREFIX}*");
        Self { command, key: Some(key.into()), pattern, cursor: Some("0".into()) }
    }

    /// The next names; `None` at the end.
    async fn step(
        &mut self,
        wire: &Wire,
        control: &Oversight<'_>,
    ) -> Result<Option<Vec<String>>, WorkloadError> {
        let Some(cursor) = self.cursor.take() else { return Ok(None) };
        if control.cancel.is_cancelled() {
            return Err(WorkloadError::Cancelled);
        }
        let mut scan = redis::cmd(self.command);
        scan.arg(self.key.as_deref()).arg(cursor).arg("MATCH").arg(&self.pattern).arg("COUNT").arg(STEP);
        let name = match self.command {
            "ZSCAN" => "zscan",
            "SSCAN" => "sscan",
            _ => "scan",
        };
        let reply = send(wire, name, &scan).await;
        let reply = reply.map_err(WorkloadError::command(self.command, wire.addr()))?;
        let (next, names) = match &reply {
            Value::Array(parts) if parts.len() == 2 => (text(&parts[0]), texts(&parts[1])),
            _ => (None, Vec::new()),
        };
        self.cursor = next.filter(|cursor| cursor != "0");
        Ok(Some(names))
    }
}

async fn send(wire: &Wire, name: &'static str, command: &Cmd) -> Result<Value, CallError> {
    Ok(wire.call(name, command, &mut WireCost::default()).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "7265636c-622d-8123-8abc-123400000007";

    #[test]
    fn keys_are_told_apart_by_name() {
        let core = format!("ff:exec:{{fp:3}}:{{fp:3}}:{OURS}:core");
        let id = ExecutionId::parse(&format!("{{fp:3}}:{OURS}")).unwrap();
        let other = ExecutionId::parse("{fp:3}:6f2b3b9e-0f0e-4a51-9d63-000000000001").unwrap();
        let cases = [
            (core.as_str(), Kind::Core(id)),
            (&format!("ff:wp:{{fp:3}}:{OURS}:signals"), Kind::Own),
            ("ff:idx:{fp:3}:lane:reclaim-bench-0:eligible", Kind::Own),
            ("ff:idx:{fp:3}:worker:reclaim-bench-0:leases", Kind::Own),
            ("ff:idx:{fp:3}:lease_expiry", Kind::SharedZset),
            ("ff:idx:{fp:3}:all_executions", Kind::SharedSet),
            ("ff:part:{fp:65535}:signal_delivery", Kind::SignalStream(65_535)),
            ("ff:sec:{fp:3}:waitpoint_hmac", Kind::Secret(3)),
            ("ff:idx:{fp:3}:lane:reclaim-bench-x:eligible", Kind::Foreign),
            ("ff:idx:{fp:3}:lane:default:eligible", Kind::Foreign),
            ("ff:idx:{fp:3}:worker:reclaim-bench-511:leases", Kind::Own),
            ("ff:idx:{fp:3}:worker:reclaim-bench-00:leases", Kind::Foreign),
            ("ff:worker:reclaim-bench:x", Kind::Own),
            ("ff:worker:reclaim-bench-7:x", Kind::Own),
            ("ff:worker:reclaim-bench-seven:x", Kind::Foreign),
            ("ff:reclaim-bench:{rendezvous:night}:parts", Kind::Own),
            ("ff:reclaim-bench:{fp:0}:visit:3", Kind::Own),
            // A mark, which its run takes away.
            ("ff:reclaim-bench:{fp:0}:run:3", Kind::Foreign),
            ("ff:exec:{fp:3}:{fp:3}:6f2b3b9e-0f0e-4a51-9d63-000000000001:core", Kind::Core(other)),
            ("ff:exec:{fp:3}:{fp:3}:6f2b3b9e-0f0e-4a51-9d63-000000000001:payload", Kind::Foreign),
            ("ff:config:partitions", Kind::Foreign),
        ];
        for (name, kind) in cases {
            assert_eq!(classify(name), kind, "{name}");
        }
    }
}
