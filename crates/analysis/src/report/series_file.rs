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
        let policy = GatePolicy::from_scenario(&results.first()?.record.scenario);
        let ending = (self.wanted, self.repeated.ended_by.clone());
        let (repeated, gate) = concluded(&results, ending, &policy);
        Some(Self { gate, repeated, results, ..self })
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
