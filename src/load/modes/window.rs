//! The timed part of churn and storm: executions go round between two readings of the counters.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use ff_core::partition::{Partition, PartitionFamily};
use ff_core::types::ExecutionId;
use sha2::{Digest as _, Sha256};
use tokio::task::unconstrained;

use super::super::error::LoadError;
use super::super::faults::Faults;
use super::super::measuring::stretch::{self, Around, Beginning};
use super::super::measuring::{Measured, OpenStretch, recorder};
use super::super::observe::observe;
use super::super::planning::{ArmSequence, StratumPlan, hex};
use super::super::progress::Activity;
use super::super::session::Session;
use super::super::timing::{Pacer, Schedule};
use super::circulation::{Offer, STALL_LIMIT, circulate};
use super::grant_queue::GrantQueue;
use super::producer::LiveProducer;
use crate::workload::{ExecIndex, WorkloadError};
use reclaim_analysis::record::{InvalidReason, Offered, Recorder};
use reclaim_analysis::scenario::Mode;

/// A live producer and the tickets that wait for workers.
pub(super) struct Circuit<'a> {
    pub session: &'a Session<'a>,
    pub producer: LiveProducer<'a>,
    pub ready: GrantQueue,
}

/// One stretch in which executions went round.
pub(super) struct Turn {
    active: Duration,
    waited: Duration,
    stalled: bool,
    strata: Vec<StratumPlan>,
    /// By flow partition.
    taken: HashMap<u16, u64>,
    /// In an open loop, what its schedule offered.
    offered: Option<Offered>,
    /// In an open loop, whether the generator had real-time priority.
    pub real_time: Option<bool>,
    /// When it began, by the clock that several generators have in common.
    began_us: Option<u64>,
}

impl Turn {
    /// With what a schedule offered.
    pub fn offered(self, schedule: &Schedule) -> Self {
        let claims = schedule.offsets().len() as u64;
        Self { offered: Some(Offered { claims, schedule_s: schedule.length().as_secs_f64() }), ..self }
    }

    /// With when it began by the common clock and, in an open loop, whether the generator had real-time
    /// priority.
    pub fn begun(self, began_us: Option<u64>, real_time: Option<bool>) -> Self {
        Self { real_time, began_us, ..self }
    }
}

impl<'a> Circuit<'a> {
    /// Scanners for the primaries as they are now.
    pub fn new(session: &'a Session<'a>) -> Self {
        let topology = session.first_site().cluster.topology();
        let interval = session.scenario().grant.scan_interval;
        let producer = LiveProducer::new(
            &session.first_site().workload,
            &topology,
            interval,
            (session.cancel(), session.faults.as_ref()),
        );
        Self { session, producer, ready: GrantQueue::new(topology.primaries().len()) }
    }

    /// One stretch of claims as they are offered.
    pub async fn turn<P: Pacer, R: Future<Output = Result<(), WorkloadError>>>(
        &self,
        recorder: &RefCell<Recorder>,
        offer: Offer<'_, P, R>,
    ) -> Result<Turn, LoadError> {
        let session = self.session;
        let sequence = ArmSequence::new(session.scenario(), session.setup.seed, session.slice());
        let sequence = RefCell::new(sequence);
        let driver = session.driver(recorder);
        // For the same reason as the driver's own loops.
        let end = unconstrained(circulate(&driver, &self.producer, &sequence, offer, &self.ready)).await;
        // Whoever was told to end has done its part: it closes the window as ever, and others wait for that.
        match end.failure.filter(|failure| !matches!(failure, WorkloadError::Cancelled)) {
            Some(error) => Err(error.into()),
            None => Ok(Turn {
                active: end.active,
                waited: end.waited,
                stalled: end.stalled,
                strata: sequence.into_inner().into_strata(),
                taken: end.taken,
                offered: None,
                real_time: None,
                began_us: None,
            }),
        }
    }

    /// The timed part: `work` between two readings of the counters, with `total` claims where that is known.
    /// Several generators begin it together; where the run is to end before, it is left out.
    pub async fn window(
        &self,
        measured: &mut Measured,
        total: Option<u64>,
        work: impl AsyncFnOnce(&RefCell<Recorder>, Beginning) -> Result<Turn, LoadError>,
    ) -> Result<(), LoadError> {
        let session = self.session;
        session.watch().begin(Activity::Window, total);
        let around = Around { keep: true, inside: None };
        let watched = async |measured: &mut Measured,
                             open: &mut OpenStretch,
                             beginning: Beginning|
               -> Result<bool, LoadError> {
            let (zero, work) = (beginning.zero(), work(&measured.recorder, beginning));
            let turn = observe(session, measured, (zero, work)).await;
            measured.meter.claims_made(open);
            measured.note_faults(session.faults.as_ref().map(Faults::done));
            let turn = turn?;
            // Before the others are waited for, one of whom may be gone.
            measured.began_us.extend(turn.began_us);
            measured.waited += turn.waited;
            measured.strata = turn.strata;
            measured.offered = turn.offered;
            measured.note_real_time(turn.real_time);
            measured.claims_by_primary = self.by_primary(&turn.taken);
            let arms = 0..session.scenario().variants.len();
            measured.recorder.get_mut().end_batch(turn.active, arms);
            Ok(turn.stalled)
        };
        let Some(made) = stretch::around(session, measured, around, watched).await? else { return Ok(()) };
        // In a storm with a fault what is missing is held against what the servers lost.
        let may_miss = session.faults.is_some() && session.scenario().load.mode == Mode::Storm;
        if made.work && !may_miss {
            measured.invalid_reasons.push(InvalidReason::Infrastructure {
                detail: format!(
                    "no execution came back for {} s, so the window was ended",
                    STALL_LIMIT.as_secs()
                ),
            });
        }
        Ok(())
    }

    fn by_primary(&self, taken: &HashMap<u16, u64>) -> Vec<u64> {
        let topology = self.session.first_site().cluster.topology();
        let mut counts = vec![0; topology.primaries().len()];
        for (&index, &tickets) in taken {
            let partition = Partition { family: PartitionFamily::Execution, index };
            counts[usize::from(topology.owner_of(partition).0)] += tickets;
        }
        counts
    }
}

/// What is measured of a run in which executions go round, with nothing in it yet but its plan, once all its
/// generators have met; with the reason where they have not.
pub(super) async fn met(session: &Session<'_>) -> Measured {
    let scenario = session.scenario();
    let mut measured = Measured::nothing(scenario, session.setup.clusters, &session.arrangement);
    measured.plan_sha256 = circulation_digest(session);
    measured.planned_executions = scenario.population.executions;
    measured.recorder = RefCell::new(recorder(scenario, []).keeping_for_merging(!session.slice().is_whole()));
    measured.ended_by = session.meet(&measured.plan_sha256).await.err();
    measured
}

/// Closes the books of a run that ended before its window began: none of the claims that it was to make was
/// sent.
pub(super) fn close_books(session: &Session<'_>, measured: &Measured, claims: u64) {
    // A window that has begun has recorded every one of them itself.
    if measured.recorder.borrow().window().outcomes.is_none() {
        let sequence = ArmSequence::new(session.scenario(), session.setup.seed, session.slice());
        sequence.drop_next(claims, &measured.recorder);
    }
}

/// SHA-256 of who takes part and of the order of arms: all that the seed fixes where executions come round as
/// the cluster has them.
fn circulation_digest(session: &Session<'_>) -> String {
    let plan = session.first_site().workload.plan();
    let ids = (0..session.scenario().population.executions).map(|n| plan.execution_id(ExecIndex(n)));
    digest(ids, session.setup.seed, &session.trace)
}

fn digest(executions: impl Iterator<Item = ExecutionId>, seed: u64, trace: &[Duration]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"churn");
    for id in executions {
        hash.update(id.as_str());
    }
    hash.update(seed.to_le_bytes());
    for at in trace {
        hash.update(at.as_nanos().to_le_bytes());
    }
    hex(&hash.finalize())
}
