//! The side of all others: says how far it is, does what the leader orders, and ends where the leader is
//! gone.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::bus::Bus;
use super::error::MeetingError;
use super::message::{Connections, Hello, Order, Says, ToLeader, Welcome};
use super::standing::{Standing, say, signs_of_life};
use super::{Barrier, LOST, parsed};
use crate::valkey::SentTo;

/// How far a generator that is led has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PartStage {
    Coming,
    Preparing,
    Ready,
    /// The leader wants it silent.
    Quieted,
    Silent,
    Working,
    Done,
    Delivered,
    Over,
}

/// One generator that is led.
pub struct LedPart<B> {
    name: String,
    number: u32,
    bus: B,
    stage: Cell<PartStage>,
    window: Cell<u32>,
    welcome: RefCell<Option<Welcome>>,
    begins_us: Cell<i64>,
    heard: Cell<Instant>,
    /// The leader was told who it is.
    introduced: Cell<bool>,
    /// Taken by whoever says something while the stage decides whether it may.
    speaking: Mutex<()>,
    standing: Standing,
    /// The leader was told that it should.
    asked: Cell<bool>,
}

impl<B: Bus> LedPart<B> {
    /// Part `number` of a run. A failure, and the leader's word, cancel `end`; cancelling it asks the leader
    /// to end the run.
    pub fn new(name: &str, number: u32, bus: B, end: CancellationToken) -> Self {
        let (welcome, begins_us, window, asked, introduced, speaking) = Default::default();
        let (stage, heard) = (Cell::new(PartStage::Coming), Cell::new(Instant::now()));
        let standing = Standing::new(end);
        Self {
            name: name.to_owned(),
            number,
            bus,
            stage,
            window,
            welcome,
            begins_us,
            heard,
            introduced,
            speaking,
            standing,
            asked,
        }
    }

    /// Listens and says that it is there: for as long as it is polled, until something fails.
    pub async fn attend(&self) {
        let mut alive = signs_of_life();
        loop {
            let went = tokio::select! {
                biased;
                heard = self.bus.hear() => self.take(heard),
                () = self.standing.end().cancelled(), if self.may_ask() => self.ask_for_the_end().await,
                _ = alive.tick() => self.sign_of_life().await,
            };
            if let Err(error) = went {
                self.standing.fail(error);
                return;
            }
        }
    }

    /// Says who it is, and waits until everybody is there.
    pub async fn meet(&self, hello: Hello, wait: Duration) -> Result<Welcome, MeetingError> {
        self.heard.set(Instant::now());
        let welcomed = async {
            self.say(Says::Here(hello)).await?;
            self.introduced.set(true);
            self.standing.until(|| self.welcome.borrow().clone()).await
        };
        let error = tokio::select! {
            biased;
            welcome = welcomed => return welcome,
            () = self.standing.end().cancelled() => MeetingError::Interrupted,
            () = tokio::time::sleep(wait + LOST) => {
                MeetingError::NoLeader { name: self.name.clone(), waited_s: wait.as_secs() }
            }
        };
        self.standing.fail(error);
        // Where the leader has ended the run, that is why.
        Err(self.failure().unwrap_or(MeetingError::Interrupted))
    }

    /// Says that it is staged, and that it sends nothing any more once the leader wants it so.
    pub async fn quieten(&self, connections: Connections) -> Result<Barrier, MeetingError> {
        let window = self.window.get();
        self.stage.set(PartStage::Ready);
        self.say(Says::Ready { window, connections }).await?;
        if self.unless_ended(PartStage::Quieted).await? == Barrier::Ended {
            return Ok(Barrier::Ended);
        }
        let _alone = self.speaking.lock().await;
        self.stage.set(PartStage::Silent);
        self.say(Says::Silent { window }).await?;
        Ok(Barrier::Passed)
    }

    /// Waits until the leader says when the window begins: at which time of the server on which they meet, in
    /// microseconds; `None` where the run is to end.
    pub async fn begin(&self) -> Result<Option<i64>, MeetingError> {
        let begun = self.unless_ended(PartStage::Working).await?;
        Ok((begun == Barrier::Passed).then(|| self.begins_us.get()))
    }

    /// Says that its claims are made, with what it sent since it was silent; `sent` counts that, and this
    /// message is not in it. From here on it sends nothing.
    pub async fn done(
        &self,
        sent: impl FnOnce() -> Vec<SentTo>,
        connections: Connections,
    ) -> Result<(), MeetingError> {
        let _alone = self.speaking.lock().await;
        if self.standing.end().is_cancelled() && self.may_ask() {
            // Or the others would go on until they are done as well.
            self.asked.set(true);
            self.say(Says::Stopping).await?;
        }
        self.stage.set(PartStage::Done);
        self.say(Says::Done { window: self.window.get(), sent: sent(), connections }).await
    }

    /// Waits until the leader has read the counters.
    pub async fn closed(&self) -> Result<(), MeetingError> {
        self.standing.until(|| (self.stage.get() == PartStage::Preparing).then_some(())).await
    }

    /// Says that its record lies there, and waits until the leader has it.
    pub async fn deliver(&self, pieces: u32) -> Result<(), MeetingError> {
        self.stage.set(PartStage::Delivered);
        self.say(Says::Delivered { pieces }).await?;
        self.standing.until(|| (self.stage.get() == PartStage::Over).then_some(())).await
    }

    /// Tells the leader that this part cannot go on. Where that cannot be said it finds out by itself.
    pub async fn give_up(&self, reason: &str) {
        let _ = self.say(Says::Failed { reason: reason.to_owned() }).await;
    }

    /// What ended the run, if something did.
    pub fn failure(&self) -> Option<MeetingError> {
        self.standing.failure()
    }

    fn take(&self, heard: Result<String, String>) -> Result<(), MeetingError> {
        let heard = heard.map_err(MeetingError::Server)?;
        let order: Order = parsed(&self.name, &heard)?;
        self.heard.set(Instant::now());
        let (stage, window) = (self.stage.get(), self.window.get());
        let said = order.name();
        match (order, stage) {
            (Order::Alive, _) => {}
            // A generator that has not joined yet may still receive messages meant for the others.
            (Order::Stop, _) => {
                self.standing.end().cancel();
                self.standing.stop();
            }
            (Order::End { reason }, _) => return Err(MeetingError::Ended { reason }),
            (Order::Welcome(welcome), PartStage::Coming) => {
                self.welcome.replace(Some(welcome));
                self.stage.set(PartStage::Preparing);
            }
            (Order::Quiet { window: of }, PartStage::Ready) if of == window => {
                self.stage.set(PartStage::Quieted);
            }
            (Order::Begin { window: of, at_us }, PartStage::Silent) if of == window => {
                self.begins_us.set(at_us);
                self.stage.set(PartStage::Working);
            }
            (Order::Closed { window: of }, PartStage::Done) if of == window => {
                self.window.set(window + 1);
                self.stage.set(PartStage::Preparing);
            }
            (Order::Received, PartStage::Delivered) => self.stage.set(PartStage::Over),
            _ => {
                let when = format!("window {window}, {stage:?}");
                return Err(MeetingError::Unexpected { part: 1, said: said.to_owned(), when });
            }
        }
        self.standing.has_changed();
        Ok(())
    }

    /// Whether it may say something by itself. Before it is known, the leader expects nothing but that it
    /// says who it is.
    fn may_speak(&self) -> bool {
        match self.stage.get() {
            // Others may take longer to come than one that says nothing counts as there.
            PartStage::Coming => self.introduced.get(),
            PartStage::Silent | PartStage::Done | PartStage::Over => false,
            _ => true,
        }
    }

    /// Whether it may ask the leader to end the run.
    fn may_ask(&self) -> bool {
        self.may_speak() && !self.standing.is_stopped() && !self.asked.get()
    }

    async fn sign_of_life(&self) -> Result<(), MeetingError> {
        let silent = self.heard.get().elapsed();
        if silent > LOST && self.stage.get() != PartStage::Over {
            return Err(MeetingError::Gone { part: 1, place: String::new(), silent_s: silent.as_secs() });
        }
        let _alone = self.speaking.lock().await;
        if !self.may_speak() {
            return Ok(());
        }
        self.say(Says::Alive).await?;
        self.bus.live_on().await.map_err(MeetingError::Server)
    }

    /// Asks the leader to end the run.
    async fn ask_for_the_end(&self) -> Result<(), MeetingError> {
        let _alone = self.speaking.lock().await;
        if !self.may_ask() {
            return Ok(());
        }
        self.asked.set(true);
        self.say(Says::Stopping).await
    }

    async fn say(&self, says: Says) -> Result<(), MeetingError> {
        say(&self.bus, &ToLeader { part: self.number, says }).await
    }

    async fn unless_ended(&self, stage: PartStage) -> Result<Barrier, MeetingError> {
        self.standing
            .until(|| {
                if self.stage.get() == stage {
                    return Some(Barrier::Passed);
                }
                self.standing.is_stopped().then_some(Barrier::Ended)
            })
            .await
    }
}
