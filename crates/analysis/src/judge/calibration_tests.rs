use std::time::Duration;

use super::super::fixtures::{GRANT_LANE, calibration_record, generator, record, scenario};
use super::*;
use crate::json::FromJson as _;
use crate::record::{Conditions, GeneratorUse, Histogram, TimelinePoint};
use crate::scenario::{Arrivals, Cores, Placement};

type Break = fn(&mut CalibrationRecord);

fn near(value: f64, truth: f64) -> bool {
    (value / truth - 1.0).abs() < 1e-9
}

fn wanting(change: impl FnOnce(&mut crate::scenario::Load)) -> Scenario {
    let mut scenario = scenario(&[GRANT_LANE]);
    change(&mut scenario.load);
    scenario
}

#[test]
fn the_planted_figures_are_found() {
    let calibration = assess(calibration_record());
    assert!(calibration.valid, "{:?}", calibration.problems);
    assert!(near(calibration.ceiling_per_sec.unwrap(), 250_000.0));
    let alone = calibration.level_summaries[0];
    assert!(
        near(alone.per_sec, 50_000.0) && near(alone.client_cpu_us, 20.0) && near(alone.client_share, 1.0)
    );
    let overhead = calibration.round_trip_summary.unwrap().overhead_us;
    assert!(overhead.contains(12.0) && overhead.half_width() < 0.5, "{overhead:?}");
    let [trend] = calibration.cpu[..] else { panic!("{:?}", calibration.cpu) };
    assert_eq!((trend.from, trend.to), (8, 4_096));
    assert!(near(trend.spread, 1.0) && near(trend.growth, 1.0), "a lone worker is not looked at");
}

#[test]
fn cpu_that_grows_is_told_from_cpu_that_falls() {
    let trend = |cheaper: bool| {
        let mut record = calibration_record();
        let level = if cheaper { 1 } else { 4 };
        for round in &mut record.levels[level].rounds {
            round.client_cpu_s *= 1.5;
        }
        assess(record).cpu[0]
    };
    assert!(near(trend(true).growth, 1.0) && near(trend(true).spread, 1.5));
    assert!(near(trend(false).growth, 1.5) && near(trend(false).spread, 1.5));
}

#[test]
fn what_is_wrong_with_a_calibration_is_said_and_it_fits_no_run() {
    let sound = calibration_record();
    let (tool, host, run) = (sound.tool.clone(), sound.host.clone(), record(&[GRANT_LANE], 1));
    assert!(assess(sound).fits(&tool, &host, &run));
    let broken: [(&str, Break); 3] = [
        ("CallsDisagree { primary: \"127.0.0.1:7000\", sent: 200000, counted: 200001 }", |r| r.counted += 1),
        ("Unanswered { requests: 2 }", |r| r.failed = 2),
        ("DamagedHistogram", |r| r.levels[1].service = Histogram(Some("AAAA".into()))),
    ];
    for (said, broken) in broken {
        let mut record = calibration_record();
        broken(&mut record);
        let calibration = assess(record);
        let problems = format!("{:?}", calibration.problems);
        assert!(!calibration.valid && problems.contains(said), "{said}: {problems}");
        assert!(!calibration.fits(&tool, &host, &run));
    }
}

#[test]
fn problems_that_an_earlier_version_told_in_words_are_read_and_found_again() {
    let broken = assess(CalibrationRecord { failed: 2, ..calibration_record() });
    let mut json = serde_json::to_value(&broken).unwrap();
    assert_eq!(json["problems"], serde_json::json!([{ "problem": "unanswered", "requests": 2 }]));
    json["problems"] = serde_json::json!(["2 requests had no answer"]);
    let stored = Calibration::from_json_value(&json).unwrap();
    assert_eq!(stored.problems, [CalibrationProblem::InWords("2 requests had no answer".into())]);
    assert_eq!(assess(stored.record).problems, broken.problems);
}

#[test]
fn a_busy_machine_is_noticed_by_the_cpu_of_others_and_by_turns_that_differ() {
    let quiet = assess(calibration_record());
    assert_eq!(quiet.disturbed, []);
    let disturbed = |broken: Break| {
        let mut record = calibration_record();
        broken(&mut record);
        assess(record)
    };
    // Two cores for 30 s, of which the tool and its server used 33 s.
    let busy = disturbed(|r| r.generator.as_mut().unwrap().machine_cpu_s = Some(45.0));
    let [Disturbance::OthersBusy { share }] = busy.disturbed[..] else { panic!("{:?}", busy.disturbed) };
    assert!(near(share, 0.2));
    // 45 s of them busy, 12 of those the host's.
    let stolen = disturbed(|r| {
        let used = r.generator.as_mut().unwrap();
        (used.machine_cpu_s, used.stolen_cpu_s) = (Some(45.0), Some(12.0));
    });
    let [Disturbance::CoresStolen { share }] = stolen.disturbed[..] else { panic!("{:?}", stolen.disturbed) };
    assert!(near(share, 0.2));
    let slow = |r: &mut CalibrationRecord| r.levels.iter_mut().for_each(|l| l.rounds[0].seconds *= 4.0);
    let differ = disturbed(slow);
    let [Disturbance::RoundsDiffer { spread }] = differ.disturbed[..] else {
        panic!("{:?}", differ.disturbed)
    };
    // Rates of 1/4, 4/5 and 5/4.
    assert!(near(spread, 1.25), "{spread}");
    assert_eq!(disturbed(|r| r.levels[0].rounds[0].seconds *= 4.0).disturbed, [], "one level is chance");
    // Servers elsewhere use none of this machine, and a system that does not tell says nothing.
    let elsewhere = disturbed(|r| r.valkey.same_machine = false);
    assert!(matches!(elsewhere.disturbed[..], [Disturbance::OthersBusy { .. }]));
    assert_eq!(disturbed(|r| r.generator = None).disturbed, []);
    assert!(busy.valid, "true of that machine at that time");
    let note = |calibration: &Calibration| calibration.note(&wanting(|_| ()), 1, 1).unwrap().disturbed;
    assert_eq!((note(&quiet), note(&busy)), (Vec::new(), busy.disturbed.clone()));
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
    let fits = |moved: Break, run: &RunRecord| {
        let mut record = calibration_record();
        moved(&mut record);
        let (tool, host) = (record.tool.clone(), record.host.clone());
        assess(record).fits(&tool, &host, run)
    };
    let far: Break = |r| {
        r.valkey.provider = "external".into();
        r.valkey.same_machine = false;
        r.primary = "far:6379".into();
    };
    let mut run = record(&[GRANT_LANE], 1);
    assert!(fits(|_| (), &run));
    assert!(!fits(far, &run), "2,000 requests per second there are no limit here");
    assert!(!fits(|r| r.valkey.provider = "container".into(), &run));
    assert!(!fits(|r| r.valkey.same_machine = false, &run));
    assert!(!fits(|r| r.valkey.tls = Some(true), &run));
    assert!(fits(|r| r.valkey.tls = None, &run), "of a version that did not say");
    run.environment.valkey.provider = "external".into();
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
