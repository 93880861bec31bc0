//! What both sides of a run have in common: what ended it, who waits for what, how something is said.

use std::cell::{Cell, RefCell};

use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::ALIVE;
use super::bus::Bus;
use super::error::MeetingError;

/// How one side stands.
pub(super) struct Standing {
    changed: Notify,
    failure: RefCell<Option<MeetingError>>,
    stopped: Cell<bool>,
    end: CancellationToken,
}

impl Standing {
    /// A failure cancels `end`.
    pub fn new(end: CancellationToken) -> Self {
        let (changed, failure, stopped) = Default::default();
        Self { changed, failure, stopped, end }
    }

    /// Ends this process' part of the run.
    pub fn end(&self) -> &CancellationToken {
        &self.end
    }

    /// What ended the run, if something did.
    pub fn failure(&self) -> Option<MeetingError> {
        self.failure.borrow().clone()
    }

    /// The run cannot go on; the first reason counts.
    pub fn fail(&self, error: MeetingError) {
        self.failure.borrow_mut().get_or_insert(error);
        self.end.cancel();
        self.stop();
    }

    /// The run is to end, in order.
    pub fn stop(&self) {
        self.stopped.set(true);
        self.has_changed();
    }

    /// Whether the run is to end.
    pub fn is_stopped(&self) -> bool {
        self.stopped.get()
    }

    /// Has whoever waits look again.
    pub fn has_changed(&self) {
        self.changed.notify_one();
    }

    /// Waits until something is so, unless the run fails before.
    pub async fn until<T>(&self, is_so: impl Fn() -> Option<T>) -> Result<T, MeetingError> {
        loop {
            if let Some(error) = self.failure() {
                return Err(error);
            }
            if let Some(found) = is_so() {
                return Ok(found);
            }
            self.changed.notified().await;
        }
    }
}

/// When a sign of life is due.
pub(super) fn signs_of_life() -> Interval {
    let mut alive = interval(ALIVE);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    alive
}

/// Says something over a bus.
pub(super) async fn say(bus: &impl Bus, what: &impl Serialize) -> Result<(), MeetingError> {
    // Texts and numbers: there is nothing in it that could fail.
    let text = serde_json::to_string(what).unwrap_or_default();
    bus.say(text).await.map_err(MeetingError::Server)
}
