//! What happened within the window, with its moment: what a reader of the seconds looks for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Outcome, RedirectKind};

/// Something that happened in the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WindowEvent {
    /// When, in seconds from the window's start.
    pub t_s: f64,
    /// What.
    #[serde(flatten)]
    pub what: WindowEventKind,
}

/// Kinds of events.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum WindowEventKind {
    /// The longest span without a successful claim began.
    StallBegan,
    /// It ended.
    StallEnded,
    /// The first claim that the function refused with this code.
    FirstRefused {
        /// The function's error code.
        code: String,
    },
    /// The first claim that the cluster sent elsewhere in this way.
    FirstRedirected {
        /// The way.
        redirect: RedirectKind,
    },
    /// The first claim whose grant was past its time.
    FirstExpired,
    /// The first claim that another worker was before.
    FirstLostRace,
    /// The first claim without a reply in time.
    FirstTimedOut,
    /// The first claim without a reply that took effect, or of which nobody can tell.
    FirstAmbiguous,
    /// The first claim whose connection broke, or that the server refused.
    FirstFailed,
}

impl WindowEventKind {
    /// The first claim that ended so; `None` for a success, of which there is nothing to mark.
    pub fn first(outcome: &Outcome) -> Option<Self> {
        Some(match outcome {
            Outcome::Claimed => return None,
            Outcome::Expired => Self::FirstExpired,
            Outcome::LostRace => Self::FirstLostRace,
            Outcome::Refused(code) => Self::FirstRefused { code: code.clone() },
            Outcome::Ambiguous => Self::FirstAmbiguous,
            Outcome::Redirected(redirect) => Self::FirstRedirected { redirect: *redirect },
            Outcome::TimedOut => Self::FirstTimedOut,
            Outcome::Failed => Self::FirstFailed,
        })
    }
}
