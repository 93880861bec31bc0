//! Takes every finished claim and forgets nothing about it but its name.

use std::time::Duration;

use super::arm_recorder::ArmRecorder;
use super::purpose::Purpose;
use super::stamps::Stamps;
use super::steady::Steady;
use super::timeline::Timeline;
use super::{Outcome, Outcomes, Samples, SteadyPart, TimelinePoint, WindowEvent, WindowTotals, WireCost};

/// Everything that the load saw. All virtual workers share one thread and so one recorder: no lock, no
/// merging.
#[derive(Clone, Debug)]
pub struct Recorder {
    arms: Vec<ArmRecorder>,
    /// Service times by stratum and side.
    strata: Vec<Vec<Samples>>,
    /// Bare round trips by stratum.
    rulers: Vec<Samples>,
    rulers_unanswered: u64,
    claimed: u64,
    /// Of all claims but the warm-up's, whatever they are measured for.
    outcomes: Outcomes,
    timeline: Timeline,
    /// Of the block that goes on.
    steady: Option<Steady>,
}

impl Recorder {
    /// A recorder for this many arms, and strata with their number of sides.
    pub fn new(arms: usize, strata: impl IntoIterator<Item = usize>) -> Self {
        let strata: Vec<_> = strata.into_iter().map(|sides| vec![Samples::default(); sides]).collect();
        Self {
            arms: vec![ArmRecorder::default(); arms],
            rulers: vec![Samples::default(); strata.len()],
            rulers_unanswered: 0,
            strata,
            claimed: 0,
            outcomes: Outcomes::default(),
            timeline: Timeline::default(),
            steady: None,
        }
    }

    /// Keeps the response times of each second as well, for a run whose rate changes.
    #[must_use]
    pub fn keeping_responses(mut self, keep: bool) -> Self {
        if keep {
            self.timeline.keep_responses();
        }
        self
    }

    /// Keeps what [`merge`](super::merge) needs as well, for a part of a run with several generators.
    #[must_use]
    pub fn keeping_for_merging(mut self, keep: bool) -> Self {
        if keep {
            self.timeline.keep_for_merging();
        }
        self
    }

    /// Records one claim of `arm`.
    pub fn record(
        &mut self,
        arm: usize,
        purpose: Purpose,
        stamps: &Stamps,
        outcome: &Outcome,
        cost: WireCost,
        stock: u64,
    ) {
        let claimed = *outcome == Outcome::Claimed;
        let service = stamps.done.saturating_sub(stamps.sent);
        match purpose {
            Purpose::Warmup => {
                if claimed {
                    self.timeline.warmed_up(stamps.done);
                }
                return;
            }
            // A bare round trip is no claim: it has a way of its own.
            Purpose::Ruler { .. } => return,
            Purpose::Plain => self.arms[arm].record(stamps, outcome, cost),
            Purpose::Late => self.arms[arm].record_late(stamps, outcome),
            Purpose::Stratum { stratum, side } => {
                self.arms[arm].record(stamps, outcome, cost);
                self.sample(stratum, side, claimed, service);
            }
            Purpose::Control { stratum, side } => self.sample(stratum, side, claimed, service),
            Purpose::Block => {}
        }
        match (&mut self.steady, purpose) {
            (Some(steady), Purpose::Stratum { .. } | Purpose::Control { .. }) => {
                steady.record(stamps.sent, claimed);
            }
            (Some(steady), Purpose::Block) => steady.ramp_in(stamps.sent),
            _ => {}
        }
        self.claimed += u64::from(claimed);
        self.outcomes.count(outcome);
        // Made after the window, one by one, of grants that had expired by then.
        if purpose == Purpose::Late {
            return;
        }
        self.timeline.record(stamps, claimed, stock);
        self.timeline.ended_as(outcome, stamps.done);
    }

    /// Counts a claim of `arm` that holds its lease and that too few replicas had in time; beside
    /// [`Self::record`].
    pub fn unreplicated(&mut self, arm: usize, purpose: Purpose) {
        if matches!(purpose, Purpose::Plain | Purpose::Late | Purpose::Stratum { .. }) {
            self.arms[arm].unreplicated += 1;
        }
    }

    /// Records a bare round trip among the claims of a stratum.
    pub fn ruler(&mut self, stratum: u32, time: Duration) {
        self.rulers[stratum as usize].push(time);
    }

    /// Adds a stratum that was not known at the start; returns its number.
    pub fn add_stratum(&mut self, sides: usize) -> u32 {
        self.rulers.push(Samples::default());
        self.strata.push(vec![Samples::default(); sides]);
        self.strata.len() as u32 - 1
    }

    /// Counts claims of `arm` that were due but never sent.
    pub fn dropped(&mut self, arm: usize, purpose: Purpose) {
        self.outcomes.dropped += u64::from(purpose.is_in_window());
        if purpose.counts_for_its_arm() {
            self.arms[arm].outcomes.dropped += 1;
        }
    }

    /// Counts a claim of `arm` that was due while no grant was in stock.
    pub fn empty_stock(&mut self, arm: usize, purpose: Purpose) {
        self.outcomes.empty_stock += u64::from(purpose.is_in_window());
        if purpose.counts_for_its_arm() {
            self.arms[arm].outcomes.empty_stock += 1;
        }
    }

    /// Ends the warm-up: the window has a clock of its own.
    pub fn end_warmup(&mut self) {
        self.timeline.end_warmup();
    }

    /// Begins a batch that is a block of one arm in a closed loop, with `in_flight` claims in flight
    /// throughout.
    pub fn begin_block(&mut self, in_flight: usize) {
        self.steady = Some(Steady::new(in_flight));
    }

    /// The part of the current block in which the claims of a stratum were sent, without ramp-in and end;
    /// `None` where none of these claims came back, and for a batch that is no such block: an open loop sends
    /// claims when they are due, whether earlier ones have come back or not.
    pub fn steady_part(&self) -> Option<SteadyPart> {
        self.steady.as_ref()?.part()
    }

    /// Ends a batch that took `active` and that `arms` took part in.
    pub fn end_batch(&mut self, active: Duration, arms: impl IntoIterator<Item = usize>) {
        let mut took_part = Vec::new();
        for arm in arms {
            self.arms[arm].active += active;
            took_part.push(arm as u32);
        }
        self.timeline.note_end(active, took_part);
        self.timeline.end_batch(active);
        self.steady = None;
    }

    /// Time of the batch that goes on, until its last claim so far.
    pub fn so_far(&self) -> Duration {
        self.timeline.so_far()
    }

    /// Time in which claims were made so far, whatever they were for, the warm-up's aside.
    pub fn active(&self) -> Duration {
        self.timeline.active()
    }

    /// Longest span without a successful claim so far; `None` before the first.
    pub fn longest_gap(&self) -> Option<Duration> {
        self.timeline.longest_gap()
    }

    /// Spans of a tenth of a second or longer without a successful claim so far, together; `None` before the
    /// first claim.
    pub fn stalled(&self) -> Option<Duration> {
        self.timeline.stalled()
    }

    /// Notes the tool's resident memory.
    pub fn resident(&mut self, bytes: Option<u64>) {
        self.timeline.resident(bytes);
    }

    /// Adds the CPU, in seconds, that each primary's main thread used between two moments of the current
    /// batch.
    pub fn primary_cpu(&mut self, from: Duration, to: Duration, used_s: Vec<f64>) {
        self.timeline.cpu(from, to, used_s);
    }

    fn sample(&mut self, stratum: u32, side: u8, claimed: bool, service: Duration) {
        if claimed {
            self.strata[stratum as usize][usize::from(side)].push(service);
        }
    }

    /// The arms so far.
    pub fn arms(&self) -> &[ArmRecorder] {
        &self.arms
    }

    /// Service times by stratum and side so far.
    pub fn strata(&self) -> &[Vec<Samples>] {
        &self.strata
    }

    /// Bare round trips by stratum so far.
    pub fn rulers(&self) -> &[Samples] {
        &self.rulers
    }

    /// Counts a bare round trip without an answer.
    pub fn ruler_unanswered(&mut self) {
        self.rulers_unanswered += 1;
    }

    /// Bare round trips without an answer.
    pub fn rulers_unanswered(&self) -> u64 {
        self.rulers_unanswered
    }

    /// Successful claims so far, whatever they were for; the warm-up's are not among them.
    pub fn claimed(&self) -> u64 {
        self.claimed
    }

    /// The window as a whole so far.
    pub fn window(&self) -> WindowTotals {
        WindowTotals {
            active_s: self.active().as_secs_f64(),
            outcomes: self.outcomes.clone(),
            batches: self.timeline.batches((0..self.arms.len() as u32).collect()),
        }
    }

    /// The second that goes on, for who watches, if a claim ended in it.
    pub fn unfinished(&self) -> Option<TimelinePoint> {
        self.timeline.unfinished()
    }

    /// The seconds so far, the one that goes on included.
    pub fn timeline(&self) -> Vec<TimelinePoint> {
        self.timeline.points()
    }

    /// What happened in the window so far, in the order of time.
    pub fn events(&self) -> Vec<WindowEvent> {
        self.timeline.events()
    }

    /// The finished second of this number, from 0, for who watches.
    pub fn second(&self, number: usize) -> Option<TimelinePoint> {
        self.timeline.second(number)
    }
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
