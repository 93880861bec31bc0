//! Why records do not make one run.

use std::fmt;

use crate::record::BadHistogram;

/// What all parts of a run have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// The name under which they met.
    Rendezvous,
    /// How many they were.
    Parts,
    /// The tool's version and commit.
    Tool,
    /// The scenario, its options applied.
    Scenario,
    /// The seed.
    Seed,
    /// SHA-256 of the plan.
    Plan,
    /// SHA-256 of the function library.
    Library,
    /// The variants, with libraries and SDKs of their own.
    Variants,
    /// The windows and blocks that they began.
    Windows,
    /// The batches that they made claims in.
    Batches,
    /// The strata, with their sides.
    Strata,
    /// The counter blocks, each with its variant.
    Blocks,
    /// The primaries.
    Primaries,
    /// The clusters of a server duet.
    Clusters,
    /// Whether there is an open loop's schedule.
    Schedule,
    /// Whether there is a storm.
    Storm,
    /// Whether a network was simulated, and which.
    Network,
}

impl fmt::Display for Tie {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Rendezvous => "rendezvous",
            Self::Parts => "number of parts",
            Self::Tool => "version of reclaim-bench",
            Self::Scenario => "scenario",
            Self::Seed => "seed",
            Self::Plan => "plan",
            Self::Library => "function library",
            Self::Variants => "variants",
            Self::Windows => "number of windows begun",
            Self::Batches => "number of batches",
            Self::Strata => "strata",
            Self::Blocks => "counter blocks",
            Self::Primaries => "primaries",
            Self::Clusters => "clusters",
            Self::Schedule => "schedule",
            Self::Storm => "storm",
            Self::Network => "simulated network",
        })
    }
}

/// What is wrong with which part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Nothing was given.
    #[error("there is nothing to merge: give the result of every part of a run")]
    NoParts,
    /// A whole run, or one that was merged.
    #[error(
        "record {position} is no part of a run: one generator made it, or its parts are merged already. Give parts alone"
    )]
    NotAPart {
        /// Its place among those given, from 1.
        position: usize,
    },
    /// Its number is not one of the run's.
    #[error("part {part} says that there are {of} parts: the record is damaged, take the original file")]
    NoSuchPart {
        /// Its number.
        part: u32,
        /// So many there are.
        of: u32,
    },
    /// One is given twice.
    #[error("part {part} is given twice: give each part once")]
    Twice {
        /// Which.
        part: u32,
    },
    /// One is not given.
    #[error("part {part} of {of} is missing: give the results of all parts")]
    Missing {
        /// Which, the first of them.
        part: u32,
        /// So many there are.
        of: u32,
    },
    /// It belongs to another run than the first part.
    #[error(
        "part {part} is of another run than part {first}: its {tie} is {own}, the other's is {other}. Give parts of one run"
    )]
    OtherRun {
        /// Which.
        part: u32,
        /// The part that it is held against.
        first: u32,
        /// What differs.
        tie: Tie,
        /// What it has.
        own: String,
        /// What the other one has.
        other: String,
    },
    /// It has not done what the others have.
    #[error(
        "part {part} does not fit the others: {tie} differ, {own} against {other}. The parts were not made by one run, or one \
         of them was changed"
    )]
    OtherShape {
        /// Which.
        part: u32,
        /// What differs.
        tie: Tie,
        /// What it has.
        own: String,
        /// What another has.
        other: String,
    },
    /// Something that every part has is not there.
    #[error(
        "part {part} has no {what}: the record is damaged, or of another version. Take the original file"
    )]
    Lacks {
        /// Which.
        part: u32,
        /// What.
        what: &'static str,
    },
    /// A histogram cannot be read.
    #[error("the histogram {histogram} of part {part} is damaged ({detail}): take the original file")]
    Damaged {
        /// Which part.
        part: u32,
        /// Which histogram.
        histogram: String,
        /// What is wrong with it.
        detail: String,
    },
    /// Faults struck the servers, and no part knows how the others' claims came through them.
    #[error(
        "part {part} is of a run with [[fault]]: how claims came through a fault cannot be put together from parts. Make such \
         a run with one generator"
    )]
    Faults {
        /// Which.
        part: u32,
    },
}

impl MergeError {
    /// Which part it is about, where it is about one that was given.
    pub fn part(&self) -> Option<u32> {
        match self {
            Self::NoParts | Self::NotAPart { .. } | Self::Missing { .. } => None,
            Self::NoSuchPart { part, .. }
            | Self::Twice { part }
            | Self::OtherRun { part, .. }
            | Self::OtherShape { part, .. }
            | Self::Lacks { part, .. }
            | Self::Damaged { part, .. }
            | Self::Faults { part } => Some(*part),
        }
    }

    /// A histogram of a part that cannot be read.
    pub(super) fn damaged(part: usize, histogram: impl Into<String>) -> impl FnOnce(BadHistogram) -> Self {
        let (part, histogram) = (part as u32 + 1, histogram.into());
        move |bad| Self::Damaged { part, histogram, detail: bad.0 }
    }
}
