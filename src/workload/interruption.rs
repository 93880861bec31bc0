//! Interrupting executions, and making them runnable again, by each of the four kinds.

use std::time::Duration;

use ff_core::state::{EligibilityState, LifecyclePhase};
use ff_core::types::{LeaseEpoch, LeaseFence, LeaseId, TimestampMs, WaitpointToken};
use redis::Cmd;
use uuid::Uuid;

use super::batch::{CommandBatch, Each, Exchange, Oversight, Replies, exchange, exchange_one};
use super::error::{Unmade, WorkloadError};
use super::executions::Workload;
use super::ledger::Phase;
use super::population::{ExecIndex, InterruptionKind, SIGNAL};
use crate::flowfabric::{
    DelayExecution, DeliverSignal, ExpireOutcome, ExpireSuspension, PromoteDelayed, PromoteOutcome,
    ReadForScan, Request, ResumeExecution, ResumeTrigger, SignalOutcome, SuspendExecution, SuspendOutcome,
};

/// How far ahead, in server time, a timeout or delay is set: the shortest wait that is one on every server.
const AHEAD: Duration = Duration::from_millis(5);

/// How long past its time a timeout or delay may stay undue before the clocks are taken for broken.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answer of a call that makes an execution runnable.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Advance {
    Made,
    NotYetDue(ExecIndex),
}

impl Workload {
    /// Interrupts active executions, each by the kind that the seed draws for it.
    pub async fn interrupt(&self, execs: &[ExecIndex], control: &Oversight<'_>) -> Result<(), WorkloadError> {
        self.expect_phase(execs, Phase::Active)?;
        self.nodes.read_clocks().await?;
        exchange(&self.nodes, self.routed(execs), &Begin(self), control).await.map(drop)
    }

    /// Makes interrupted executions runnable, waiting for those that time out or are delayed.
    pub async fn make_runnable(
        &self,
        execs: &[ExecIndex],
        control: &Oversight<'_>,
    ) -> Result<(), WorkloadError> {
        self.make_runnable_noting(execs, control, &|| ()).await
    }

    /// As [`Self::make_runnable`]. `sending` is called for each call right before the pipeline with it is
    /// sent.
    pub async fn make_runnable_noting(
        &self,
        execs: &[ExecIndex],
        control: &Oversight<'_>,
        sending: &dyn Fn(),
    ) -> Result<(), WorkloadError> {
        self.expect_phase(execs, Phase::Interrupted)?;
        let total = execs.len() as u64;
        let mut waiting = execs.to_vec();
        while !waiting.is_empty() {
            self.nodes.read_clocks().await?;
            let (due, mut later): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|&exec| self.until_due(exec).is_zero());
            let before = total - (due.len() + later.len()) as u64;
            let progress = |done, _| (control.progress)(before + done, total);
            let part = Oversight { cancel: control.cancel, progress: &progress };
            for step in exchange(&self.nodes, self.routed(&due), &End(self, sending), &part).await? {
                if let Advance::NotYetDue(exec) = step {
                    self.bear_with(exec)?;
                    later.push(exec);
                }
            }
            if let Some(pause) = later.iter().map(|&exec| self.until_due(exec)).min() {
                tokio::select! {
                    () = control.cancel.cancelled() => return Err(WorkloadError::Cancelled),
                    () = tokio::time::sleep(pause.max(Duration::from_millis(1))) => {}
                }
            }
            waiting = later;
        }
        Ok(())
    }

    /// Sends what makes executions runnable once to each of those that are still interrupted and due; what
    /// one call fails for keeps none of the others back. `sending` as above. Returns whether any execution is
    /// still interrupted; fails where a call fails for what no fault of a server explains.
    ///
    /// A call without a reply may have been made: [`Self::find_out`] is asked before it is sent again.
    pub async fn make_runnable_as_far_as_possible(
        &self,
        execs: &[ExecIndex],
        control: &Oversight<'_>,
        sending: &dyn Fn(),
    ) -> Result<bool, WorkloadError> {
        let interrupted = |exec: &ExecIndex| self.phase(*exec) == Phase::Interrupted;
        if execs.iter().any(|&exec| self.ledger.read(exec, |e| e.phase == Phase::Interrupted && e.due_ms > 0))
        {
            self.nodes.read_clocks_that_go().await;
        }
        let waits = |exec: &ExecIndex| interrupted(exec) && !self.is_unsettled(*exec);
        let due = |exec: &ExecIndex| waits(exec) && self.until_due(*exec).is_zero();
        let due: Vec<ExecIndex> = execs.iter().copied().filter(due).collect();
        for step in exchange(&self.nodes, self.routed(&due), &Each(&End(self, sending)), control).await? {
            match step {
                Ok(Advance::NotYetDue(exec)) => self.bear_with(exec)?,
                Err(error) if error.unmade() == Unmade::Otherwise => return Err(error),
                Ok(Advance::Made) | Err(_) => {}
            }
        }
        Ok(execs.iter().any(interrupted))
    }

    /// Reads those executions whose last call had no reply, and notes which of them it made runnable. One
    /// that cannot be read stays as it is.
    pub async fn find_out(&self, execs: &[ExecIndex], control: &Oversight<'_>) -> Result<(), WorkloadError> {
        let unsettled: Vec<ExecIndex> =
            execs.iter().copied().filter(|&exec| unsettled_still(self, exec)).collect();
        let read = exchange(&self.nodes, self.routed(&unsettled), &Each(&LookAt(self)), control).await?;
        for (exec, made) in read.into_iter().flatten() {
            // A claim may have been made of it meanwhile, and then that is what is known.
            if unsettled_still(self, exec) {
                self.ledger.change(exec, |e| {
                    e.uncertain = false;
                    if made {
                        e.phase = Phase::Runnable;
                    }
                });
            }
        }
        Ok(())
    }

    /// Interrupts one active execution by a single call.
    pub async fn interrupt_one(&self, exec: ExecIndex) -> Result<InterruptionKind, WorkloadError> {
        self.expect_phase(&[exec], Phase::Active)?;
        let partition = self.plan.partition(exec);
        self.nodes.read_clock(partition).await?;
        let kind = self.next_kind(exec);
        exchange_one(&self.nodes, partition, exec, &Begin(self)).await?;
        Ok(kind)
    }

    /// Makes one interrupted execution runnable by a single call, which it repeats while the server says that
    /// the timeout or delay is not due. Waits until it is. `sending` is called right before each call is
    /// sent: time to resume begins with the last one.
    pub async fn make_runnable_one(&self, exec: ExecIndex, sending: &dyn Fn()) -> Result<(), WorkloadError> {
        self.expect_phase(&[exec], Phase::Interrupted)?;
        let partition = self.plan.partition(exec);
        loop {
            self.nodes.read_clock(partition).await?;
            let pause = self.until_due(exec);
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
                continue;
            }
            match exchange_one(&self.nodes, partition, exec, &End(self, sending)).await? {
                Advance::Made => return Ok(()),
                Advance::NotYetDue(exec) => self.bear_with(exec)?,
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Kind of the interruption that comes next.
    fn next_kind(&self, exec: ExecIndex) -> InterruptionKind {
        self.plan.kind(exec, self.ledger.read(exec, |e| e.interruptions))
    }

    /// How long until an execution is due by its server's clock; zero for kinds that are due at once.
    fn until_due(&self, exec: ExecIndex) -> Duration {
        let due_ms = self.ledger.read(exec, |e| e.due_ms);
        Duration::from_millis(due_ms.saturating_sub(self.server_ms(exec)))
    }

    /// Time of the server that an execution lives on.
    pub(super) fn server_ms(&self, exec: ExecIndex) -> u64 {
        self.nodes.server_ms(self.plan.partition(exec))
    }

    /// Fails once an execution has been due for too long.
    pub(super) fn bear_with(&self, exec: ExecIndex) -> Result<(), WorkloadError> {
        let due_ms = self.ledger.read(exec, |e| e.due_ms);
        let late_ms = self.server_ms(exec).saturating_sub(due_ms);
        if u128::from(late_ms) < PATIENCE.as_millis() {
            return Ok(());
        }
        Err(WorkloadError::NeverDue { execution: self.plan.execution_id(exec), late_ms })
    }

    /// The lease that the ledger says is held.
    pub(super) fn fence(&self, exec: ExecIndex) -> LeaseFence {
        let (lease, epoch) = self.ledger.read(exec, |e| (e.lease.clone(), e.epoch));
        LeaseFence {
            // An active execution has a lease; a missing one is answered with `stale_lease`.
            lease_id: lease.unwrap_or_else(|| LeaseId::from_uuid(Uuid::nil())),
            lease_epoch: LeaseEpoch(epoch),
            attempt_id: self.plan.attempt_id(exec, self.attempt_index(exec)),
        }
    }

    pub(super) fn unmoved(
        &self,
        what: &'static str,
        exec: ExecIndex,
        outcome: impl std::fmt::Debug,
    ) -> WorkloadError {
        WorkloadError::Unmoved {
            what,
            execution: self.plan.execution_id(exec),
            outcome: format!("{outcome:?}"),
        }
    }

    fn delay(&self, exec: ExecIndex, until: TimestampMs) -> Cmd {
        DelayExecution {
            keys: &self.keys(exec),
            lane_id: self.lane(exec),
            instance_id: &self.worker.instance_id,
            attempt_index: self.attempt_index(exec),
            fence: &self.fence(exec),
            until,
        }
        .command()
    }

    fn suspend(&self, exec: ExecIndex, interruption: u32, timeout_at: Option<TimestampMs>) -> Cmd {
        let waitpoint_id = self.plan.waitpoint_id(exec, interruption);
        SuspendExecution {
            keys: &self.keys(exec),
            lane_id: self.lane(exec),
            instance_id: &self.worker.instance_id,
            attempt_index: self.attempt_index(exec),
            fence: &self.fence(exec),
            suspension_id: &self.plan.suspension_id(exec, interruption),
            waitpoint_id: &waitpoint_id,
            waitpoint_key: &waitpoint_id.to_string(),
            condition: &self.condition,
            timeout_at,
        }
        .command()
    }
}

fn unsettled_still(workload: &Workload, exec: ExecIndex) -> bool {
    workload.phase(exec) == Phase::Interrupted && workload.is_unsettled(exec)
}

/// Whether an execution is interrupted no more.
struct LookAt<'a>(&'a Workload);

impl Exchange for LookAt<'_> {
    type Item = ExecIndex;
    type Output = (ExecIndex, bool);

    fn encode(&self, &exec: &ExecIndex, batch: &mut CommandBatch) {
        batch.ask(&ReadForScan(&self.0.keys(exec)));
    }

    fn decode(&self, exec: ExecIndex, mut replies: Replies) -> Result<Self::Output, WorkloadError> {
        let view = replies.read::<ReadForScan<'_>>();
        let id = self.0.plan.execution_id(exec);
        let view = view.map_err(WorkloadError::call::<ReadForScan<'_>>(&id))?;
        let made = view.is_some_and(|view| {
            view.lifecycle_phase == LifecyclePhase::Active
                || view.eligibility_state == EligibilityState::EligibleNow
        });
        Ok((exec, made))
    }
}

/// Active → Interrupted.
struct Begin<'a>(&'a Workload);

impl Exchange for Begin<'_> {
    type Item = ExecIndex;
    type Output = ();

    fn encode(&self, &exec: &ExecIndex, batch: &mut CommandBatch) {
        let workload = self.0;
        let interruption = workload.ledger.read(exec, |e| e.interruptions);
        let due_ms = workload.server_ms(exec) + AHEAD.as_millis() as u64;
        let due_at = TimestampMs::from_millis(due_ms.cast_signed());
        let (command, due_ms) = match workload.plan.kind(exec, interruption) {
            InterruptionKind::Delay => (workload.delay(exec, due_at), due_ms),
            InterruptionKind::Timeout => (workload.suspend(exec, interruption, Some(due_at)), due_ms),
            InterruptionKind::Signal | InterruptionKind::Operator => {
                (workload.suspend(exec, interruption, None), 0)
            }
        };
        workload.ledger.change(exec, |e| e.due_ms = due_ms);
        batch.add("fcall", command);
    }

    fn decode(&self, exec: ExecIndex, mut replies: Replies) -> Result<(), WorkloadError> {
        let workload = self.0;
        let token = if workload.next_kind(exec) == InterruptionKind::Delay {
            replies
                .read::<DelayExecution<'_>>()
                .map_err(|error| workload.failed(exec, DelayExecution::WHAT, error))?;
            None
        } else {
            match replies.read::<SuspendExecution<'_>>() {
                Ok(SuspendOutcome::Suspended(suspension)) => Some(suspension.token),
                Ok(outcome @ SuspendOutcome::AlreadySatisfied(_)) => {
                    return Err(workload.unmoved(SuspendExecution::WHAT, exec, outcome));
                }
                Err(error) => return Err(workload.failed(exec, SuspendExecution::WHAT, error)),
            }
        };
        workload.ledger.change(exec, |e| {
            e.phase = Phase::Interrupted;
            e.interruptions += 1;
            e.lease = None;
            e.token = token.map(|token| token.0.into_boxed_str());
        });
        Ok(())
    }
}

/// Interrupted → Runnable. The function is told of each call right before it is sent.
struct End<'a>(&'a Workload, &'a dyn Fn());

impl End<'_> {
    /// Number and kind of the interruption in force.
    fn current(&self, exec: ExecIndex) -> (u32, InterruptionKind) {
        let interruption = self.0.ledger.read(exec, |e| e.interruptions).saturating_sub(1);
        (interruption, self.0.plan.kind(exec, interruption))
    }
}

impl Exchange for End<'_> {
    type Item = ExecIndex;
    type Output = Advance;

    fn encode(&self, &exec: &ExecIndex, batch: &mut CommandBatch) {
        let workload = self.0;
        (self.1)();
        let (keys, lane_id) = (&workload.keys(exec), workload.lane(exec));
        let (interruption, kind) = self.current(exec);
        let waitpoint_id = &workload.plan.waitpoint_id(exec, interruption);
        match kind {
            InterruptionKind::Signal => batch.ask(&DeliverSignal {
                keys,
                lane_id,
                waitpoint_id,
                token: &WaitpointToken::new(
                    workload.ledger.read(exec, |e| e.token.clone()).unwrap_or_default(),
                ),
                signal_id: &workload.plan.signal_id(exec, interruption),
                name: SIGNAL,
                idempotency_key: None,
            }),
            InterruptionKind::Timeout => {
                let attempt_index = workload.attempt_index(exec);
                batch.ask(&ExpireSuspension { keys, lane_id, waitpoint_id, attempt_index });
            }
            InterruptionKind::Operator => {
                batch.ask(&ResumeExecution { keys, lane_id, waitpoint_id, trigger: ResumeTrigger::Operator });
            }
            InterruptionKind::Delay => {
                let now = TimestampMs::from_millis(workload.server_ms(exec).cast_signed());
                batch.ask(&PromoteDelayed { keys, lane_id, now });
            }
        }
    }

    fn decode(&self, exec: ExecIndex, mut replies: Replies) -> Result<Advance, WorkloadError> {
        let workload = self.0;
        let failed = |what| move |error| workload.failed(exec, what, error);
        let step = match self.current(exec).1 {
            InterruptionKind::Signal => {
                let what = DeliverSignal::WHAT;
                match replies.read::<DeliverSignal<'_>>().map_err(failed(what))? {
                    SignalOutcome::Resumed => Advance::Made,
                    outcome => return Err(workload.unmoved(what, exec, outcome)),
                }
            }
            InterruptionKind::Timeout => {
                let what = ExpireSuspension::WHAT;
                match replies.read::<ExpireSuspension<'_>>().map_err(failed(what))? {
                    ExpireOutcome::Resumed => Advance::Made,
                    ExpireOutcome::NotYetDue => Advance::NotYetDue(exec),
                    outcome => return Err(workload.unmoved(what, exec, outcome)),
                }
            }
            InterruptionKind::Operator => {
                let resumed = replies.read::<ResumeExecution<'_>>();
                resumed.map_err(failed(ResumeExecution::WHAT)).map(|_| Advance::Made)?
            }
            InterruptionKind::Delay => {
                let what = PromoteDelayed::WHAT;
                match replies.read::<PromoteDelayed<'_>>().map_err(failed(what))? {
                    PromoteOutcome::Promoted => Advance::Made,
                    PromoteOutcome::NotYetDue => Advance::NotYetDue(exec),
                    outcome @ PromoteOutcome::NotDelayed => return Err(workload.unmoved(what, exec, outcome)),
                }
            }
        };
        if step == Advance::Made {
            workload.ledger.change(exec, |e| {
                e.phase = Phase::Runnable;
                e.token = None;
                e.due_ms = 0;
            });
        }
        Ok(step)
    }
}
