//! What the faster of two variants saves, in words.

use super::format::{figure, rough};
use crate::judge::{RepeatedSaving, RunResult, SavedBy, Saving};
use crate::stats::Estimate;

/// A sentence for each pair of a run.
pub(super) fn of_run(result: &RunResult) -> impl Iterator<Item = String> {
    result.savings().into_iter().map(|saving| sentence(&saving))
}

/// A sentence for a pair over all runs, and what the next run would say.
pub(super) fn over_runs(saving: &RepeatedSaving) -> String {
    let RepeatedSaving { mean, next_run_us, next_run_round_trips } = saving;
    format!("Over all runs, {} The next run: {}.", sentence(mean), range(next_run_us, next_run_round_trips))
}

fn sentence(saving: &Saving) -> String {
    let who = match saving.by {
        SavedBy::CarryingLane => "carrying lane_id",
        SavedBy::Variant => &saving.faster,
    };
    format!(
        "{who} saves {} µs, {} round trips of {} µs, {} of a claim by {}.",
        with_ends(&saving.time_us, digits_of_time(&saving.time_us)),
        with_ends(&saving.round_trips, 2),
        figure(saving.round_trip_us),
        rough(saving.share),
        saving.slower,
    )
}

/// Where both lie, without an estimate: `40 to 64 µs, 0.88 to 1.04 round trips`.
fn range(time_us: &Estimate, trips: &Estimate) -> String {
    let digits = digits_of_time(time_us);
    format!(
        "{:.digits$} to {:.digits$} µs, {:.2} to {:.2} round trips",
        time_us.low, time_us.high, trips.low, trips.high
    )
}

fn with_ends(saved: &Estimate, digits: usize) -> String {
    format!("{:.digits$} [{:.digits$}, {:.digits$}]", saved.estimate, saved.low, saved.high)
}

fn digits_of_time(saved: &Estimate) -> usize {
    usize::from(saved.estimate < 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate([low, estimate, high]: [f64; 3]) -> Estimate {
        Estimate { estimate, low, high, confidence: 0.95 }
    }

    #[test]
    fn a_saving_is_told_in_time_in_round_trips_and_as_a_share() {
        let lane = Saving {
            faster: "grant-lane".into(),
            slower: "hget-lane".into(),
            by: SavedBy::CarryingLane,
            time_us: estimate([51.6, 54.2, 56.4]),
            round_trips: estimate([0.99, 1.02, 1.05]),
            round_trip_us: 53.0,
            share: 0.178,
        };
        assert_eq!(
            sentence(&lane),
            "carrying lane_id saves 54 [52, 56] µs, 1.02 [0.99, 1.05] round trips of 53.0 µs, 18 % of a claim by hget-lane."
        );
        let small = Saving {
            by: SavedBy::Variant,
            time_us: estimate([6.5, 8.0, 9.5]),
            round_trips: estimate([-0.1, 0.2, 0.4]),
            round_trip_us: 40.0,
            share: 0.1,
            ..lane
        };
        let next_run_us = estimate([5.0, 8.0, 11.0]);
        let next_run_round_trips = estimate([-0.2, 0.2, 0.5]);
        assert_eq!(
            over_runs(&RepeatedSaving { mean: small, next_run_us, next_run_round_trips }),
            "Over all runs, grant-lane saves 8.0 [6.5, 9.5] µs, 0.20 [-0.10, 0.40] round trips of 40.0 µs, 10 % of a claim \
             by hget-lane. The next run: 5.0 to 11.0 µs, -0.20 to 0.50 round trips."
        );
    }
}
