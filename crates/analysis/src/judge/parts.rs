//! Where the time of one claim goes: its round trips one behind the other, and the client's own work between
//! them.

use super::latency_summary::LatencySummary;
use super::result::VariantSummary;

/// A part of the mean claim of a variant.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimPart<'a> {
    /// What is sent and waited for; `None` for the client's own work between round trips.
    pub title: Option<&'a str>,
    /// Quantiles of the round trip alone.
    pub time: Option<LatencySummary>,
    /// Its part of the time of all claims.
    pub share: f64,
    /// Where it begins within the mean claim, in microseconds.
    pub from_us: f64,
    /// Where it ends.
    pub to_us: f64,
}

impl ClaimPart<'_> {
    /// Its length within the mean claim, in microseconds.
    pub fn mean_us(&self) -> f64 {
        self.to_us - self.from_us
    }
}

/// The parts of a variant's mean claim in order, the client's own work last; empty where round trips were not
/// timed.
pub fn claim_parts(variant: &VariantSummary) -> Vec<ClaimPart<'_>> {
    let Some(service) = variant.service_us.filter(|_| !variant.steps.is_empty()) else { return Vec::new() };
    let rest = (1.0 - variant.steps.iter().map(|step| step.share).sum::<f64>()).max(0.0);
    let steps = variant.steps.iter().map(|step| (Some(step.title.as_str()), Some(step.time), step.share));
    let mut end = 0.0;
    steps
        .chain([(None, None, rest)])
        .map(|(title, time, share)| {
            let from_us = end;
            end += share * service.mean;
            ClaimPart { title, time, share, from_us, to_us: end }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::analyse;
    use super::super::fixtures::{GRANT_LANE, record, timed_steps};
    use super::*;

    #[test]
    fn parts_stand_behind_each_other_and_add_up_to_the_claim() {
        let mut record = record(&[GRANT_LANE], 1);
        assert_eq!(claim_parts(&analyse(record.clone()).unwrap().variants[0]), []);
        timed_steps(&mut record.arms[0], &[("HGET current_attempt_index", 0.3), ("FCALL", 0.6)]);
        let result = analyse(record).unwrap();
        let parts = claim_parts(&result.variants[0]);
        let titles: Vec<_> = parts.iter().map(|part| part.title).collect();
        assert_eq!(titles, [Some("HGET current_attempt_index"), Some("FCALL"), None]);
        let mean = result.variants[0].service_us.unwrap().mean;
        for (part, share) in parts.iter().zip([0.3, 0.6, 0.1]) {
            assert!((part.share - share).abs() < 2e-3 && (part.mean_us() - part.share * mean).abs() < 1e-9);
        }
        assert!(parts.windows(2).all(|two| (two[0].to_us - two[1].from_us).abs() < 1e-9));
        assert!((parts[2].to_us - mean).abs() < 1e-6);
    }
}
