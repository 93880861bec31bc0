//! Everything that can be wrong with a cluster, each with what to do about it.

use std::path::PathBuf;
use std::time::Duration;

use super::presence::{LIFE, OtherRun};
use crate::flowfabric::release_of;
use crate::valkey::{NodeAddr, ValkeyError};
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
    /// A node cannot be reached, or is not one that we can use.
    #[error(transparent)]
    Valkey(#[from] ValkeyError),
    /// Primaries of different versions.
    #[error("the primaries run different versions of Valkey: {0}. A result needs one version.")]
    MixedVersions(String),
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
    #[error(
        "the function library {library} lacks {}, which this run calls: use the published library (leave out [library] \
             source), a complete file, or a scenario that does without", with_releases(.missing)
    )]
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
    /// Servers could not be given back the library that they had.
    #[error("what was there before the function library could not be put back everywhere: {}", .0.join("; "))]
    LibraryLeft(
        /// One entry per server, with the reason.
        Vec<String>,
    ),
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
    /// Another run of this tool.
    #[error(
        "on this cluster there is {} under way. Wait until it has ended (one that was killed counts as ended {} s after \
             its last sign of life), or {otherwise}.", listed(.runs), LIFE.as_secs()
    )]
    RunsUnderWay {
        /// Each of them.
        runs: Vec<OtherRun>,
        /// Which option would have gone on all the same.
        otherwise: &'static str,
    },
    /// Nobody can tell which runs are under way.
    #[error("{why} That primary knows which runs are under way: make sure that none is, and {otherwise}.")]
    MarksUnreachable {
        /// The primary, and why.
        why: String,
        /// Which option would have gone on all the same.
        otherwise: &'static str,
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
}

fn listed(runs: &[OtherRun]) -> String {
    runs.iter().map(OtherRun::to_string).collect::<Vec<_>>().join(" and ")
}

/// Functions with the releases that brought them, where not all have them.
fn with_releases(functions: &[String]) -> String {
    let named = |function: &String| match release_of(function) {
        Some(release) => format!("{function} (since FlowFabric {release})"),
        None => function.clone(),
    };
    functions.iter().map(named).collect::<Vec<_>>().join(", ")
}

fn bullets(lines: &[String]) -> String {
    lines.iter().map(|line| format!("  - {line}")).collect::<Vec<_>>().join("\n")
}
