//! Interrupting executions, and making them runnable again, by each of the four kinds.

mod calls;

use std::time::Duration;

use ff_core::types::{LeaseEpoch, LeaseFence, LeaseId};
use uuid::Uuid;

use super::batch::{Each, Oversight, exchange, exchange_one};
use super::error::{Unmade, WorkloadError};
use super::executions::Workload;
use super::ledger::Phase;
use super::population::{ExecIndex, InterruptionKind};
pub(super) use calls::Advance;
use calls::{Begin, End, LookAt};

/// How long past its time a timeout or delay may stay undue before the clocks are taken for broken.
const PATIENCE: Duration = Duration::from_secs(5);

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
}

fn unsettled_still(workload: &Workload, exec: ExecIndex) -> bool {
    workload.phase(exec) == Phase::Interrupted && workload.is_unsettled(exec)
}
