//! What a mode has measured: the pieces that the record is put together from.

use std::cell::{Cell, RefCell};
use std::ops::AddAssign;
use std::rc::Rc;
use std::time::Duration;

use super::error::LoadError;
use super::meter::Meter;
use super::planned::{BlockPlan, StratumPlan};
use crate::cluster::Cluster;
use crate::flowfabric::{ClaimExecution, ClaimResumedExecution, FUNCTIONS, IssueGrantAndClaim, Request as _};
use crate::machine::Arrangement;
use reclaim_analysis::record::{
    CounterDelta, Fault, LibraryInfo, Offered, Recorder, Staging, SteadyPart, StormRecord,
};
use reclaim_analysis::scenario::{Mode, Scenario, VariantPath, VariantSpec};

/// A block that was measured.
pub(super) struct MeasuredBlock {
    pub plan: BlockPlan,
    pub claims: u64,
    pub duration: Duration,
    pub counters: CounterDelta,
    pub steady: Option<SteadyPart>,
}

/// What it took to make executions claimable outside the window.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Prepared {
    pub executions: u64,
    pub interruptions: u64,
    pub grants: u64,
    /// Main-thread CPU of all primaries for issuing the grants, in microseconds.
    pub grant_cpu_us: f64,
    pub took: Duration,
}

impl AddAssign for Prepared {
    fn add_assign(&mut self, more: Self) {
        self.executions += more.executions;
        self.interruptions += more.interruptions;
        self.grants += more.grants;
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
            grants: self.grants,
            duration_s: self.took.as_secs_f64(),
            grant_cpu_us: (self.grants > 0 && self.grant_cpu_us > 0.0)
                .then(|| self.grant_cpu_us / self.grants as f64),
        }
    }
}

/// All that one mode measured. The mode that made it has filled it in; nobody else does.
pub(super) struct Measured {
    pub plan_sha256: String,
    /// Each arm's library, in a library duet.
    pub arm_libraries: Vec<Option<LibraryInfo>>,
    pub prepared: Prepared,
    /// Behind a cell, because all claims in flight record into it.
    pub recorder: RefCell<Recorder>,
    /// Finished seconds of it that whoever watches was told of.
    pub seconds_told: Cell<usize>,
    pub strata: Vec<StratumPlan>,
    pub blocks: Vec<MeasuredBlock>,
    pub meter: Meter,
    pub claims_by_primary: Vec<u64>,
    /// The schedules of an open loop's window.
    pub offered: Option<Offered>,
    /// Whether the generator had real-time priority in every open loop; `None` without one.
    pub real_time: Option<bool>,
    pub storm: Option<StormRecord>,
    pub faults: Vec<Fault>,
    /// What ended it before its time.
    pub ended_by: Option<LoadError>,
}

impl Measured {
    /// Nothing yet.
    pub fn nothing(scenario: &Scenario, cluster: &Rc<Cluster>, arrangement: &Rc<Arrangement>) -> Self {
        let arms = scenario.variants.len();
        Self {
            plan_sha256: String::new(),
            arm_libraries: vec![None; arms],
            prepared: Prepared::default(),
            recorder: RefCell::new(recorder(scenario, [])),
            seconds_told: Cell::new(0),
            strata: Vec::new(),
            blocks: Vec::new(),
            meter: Meter::new(Rc::clone(cluster), Rc::clone(arrangement), functions(scenario)),
            claims_by_primary: vec![0; cluster.topology().primaries().len()],
            offered: None,
            real_time: None,
            storm: None,
            faults: Vec::new(),
            ended_by: None,
        }
    }

    /// Notes whether one more open loop had real-time priority; `None` for a closed one.
    pub fn note_real_time(&mut self, given: Option<bool>) {
        if let Some(given) = given {
            self.real_time = Some(given && self.real_time != Some(false));
        }
    }
}

/// A recorder for the scenario's arms, and strata with these numbers of sides.
pub(super) fn recorder(scenario: &Scenario, sides: impl IntoIterator<Item = usize>) -> Recorder {
    Recorder::new(scenario.variants.len(), sides).keeping_responses(scenario.load.model.is_ramp())
}

/// Functions that are called while claims are measured.
fn functions(scenario: &Scenario) -> Vec<&'static str> {
    if scenario.load.mode != Mode::Staged {
        return FUNCTIONS.to_vec();
    }
    let of = |variant: &VariantSpec| match variant.path {
        VariantPath::FirstClaim | VariantPath::BareFirstClaim => ClaimExecution::WHAT,
        VariantPath::Fused => IssueGrantAndClaim::WHAT,
        _ => ClaimResumedExecution::WHAT,
    };
    scenario.variants.iter().map(of).collect()
}
