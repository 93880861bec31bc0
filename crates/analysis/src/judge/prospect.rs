//! Whether a run can answer what it asks, as far as that is known before it starts.

use super::forecast::{Experience, Forecast, Shortfall, forecast};
use super::result::RunResult;
use crate::scenario::Scenario;

/// What a run will come to, and whether it can answer what it asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Prospect {
    /// What it will come to, by the runs before it.
    pub forecast: Forecast,
    /// Whether it can answer.
    pub can_answer: CanAnswer,
}

/// Whether a run can answer what it asks.
#[derive(Clone, Debug, PartialEq)]
pub enum CanAnswer {
    /// Nothing that is known speaks against it.
    Yes,
    /// Not if it is as noisy as the runs before it. Something else may have disturbed those, and the next one may
    /// be quieter.
    Doubtful(Shortfall),
    /// Its verdict would be refused, whatever the runs before it were like.
    No(Shortfall),
}

/// The prospect of a run of `scenario`. `past` are runs of scenarios of its name on the same machine.
pub fn prospect(scenario: &Scenario, past: &[RunResult]) -> Prospect {
    let anywhere = forecast(scenario, &Experience::from_past([], scenario));
    let forecast = forecast(scenario, &Experience::from_past(past, scenario));
    let can_answer = match forecast.shortfalls.first() {
        None => CanAnswer::Yes,
        Some(shortfall) if anywhere.shortfalls.is_empty() => CanAnswer::Doubtful(shortfall.clone()),
        Some(shortfall) => CanAnswer::No(shortfall.clone()),
    };
    Prospect { forecast, can_answer }
}

#[cfg(test)]
mod tests {
    use super::super::analyse_as;
    use super::super::fixtures::{GRANT_LANE, HGET_LANE, record, scenario};
    use super::*;
    use crate::scenario::{Draft, Override, Shipped};

    fn lane_ab(claims: &str) -> Scenario {
        let change = |key: &str, value: &str| Override {
            shown: "--set".to_owned(),
            key: key.to_owned(),
            value: Some(value.to_owned()),
        };
        let changes = [change("load.claims", claims), change("compare.strata", "50")];
        Draft::new("lane-ab", Shipped::find("lane-ab").unwrap().text).with(&changes).check().unwrap()
    }

    /// A run under the load of `of` whose control is hardly known.
    fn noisy(of: &Scenario) -> RunResult {
        let arms = [GRANT_LANE, HGET_LANE];
        let mut result = analyse_as(record(&arms, 1), &scenario(&arms));
        result.record.scenario = of.file().clone();
        let ratio = result.control.as_mut().unwrap().ratio.as_mut().unwrap();
        (ratio.low, ratio.high) = (0.7, 1.4);
        result
    }

    #[test]
    fn noisy_runs_before_cast_doubt_and_too_few_claims_leave_none() {
        let (enough, few) = (lane_ab("20000"), lane_ab("2000"));
        assert_eq!(prospect(&enough, &[]).can_answer, CanAnswer::Yes);
        let after_noise = prospect(&enough, &[noisy(&enough)]).can_answer;
        assert!(matches!(after_noise, CanAnswer::Doubtful(_)), "{after_noise:?}");
        for past in [vec![], vec![noisy(&few)]] {
            let can_answer = prospect(&few, &past).can_answer;
            assert!(matches!(can_answer, CanAnswer::No(_)), "{can_answer:?}");
        }
    }
}
