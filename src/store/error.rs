//! Why something cannot be stored or read.

use std::path::PathBuf;

use super::file_names::Kind;
use crate::cluster::NO_CACHE_DIR;
use reclaim_analysis::judge::HistoryError;
use reclaim_analysis::scenario::InvalidScenario;

/// What went wrong with which file, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory for results cannot be written.
    #[error(
        "cannot write results to {}: choose another directory with --output, or make room",
        .output.display()
    )]
    Output {
        /// As given.
        output: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// One file or directory.
    #[error("cannot {doing} {}", .path.display())]
    File {
        /// "read", "write", ...
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A value cannot be written down, or a picture not be drawn.
    #[error("cannot write {}: {why}", .path.display())]
    Unwritable {
        /// Of which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Nothing is at the path.
    #[error(
        "{} is not there: give the directory of a result, as a run names it at its end (below results/, or what --output \
         said), or the result.json in it",
        .0.display()
    )]
    NotThere(PathBuf),
    /// A file of FlowFabric's own benchmarks where one of ours was asked for.
    #[error(
        "{path} is a report of FlowFabric's own benchmarks, no result of reclaim-bench: `reclaim-bench compare {path} RESULT` \
         holds it against another one or against a result",
        path = .0.display()
    )]
    OfFfBench(PathBuf),
    /// Another kind of file.
    #[error("{} is not JSON", .path.display())]
    NotJson {
        /// Which.
        path: PathBuf,
        /// Where it stops being JSON.
        source: serde_json::Error,
    },
    /// JSON of another program.
    #[error("{} is not {what}: it has no \"schema\"", .path.display())]
    NoSchema {
        /// Which.
        path: PathBuf,
        /// What was looked for, with its article.
        what: &'static str,
    },
    /// Of another version of this tool, or another kind of result.
    #[error(
        "{} has the format {found}, this tool reads {known}: a higher number is of a newer reclaim-bench, which reads it",
        .path.display()
    )]
    OtherFormat {
        /// Which.
        path: PathBuf,
        /// What it says of itself.
        found: String,
        /// What is read, in words.
        known: String,
    },
    /// It says what it is, and something in it is missing or wrong.
    #[error("{} is damaged", .path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is missing or wrong.
        source: serde_json::Error,
    },
    /// It contradicts itself.
    #[error("{} is damaged: {what}", .path.display())]
    Contradictory {
        /// Which.
        path: PathBuf,
        /// How.
        what: String,
    },
    /// A directory without a result.
    #[error(
        "{} holds no result: the run was killed before anything of it was stored, or it is another directory",
        .0.display()
    )]
    NoResult(PathBuf),
    /// There is no history, and nothing to begin one with.
    #[error("the history {} is not there: give results to append", .0.display())]
    NoHistory(PathBuf),
    /// A history cannot be read or appended to.
    #[error("the history {}", .path.display())]
    History {
        /// Which.
        path: PathBuf,
        /// Why.
        source: HistoryError,
    },
    /// A run was asked for.
    #[error("{} holds {}, not a run: `reclaim-bench report` shows it", .path.display(), .kind.what())]
    OtherForRun {
        /// Which.
        path: PathBuf,
        /// What it holds.
        kind: Kind,
    },
    /// A run was asked for.
    #[error(
        "{0} holds {what}: `reclaim-bench report` shows them together; give {0}/*/ for the single runs",
        .path.display(), what = .kind.what()
    )]
    SeveralForRun {
        /// Which.
        path: PathBuf,
        /// What it holds.
        kind: Kind,
    },
    /// The scenario inside was never valid.
    #[error("{} holds an impossible scenario", .path.display())]
    Scenario {
        /// Which.
        path: PathBuf,
        /// Its keys.
        source: InvalidScenario,
    },
    /// One of the runs that something is made of.
    #[error("{of} cannot be had")]
    Part {
        /// Which run.
        of: String,
        /// Why.
        source: Box<StoreError>,
    },
    /// There is no place for what outlives a run.
    #[error("{}", NO_CACHE_DIR)]
    NoCache,
}

impl StoreError {
    /// Whether a directory was looked at that holds no run, whatever else it holds.
    pub fn is_no_run(&self) -> bool {
        matches!(self, Self::NoResult(_) | Self::OtherForRun { .. } | Self::SeveralForRun { .. })
    }
}
