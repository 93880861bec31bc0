//! How far a capacity search can be believed.

use super::level::Trust;
use crate::judge::capacity::SearchOutcome;

impl SearchOutcome {
    /// How far what the probes come to can be believed.
    pub fn trust(self) -> Trust {
        match self {
            Self::Found | Self::Unlimited => Trust::Yes,
            Self::LowerBound | Self::NothingSustained => Trust::Careful,
            Self::NotConverged | Self::Invalid => Trust::No,
        }
    }
}
