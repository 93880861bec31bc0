//! [`ArmRecord`] and [`Stratum`]: what an arm did, and its times side by side with those of others.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_zero::is_zero;
use super::{Histogram, LibraryInfo, Outcomes, Samples, SdkInfo};
use crate::scenario::VariantPath;

/// All that one arm did in the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ArmRecord {
    /// The variant's name.
    pub name: String,
    /// The way of claiming.
    pub path: VariantPath,
    /// The function library that it was measured with, in a library duet.
    #[serde(default)]
    pub library: Option<LibraryInfo>,
    /// The SDK that its worker was built against, in an SDK duet. What such a worker sends nobody but the
    /// servers count, so its claims have no wire cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdk: Option<SdkInfo>,
    /// Median time in microseconds that handing a claim over to its worker and its answer back took beside
    /// the claim, which is in no claim's time; `None` where no worker of its own makes the claims. Of several
    /// generators the largest of their medians.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handover_p50_us: Option<f64>,
    /// How its claims ended. Claims of the control alone and of blocks are not in here.
    pub outcomes: Outcomes,
    /// Of these, the ones that were made after the window, when their grants had run out: as many as the
    /// scenario leaves to expire (`grant.unconsumed`). None in results of versions that did not tell them
    /// apart.
    #[serde(default, skip_serializing_if = "Outcomes::is_none")]
    pub late: Outcomes,
    /// Time in which its claims were made; arms that are mixed share it.
    pub active_s: f64,
    /// done - sent, successful claims only.
    pub service: Histogram,
    /// done - scheduled, successful claims only; empty in a closed loop.
    pub response: Histogram,
    /// sent - scheduled; empty in a closed loop.
    pub send_lag: Histogram,
    /// From the call that made the execution runnable being sent until the lease is held; empty when staged.
    pub resume: Histogram,
    /// done - sent of claims that were refused, lost or expired: error paths return early.
    pub error_service: Histogram,
    /// Each round trip of a claim in order, successful claims only; empty in results of versions that did not
    /// time them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepRecord>,
    /// Wire cost of its successful claims, summed.
    pub wire: WireTotals,
    /// Of its claims that hold their lease: those that `variant.wait_replicas` replicas did not have when the
    /// wait for them ended.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unreplicated: u64,
}

impl ArmRecord {
    /// Successful claims, and the seconds in which the variant made them. Other variants claimed in these
    /// seconds too, unless it had blocks of its own.
    pub fn rate_parts(&self) -> (f64, f64) {
        (self.outcomes.claimed as f64, self.active_s)
    }

    /// Grants that expired before their claims, without those that the scenario leaves to expire
    /// (`grant.unconsumed`): they were issued too early. 0 where the record does not tell the two apart.
    pub fn expired_unasked(&self, unconsumed: f64) -> u64 {
        if unconsumed > 0.0 && self.late.is_none() {
            return 0;
        }
        self.outcomes.expired.saturating_sub(self.late.expired)
    }

    /// Failed claims: errors, plus grants that expired without being among those left to expire.
    pub fn failures(&self, unconsumed: f64) -> u64 {
        self.outcomes.errors() + self.expired_unasked(unconsumed)
    }

    /// Its histograms of whole claims, by what they measure.
    pub fn clocks(&self) -> [(&'static str, &Histogram); 5] {
        [
            ("service", &self.service),
            ("response", &self.response),
            ("send_lag", &self.send_lag),
            ("resume", &self.resume),
            ("error_service", &self.error_service),
        ]
    }
}

/// One of the round trips that a claim makes, over all claims of an arm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepRecord {
    /// What is sent and waited for, e.g. `HGET lane_id`.
    pub title: String,
    /// From encoding the request until its reply is read.
    pub time: Histogram,
}

/// Sums over the successful claims of an arm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WireTotals {
    /// Claims summed over.
    pub claims: u64,
    /// Waits for an answer.
    pub round_trips: u64,
    /// Commands sent.
    pub commands: u64,
    /// Request bytes.
    pub bytes_out: u64,
    /// Reply bytes.
    pub bytes_in: u64,
}

/// Service times of one stratum, in the order taken, by arm (index into `arms`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stratum {
    /// Whether both sides are the baseline: then `sides` has two entries for the same arm.
    pub control: bool,
    /// The sides that were mixed at random. A baseline that is there twice is a control within the
    /// comparison.
    pub sides: Vec<StratumSide>,
    /// The ruler: bare round trips (`ruler_command`) on the claims' connections, at random places among the
    /// claims. `None` where none were made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruler: Option<Samples>,
    /// Whether each side was claimed by itself, with the servers for itself, and not claim by claim among the
    /// others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub apart: bool,
}

/// One side of a stratum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StratumSide {
    /// Index into `arms`.
    pub arm: u32,
    /// done - sent of its successful claims.
    pub service: Samples,
}
