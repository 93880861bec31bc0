//! Stored capacity searches: what was asked, and every probe as a result of its own.

use std::fs;
use std::path::Path;

use super::error::StoreError;
use super::json::{Format, bytes, document};
use super::layout::{self, CAPACITY, CAPACITY_CURVE, CAPACITY_KNEE, PAGE, RESULT};
use super::result_dir::ResultDir;
use super::run::read_run;
use reclaim_analysis::judge::capacity::{CAPACITY_SCHEMA, Capacity, CapacityPlan, Probe, ProbeLoad};
use reclaim_analysis::judge::{self, RunResult};
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
    /// The result of the first one.
    pub first: Option<RunResult>,
    /// Directories there are, of unfinished probes too.
    pub made: usize,
}

impl StoredCapacity {
    /// A search without probes.
    pub fn new(plan: CapacityPlan) -> Self {
        Self { plan, probes: Vec::new(), first: None, made: 0 }
    }

    /// Reads a search, given as its directory or its `capacity.json`. Everything but what was asked comes
    /// from the probes' own results and is computed again.
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        let (dir, file) = layout::parts(path, CAPACITY);
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
        if let Some(probe) = probe.filter(|_| !result.record.partial) {
            self.probes.push(probe);
            self.first.get_or_insert(result);
        }
    }

    /// What the probes come to.
    pub fn conclude(&self) -> Capacity {
        Capacity::conclude(self.plan.clone(), self.probes.clone(), self.first.as_ref())
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
