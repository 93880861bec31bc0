//! Keys and arguments are positional: this holds every command to the library's own KEYS and ARGV comments,
//! name by name.

use std::time::Duration;

use ff_core::types::{
    AttemptId, AttemptIndex, ExecutionId, LaneId, LeaseEpoch, LeaseFence, LeaseId, SignalId, SuspensionId,
    TimestampMs, WaitpointId, WaitpointToken,
};
use redis::{Arg, Cmd};
use uuid::Uuid;

use super::*;
use crate::flowfabric::{ExecutionKeys, OnTimeout, ResumeCondition, WorkerIdentity};

const EXECUTION: &str = "{fp:9}:00000000-0000-0000-0000-0000000000ee";
const LEASE: Uuid = Uuid::from_u128(1);
const ATTEMPT: Uuid = Uuid::from_u128(2);
const SIGNAL: Uuid = Uuid::from_u128(3);
const SUSPENSION: Uuid = Uuid::from_u128(4);
const WAITPOINT: Uuid = Uuid::from_u128(5);
const INDEX: AttemptIndex = AttemptIndex(6);
const EPOCH: LeaseEpoch = LeaseEpoch(7);
const NOW: TimestampMs = TimestampMs(1_700_000_000_000);

/// The names after `-- KEYS (n): ` or `-- ARGV (n): ` of one function, the part for extra waitpoints left
/// out.
fn documented(function: &str, list: &str) -> Vec<String> {
    let library = ff_script::LIBRARY_SOURCE;
    let end = library.find(&format!("register_function('{function}'")).expect("registered");
    let start = library[..end].rfind(&format!("-- {list} (")).expect("documented");
    let (count, names) = library[start + list.len() + 5..end].split_once("):").expect("a count");
    // Where the last one may be left out (`8 or 9`), it is given here.
    let count = count.rsplit(" or ").next().unwrap_or(count);
    let count = count.split('+').filter_map(|term| term.trim().parse::<usize>().ok()).sum();
    names
        .replace("\n--", " ")
        .split(',')
        .take(count)
        .map(|name| {
            name.trim()
                .trim_start_matches('[')
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                .collect()
        })
        .collect()
}

/// What a key of this name must be. The same name means the same key in every function.
fn key(name: &str, function: &str) -> String {
    let id = format!("{{fp:9}}:{EXECUTION}");
    let exec = |part: &str| format!("ff:exec:{id}:{part}");
    let lane = |part: &str| format!("ff:idx:{{fp:9}}:lane:gpu:{part}");
    let index = |part: &str| format!("ff:idx:{{fp:9}}:{part}");
    let waitpoint = |part: &str| format!("ff:wp:{{fp:9}}:{WAITPOINT}{part}");
    let attempt = |part: &str| format!("ff:attempt:{id}:{INDEX}{part}");
    let next_attempt = |part: &str| format!("ff:attempt:{id}:{}{part}", INDEX.0 + 1);
    match name {
        "exec_core" => exec("core"),
        "payload_key" => exec("payload"),
        "policy_key" => exec("policy"),
        "tags_key" => exec("tags"),
        "claim_grant" | "claim_grant_key" => exec("claim_grant"),
        "attempts_zset" => exec("attempts"),
        "lease_current" => exec("lease:current"),
        "lease_history" => exec("lease:history"),
        "suspension_current" => exec("suspension:current"),
        "waitpoint_history" => exec("waitpoints"),
        "exec_signals_zset" => exec("signals"),
        "attempt_hash" | "existing_attempt_hash" | "attempt_record" | "old_attempt_hash" => attempt(""),
        "new_attempt_hash" => next_attempt(""),
        "new_attempt_usage" => next_attempt(":usage"),
        "attempt_usage" => attempt(":usage"),
        "attempt_policy" => attempt(":policy"),
        "stream_meta" | "old_stream_meta" => format!("ff:stream:{id}:{INDEX}:meta"),
        "eligible_zset" | "eligible_or_delayed_zset" => lane("eligible"),
        "delayed_zset" => lane("delayed"),
        "active_index" => lane("active"),
        "suspended_zset" => lane("suspended"),
        "terminal_zset" => lane("terminal"),
        "lease_expiry_zset" => index("lease_expiry"),
        "worker_leases" => index("worker:worker-1:leases"),
        "attempt_timeout_zset" => index("attempt_timeout"),
        "execution_deadline_zset" => index("execution_deadline"),
        "suspension_timeout_zset" => index("suspension_timeout"),
        "pending_wp_expiry_zset" => index("pending_waitpoint_expiry"),
        "all_executions_set" => index("all_executions"),
        "waitpoint_hash" => waitpoint(""),
        "waitpoint_signals" | "wp_signals_stream" => waitpoint(":signals"),
        "wp_condition" => waitpoint(":condition"),
        "signal_hash" => format!("ff:signal:{{fp:9}}:{SIGNAL}"),
        "signal_payload" => format!("ff:signal:{{fp:9}}:{SIGNAL}:payload"),
        "hmac_secrets" => "ff:sec:{fp:9}:waitpoint_hmac".into(),
        "partition_signal_delivery_stream" => "ff:part:{fp:9}:signal_delivery".into(),
        "idem_key" if function == DeliverSignal::WHAT => format!("ff:sigdedup:{{fp:9}}:{WAITPOINT}:once"),
        "idem_key" | "dedup_hash" => "ff:noop:{fp:9}".into(),
        other => panic!("{function} has a key {other:?} that this test does not know"),
    }
}

/// Arguments that this tool sends empty, unless [`argument`] says otherwise of a function.
const LEFT_EMPTY: [&str; 19] = [
    "policy_json",
    "delay_until",
    "dedup_ttl_ms",
    "execution_deadline_at",
    "capability_hash",
    "capability_snapshot_hash",
    "route_snapshot_json",
    "admission_summary",
    "worker_capabilities_csv",
    "remaining_attempt_timeout_ms",
    "attempt_policy_json",
    "attempt_timeout_ms",
    "source",
    "continuation_metadata_pointer",
    "use_pending_waitpoint",
    "idempotency_key",
    "payload",
    "correlation_id",
    "created_at",
];

/// What an argument of this name must be.
fn argument(name: &str, function: &str, condition: &ResumeCondition) -> String {
    match name {
        "execution_id" => EXECUTION.into(),
        "namespace" => "space".into(),
        "lane_id" | "lane" => "gpu".into(),
        "execution_kind" => "kind".into(),
        "priority" => "8".into(),
        "creator_identity" => "creator".into(),
        "input_payload" => "input".into(),
        "tags_json" => "{\"a\":\"b\"}".into(),
        "partition_id" => "9".into(),
        "worker_id" => "pool".into(),
        "worker_instance_id" => "worker-1".into(),
        "grant_ttl_ms" => "600000".into(),
        "lease_id" | "expected_lease_id" => LEASE.to_string(),
        "lease_history_grace_ms" => "60000".into(),
        "default_max_reclaim_count" => MAX_RECLAIMS_PER_EXECUTION.to_string(),
        "lease_ttl_ms" => "30000".into(),
        "renew_before_ms" => "20000".into(),
        "lease_epoch" => EPOCH.to_string(),
        "attempt_id" => ATTEMPT.to_string(),
        "attempt_index" => INDEX.to_string(),
        "suspension_id" => SUSPENSION.to_string(),
        "waitpoint_id" => WAITPOINT.to_string(),
        "waitpoint_key" => "wp".into(),
        "reason_code" => "waiting_for_signal".into(),
        "requested_by" => "worker".into(),
        "timeout_at" | "now_ms" => NOW.to_string(),
        "delay_until" if function == DelayExecution::WHAT => NOW.to_string(),
        "resume_condition_json" => condition.condition_json.clone(),
        "resume_policy_json" => condition.policy_json.clone(),
        "timeout_behavior" => "auto_resume".into(),
        "lease_history_maxlen" | "signal_maxlen" => "1000".into(),
        "signal_id" => SIGNAL.to_string(),
        "signal_name" => "go".into(),
        "signal_category" => "external".into(),
        "source_type" => "external_api".into(),
        "source_identity" | "revoke_reason" => "reclaim-bench".into(),
        "payload_encoding" => "json".into(),
        "idempotency_key" if function == DeliverSignal::WHAT => "once".into(),
        "target_scope" => "waitpoint".into(),
        "dedup_ttl_ms" if function == DeliverSignal::WHAT => "86400000".into(),
        "dedup_ttl_ms" if function == SuspendExecution::WHAT => "0".into(),
        "num_extra_waitpoints" | "resume_delay_ms" => "0".into(),
        "max_signals_per_execution" => MAX_SIGNALS_PER_EXECUTION.to_string(),
        "waitpoint_token" => "kid:token".into(),
        "trigger_type" => "operator".into(),
        left_empty if LEFT_EMPTY.contains(&left_empty) => String::new(),
        other => panic!("{function} has an argument {other:?} that this test does not know"),
    }
}

fn named<R: Request>(request: &R) -> (&'static str, Cmd) {
    (R::WHAT, request.command())
}

fn worker() -> WorkerIdentity {
    WorkerIdentity { worker_id: "pool".into(), instance_id: "worker-1".into() }
}

fn fence() -> LeaseFence {
    LeaseFence { lease_id: LeaseId(LEASE), lease_epoch: EPOCH, attempt_id: AttemptId(ATTEMPT) }
}

/// Creating, grants, claims, leases; every value of a command is different.
fn claims_and_leases(keys: &ExecutionKeys) -> Vec<(&'static str, Cmd)> {
    let (lane_id, worker, fence) = (&LaneId::new("gpu"), &worker(), &fence());
    let instance_id = &worker.instance_id;
    let (lease_id, attempt_id) = (&LeaseId(LEASE), &AttemptId(ATTEMPT));
    let (attempt_index, lease_ttl) = (INDEX, Duration::from_secs(30));
    vec![
        named(&CreateExecution {
            keys,
            namespace: "space",
            lane_id,
            execution_kind: "kind",
            priority: 8,
            creator_identity: "creator",
            payload: b"input",
            tags_json: "{\"a\":\"b\"}",
        }),
        named(&IssueClaimGrant { keys, lane_id, worker, ttl: Duration::from_mins(10) }),
        named(&ClaimExecution { keys, lane_id, worker, attempt_id, attempt_index, lease_id, lease_ttl }),
        named(&ClaimResumedExecution { keys, lane_id, worker, attempt_index, lease_id, lease_ttl }),
        named(&IssueGrantAndClaim { keys, lane_id, worker, attempt_id, lease_id, lease_ttl }),
        named(&RevokeLease { keys, lease_id, instance_id }),
        named(&RenewLease { keys, attempt_index, fence, lease_ttl }),
        named(&MarkLeaseExpired(keys)),
        named(&IssueReclaimGrant { keys, lane_id, worker, ttl: Duration::from_mins(10) }),
        named(&ReclaimExecution { keys, lane_id, worker, attempt_index, attempt_id, lease_id, lease_ttl }),
    ]
}

/// Interruptions and what ends them; every value of a command is different.
fn interruptions(keys: &ExecutionKeys, condition: &ResumeCondition) -> Vec<(&'static str, Cmd)> {
    let (lane_id, worker, fence) = (&LaneId::new("gpu"), worker(), &fence());
    let (instance_id, attempt_index) = (&worker.instance_id, INDEX);
    let (waitpoint_id, signal_id) = (&WaitpointId(WAITPOINT), &SignalId(SIGNAL));
    vec![
        named(&SuspendExecution {
            keys,
            lane_id,
            instance_id,
            attempt_index,
            fence,
            suspension_id: &SuspensionId(SUSPENSION),
            waitpoint_id,
            waitpoint_key: "wp",
            condition,
            timeout_at: Some(NOW),
        }),
        named(&DelayExecution { keys, lane_id, instance_id, attempt_index, fence, until: NOW }),
        named(&DeliverSignal {
            keys,
            lane_id,
            waitpoint_id,
            token: &WaitpointToken::new("kid:token"),
            signal_id,
            name: "go",
            idempotency_key: Some("once"),
        }),
        named(&ExpireSuspension { keys, lane_id, waitpoint_id, attempt_index }),
        named(&ResumeExecution { keys, lane_id, waitpoint_id, trigger: ResumeTrigger::Operator }),
        named(&PromoteDelayed { keys, lane_id, now: NOW }),
    ]
}

#[test]
fn keys_and_arguments_stand_where_the_library_reads_them() {
    let execution_id = ExecutionId::parse(EXECUTION).unwrap();
    let keys = ExecutionKeys::from_id(&execution_id);
    let condition = ResumeCondition::on_signal("go", OnTimeout::AutoResume);
    let commands = [claims_and_leases(&keys), interruptions(&keys, &condition)].concat();
    let without_keys = 1; // ff_version
    assert_eq!(commands.len() + without_keys, FUNCTIONS.len());
    for (function, cmd) in commands {
        let words: Vec<String> = cmd
            .args_iter()
            .map(|arg| match arg {
                Arg::Simple(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
                _ => panic!("a cursor"),
            })
            .collect();
        let (key_names, argument_names) = (documented(function, "KEYS"), documented(function, "ARGV"));
        assert_eq!(words[..3], ["FCALL".to_owned(), function.to_owned(), key_names.len().to_string()]);
        let (keys, arguments) = words[3..].split_at(key_names.len());
        for (name, seen) in key_names.iter().zip(keys) {
            assert_eq!(*seen, key(name, function), "{function}, key {name}");
        }
        assert_eq!(arguments.len(), argument_names.len(), "{function}: {argument_names:?}");
        for (name, seen) in argument_names.iter().zip(arguments) {
            assert_eq!(*seen, argument(name, function, &condition), "{function}, argument {name}");
        }
    }
}
