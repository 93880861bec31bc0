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
use super::reach::Announced;
use super::topology::{Primary, Topology};
use super::wire::Wire;

const DOING: &str = "CLUSTER SLOTS";

/// A primary and the ranges (inclusive) that it serves.
type Shard = (Primary, Vec<(u16, u16)>);

/// Asks the nodes in turn until one answers; the last error counts if none does. A node that answers but
/// cannot be used ends the search: it was named on purpose.
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
        match read_announced(&wire).await.map(|(topology, announced)| {
            connector.learn(announced);
            topology
        }) {
            Err(error @ (ValkeyError::Unreachable { .. } | ValkeyError::Server { .. })) => last = error,
            result => return result,
        }
    }
    Err(last)
}

/// The map as the node at the other end of `wire` knows it.
pub(crate) async fn read_topology(wire: &Wire) -> Result<Topology, ValkeyError> {
    read_announced(wire).await.map(|(topology, _)| topology)
}

/// The same, with what the node announces of each.
async fn read_announced(wire: &Wire) -> Result<(Topology, Vec<(NodeAddr, Announced)>), ValkeyError> {
    Info::read(wire, &["server", "cluster"]).await?.usable_version()?;
    let reply = ask(wire, DOING, redis::cmd("CLUSTER").arg("SLOTS"), "cluster|slots").await?;
    let shards = parse(&reply, wire.addr()).ok_or_else(|| unexpected(wire, DOING, &reply))?;
    let topology = Topology::new(shards)
        .map_err(|source| ValkeyError::Uncovered { addr: wire.addr().clone(), source })?;
    Ok((topology, announced(&reply, wire.addr())))
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

/// All nodes of a reply, with the host name that goes with each: where the address is none, it stands among
/// the further fields.
fn announced(reply: &Value, asked: &NodeAddr) -> Vec<(NodeAddr, Announced)> {
    let Value::Array(ranges) = reply else { return Vec::new() };
    let nodes = ranges.iter().filter_map(|range| match range {
        Value::Array(parts) => parts.get(2..),
        _ => None,
    });
    let of = |value: &Value| {
        let addr = node(value, asked, 0)?.addr;
        let announced_name = || match value {
            Value::Array(fields) => further_field(fields.get(3)?, "hostname"),
            _ => None,
        };
        let is_name = addr.host.parse::<std::net::IpAddr>().is_err();
        let name = if is_name { Some(addr.host.clone()) } else { announced_name() };
        Some((addr, Announced { by: asked.clone(), name }))
    };
    nodes.flatten().filter_map(of).collect()
}

fn further_field(fields: &Value, name: &str) -> Option<String> {
    let Value::Array(items) = fields else { return None };
    let text = |value: &Value| match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        _ => None,
    };
    let found = items.chunks_exact(2).find(|pair| text(&pair[0]).as_deref() == Some(name))?;
    text(&found[1]).filter(|value| !value.is_empty())
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

    #[test]
    fn host_names_are_found_beside_addresses_and_instead_of_them() {
        let asked = NodeAddr { host: "10.0.0.9".into(), port: 7000 };
        let further = |name: &str, value: &str| Value::Array(vec![bulk(name), bulk(value)]);
        let node =
            |host: Value, id: &str, further| Value::Array(vec![host, Value::Int(7001), bulk(id), further]);
        let reply = Value::Array(vec![Value::Array(vec![
            Value::Int(0),
            Value::Int(16383),
            node(bulk("10.0.0.2"), "a", further("hostname", "a.test")),
            node(bulk("b.test"), "b", further("ip", "10.0.0.3")),
            node(bulk("10.0.0.4"), "c", Value::Array(vec![])),
            node(Value::Nil, "d", further("hostname", "d.test")),
        ])]);
        let found: Vec<_> = announced(&reply, &asked)
            .into_iter()
            .map(|(addr, announced)| (addr.host, announced.name.unwrap_or_default()))
            .collect();
        let expected =
            [("10.0.0.2", "a.test"), ("b.test", "b.test"), ("10.0.0.4", ""), ("10.0.0.9", "d.test")];
        assert_eq!(found, expected.map(|(host, name)| (host.to_owned(), name.to_owned())));
    }
}
