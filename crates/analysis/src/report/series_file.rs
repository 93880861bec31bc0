//! What several runs of one scenario have come to, as it is stored.

use serde::{Deserialize, Serialize, Serializer};

use crate::json::{from_json, to_json_file};
use crate::judge::{self, Conclusion, Finding, Gate, GatePolicy, Repeated, RunResult};
use crate::scenario::ScenarioFile;

use super::ci::{junit_repeated, pull_request_repeated};
use super::{findings, markdown, series};

/// What `repeat.json` says of itself.
pub const SERIES_SCHEMA: &str = "reclaim-bench/repeat-1";

/// `repeat.json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Series {
    schema: String,
    /// The scenario's name, with the simulated network where there is one: once a run is there.
    pub scenario: String,
    seed: u64,
    /// Runs that were asked for; fewer are there where the series was interrupted.
    wanted: u32,
    /// Directories of the runs, beside this file.
    runs: Vec<String>,
    /// What all runs come to; it follows from them, as does the rest.
    #[serde(skip_deserializing, serialize_with = "in_words")]
    pub gate: Gate,
    /// The estimates over all runs.
    #[serde(flatten)]
    pub repeated: Repeated,
    /// The runs themselves, which have files of their own.
    #[serde(skip)]
    pub results: Vec<RunResult>,
}

to_json_file!(Series);
from_json!(Series);

impl Series {
    /// One of `wanted` runs of this scenario, without a run so far.
    pub fn begin(scenario: &ScenarioFile, seed: u64, wanted: u32) -> Self {
        Self {
            schema: SERIES_SCHEMA.to_owned(),
            scenario: scenario.name.clone(),
            seed,
            wanted,
            runs: Vec::new(),
            gate: Gate::default(),
            repeated: judge::repeat(&[], wanted.into()),
            results: Vec::new(),
        }
    }

    /// Adds a run, which is stored in the directory `own`, and concludes again.
    pub fn add(&mut self, result: RunResult, own: String) {
        self.scenario = result.record.label();
        self.runs.push(own);
        self.results.push(result);
        let policy = GatePolicy::from_scenario(&self.results[0].record.scenario);
        (self.repeated, self.gate) = concluded(&self.results, (self.wanted, None), &policy);
    }

    /// Says that an error ended it before all of its runs were made, and concludes again.
    pub fn end(&mut self, error: String) {
        let Some(first) = self.results.first() else { return };
        let policy = GatePolicy::from_scenario(&first.record.scenario);
        (self.repeated, self.gate) = concluded(&self.results, (self.wanted, Some(error)), &policy);
    }

    /// The directories of its runs, beside its file.
    pub fn runs(&self) -> &[String] {
        &self.runs
    }

    /// Concludes again, from the runs' own results; `None` where there are none.
    pub fn with_results(self, results: Vec<RunResult>) -> Option<Self> {
        let first = &results.first()?.record;
        let (scenario, policy) = (first.label(), GatePolicy::from_scenario(&first.scenario));
        let ending = (self.wanted, self.repeated.ended_by.clone());
        let (repeated, gate) = concluded(&results, ending, &policy);
        Some(Self { scenario, gate, repeated, results, ..self })
    }

    /// For a pull request, or a job's summary.
    pub fn pull_request(&self) -> String {
        pull_request_repeated(&self.repeated, &self.gate, &self.results)
    }

    /// For a build server.
    pub fn junit(&self) -> String {
        junit_repeated(&self.repeated, &self.gate, &self.results)
    }

    /// For people.
    pub fn markdown(&self) -> String {
        markdown::render(&series::answered(&self.scenario, &self.repeated, &self.gate))
    }
}

/// A gate as other programs read it: each finding with its sentence.
fn in_words<S: Serializer>(gate: &Gate, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Said {
        conclusion: Conclusion,
        text: String,
    }
    #[derive(Serialize)]
    struct InWords {
        conclusion: Conclusion,
        findings: Vec<Said>,
    }
    let said = |finding: &Finding| Said { conclusion: finding.conclusion, text: findings::finding(finding) };
    let findings = gate.findings.iter().map(said).collect();
    InWords { conclusion: gate.conclusion, findings }.serialize(serializer)
}

/// What runs come to, of so many that were wanted and with the error that ended them, if one did.
fn concluded(
    results: &[RunResult],
    (wanted, ended_by): (u32, Option<String>),
    policy: &GatePolicy,
) -> (Repeated, Gate) {
    let repeated = Repeated { ended_by, ..judge::repeat(results, wanted.into()) };
    let gate = judge::gate_repeated(results, &repeated, policy);
    (repeated, gate)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::remarks_repeated;
    use super::*;
    use crate::judge::fixtures::{self, GRANT_LANE, HGET_LANE, SimulatedArm, scenario, spread};
    use crate::judge::spoilt_fixture::{held_to, interrupted, must_recover_within};
    use crate::judge::{analyse, analyse_as, fault_fixture};
    use crate::record::{AddedRoundTrip, RunRecord, Warning};
    use crate::scenario::{FaultKind, HumanDuration};

    const ARMS: [SimulatedArm; 2] = [GRANT_LANE, HGET_LANE];

    fn series(change: impl Fn(usize, &mut RunRecord)) -> Series {
        let run = |n: usize| {
            let mut record = fixtures::record(&ARMS, n as u64);
            change(n, &mut record);
            analyse(record).unwrap()
        };
        let results: Vec<RunResult> = (0..3).map(run).collect();
        let mut series = Series::begin(&results[0].record.scenario, 1, 3);
        for (n, result) in results.into_iter().enumerate() {
            series.add(result, format!("run-{n}"));
        }
        series
    }

    /// In text without line breaks.
    fn text(series: &Series) -> String {
        let Series { scenario, repeated, gate, .. } = series;
        crate::report::repeated_text(scenario, repeated, gate, None).replace("\n    ", " ").replace('\n', " ")
    }

    /// Figures with and without it must never stand under one name.
    #[test]
    fn a_series_over_a_simulated_network_says_so_in_every_form_also_where_its_file_does_not() {
        let series = series(|_, record| {
            record.scenario.load.network.added_rtt = HumanDuration::from_millis(1);
            record.added_rtt = Some(AddedRoundTrip { asked_us: 1_000.0, given: spread(500, 1_030.0, 1) });
        });
        let mut file = serde_json::to_value(&series).unwrap();
        file["scenario"] = "lane-ab".into();
        let stored: Series = serde_json::from_value(file).unwrap();
        let read = stored.with_results(series.results.clone()).unwrap();
        for series in [&series, &read] {
            let page = crate::report::html::series(&[(&series.scenario, &series.repeated, &series.gate)]);
            for said in [text(series), series.markdown(), page] {
                assert!(said.contains("lane-ab (+1ms RTT), 3 runs"), "{said}");
                assert!(
                    said.contains("SIMULATED NETWORK: the tool held every reply of a claim back ("),
                    "{said}"
                );
            }
        }
        let without = self::series(|_, _| ());
        assert_eq!(without.scenario, "lane-ab");
        assert!(!text(&without).contains("SIMULATED"));
    }

    #[test]
    fn a_series_says_what_its_runs_warn_of_in_how_many_of_them_and_where_they_were_made() {
        let series = series(|n, record| {
            record.warnings.push(Warning::SharedMachine { cores: 2 });
            if n > 0 {
                record.warnings.push(Warning::BusyMachine { share: 0.1 * n as f64 });
            }
            if n == 2 {
                record.warnings.push(Warning::NoRealTime);
            }
        });
        let text = text(&series);
        for said in [
            "Keep in mind   - generator and servers share 2 cores: ",
            " - in 2 of 3 runs, each with its own figures; in run 2: other programs took 10 % of the machine",
            " - in 1 of 3 runs: the generator had no real-time priority",
            "Where this was measured   - machine: ",
        ] {
            assert_eq!(text.matches(said).count(), 1, "{said} in\n{text}");
        }
    }

    /// Numbers are names as well, and one figure may be in another unit than the next.
    #[test]
    fn warnings_of_a_series_are_told_apart_by_what_they_are_of_and_not_by_their_figures() {
        let of_part = |part| Warning::OfGenerator { part, what: Box::new(Warning::NoRealTime) };
        let failed = |arm: &str, errors| Warning::Errors { arm: arm.to_owned(), errors, sent: 100 };
        let late = |p99_us| Warning::LateSends { p99_us, limit_us: 500.0 };
        let outlasted = |number| Warning::FaultOutlastedLoad { number, kind: FaultKind::Kill, by_s: 1.0 };
        let warned = [
            vec![of_part(1), failed("lib-14", 3), late(900.0), outlasted(0)],
            vec![of_part(2), failed("lib-15", 3), late(1_100_000.0), outlasted(1)],
            vec![of_part(2), failed("lib-15", 3)],
        ];
        let series = series(|n, record| record.warnings.clone_from(&warned[n]));
        let told = remarks_repeated::remarks(&series.repeated);
        let begins = [
            "in 1 of 3 runs: of generator 1: ",
            "in 1 of 3 runs: 3 of 100 claims of lib-14 failed",
            "in 2 of 3 runs, each with its own figures; in run 1: claims were sent 900",
            "in 1 of 3 runs: ",
            "in 2 of 3 runs: of generator 2: ",
            "in 2 of 3 runs: 3 of 100 claims of lib-15 failed",
            "in 1 of 3 runs: ",
        ];
        assert_eq!(told.len(), begins.len(), "{told:?}");
        for (said, begin) in told.iter().zip(begins) {
            assert!(said.starts_with(begin), "{said}");
        }
    }

    /// Each run's suite has a failing case of it, gate or no gate.
    #[test]
    fn a_series_says_in_every_form_in_how_many_runs_its_service_level_was_kept() {
        let quick = ARMS.map(|arm| SimulatedArm { slower: arm.slower / 2.0, ..arm });
        assert!(!text(&series(|_, _| ())).contains("Service level"), "none was asked for");
        for enforce in [false, true] {
            // The second one was twice as fast, the third one was stopped.
            let series = series(|n, record| {
                match n {
                    1 => *record = fixtures::record(&quick, 1),
                    2 => interrupted(record),
                    _ => (),
                }
                held_to(record, Duration::from_micros(200));
                record.scenario.gate.enforce = enforce;
            });
            let page = crate::report::html::series(&[(&series.scenario, &series.repeated, &series.gate)]);
            for said in [text(&series), series.markdown(), series.pull_request(), page] {
                let level = "of the service time (a closed loop has no response time): grant-lane (MISSED in 1 of 3 runs, \
                             kept in 1, not judged in 1), hget-lane (MISSED in 1 of 3 runs, kept in 1, not judged in 1).";
                assert!(said.contains(level), "{said}");
            }
        }
    }

    #[test]
    fn a_series_says_in_how_many_runs_all_was_as_before_in_time_after_a_fault() {
        let mut record = fault_fixture::outage(8.0, 2.05);
        must_recover_within(&mut record, Duration::from_secs(2));
        let result = analyse_as(record, &scenario(&[GRANT_LANE]));
        let mut series = Series::begin(&result.record.scenario, 1, 2);
        series.add(result.clone(), "run-0".to_owned());
        series.add(result, "run-1".to_owned());
        let said = "Recovery within 2.00 s: after the pause (MISSED in 2 of 2 runs).";
        assert!(text(&series).contains(said), "{}", text(&series));
        assert!(series.pull_request().contains(said), "{}", series.pull_request());
    }

    #[test]
    fn a_run_that_was_ended_early_is_not_listed_as_valid() {
        let series = series(|n, record| record.partial = n == 1);
        let text = text(&series);
        assert_eq!(text.matches(", valid, ").count(), 2, "{text}");
        assert_eq!(text.matches(", ended early, left out, ").count(), 1, "{text}");
    }
}
