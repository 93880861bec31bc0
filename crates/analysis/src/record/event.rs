//! What happened within the window, with its moment: what a reader of the seconds looks for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{InjectedRecord, Outcome, RedirectKind};
use crate::scenario::FaultKind;

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
    /// A fault struck (`[[fault]]`).
    FaultStruck {
        /// Its number, from 0.
        number: u32,
        /// What was done.
        kind: FaultKind,
        /// To which server.
        server: String,
    },
    /// It was over.
    FaultEnded {
        /// Its number, from 0.
        number: u32,
        /// What had been done.
        kind: FaultKind,
        /// To which server.
        server: String,
    },
    /// Another primary had a server down as failed.
    MarkedFailed {
        /// Which.
        server: String,
    },
    /// A server's slots passed to another one.
    TookOver {
        /// Which took them.
        server: String,
    },
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

impl InjectedRecord {
    /// What a reader of the seconds looks for, in the order of time.
    pub fn events(&self) -> Vec<WindowEvent> {
        let mut events = Vec::new();
        for (number, fault) in self.faults.iter().enumerate() {
            let (number, kind) = (number as u32, fault.kind);
            let Some(server) = fault.server.clone() else { continue };
            let struck = WindowEventKind::FaultStruck { number, kind, server: server.clone() };
            let failed = WindowEventKind::MarkedFailed { server: server.clone() };
            let took_over = fault.heir.clone().map(|server| WindowEventKind::TookOver { server });
            let ended = kind.has_end().then_some(WindowEventKind::FaultEnded { number, kind, server });
            for (t_s, what) in [
                (fault.struck_s, Some(struck)),
                (fault.marked_failed_s, Some(failed)),
                (fault.took_over_s, took_over),
                (fault.ended_s, ended),
            ] {
                events.extend(t_s.zip(what).map(|(t_s, what)| WindowEvent { t_s, what }));
            }
        }
        events.sort_by(|a, b| a.t_s.total_cmp(&b.t_s));
        events
    }
}
