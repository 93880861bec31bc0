//! What generators of one run say to each other. JSON by serde: what is not one of these is an error.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::machine::{Neighbours, Whereabouts, process_on};
use crate::valkey::{NodeAddr, SentTo};
use reclaim_analysis::record::LibraryInfo;

/// Connections of a process, by the numbers that servers have for them; `None` where it may not ask for
/// these.
pub type Connections = Option<Vec<(NodeAddr, BTreeSet<u64>)>>;

/// Who a generator is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// From 1.
    pub part: u32,
    /// How many generators it was told of.
    pub of: u32,
    /// SHA-256 of its plan.
    pub plan_sha256: String,
    /// Version of the tool.
    pub version: String,
    /// And its commit.
    pub commit: String,
    /// Name of its machine.
    pub host: String,
    /// What the kernel calls this start of the machine, in all of its containers, each of which has a name of its
    /// own; `None` where the system does not say, and in versions that did not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// Logical cores that it may use there, where there are more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cores: Vec<u32>,
    /// Its process id there.
    pub process: u32,
}

impl Hello {
    /// Where it runs, in words.
    pub fn place(&self) -> String {
        process_on(self.process, &self.host)
    }

    /// With whom it shares cores.
    pub fn whereabouts(&self) -> Whereabouts<'_> {
        Whereabouts { name: &self.host, boot: self.boot.as_deref(), cores: &self.cores }
    }

    /// Tool and commit, in words.
    pub fn tool(&self) -> String {
        format!("{} of commit {}", self.version, self.commit)
    }
}

/// What the leader tells all others when everybody is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Welcome {
    /// With how many others each generator shares cores, the leader's first.
    pub neighbours: Vec<Neighbours>,
    /// The library that it has loaded on every primary.
    pub library: LibraryInfo,
    /// Whether the servers are gone with the leader, so that nothing need be removed.
    pub owned: bool,
}

/// What one of the others says to the leader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToLeader {
    /// Who.
    pub part: u32,
    /// What.
    pub says: Says,
}

/// See [`ToLeader`]. Windows are numbered from 0, warm-up and blocks among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Says {
    /// It has come.
    Here(Hello),
    /// It is there still.
    Alive,
    /// Its executions are staged.
    Ready {
        /// For which window.
        window: u32,
        /// Connections that it has.
        connections: Connections,
    },
    /// From here on it sends nothing until the window begins.
    Silent {
        /// Before which window.
        window: u32,
    },
    /// Its claims are made; from here on it sends nothing until the window is closed.
    Done {
        /// Which window.
        window: u32,
        /// What it has sent since it said that it was silent, this included.
        sent: Vec<SentTo>,
        /// Connections that it has.
        connections: Connections,
    },
    /// It was told to end, and all others should.
    Stopping,
    /// It cannot go on.
    Failed {
        /// Why.
        reason: String,
    },
    /// Its record lies on the server.
    Delivered {
        /// The number of pieces that it lies there in.
        pieces: u32,
    },
}

impl Says {
    /// In a word, for errors.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Here(_) => "here",
            Self::Alive => "alive",
            Self::Ready { .. } => "ready",
            Self::Silent { .. } => "silent",
            Self::Done { .. } => "done",
            Self::Stopping => "stopping",
            Self::Failed { .. } => "failed",
            Self::Delivered { .. } => "delivered",
        }
    }
}

/// What the leader says to all others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Everybody is there.
    Welcome(Welcome),
    /// It is there still.
    Alive,
    /// All are staged: they are to send nothing, and to say so before.
    Quiet {
        /// Before which window.
        window: u32,
    },
    /// The window begins.
    Begin {
        /// Which.
        window: u32,
        /// When, by the clock of the server on which they meet, in microseconds since the epoch.
        at_us: i64,
    },
    /// The counters have been read: on with the next one.
    Closed {
        /// Which window is over.
        window: u32,
    },
    /// Claims in flight are to end, and the run.
    Stop,
    /// The run has failed.
    End {
        /// Why.
        reason: String,
    },
    /// All records have been received.
    Received,
}

impl Order {
    /// In a word, for errors.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Welcome(_) => "welcome",
            Self::Alive => "alive",
            Self::Quiet { .. } => "quiet",
            Self::Begin { .. } => "begin",
            Self::Closed { .. } => "closed",
            Self::Stop => "stop",
            Self::End { .. } => "end",
            Self::Received => "received",
        }
    }
}
