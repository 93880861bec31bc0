//! The conditions that a cluster was found under: configuration, function libraries, slots. Read at the start and again
//! at the end of every window, for what is measured belongs to these and to no others.

use std::collections::BTreeMap;

use redis::Value;
use sha2::{Digest as _, Sha256};

use super::error::ClusterError;
use crate::flowfabric::LIBRARY_NAME;
use crate::valkey::{NodeAddr, Topology, ValkeyError, Wire, WireError, ask, config, plain, unexpected};

/// Hidden in what is said of them: they are secrets.
const SECRET: [&str; 3] = ["pass", "auth", "key"];

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conditions {
    topology: Topology,
    nodes: Vec<NodeConditions>,
}

/// One primary's.
#[derive(Clone, Debug, PartialEq, Eq)]
struct NodeConditions {
    addr: NodeAddr,
    /// By name, as `CONFIG GET *` says; empty for a user who may not ask.
    settings: BTreeMap<String, String>,
    /// SHA-256 of each library of FlowFabric's name, those of a duet included.
    libraries: BTreeMap<String, String>,
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

impl Conditions {
    /// Reads them from the primaries of `topology`.
    pub(super) async fn read(topology: Topology, wires: &[Wire]) -> Result<Self, ClusterError> {
        let nodes = futures_util::future::try_join_all(wires.iter().map(NodeConditions::read)).await?;
        Ok(Self { topology, nodes })
    }

    /// What has changed since `self` was read.
    pub fn changes(&self, later: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        if let Some((slot, [before, after])) = self.topology.first_difference(&later.topology) {
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
    async fn read(wire: &Wire) -> Result<Self, ClusterError> {
        Ok(Self {
            addr: wire.addr().clone(),
            settings: settings(wire).await?,
            libraries: libraries(wire).await?,
        })
    }
}

async fn settings(wire: &Wire) -> Result<BTreeMap<String, String>, ValkeyError> {
    match config(wire, "*").await {
        // Somebody without the right to ask: nothing is known, at the start as at the end.
        Err(ValkeyError::Login { .. } | ValkeyError::Server { source: WireError::Server { .. }, .. }) => {
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

    fn conditions(split: u16) -> Conditions {
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
        });
        Conditions { topology: Topology::new(shards).unwrap(), nodes: nodes.into() }
    }

    #[test]
    fn the_same_conditions_are_quiet() {
        assert_eq!(conditions(8_191).changes(&conditions(8_191)), []);
        let mut blind = conditions(8_191);
        blind.nodes[0].settings.clear();
        assert_eq!(conditions(8_191).changes(&blind), [], "no right to read is no change");
    }

    #[test]
    fn each_change_is_named_and_no_secret_shown() {
        let mut later = conditions(8_000);
        later.nodes[1].settings.insert("appendonly".into(), "yes".into());
        later.nodes[1].settings.insert("requirepass".into(), "open".into());
        later.nodes[0].libraries.insert("flowfabric".into(), "bb".into());
        let changes = conditions(8_191).changes(&later);
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
        assert_eq!(conditions(8_191).changes(&gone)[0].after, "none");
    }
}
