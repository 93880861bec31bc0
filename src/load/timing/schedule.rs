//! When each claim of an open loop is due: computed ahead, from the seed alone.

use std::time::Duration;

use rand::RngExt as _;

use reclaim_analysis::record::stream;
use reclaim_analysis::scenario::{Arrivals, Ramp};

/// Offsets from the start of the window, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    offsets: Vec<Duration>,
    length: Duration,
}

/// What an arrival process is drawn with.
#[derive(Clone, Copy, Debug)]
pub struct Draw<'a> {
    /// Claims per second: the mean, or what a ramp climbs to.
    pub rate_per_sec: f64,
    /// The run's seed.
    pub seed: u64,
    /// Tells the windows of one run apart. Windows that are compared with each other have the same.
    pub part: &'a str,
    /// The recorded arrivals, where a trace is replayed.
    pub trace: &'a [Duration],
}

impl Schedule {
    /// The first `count` arrivals of a process. A trace that has fewer begins anew, a mean gap after its end.
    pub fn new(arrivals: &Arrivals, count: usize, draw: &Draw<'_>) -> Self {
        let rate = draw.rate_per_sec;
        let offsets = match arrivals {
            Arrivals::Constant => (0..count).map(|n| seconds(n as f64 / rate)).collect(),
            Arrivals::Poisson => {
                let mut rng = stream(draw.seed, &format!("arrivals {}", draw.part));
                let mut at = 0.0;
                (0..count)
                    .map(|_| {
                        // 1 - u lies in (0, 1]: the logarithm is finite.
                        at -= (1.0 - rng.random::<f64>()).ln() / rate;
                        seconds(at)
                    })
                    .collect()
            }
            Arrivals::Burst { size, every } => {
                (0..count).map(|n| *every * (n as u32 / size.max(&1))).collect()
            }
            Arrivals::Ramp { from_per_sec, over } => {
                let ramp = Ramp::new(*from_per_sec, rate, *over);
                (0..count).map(|n| seconds(ramp.time_of(n as f64))).collect()
            }
            Arrivals::Trace { .. } => replay(draw.trace, count),
        };
        let last = offsets.last().copied().unwrap_or_default();
        let length = match arrivals {
            // The time until the next one would come belongs to the last burst as it does to every other.
            Arrivals::Burst { every, .. } => last + *every,
            _ => last,
        };
        Self { offsets, length }
    }

    /// Of these arrivals only those at these places, ascending: one generator's of several. Their schedule is
    /// as long.
    #[must_use]
    pub fn only(self, places: &[usize]) -> Self {
        Self { offsets: places.iter().map(|&place| self.offsets[place]).collect(), ..self }
    }

    /// The time over which the arrivals are spread: their number over it is the rate that was offered.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// The offsets.
    pub fn offsets(&self) -> &[Duration] {
        &self.offsets
    }
}

fn replay(trace: &[Duration], count: usize) -> Vec<Duration> {
    let last = trace.last().copied().unwrap_or_default();
    let gaps = trace.len().saturating_sub(1).max(1) as u32;
    let period = last + last / gaps;
    (0..count).map(|n| period * (n / trace.len()) as u32 + trace[n % trace.len()]).collect()
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_nanos((seconds * 1e9).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(rate_per_sec: f64, seed: u64) -> Draw<'static> {
        Draw { rate_per_sec, seed, part: "0", trace: &[] }
    }

    #[test]
    fn constant_arrivals_do_not_drift() {
        let schedule = Schedule::new(&Arrivals::Constant, 300_001, &draw(3_000.0, 1));
        assert_eq!(schedule.offsets()[300_000], Duration::from_secs(100));
    }

    #[test]
    fn poisson_keeps_the_rate_and_the_seed() {
        let make = |seed| Schedule::new(&Arrivals::Poisson, 20_000, &draw(1_000.0, seed));
        assert_eq!(make(7), make(7));
        assert_ne!(make(7), make(8));
        let schedule = make(7);
        let span = schedule.offsets().last().unwrap().as_secs_f64();
        // Standard deviation of the sum: sqrt(20,000) / 1,000 s = 0.14 s; five of them.
        assert!((span - 20.0).abs() < 0.7, "{span}");
        assert!(schedule.offsets().is_sorted());
        // Exponential gaps: the share above the mean is 1/e.
        let long = schedule.offsets().windows(2).filter(|w| w[0] + Duration::from_millis(1) < w[1]).count();
        assert!((long as f64 / 20_000.0 - (-1.0f64).exp()).abs() < 0.02, "{long}");
    }

    #[test]
    fn windows_of_one_run_differ_unless_they_are_compared() {
        let of = |part| Schedule::new(&Arrivals::Poisson, 10, &Draw { part, ..draw(10.0, 1) });
        assert_ne!(of("0"), of("1"));
        assert_eq!(of("block 3"), of("block 3"));
    }

    #[test]
    fn bursts_come_whole() {
        let arrivals = Arrivals::Burst { size: 3, every: Duration::from_secs(1) };
        let schedule = Schedule::new(&arrivals, 7, &draw(3.0, 1));
        let seconds: Vec<u64> = schedule.offsets().iter().map(Duration::as_secs).collect();
        assert_eq!(seconds, [0, 0, 0, 1, 1, 1, 2]);
        assert_eq!(arrivals.count_within(3.0, Duration::from_millis(1_100)), 6);
    }

    #[test]
    fn a_ramp_climbs_evenly_and_then_stays() {
        let arrivals = Arrivals::Ramp { from_per_sec: 100.0, over: Duration::from_secs(10) };
        // 100 to 300 per second over ten seconds are 2,000 arrivals; ten seconds more at 300 are 3,000.
        assert_eq!(arrivals.count_within(300.0, Duration::from_secs(20)), 5_000);
        let schedule = Schedule::new(&arrivals, 5_001, &draw(300.0, 1));
        let at = |n: usize| schedule.offsets()[n].as_secs_f64();
        assert!(schedule.offsets().is_sorted());
        assert!((at(2_000) - 10.0).abs() < 1e-6, "{}", at(2_000));
        assert!((at(5_000) - 20.0).abs() < 1e-6, "{}", at(5_000));
        // Half-way up: 5 s x (100 + 200) / 2.
        assert!((at(750) - 5.0).abs() < 1e-6, "{}", at(750));
        let gap = |n: usize| at(n + 1) - at(n);
        assert!((gap(0) - 0.01).abs() < 1e-4 && (gap(4_000) - 1.0 / 300.0).abs() < 1e-6);
    }

    #[test]
    fn a_trace_keeps_its_gaps() {
        let trace = [0, 5, 5, 70].map(Duration::from_millis);
        let arrivals = Arrivals::Trace { file: "x".into() };
        let of = |count| Schedule::new(&arrivals, count, &Draw { trace: &trace, ..draw(1.0, 1) });
        assert_eq!(of(4).offsets(), trace);
        assert_eq!(of(2).offsets(), &trace[..2]);
        // The mean gap is 70 / 3 ms.
        let again = Duration::from_millis(70) + Duration::from_millis(70) / 3;
        assert_eq!(of(6).offsets()[4..], [again, again + trace[1]]);
    }
}
