//! What is said before a run, of machines and plans that are known.

use super::super::analyse_as;
use super::super::fixtures::{GRANT_LANE, HGET_LANE, record, scenario};
use super::*;
use crate::scenario::{Draft, Override, SHIPPED, Shipped, parse};

fn lane_ab(changes: &[(&str, &str)]) -> Scenario {
    let text = Shipped::find("lane-ab").unwrap().text;
    let change = |(key, value): &(&str, &str)| Override {
        shown: "--set".into(),
        key: (*key).into(),
        value: Some((*value).into()),
    };
    let changes: Vec<_> = changes.iter().map(change).collect();
    Draft::new("lane-ab", text).with(&changes).check().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_shipped_scenario_can_answer_what_it_asks() {
    for shipped in SHIPPED {
        let scenario = parse(shipped.name, shipped.text).unwrap();
        let forecast = forecast(&scenario, &SLOW_MACHINE);
        assert_eq!(forecast.shortfalls, [], "{}", shipped.name);
    }
}

#[test]
fn what_cannot_be_judged_is_told_with_what_it_would_take() {
    let of = |changes: &[(&str, &str)]| forecast(&lane_ab(changes), &SLOW_MACHINE).shortfalls;
    let few = of(&[("load.claims", "2000"), ("compare.strata", "50")]);
    let [Shortfall::TooNoisy { claims: 2_000, threshold, reach, limit, needed: 3_100, groups: None }, tail] =
        &few[..]
    else {
        panic!("{few:?}");
    };
    assert_eq!((*threshold, *limit), (0.03, 0.015));
    assert!((reach - 0.0186).abs() < 1e-4, "{reach}");
    let metric = Metric::ServiceP99;
    assert_eq!(*tail, Shortfall::TooFewForTail { metric, each: 5_000, needed: 10_000 });
    assert_eq!(of(&[("load.claims", "10000")]), []);
}

#[test]
fn what_is_asked_for_is_enough() {
    for (in_flight, claims, strata, threshold) in [
        ("64", "20000", "100", "0.03"),
        ("16", "60000", "100", "0.03"),
        ("16", "60000", "12", "0.06"),
        ("4", "4000", "20", "0.1"),
        ("2", "20000", "10", "0.02"),
        ("1", "2000", "50", "0.03"),
    ] {
        let asked = |claims: &str, strata: &str| {
            let changes = [
                ("load.concurrency", in_flight),
                ("load.claims", claims),
                ("compare.strata", strata),
                ("compare.noise_threshold", threshold),
                ("compare.metrics", "[\"service_p50\"]"),
            ];
            forecast(&lane_ab(&changes), &SLOW_MACHINE).shortfalls
        };
        let [Shortfall::TooNoisy { needed, groups, .. }] = asked(claims, strata)[..] else {
            panic!("{in_flight} in flight: {:?}", asked(claims, strata));
        };
        let groups = groups.map_or_else(|| strata.to_owned(), |groups| groups.to_string());
        assert_eq!(asked(&needed.to_string(), &groups), [], "{in_flight} in flight, {needed} in {groups}");
    }
}

#[test]
fn what_readme_asks_with_several_in_flight_can_be_answered() {
    let readme = include_str!("../../../../../README.md");
    assert!(readme.contains("--concurrency 64 --claims 45000 --set compare.noise_threshold=0.06"));
    let changes = [("load.concurrency", "64"), ("load.claims", "45000"), ("compare.noise_threshold", "0.06")];
    assert_eq!(forecast(&lane_ab(&changes), &SLOW_MACHINE).shortfalls, []);
}

#[test]
fn where_more_claims_would_only_make_longer_blocks_more_groups_are_asked_for() {
    let changes = [("load.concurrency", "16"), ("load.claims", "60000")];
    let few = forecast(&lane_ab(&changes), &SLOW_MACHINE).shortfalls;
    let more = matches!(few[..], [Shortfall::TooNoisy { needed: 60_000, groups: Some(340), .. }]);
    assert!(more, "{few:?}");
}

#[test]
fn the_length_on_an_unknown_machine_is_that_of_a_busy_one() {
    let of_reference = ("load.claims", "20000");
    let own = forecast(&lane_ab(&[of_reference, ("compare.control", "own")]), &SLOW_MACHINE);
    assert_eq!(own.claims, Some(61_000));
    // Staged in 430 us each, claimed in 550 us each, and what is around it.
    assert!((own.length.as_secs_f64() - 64.8).abs() < 0.1, "{own:?}");
    let shared = forecast(&lane_ab(&[of_reference, ("compare.control", "shared")]), &SLOW_MACHINE);
    assert_eq!(shared.claims, Some(31_000));
    // The warm-up, eight fillings of 4,000 executions, and 40 counter blocks.
    assert_eq!(shared.stretches, 1 + 8 + 40);
    let queued = [("load.concurrency", "64"), ("load.claims", "40000")];
    assert_eq!(forecast(&lane_ab(&queued), &SLOW_MACHINE).stretches, 1 + 78 * 3);
    let servers = parse("server-duet", Shipped::find("server-duet").unwrap().text).unwrap();
    // 20,000, half as many of the control's, the counter blocks' 4,000, and the warm-up of three
    // clusters.
    assert_eq!(forecast(&servers, &SLOW_MACHINE).claims, Some(20_000 + 10_000 + 4_000 + 3_000));
}

#[test]
fn claims_of_a_trace_are_not_taken_for_one_a_second() {
    let text = "schema = 1\nname = \"t\"\nsummary = \"s\"\n[population]\nexecutions = 2000\n[load]\nmodel = \"open\"\n\
                claims = 1000\narrivals = { trace = \"x.txt\" }\n[[variant]]\nname = \"a\"\npath = \"grant-lane\"\n";
    let replayed = forecast(&parse("t.toml", text).unwrap(), &SLOW_MACHINE);
    // Staged in 430 us each, and what is around it.
    assert!((replayed.length.as_secs_f64() - 5.43).abs() < 0.01, "{replayed:?}");
}

#[test]
fn past_runs_of_the_machine_say_how_noisy_and_how_fast_it_is() {
    let arms = [GRANT_LANE, HGET_LANE];
    let past = analyse_as(record(&arms, 1), &scenario(&arms));
    let of = |past: &RunResult| Experience::from_past([past], &scenario(&arms));
    let known = of(&past);
    // Log-normal with a spread of 12 %: a median's error is 1.2533 x 0.12, a difference of two is 1.41
    // times that.
    assert!((known.noise_of_claim - 0.21).abs() < 0.07, "{known:?}");
    assert!((known.service_s.unwrap() - 201e-6).abs() < 5e-6, "{known:?}");
    assert_eq!(Experience::from_past([], &scenario(&arms)), SLOW_MACHINE);
    let mut invalid = past.clone();
    invalid.valid = false;
    assert_eq!(of(&invalid), SLOW_MACHINE);
    // Another length of the same is no other load.
    let mut longer = past.clone();
    longer.record.scenario.load.claims = Some(1_000_000);
    longer.record.scenario.load.warmup = 7;
    assert_eq!(of(&longer), known);
    let other_loads: [fn(&mut LoadSection); 3] = [
        |load| load.network.added_rtt = HumanDuration::from_millis(1),
        |load| load.concurrency = Some(16),
        |load| load.contenders = 2,
    ];
    for change in other_loads {
        let mut other = past.clone();
        change(&mut other.record.scenario.load);
        assert_eq!(of(&other), SLOW_MACHINE, "{:?}", other.record.scenario.load);
    }
}

#[test]
fn a_simulated_network_counts_once() {
    let arms = [GRANT_LANE, HGET_LANE];
    let mut past = record(&arms, 1);
    past.scenario.load.network.added_rtt = HumanDuration::from_millis(10);
    let far = Scenario::try_from(&past.scenario).unwrap();
    let known = Experience::from_past([&analyse_as(past, &far)], &far);
    // What the claims took they took through that network; of claims that nobody made it is guessed.
    assert!((seconds_per_claim(&far, &known) - 201e-6).abs() < 5e-6, "{known:?}");
    assert!((seconds_per_claim(&far, &SLOW_MACHINE) - 550e-6 - ROUND_TRIPS * 10e-3).abs() < 1e-9);
}

#[test]
fn what_strata_leave_over_is_not_counted_on() {
    let of = |claims: &str, confidence: &str| {
        let changes = [
            ("load.claims", claims),
            ("compare.strata", "100"),
            ("compare.control", "own"),
            ("compare.metrics", "[\"service_p50\"]"),
            ("compare.confidence", confidence),
        ];
        forecast(&lane_ab(&changes), &SLOW_MACHINE).shortfalls
    };
    // 1,537 on each side would do, and 1,500 are made of 3,199: 100 strata of 15 and 15.
    assert_eq!(of("3200", "0.95"), []);
    let few = of("3199", "0.95");
    assert!(matches!(few[..], [Shortfall::TooNoisy { needed: 3_200, .. }]), "{few:?}");
    // What a comparison at 95 % can be judged with is too little at 99 %.
    let surer = of("3200", "0.99");
    assert!(matches!(surer[..], [Shortfall::TooNoisy { needed: 5_400, .. }]), "{surer:?}");
    assert_eq!(of("5400", "0.99"), []);
}

#[test]
fn fewer_claims_than_sides_are_no_comparison_and_never_said_to_be_enough() {
    let changes = [("load.claims", "4000"), ("compare.strata", "100"), ("compare.control", "own")];
    let in_turns = lane_ab(&changes);
    let compare = in_turns.compare.as_ref().unwrap();
    assert_eq!(compare.mixing, Mixing::Claims);
    assert_eq!([0, 199, 200, 399, 400].map(|all| compared(&in_turns, compare, all)), [0, 0, 100, 100, 200]);
    // 150 claims are 75 of each arm, and no plan of 100 strata has so few.
    assert_eq!([1, 75, 101].map(|each| claims_for(&in_turns, compare, each)), [200, 200, 400]);
    let in_blocks = lane_ab(&[("load.concurrency", "16"), ("load.claims", "60000")]);
    let compare = in_blocks.compare.as_ref().unwrap();
    assert_eq!(compare.mixing, Mixing::Blocks);
    assert_eq!([0, 1, 2].map(|all| compared(&in_blocks, compare, all)), [0, 0, 1]);
}

#[test]
fn where_everything_runs_together_the_warm_up_alone_is_beside_the_window() {
    let churn = [("load.mode", "churn"), ("compare.control", "own"), ("compare.counter_blocks", "20")];
    assert_eq!(forecast(&lane_ab(&churn), &SLOW_MACHINE).claims, Some(90_000 + 1_000));
}
