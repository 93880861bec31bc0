//! What a stored path holds: one run, or something made of several.

use std::path::Path;

use super::calibration_store::CALIBRATION;
use super::result_dir::{CAPACITY, PARTIAL, RESULT, SERIES, SWEEP};

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
    pub fn of(path: &Path) -> Self {
        if path.join(RESULT).exists() || path.join(PARTIAL).exists() {
            return Self::Run;
        }
        let marked =
            |file: &str| path.join(file).exists() || path.file_name().is_some_and(|name| name == file);
        MARKED.into_iter().find(|(_, file)| marked(file)).map_or(Self::Run, |(kind, _)| kind)
    }

    /// In an error: "holds ...".
    pub fn what(self) -> &'static str {
        match self {
            Self::Run => "a run",
            Self::Capacity => "a capacity search",
            Self::Sweep => "the runs of a sweep",
            Self::Series => "a series of runs",
            Self::Calibration => "a calibration",
        }
    }

    /// Where something of this kind is to be had in a format that a run has and it has not.
    pub fn other_formats(self) -> &'static str {
        match self {
            Self::Run => "",
            Self::Capacity => "; its curve is in curve.csv",
            Self::Sweep => {
                "; its points are in sweep.csv, and its single runs, DIR/*/, have the other formats"
            }
            Self::Series => "; its single runs, DIR/*/, have the other formats",
            Self::Calibration => "; its histograms are in the json",
        }
    }
}
