//! The window second by second.

use std::time::Duration;

use super::batch_note::BatchNotes;
use super::latency::LatencyHistogram;
use super::stamps::Stamps;
use super::{BatchNote, Histogram, Outcome, SecondTimes, TimelinePoint, WindowEvent, WindowEventKind};

/// Shortest span without a successful claim that is worth a mark.
pub(super) const STALL: Duration = Duration::from_secs(1);

/// First claims of so many kinds are kept: a broken function may answer anything.
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
        } else {
            self.errors += 1;
        }
        self.latest = stamps.done;
        self.stock = stock;
    }

    /// Keeps the response times of each second. Packing them takes some tens of microseconds at each second's end and
    /// a kilobyte in the result, so only runs whose rate changes do it.
    pub fn keep_responses(&mut self) {
        self.keep_responses = true;
    }

    /// Keeps what merging needs: the times of each second, and when nothing succeeded. Packing them takes some tens of
    /// microseconds at each second's end and a kilobyte or two, so only a part of a run with several generators does it.
    pub fn keep_for_merging(&mut self) {
        self.notes = Some(BatchNotes::default());
    }

    /// Notes that the current batch ends after so long, and whose time it was; before [`Self::end_batch`].
    pub fn note_end(&mut self, active: Duration, arms: Vec<u32>) {
        if let Some(notes) = &mut self.notes {
            notes.end(active, self.progress, arms);
        }
    }

    /// What merging needs of the batches so far, of one that goes on as well: it may be the time of all of these arms.
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

    /// Longest span without a successful claim so far, the one that goes on aside; `None` before the first.
    pub fn longest_gap(&self) -> Option<Duration> {
        self.longest_gap
    }

    /// Ends a span without a claim at a moment of the current batch.
    fn progressed(&mut self, moment: Duration) {
        let gap = moment.saturating_sub(self.progress);
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
            response: if self.keep_responses { self.response.encode() } else { Histogram(None) },
            send_lag_p99_us: self.send_lag.quantile_us(0.99),
            times: self.notes.as_ref().map(|_| SecondTimes {
                service: self.service.encode(),
                response: self.response.encode(),
                send_lag: self.send_lag.encode(),
            }),
            stock: self.stock,
            tool_resident_bytes: self.resident_bytes,
            primary_cpu: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(done: Duration, service: Duration) -> Stamps {
        Stamps {
            scheduled: None,
            sent: done.saturating_sub(service),
            done,
            resume: None,
            steps: crate::record::StepTimes::default(),
        }
    }

    #[test]
    fn quiet_seconds_are_shown_as_quiet() {
        let mut timeline = Timeline::default();
        let ms = Duration::from_millis;
        timeline.record(&claim(ms(100), ms(1)), true, 9);
        timeline.record(&claim(ms(900), ms(1)), false, 8);
        let late = Stamps { scheduled: Some(ms(2_400)), ..claim(ms(2_500), ms(2)) };
        timeline.record(&late, true, 7);
        assert_eq!(timeline.so_far(), ms(2_500));
        let points = timeline.points();
        let counts: Vec<_> = points.iter().map(|p| (p.t_s, p.claimed, p.errors, p.stock)).collect();
        assert_eq!(counts, [(1.0, 1, 1, 8), (2.0, 0, 0, 8), (3.0, 1, 0, 7)]);
        assert_eq!(points[1].p50_us, None);
        assert_eq!((points[0].response_p99_us, points[2].response_p99_us.is_some()), (None, true));
        assert!(points[2].response_p50_us > points[2].p50_us);
    }

    #[test]
    fn response_times_are_kept_by_second_only_where_that_is_asked() {
        let ms = Duration::from_millis;
        let due = |at: u64| Stamps { scheduled: Some(ms(at)), ..claim(ms(at + 7), ms(1)) };
        let responses = |mut timeline: Timeline| {
            timeline.record(&due(100), true, 0);
            timeline.record(&due(1_100), true, 0);
            timeline.points().into_iter().map(|point| point.response).collect::<Vec<_>>()
        };
        let mut one = LatencyHistogram::default();
        one.record(ms(7));
        let mut keeping = Timeline::default();
        keeping.keep_responses();
        assert_eq!(responses(keeping), [one.encode(), one.encode()]);
        assert!(responses(Timeline::default()).iter().all(Histogram::is_empty));
    }

    #[test]
    fn cpu_is_shared_out_to_the_seconds_in_which_it_was_used() {
        let mut timeline = Timeline::default();
        let ms = Duration::from_millis;
        for at in [100, 1_100, 2_100, 3_100] {
            timeline.record(&claim(ms(at), ms(1)), true, 0);
        }
        // Half a core and a quarter from 0.5 s on, then a whole one and none.
        timeline.cpu(ms(500), ms(1_500), vec![0.5, 0.25]);
        timeline.cpu(ms(1_500), ms(2_500), vec![1.0, 0.0]);
        let cpu: Vec<_> = timeline.points().into_iter().map(|point| point.primary_cpu).collect();
        assert_eq!(cpu, [vec![0.5, 0.25], vec![0.75, 0.125], vec![1.0, 0.0], vec![]]);
    }

    #[test]
    fn the_longest_span_without_a_claim_is_kept_and_staging_is_none() {
        let mut timeline = Timeline::default();
        let ms = Duration::from_millis;
        assert_eq!(timeline.longest_gap(), None);
        timeline.warmed_up(ms(900));
        timeline.record(&claim(ms(1_000), ms(1)), true, 0);
        assert_eq!(timeline.longest_gap(), Some(ms(100)));
        timeline.record(&claim(ms(2_000), ms(1)), false, 0);
        timeline.record(&claim(ms(3_500), ms(1)), true, 0);
        assert_eq!(timeline.longest_gap(), Some(ms(2_500)), "a failed claim is none");
        timeline.end_batch(ms(3_600));
        timeline.record(&claim(ms(50), ms(1)), true, 0);
        timeline.end_batch(ms(4_000));
        assert_eq!(timeline.longest_gap(), Some(ms(3_950)), "also one that the end of the window cuts");
    }

    #[test]
    fn the_first_claim_of_each_failure_and_a_stall_are_marked_with_their_moment() {
        let mut timeline = Timeline::default();
        let ms = Duration::from_millis;
        timeline.record(&claim(ms(400), ms(1)), true, 0);
        timeline.ended_as(&Outcome::Claimed, ms(400));
        timeline.ended_as(&Outcome::TimedOut, ms(900));
        timeline.ended_as(&Outcome::TimedOut, ms(950));
        timeline.record(&claim(ms(2_400), ms(1)), true, 0);
        timeline.end_batch(ms(2_500));
        timeline.ended_as(&Outcome::Refused("fence_required".into()), ms(500));
        let seen: Vec<_> = timeline.events().into_iter().map(|event| (event.t_s, event.what)).collect();
        let refused = WindowEventKind::FirstRefused { code: "fence_required".into() };
        assert_eq!(
            seen,
            [
                (0.4, WindowEventKind::StallBegan),
                (0.9, WindowEventKind::FirstTimedOut),
                (2.4, WindowEventKind::StallEnded),
                (3.0, refused)
            ]
        );
        for n in 0..100 {
            timeline.ended_as(&Outcome::Refused(n.to_string()), ms(1));
        }
        assert!(timeline.events().len() < 40, "a broken function may answer anything");
    }

    #[test]
    fn how_late_claims_were_sent_is_kept_by_second() {
        let mut timeline = Timeline::default();
        let ms = Duration::from_millis;
        let sent = |at: u64, late: u64| Stamps {
            scheduled: Some(ms(at)),
            sent: ms(at + late),
            ..claim(ms(at + late + 1), ms(1))
        };
        timeline.record(&sent(100, 5), true, 0);
        timeline.record(&sent(1_100, 50), false, 0);
        let lags: Vec<_> = timeline.points().iter().map(|p| p.send_lag_p99_us.unwrap().round()).collect();
        assert!((lags[0] - 5_000.0).abs() < 10.0 && (lags[1] - 50_000.0).abs() < 100.0, "{lags:?}");
    }

    #[test]
    fn what_merging_needs_is_kept_only_where_that_is_asked() {
        let (mut timeline, ms) = (Timeline::default(), Duration::from_millis);
        let ns = |ms: u64| ms * 1_000_000;
        timeline.keep_for_merging();
        timeline.warmed_up(ms(50));
        timeline.record(&claim(ms(200), ms(1)), true, 0);
        timeline.record(&claim(ms(250), ms(1)), true, 0);
        timeline.record(&claim(ms(900), ms(1)), false, 0);
        timeline.note_end(ms(950), vec![1]);
        timeline.end_batch(ms(950));
        timeline.record(&claim(ms(120), ms(1)), false, 0);
        let first = BatchNote {
            active_ns: ns(950),
            arms: vec![1],
            succeeded: true,
            quiet_since_ns: ns(250),
            quiet_ns: vec![[ns(50), ns(200)]],
        };
        let second = BatchNote { active_ns: ns(120), arms: vec![0, 1], ..BatchNote::default() };
        assert_eq!(timeline.batches(vec![0, 1]), [first, second], "the one that goes on included");
        let point = timeline.points().remove(0);
        let mut service = LatencyHistogram::default();
        service.add(&point.times.unwrap().service).unwrap();
        assert_eq!((service.count(), service.quantile_us(0.5)), (2, point.p50_us));
        let mut without = Timeline::default();
        without.record(&claim(ms(200), ms(1)), true, 0);
        without.note_end(ms(300), vec![0]);
        assert_eq!((without.batches(vec![0]), without.points().remove(0).times), (Vec::new(), None));
    }

    #[test]
    fn the_last_second_says_how_much_of_it_was_measured() {
        let (mut timeline, ms) = (Timeline::default(), Duration::from_millis);
        for at in [200, 700, 1_100, 1_250] {
            timeline.record(&claim(ms(at), ms(1)), true, 0);
        }
        let last = |timeline: &Timeline| timeline.points().last().map(|p| (p.t_s, p.claimed, p.length_s()));
        assert_eq!(last(&timeline), Some((2.0, 2, 0.25)), "so far");
        timeline.end_batch(ms(1_500));
        assert_eq!(last(&timeline), Some((2.0, 2, 0.5)), "to the end, not to the last claim");
        let point = timeline.points().remove(1);
        assert_eq!((point.claims_per_sec(), timeline.points()[0].part_s), (Some(4.0), None));
        assert_eq!(timeline.unfinished(), Some(point));
        timeline.record(&claim(ms(300), ms(1)), true, 0);
        assert_eq!(last(&timeline), Some((2.0, 3, 0.8)), "the next batch goes on in it");
        timeline.end_batch(ms(2_500));
        let counts: Vec<_> = timeline.points().iter().map(|point| (point.claimed, point.part_s)).collect();
        assert_eq!(
            counts,
            [(2, None), (3, None), (0, None), (0, None)],
            "quiet seconds at the end are seconds"
        );
        assert_eq!((timeline.active(), timeline.unfinished()), (ms(4_000), None));
    }

    #[test]
    fn staging_between_batches_takes_no_time() {
        let mut timeline = Timeline::default();
        timeline.record(&claim(Duration::from_millis(600), Duration::from_micros(5)), true, 0);
        timeline.end_batch(Duration::from_millis(700));
        timeline.record(&claim(Duration::from_millis(200), Duration::from_micros(5)), true, 0);
        assert_eq!(timeline.points().len(), 1);
        timeline.record(&claim(Duration::from_millis(400), Duration::from_micros(5)), true, 0);
        assert_eq!(timeline.points().len(), 2);
    }
}
