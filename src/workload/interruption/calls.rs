//! What is sent to interrupt an execution, and to make it runnable again, by each of the four kinds; and what
//! the replies say of it.

use std::time::Duration;

use ff_core::state::{EligibilityState, LifecyclePhase};
use ff_core::types::{TimestampMs, WaitpointToken};
use redis::Cmd;

use super::super::batch::{CommandBatch, Exchange, Replies};
use super::super::error::WorkloadError;
use super::super::executions::Workload;
use super::super::ledger::Phase;
use super::super::population::{ExecIndex, InterruptionKind, SIGNAL};
use crate::flowfabric::{
    DelayExecution, DeliverSignal, ExpireOutcome, ExpireSuspension, PromoteDelayed, PromoteOutcome,
    ReadForScan, Request, ResumeExecution, ResumeTrigger, SignalOutcome, SuspendExecution, SuspendOutcome,
};

/// How far ahead, in server time, a timeout or delay is set: the shortest wait that is one on every server.
const AHEAD: Duration = Duration::from_millis(5);

/// Answer of a call that makes an execution runnable.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::workload) enum Advance {
    Made,
    NotYetDue(ExecIndex),
}

impl Workload {
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

/// Whether an execution is interrupted no more.
pub(super) struct LookAt<'a>(pub &'a Workload);

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
pub(super) struct Begin<'a>(pub &'a Workload);

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
pub(super) struct End<'a>(pub &'a Workload, pub &'a dyn Fn());

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
