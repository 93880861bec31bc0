//! Before a run starts: how long it will take, and whether it can answer what it asks.

use std::path::Path;

use anyhow::bail;

use crate::load::ahead;
use crate::store::latest_runs;
use reclaim_analysis::judge::{CanAnswer, Prospect, prospect};
use reclaim_analysis::report;
use reclaim_analysis::scenario::Scenario;

/// Past results that are read for it, the latest ones.
const PAST: usize = 3;

/// Says how long so many runs of a scenario will take so many generators. Refuses one whose verdict would be
/// refused afterwards, unless it is to be made `anyway`. Where only earlier runs say so, which something else
/// may have disturbed, it is made, and what they say is said: the next one may be quieter.
pub(super) fn say_what_it_takes(
    scenarios: &[&Scenario],
    (runs, generators): (u32, u32),
    output: &Path,
    anyway: bool,
) -> anyhow::Result<String> {
    let Some(first) = scenarios.first() else { return Ok(String::new()) };
    let past = latest_runs(output, &first.name, PAST);
    let mut seconds = 0.0;
    let mut claims = Some(0);
    let mut doubt = String::new();
    for scenario in scenarios {
        // Those of a sweep have loads of their own.
        let Prospect { forecast, can_answer } = prospect(scenario, &past);
        match can_answer {
            CanAnswer::No(shortfall) if !anyway => {
                let shortfall = report::shortfall(&shortfall);
                bail!("{}: {shortfall}; --anyway makes the run without a verdict", scenario.name);
            }
            CanAnswer::Doubtful(shortfall) if !anyway => {
                let shortfall = report::shortfall(&shortfall);
                doubt = format!(". It may end without a verdict: as noisy as the runs before, {shortfall}");
            }
            CanAnswer::Yes | CanAnswer::Doubtful(_) | CanAnswer::No(_) => {}
        }
        seconds += forecast.length.as_secs_f64();
        if generators > 1 {
            seconds += forecast.stretches as f64 * ahead(generators).as_secs_f64();
        }
        claims = claims.zip(forecast.claims).map(|(sum, more)| sum + more);
    }
    let claims = claims.map_or_else(String::new, |claims| format!(", {} claims", claims * u64::from(runs)));
    Ok(format!("about {}{claims}{doubt}", report::length(seconds * f64::from(runs))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::host;
    use crate::store::{ResultDir, read_run};
    use reclaim_analysis::scenario::{Draft, Override, Shipped};

    fn lane_ab(claims: &str) -> Scenario {
        changed(&[("load.claims", claims)])
    }

    /// Too few claims for the noise threshold, in strata that are large enough.
    fn few() -> Scenario {
        changed(&[("load.claims", "2000"), ("compare.strata", "50")])
    }

    fn changed(changes: &[(&str, &str)]) -> Scenario {
        let set = |(key, value): &(&str, &str)| Override {
            shown: "--set".into(),
            key: (*key).into(),
            value: Some((*value).into()),
        };
        let text = Shipped::find("lane-ab").unwrap().text;
        Draft::new("lane-ab", text).with(&changes.iter().map(set).collect::<Vec<_>>()).check().unwrap()
    }

    #[test]
    fn a_run_that_can_answer_says_how_long_it_will_take() {
        let nowhere = Path::new("/nonexistent");
        let said = say_what_it_takes(&[&lane_ab("20000")], (1, 1), nowhere, false).unwrap();
        assert!(said.starts_with("about ") && said.ends_with(" claims"), "{said}");
        let thrice = say_what_it_takes(&[&lane_ab("20000")], (3, 1), nowhere, false).unwrap();
        assert!(thrice.contains(" min, "), "{thrice}");
        let by_hundreds = say_what_it_takes(&[&lane_ab("20000")], (1, 1_000), nowhere, false).unwrap();
        assert_ne!(said, by_hundreds, "they wait for each other");
    }

    #[test]
    fn a_run_that_cannot_is_refused_unless_it_is_wanted_anyway() {
        let nowhere = Path::new("/nonexistent");
        let refused = say_what_it_takes(&[&few()], (1, 1), nowhere, false).unwrap_err().to_string();
        assert!(
            refused.starts_with("lane-ab: 2000 claims cannot show 3 %") && refused.contains("--anyway"),
            "{refused}"
        );
        assert!(say_what_it_takes(&[&few()], (1, 1), nowhere, true).is_ok());
    }

    /// One run beside a compiler must not forbid the next.
    #[test]
    fn earlier_runs_that_were_noisy_are_told_of_and_forbid_nothing() {
        let output = tempfile::tempdir().unwrap();
        let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/reference/lane-ab");
        let mut noisy = read_run(&reference).unwrap();
        noisy.record.environment.host = host();
        let ratio = noisy.control.as_mut().unwrap().ratio.as_mut().unwrap();
        (ratio.low, ratio.high) = (0.7, 1.4);
        ResultDir::create(output.path(), "lane-ab").unwrap().store_run(&noisy).unwrap();
        assert_eq!(latest_runs(output.path(), "lane-ab", PAST).len(), 1);
        let said = say_what_it_takes(&[&lane_ab("20000")], (1, 1), output.path(), false).unwrap();
        assert!(said.starts_with("about ") && said.contains("as noisy as the runs before"), "{said}");
        let far = changed(&[("load.claims", "20000"), ("load.network.added_rtt", "1ms")]);
        let said = say_what_it_takes(&[&far], (1, 1), output.path(), false).unwrap();
        assert!(!said.contains("as noisy as"), "they were made without that network: {said}");
        assert!(say_what_it_takes(&[&few()], (1, 1), output.path(), false).is_err());
    }
}
