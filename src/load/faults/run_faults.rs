//! What a run with faults has beyond one without.

use std::rc::Rc;
use std::time::Duration;

use super::fault_log::FaultLog;
use super::following::Follower;
use crate::cluster::{Cluster, FaultError, Heirs};
use reclaim_analysis::record::InjectedRecord;
use reclaim_analysis::scenario::{Amount, FaultKind, FaultSpec, Model, Scenario};

/// The log of its faults, and who follows the cluster through them.
pub(in crate::load) struct Faults {
    pub log: Rc<FaultLog>,
    pub follower: Rc<Follower>,
}

impl Faults {
    /// For a scenario with faults; refuses those that this cluster cannot have.
    pub fn new(cluster: &Rc<Cluster>, scenario: &Scenario) -> Result<Option<Self>, FaultError> {
        if scenario.faults.is_empty() {
            return Ok(None);
        }
        let any = |needs: fn(FaultKind) -> bool| scenario.faults.iter().any(|fault| needs(fault.kind));
        let addr = || cluster.topology().primaries()[0].addr.clone();
        if any(FaultKind::needs_process) && !cluster.owned() {
            return Err(FaultError::NotOurs { addr: addr() });
        }
        if any(FaultKind::needs_networks) && !cluster.can_cut_off() {
            return Err(FaultError::NotApart { addr: addr() });
        }
        let moving = |fault: &&FaultSpec| fault.kind == FaultKind::MoveSlots;
        if let Some(fault) = scenario.faults.iter().find(moving) {
            cluster.way_of_moving(fault.how)?;
        }
        let log = Rc::new(FaultLog::new(&scenario.faults, window(scenario)));
        Ok(Some(Self { log, follower: Rc::new(Follower::new(Rc::clone(cluster))) }))
    }

    /// What they did in a window that is over: who took over from whom, and the record.
    pub fn done(&self) -> (Heirs, InjectedRecord) {
        (self.log.heirs(), self.log.record())
    }
}

/// About how long the window lasts.
fn window(scenario: &Scenario) -> Duration {
    match (scenario.load.amount, &scenario.load.model) {
        (Amount::Duration(duration), _) => duration,
        (Amount::Claims(claims), Model::Open { rate_per_sec, .. }) => {
            Duration::try_from_secs_f64(claims as f64 / rate_per_sec).unwrap_or_default()
        }
        _ => Duration::ZERO,
    }
}
