//! A server of an arm's own: which binary, and how it is started.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The word for the binary that the run's other servers have.
const DEFAULT: &str = "default";

/// Most clusters of one run, the control's included: each has as many servers as `[cluster]` says.
pub const MOST_CLUSTERS: usize = 8;

/// Settings that the tool decides itself, with the reason. One that ends with `*` stands for all that begin
/// so.
const DECIDED: [(&str, &str); 24] = [
    ("bind", "servers of a run listen on loopback and nowhere else"),
    ("cluster-announce-*", "other nodes find it where it listens"),
    ("cluster-config-file", "each server has one in a directory of its own"),
    ("cluster-enabled", "claims go to a cluster"),
    ("cluster-node-timeout", "it is [cluster] node_timeout, for all clusters of a run"),
    ("cluster-port", "ports are chosen among those that are free"),
    ("daemonize", "a server must end with the run"),
    ("dir", "each server has a directory of its own, which is removed after the run"),
    ("include", "a file could set what the tool decides"),
    ("logfile", "the tool reads the log where a server does not start"),
    ("masterauth", "servers of a run have no password"),
    ("maxmemory", "the clusters of a run share the memory that is left"),
    ("pidfile", "a server must leave no file behind"),
    ("port", "ports are chosen among those that are free"),
    ("primaryauth", "servers of a run have no password"),
    ("primaryuser", "servers of a run have no password"),
    ("protected-mode", "servers of a run listen on loopback and nowhere else"),
    ("rename-command", "the tool could not read its counters"),
    ("replicaof", "replicas are server.replicas"),
    ("requirepass", "servers of a run have no password"),
    ("slaveof", "replicas are server.replicas"),
    ("supervised", "a server must end with the run"),
    ("tls-*", "connections to servers of a run are plain"),
    ("unixsocket", "claims go over TCP"),
];

/// `"path"`, or a table with the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "the path of a valkey-server, or { path = \"...\", config = { appendonly = \"yes\" }, replicas = 1 }, \
                 with settings as text in quotes"
)]
pub enum ServerForm {
    /// Its path; `"default"` is the binary that the run's other servers have.
    Path(String),
    /// The same with settings.
    Table(ServerTable),
}

/// A server with its settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerTable {
    /// Path of a valkey-server, or a name to look up on PATH; left out, or `"default"`: the binary that the
    /// run's other servers have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Settings that it is started with, by name, as valkey.conf has them. What the tool decides itself, such
    /// as `port` and `dir`, is refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, String>,
    /// Replicas of each of its primaries; left out, `cluster.replicas`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u16>,
}

impl ServerForm {
    /// What it says, as a table.
    pub fn table(&self) -> ServerTable {
        match self {
            Self::Path(path) => ServerTable { path: Some(path.clone()), ..ServerTable::default() },
            Self::Table(table) => table.clone(),
        }
    }

    /// With another binary and more settings.
    #[must_use]
    pub(super) fn with(form: Option<&Self>, path: Option<&String>, config: &[(String, String)]) -> Self {
        let mut table = form.map(Self::table).unwrap_or_default();
        table.path = path.cloned().or(table.path);
        table.config.extend(config.iter().cloned());
        match table {
            ServerTable { path: Some(path), config, replicas: None } if config.is_empty() => Self::Path(path),
            table => Self::Table(table),
        }
    }

    /// A relative path seen from `dir`; a bare name, which is looked up on PATH, as it is.
    pub(super) fn rebase(&mut self, dir: &Path) {
        let path = match self {
            Self::Path(path) | Self::Table(ServerTable { path: Some(path), .. }) => path,
            Self::Table(_) => return,
        };
        if Path::new(&*path).is_relative() && Path::new(&*path).components().count() > 1 {
            *path = dir.join(&*path).display().to_string();
        }
    }

    /// What it means where the cluster has so many replicas of each primary.
    pub(super) fn build(&self, replicas: u16) -> ArmServer {
        let table = self.table();
        ArmServer {
            path: table.path.filter(|path| path != DEFAULT).map(PathBuf::from),
            config: table.config,
            replicas: table.replicas.unwrap_or(replicas),
        }
    }
}

/// The server of one of a run's clusters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArmServer {
    /// Path of its binary, or a name to look up; `None` is the binary that the run's other servers have.
    pub path: Option<PathBuf>,
    /// Settings that it is started with.
    pub config: BTreeMap<String, String>,
    /// Replicas of each primary.
    pub replicas: u16,
}

/// Why a setting may not be given; `None` where it may.
pub(super) fn refused_setting(name: &str) -> Option<&'static str> {
    let named = |known: &str| match known.strip_suffix('*') {
        Some(begin) => name.starts_with(begin),
        None => name == known,
    };
    DECIDED.iter().find(|(known, _)| named(known)).map(|(_, why)| *why)
}

/// Whether a server that reports `found` for a setting was set to `asked`: it writes sizes in bytes, and
/// words in small letters.
pub fn same_setting(asked: &str, found: &str) -> bool {
    asked.eq_ignore_ascii_case(found)
        || bytes(asked).is_some_and(|asked| bytes(found) == Some(asked))
        || asked.split_whitespace().eq(found.split_whitespace())
}

/// A size as valkey.conf writes it: `1k` is 1,000 bytes and `1kb` 1,024.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let factor = match &text[digits..] {
        "" | "b" => 1,
        "k" => 1_000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_sizes_and_words_in_its_own_way() {
        for (asked, found) in [("yes", "yes"), ("Always", "always"), ("64mb", "67108864"), ("2k", "2000")] {
            assert!(same_setting(asked, found), "{asked} {found}");
        }
        for (asked, found) in [("yes", "no"), ("64mb", "67108865"), ("", "900 1"), ("99999999999gb", "1")] {
            assert!(!same_setting(asked, found), "{asked} {found}");
        }
    }

    #[test]
    fn only_what_the_tool_decides_is_refused() {
        for name in ["port", "dir", "cluster-enabled", "cluster-announce-ip", "tls-port", "maxmemory"] {
            assert!(refused_setting(name).is_some(), "{name}");
        }
        for name in ["appendonly", "appendfsync", "io-threads", "maxmemory-policy", "save", "lua-time-limit"]
        {
            assert_eq!(refused_setting(name), None, "{name}");
        }
    }

    #[test]
    fn paths_are_seen_from_the_file_and_bare_names_are_looked_up() {
        let rebased = |path: &str| {
            let mut form = ServerForm::Path(path.to_owned());
            form.rebase(Path::new("scenarios"));
            form.table().path.unwrap()
        };
        assert_eq!(rebased("./old/valkey-server"), "scenarios/./old/valkey-server");
        for path in ["default", "valkey-server", "/usr/bin/valkey-server"] {
            assert_eq!(rebased(path), path);
        }
    }
}
