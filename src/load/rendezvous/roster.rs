//! What the leader knows of the others, and what each of them may say next. Pure: it is told what was said,
//! and when.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::LOST;
use super::error::MeetingError;
use super::message::{Connections, Hello, Says, ToLeader};
use crate::machine::Neighbours;
use crate::valkey::{SentTo, sent_together};

/// How far the run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MeetingStage {
    /// Not all are there.
    Gathering,
    /// Nothing is measured: executions are staged.
    Between,
    /// All were told to be silent.
    Quiet,
    /// Claims are made.
    Open,
}

/// How far one generator is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RosterStage {
    Preparing,
    Ready,
    /// It has said that it sends nothing; once the window is open it makes claims.
    Silent,
    Done,
    Delivered,
}

/// One generator.
struct Known {
    hello: Hello,
    stage: RosterStage,
    heard: Instant,
    /// What it has said of its connections and not been asked for.
    connections: Vec<Connections>,
    sent: Vec<SentTo>,
    pieces: u32,
}

/// All but the leader.
pub(super) struct Roster {
    name: String,
    own: Hello,
    parts: BTreeMap<u32, Known>,
    phase: MeetingStage,
    window: u32,
    /// Whether the run is to end: whoever is not in a window goes on to its record.
    stopped: bool,
}

/// What a message means beside what the roster keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing.
    Nothing,
    /// All are to end.
    Stopping,
}

impl Roster {
    pub fn new(name: &str, own: Hello) -> Self {
        let (parts, phase) = (BTreeMap::new(), MeetingStage::Gathering);
        Self { name: name.to_owned(), own, parts, phase, window: 0, stopped: false }
    }

    /// Takes in what somebody said.
    pub fn take(&mut self, said: ToLeader, now: Instant) -> Result<News, MeetingError> {
        let ToLeader { part, says } = said;
        if let Says::Here(hello) = says {
            return self.come(part, hello, now).map(|()| News::Nothing);
        }
        let (phase, window, stopped) = (self.phase, self.window, self.stopped);
        let unexpected = self.unexpected(part, &says);
        let Some(known) = self.parts.get_mut(&part) else { return Err(unexpected) };
        known.heard = now;
        match (says, known.stage, phase) {
            (Says::Alive, ..) => {}
            (Says::Stopping, ..) => return Ok(News::Stopping),
            (Says::Failed { reason }, ..) => {
                let place = known.hello.place();
                return Err(MeetingError::PartFailed { part, place, reason });
            }
            (Says::Ready { window: of, connections }, RosterStage::Preparing, MeetingStage::Between)
                if of == window =>
            {
                known.stage = RosterStage::Ready;
                known.connections.push(connections);
            }
            (Says::Silent { window: of }, RosterStage::Ready, MeetingStage::Quiet) if of == window => {
                known.stage = RosterStage::Silent;
            }
            (Says::Done { window: of, sent, connections }, RosterStage::Silent, MeetingStage::Open)
                if of == window =>
            {
                known.stage = RosterStage::Done;
                known.sent = sent;
                known.connections.push(connections);
            }
            (Says::Delivered { pieces }, stage, _) if stage == RosterStage::Preparing || stopped => {
                known.stage = RosterStage::Delivered;
                known.pieces = pieces;
            }
            _ => return Err(unexpected),
        }
        Ok(News::Nothing)
    }

    fn come(&mut self, part: u32, hello: Hello, now: Instant) -> Result<(), MeetingError> {
        let place = hello.place();
        if hello.of != self.own.of {
            return Err(MeetingError::OtherCount { part, place, theirs: hello.of, ours: self.own.of });
        }
        let expected = (2..=self.own.of).contains(&part) && hello.part == part;
        if !expected || self.phase != MeetingStage::Gathering || self.parts.contains_key(&part) {
            return Err(self.unexpected(part, &Says::Here(hello)));
        }
        if hello.tool() != self.own.tool() {
            let (theirs, ours) = (hello.tool(), self.own.tool());
            return Err(MeetingError::OtherTool { part, place, theirs, ours });
        }
        if hello.plan_sha256 != self.own.plan_sha256 {
            return Err(MeetingError::OtherPlan { part, place });
        }
        let (stage, connections, sent) = (RosterStage::Preparing, Vec::new(), Vec::new());
        self.parts.insert(part, Known { hello, stage, heard: now, connections, sent, pieces: 0 });
        Ok(())
    }

    fn unexpected(&self, part: u32, says: &Says) -> MeetingError {
        let stage = self.parts.get(&part).map(|known| known.stage);
        let (phase, window) = (self.phase, self.window);
        let when = match stage {
            Some(stage) => format!("window {window}, {phase:?}, it was {stage:?}"),
            None => format!("window {window}, {phase:?}, it had not come"),
        };
        MeetingError::Unexpected { part, said: says.name().to_owned(), when }
    }

    /// Who has not come.
    pub fn missing(&self) -> Vec<u32> {
        (2..=self.own.of).filter(|part| !self.parts.contains_key(part)).collect()
    }

    /// The error that they have not.
    pub fn too_few(&self, waited: Duration) -> MeetingError {
        let (name, missing, of) = (self.name.clone(), self.missing(), self.own.of);
        MeetingError::Missing { name, missing, of, waited_s: waited.as_secs() }
    }

    /// Who shares cores with whom, the leader first.
    pub fn neighbours(&self) -> Vec<Neighbours> {
        let own = std::iter::once(&self.own);
        let all = own.chain(self.parts.values().map(|known| &known.hello));
        Neighbours::of_all(&all.map(Hello::whereabouts).collect::<Vec<_>>())
    }

    /// All are there.
    pub fn met(&mut self, now: Instant) {
        self.phase = MeetingStage::Between;
        self.hear_all(now);
    }

    /// Whether all others are staged.
    pub fn ready(&self) -> bool {
        self.all(RosterStage::Ready)
    }

    /// They are about to be told to be silent.
    pub fn quieten(&mut self) -> u32 {
        self.phase = MeetingStage::Quiet;
        self.window
    }

    /// Whether all others are silent.
    pub fn silent(&self) -> bool {
        self.all(RosterStage::Silent)
    }

    /// The window is about to be opened.
    pub fn open(&mut self, now: Instant) -> u32 {
        self.phase = MeetingStage::Open;
        self.hear_all(now);
        self.window
    }

    /// Whether all others' claims are made.
    pub fn done(&self) -> bool {
        self.all(RosterStage::Done)
    }

    /// What they have sent since they were silent, together.
    pub fn sent(&mut self) -> Vec<SentTo> {
        let sent: Vec<SentTo> =
            self.parts.values_mut().flat_map(|known| std::mem::take(&mut known.sent)).collect();
        sent_together(&sent).into_values().collect()
    }

    /// Connections that they have told of since they were last asked for.
    pub fn connections(&mut self) -> Vec<Connections> {
        self.parts.values_mut().flat_map(|known| std::mem::take(&mut known.connections)).collect()
    }

    /// The window is over; which it was.
    pub fn close(&mut self, now: Instant) -> u32 {
        self.phase = MeetingStage::Between;
        self.hear_all(now);
        self.parts.values_mut().for_each(|known| known.stage = RosterStage::Preparing);
        self.window += 1;
        self.window - 1
    }

    /// The run is to end.
    pub fn stop(&mut self, now: Instant) {
        self.stopped = true;
        self.hear_all(now);
    }

    /// The pieces of all records by part, once they are there.
    pub fn delivered(&self) -> Option<Vec<(u32, u32)>> {
        let pieces = || self.parts.iter().map(|(&part, known)| (part, known.pieces)).collect();
        self.all(RosterStage::Delivered).then(pieces)
    }

    /// Who should have been heard of. Whoever was told to be silent is not.
    pub fn gone(&self, now: Instant) -> Option<(u32, MeetingError)> {
        let speaks = |known: &Known| match known.stage {
            RosterStage::Preparing | RosterStage::Ready => true,
            RosterStage::Silent => self.phase == MeetingStage::Open,
            RosterStage::Done | RosterStage::Delivered => false,
        };
        let late = |known: &Known| now.saturating_duration_since(known.heard) > LOST;
        let (&part, known) = self.parts.iter().find(|(_, known)| speaks(known) && late(known))?;
        let place = format!(" ({})", known.hello.place());
        let silent_s = now.saturating_duration_since(known.heard).as_secs();
        Some((part, MeetingError::Gone { part, place, silent_s }))
    }

    fn all(&self, stage: RosterStage) -> bool {
        self.parts.values().all(|known| known.stage == stage)
    }

    fn hear_all(&mut self, now: Instant) {
        self.parts.values_mut().for_each(|known| known.heard = now);
    }
}
