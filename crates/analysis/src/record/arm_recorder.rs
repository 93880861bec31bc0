//! The claims of one arm: how they ended, and how long they took by each clock.

use std::time::Duration;

use super::latency::LatencyHistogram;
use super::stamps::Stamps;
use super::{Outcome, Outcomes, WireCost, WireTotals};

/// One arm's claims.
#[derive(Clone, Debug, Default)]
pub struct ArmRecorder {
    /// How they ended.
    pub outcomes: Outcomes,
    /// Outcomes, among these, of claims that were made after their grants had expired.
    pub late: Outcomes,
    /// done - sent.
    pub service: LatencyHistogram,
    /// done - scheduled.
    pub response: LatencyHistogram,
    /// sent - scheduled.
    pub send_lag: LatencyHistogram,
    /// Signal sent to lease held.
    pub resume: LatencyHistogram,
    /// done - sent of claims that did not succeed.
    pub error_service: LatencyHistogram,
    /// Each round trip of successful claims, by its place in the claim.
    pub steps: Vec<LatencyHistogram>,
    /// Wire cost of successful claims.
    pub wire: WireTotals,
    /// Time of the batches that the arm was part of.
    pub active: Duration,
    /// Claims that too few replicas had in time.
    pub unreplicated: u64,
}

impl ArmRecorder {
    /// Records a claim made after its grant expired; its duration enters no latency of claims.
    pub(super) fn record_late(&mut self, stamps: &Stamps, outcome: &Outcome) {
        self.outcomes.count(outcome);
        self.late.count(outcome);
        if *outcome != Outcome::Claimed {
            self.error_service.record(stamps.done.saturating_sub(stamps.sent));
        }
    }

    pub(super) fn record(&mut self, stamps: &Stamps, outcome: &Outcome, cost: WireCost) {
        self.outcomes.count(outcome);
        if let Some(scheduled) = stamps.scheduled {
            self.send_lag.record(stamps.sent.saturating_sub(scheduled));
        }
        let service = stamps.done.saturating_sub(stamps.sent);
        if *outcome != Outcome::Claimed {
            self.error_service.record(service);
            return;
        }
        self.service.record(service);
        if let Some(scheduled) = stamps.scheduled {
            self.response.record(stamps.done.saturating_sub(scheduled));
        }
        if let Some(resume) = stamps.resume {
            self.resume.record(resume);
        }
        for (place, time) in stamps.steps.iter().enumerate() {
            if self.steps.len() == place {
                self.steps.push(LatencyHistogram::default());
            }
            self.steps[place].record(time);
        }
        self.wire.claims += 1;
        self.wire.round_trips += u64::from(cost.round_trips);
        self.wire.commands += u64::from(cost.commands);
        self.wire.bytes_out += u64::from(cost.bytes_out);
        self.wire.bytes_in += u64::from(cost.bytes_in);
    }
}
