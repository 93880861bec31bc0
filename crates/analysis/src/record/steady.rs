//! The part of a block in which its number of claims in flight was constant.

use std::time::Duration;

use super::SteadyPart;

/// Claims of a stratum within one batch: successful ones, and when the first and the last were sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Steady {
    claimed: u64,
    first: Option<Duration>,
    last: Duration,
}

impl Steady {
    pub(super) fn record(&mut self, sent: Duration, claimed: bool) {
        self.claimed += u64::from(claimed);
        self.first = Some(self.first.map_or(sent, |first| first.min(sent)));
        self.last = self.last.max(sent);
    }

    /// With a fixed number in flight each claim but the first was sent when another had come back: so many came back
    /// between the two.
    pub(super) fn part(self) -> Option<SteadyPart> {
        let length = self.last.saturating_sub(self.first?);
        let claims = self.claimed.saturating_sub(1);
        (claims > 0 && !length.is_zero()).then_some(SteadyPart { claims, duration_s: length.as_secs_f64() })
    }
}
