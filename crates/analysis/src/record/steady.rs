//! The part of a block in which its number of claims in flight was constant.

use std::time::Duration;

use super::SteadyPart;

/// When the claims of a block were sent.
#[derive(Clone, Debug)]
pub(super) struct Steady {
    in_flight: usize,
    /// When the last ramp-in claim was sent; later ones count.
    ramp_in: Option<Duration>,
    counted: Vec<Duration>,
    claimed: u64,
}

impl Steady {
    /// For a block with `in_flight` claims in flight throughout.
    pub(super) fn new(in_flight: usize) -> Self {
        Self { in_flight: in_flight.max(1), ramp_in: None, counted: Vec::new(), claimed: 0 }
    }

    /// A claim before the ones that count.
    pub(super) fn ramp_in(&mut self, sent: Duration) {
        self.ramp_in = self.ramp_in.max(Some(sent));
    }

    pub(super) fn record(&mut self, sent: Duration, claimed: bool) {
        self.claimed += u64::from(claimed);
        self.counted.push(sent);
    }

    /// With a fixed number in flight each claim was sent when another had come back: between two of these
    /// moments as many came back as were sent.
    ///
    /// Only whole generations count. Claims that began together stay in step: each finishes a round trip only
    /// after all others have finished the one before. A part of a generation therefore holds more of one
    /// round trip than of the other, and 63 of 64 claims with 16 in flight came out up to 4 % too fast for
    /// the arm with two.
    pub(super) fn part(&self) -> Option<SteadyPart> {
        let mut sent: Vec<Duration> = self.ramp_in.iter().chain(&self.counted).copied().collect();
        sent.sort_unstable();
        let came_back = sent.len().checked_sub(1)?;
        let whole = match came_back / self.in_flight {
            0 => came_back,
            generations => generations * self.in_flight,
        };
        let length = sent[whole].saturating_sub(sent[0]);
        let claims = (whole as f64 * self.claimed as f64 / self.counted.len().max(1) as f64).round() as u64;
        (claims > 0 && !length.is_zero()).then_some(SteadyPart { claims, duration_s: length.as_secs_f64() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both round trips of every claim behind those of all others: claims come back in the second half of
    /// each generation only.
    fn in_step(in_flight: usize, claims: usize, round_trips_s: [f64; 2]) -> Steady {
        let generation_s = in_flight as f64 * round_trips_s.iter().sum::<f64>();
        let mut steady = Steady::new(in_flight);
        for n in 0..2 * in_flight + claims {
            let (earlier, position) = (n / in_flight, n % in_flight);
            let sent_s = match earlier.checked_sub(1) {
                None => 0.0,
                Some(before) => {
                    let (first, second) =
                        (in_flight as f64 * round_trips_s[0], (position + 1) as f64 * round_trips_s[1]);
                    before as f64 * generation_s + first + second
                }
            };
            let sent = Duration::from_secs_f64(sent_s);
            if n < 2 * in_flight { steady.ramp_in(sent) } else { steady.record(sent, true) }
        }
        steady
    }

    #[test]
    fn claims_that_go_in_step_are_timed_over_whole_generations() {
        for (in_flight, claims, counted) in
            [(16, 64, 64), (16, 66, 64), (4, 50, 48), (64, 256, 256), (16, 15, 15)]
        {
            for [first_s, second_s] in [[0.000_1, 0.000_4], [0.000_3, 0.000_3]] {
                let part = in_step(in_flight, claims, [first_s, second_s]).part().unwrap();
                assert_eq!(part.claims, counted);
                let each_s = part.duration_s / part.claims as f64;
                if claims >= in_flight {
                    assert!(
                        (each_s / (first_s + second_s) - 1.0).abs() < 1e-6,
                        "{in_flight} {claims}: {each_s}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_failed_is_no_claim_and_nothing_is_no_part() {
        let mut steady = Steady::new(2);
        assert_eq!(steady.part(), None);
        steady.ramp_in(Duration::ZERO);
        assert_eq!(steady.part(), None);
        for n in 1..=8 {
            steady.record(Duration::from_millis(n), n % 2 == 0);
        }
        assert_eq!(steady.part(), Some(SteadyPart { claims: 4, duration_s: 0.008 }));
    }
}
