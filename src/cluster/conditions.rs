//! The conditions that a cluster was found under: configuration, function libraries, slots. Read at the start
//! and again at the end of every window, for what is measured belongs to these and to no others.

use std::collections::{BTreeMap, BTreeSet};

use redis::Value;
use sha2::{Digest as _, Sha256};

use super::error::ClusterError;
use super::heirs::Heirs;
use crate::flowfabric::LIBRARY_NAME;
use crate::valkey::{
    Client, Clients, Connector, Info, NodeAddr, Topology, ValkeyError, Wire, WireError, ask, config, plain,
    unexpected,
};

/// Hidden in what is said of them: they are secrets.
const SECRET: [&str; 3] = ["pass", "auth", "key"];

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterConditions {
    topology: Topology,
    nodes: Vec<NodeConditions>,
}

/// What a change of the replicas is called.
const REPLICAS: &str = "the replicas in sync";

/// One primary's.
#[derive(Clone, Debug, PartialEq, Eq)]
struct NodeConditions {
    addr: NodeAddr,
    /// By name, as `CONFIG GET *` says; empty for a user who may not ask.
    settings: BTreeMap<String, String>,
    /// SHA-256 of each library of FlowFabric's name, those of a duet included.
    libraries: BTreeMap<String, String>,
    /// Replicas that it sends all writes to: each takes time of it.
    replicas: u64,
    /// Who is connected, and which of them are this run's connections; `None` where that cannot be known.
    clients: Option<(Clients, BTreeSet<u64>)>,
}

/// Clients of one primary that are not this run's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strangers {
    /// Where.
    pub addr: NodeAddr,
    /// Those who asked something since the start, and how many commands each.
    pub asked: Vec<(Client, u64)>,
    /// Those who are sent all that the server does.
    pub monitors: Vec<Client>,
    /// How many of those that are there now have come since the start.
    pub arrived: u64,
}

/// One condition that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub addr: NodeAddr,
    /// Which: a setting, a library, the slots.
    pub condition: String,
    /// At the start.
    pub before: String,
    /// At the end.
    pub after: String,
}

impl ClusterConditions {
    /// Reads them from the primaries of `topology`.
    pub(super) async fn read(
        topology: Topology,
        wires: &[Wire],
        connector: &Connector,
    ) -> Result<Self, ClusterError> {
        let addrs: Vec<_> = wires.iter().map(Wire::addr).collect();
        let nodes = wires.iter().map(|wire| NodeConditions::read(wire, connector, &addrs));
        let nodes = futures_util::future::try_join_all(nodes).await?;
        Ok(Self { topology, nodes })
    }

    /// Who else has used the primaries between `self` and `later`.
    pub fn strangers(&self, later: &Self) -> Vec<Strangers> {
        let on = |after: &NodeConditions| {
            let before = self.nodes.iter().find(|node| node.addr == after.addr)?;
            let ((earlier, _), (later, own)) = (before.clients.as_ref()?, after.clients.as_ref()?);
            let (asked, monitors) = (later.asked_since(earlier, own), later.monitors(own));
            let arrived = later.arrived_since(earlier, own);
            (!asked.is_empty() || !monitors.is_empty() || arrived > 0).then(|| Strangers {
                addr: after.addr.clone(),
                asked,
                monitors,
                arrived,
            })
        };
        later.nodes.iter().filter_map(on).collect()
    }

    /// What has changed since `self` was read, other than that slots went from a primary to its `heirs`.
    pub fn changes(&self, later: &Self, heirs: &Heirs) -> Vec<Change> {
        let mut changes = Vec::new();
        let wanted = |slot, before: &NodeAddr, after: &NodeAddr| heirs.lead(slot, before, after);
        if let Some((slot, [before, after])) = self.topology.first_difference(&later.topology, wanted) {
            let condition = format!("the owner of slot {slot}");
            changes.push(Change {
                addr: before.clone(),
                condition,
                before: before.to_string(),
                after: after.to_string(),
            });
        }
        for before in &self.nodes {
            // Of a primary that is one no longer, the slots tell.
            let Some(after) = later.nodes.iter().find(|node| node.addr == before.addr) else { continue };
            if before.replicas != after.replicas && !heirs.were_struck() {
                changes.push(Change {
                    addr: before.addr.clone(),
                    condition: REPLICAS.to_owned(),
                    before: before.replicas.to_string(),
                    after: after.replicas.to_string(),
                });
            }
            let nothing = BTreeMap::new();
            // Who may not read the settings any more has seen no change.
            let unread = after.settings.is_empty();
            for (what, before_all, after_all) in [
                ("", if unread { &nothing } else { &before.settings }, &after.settings),
                ("the library ", &before.libraries, &after.libraries),
            ] {
                changes.extend(differences(before_all, after_all).map(|(name, [was, is])| Change {
                    addr: before.addr.clone(),
                    condition: format!("{what}{name}"),
                    before: was,
                    after: is,
                }));
            }
        }
        changes
    }
}

/// Names whose values differ, with both of them.
fn differences<'a>(
    before: &'a BTreeMap<String, String>,
    after: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = (&'a str, [String; 2])> {
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    names.filter_map(move |name| {
        let value = |of: &BTreeMap<String, String>| of.get(name).cloned();
        let (was, is) = (value(before), value(after));
        let secret = SECRET.iter().any(|part| name.contains(part));
        let shown = |value: Option<String>, which: &str| match value {
            None => "none".to_owned(),
            Some(_) if secret => which.to_owned(),
            Some(value) => format!("`{value}`"),
        };
        (was != is).then(|| (name.as_str(), [shown(was, "one value"), shown(is, "another")]))
    })
}

impl NodeConditions {
    async fn read(wire: &Wire, connector: &Connector, nodes: &[&NodeAddr]) -> Result<Self, ClusterError> {
        Ok(Self {
            addr: wire.addr().clone(),
            settings: settings(wire).await?,
            libraries: libraries(wire).await?,
            replicas: in_sync(&Info::read(wire, &["replication"]).await?),
            clients: connector
                .strangers(Clients::read(wire).await?)
                .zip(connector.opened(wire.addr(), nodes)),
        })
    }
}

/// By INFO's lines `slaveN:ip=...,state=online,...`.
fn in_sync(info: &Info) -> u64 {
    let states = (0..).map_while(|position| info.get(&format!("slave{position}")));
    states.filter(|replica| replica.split(',').any(|part| part == "state=online")).count() as u64
}

async fn settings(wire: &Wire) -> Result<BTreeMap<String, String>, ValkeyError> {
    match config(wire, "*").await {
        // Somebody without the right to ask: nothing is known, at the start as at the end.
        Err(ValkeyError::Right { .. } | ValkeyError::Server { source: WireError::Server { .. }, .. }) => {
            Ok(BTreeMap::new())
        }
        settings => settings,
    }
}

async fn libraries(wire: &Wire) -> Result<BTreeMap<String, String>, ValkeyError> {
    let mut cmd = redis::cmd("FUNCTION");
    cmd.arg("LIST").arg("LIBRARYNAME").arg(format!("{LIBRARY_NAME}*")).arg("WITHCODE");
    let reply = ask(wire, "FUNCTION LIST", &cmd, "function|list").await?;
    let Value::Array(libraries) = &reply else { return Err(unexpected(wire, "FUNCTION LIST", &reply)) };
    let field = |library: &Value, name: &str| match library {
        Value::Array(items) => items
            .chunks_exact(2)
            .find(|pair| plain(&pair[0]).as_deref() == Some(name))
            .and_then(|pair| plain(&pair[1])),
        _ => None,
    };
    Ok(libraries
        .iter()
        .filter_map(|library| {
            let code = field(library, "library_code")?;
            Some((field(library, "library_name")?, format!("{:x}", Sha256::digest(code.as_bytes()))))
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::valkey::Primary;

    fn conditions(split: u16) -> ClusterConditions {
        let primary = |port: u16| Primary {
            id: port.to_string(),
            addr: NodeAddr { host: "127.0.0.1".into(), port },
            slots: 0,
            replicas: 0,
        };
        let shards = vec![(primary(1), vec![(0, split)]), (primary(2), vec![(split + 1, 16_383)])];
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let nodes = [1, 2].map(|port| NodeConditions {
            addr: NodeAddr { host: "127.0.0.1".into(), port },
            settings: map(&[("appendonly", "no"), ("requirepass", "sesame")]),
            libraries: map(&[("flowfabric", "aa")]),
            replicas: 1,
            clients: None,
        });
        ClusterConditions { topology: Topology::new(shards).unwrap(), nodes: nodes.into() }
    }

    #[test]
    fn the_same_conditions_are_quiet() {
        assert_eq!(conditions(8_191).changes(&conditions(8_191), &Heirs::default()), []);
        let mut blind = conditions(8_191);
        blind.nodes[0].settings.clear();
        assert_eq!(conditions(8_191).changes(&blind, &Heirs::default()), [], "no right to read is no change");
    }

    #[test]
    fn each_change_is_named_and_no_secret_shown() {
        let mut later = conditions(8_000);
        later.nodes[1].settings.insert("appendonly".into(), "yes".into());
        later.nodes[1].settings.insert("requirepass".into(), "open".into());
        later.nodes[0].libraries.insert("flowfabric".into(), "bb".into());
        let changes = conditions(8_191).changes(&later, &Heirs::default());
        let words: Vec<_> =
            changes.iter().map(|c| format!("{} {}: {} {}", c.addr, c.condition, c.before, c.after)).collect();
        assert_eq!(
            words,
            [
                "127.0.0.1:1 the owner of slot 8001: 127.0.0.1:1 127.0.0.1:2",
                "127.0.0.1:1 the library flowfabric: `aa` `bb`",
                "127.0.0.1:2 appendonly: `no` `yes`",
                "127.0.0.1:2 requirepass: one value another",
            ]
        );
        let gone = {
            let mut later = conditions(8_191);
            later.nodes[0].libraries.clear();
            later
        };
        assert_eq!(conditions(8_191).changes(&gone, &Heirs::default())[0].after, "none");
    }

    #[test]
    fn a_replica_that_left_is_named_where_nobody_was_struck() {
        let mut later = conditions(8_191);
        later.nodes[1].replicas = 0;
        let changes = conditions(8_191).changes(&later, &Heirs::default());
        let words: Vec<_> =
            changes.iter().map(|c| format!("{} {}: {} {}", c.addr, c.condition, c.before, c.after)).collect();
        assert_eq!(words, ["127.0.0.1:2 the replicas in sync: 1 0"]);
        assert_eq!(conditions(8_191).changes(&later, &Heirs::of_struck()), []);
        let addr = NodeAddr { host: "127.0.0.1".into(), port: 2 };
        let info = "connected_slaves:3\r\nslave0:ip=10.0.0.1,port=1,state=online,offset=7,lag=0\r\n\
                    slave1:ip=10.0.0.1,port=2,state=wait_bgsave,offset=0,lag=0\r\n\
                    slave2:ip=10.0.0.1,port=3,state=online,offset=7,lag=1\r\n";
        assert_eq!(in_sync(&Info::parse(addr, info)), 2);
    }

    #[test]
    fn slots_that_moved_may_be_where_they_went_and_no_others() {
        let addr = |port| NodeAddr { host: "127.0.0.1".into(), port };
        let changed = |slots: &[u16], to| {
            let mut heirs = Heirs::default();
            heirs.note_slots(slots, (addr(9), addr(to)), to == 2);
            assert_eq!((heirs.forks_of(&addr(9)), heirs.forks_of(&addr(to))), (u64::from(to == 2), 0));
            (conditions(8_191).changes(&conditions(8_189), &heirs).len(), heirs.has_received(&addr(2)))
        };
        assert_eq!(changed(&[8_190, 8_191, 7], 2), (0, true));
        assert_eq!(changed(&[8_190], 2), (1, true), "8191 went on its own");
        assert_eq!(changed(&[8_190, 8_191], 1), (1, false));
    }

    #[test]
    fn slots_may_go_to_an_heir_and_to_nobody_else() {
        let addr = |port| NodeAddr { host: "127.0.0.1".into(), port };
        let mut later = conditions(8_191);
        let primary = |port: u16| Primary { id: port.to_string(), addr: addr(port), slots: 0, replicas: 0 };
        let shards = vec![(primary(5), vec![(0, 8_191)]), (primary(2), vec![(8_192, 16_383)])];
        later.topology = Topology::new(shards).unwrap();
        let changes = |heirs: &[(u16, u16)]| {
            let mut all = Heirs::default();
            for (primary, heir) in heirs {
                all.note(addr(*primary), addr(*heir));
            }
            conditions(8_191).changes(&later, &all).len()
        };
        assert_eq!(
            [changes(&[(1, 5)]), changes(&[(1, 4), (4, 5)]), changes(&[(1, 5), (5, 1), (1, 5)])],
            [0; 3]
        );
        assert_eq!(
            [changes(&[]), changes(&[(1, 4)]), changes(&[(2, 5)]), changes(&[(1, 5), (5, 1)])],
            [1; 4]
        );
    }
}
