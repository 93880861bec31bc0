//! The timed part of churn and storm: executions go round between two readings of the counters.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use ff_core::partition::{Partition, PartitionFamily};
use ff_core::types::ExecutionId;
use sha2::{Digest as _, Sha256};
use tokio::task::unconstrained;

use super::arms::ArmSequence;
use super::circulation::{Offer, circulate};
use super::digest::hex;
use super::error::LoadError;
use super::injector;
use super::measured::Measured;
use super::observe::observe;
use super::pacer::Pacer;
use super::planned::StratumPlan;
use super::producer::LiveProducer;
use super::progress::Activity;
use super::queue::GrantQueue;
use super::session::Session;
use crate::workload::{ExecIndex, WorkloadError};
use reclaim_analysis::record::{Fault, Recorder};
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
    stalled: bool,
    strata: Vec<StratumPlan>,
    /// By flow partition.
    taken: HashMap<u16, u64>,
    /// In an open loop, whether the generator had real-time priority.
    pub real_time: Option<bool>,
}

impl<'a> Circuit<'a> {
    /// Scanners for the primaries as they are now.
    pub fn new(session: &'a Session<'a>) -> Self {
        let topology = session.cluster.topology();
        let interval = session.scenario().grant.scan_interval;
        let producer = LiveProducer::new(
            &session.workload,
            &topology,
            interval,
            (session.cancel(), session.faults.as_ref()),
        );
        Self { session, producer, ready: GrantQueue::new(topology.primaries().len(), []) }
    }

    /// One stretch of claims as they are offered.
    pub async fn turn<P: Pacer, R: Future<Output = Result<(), WorkloadError>>>(
        &self,
        recorder: &RefCell<Recorder>,
        offer: Offer<'_, P, R>,
    ) -> Result<Turn, LoadError> {
        let session = self.session;
        let sequence = RefCell::new(ArmSequence::new(session.scenario(), session.setup.seed));
        let driver = session.driver(recorder);
        // For the same reason as the driver's own loops.
        let end = unconstrained(circulate(&driver, &self.producer, &sequence, offer, &self.ready)).await;
        match end.failure {
            Some(error) => Err(error.into()),
            None => Ok(Turn {
                active: end.active,
                stalled: end.stalled,
                strata: sequence.into_inner().into_strata(),
                taken: end.taken,
                real_time: None,
            }),
        }
    }

    /// The timed part: `work` between two readings of the counters, with `total` claims where that is known.
    pub async fn window(
        &self,
        measured: &mut Measured,
        total: Option<u64>,
        work: impl AsyncFnOnce(&RefCell<Recorder>) -> Result<Turn, LoadError>,
    ) -> Result<(), LoadError> {
        let session = self.session;
        session.watch().begin(Activity::Window, total);
        let before = measured.meter.begin().await?;
        let turn = observe(session, measured, work(&measured.recorder)).await;
        injector::close(session, measured);
        let turn = turn?;
        measured.meter.end(before, true, &[]).await?;
        measured.strata = turn.strata;
        measured.note_real_time(turn.real_time);
        let arms = 0..session.scenario().variants.len();
        measured.recorder.get_mut().end_batch(turn.active, arms);
        // In a storm with a fault what is missing is held against what the servers lost.
        let may_miss = session.faults.is_some() && session.scenario().load.mode == Mode::Storm;
        if turn.stalled && !may_miss {
            measured.faults.push(Fault::Infrastructure {
                detail: "no execution came back for half a minute, so the window was ended".to_owned(),
            });
        }
        measured.claims_by_primary = self.by_primary(&turn.taken);
        Ok(())
    }

    fn by_primary(&self, taken: &HashMap<u16, u64>) -> Vec<u64> {
        let topology = self.session.cluster.topology();
        let mut counts = vec![0; topology.primaries().len()];
        for (&index, &tickets) in taken {
            let partition = Partition { family: PartitionFamily::Execution, index };
            counts[usize::from(topology.owner_of(partition).0)] += tickets;
        }
        counts
    }
}

/// SHA-256 of who takes part and of the order of arms: all that the seed fixes where executions come round as the
/// cluster has them.
pub(super) fn circulation_digest(session: &Session<'_>) -> String {
    let plan = session.workload.plan();
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
