use std::io::Cursor;

use super::super::analyse_as;
use super::super::arm_differences::is_of_two_arms;
use super::super::fixtures::{GRANT_LANE, HGET_LANE, by_workers, generator, record, scenario};
use super::super::history_fixture::night;
use super::super::ruler_fixture::in_round_trips;
use super::super::trend::trend;
use super::*;
use crate::record::{GeneratorUse, LibraryInfo, SdkInfo};

#[test]
fn runs_are_appended_and_read_back() {
    let result = analyse_as(record(&[GRANT_LANE], 1), &scenario(&[GRANT_LANE]));
    let entry = HistoryEntry::from_result(&result);
    assert!(entry.metrics["grant-lane/service_p50"].interval.is_some());
    assert!(entry.metrics.contains_key("grant-lane/calls.hget"));
    let mut file = Cursor::new(Vec::new());
    append(&mut file, &entry).unwrap();
    append(&mut file, &night(3, 200.0)).unwrap();
    let history = read(Cursor::new(file.into_inner())).unwrap();
    assert_eq!(history, History { entries: vec![entry, night(3, 200.0)], skipped: vec![] });
}

/// `nightly/*` names a run that is being made as well: its safety copy is read then.
#[test]
fn a_run_that_was_read_while_it_was_made_is_the_run_that_it_became() {
    let of = |partial: bool| {
        let mut record = record(&[GRANT_LANE], 1);
        record.partial = partial;
        HistoryEntry::from_result(&analyse_as(record, &scenario(&[GRANT_LANE])))
    };
    let (unfinished, ended) = (of(true), of(false));
    assert_eq!((unfinished.valid, ended.valid), (false, true));
    assert!(!ended.adds_nothing_to(&unfinished), "it is to be appended");
    assert!(unfinished.adds_nothing_to(&ended) && ended.adds_nothing_to(&ended));
    let mut file = Cursor::new(Vec::new());
    for entry in [&unfinished, &night(3, 200.0), &ended, &unfinished] {
        append(&mut file, entry).unwrap();
    }
    let history = read(Cursor::new(file.into_inner())).unwrap();
    assert_eq!(history.entries.iter().filter(|entry| entry.is_same_run(&ended)).count(), 1);
    assert!(history.entries.iter().all(|entry| entry.valid), "{:?}", history.entries);
}

/// What `compare` refuses is no trend.
#[test]
fn a_night_under_other_conditions_is_another_machine() {
    let machine = |change: &dyn Fn(&mut RunRecord)| {
        let mut record = record(&[GRANT_LANE], 1);
        change(&mut record);
        HistoryEntry::from_result(&analyse_as(record, &scenario(&[GRANT_LANE]))).machine
    };
    let usual = machine(&|_| ());
    assert!(
        machine(&|r| r.environment.host.quota_us_per_s = Some(1_500_000))
            .ends_with(", CPU quota of 1.50 cores")
    );
    assert!(machine(&|r| r.environment.valkey.io_threads = 4).ends_with(", 4 io-threads"));
    assert!(machine(&|r| r.environment.valkey.partitions = 64).ends_with(", 64 partitions"));
    assert!(
        machine(&|r| r.environment.valkey.allocator = "jemalloc-5.3.0".into()).ends_with(", jemalloc-5.3.0")
    );
    // Two on this machine, or one of them on another.
    let generators = |boot: &str| {
        machine(&|r| {
            r.generators = vec![generator(1), generator(2)];
            r.generators[0].host.boot = Some("a".into());
            r.generators[1].host.boot = Some(boot.to_owned());
        })
    };
    assert!(generators("a").ends_with(", 2 generators"), "{}", generators("a"));
    let apart = generators("b");
    assert!(
        apart.contains(", 2 generators, theirs: ") && apart.matches(" cores and ").count() == 2,
        "{apart}"
    );
    let with_priority =
        |real_time| machine(&|r| r.generator = Some(GeneratorUse { real_time, ..GeneratorUse::default() }));
    assert!(with_priority(Some(false)).ends_with(", generator without real-time priority"));
    assert_eq!([with_priority(None), with_priority(Some(true))], [usual.clone(), usual.clone()]);
    let replicated = |provider: Provider| {
        machine(&|r| {
            r.environment.valkey.replicas = 1;
            r.environment.valkey.provider = provider;
        })
    };
    assert!(replicated(Provider::External).contains(", 1 replicas, on the generator's machine"));
    // Those of servers of our own are a key of the scenario.
    assert!(!replicated(Provider::Local).contains("replicas") && !usual.contains("quota"));
}

#[test]
fn a_night_of_an_sdk_duet_says_which_sdk_it_was() {
    let mut record = record(&[GRANT_LANE], 1);
    record.arms[0].sdk = Some(SdkInfo {
        source: "origin/main:crates/ff-sdk".into(),
        version: "0.15.0".into(),
        commit: None,
        sha256: "cd".repeat(32),
        compiler: "rustc 1".into(),
    });
    let arm = record.arms[0].name.clone();
    let entry = HistoryEntry::from_result(&analyse_as(record, &scenario(&[GRANT_LANE])));
    let metric = format!("{arm}/service_p50");
    let seen = trend(std::slice::from_ref(&entry), &entry.scenario, &metric).unwrap();
    assert_eq!(seen.points[0].sdk.as_deref(), Some("0.15.0 (cdcdcdcdcdcd)"));
}

#[test]
fn a_torn_line_costs_one_run_and_is_reported() {
    let mut file = Cursor::new(Vec::new());
    append(&mut file, &night(0, 200.0)).unwrap();
    append(&mut file, &night(1, 201.0)).unwrap();
    let mut bytes = file.into_inner();
    bytes.truncate(bytes.len() - 30);
    let torn = read(Cursor::new(bytes.clone())).unwrap();
    assert_eq!((torn.entries.len(), torn.skipped[0].line), (1, 2));
    let mut file = Cursor::new(bytes);
    append(&mut file, &night(2, 202.0)).unwrap();
    let history = read(Cursor::new(file.into_inner())).unwrap();
    assert_eq!(history.entries, [night(0, 200.0), night(2, 202.0)]);
    assert_eq!(history.skipped.len(), 1);
}

#[test]
fn what_one_arm_takes_more_than_another_is_kept_beside_both() {
    let mut result = in_round_trips(&[GRANT_LANE, HGET_LANE], 1, 1);
    let entry = HistoryEntry::from_result(&result);
    let more = &entry.metrics["hget-lane less grant-lane/service_p50_round_trips"];
    assert!(more.interval.unwrap().contains(0.8), "{more:?}");
    assert_eq!(more.unit, "round trips");
    let mut file = Cursor::new(Vec::new());
    append(&mut file, &entry).unwrap();
    let back = read(Cursor::new(file.into_inner())).unwrap();
    assert!(back.entries[0].metrics.keys().eq(entry.metrics.keys()), "{:?}", back.entries);
    // What its control forbids is no figure of a night; each arm by itself is one.
    result.control.as_mut().unwrap().passed = false;
    let metrics = HistoryEntry::from_result(&result).metrics;
    assert!(metrics.contains_key("hget-lane/service_p50"));
    assert!(metrics.keys().all(|key| !is_of_two_arms(key)), "{metrics:?}");
}

#[test]
fn a_difference_between_two_libraries_or_sdks_is_of_neither_alone() {
    let mut result = in_round_trips(&[GRANT_LANE, HGET_LANE], 1, 1);
    let point = |result: &RunResult| {
        let entry = HistoryEntry::from_result(result);
        let key = "hget-lane less grant-lane/service_p50";
        let seen = trend(std::slice::from_ref(&entry), &entry.scenario, key).unwrap();
        seen.points[0].clone()
    };
    let of_run = "ab".repeat(32);
    let one = point(&result);
    assert_eq!((one.library_sha256, one.baseline_library_sha256, one.sdk), (of_run.clone(), None, None));
    let own = "cd".repeat(32);
    let library = &result.record.environment.library;
    result.record.arms[1].library = Some(LibraryInfo { sha256: own.clone(), ..library.clone() });
    let two = point(&result);
    assert_eq!((two.library_sha256, two.baseline_library_sha256), (own, Some(of_run)));
    by_workers(&mut result.record);
    let [same, other] = ["abababababab", "cdcdcdcdcdcd"].map(|digest| format!("0.15.0 ({digest})"));
    assert_eq!(point(&result).sdk, Some(same.clone()));
    result.record.arms[1].sdk.as_mut().unwrap().sha256 = "cd".repeat(32);
    assert_eq!(point(&result).sdk, Some(format!("{other} against {same}")));
}
