//! Why a campaign ended without a result.

use std::path::PathBuf;

use crate::calibrate::CalibrateError;
use crate::cluster::ClusterError;
use crate::load::{LoadError, MeetingError, NotShareable};
use crate::store::StoreError;
use reclaim_analysis::record::{InvalidReason, MergeError, RunRecord};
use reclaim_analysis::scenario::InvalidScenario;

/// What went wrong; each part says what to do.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// No cluster to work on.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A run failed before anything was measured.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A generator could not be started.
    #[error("cannot start generator {part}: {source}; free some memory or raise the limit on processes")]
    GeneratorStart {
        /// Which.
        part: u32,
        /// Why.
        source: std::io::Error,
    },
    /// A generator that this process had started could not go on.
    #[error("generator {part}: {said}")]
    Generator {
        /// Which.
        part: u32,
        /// In its words.
        said: String,
    },
    /// What the generators measured is no one record.
    #[error("the records of the generators cannot be merged: {0}")]
    Merge(MergeError),
    /// A calibration failed.
    #[error(transparent)]
    Calibrate(#[from] CalibrateError),
    /// A result cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A load of a search that no run can offer.
    #[error(transparent)]
    Scenario(#[from] InvalidScenario),
    /// Several generators cannot share a search.
    #[error(transparent)]
    NotShareable(#[from] NotShareable),
    /// Generators that somebody started one by one did not stay together in a probe.
    #[error("the probe's generators did not stay together: {said}")]
    Apart {
        /// What ended the probe.
        said: String,
    },
    /// A search can go on only with the question that it began with.
    #[error(
        "--resume: {key} was {then} when that search began and is {now} now; give the options that it was begun with, or \
         begin anew without --resume"
    )]
    OtherQuestion {
        /// The scenario's key.
        key: String,
        /// Its value then.
        then: String,
        /// Its value now.
        now: String,
    },
    /// And only under the conditions that it began under.
    #[error("--resume: {what}: {then} then, {now} now; begin anew without --resume")]
    OtherConditions {
        /// What differs.
        what: String,
        /// Then.
        then: String,
        /// Now.
        now: String,
    },
    /// A search broke off after some probes.
    #[error("the probes so far are kept; go on with --resume {}", .dir.display())]
    BrokeOff {
        /// Where they are.
        dir: PathBuf,
        /// Why.
        source: Box<CampaignError>,
    },
}

impl CampaignError {
    /// That the generators of a run did not stay together, by what its record says of that.
    pub(super) fn apart(record: &RunRecord) -> Self {
        let said = record.invalid_reasons.iter().find_map(|reason| match reason {
            InvalidReason::Infrastructure { detail } => Some(detail.clone()),
            _ => None,
        });
        Self::Apart { said: said.unwrap_or_else(|| "no record of the others came".to_owned()) }
    }

    /// Whether the first of several generators has ended the run: it says why itself.
    pub fn is_ended_by_first(&self) -> bool {
        matches!(self, Self::Load(LoadError::Meeting(MeetingError::Ended { .. })))
    }

    /// With its causes, on one line: for what is kept beside the runs that were made.
    pub fn in_words(&self) -> String {
        in_words(self).split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// An error with its causes, each said once: some repeat in their own words what caused them.
pub fn in_words(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !words.contains(&said) {
            words = format!("{words}: {said}");
        }
        next = cause.source();
    }
    words
}
