//! The leader's side: waits for all others at every barrier, and ends the run where one of them is gone.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::bus::Bus;
use super::error::MeetingError;
use super::message::{Connections, Hello, Order, ToLeader, Welcome};
use super::roster::{News, Roster};
use super::standing::{Standing, say, signs_of_life};
use super::{Barrier, parsed};
use crate::machine::Neighbours;
use crate::valkey::SentTo;
use reclaim_analysis::record::LibraryInfo;

/// Leads generators that hear it over its bus.
pub struct Leader<B> {
    name: String,
    bus: B,
    roster: RefCell<Roster>,
    /// Whether it says nothing by itself, because counters are being read.
    held: Mutex<bool>,
    /// Who was found to be gone.
    gone: RefCell<Vec<u32>>,
    standing: Standing,
    /// Whether the others know that.
    told: Cell<bool>,
}

impl<B: Bus> Leader<B> {
    /// A leader of as many generators as `own` says. Cancelling `end` ends everybody's run in order, and a
    /// failure cancels it.
    pub fn new(name: &str, own: Hello, bus: B, end: CancellationToken) -> Self {
        let (held, gone, told) = Default::default();
        let (roster, standing) = (Roster::new(name, own).into(), Standing::new(end));
        Self { name: name.to_owned(), bus, roster, held, gone, standing, told }
    }

    /// Listens, says that it is there, notices who is not: for as long as it is polled, until something
    /// fails.
    pub async fn attend(&self) {
        let mut alive = signs_of_life();
        loop {
            let went = tokio::select! {
                biased;
                heard = self.bus.hear() => self.take(heard),
                () = self.standing.end().cancelled(), if !self.standing.is_stopped() => self.stop().await,
                _ = alive.tick() => self.sign_of_life().await,
            };
            if let Err(error) = went {
                self.standing.fail(error);
                return;
            }
        }
    }

    /// Waits for all others, and tells them that everybody is there: who shares cores with whom.
    pub async fn meet(
        &self,
        wait: Duration,
        library: LibraryInfo,
        owned: bool,
    ) -> Result<Vec<Neighbours>, MeetingError> {
        let there = self.unless_ended(|roster| roster.missing().is_empty());
        let error = match tokio::time::timeout(wait, there).await {
            Ok(met) => match met? {
                Barrier::Passed => None,
                Barrier::Ended => Some(MeetingError::Interrupted),
            },
            Err(_) => Some(self.roster.borrow().too_few(wait)),
        };
        if let Some(error) = error {
            self.standing.fail(error.clone());
            return Err(error);
        }
        let neighbours = self.roster.borrow().neighbours();
        self.roster.borrow_mut().met(Instant::now());
        let welcome = Welcome { neighbours: neighbours.clone(), library, owned };
        self.order(&Order::Welcome(welcome)).await?;
        Ok(neighbours)
    }

    /// Waits until all are staged and send nothing any more. From here on this end says nothing either.
    pub async fn quieten(&self) -> Result<Barrier, MeetingError> {
        if self.unless_ended(Roster::ready).await? == Barrier::Ended {
            return Ok(Barrier::Ended);
        }
        let window = self.roster.borrow_mut().quieten();
        self.order(&Order::Quiet { window }).await?;
        let silent = self.unless_ended(Roster::silent).await?;
        if silent == Barrier::Passed {
            *self.held.lock().await = true;
        }
        Ok(silent)
    }

    /// Has the window begin at that time.
    pub async fn begin(&self, at_us: i64) -> Result<(), MeetingError> {
        let window = self.roster.borrow_mut().open(Instant::now());
        self.order(&Order::Begin { window, at_us }).await?;
        self.release().await
    }

    /// Waits until all claims of the window are made and nobody sends anything any more; what the others have
    /// sent in it.
    pub async fn gather(&self) -> Result<Vec<SentTo>, MeetingError> {
        self.until(|roster| roster.done().then_some(())).await?;
        *self.held.lock().await = true;
        Ok(self.roster.borrow_mut().sent())
    }

    /// Connections that the others have told of since this was last asked.
    pub fn connections(&self) -> Vec<Connections> {
        self.roster.borrow_mut().connections()
    }

    /// The counters have been read: all may go on.
    pub async fn close(&self) -> Result<(), MeetingError> {
        let window = self.roster.borrow_mut().close(Instant::now());
        self.order(&Order::Closed { window }).await?;
        self.release().await
    }

    /// Waits for all records: who has delivered how many pieces.
    pub async fn delivered(&self) -> Result<Vec<(u32, u32)>, MeetingError> {
        self.until(Roster::delivered).await
    }

    /// Lets all others go.
    pub async fn received(&self) -> Result<(), MeetingError> {
        self.order(&Order::Received).await
    }

    /// Tells all others that the run has failed. Where that cannot be said they find out by themselves.
    pub async fn give_up(&self, reason: &str) {
        let _ = self.order(&Order::End { reason: reason.to_owned() }).await;
    }

    /// What ended the run, if something did.
    pub fn failure(&self) -> Option<MeetingError> {
        self.standing.failure()
    }

    /// One has ended, as whoever started it knows.
    pub fn lost(&self, part: u32, said: String) {
        self.gone.borrow_mut().push(part);
        self.standing.fail(MeetingError::Died { part, said });
    }

    /// The generators that are gone and may have left something.
    pub fn gone(&self) -> Vec<u32> {
        self.gone.borrow().clone()
    }

    fn take(&self, heard: Result<String, String>) -> Result<(), MeetingError> {
        let heard = heard.map_err(MeetingError::Server)?;
        let said: ToLeader = parsed(&self.name, &heard)?;
        let news = self.roster.borrow_mut().take(said, Instant::now()).inspect_err(|error| {
            // It may not be able to remove what it wrote.
            if let MeetingError::PartFailed { part, .. } = error {
                self.gone.borrow_mut().push(*part);
            }
        })?;
        if news == News::Stopping {
            self.standing.end().cancel();
        }
        self.standing.has_changed();
        Ok(())
    }

    async fn sign_of_life(&self) -> Result<(), MeetingError> {
        if let Some((part, error)) = self.roster.borrow().gone(Instant::now()) {
            self.gone.borrow_mut().push(part);
            return Err(error);
        }
        let held = self.held.lock().await;
        if *held {
            return Ok(());
        }
        self.order(&Order::Alive).await?;
        self.bus.live_on().await.map_err(MeetingError::Server)
    }

    /// Tells all others to end, now or, while nothing may be sent, as soon as that is over.
    async fn stop(&self) -> Result<(), MeetingError> {
        self.standing.stop();
        let held = self.held.lock().await;
        if *held {
            return Ok(());
        }
        self.say_stop().await
    }

    async fn say_stop(&self) -> Result<(), MeetingError> {
        if self.told.replace(true) {
            return Ok(());
        }
        self.roster.borrow_mut().stop(Instant::now());
        self.order(&Order::Stop).await
    }

    async fn release(&self) -> Result<(), MeetingError> {
        let mut held = self.held.lock().await;
        *held = false;
        if self.standing.is_stopped() { self.say_stop().await } else { Ok(()) }
    }

    async fn order(&self, order: &Order) -> Result<(), MeetingError> {
        say(&self.bus, order).await
    }

    async fn unless_ended(&self, is_so: impl Fn(&Roster) -> bool) -> Result<Barrier, MeetingError> {
        self.until(|roster| {
            if self.standing.is_stopped() {
                return Some(Barrier::Ended);
            }
            is_so(roster).then_some(Barrier::Passed)
        })
        .await
    }

    async fn until<T>(&self, is_so: impl Fn(&Roster) -> Option<T>) -> Result<T, MeetingError> {
        self.standing.until(|| is_so(&self.roster.borrow())).await
    }
}
