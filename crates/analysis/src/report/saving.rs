//! What the faster of two arms saves, in time and in bare round trips.

use super::format::{figure, rough};
use crate::stats::Estimate;

/// One metric of two arms.
pub(super) struct OfTwoArms {
    /// Candidate less baseline, in the metric's unit.
    pub(super) difference: Estimate,
    /// The baseline's value.
    pub(super) baseline: f64,
    /// The candidate's value.
    pub(super) candidate: f64,
}

/// A difference in time, and the same in round trips.
pub(super) struct Saving<'a> {
    /// Name of the baseline arm.
    pub(super) baseline: &'a str,
    /// Name of the other arm.
    pub(super) candidate: &'a str,
    /// In microseconds.
    pub(super) time: OfTwoArms,
    /// In bare round trips of the same claims.
    pub(super) trips: OfTwoArms,
}

impl<'a> Saving<'a> {
    pub(super) fn faster_and_slower(&self) -> [&'a str; 2] {
        if self.candidate_is_slower() {
            [self.baseline, self.candidate]
        } else {
            [self.candidate, self.baseline]
        }
    }

    /// `who` is what the faster arm does, in words.
    pub(super) fn sentence(&self, who: &str) -> String {
        let slower = self.faster_and_slower()[1];
        let longest = self.time.baseline.max(self.time.candidate);
        let [time, trips] = self.saved();
        format!(
            "{who} saves {} µs, {} round trips of {} µs, {} of a claim by {slower}.",
            with_ends(time, digits_of_time(time)),
            with_ends(trips, 2),
            figure(self.time.baseline / self.trips.baseline),
            rough(time.estimate / longest),
        )
    }

    /// Where both lie, without an estimate: `40 to 64 µs, 0.88 to 1.04 round trips`.
    pub(super) fn range(&self) -> String {
        let [time, trips] = self.saved();
        let digits = digits_of_time(time);
        format!(
            "{:.digits$} to {:.digits$} µs, {:.2} to {:.2} round trips",
            time.low, time.high, trips.low, trips.high
        )
    }

    fn candidate_is_slower(&self) -> bool {
        self.time.difference.estimate > 0.0
    }

    /// Both as what the faster arm saves.
    fn saved(&self) -> [Estimate; 2] {
        [&self.time, &self.trips].map(|amount| {
            let all = amount.difference;
            if self.candidate_is_slower() {
                all
            } else {
                Estimate { estimate: -all.estimate, low: -all.high, high: -all.low, ..all }
            }
        })
    }
}

fn with_ends(saved: Estimate, digits: usize) -> String {
    format!("{:.digits$} [{:.digits$}, {:.digits$}]", saved.estimate, saved.low, saved.high)
}

fn digits_of_time(saved: Estimate) -> usize {
    usize::from(saved.estimate < 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(difference: [f64; 3], [baseline, candidate]: [f64; 2]) -> OfTwoArms {
        let [low, estimate, high] = difference;
        OfTwoArms { difference: Estimate { estimate, low, high, confidence: 0.95 }, baseline, candidate }
    }

    #[test]
    fn whichever_arm_is_faster_saves_a_positive_amount() {
        let slower = Saving {
            baseline: "grant-lane",
            candidate: "hget-lane",
            time: amount([51.6, 54.2, 56.4], [250.0, 304.2]),
            trips: amount([0.99, 1.02, 1.05], [4.72, 5.74]),
        };
        assert_eq!(
            slower.sentence("carrying lane_id"),
            "carrying lane_id saves 54 [52, 56] µs, 1.02 [0.99, 1.05] round trips of 53.0 µs, 18 % of a claim by hget-lane."
        );
        assert_eq!(slower.range(), "52 to 56 µs, 0.99 to 1.05 round trips");
        let faster = Saving {
            baseline: "hget-lane",
            candidate: "grant-lane",
            time: amount([-9.5, -8.0, -6.5], [80.0, 72.0]),
            trips: amount([-0.4, -0.2, 0.1], [2.0, 1.8]),
        };
        assert_eq!(
            faster.sentence(faster.faster_and_slower()[0]),
            "grant-lane saves 8.0 [6.5, 9.5] µs, 0.20 [-0.10, 0.40] round trips of 40.0 µs, 10 % of a claim by hget-lane."
        );
        assert_eq!(faster.range(), "6.5 to 9.5 µs, -0.10 to 0.40 round trips");
    }
}
