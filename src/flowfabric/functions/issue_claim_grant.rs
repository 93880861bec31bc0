//! `ff_issue_claim_grant`: what the scheduler does before a first claim, and the reclaim scanner before a
//! resumed one.

use std::time::Duration;

use ff_core::types::LaneId;
use redis::{Cmd, Value};

use crate::flowfabric::encode::{Arg, fcall};
use crate::flowfabric::grant::WorkerIdentity;
use crate::flowfabric::keys::ExecutionKeys;
use crate::flowfabric::reply::{ReplyError, open_ok};
use crate::flowfabric::request::Request;

/// Issues a grant for an eligible execution to one worker. The reply does not say when the grant ends: the
/// function takes the server's time, and [`super::super::ReadGrantExpiry`] reads the result.
#[derive(Clone, Copy)]
pub struct IssueClaimGrant<'a> {
    /// The execution.
    pub keys: &'a ExecutionKeys,
    /// The lane in whose eligible set it is.
    pub lane_id: &'a LaneId,
    /// The only worker that may consume the grant.
    pub worker: &'a WorkerIdentity,
    /// Life of the grant, in whole milliseconds.
    pub ttl: Duration,
}

impl Request for IssueClaimGrant<'_> {
    const COMMAND: &'static str = "fcall";
    const WHAT: &'static str = "ff_issue_claim_grant";
    type Reply = ();

    fn command(&self) -> Cmd {
        let (exec, index) = (self.keys.exec(), self.keys.index());
        fcall(
            Self::WHAT,
            [exec.core(), exec.claim_grant(), index.lane_eligible(self.lane_id)],
            [
                self.keys.execution_id().into(),
                (&self.worker.worker_id).into(),
                (&self.worker.instance_id).into(),
                self.lane_id.into(),
                Arg::NONE, // capability_hash
                self.ttl.into(),
                Arg::NONE, // route_snapshot_json
                Arg::NONE, // admission_summary
                Arg::NONE, // worker_capabilities_csv
            ],
        )
    }

    fn parse(reply: &Value) -> Result<(), ReplyError> {
        open_ok(Self::WHAT, reply)?.text(0).map(|_| ())
    }
}
