//! The report that FlowFabric's own benchmarks write (`benches/harness` there, `<scenario>-<sha>.json`), so
//! that its release check reads ours as well.

use super::super::servers;
use super::{ExportError, rounded, usable};
use crate::json::ToJsonLine as _;
use crate::judge::{FfBenchHost, FfBenchLatency, FfBenchReport, RunResult};
use crate::record::{Warning, short_sha256};
use crate::scenario::Metric;

/// One report of a run with one variant, a list with one for each of several. The latency is the response
/// time where the run has one, else the service time; the notes say which, and what else its format has no
/// place for.
pub fn ff_bench(result: &RunResult) -> Result<String, ExportError> {
    let reports = ff_bench_reports(result)?;
    let json = match reports.as_slice() {
        [one] => serde_json::to_string_pretty(one),
        several => serde_json::to_string_pretty(several),
    };
    Ok(json? + "\n")
}

/// The same as values: what `compare` holds against a file of the other harness.
pub fn ff_bench_reports(result: &RunResult) -> Result<Vec<FfBenchReport>, ExportError> {
    usable(result)?;
    (0..result.variants.len()).map(|position| report(result, position)).collect()
}

fn report(result: &RunResult, position: usize) -> Result<FfBenchReport, ExportError> {
    let (record, variant) = (&result.record, &result.variants[position]);
    let (environment, host) = (&record.environment, &record.environment.host);
    let (what, times) = match (&variant.response_us, &variant.service_us) {
        (Some(response), _) => ("response time, from when a claim was due", response),
        (None, Some(service)) => ("service time, from sending a claim to its lease", service),
        (None, None) => return Err(ExportError::Unusable("without a successful claim of every variant")),
    };
    let single = result.variants.len() == 1;
    let scenario = record.label();
    let ms = |us: f64| rounded(us / 1e3);
    // That format has no place for a run without.
    let shared = match result.own_rate_per_s(position) {
        Some(_) => "",
        None if record.has_workers() => "; throughput is of a time that the pipe to the worker is in",
        None if result.warnings.contains(&Warning::OtherDefinition { metric: Metric::Throughput }) => {
            "; throughput was something else in the version that made this result, and says nothing"
        }
        None => "; throughput is of a time in which the other variants made claims as well",
    };
    let library = record.library_of(&variant.name);
    let sdk = record.arms.get(position).and_then(|arm| arm.sdk.as_ref());
    let sdk = sdk.map(|sdk| format!("; SDK {}, sha256 {}", sdk.version, short_sha256(&sdk.sha256)));
    let sdk = sdk.unwrap_or_default();
    Ok(FfBenchReport {
        scenario: if single { scenario } else { format!("{scenario}-{}", variant.name) },
        system: "flowfabric".to_owned(),
        git_sha: record.tool.commit.clone(),
        valkey_version: servers::version_of_arm(record, &variant.name)
            .unwrap_or_else(|| environment.valkey.version.clone()),
        host: FfBenchHost {
            cpu: host.cpu.clone(),
            cores: host.cores.into(),
            mem_gb: host.memory_bytes >> 30,
        },
        cluster: true,
        timestamp_utc: seconds(&record.started),
        config: record.scenario.to_json_value()?,
        throughput_ops_per_sec: rounded(variant.throughput_per_s),
        latency_ms: FfBenchLatency { p50: ms(times.p50), p95: ms(times.p95), p99: ms(times.p99) },
        notes: Some(format!(
            "latency is the {what}{shared}; variant {}; library {} {}, sha256 {}{sdk}; git_sha is of reclaim-bench {}",
            variant.name,
            library.name,
            library.version,
            short_sha256(&library.sha256),
            record.tool.version
        )),
    })
}

/// A time as that format writes it: to the second.
fn seconds(started: &str) -> String {
    started.split_once('.').map_or_else(|| started.to_owned(), |(until, _)| format!("{until}Z"))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::judge::analyse;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, record};

    #[test]
    fn the_fields_are_those_of_the_other_harness_with_its_units() {
        let mut of = record(&[GRANT_LANE], 1);
        of.started = "2026-01-02T03:04:05.678Z".into();
        let result = analyse(of).unwrap();
        let report: Value = serde_json::from_str(&ff_bench(&result).unwrap()).unwrap();
        let keys: Vec<&str> = report.as_object().unwrap().keys().map(String::as_str).collect();
        let mut wanted = [
            "scenario",
            "system",
            "git_sha",
            "valkey_version",
            "host",
            "cluster",
            "timestamp_utc",
            "config",
            "throughput_ops_per_sec",
            "latency_ms",
            "notes",
        ];
        wanted.sort_unstable();
        assert_eq!(keys, wanted);
        assert_eq!((&report["scenario"], &report["cluster"]), (&"lane-ab".into(), &true.into()));
        assert_eq!(report["timestamp_utc"], "2026-01-02T03:04:05Z");
        let p50_us = result.variants[0].service_us.unwrap().p50;
        assert!((1e3 * report["latency_ms"]["p50"].as_f64().unwrap() - p50_us).abs() < 0.01);
        assert_eq!(report["host"]["mem_gb"], 8);
    }

    #[test]
    fn the_notes_name_the_library_that_the_variant_claimed_with() {
        let mut of = record(&[GRANT_LANE, HGET_LANE], 1);
        let own = crate::record::LibraryInfo { sha256: "cd".repeat(32), ..of.environment.library.clone() };
        of.arms[1].library = Some(own);
        let reports: Value = serde_json::from_str(&ff_bench(&analyse(of).unwrap()).unwrap()).unwrap();
        let names_it = |n: usize| reports[n]["notes"].as_str().unwrap().contains("sha256 cdcdcd");
        assert_eq!([0, 1].map(names_it), [false, true]);
    }

    #[test]
    fn several_variants_are_a_list_and_what_must_not_be_used_is_not_exported() {
        let mut result = analyse(record(&[GRANT_LANE, HGET_LANE], 1)).unwrap();
        let reports: Value = serde_json::from_str(&ff_bench(&result).unwrap()).unwrap();
        assert_eq!(reports[1]["scenario"], "lane-ab-hget-lane");
        result.valid = false;
        assert!(ff_bench(&result).unwrap_err().to_string().contains("invalid"));
    }
}
