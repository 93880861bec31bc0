//! The window second by second.

use std::time::Duration;

use super::batch_note::{BatchNotes, QUIET_NS};
use super::latency::LatencyHistogram;
use super::stamps::Stamps;
use super::{BatchNote, Histogram, Outcome, SecondTimes, TimelinePoint, WindowEvent, WindowEventKind};

/// Shortest span without a successful claim that is worth a mark.
pub(super) const STALL: Duration = Duration::from_secs(1);

/// Kinds of outcome whose first claim is kept: a broken function may answer anything.
pub(super) const MOST_FIRSTS: usize = 32;

/// Seconds of the time in which claims were made; the pauses for staging between batches do not count.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// Active time of the batches that have ended.
    before: Duration,
    done: Vec<TimelinePoint>,
    second: u64,
    claimed: u64,
    errors: u64,
    stock: u64,
    service: LatencyHistogram,
    response: LatencyHistogram,
    send_lag: LatencyHistogram,
    resume: LatencyHistogram,
    /// Whether the response times of each second are kept, not only their quantiles.
    keep_responses: bool,
    /// What merging needs of each batch, where this will be merged with others.
    notes: Option<BatchNotes>,
    /// When the last claim of the current batch ended.
    latest: Duration,
    /// When the last successful claim of the current batch ended, warm-up included.
    progress: Duration,
    /// Longest span without one, and whether there was a claim at all.
    longest_gap: Option<Duration>,
    /// When that span ended, in time of the window.
    gap_ended: Duration,
    /// All spans without one that are long enough to be kept, together.
    stalled: Duration,
    /// The first claims that ended in each way but success, in the order of time.
    firsts: Vec<WindowEvent>,
    /// The tool's resident memory when it was last looked at.
    resident_bytes: Option<u64>,
    /// Main-thread CPU of the primaries between two readings.
    cpu: Vec<CpuSpan>,
}

/// CPU between two readings of the servers' counters, both in time of the window.
#[derive(Clone, Debug)]
struct CpuSpan {
    from: Duration,
    to: Duration,
    /// By primary, in seconds.
    used_s: Vec<f64>,
}

impl Timeline {
    /// Adds a claim that ended into the current batch.
    pub fn record(&mut self, stamps: &Stamps, claimed: bool, stock: u64) {
        self.advance_to((self.before + stamps.done).as_secs());
        if let Some(scheduled) = stamps.scheduled {
            self.send_lag.record(stamps.sent.saturating_sub(scheduled));
        }
        if claimed {
            if let Some(notes) = &mut self.notes {
                notes.success(self.progress, stamps.done);
            }
            self.progressed(stamps.done);
            self.progress = stamps.done;
            self.claimed += 1;
            self.service.record(stamps.done.saturating_sub(stamps.sent));
            if let Some(scheduled) = stamps.scheduled {
                self.response.record(stamps.done.saturating_sub(scheduled));
            }
            if let Some(resume) = stamps.resume {
                self.resume.record(resume);
            }
        } else {
            self.errors += 1;
        }
        self.latest = stamps.done;
        self.stock = stock;
    }

    /// Keeps the response times of each second. Packing them takes some tens of microseconds at each second's
    /// end and a kilobyte in the result, so only runs whose rate changes do it.
    pub fn keep_responses(&mut self) {
        self.keep_responses = true;
    }

    /// Keeps what merging needs: the times of each second, and when nothing succeeded. Packing them takes
    /// some tens of microseconds at each second's end and a kilobyte or two, so only a part of a run with
    /// several generators does it.
    pub fn keep_for_merging(&mut self) {
        self.notes = Some(BatchNotes::default());
    }

    /// Notes that the current batch ends after so long, and whose time it was; before [`Self::end_batch`].
    pub fn note_end(&mut self, active: Duration, arms: Vec<u32>) {
        if let Some(notes) = &mut self.notes {
            notes.end(active, self.progress, arms);
        }
    }

    /// What merging needs of the batches so far. The current one is included, and may be time of all these
    /// arms.
    pub fn batches(&self, arms: Vec<u32>) -> Vec<BatchNote> {
        self.notes.as_ref().map(|notes| notes.all(self.latest, self.progress, arms)).unwrap_or_default()
    }

    /// Time of the batch that goes on, until its last claim so far.
    pub fn so_far(&self) -> Duration {
        self.latest
    }

    /// Notes the tool's resident memory.
    pub fn resident(&mut self, bytes: Option<u64>) {
        self.resident_bytes = bytes;
    }

    /// Adds the CPU that the primaries' main threads used between two moments of the current batch.
    pub fn cpu(&mut self, from: Duration, to: Duration, used_s: Vec<f64>) {
        self.cpu.push(CpuSpan { from: self.before + from, to: self.before + to, used_s });
    }

    /// Notes a successful claim of the warm-up: it ends a span without claims and counts for nothing else.
    pub fn warmed_up(&mut self, done: Duration) {
        self.progress = done;
    }

    /// Ends the warm-up: what comes has a clock that begins anew, and nothing of the warm-up is in its
    /// seconds.
    pub fn end_warmup(&mut self) {
        self.progress = Duration::ZERO;
        let before = self.before;
        self.cpu.retain(|span| span.to <= before);
    }

    /// Longest ended span without a successful claim; `None` before the first claim.
    pub fn longest_gap(&self) -> Option<Duration> {
        self.longest_gap
    }

    /// Spans of [`QUIET_NS`] or longer without a successful claim so far, together; `None` before the first
    /// claim.
    pub fn stalled(&self) -> Option<Duration> {
        self.longest_gap.map(|_| self.stalled)
    }

    /// Ends a span without a claim at a moment of the current batch.
    fn progressed(&mut self, moment: Duration) {
        let gap = moment.saturating_sub(self.progress);
        if gap >= Duration::from_nanos(QUIET_NS) {
            self.stalled += gap;
        }
        if self.longest_gap.is_none_or(|longest| gap > longest) {
            self.longest_gap = Some(gap);
            self.gap_ended = self.before + moment;
        }
    }

    /// Notes the first claim that ended in a way other than success.
    pub fn ended_as(&mut self, outcome: &Outcome, done: Duration) {
        let Some(what) = WindowEventKind::first(outcome) else { return };
        if self.firsts.len() < MOST_FIRSTS && self.firsts.iter().all(|known| known.what != what) {
            self.firsts.push(WindowEvent { t_s: (self.before + done).as_secs_f64(), what });
        }
    }

    /// What happened in the window so far, in the order of time.
    pub fn events(&self) -> Vec<WindowEvent> {
        let mut events = self.firsts.clone();
        if let Some(gap) = self.longest_gap.filter(|gap| *gap >= STALL) {
            let ended = self.gap_ended;
            for (at, what) in [
                (ended.saturating_sub(gap), WindowEventKind::StallBegan),
                (ended, WindowEventKind::StallEnded),
            ] {
                events.push(WindowEvent { t_s: at.as_secs_f64(), what });
            }
        }
        events.sort_by(|a, b| a.t_s.total_cmp(&b.t_s));
        events
    }

    /// Ends a batch that took this long.
    pub fn end_batch(&mut self, active: Duration) {
        if self.longest_gap.is_some() {
            self.progressed(active);
        }
        self.progress = Duration::ZERO;
        self.before += active;
        self.latest = Duration::ZERO;
        // Seconds at its end in which nothing ended were measured as well.
        self.advance_to(self.before.as_secs());
    }

    /// Time that was measured so far, of all batches.
    pub fn active(&self) -> Duration {
        self.before + self.latest
    }

    /// The second that goes on, if a claim ended in it.
    pub fn unfinished(&self) -> Option<TimelinePoint> {
        if self.claimed + self.errors == 0 {
            return None;
        }
        let mut point = self.current();
        point.primary_cpu = self.cpu_of(point.t_s - 1.0);
        let part_s = self.active().as_secs_f64() - self.second as f64;
        point.part_s = Some(part_s.max(0.0)).filter(|part_s| *part_s < 1.0);
        Some(point)
    }

    /// Every second so far, the unfinished one included.
    pub fn points(&self) -> Vec<TimelinePoint> {
        let mut points = self.done.clone();
        for point in &mut points {
            point.primary_cpu = self.cpu_of(point.t_s - 1.0);
        }
        points.extend(self.unfinished());
        points
    }

    /// What the second that begins there has of each span's CPU, over the part of it that spans cover.
    fn cpu_of(&self, begin_s: f64) -> Vec<f64> {
        let mut used = Vec::new();
        let mut covered = 0.0;
        // Spans ascend; those of one second are few.
        let first = self.cpu.partition_point(|span| span.to.as_secs_f64() <= begin_s);
        for span in self.cpu[first..].iter().take_while(|span| span.from.as_secs_f64() < begin_s + 1.0) {
            let (from, to) = (span.from.as_secs_f64(), span.to.as_secs_f64());
            let shared = to.min(begin_s + 1.0) - from.max(begin_s);
            covered += shared;
            used.resize(span.used_s.len(), 0.0);
            for (sum, seconds) in used.iter_mut().zip(&span.used_s) {
                *sum += seconds * shared / (to - from);
            }
        }
        used.into_iter().map(|seconds: f64| seconds / covered).collect()
    }

    /// The finished second of this number, from 0, with what is known of the primaries' CPU in it.
    pub fn second(&self, number: usize) -> Option<TimelinePoint> {
        let point = self.done.get(number)?;
        Some(TimelinePoint { primary_cpu: self.cpu_of(point.t_s - 1.0), ..point.clone() })
    }

    fn advance_to(&mut self, second: u64) {
        while self.second < second {
            let point = self.current();
            self.done.push(point);
            self.second += 1;
            self.claimed = 0;
            self.errors = 0;
            self.service.reset();
            self.response.reset();
            self.send_lag.reset();
            self.resume.reset();
        }
    }

    fn current(&self) -> TimelinePoint {
        TimelinePoint {
            t_s: (self.second + 1) as f64,
            part_s: None,
            claimed: self.claimed,
            errors: self.errors,
            p50_us: self.service.quantile_us(0.5),
            p99_us: self.service.quantile_us(0.99),
            response_p50_us: self.response.quantile_us(0.5),
            response_p99_us: self.response.quantile_us(0.99),
            resume_p50_us: self.resume.quantile_us(0.5),
            resume_p99_us: self.resume.quantile_us(0.99),
            response: if self.keep_responses { self.response.encode() } else { Histogram(None) },
            send_lag_p99_us: self.send_lag.quantile_us(0.99),
            times: self.notes.as_ref().map(|_| SecondTimes {
                service: self.service.encode(),
                response: self.response.encode(),
                send_lag: self.send_lag.encode(),
                resume: self.resume.encode(),
            }),
            stock: self.stock,
            tool_resident_bytes: self.resident_bytes,
            primary_cpu: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
