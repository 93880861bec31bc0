//! What the faults of a run did, and how claims came through it, as it happens.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::reopening::LostConnections;
use crate::cluster::{Heirs, SlotMove};
use crate::valkey::NodeAddr;
use reclaim_analysis::record::{
    Doubts, FailedTry, InjectedFault, InjectedRecord, InjectionFailure, LatencyHistogram, MovedSlots,
    Outcome, Outcomes, SlotMoveWay, TimeSlice, Warning,
};
use reclaim_analysis::scenario::{FaultKind, FaultSpec};

/// Shortest slice of the window, and how many slices there are at most.
const SLICE: Duration = Duration::from_millis(100);
const MOST_SLICES: u32 = 1_200;

/// How long after its end a fault still explains what claims meet: connections and maps are renewed by then.
pub(in crate::load) const AFTERMATH: Duration = Duration::from_secs(10);

/// Everything of one run.
pub struct FaultLog {
    slice: Duration,
    /// Of the window; `None` before it.
    start: Cell<Option<Instant>>,
    faults: RefCell<Vec<Noted>>,
    slices: RefCell<Vec<RawSlice>>,
    heirs: RefCell<Heirs>,
    /// Connections that broke outside of a fault's time, by server.
    lost: RefCell<BTreeMap<String, u64>>,
}

/// One fault so far.
struct Noted {
    struck: Option<Instant>,
    /// Which server.
    server: Option<NodeAddr>,
    ended: Option<Instant>,
    /// Flow partitions on the struck server.
    partitions: BTreeSet<u16>,
    record: InjectedFault,
}

impl Noted {
    /// Whether what a server that is kept busy answers at this moment it has answered before it was: the script
    /// takes its time in full, and begins some moments after the fault does. Nobody says when.
    fn is_before_its_script(&self, moment: Instant) -> bool {
        let alone =
            self.record.kind == FaultKind::Busy && self.ended.is_none() && self.record.took_over_s.is_none();
        let lasting = Duration::from_secs_f64(self.record.lasting_s.unwrap_or_default());
        alone && self.struck.is_some_and(|struck| moment < struck + lasting)
    }

    /// Whether it goes on at this moment, or has only just ended.
    fn explains(&self, now: Instant) -> bool {
        self.struck.is_some_and(|struck| struck <= now)
            && self.ended.is_none_or(|ended| now <= ended + AFTERMATH)
    }
}

#[derive(Clone, Default)]
struct RawSlice {
    due: u64,
    claimed: u64,
    untimed: u64,
    /// Nanoseconds.
    responses: Vec<u64>,
}

/// What a claim was and came to.
pub struct Ended<'a> {
    /// When it was due.
    pub due: Instant,
    /// When it was sent first.
    pub sent: Instant,
    /// When its outcome was known.
    pub done: Instant,
    /// Its outcome.
    pub outcome: &'a Outcome,
    /// Whether it holds its lease.
    pub held: bool,
    /// Flow partition of its execution.
    pub partition: Option<u16>,
}

impl FaultLog {
    /// For these faults in a window of about this length.
    pub fn new(faults: &[FaultSpec], window: Duration) -> Self {
        Self {
            slice: SLICE.max(window / MOST_SLICES),
            start: Cell::new(None),
            faults: RefCell::new(faults.iter().map(Noted::new).collect()),
            slices: RefCell::default(),
            heirs: RefCell::new(Heirs::of_struck()),
            lost: RefCell::default(),
        }
    }

    /// The window begins.
    pub(in crate::load) fn begin(&self, start: Instant) {
        self.start.set(Some(start));
    }

    /// A fault strikes a server, on which these flow partitions live.
    pub(in crate::load) fn struck(
        &self,
        number: usize,
        server: &NodeAddr,
        partitions: BTreeSet<u16>,
    ) -> Instant {
        let now = Instant::now();
        self.change(number, |fault, at| {
            fault.struck = Some(now);
            fault.server = Some(server.clone());
            fault.partitions = partitions;
            fault.record.server = Some(server.to_string());
            fault.record.struck_s = at(now);
        });
        now
    }

    /// From here on the struck server serves nobody, until it is over or another has taken over. What it has
    /// served since it was struck says nothing: the way into a container takes some tenths of a second.
    pub(in crate::load) fn silenced(&self, number: usize) {
        self.change(number, |fault, _| {
            if fault.record.took_over_s.is_none() {
                fault.record.first_success_s = None;
            }
        });
    }

    /// A fault is over. Returns whether that is news.
    pub(in crate::load) fn ended(&self, number: usize) -> bool {
        let (now, mut first) = (Instant::now(), false);
        self.change(number, |fault, at| {
            first = fault.struck.is_some() && fault.ended.is_none();
            if !first {
                return;
            }
            fault.ended = Some(now);
            // One that ends with a takeover ends when that was seen.
            fault.record.ended_s =
                fault.record.took_over_s.filter(|_| fault.record.kind.moves_primary()).or(at(now));
        });
        first
    }

    /// What it is, which server it struck, and whether it was not carried out.
    pub(in crate::load) fn named(&self, number: usize) -> (FaultKind, String, bool) {
        let faults = self.faults.borrow();
        let record = &faults[number].record;
        (record.kind, record.server.clone().unwrap_or_default(), record.failure.is_some())
    }

    /// Servers that were struck and still have their slots as far as was seen, with their flow partitions.
    /// Slots that are moved have nobody take over.
    pub(in crate::load) fn without_heir(&self) -> Vec<(usize, NodeAddr, BTreeSet<u16>)> {
        let faults = self.faults.borrow();
        let replaced = |server: &Option<NodeAddr>| {
            faults.iter().any(|fault| fault.record.heir.is_some() && fault.server == *server)
        };
        let left = faults
            .iter()
            .enumerate()
            .filter(|(_, fault)| fault.record.kind != FaultKind::MoveSlots && !replaced(&fault.server));
        left.filter_map(|(number, fault)| Some((number, fault.server.clone()?, fault.partitions.clone())))
            .collect()
    }

    /// A fault was not carried out.
    pub(in crate::load) fn failed(&self, number: usize, failure: InjectionFailure) {
        self.change(number, |fault, _| fault.record.failure = Some(failure));
    }

    /// Another primary has the server down as failed.
    pub(in crate::load) fn marked_failed(&self, number: usize) {
        let now = Instant::now();
        self.change(number, |fault, at| {
            if fault.record.marked_failed_s.is_none() {
                fault.record.marked_failed_s = at(now);
            }
        });
    }

    /// Another server has taken over. Returns when the fault struck.
    pub(in crate::load) fn took_over(
        &self,
        number: usize,
        primary: &NodeAddr,
        heir: &NodeAddr,
    ) -> Option<Instant> {
        let now = Instant::now();
        self.heirs.borrow_mut().note(primary.clone(), heir.clone());
        self.change(number, |fault, at| {
            fault.record.took_over_s = at(now);
            fault.record.heir = Some(heir.to_string());
        });
        self.faults.borrow().get(number)?.struck
    }

    /// Slots have gone to another primary.
    pub(in crate::load) fn moved(&self, number: usize, plan: &SlotMove, moved: MovedSlots) {
        let sides = (plan.from.clone(), plan.to.clone());
        self.heirs.borrow_mut().note_slots(&moved.slots, sides, plan.way == SlotMoveWay::Atomic);
        self.change(number, |fault, _| fault.record.moved = Some(moved));
    }

    /// A server has been started again; `emptied` if it serves its slots without what had been on them.
    pub(in crate::load) fn restarted(&self, number: usize, server: &NodeAddr, emptied: bool) {
        self.heirs.borrow_mut().note_restart(server.clone());
        self.change(number, |fault, _| fault.record.emptied = emptied);
    }

    /// Who took over from whom, and which slots went where.
    pub(super) fn heirs(&self) -> Heirs {
        self.heirs.borrow().clone()
    }

    /// Whether a fault explains that a claim does not succeed at this moment: it goes on, or has only just
    /// ended.
    pub(in crate::load) fn explains(&self, now: Instant) -> bool {
        self.faults.borrow().iter().any(|fault| fault.explains(now))
    }

    /// Connections that broke, and no fault explains it.
    pub(super) fn lost(&self, loss: &LostConnections) {
        if self.start.get().is_some() {
            *self.lost.borrow_mut().entry(loss.server.to_string()).or_default() += loss.connections;
        }
    }

    /// What a reader should know of the window, besides its faults.
    pub(in crate::load) fn warnings(&self) -> Vec<Warning> {
        let lost = self.lost.borrow();
        let warning = |(primary, connections): (&String, &u64)| Warning::ConnectionsLost {
            primary: primary.clone(),
            connections: *connections,
        };
        lost.iter().map(warning).collect()
    }

    /// A try of a claim on this flow partition that came to nothing, and is followed by another.
    pub(super) fn tried(&self, cause: FailedTry<'_>, partition: Option<u16>) {
        let now = Instant::now();
        self.latest(now, |record| *record.retries.entry(cause.key().to_owned()).or_default() += 1);
        self.came_to_nothing(now, partition);
    }

    /// What became of a claim with a try that had no reply.
    pub(super) fn doubted(&self, count: impl FnOnce(&mut Doubts)) {
        self.latest(Instant::now(), |record| count(&mut record.doubts));
    }

    /// Notes that something on a struck server's slots came to nothing. What had succeeded there before it
    /// says nothing: the fault had not begun to show.
    fn came_to_nothing(&self, now: Instant, partition: Option<u16>) {
        let (Some(start), Some(partition)) = (self.start.get(), partition) else { return };
        let mut faults = self.faults.borrow_mut();
        // What fails long after a fault is over is not its doing.
        let concerned =
            faults.iter_mut().filter(|fault| fault.explains(now) && fault.partitions.contains(&partition));
        let Some(fault) = concerned.max_by_key(|fault| fault.struck) else { return };
        if fault.record.first_failure_s.is_none() {
            fault.record.first_failure_s = Some(now.saturating_duration_since(start).as_secs_f64());
            fault.record.first_success_s = None;
        }
    }

    /// A claim that took more than one try has ended.
    pub(super) fn tried_again(&self) {
        self.latest(Instant::now(), |record| record.claims_retried += 1);
    }

    /// An execution is interrupted no more: a call about it had no reply, or a failover has put it back.
    pub(in crate::load) fn left_out(&self) {
        self.latest(Instant::now(), |record| record.left_out += 1);
    }

    /// A claim of the window has ended.
    pub fn note(&self, claim: &Ended<'_>) {
        let (Some(start), due) = (self.start.get(), claim.due) else { return };
        let claimed = *claim.outcome == Outcome::Claimed;
        let response = claimed.then(|| claim.done.saturating_duration_since(due));
        let mut slices = self.slices.borrow_mut();
        let mut slice = |at: Instant| {
            let number = (at.saturating_duration_since(start).as_nanos() / self.slice.as_nanos()) as usize;
            if slices.len() <= number {
                slices.resize(number + 1, RawSlice::default());
            }
            number
        };
        let (due_in, done_in) = (slice(due), slice(claim.done));
        slices[due_in].due += 1;
        slices[due_in].untimed += u64::from(claim.outcome.is_untimed());
        if let Some(response) = response {
            slices[due_in].responses.push(response.as_nanos() as u64);
            slices[done_in].claimed += 1;
        }
        drop(slices);
        if claim.held {
            self.first_success(claim, start);
        } else {
            self.came_to_nothing(claim.done, claim.partition);
        }
        self.latest(claim.done, |record| {
            record.outcomes.count(claim.outcome);
            record.settled += u64::from(*claim.outcome == Outcome::Ambiguous && claim.held);
        });
    }

    /// Notes the first claim on a struck server's slots that was due after the fault and holds its lease.
    fn first_success(&self, claim: &Ended<'_>, start: Instant) {
        let Some(partition) = claim.partition.filter(|_| claim.held) else { return };
        for fault in self.faults.borrow_mut().iter_mut() {
            let (Some(struck), None) = (fault.struck, fault.record.first_success_s) else { continue };
            let of_it = struck <= claim.due && struck <= claim.sent && fault.partitions.contains(&partition);
            if of_it && !fault.is_before_its_script(claim.done) {
                let at = claim.done.saturating_duration_since(start);
                fault.record.first_success_s = Some(at.as_secs_f64());
            }
        }
    }

    /// Everything that was noted, as the record has it.
    pub(super) fn record(&self) -> InjectedRecord {
        let slice = |raw: &RawSlice| {
            let mut response = LatencyHistogram::default();
            raw.responses.iter().for_each(|ns| response.record(Duration::from_nanos(*ns)));
            let RawSlice { due, claimed, untimed, .. } = *raw;
            TimeSlice { due, claimed, untimed, response: response.encode() }
        };
        InjectedRecord {
            faults: self.faults.borrow().iter().map(|fault| fault.record.clone()).collect(),
            slice_s: self.slice.as_secs_f64(),
            slices: self.slices.borrow().iter().map(slice).collect(),
            // What the connections count.
            ..InjectedRecord::default()
        }
    }

    /// Changes what is known of a fault; the function is told what a moment is in the window's time.
    fn change(&self, number: usize, change: impl FnOnce(&mut Noted, &dyn Fn(Instant) -> Option<f64>)) {
        let start = self.start.get();
        let at = |moment: Instant| Some(moment.saturating_duration_since(start?).as_secs_f64());
        if let Some(fault) = self.faults.borrow_mut().get_mut(number) {
            change(fault, &at);
        }
    }

    /// Changes the record of the fault that struck last before a moment, if any did.
    fn latest(&self, moment: Instant, change: impl FnOnce(&mut InjectedFault)) {
        let mut faults = self.faults.borrow_mut();
        let struck = faults.iter_mut().filter(|fault| fault.struck.is_some_and(|struck| struck <= moment));
        if let Some(fault) = struck.max_by_key(|fault| fault.struck) {
            change(&mut fault.record);
        }
    }
}

impl Noted {
    fn new(spec: &FaultSpec) -> Self {
        Self {
            struck: None,
            server: None,
            ended: None,
            partitions: BTreeSet::new(),
            record: InjectedFault {
                kind: spec.kind,
                target: spec.target,
                wanted_s: spec.at.as_secs_f64(),
                lasting_s: spec.kind.may_last().then_some(spec.lasting.as_secs_f64()),
                cut_from: spec.kind.needs_networks().then_some(spec.cut_from),
                server: None,
                struck_s: None,
                ended_s: None,
                failure: None,
                marked_failed_s: None,
                took_over_s: None,
                heir: None,
                emptied: false,
                moved: None,
                first_success_s: None,
                first_failure_s: None,
                retries: BTreeMap::new(),
                claims_retried: 0,
                outcomes: Outcomes::default(),
                settled: 0,
                doubts: Doubts::default(),
                left_out: 0,
            },
        }
    }
}

#[cfg(test)]
#[path = "fault_log_tests.rs"]
mod tests;
