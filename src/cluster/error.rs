//! Everything that can be wrong with a cluster, each with what to do about it.

use std::path::PathBuf;
use std::time::Duration;

use super::topology::{NodeAddr, UnservedSlot};
use super::wire::WireError;
use reclaim_analysis::record::LibraryInfo;

/// Why there is no cluster to work on.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// `auto` found nothing to use.
    #[error("no Valkey cluster to use:\n{}\nGive --nodes of a running cluster, or --valkey-server with a binary, \
             or install a valkey package.", bullets(.attempts))]
    NoProvider {
        /// One line per way tried, with its reason.
        attempts: Vec<String>,
    },
    /// Options that exclude each other.
    #[error("{0}")]
    Usage(String),
    /// Nobody answers.
    #[error(
        "cannot reach {addr}: {detail}. Check the address, the port, TLS on both sides, and that the server runs."
    )]
    Unreachable {
        /// Whom we asked.
        addr: NodeAddr,
        /// As the system says it.
        detail: String,
    },
    /// The server wants another password, or the user lacks a permission.
    #[error(
        "{addr} refused the login: {detail}. Give --user and the password by RECLAIM_BENCH_PASSWORD or \
             --password-file; the user needs ~ff:* and +@all on a test cluster."
    )]
    Login {
        /// Whom we asked.
        addr: NodeAddr,
        /// The server's words.
        detail: String,
    },
    /// A standalone server.
    #[error(
        "{addr} is not a cluster node (cluster_enabled:0). FlowFabric's functions are measured on a cluster: \
             start the server with --cluster-enabled yes, or leave out --nodes to get a cluster of your own."
    )]
    NotACluster {
        /// Whom we asked.
        addr: NodeAddr,
    },
    /// Redis, or something else that speaks its protocol.
    #[error("{addr} is {software}, not Valkey. Results are about Valkey: use Valkey 7.2 or later.")]
    NotValkey {
        /// Whom we asked.
        addr: NodeAddr,
        /// What it says it is.
        software: String,
    },
    /// Valkey before 7.2.
    #[error("{addr} runs Valkey {version}; 7.2 or later is needed.")]
    TooOld {
        /// Whom we asked.
        addr: NodeAddr,
        /// `valkey_version`.
        version: String,
    },
    /// Not all slots have a primary.
    #[error("the cluster of {addr} is incomplete: {source}. Repair it (CLUSTER INFO, CLUSTER SLOTS) first.")]
    Uncovered {
        /// Whose map it is.
        addr: NodeAddr,
        /// The first slot in question.
        source: UnservedSlot,
    },
    /// Primaries of different versions.
    #[error("the primaries run different versions of Valkey: {0}. A result needs one version.")]
    MixedVersions(String),
    /// Something else went wrong between us and a server.
    #[error("{addr}: {doing} failed: {source}")]
    Server {
        /// Whom we asked.
        addr: NodeAddr,
        /// What for.
        doing: &'static str,
        /// What came back.
        source: WireError,
    },
    /// A reply that cannot be what we asked for.
    #[error("{addr} answered {doing} with something unexpected: {detail}")]
    Reply {
        /// Whom we asked.
        addr: NodeAddr,
        /// What for.
        doing: &'static str,
        /// What came back.
        detail: String,
    },
    /// A file that we were told to use cannot be read.
    #[error("cannot read {what} {}: {source}", .path.display())]
    File {
        /// Its role.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// git does not have the library.
    #[error(
        "cannot read the function library {object} with git: {detail}. Run in the repository, with that revision \
             fetched (a shallow clone of CI may need `git fetch --depth=1 origin main:refs/remotes/origin/main`), and the path from the \
             repository's top."
    )]
    Revision {
        /// As given: `<rev>:<path>`.
        object: String,
        /// git's words.
        detail: String,
    },
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(String),
    /// Lua or the server refuses the library.
    #[error("{addr} does not accept the function library {library}: {detail}")]
    LibraryRefused {
        /// Who refuses.
        addr: NodeAddr,
        /// The library's source.
        library: String,
        /// The server's words, or what is missing in the file.
        detail: String,
    },
    /// Functions that we call are not in the library.
    #[error("the function library {library} lacks {}. A claim needs all of them: use the published library \
             (leave out [library] source) or a complete file.", .missing.join(", "))]
    LibraryIncomplete {
        /// The library's source.
        library: String,
        /// Function names.
        missing: Vec<String>,
    },
    /// Somebody else's version is loaded.
    #[error(
        "{addr} already runs another flowfabric library: version {}, sha256 {}; this run wants version {}, \
             sha256 {}. Point [library] source at the loaded one, or give --replace-library to overwrite it on every \
             primary.", .loaded.version, .loaded.sha256, .wanted.version, .wanted.sha256
    )]
    LibraryDiffers {
        /// Where.
        addr: NodeAddr,
        /// What it runs.
        loaded: Box<LibraryInfo>,
        /// What we would load.
        wanted: Box<LibraryInfo>,
    },
    /// A deployment's data.
    #[error(
        "{addr} holds FlowFabric data that is not ours ({example}). Use an empty cluster, or give --shared \
             if load on this deployment is wanted; it is never changed, only slowed down."
    )]
    ForeignKeys {
        /// Where.
        addr: NodeAddr,
        /// One key, and what tells that it is not ours.
        example: String,
    },
    /// Only for servers of our own.
    #[error("{0} is only done on a cluster that this tool started: leave out --nodes.")]
    NotOurs(&'static str),
    /// No server binary.
    #[error("no valkey-server found:\n{}\nGive --valkey-server PATH (or VALKEY_SERVER), install a valkey package, \
             or use --nodes of a running cluster or --provider container.", bullets(.attempts))]
    NoServerBinary {
        /// One line per place looked at.
        attempts: Vec<String>,
    },
    /// A binary that does not run, or servers that end at once.
    #[error("{} did not start: {detail}", .binary.display())]
    ServerStart {
        /// The binary.
        binary: PathBuf,
        /// Exit status and the end of its log.
        detail: String,
    },
    /// The servers run but form no cluster.
    #[error("the servers did not form a cluster within {waited:?}: {detail}")]
    Formation {
        /// How long we waited.
        waited: Duration,
        /// What was missing.
        detail: String,
    },
    /// Docker or the image.
    #[error("no container cluster: {0}")]
    Container(String),
    /// The state file of a detached cluster.
    #[error("{0}")]
    Detached(String),
    /// A local file operation.
    #[error("{doing}: {source}")]
    Io {
        /// What for.
        doing: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Ctrl-C.
    #[error("interrupted")]
    Cancelled,
}

impl ClusterError {
    pub(super) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// What a failed command on `addr` means; login trouble has its own remedy.
    pub(super) fn from_wire(addr: &NodeAddr, doing: &'static str, error: WireError) -> Self {
        let addr = addr.clone();
        match error {
            WireError::Server { code, detail }
                if matches!(code.as_str(), "NOAUTH" | "WRONGPASS" | "NOPERM") =>
            {
                Self::Login { addr, detail: format!("{code} {detail}") }
            }
            WireError::Disconnected(detail) => Self::Unreachable { addr, detail },
            source => Self::Server { addr, doing, source },
        }
    }
}

fn bullets(lines: &[String]) -> String {
    lines.iter().map(|line| format!("  - {line}")).collect::<Vec<_>>().join("\n")
}
