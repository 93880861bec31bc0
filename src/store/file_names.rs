//! The files of a result directory, and what a stored path holds by them: one run, or something made of
//! several.

use std::path::{Path, PathBuf};

use crate::machine::read_text;
use reclaim_analysis::judge::HistoryEntry;

/// The finished result of a run; written last.
pub(super) const RESULT: &str = "result.json";
/// The safety copy of a run that goes on.
pub(super) const PARTIAL: &str = "result.partial.json";
/// Histograms of a run, for other tools.
pub(super) const HISTOGRAMS: &str = "latency.hlog";
/// Any of them in words.
pub(super) const SUMMARY: &str = "summary.md";
/// Any of them as a page to look at.
pub(super) const PAGE: &str = "report.html";
/// What a series of runs has come to.
pub(super) const SERIES: &str = "repeat.json";
/// What a capacity search has come to, its curve, and that as a picture.
pub(super) const CAPACITY: &str = "capacity.json";
pub(super) const CAPACITY_CURVE: &str = "curve.csv";
pub(super) const CAPACITY_KNEE: &str = "knee.svg";
/// The curve of a sweep, and its points for a plot.
pub(super) const SWEEP: &str = "sweep.json";
pub(super) const SWEEP_POINTS: &str = "sweep.csv";
/// What the generator can do.
pub(super) const CALIBRATION: &str = "calibration.json";

/// The directory and the file of something that is given as either.
pub(super) fn parts(path: &Path, file: &str) -> (PathBuf, PathBuf) {
    let is_file = path.file_name().is_some_and(|name| name == file) && !path.is_dir();
    let dir = if is_file { path.parent().unwrap_or(Path::new(".")) } else { path };
    (dir.to_owned(), dir.join(file))
}

/// What `report` can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One run.
    Run,
    /// A capacity search.
    Capacity,
    /// The runs of a sweep.
    Sweep,
    /// The runs of `--repeat`.
    Series,
    /// A calibration.
    Calibration,
    /// Many nights: a file with a line for each run.
    History,
}

/// All but single runs, with the file that tells them.
const MARKED: [(Kind, &str); 4] = [
    (Kind::Capacity, CAPACITY),
    (Kind::Sweep, SWEEP),
    (Kind::Series, SERIES),
    (Kind::Calibration, CALIBRATION),
];

impl Kind {
    /// What a path is, given as the directory or as its file. What is none of the others is taken for a run.
    pub fn at(path: &Path) -> Self {
        if path.join(RESULT).exists() || path.join(PARTIAL).exists() {
            return Self::Run;
        }
        let marked =
            |file: &str| path.join(file).exists() || path.file_name().is_some_and(|name| name == file);
        let marked = MARKED.into_iter().find(|(_, file)| marked(file)).map(|(kind, _)| kind);
        marked.unwrap_or(if is_history(path) { Self::History } else { Self::Run })
    }

    /// In an error: "holds ...".
    pub fn what(self) -> &'static str {
        match self {
            Self::Run => "a run",
            Self::Capacity => "a capacity search",
            Self::Sweep => "the runs of a sweep",
            Self::Series => "a series of runs",
            Self::Calibration => "a calibration",
            Self::History => "a history",
        }
    }

    /// The formats of its report, and where something of this kind is to be had in one that a run has and it
    /// has not.
    pub fn formats(self) -> &'static str {
        match self {
            Self::Run => "",
            Self::History => "text, markdown, html and json",
            Self::Capacity => "text, markdown, html and json; its curve is in curve.csv",
            Self::Sweep => {
                "text, markdown, html and json; its points are in sweep.csv, and its single runs, DIR/*/, have the other \
                 formats"
            }
            Self::Series => {
                "text, markdown, html, json, junit and pull-request; its single runs, DIR/*/, have the other formats"
            }
            Self::Calibration => "text, markdown, html and json; its histograms are in the json",
        }
    }
}

/// Whether a file holds a line for each run. Its first line decides; a damaged one later is named when it is
/// read.
fn is_history(path: &Path) -> bool {
    let Ok(text) = read_text(path) else { return false };
    let first = text.lines().find(|line| !line.trim().is_empty());
    first.is_some_and(|line| serde_json::from_str::<HistoryEntry>(line).is_ok())
}
