//! What a capacity search is to do, checked before a server is looked for.

use std::time::Duration;

use super::super::error::CampaignError;
use super::super::generators::Generators;
use super::offered::at_load;
use crate::cluster::ClusterRequest;
use crate::load::{NotShareable, shareable};
use reclaim_analysis::judge::capacity::{CapacityPolicy, ProbeLoad};
use reclaim_analysis::scenario::ScenarioFile;

/// What to search and where, decided before a server is looked for.
#[derive(Debug)]
pub struct SearchPlan {
    /// The scenario; it suits a search.
    pub file: ScenarioFile,
    /// Seed of everything random.
    pub seed: u64,
    /// Which rates, and how closely.
    pub policy: CapacityPolicy,
    /// Where.
    pub request: ClusterRequest,
    /// Who makes the claims.
    pub generators: Generators,
    /// No probe begins that would end later than this after the first one.
    pub within: Option<Duration>,
}

impl SearchPlan {
    /// Refuses a search whose loads cannot be offered: a scenario that cannot be run so, or that several
    /// generators cannot share.
    pub fn check(&self) -> Result<(), CampaignError> {
        let policy = &self.policy;
        let first = ProbeLoad::Open { rate_per_s: policy.required_per_s.unwrap_or(policy.start_per_s) };
        Ok(shareable(&at_load(&self.file, first)?, self.generators.count())?)
    }

    /// Leaves those loads of the closed loop out that the generators cannot share: which these are.
    pub fn without_unshareable_loads(&mut self) -> Vec<u32> {
        let of = self.generators.count();
        self.policy.concurrency.extract_if(.., |concurrency| !can_share(*concurrency, of)).collect()
    }
}

fn can_share(in_flight: u32, of: u32) -> bool {
    NotShareable::check_in_flight(in_flight, of).is_ok()
}

#[cfg(test)]
mod tests {
    use super::can_share;

    #[test]
    fn loads_that_generators_cannot_share_are_left_out() {
        let shared = |of| (1..=16).filter(|in_flight| can_share(*in_flight, of)).collect::<Vec<u32>>();
        assert_eq!(shared(1), (1..=16).collect::<Vec<u32>>());
        // Nine of two are five and four, eleven six and five.
        assert_eq!(shared(2), [2, 4, 6, 8, 10, 11, 12, 13, 14, 15, 16]);
        assert_eq!(shared(3), [3, 6, 9, 12, 15, 16]);
        assert_eq!(shared(17), [] as [u32; 0]);
    }
}
