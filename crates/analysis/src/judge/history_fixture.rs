//! Nights of a history, made in code.

use std::collections::BTreeMap;

use super::history::{HistoryEntry, HistoryValue};

/// A run of such a night in January, with one metric.
pub fn night(number: usize, value: f64) -> HistoryEntry {
    let value = HistoryValue { unit: "us".into(), value, interval: None };
    HistoryEntry {
        variant_libraries: BTreeMap::new(),
        variant_sdks: BTreeMap::new(),
        seed: 1,
        settings: String::new(),
        started: format!("2026-01-{:02}T02:00:00Z", number + 1),
        scenario: "lane-ab".into(),
        commit: format!("commit{number}"),
        library_sha256: "ab".repeat(32),
        machine: "Example CPU".into(),
        kernel: None,
        cluster: None,
        valid: true,
        metrics: BTreeMap::from([("grant-lane/service_p50".into(), value)]),
    }
}
