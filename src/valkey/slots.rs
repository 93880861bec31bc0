//! Reading the map slot → primary from a cluster.
//!
//! `CLUSTER SLOTS` rather than `CLUSTER SHARDS`: it lists the serving primary of every range and nothing else
//! (`SHARDS` keeps failed nodes), and gives the port that fits the connection, TLS or not.

use redis::Value;

use super::addr::NodeAddr;
use super::ask::{ask, unexpected};
use super::connect::Connector;
use super::error::ValkeyError;
use super::info::Info;
use super::topology::{Primary, Topology};
use super::wire::Wire;

const DOING: &str = "CLUSTER SLOTS";

/// A primary and the ranges (inclusive) that it serves.
type Shard = (Primary, Vec<(u16, u16)>);

/// Asks the nodes in turn until one answers; the last error counts if none does. A node that answers but cannot be
/// used ends the search: it was named on purpose.
pub(crate) async fn read_from_any(
    connector: &Connector,
    seeds: &[NodeAddr],
) -> Result<Topology, ValkeyError> {
    let mut last = ValkeyError::NoNode;
    for seed in seeds {
        let wire = match connector.admin(seed).await {
            Ok(wire) => wire,
            Err(error @ ValkeyError::Unreachable { .. }) => {
                last = error;
                continue;
            }
            Err(error) => return Err(error),
        };
        match read_topology(&wire).await {
            Err(error @ (ValkeyError::Unreachable { .. } | ValkeyError::Server { .. })) => last = error,
            result => return result,
        }
    }
    Err(last)
}

/// The map as the node at the other end of `wire` knows it.
pub(crate) async fn read_topology(wire: &Wire) -> Result<Topology, ValkeyError> {
    Info::read(wire, &["server", "cluster"]).await?.usable_version()?;
    let reply = ask(wire, DOING, redis::cmd("CLUSTER").arg("SLOTS"), "cluster|slots").await?;
    let shards = parse(&reply, wire.addr()).ok_or_else(|| unexpected(wire, DOING, &reply))?;
    Topology::new(shards).map_err(|source| ValkeyError::Uncovered { addr: wire.addr().clone(), source })
}

/// Primaries by their lowest slot, so that two readings of one cluster agree on the order.
pub(super) fn parse(reply: &Value, asked: &NodeAddr) -> Option<Vec<Shard>> {
    let Value::Array(ranges) = reply else { return None };
    let mut shards: Vec<Shard> = Vec::new();
    for range in ranges {
        let Value::Array(parts) = range else { return None };
        let [Value::Int(low), Value::Int(high), primary, replicas @ ..] = parts.as_slice() else {
            return None;
        };
        let slots = (u16::try_from(*low).ok()?, u16::try_from(*high).ok()?);
        let primary = node(primary, asked, replicas.len())?;
        match shards.iter_mut().find(|(known, _)| known.id == primary.id) {
            Some((_, ranges)) => ranges.push(slots),
            None => shards.push((primary, vec![slots])),
        }
    }
    shards.sort_by_key(|(_, ranges)| ranges.iter().map(|(low, _)| *low).min());
    Some(shards)
}

fn node(value: &Value, asked: &NodeAddr, replicas: usize) -> Option<Primary> {
    let Value::Array(fields) = value else { return None };
    let [host, Value::Int(port), Value::BulkString(id), ..] = fields.as_slice() else { return None };
    let host = match host {
        Value::BulkString(host) if !host.is_empty() && host.as_slice() != b"?" => {
            String::from_utf8(host.clone()).ok()?
        }
        // Null or empty: "the address you asked me at" (cluster-preferred-endpoint-type unknown-endpoint).
        Value::Nil | Value::BulkString(_) => asked.host.clone(),
        _ => return None,
    };
    Some(Primary {
        id: String::from_utf8(id.clone()).ok()?,
        addr: NodeAddr { host, port: u16::try_from(*port).ok()? },
        slots: 0,
        replicas: replicas as u32,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn node_value(host: Value, port: i64, id: &str) -> Value {
        Value::Array(vec![host, Value::Int(port), bulk(id), Value::Array(vec![])])
    }

    #[test]
    fn ranges_of_one_primary_are_joined_and_ordered_by_slot() {
        let asked = NodeAddr { host: "10.0.0.9".into(), port: 7000 };
        let range = |low, high, nodes: Vec<Value>| {
            Value::Array([vec![Value::Int(low), Value::Int(high)], nodes].concat())
        };
        let b = || node_value(bulk("10.0.0.2"), 7001, "b");
        let reply = Value::Array(vec![
            range(8192, 16383, vec![b(), node_value(bulk("10.0.0.3"), 7002, "r")]),
            range(0, 99, vec![node_value(Value::Nil, 7000, "a")]),
            range(100, 8191, vec![b(), node_value(bulk("10.0.0.3"), 7002, "r")]),
        ]);
        let shards = parse(&reply, &asked).unwrap();
        assert_eq!(shards.len(), 2);
        assert_eq!((shards[0].0.id.as_str(), shards[0].0.addr.host.as_str()), ("a", "10.0.0.9"));
        assert_eq!(shards[1].1, [(8192, 16383), (100, 8191)]);
        assert_eq!(shards[1].0.replicas, 1);
        assert!(Topology::new(shards).is_ok());
    }
}
