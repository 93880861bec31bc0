//! Whether the servers of a server duet were what their arms ask for.

use crate::record::{ClusterRecord, InvalidReason, RunRecord, ServerReading};
use crate::scenario::same_setting;

/// Everything on every primary that was not as asked for, before the first window or after the last one. Of a
/// run that was stopped nobody may have had the time to look once more.
pub(super) fn other_servers(record: &RunRecord) -> Vec<InvalidReason> {
    let mut reasons = Vec::new();
    for cluster in &record.clusters {
        for (after, readings) in [(false, &cluster.before), (true, &cluster.after)] {
            if after && record.partial && readings.is_empty() {
                continue;
            }
            let (told, primaries) = (readings.len(), cluster.valkey.primaries as usize);
            let reason = |primary: Option<&ServerReading>, what: &str, asked: &str, found: &str| {
                InvalidReason::OtherServer {
                    cluster: record.cluster_name(cluster),
                    primary: primary.map(|reading| reading.addr.clone()),
                    after,
                    what: what.to_owned(),
                    asked: asked.to_owned(),
                    found: found.to_owned(),
                }
            };
            if told != primaries {
                let [asked, found] = [primaries, told].map(|count| count.to_string());
                reasons.push(reason(None, "the number of primaries that told what they are", &asked, &found));
            }
            for reading in readings {
                let differing = differences(cluster, reading);
                reasons.extend(
                    differing.iter().map(|(what, asked, found)| reason(Some(reading), what, asked, found)),
                );
            }
        }
    }
    reasons
}

/// What, as asked for and as found.
type Mismatch = (String, String, String);

fn differences(cluster: &ClusterRecord, reading: &ServerReading) -> Vec<Mismatch> {
    let server = &cluster.server;
    let mut found = Vec::new();
    for (what, asked, is) in [
        ("the version", &server.version, &reading.version),
        ("the allocator", &server.allocator, &reading.allocator),
    ] {
        if asked != is {
            found.push((what.to_owned(), asked.clone(), is.clone()));
        }
    }
    for (name, asked) in &server.config {
        match reading.config.get(name) {
            Some(is) if same_setting(asked, is) => {}
            is => {
                let is = is.map_or("nothing".to_owned(), |is| format!("`{is}`"));
                found.push((format!("the setting {name}"), format!("`{asked}`"), is));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::analyse;
    use super::super::fixtures::{GRANT_LANE, SimulatedArm, TWIN};
    use super::super::result::{ControlFailure, RunResult, Verdict};
    use super::super::server_fixture::server_duet;
    use super::*;
    use crate::record::{Stratum, Violation};
    use crate::scenario::Metric;

    fn judged(change: impl FnOnce(&mut RunRecord)) -> RunResult {
        let mut record = server_duet(&[GRANT_LANE, TWIN], 1);
        change(&mut record);
        analyse(record).unwrap()
    }

    #[test]
    fn servers_that_are_as_asked_for_are_quiet() {
        let quiet = judged(|_| ());
        assert!(quiet.valid, "{:?}", quiet.invalid_reasons);
        assert!(quiet.control.unwrap().passed);
        // A server writes a size in bytes.
        let sizes = judged(|record| {
            record.clusters[1].server.config.insert("hash-max-listpack-value".into(), "1kb".into());
            for reading in [0, 1] {
                let cluster = &mut record.clusters[1];
                let readings = [&mut cluster.before, &mut cluster.after];
                readings.into_iter().nth(reading).unwrap()[0]
                    .config
                    .insert("hash-max-listpack-value".into(), "1024".into());
            }
        });
        assert!(sizes.valid, "{:?}", sizes.invalid_reasons);
    }

    #[test]
    fn another_version_allocator_or_setting_invalidates_at_the_start_and_at_the_end() {
        type Change = fn(&mut ServerReading);
        let changes: [(Change, &str); 4] = [
            (|reading| reading.version = "9.1.1".into(), "the version"),
            (|reading| reading.allocator = "jemalloc-5.3.0".into(), "the allocator"),
            (
                |reading| drop(reading.config.insert("appendonly".into(), "no".into())),
                "the setting appendonly",
            ),
            (|reading| reading.config.clear(), "the setting appendonly"),
        ];
        for (change, named) in changes {
            for at_the_end in [false, true] {
                let result = judged(|record| {
                    let cluster = &mut record.clusters[1];
                    change(&mut if at_the_end { &mut cluster.after } else { &mut cluster.before }[0]);
                });
                let [InvalidReason::OtherServer { after, what, .. }] = &result.invalid_reasons[..] else {
                    panic!("{named}: {:?}", result.invalid_reasons)
                };
                assert_eq!((*after, what.as_str()), (at_the_end, named));
            }
        }
        let silent = judged(|record| record.clusters[2].after.clear());
        assert!(matches!(
            &silent.invalid_reasons[..],
            [InvalidReason::OtherServer { primary: None, after: true, .. }]
        ));
        let stopped = judged(|record| {
            record.partial = true;
            record.clusters.iter_mut().for_each(|cluster| cluster.after.clear());
        });
        assert!(stopped.valid, "{:?}", stopped.invalid_reasons);
    }

    #[test]
    fn the_counters_and_the_audit_of_each_cluster_count_by_themselves() {
        for cluster in 0..3 {
            let result = judged(|record| {
                let counters = &mut record.primaries[cluster].counters;
                *counters.calls.get_mut("fcall").unwrap() += 1;
            });
            assert!(
                matches!(&result.invalid_reasons[..], [InvalidReason::CountersDisagree { primary, .. }]
                    if *primary == result.record.primaries[cluster].addr),
                "{:?}",
                result.invalid_reasons
            );
        }
        // What one has too much the other lacks: in the sum nobody would see it.
        let swapped = judged(|record| {
            record.clusters[0].audit.claimed += 1;
            record.clusters[1].audit.claimed -= 1;
        });
        let unexplained = |reason: &InvalidReason| {
            matches!(reason, InvalidReason::AuditViolation { violation: Violation::SumOfGrants, count: 1 })
        };
        assert!(!swapped.valid && swapped.invalid_reasons.iter().all(unexplained), "{swapped:?}");
    }

    /// Every time of the second side of the control's strata so much longer.
    fn with_slower_control(arms: &[SimulatedArm], times: f64) -> RunResult {
        let mut record = server_duet(arms, 1);
        let slower = |stratum: &mut Stratum| {
            let side = &mut stratum.sides[1].service;
            let times: Vec<f64> = side.iter_us().map(|us| us * times).collect();
            side.0.clear();
            for us in times {
                side.push(std::time::Duration::from_secs_f64(us / 1e6));
            }
        };
        record.strata.iter_mut().filter(|stratum| stratum.control).for_each(slower);
        analyse(record).unwrap()
    }

    /// Two clusters of one server differ: the control's may be slower, and the baseline is not.
    #[test]
    fn the_baseline_is_compared_without_the_clusters_of_its_control() {
        let duet = |times: f64| {
            let mut record = server_duet(&[GRANT_LANE, TWIN], 1);
            record.strata.retain(|stratum| !stratum.control);
            for stratum in &mut record.strata {
                let mut again = stratum.sides[0].clone();
                again.service.0.iter_mut().for_each(|ticks| *ticks = (f64::from(*ticks) * times) as u32);
                stratum.sides.push(again);
            }
            let blocks: Vec<_> = record.blocks.iter().filter(|block| block.arm == 0).cloned().collect();
            record.blocks.extend(blocks.into_iter().map(|mut block| {
                block.on_control = true;
                block.duration_s *= times;
                block.counters.main_thread_cpu_us *= times;
                block
            }));
            analyse(record).unwrap()
        };
        let of = |result: &RunResult, metric: Metric| {
            let found = result.comparisons.iter().find(|one| one.metric == metric).unwrap();
            (found.baseline_value, found.ratio)
        };
        let (alike, slower) = (duet(1.0), duet(1.05));
        assert!(slower.control.as_ref().unwrap().ratio.unwrap().estimate > 1.04, "{:?}", slower.control);
        for metric in [Metric::ServiceP50, Metric::ServerCpu] {
            assert_eq!(of(&alike, metric), of(&slower, metric), "{metric:?}");
        }
        let rates = [&alike, &slower].map(|result| result.variants[0].throughput_per_s.to_bits());
        assert_eq!(rates[0], rates[1]);
    }

    #[test]
    fn verdicts_allow_for_what_two_clusters_of_one_server_differ_by() {
        let threshold =
            server_duet(&[GRANT_LANE, TWIN], 1).scenario.compare.unwrap_or_default().noise_threshold;
        let a_little = 1.0 + threshold / 4.0;
        let verdict = |result: &RunResult| result.comparisons[0].verdict;
        // On one cluster the same control would forbid every verdict; here it is what clusters do.
        let slower = SimulatedArm { slower: 1.2, ..TWIN };
        let found = with_slower_control(&[GRANT_LANE, slower], a_little);
        let control = found.control.clone().unwrap();
        assert!(control.passed && control.allowance.unwrap() > threshold / 4.0, "{control:?}");
        assert_eq!(verdict(&found), Verdict::Regression);
        // A difference just beyond the threshold does not survive it.
        let just = SimulatedArm { slower: (1.0 + threshold) * (1.0 + threshold / 5.0), ..TWIN };
        let allowed_for = with_slower_control(&[GRANT_LANE, just], a_little);
        assert_ne!(verdict(&allowed_for), Verdict::Regression);
        // And the smallest that this run can tell is larger by what is allowed for.
        let detectable = |result: &RunResult| result.comparisons[0].detectable.unwrap();
        let alone = analyse(server_duet(&[GRANT_LANE, just], 1)).unwrap();
        let allowance = |result: &RunResult| 1.0 + result.control.as_ref().unwrap().allowance.unwrap();
        let raw = |result: &RunResult| (1.0 + detectable(result)) / allowance(result);
        assert!((raw(&alone) - raw(&allowed_for)).abs() < 1e-9);
        let far = with_slower_control(&[GRANT_LANE, slower], 1.0 + 2.0 * threshold);
        let control = far.control.clone().unwrap();
        assert!(matches!(control.failure, Some(ControlFailure::ClustersDiffer { .. })), "{control:?}");
        assert_eq!(verdict(&far), Verdict::Inconclusive);
    }
}
