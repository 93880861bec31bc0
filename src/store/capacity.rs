//! Stored capacity searches: what was asked, and every probe as a result of its own.

use std::fs;
use std::path::Path;

use super::error::StoreError;
use super::file_names::{self, CAPACITY, CAPACITY_CURVE, CAPACITY_KNEE, PAGE, RESULT};
use super::json::{Format, bytes, document};
use super::result_dir::ResultDir;
use super::run_files::read_run;
use reclaim_analysis::judge::capacity::{
    CAPACITY_SCHEMA, Capacity, CapacityPlan, Probe, ProbeLoad, ProbeVerdict,
};
use reclaim_analysis::judge::{self, RunResult};
use reclaim_analysis::record::Tool;
use reclaim_analysis::report;

/// `capacity.json`.
const FORMAT: Format = Format { now: CAPACITY_SCHEMA, before: None, what: "a capacity search" };

impl ResultDir {
    /// Replaces what a capacity search has come to so far; its probes have directories of their own in here.
    pub fn store_capacity(&self, capacity: &Capacity) -> Result<(), StoreError> {
        let json = bytes(CAPACITY, capacity)?;
        self.put_summary(&report::capacity_markdown(capacity))?;
        self.put(PAGE, report::html::capacities(&[capacity]).as_bytes())?;
        self.put(CAPACITY_CURVE, report::capacity_csv(capacity).as_bytes())?;
        self.put(CAPACITY, &json)?;
        report::capacity_svg(capacity).map_or(Ok(()), |picture| self.put(CAPACITY_KNEE, picture.as_bytes()))
    }
}

/// A search with its probes.
pub struct StoredCapacity {
    /// What was asked.
    pub plan: CapacityPlan,
    /// The probes, in the order made.
    pub probes: Vec<Probe>,
    /// The result of the first one that says something: of one in which a generator died there is a part
    /// alone. The first of all where none does.
    first: Option<RunResult>,
    /// The tools that made them, each once.
    tools: Vec<Tool>,
    /// Directories there are, of unfinished probes too.
    pub made: usize,
}

impl StoredCapacity {
    /// A search without probes.
    pub fn new(plan: CapacityPlan) -> Self {
        Self { plan, probes: Vec::new(), first: None, tools: Vec::new(), made: 0 }
    }

    /// Reads a search, given as its directory or its `capacity.json`. Everything but what was asked comes
    /// from the probes' own results and is computed again.
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        let (dir, file) = file_names::parts(path, CAPACITY);
        let plan = document(&file, &FORMAT)?;
        let mut stored = Self::new(plan);
        let mut names: Vec<String> = fs::read_dir(&dir)
            .map_err(|source| StoreError::File { doing: "read", path: dir.clone(), source })?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| number(name).is_some())
            .collect();
        names.sort_by_key(|name| number(name));
        for name in names {
            stored.made = stored.made.max(number(&name).unwrap_or_default());
            let probe = dir.join(&name);
            if probe.join(RESULT).exists() {
                let record = read_run(&probe)?.record;
                let result = judge::analyse(record)
                    .map_err(|source| StoreError::Scenario { path: probe.clone(), source })?;
                stored.add(result, &name);
            }
        }
        Ok(stored)
    }

    /// Takes a probe in. One that was interrupted says nothing.
    pub fn add(&mut self, result: RunResult, dir: &str) {
        let probe = Probe::from_result(&result, dir, self.plan.policy.slo_us);
        let Some(probe) = probe.filter(|_| !result.record.partial) else { return };
        if !self.tools.contains(&result.record.tool) {
            self.tools.push(result.record.tool.clone());
        }
        if self.first.is_none() || (says_something(&probe) && self.first_that_says_something().is_none()) {
            self.first = Some(result);
        }
        self.probes.push(probe);
    }

    /// The result by which all others are told to be of one search; `None` where no probe says anything.
    pub fn first_that_says_something(&self) -> Option<&RunResult> {
        self.first.as_ref().filter(|_| self.probes.iter().any(says_something))
    }

    /// What the probes come to.
    pub fn conclude(&self) -> Capacity {
        let capacity = Capacity::conclude(self.plan.clone(), self.probes.clone(), self.first.as_ref());
        let tools = if self.tools.len() > 1 { self.tools.clone() } else { Vec::new() };
        Capacity { tools, ..capacity }
    }

    /// Name of the directory for the next probe. Its number keeps the order.
    pub fn next_dir(&mut self, offer: ProbeLoad) -> String {
        self.made += 1;
        match offer {
            ProbeLoad::Open { rate_per_s } => format!("{:03}-open-{rate_per_s}", self.made),
            ProbeLoad::Closed { concurrency } => format!("{:03}-closed-{concurrency}", self.made),
        }
    }
}

fn number(name: &str) -> Option<usize> {
    name.split_once('-')?.0.parse().ok()
}

fn says_something(probe: &Probe) -> bool {
    probe.verdict != ProbeVerdict::Invalid
}

#[cfg(test)]
mod tests {
    use super::*;
    use reclaim_analysis::judge::capacity::simulated::{Simulated, policy};
    use reclaim_analysis::judge::fixtures::generator;
    use reclaim_analysis::record::{InvalidReason, PartNote, RunRecord};

    const OFFER: ProbeLoad = ProbeLoad::Open { rate_per_s: 500.0 };

    /// Probes of two generators, after changes.
    fn stored(changes: &[&dyn Fn(&mut RunRecord)]) -> StoredCapacity {
        let usual = Simulated::serving(2_000.0).run(OFFER, 1).record;
        let scenario = usual.scenario.clone();
        let mut stored =
            StoredCapacity::new(CapacityPlan { scenario, seed: 1, policy: policy(), stopped: None });
        for (n, change) in changes.iter().enumerate() {
            let mut record = RunRecord { generators: (1..=2).map(generator).collect(), ..usual.clone() };
            change(&mut record);
            stored.add(judge::analyse(record).unwrap(), &format!("{:03}-open-500", n + 1));
        }
        stored
    }

    fn usual(_: &mut RunRecord) {}

    /// What the first part alone has where another one died.
    fn broke_off(record: &mut RunRecord) {
        let note = PartNote { number: 1, of: 2, rendezvous: "night".into(), began_us: vec![1] };
        (record.part, record.generators) = (Some(note), Vec::new());
        record.invalid_reasons.push(InvalidReason::Infrastructure { detail: "generator 2 is gone".into() });
    }

    #[test]
    fn a_search_is_known_by_its_first_probe_that_says_something() {
        let generators = |stored: &StoredCapacity| {
            stored.first_that_says_something().map(|first| first.record.generators.len())
        };
        assert_eq!(generators(&stored(&[])), None);
        let none = stored(&[&broke_off, &broke_off]);
        assert_eq!((none.probes.len(), generators(&none)), (2, None));
        assert!(none.conclude().environment.is_some(), "what is there is shown");
        let later = stored(&[&broke_off, &usual, &broke_off]);
        assert_eq!((generators(&later), later.conclude().generators), (Some(2), Some(2)));
        // One that was stopped is no probe.
        assert_eq!(stored(&[&|record: &mut RunRecord| record.partial = true]).probes, []);
    }

    #[test]
    fn tools_are_named_where_there_were_several() {
        let other = |record: &mut RunRecord| record.tool.commit = "fedcba9".into();
        assert_eq!(stored(&[&usual, &usual]).conclude().tools, []);
        let several = stored(&[&usual, &other, &usual]).conclude();
        let commits: Vec<&str> = several.tools.iter().map(|tool| tool.commit.as_str()).collect();
        assert_eq!(commits, ["0123456", "fedcba9"]);
    }
}
