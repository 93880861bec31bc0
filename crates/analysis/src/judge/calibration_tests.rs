use super::super::fixtures::{GRANT_LANE, calibration_record, record, scenario};
use super::*;
use crate::json::FromJson as _;
use crate::record::Histogram;

type Break = fn(&mut CalibrationRecord);

fn near(value: f64, truth: f64) -> bool {
    (value / truth - 1.0).abs() < 1e-9
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
    let note =
        |calibration: &Calibration| calibration.note(&scenario(&[GRANT_LANE]), 1, 1).unwrap().disturbed;
    assert_eq!((note(&quiet), note(&busy)), (Vec::new(), busy.disturbed.clone()));
}
