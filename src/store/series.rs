//! What several runs of one scenario have come to.

use std::path::Path;

use serde::{Deserialize, Serialize, Serializer};

use super::error::StoreError;
use super::json::{Format, bytes, document};
use super::layout::{self, PAGE, SERIES};
use super::result_dir::ResultDir;
use super::run::read_run;
use reclaim_analysis::judge::{self, Conclusion, Finding, Gate, GatePolicy, Repeated, RunResult};
use reclaim_analysis::report;
use reclaim_analysis::scenario::ScenarioFile;

/// Value of [`Series::schema`].
const SCHEMA: &str = "reclaim-bench/repeat-1";

/// `repeat.json`.
const FORMAT: Format = Format { now: SCHEMA, before: None, what: "a series of runs" };

/// `repeat.json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Series {
    schema: String,
    /// The scenario's name.
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

impl Series {
    /// One of `wanted` runs of this scenario, without a run so far.
    pub fn begin(scenario: &ScenarioFile, seed: u64, wanted: u32) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
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

    /// Reads a series, given as its directory or its `repeat.json`. What it concludes comes from the runs' own
    /// results.
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        let (dir, file) = layout::parts(path, SERIES);
        let stored: Self = document(&file, &FORMAT)?;
        let read = |own: &String| {
            read_run(&dir.join(own)).map_err(|source| StoreError::Part {
                of: format!("the run {own} of the series"),
                source: Box::new(source),
            })
        };
        let results = stored.runs.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let Some(first) = results.first() else {
            return Err(StoreError::Contradictory { path: file, what: "it names no run".to_owned() });
        };
        let policy = GatePolicy::from_scenario(&first.record.scenario);
        let ending = (stored.wanted, stored.repeated.ended_by.clone());
        let (repeated, gate) = concluded(&results, ending, &policy);
        Ok(Self { gate, repeated, results, ..stored })
    }

    /// For a pull request, or a job's summary.
    pub fn pull_request(&self) -> String {
        report::ci::pull_request_repeated(&self.repeated, &self.gate, &self.results)
    }

    /// For a build server.
    pub fn junit(&self) -> String {
        report::ci::junit_repeated(&self.repeated, &self.gate, &self.results)
    }

    /// For people.
    pub fn markdown(&self) -> String {
        report::repeated_markdown(&self.scenario, &self.repeated, &self.gate)
    }
}

impl ResultDir {
    /// Replaces what a series of runs has come to so far; the runs themselves have directories of their own in here.
    pub fn store_series(&self, series: &Series) -> Result<(), StoreError> {
        let json = bytes(SERIES, series)?;
        self.put_summary(&series.markdown())?;
        let page = report::html::series(&[(&series.scenario, &series.repeated, &series.gate)]);
        self.put(PAGE, page.as_bytes())?;
        self.put(SERIES, &json)
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
    let said = |finding: &Finding| Said { conclusion: finding.conclusion, text: report::finding(finding) };
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
    use super::*;
    use reclaim_analysis::judge::analyse_as;
    use reclaim_analysis::judge::fixtures::{GRANT_LANE, record, scenario};

    /// Neither an interruption nor a pass: whoever reads the series later finds the error, in words and in figures.
    #[test]
    fn an_error_that_ended_a_series_is_kept_and_is_the_reason() {
        let output = tempfile::tempdir().unwrap();
        let dir = ResultDir::create(output.path(), "x-repeat").unwrap();
        let own = ResultDir::create(dir.path(), "x").unwrap();
        let mut record = record(&[GRANT_LANE], 1);
        record.scenario.gate.enforce = true;
        let result = analyse_as(record, &scenario(&[GRANT_LANE]));
        own.store_run(&result).unwrap();
        let mut series = Series::begin(&result.record.scenario.clone(), 1, 3);
        series.add(result, own.name());
        assert!(series.markdown().contains("exit 130"), "so far it is one that was cut short");
        series.end("the server did not start".to_owned());
        dir.store_series(&series).unwrap();
        let read = Series::read(dir.path()).unwrap();
        for series in [&series, &read] {
            assert_eq!(series.gate.conclusion, Conclusion::Invalid);
            for text in [series.markdown(), series.pull_request(), series.junit()] {
                assert!(text.contains("the server did not start") && !text.contains("130"), "{text}");
            }
            assert!(series.markdown().contains("(exit 2)"));
        }
        for name in [SERIES, "summary.md", PAGE] {
            let text = std::fs::read_to_string(dir.path().join(name)).unwrap();
            assert!(text.contains("the server did not start"), "{name}: {text}");
        }
    }
}
