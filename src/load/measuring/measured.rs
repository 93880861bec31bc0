//! What a mode has measured: the pieces that the record is put together from.

use std::cell::RefCell;
use std::ops::AddAssign;
use std::rc::Rc;
use std::time::Duration;

use super::super::error::LoadError;
use super::super::planning::{BlockPlan, StratumPlan};
use super::foreign::Opened;
use super::meter::Meter;
use super::recording::{recorder, recording_ns_per_claim};
use crate::cluster::{Cluster, Heirs};
use crate::machine::Arrangement;
use crate::workload::functions_called;
use reclaim_analysis::record::{
    CounterDelta, InjectedRecord, Inside, InvalidReason, LibraryInfo, Offered, Recorder, Staging, SteadyPart,
    StormRecord,
};
use reclaim_analysis::scenario::{Mode, Scenario};

/// A block that was measured.
pub(in crate::load) struct MeasuredBlock {
    pub plan: BlockPlan,
    pub claims: u64,
    pub duration: Duration,
    pub counters: CounterDelta,
    pub steady: Option<SteadyPart>,
    /// What the library of an instrumented arm counted in it.
    pub inside: Option<Inside>,
}

/// What it took to make executions claimable outside the window.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::load) struct Prepared {
    pub executions: u64,
    pub interruptions: u64,
    pub grants: u64,
    /// Grants for lost leases. Another function issues them: they are not in the mean of `grant_cpu_us`.
    pub reclaim_grants: u64,
    /// Main-thread CPU of all primaries for issuing the grants, in microseconds; 0 beside other generators,
    /// whose grants would be in it.
    pub grant_cpu_us: f64,
    pub took: Duration,
}

impl AddAssign for Prepared {
    fn add_assign(&mut self, more: Self) {
        self.executions += more.executions;
        self.interruptions += more.interruptions;
        self.grants += more.grants;
        self.reclaim_grants += more.reclaim_grants;
        self.grant_cpu_us += more.grant_cpu_us;
        self.took += more.took;
    }
}

impl Prepared {
    /// As the record has it.
    pub fn record(&self) -> Staging {
        Staging {
            executions: self.executions,
            interruptions: self.interruptions,
            grants: self.grants + self.reclaim_grants,
            duration_s: self.took.as_secs_f64(),
            grant_cpu_us: (self.grants > 0 && self.grant_cpu_us > 0.0)
                .then(|| self.grant_cpu_us / self.grants as f64),
        }
    }
}

/// All that one mode measured. The mode fills it in; what is read around its claims goes into its recorder and its
/// meter.
pub(in crate::load) struct Measured {
    pub plan_sha256: String,
    /// Each arm's library, in a library duet.
    pub arm_libraries: Vec<Option<LibraryInfo>>,
    pub prepared: Prepared,
    /// Behind a cell, because all claims in flight record into it.
    pub recorder: RefCell<Recorder>,
    /// What recording a claim costs the generator's thread.
    pub recording_ns_per_claim: f64,
    pub strata: Vec<StratumPlan>,
    pub blocks: Vec<MeasuredBlock>,
    pub meter: Meter,
    /// How long windows that stalled went on after something had last been done in them.
    pub waited: Duration,
    /// Claims on each primary, cluster after cluster.
    pub claims_by_primary: Vec<u64>,
    /// The schedules of an open loop's window.
    pub offered: Option<Offered>,
    /// Whether the generator had real-time priority in every open loop; `None` without one.
    pub real_time: Option<bool>,
    pub storm: Option<StormRecord>,
    /// When each window and block began, by the clock that several generators have in common.
    pub began_us: Vec<u64>,
    /// Executions of the whole plan.
    pub planned_executions: u32,
    /// What faults did, once the window is over.
    pub injected: Option<InjectedRecord>,
    pub invalid_reasons: Vec<InvalidReason>,
    /// What ended it before its time.
    pub ended_by: Option<LoadError>,
}

impl Measured {
    /// Nothing yet.
    pub fn nothing(scenario: &Scenario, clusters: &[Rc<Cluster>], arrangement: &Rc<Arrangement>) -> Self {
        let primaries = |cluster: &Rc<Cluster>| cluster.topology().primaries().len();
        let arms = scenario.variants.len();
        Self {
            plan_sha256: String::new(),
            arm_libraries: vec![None; arms],
            prepared: Prepared::default(),
            recorder: RefCell::new(recorder(scenario, [])),
            recording_ns_per_claim: recording_ns_per_claim(scenario),
            strata: Vec::new(),
            blocks: Vec::new(),
            meter: Meter::new(
                clusters.to_vec(),
                Rc::clone(arrangement),
                &functions(scenario),
                (Opened::expected_in(scenario), scenario.load.mode),
            ),
            claims_by_primary: vec![0; clusters.iter().map(primaries).sum()],
            offered: None,
            real_time: None,
            waited: Duration::ZERO,
            storm: None,
            began_us: Vec::new(),
            planned_executions: 0,
            injected: None,
            invalid_reasons: Vec::new(),
            ended_by: None,
        }
    }

    /// The faults of a window are over, where it has some, before the servers' counters are read: notes what
    /// they did, and that what has changed hands through them makes no run invalid.
    pub fn note_faults(&mut self, done: Option<(Heirs, InjectedRecord)>) {
        if let Some((heirs, injected)) = done {
            self.meter.excuse(heirs);
            self.injected = Some(injected);
        }
    }

    /// Notes whether one more open loop had real-time priority; `None` for a closed one.
    pub fn note_real_time(&mut self, given: Option<bool>) {
        if let Some(given) = given {
            self.real_time = Some(given && self.real_time != Some(false));
        }
    }
}

/// Functions that are called while claims are measured.
fn functions(scenario: &Scenario) -> Vec<&'static str> {
    if scenario.load.mode != Mode::Staged {
        return functions_called(scenario);
    }
    scenario.variants.iter().flat_map(|variant| variant.path.functions()).copied().collect()
}
