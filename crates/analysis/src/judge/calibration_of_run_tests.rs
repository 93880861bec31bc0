use std::time::Duration;

use super::super::calibration::assess;
use super::super::fixtures::{GRANT_LANE, calibration_record, generator, record, scenario};
use super::*;
use crate::record::{GeneratorUse, TimelinePoint};
use crate::scenario::{Cores, Load, Placement, Provider};

type Change = fn(&mut CalibrationRecord);

fn near(value: f64, truth: f64) -> bool {
    (value / truth - 1.0).abs() < 1e-9
}

fn wanting(change: impl FnOnce(&mut Load)) -> Scenario {
    let mut scenario = scenario(&[GRANT_LANE]);
    change(&mut scenario.load);
    scenario
}

#[test]
fn another_machine_or_build_or_a_narrowed_calibration_does_not_fit() {
    let calibration = assess(calibration_record());
    let (tool, host) = (calibration.record.tool.clone(), calibration.record.host.clone());
    let run = record(&[GRANT_LANE], 1);
    assert!(!calibration.fits(&tool, &Host { cores: host.cores + 1, ..host.clone() }, &run));
    assert!(!calibration.fits(&tool, &Host { cpu: "another".into(), ..host.clone() }, &run));
    assert!(!calibration.fits(&Tool { debug_build: true, ..tool.clone() }, &host, &run));
    let arranged = |conditions: Conditions| {
        let mut run = run.clone();
        run.environment.conditions = Some(conditions);
        run
    };
    let apart = Conditions { placement: Placement::Apart, cores: Cores::Awake, ..Conditions::default() };
    assert!(!calibration.fits(&tool, &host, &arranged(apart)), "another place for the same threads");
    assert!(calibration.fits(&tool, &host, &arranged(Conditions::default())));
    // A kernel update does not change the machine, nor a commit the build.
    assert!(calibration.fits(
        &Tool { commit: "x".into(), ..tool.clone() },
        &Host { kernel: "x".into(), ..host.clone() },
        &run
    ));
    let narrowed = CalibrationRecord { complete: false, ..calibration_record() };
    assert!(!assess(narrowed).fits(&tool, &host, &run));
}

#[test]
fn servers_in_another_place_want_a_calibration_of_their_own() {
    let fits = |moved: Change, run: &RunRecord| {
        let mut record = calibration_record();
        moved(&mut record);
        let (tool, host) = (record.tool.clone(), record.host.clone());
        assess(record).fits(&tool, &host, run)
    };
    let far: Change = |r| {
        r.valkey.provider = Provider::External;
        r.valkey.same_machine = false;
        r.primary = "far:6379".into();
    };
    let mut run = record(&[GRANT_LANE], 1);
    assert!(fits(|_| (), &run));
    assert!(!fits(far, &run), "2,000 requests per second there are no limit here");
    assert!(!fits(|r| r.valkey.provider = Provider::Container, &run));
    assert!(!fits(|r| r.valkey.same_machine = false, &run));
    assert!(!fits(|r| r.valkey.tls = Some(true), &run));
    assert!(fits(|r| r.valkey.tls = None, &run), "of a version that did not say");
    run.environment.valkey.provider = Provider::External;
    run.environment.valkey.same_machine = false;
    assert!(!fits(|_| (), &run) && !fits(far, &run), "another cluster elsewhere may be nearer");
    run.primaries[0].addr = "far:6379".into();
    assert!(fits(far, &run));
}

#[test]
fn a_run_gets_the_figures_of_the_nearest_level() {
    let calibration = assess(calibration_record());
    let level = |concurrency: u32, contenders: u16| {
        let scenario = wanting(|load| {
            load.model = Model::Closed { concurrency };
            load.contenders = contenders;
        });
        calibration.note(&scenario, 3, 1).unwrap()
    };
    assert_eq!([1, 2, 20, 40, 300, 100_000].map(|n| level(n, 1).in_flight), [1, 1, 8, 64, 512, 4_096]);
    assert_eq!(level(16, 4).in_flight, 64, "each contender has a request in flight");
    let alone = level(1, 1);
    assert!(near(alone.ceiling_per_sec, 50_000.0) && alone.send_lag.is_none());
    assert!((alone.round_trip_overhead_us.unwrap() - 12.0).abs() < 0.5);
    let open = |arrivals| {
        let scenario = wanting(|load| load.model = Model::Open { rate_per_sec: 1_500.0, arrivals });
        calibration.note(&scenario, 3, 1).unwrap()
    };
    assert!(near(open(Arrivals::Constant).ceiling_per_sec, 250_000.0));
    let lag = |arrivals| open(arrivals).send_lag.unwrap().p99_us;
    assert!((lag(Arrivals::Constant) - 50.0).abs() < 0.1 && (lag(Arrivals::Poisson) - 80.0).abs() < 0.1);
    let burst = Arrivals::Burst { size: 3, every: Duration::from_secs(1) };
    assert!((lag(burst) - 80.0).abs() < 0.1);
    let empty = CalibrationRecord { levels: Vec::new(), ..calibration_record() };
    assert_eq!(assess(empty).note(&wanting(|_| ()), 1, 1), None);
}

#[test]
fn only_a_rate_near_the_run_s_that_was_kept_says_how_late_the_pacer_is() {
    let lag = |record: CalibrationRecord, rate_per_sec: f64, arrivals: Arrivals| {
        let scenario = wanting(|load| load.model = Model::Open { rate_per_sec, arrivals });
        assess(record).note(&scenario, 3, 1).unwrap().send_lag
    };
    let at = |rate: f64| lag(calibration_record(), rate, Arrivals::Constant);
    assert!(at(250.0).is_some() && at(4_000.0).is_some());
    assert_eq!([at(200.0), at(5_000.0)], [None, None], "1,000 per second were calibrated");
    let trace = Arrivals::Trace { file: "x.txt".into() };
    assert_eq!(lag(calibration_record(), 1_000.0, trace), None, "only its file knows the rate");
    // A thousand requests that were to take a second, each of which is later than the one before.
    let told = |seconds: f64, arrivals: Arrivals| {
        let mut record = calibration_record();
        for cell in &mut record.send_lag {
            (cell.requests, cell.seconds) = (1_000, seconds);
        }
        lag(record, 1_000.0, arrivals).is_some()
    };
    assert!(told(1.04, Arrivals::Constant) && !told(1.06, Arrivals::Constant));
    assert!(told(1.1, Arrivals::Poisson) && !told(1.2, Arrivals::Poisson));
}

#[test]
fn only_a_run_near_the_ceiling_is_marked() {
    let marked = |claims_per_sec: u64, calibrated: bool| {
        let mut record = record(&[GRANT_LANE], 1);
        let second = TimelinePoint { claimed: claims_per_sec, ..record.timeline[0].clone() };
        record.timeline = vec![second; 10];
        record.generator = Some(GeneratorUse { window_s: 10.0, ..GeneratorUse::default() });
        record.calibration =
            calibrated.then(|| assess(calibration_record()).note(&wanting(|_| ()), 1, 1)).flatten();
        generator_limit(&record)
    };
    // Two commands per claim; one in flight reaches 50,000 requests per second.
    assert_eq!(marked(19_900, true), None);
    let Some(Warning::GeneratorCeiling { requests_per_sec, ceiling_per_sec }) = marked(20_100, true) else {
        panic!("a run beyond 80 % of the ceiling is not marked")
    };
    assert!(near(requests_per_sec, 40_200.0) && near(ceiling_per_sec, 50_000.0));
    assert_eq!(marked(20_100, false), None);
}

#[test]
fn requests_that_won_no_claim_are_requests_as_well() {
    let marked = |sent: u64, unconsumed: f64| {
        let mut record = record(&[GRANT_LANE], 1);
        record.scenario.grant.unconsumed = unconsumed;
        record.timeline = vec![TimelinePoint { claimed: 1_000, ..record.timeline[0].clone() }; 10];
        record.generator = Some(GeneratorUse { window_s: 10.0, ..GeneratorUse::default() });
        record.primaries.iter_mut().for_each(|primary| primary.counters.sent.clear());
        record.primaries[0].counters.sent.insert("fcall".to_owned(), sent);
        record.calibration = assess(calibration_record()).note(&wanting(|_| ()), 1, 1);
        generator_limit(&record).is_some()
    };
    // Four workers for each grant, of which three are told that it is gone.
    assert!(marked(410_000, 0.0) && !marked(390_000, 0.0));
    assert!(!marked(410_000, 0.25), "late claims are among them");
}

#[test]
fn of_several_generators_the_one_with_most_claims_on_the_calibrated_machine_is_held_against_the_ceiling() {
    let marked = |most: u64, change: &dyn Fn(&mut RunRecord)| {
        let mut record = record(&[GRANT_LANE], 1);
        let second = TimelinePoint { claimed: 40_000, ..record.timeline[0].clone() };
        record.timeline = vec![second; 10];
        record.generator = Some(GeneratorUse { window_s: 10.0, ..GeneratorUse::default() });
        record.calibration = assess(calibration_record()).note(&wanting(|_| ()), 1, 4);
        record.generators = (1..=4).map(generator).collect();
        record.generators[2].claims = most;
        change(&mut record);
        generator_limit(&record)
    };
    assert_eq!(marked(1_500, &|_| ()), None, "a quarter of 80,000 requests per second");
    let Some(Warning::OfGenerator { part: 3, what }) = marked(13_500, &|_| ()) else {
        panic!("three quarters of them")
    };
    let Warning::GeneratorCeiling { requests_per_sec, .. } = *what else { panic!("{what:?}") };
    assert!(near(requests_per_sec, 60_000.0));
    // What another machine can do nobody has measured.
    let elsewhere: [&dyn Fn(&mut RunRecord); 3] = [
        &|record| record.generators[2].host.memory_bytes += 1 << 30,
        &|record| {
            let placement = Placement::Apart;
            record.generators[2].conditions = Some(Conditions { placement, ..Conditions::default() });
        },
        &|record| record.environment.host.cpu = "Other CPU".into(),
    ];
    for change in elsewhere {
        assert_eq!(marked(13_500, change), None);
    }
    // Another core of the same machine, as the first's.
    let alike = |record: &mut RunRecord| {
        let on = |core| {
            let (placement, generator_on) = (Placement::Apart, vec![core]);
            Some(Conditions { placement, generator_on, ..Conditions::default() })
        };
        (record.environment.conditions, record.generators[2].conditions) = (on(1), on(0));
    };
    assert!(marked(13_500, &alike).is_some());
}
