//! Every way a claim can end, counted by name.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which redirect a claim met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RedirectKind {
    /// MOVED.
    Moved,
    /// ASK.
    Ask,
    /// TRYAGAIN.
    TryAgain,
}

impl RedirectKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Moved, Self::Ask, Self::TryAgain];

    /// The first word of the server's answer.
    pub fn code(self) -> &'static str {
        match self {
            Self::Moved => "MOVED",
            Self::Ask => "ASK",
            Self::TryAgain => "TRYAGAIN",
        }
    }
}

/// How one claim ended. Only [`Outcome::Claimed`] enters a latency histogram.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The worker holds the lease.
    Claimed,
    /// The grant was past its time: `claim_grant_expired`, or `invalid_claim_grant` after `expires_at_ms`.
    Expired,
    /// Another worker was first: `execution_not_leaseable` for a grant that others hold as well.
    LostRace,
    /// Any other domain reply, by its code.
    Refused(String),
    /// No reply, and a read shows that the claim took effect or cannot tell.
    Ambiguous,
    /// The cluster sent the claim elsewhere; it may have succeeded there, but its time is no claim's time.
    Redirected(RedirectKind),
    /// No reply in time, and a read shows that the claim had no effect.
    TimedOut,
    /// The connection broke or the server refused the command.
    Failed,
}

impl Outcome {
    /// Whether a claim that was sent has no time: its reply was lost, or a server refused it or sent it elsewhere.
    /// One that a function answered without a lease has none either, but nobody waited for that.
    pub fn is_untimed(&self) -> bool {
        matches!(self, Self::Ambiguous | Self::TimedOut | Self::Failed | Self::Redirected(_))
    }
}

/// Count of every outcome of one arm, over the window. Nothing is left out: the fields add up to the claims
/// planned; in a storm, to those made again as well ([`super::StormRecord::retries`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outcomes {
    /// See [`Outcome::Claimed`].
    pub claimed: u64,
    /// See [`Outcome::Expired`].
    pub expired: u64,
    /// See [`Outcome::LostRace`].
    pub lost_race: u64,
    /// See [`Outcome::Refused`]: the function's error code and how often.
    pub refused: BTreeMap<String, u64>,
    /// See [`Outcome::Ambiguous`].
    pub ambiguous: u64,
    /// See [`Outcome::Redirected`].
    pub redirected: BTreeMap<RedirectKind, u64>,
    /// See [`Outcome::TimedOut`].
    pub timed_out: u64,
    /// See [`Outcome::Failed`].
    pub failed: u64,
    /// Planned, but not sent before the window closed.
    pub dropped: u64,
    /// Due, but no grant was in stock.
    pub empty_stock: u64,
}

impl Outcomes {
    /// Counts one claim.
    pub fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Claimed => self.claimed += 1,
            Outcome::Expired => self.expired += 1,
            Outcome::LostRace => self.lost_race += 1,
            Outcome::Refused(code) => *self.refused.entry(code.clone()).or_default() += 1,
            Outcome::Ambiguous => self.ambiguous += 1,
            Outcome::Redirected(kind) => *self.redirected.entry(*kind).or_default() += 1,
            Outcome::TimedOut => self.timed_out += 1,
            Outcome::Failed => self.failed += 1,
        }
    }

    /// Adds those of another run or arm.
    pub fn add(&mut self, more: &Self) {
        // Taken apart, so that a field that is added is not forgotten here.
        let Self {
            claimed,
            expired,
            lost_race,
            refused,
            ambiguous,
            redirected,
            timed_out,
            failed,
            dropped,
            empty_stock,
        } = more;
        for (sum, more) in [
            (&mut self.claimed, claimed),
            (&mut self.expired, expired),
            (&mut self.lost_race, lost_race),
            (&mut self.ambiguous, ambiguous),
            (&mut self.timed_out, timed_out),
            (&mut self.failed, failed),
            (&mut self.dropped, dropped),
            (&mut self.empty_stock, empty_stock),
        ] {
            *sum += more;
        }
        for (code, n) in refused {
            *self.refused.entry(code.clone()).or_default() += n;
        }
        for (kind, n) in redirected {
            *self.redirected.entry(*kind).or_default() += n;
        }
    }

    /// Claims without a reply: nobody knows whether the server saw all of their commands.
    pub fn unanswered(&self) -> u64 {
        self.ambiguous + self.timed_out + self.failed
    }

    /// Claims that were sent.
    pub fn sent(&self) -> u64 {
        self.planned() - self.dropped - self.empty_stock
    }

    /// Claims that should have been made.
    pub fn planned(&self) -> u64 {
        self.claimed
            + self.expired
            + self.lost_race
            + self.refused.values().sum::<u64>()
            + self.ambiguous
            + self.redirected.values().sum::<u64>()
            + self.timed_out
            + self.failed
            + self.dropped
            + self.empty_stock
    }

    /// Whether no claim was to be made.
    pub fn is_none(&self) -> bool {
        self.planned() == 0
    }

    /// Sent claims that ended in anything that a healthy run does not show: not claimed, expired, or a lost
    /// race.
    pub fn errors(&self) -> u64 {
        self.sent() - self.claimed - self.expired - self.lost_race
    }
}
