//! What FlowFabric's own harness writes, made in code.

use serde_json::{Value, json};

/// A report as it stands in its file: claims per second, and the 50th, 95th and 99th percentile in milliseconds.
pub fn other_harness(throughput: f64, [p50, p95, p99]: [f64; 3]) -> Value {
    json!({
        "scenario": "suspend_signal_resume", "system": "flowfabric", "git_sha": "abc1234",
        "valkey_version": "8.1.0", "host": { "cpu": "Example CPU", "cores": 4, "mem_gb": 15 }, "cluster": false,
        "timestamp_utc": "2026-01-02T03:04:05Z", "config": { "tasks": 1000, "workers": 16 },
        "throughput_ops_per_sec": throughput, "latency_ms": { "p50": p50, "p95": p95, "p99": p99 },
    })
}
