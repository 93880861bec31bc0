//! The window second by second.

use std::time::Duration;

use super::TimelinePoint;
use super::recorder::LatencyHistogram;

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
}

impl Timeline {
    /// Adds a claim that ended at `at` into the current batch; `service` is `None` where it did not succeed.
    pub fn record(&mut self, at: Duration, service: Option<Duration>, stock: u64) {
        self.advance_to((self.before + at).as_secs());
        match service {
            Some(service) => {
                self.claimed += 1;
                self.service.record(service);
            }
            None => self.errors += 1,
        }
        self.stock = stock;
    }

    /// Ends a batch that took this long.
    pub fn end_batch(&mut self, active: Duration) {
        self.before += active;
    }

    /// Every second so far, the unfinished one included.
    pub fn points(&self) -> Vec<TimelinePoint> {
        let mut points = self.done.clone();
        if self.claimed + self.errors > 0 {
            points.push(self.current());
        }
        points
    }

    /// The last finished second.
    pub fn last(&self) -> Option<&TimelinePoint> {
        self.done.last()
    }

    fn advance_to(&mut self, second: u64) {
        while self.second < second {
            let point = self.current();
            self.done.push(point);
            self.second += 1;
            self.claimed = 0;
            self.errors = 0;
            self.service.reset();
        }
    }

    fn current(&self) -> TimelinePoint {
        TimelinePoint {
            t_s: (self.second + 1) as f64,
            claimed: self.claimed,
            errors: self.errors,
            p50_us: self.service.quantile_us(0.5),
            p99_us: self.service.quantile_us(0.99),
            stock: self.stock,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_seconds_are_shown_as_quiet() {
        let mut timeline = Timeline::default();
        let ms = Duration::from_millis;
        timeline.record(ms(100), Some(ms(1)), 9);
        timeline.record(ms(900), None, 8);
        timeline.record(ms(2_500), Some(ms(2)), 7);
        let points = timeline.points();
        let counts: Vec<_> = points.iter().map(|p| (p.t_s, p.claimed, p.errors, p.stock)).collect();
        assert_eq!(counts, [(1.0, 1, 1, 8), (2.0, 0, 0, 8), (3.0, 1, 0, 7)]);
        assert_eq!(points[1].p50_us, None);
    }

    #[test]
    fn staging_between_batches_takes_no_time() {
        let mut timeline = Timeline::default();
        timeline.record(Duration::from_millis(600), Some(Duration::from_micros(5)), 0);
        timeline.end_batch(Duration::from_millis(700));
        timeline.record(Duration::from_millis(200), Some(Duration::from_micros(5)), 0);
        assert_eq!(timeline.points().len(), 1);
        timeline.record(Duration::from_millis(400), Some(Duration::from_micros(5)), 0);
        assert_eq!(timeline.points().len(), 2);
    }
}
