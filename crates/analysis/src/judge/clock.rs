//! The clocks of a claim: from where to where its time is taken.

use super::latency_summary::LatencySummary;
use super::result::VariantSummary;
use crate::record::{ArmRecord, Histogram};
use crate::scenario::Metric;

/// A clock of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// done - sent.
    Service,
    /// done - scheduled.
    Response,
    /// sent - scheduled.
    SendLag,
    /// From what made the execution runnable until the lease is held.
    Resume,
}

impl Clock {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 4] = [Self::Service, Self::Response, Self::SendLag, Self::Resume];

    /// Its name in a result's `variants`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Service => "service_us",
            Self::Response => "response_us",
            Self::SendLag => "send_lag_us",
            Self::Resume => "resume_us",
        }
    }

    /// The 99th percentile by it, as a metric. How late claims were sent is none: it stands for the service time.
    pub fn p99(self) -> Metric {
        match self {
            Self::Service | Self::SendLag => Metric::ServiceP99,
            Self::Response => Metric::ResponseP99,
            Self::Resume => Metric::ResumeP99,
        }
    }

    /// What it says of a variant; `None` where nothing was timed by it.
    pub fn summary(self, variant: &VariantSummary) -> Option<&LatencySummary> {
        match self {
            Self::Service => variant.service_us.as_ref(),
            Self::Response => variant.response_us.as_ref(),
            Self::SendLag => variant.send_lag_us.as_ref(),
            Self::Resume => variant.resume_us.as_ref(),
        }
    }

    /// All times that it took of an arm.
    pub fn histogram(self, arm: &ArmRecord) -> &Histogram {
        match self {
            Self::Service => &arm.service,
            Self::Response => &arm.response,
            Self::SendLag => &arm.send_lag,
            Self::Resume => &arm.resume,
        }
    }
}
