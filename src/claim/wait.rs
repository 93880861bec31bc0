//! WAIT after a claim: until so many replicas have it.

use redis::{Cmd, Value};

use crate::flowfabric::{ReplyError, Request};
use reclaim_analysis::scenario::{ReplicaWait, WAIT};

/// Asks how many replicas have all that was written over this connection; the answer comes when they are
/// enough, or when the time is over.
pub(super) struct WaitForReplicas(pub(super) ReplicaWait);

impl Request for WaitForReplicas {
    const COMMAND: &'static str = "wait";
    const WHAT: &'static str = WAIT.title;
    type Reply = u64;

    fn command(&self) -> Cmd {
        let ReplicaWait { replicas, timeout } = self.0;
        let mut cmd = redis::cmd("WAIT");
        // 0 would be without end.
        cmd.arg(replicas).arg((timeout.as_millis() as u64).max(1));
        cmd
    }

    fn parse(reply: &Value) -> Result<u64, ReplyError> {
        match reply {
            Value::Int(replicas) => Ok(replicas.unsigned_abs()),
            other => Err(ReplyError::Malformed {
                what: Self::WHAT,
                problem: format!("no number of replicas: {other:?}"),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_wait_has_an_end_and_its_answer_is_a_number() {
        let sent = |micros| {
            let wait = ReplicaWait { replicas: 2, timeout: Duration::from_micros(micros) };
            String::from_utf8(WaitForReplicas(wait).command().get_packed_command()).unwrap()
        };
        assert!(sent(250_000).ends_with("$1\r\n2\r\n$3\r\n250\r\n"), "{}", sent(250_000));
        assert!(sent(10).ends_with("$1\r\n1\r\n"), "{}", sent(10));
        assert_eq!(WaitForReplicas::parse(&Value::Int(1)), Ok(1));
        assert!(WaitForReplicas::parse(&Value::Okay).is_err());
    }
}
