//! Issuing a grant, for an eligible execution or a lost lease, and the ticket that comes of it.

use ff_core::partition::PartitionKey;
use ff_core::types::{AttemptIndex, LaneId};

use super::batch::{CommandBatch, Exchange, Replies};
use super::error::WorkloadError;
use super::executions::Workload;
use super::ledger::Handout;
use super::population::ExecIndex;
use super::ticket::ClaimTicket;
use crate::flowfabric::{
    CallError, IssueClaimGrant, IssueReclaimGrant, ReadGrantExpiry, ReclaimGrant, RefusalCode, ReplyError,
    Request as _,
};

/// When a ticket without a grant expires: never.
pub(super) const NO_GRANT: u64 = u64::MAX;

/// An execution that gets a ticket, with what goes into it.
pub(super) struct Sought {
    pub exec: ExecIndex,
    pub lane_id: LaneId,
    pub attempt_index: AttemptIndex,
}

impl Workload {
    /// The ticket of an execution whose grant ends then.
    pub(super) fn ticket(&self, sought: Sought, expires_at_ms: u64) -> ClaimTicket {
        let keys = self.keys(sought.exec);
        ClaimTicket {
            grant: ReclaimGrant {
                execution_id: self.plan.execution_id(sought.exec),
                partition_key: PartitionKey::from(keys.partition()),
                grant_key: keys.exec().claim_grant(),
                expires_at_ms,
                lane_id: sought.lane_id,
            },
            attempt_index: sought.attempt_index,
        }
    }
}

/// Why an execution has no grant.
pub(super) enum Ungranted {
    Refused(RefusalCode),
    /// Or has one, and nobody knows.
    Unanswered(WorkloadError),
}

/// What came of issuing a grant.
pub(super) type Granted = Result<(ExecIndex, ClaimTicket), Ungranted>;

/// What a grant is for, and so which function issues it; both are asked for the same.
#[derive(Clone, Copy)]
pub(super) enum GrantOf {
    /// An execution that is eligible.
    Claim,
    /// One whose lease was lost.
    Reclaim,
}

/// Issues a grant and reads back when it ends, which only the server knows.
pub(super) struct Grant<'a>(pub &'a Workload, pub GrantOf);

impl Exchange for Grant<'_> {
    type Item = Sought;
    type Output = Granted;

    fn encode(&self, sought: &Sought, batch: &mut CommandBatch) {
        let keys = &self.0.keys(sought.exec);
        let (lane_id, worker, ttl) = (&sought.lane_id, &self.0.worker, self.0.grant.ttl);
        match self.1 {
            GrantOf::Claim => batch.ask(&IssueClaimGrant { keys, lane_id, worker, ttl }),
            GrantOf::Reclaim => batch.ask(&IssueReclaimGrant { keys, lane_id, worker, ttl }),
        }
        batch.ask(&ReadGrantExpiry(keys));
    }

    fn decode(&self, sought: Sought, mut replies: Replies) -> Result<Granted, WorkloadError> {
        let issued = match self.1 {
            GrantOf::Claim => (IssueClaimGrant::WHAT, replies.read::<IssueClaimGrant<'_>>()),
            GrantOf::Reclaim => (IssueReclaimGrant::WHAT, replies.read::<IssueReclaimGrant<'_>>()),
        };
        Ok(granted(self.0, sought, issued, &mut replies))
    }
}

/// Reads what is left of the replies to issuing a grant: when it ends. Notes it in the ledger.
fn granted(
    workload: &Workload,
    sought: Sought,
    (what, issued): (&'static str, Result<(), CallError>),
    replies: &mut Replies,
) -> Granted {
    let exec = sought.exec;
    let unanswered = |what, error| Ungranted::Unanswered(workload.failed(exec, what, error));
    match issued {
        Ok(()) => {}
        // One that was issued earlier and whose reply was lost: it is there to be read.
        Err(CallError::Reply(ReplyError::Refused { code: RefusalCode::GrantAlreadyExists, .. }))
            if workload.ledger.read(exec, |e| e.uncertain && e.handout == Handout::None) => {}
        Err(CallError::Reply(ReplyError::Refused { code, .. })) => return Err(Ungranted::Refused(code)),
        Err(error) => return Err(unanswered(what, error)),
    }
    let expiry =
        replies.read::<ReadGrantExpiry<'_>>().map_err(|error| unanswered(ReadGrantExpiry::WHAT, error))?;
    // A time to live of a few milliseconds may be over before the second command: expired, but issued.
    let expires_at_ms = expiry.map_or(0, |at| at.0.unsigned_abs());
    workload.ledger.granted(exec, expires_at_ms);
    Ok((exec, workload.ticket(sought, expires_at_ms)))
}
