//! On a cluster that is not ours: is there data of a FlowFabric deployment?
//!
//! What decides it is asked for: the configuration that a deployment writes at its first start, and the index
//! of all executions of every partition. A look at some of the keys comes on top, for executions that no
//! index lists.

use ff_core::keys::IndexKeys;
use ff_core::partition::{Partition, PartitionConfig, PartitionFamily};
use redis::{Pipeline, Value};

use super::error::ClusterError;
use super::request::NAMESPACE;
use crate::valkey::{Topology, ValkeyError, Wire, WireError, ask, unexpected};
use reclaim_analysis::record::{WireCost, slot_of_tag};

/// Keys looked at per primary.
const SCAN_BOUND: usize = 200_000;
const SCAN_STEP: usize = 1_000;

/// Refuses a cluster that holds a deployment's configuration or executions of another namespace than ours.
/// `wires` go to the primaries of `topology`, in its order.
pub(super) async fn refuse_deployment(topology: &Topology, wires: &[Wire]) -> Result<(), ClusterError> {
    let config = ff_core::keys::global_config_partitions();
    let owner = &wires[usize::from(topology.owner_of_slot(slot_of_tag(&config)).0)];
    let mut exists = redis::cmd("EXISTS");
    exists.arg(&config);
    if ask(owner, "EXISTS ff:config:partitions", &exists, "exists").await? == Value::Int(1) {
        return Err(foreign(owner, format!("{config}, which a server writes at its first start")));
    }
    let mut by_owner: Vec<Vec<Partition>> = vec![Vec::new(); wires.len()];
    // A deployment with another number of partitions publishes it, and was found above.
    for index in 0..PartitionConfig::default().num_flow_partitions {
        let partition = Partition { family: PartitionFamily::Flow, index };
        by_owner[usize::from(topology.owner_of(partition).0)].push(partition);
    }
    for (wire, partitions) in wires.iter().zip(by_owner) {
        refuse_foreign_executions(wire, partitions).await?;
        refuse_foreign_cores(wire).await?;
    }
    Ok(())
}

fn foreign(wire: &Wire, example: String) -> ClusterError {
    ClusterError::ForeignKeys { addr: wire.addr().clone(), example }
}

/// Walks through the indexes of all executions until one is listed that is not ours.
async fn refuse_foreign_executions(wire: &Wire, partitions: Vec<Partition>) -> Result<(), ClusterError> {
    let mut walks: Vec<(String, String)> = partitions
        .into_iter()
        .map(|partition| (IndexKeys::new(&partition).all_executions(), "0".to_owned()))
        .collect();
    while !walks.is_empty() {
        let mut pipeline = Pipeline::new();
        for (key, cursor) in &walks {
            pipeline.cmd("SSCAN").arg(key).arg(cursor).arg("COUNT").arg(SCAN_STEP);
        }
        let replies = send(wire, "sscan", &pipeline, "SSCAN all_executions").await?;
        let mut further = Vec::new();
        for ((key, _), reply) in walks.into_iter().zip(replies) {
            // A key of another type is no index of FlowFabric's.
            let Ok(reply) = reply else { continue };
            let (next, members) = page(&reply).ok_or_else(|| unexpected(wire, "SSCAN", &reply))?;
            let cores: Vec<String> = members.iter().filter_map(|id| core_of(id)).collect();
            for (id, namespace) in cores.iter().zip(namespaces(wire, &cores).await?) {
                // An entry without its execution is somebody's work in progress, or ours after a crash.
                if namespace.as_deref().is_some_and(|namespace| namespace != NAMESPACE) {
                    return Err(foreign(wire, format!("{key} lists {id}")));
                }
            }
            if next != "0" {
                further.push((key, next));
            }
        }
        walks = further;
    }
    Ok(())
}

/// The key of an execution's core, by its id.
fn core_of(id: &str) -> Option<String> {
    let (tag, _) = id.split_once("}:")?;
    Some(format!("ff:exec:{tag}}}:{id}:core"))
}

/// Looks at some of a primary's keys for executions of another namespace.
async fn refuse_foreign_cores(wire: &Wire) -> Result<(), ClusterError> {
    let mut cursor = "0".to_owned();
    for _ in 0..SCAN_BOUND / SCAN_STEP {
        let mut cmd = redis::cmd("SCAN");
        cmd.arg(&cursor).arg("MATCH").arg("ff:exec:*:core").arg("COUNT").arg(SCAN_STEP);
        let reply = ask(wire, "SCAN", &cmd, "scan").await?;
        let (next, cores) = page(&reply).ok_or_else(|| unexpected(wire, "SCAN", &reply))?;
        for (key, namespace) in cores.iter().zip(namespaces(wire, &cores).await?) {
            if namespace.as_deref().is_some_and(|namespace| namespace != NAMESPACE) {
                return Err(foreign(wire, format!("{key} has namespace {}", namespace.unwrap_or_default())));
            }
        }
        if next == "0" {
            break;
        }
        cursor = next;
    }
    Ok(())
}

/// Cursor and items of a reply to one of the scanning commands.
fn page(reply: &Value) -> Option<(String, Vec<String>)> {
    let text = |value: &Value| match value {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    };
    let Value::Array(parts) = reply else { return None };
    let [cursor, Value::Array(items)] = parts.as_slice() else { return None };
    Some((text(cursor)?, items.iter().filter_map(text).collect()))
}

/// The `namespace` field of each execution; `None` where it has gone meanwhile.
async fn namespaces(wire: &Wire, cores: &[String]) -> Result<Vec<Option<String>>, ClusterError> {
    let mut pipeline = Pipeline::new();
    for key in cores {
        pipeline.cmd("HGET").arg(key.as_str()).arg("namespace");
    }
    let replies = send(wire, "hget", &pipeline, "HGET namespace").await?;
    Ok(replies
        .into_iter()
        .map(|reply| match reply {
            Ok(Value::BulkString(bytes)) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            _ => None,
        })
        .collect())
}

async fn send(
    wire: &Wire,
    name: &'static str,
    pipeline: &Pipeline,
    doing: &'static str,
) -> Result<Vec<Result<Value, WireError>>, ClusterError> {
    if pipeline.is_empty() {
        return Ok(Vec::new());
    }
    let names = std::iter::repeat_n(name, pipeline.len());
    let replies = wire.pipeline(names, pipeline, &mut WireCost::default()).await;
    Ok(replies.map_err(|error| ValkeyError::from_wire(wire.addr(), doing, error))?)
}
