//! How far metrics over time can be believed.

use super::level::Trust;
use crate::judge::Trend;

/// What decides how far metrics over time can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryTrust {
    /// Of every metric there are fewer runs than it takes to see a level move.
    TooFewRuns,
    /// A level that moved could have been seen: only valid runs that can be compared are points.
    Sound,
}

impl HistoryTrust {
    /// Of these metrics together.
    pub fn from_trends(trends: &[Trend]) -> Self {
        if !trends.is_empty() && trends.iter().all(Trend::has_too_few_runs) {
            Self::TooFewRuns
        } else {
            Self::Sound
        }
    }

    /// How far.
    pub fn level(self) -> Trust {
        match self {
            Self::TooFewRuns => Trust::Careful,
            Self::Sound => Trust::Yes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::RUNS_FOR_A_CHANGE;
    use crate::judge::history_fixture::trend_point;

    #[test]
    fn one_metric_with_runs_enough_could_have_been_seen_to_move() {
        let trend = |runs: usize| {
            let point = trend_point("2026-01-02T03:04:05Z");
            Trend {
                scenario: "lane-ab".into(),
                metric: "grant-lane/service_p50".into(),
                unit: "us".into(),
                machine: String::new(),
                points: vec![point; runs],
                changes: Vec::new(),
                left_out: 0,
                left_out_because: std::collections::BTreeMap::new(),
                other_scenarios: std::collections::BTreeMap::new(),
            }
        };
        let (few, enough) = (trend(RUNS_FOR_A_CHANGE - 1), trend(RUNS_FOR_A_CHANGE));
        assert_eq!(HistoryTrust::from_trends(&[few.clone(), few.clone()]), HistoryTrust::TooFewRuns);
        assert_eq!(HistoryTrust::from_trends(&[few, enough]), HistoryTrust::Sound);
        assert_eq!(HistoryTrust::from_trends(&[]), HistoryTrust::Sound);
    }
}
