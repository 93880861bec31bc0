//! What is said over the pipes of a worker: lines of JSON, one each way for each claim.
//! `sdk-worker/src/main.rs` is the other end.

use ff_core::types::{AttemptId, AttemptIndex, LeaseEpoch, LeaseId};
use serde::{Deserialize, Serialize};

use super::super::error::SdkRefusal;
use crate::flowfabric::{ReclaimGrant, RefusalCode};
use crate::workload::HeldLease;

/// What both ends speak.
const PROTOCOL: u32 = 1;

/// The first line in.
#[derive(Serialize)]
pub(super) struct SetUp<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) client_name: &'a str,
    pub(super) worker_id: &'a str,
    pub(super) instance_id: &'a str,
    pub(super) namespace: &'a str,
    pub(super) lane: &'a str,
    pub(super) lease_ttl_ms: u64,
    pub(super) partitions: u16,
    /// Longest wait of its client for one reply.
    pub(super) timeout_ms: u64,
    /// `sdk-resume` or `sdk-grant`.
    pub(super) path: &'a str,
}

/// Every further one: a grant, and the number that its answer must have.
#[derive(Serialize)]
pub(super) struct GrantLine<'a> {
    pub(super) claim: u64,
    #[serde(flatten)]
    pub(super) grant: &'a ReclaimGrant,
}

/// The first line out.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Greeting {
    Ready(u32),
    Refused(String),
}

/// Every further one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    claim: u64,
    /// Clocks of the worker, in nanoseconds of the machine's monotonic clock: before the SDK was called,
    /// after it came back.
    begun_ns: u64,
    ended_ns: u64,
    #[serde(default)]
    lease: Option<Lease>,
    #[serde(default)]
    refused: Option<Refused>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lease {
    id: LeaseId,
    epoch: u64,
    attempt_id: AttemptId,
    attempt_index: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    code: Option<String>,
    late: bool,
    words: String,
}

/// What a claim came to, by the worker's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) claimed: Result<HeldLease, SdkRefusal>,
    pub(super) begun_ns: u64,
    pub(super) ended_ns: u64,
}

/// Between which readings of the clock an answer's own must lie, and which claim it is of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) claim: u64,
    pub(super) sent_ns: u64,
    pub(super) received_ns: u64,
}

/// One line of JSON, with its end.
pub(super) fn line(message: &impl Serialize) -> Vec<u8> {
    // Maps of strings and numbers: there is nothing in them that JSON lacks.
    let mut line = serde_json::to_vec(message).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Reads the first line: whether the worker can claim, and if not, why. The outer error is nonsense.
pub(super) fn greeting(line: &str) -> Result<Result<(), String>, String> {
    match serde_json::from_str(line) {
        Ok(Greeting::Ready(PROTOCOL)) => Ok(Ok(())),
        Ok(Greeting::Ready(other)) => Err(format!("it speaks version {other}, not {PROTOCOL}")),
        Ok(Greeting::Refused(words)) => Ok(Err(words)),
        Err(error) => Err(format!("neither ready nor a reason: {error}")),
    }
}

/// Reads an answer; the error is what makes it nonsense.
pub(super) fn answer(line: &str, asked: Asked) -> Result<Answered, String> {
    let Answer { claim, begun_ns, ended_ns, lease, refused } =
        serde_json::from_str(line).map_err(|error| error.to_string())?;
    if claim != asked.claim {
        return Err(format!("it is of claim {claim}, and {} was asked for", asked.claim));
    }
    if !(asked.sent_ns <= begun_ns && begun_ns <= ended_ns && ended_ns <= asked.received_ns) {
        return Err(format!(
            "its clock says {begun_ns} to {ended_ns} ns, between {} and {} ns of the same clock",
            asked.sent_ns, asked.received_ns
        ));
    }
    let claimed = match (lease, refused) {
        (Some(lease), None) => Ok(HeldLease {
            lease_id: lease.id,
            epoch: LeaseEpoch(lease.epoch),
            attempt_id: Some(lease.attempt_id),
            attempt_index: AttemptIndex::new(lease.attempt_index),
            expires_at: None,
        }),
        (None, Some(Refused { code, late, words })) => {
            Err(SdkRefusal { code: code.as_deref().map(RefusalCode::from), words, late })
        }
        _ => return Err("it must have a lease or a refusal, one of the two".to_owned()),
    };
    Ok(Answered { claimed, begun_ns, ended_ns })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: &str = r#""lease":{"id":"6f2b3b9e-0f0e-4a51-9d63-000000000001","epoch":2,
        "attempt_id":"6f2b3b9e-0f0e-4a51-9d63-000000000002","attempt_index":0}"#;

    fn read(claim: u64, clock: (u64, u64), rest: &str) -> Result<Answered, String> {
        let line = format!(r#"{{"claim":{claim},"begun_ns":{},"ended_ns":{},{rest}}}"#, clock.0, clock.1);
        answer(&line, Asked { claim: 7, sent_ns: 100, received_ns: 900 })
    }

    #[test]
    fn a_lease_and_a_refusal_are_told_apart() {
        let held = read(7, (200, 300), LEASE).unwrap();
        let lease = held.claimed.unwrap();
        assert_eq!((lease.epoch.0, lease.attempt_index.0), (2, 0));
        assert_eq!((held.begun_ns, held.ended_ns), (200, 300));
        let refused = r#""refused":{"code":"invalid_claim_grant","late":false,"words":"no"}"#;
        let refusal = read(7, (200, 200), refused).unwrap().claimed.unwrap_err();
        assert_eq!(refusal.code, Some(RefusalCode::InvalidClaimGrant));
        let late = r#""refused":{"code":null,"late":true,"words":"timeout"}"#;
        let refusal = read(7, (100, 900), late).unwrap().claimed.unwrap_err();
        assert_eq!((refusal.code, refusal.late), (None, true));
    }

    #[test]
    fn what_is_no_answer_to_this_claim_is_nonsense() {
        for (claim, clock, rest, word) in [
            (6, (200, 300), LEASE, "claim 6"),
            (7, (300, 200), LEASE, "clock"),
            (7, (99, 200), LEASE, "clock"),
            (7, (200, 901), LEASE, "clock"),
            (7, (200, 300), r#""lease":null"#, "one of the two"),
            (7, (200, 300), r#""held":1"#, "unknown field `held`"),
            (7, (200, 300), r#""lease":{"id":"x"}"#, ""),
        ] {
            let problem = read(claim, clock, rest).unwrap_err();
            assert!(problem.contains(word), "{rest}: {problem}");
        }
        let asked = Asked { claim: 7, sent_ns: 0, received_ns: 9 };
        assert!(answer("", asked).is_err() && answer("thread 'main' panicked", asked).is_err());
    }

    #[test]
    fn a_worker_greets_or_says_why_it_cannot() {
        assert_eq!(greeting(r#"{"ready":1}"#), Ok(Ok(())));
        assert_eq!(greeting(r#"{"refused":"no route"}"#), Ok(Err("no route".to_owned())));
        assert!(greeting(r#"{"ready":2}"#).unwrap_err().contains("version 2"));
        assert!(greeting("hello").is_err());
    }

    #[test]
    fn an_order_is_one_line_with_the_grant_as_it_travels() {
        let grant = serde_json::json!({
            "execution_id": "{fp:7}:6f2b3b9e-0f0e-4a51-9d63-000000000001",
            "partition_key": "{fp:7}",
            "grant_key": "key",
            "expires_at_ms": 17,
            "lane_id": "gpu",
        });
        let parsed: ReclaimGrant = serde_json::from_value(grant.clone()).unwrap();
        let line = line(&GrantLine { claim: 3, grant: &parsed });
        assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
        let mut read: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(read.as_object_mut().unwrap().remove("claim"), Some(3.into()));
        assert_eq!(read, grant);
    }
}
