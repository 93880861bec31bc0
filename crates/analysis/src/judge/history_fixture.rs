//! Nights of a history, made in code.

use std::collections::BTreeMap;

use super::history::{HistoryEntry, HistoryValue};
use super::trend::TrendPoint;

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

/// A point of a trend that began then, of which nothing else is known.
pub fn trend_point(started: &str) -> TrendPoint {
    TrendPoint {
        started: started.to_owned(),
        commit: String::new(),
        library_sha256: String::new(),
        baseline_library_sha256: None,
        sdk: None,
        kernel: None,
        value: 1.0,
        interval: None,
    }
}
