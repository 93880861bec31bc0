//! On a cluster that is not ours: is there data of a FlowFabric deployment?

use redis::{Pipeline, Value};

use super::error::ClusterError;
use super::request::NAMESPACE;
use crate::valkey::{ValkeyError, Wire, ask, unexpected};
use reclaim_analysis::record::WireCost;

/// Keys looked at per primary. A deployment shows itself early: its keys are nearly all executions and indexes.
const SCAN_BOUND: usize = 200_000;
const SCAN_STEP: usize = 1_000;

/// Refuses a primary that holds a deployment's configuration or executions of another namespace than ours.
pub(super) async fn refuse_foreign_keys(wire: &Wire) -> Result<(), ClusterError> {
    let foreign = |example: String| ClusterError::ForeignKeys { addr: wire.addr().clone(), example };
    let config = ff_core::keys::global_config_partitions();
    let mut cursor = "0".to_owned();
    for _ in 0..SCAN_BOUND / SCAN_STEP {
        let (next, keys) = scan(wire, &cursor).await?;
        if keys.contains(&config) {
            return Err(foreign(format!("{config}, which a server writes at its first start")));
        }
        let cores: Vec<&String> =
            keys.iter().filter(|key| key.starts_with("ff:exec:") && key.ends_with(":core")).collect();
        for (key, namespace) in cores.iter().zip(namespaces(wire, &cores).await?) {
            if namespace.as_deref().is_some_and(|namespace| namespace != NAMESPACE) {
                return Err(foreign(format!("{key} has namespace {}", namespace.unwrap_or_default())));
            }
        }
        if next == "0" {
            break;
        }
        cursor = next;
    }
    Ok(())
}

async fn scan(wire: &Wire, cursor: &str) -> Result<(String, Vec<String>), ClusterError> {
    let mut cmd = redis::cmd("SCAN");
    cmd.arg(cursor).arg("MATCH").arg("ff:*").arg("COUNT").arg(SCAN_STEP);
    let reply = ask(wire, "SCAN", &cmd, "scan").await?;
    let text = |value: &Value| match value {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    };
    if let Value::Array(parts) = &reply
        && let [cursor, Value::Array(keys)] = parts.as_slice()
        && let Some(cursor) = text(cursor)
    {
        return Ok((cursor, keys.iter().filter_map(text).collect()));
    }
    Err(unexpected(wire, "SCAN", &reply).into())
}

/// The `namespace` field of each execution; `None` where it has gone meanwhile.
async fn namespaces(wire: &Wire, cores: &[&String]) -> Result<Vec<Option<String>>, ClusterError> {
    if cores.is_empty() {
        return Ok(Vec::new());
    }
    let mut pipeline = Pipeline::new();
    for key in cores {
        pipeline.cmd("HGET").arg(key.as_str()).arg("namespace");
    }
    let names = std::iter::repeat_n("hget", cores.len());
    let replies = wire
        .pipeline(names, &pipeline, &mut WireCost::default())
        .await
        .map_err(|error| ValkeyError::from_wire(wire.addr(), "HGET namespace", error))?;
    Ok(replies
        .into_iter()
        .map(|reply| match reply {
            Ok(Value::BulkString(bytes)) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            _ => None,
        })
        .collect())
}
