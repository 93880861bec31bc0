//! Several generators where no claim is planned for an execution beforehand: storms, executions that go
//! round, and grants that nobody consumes in time.

use std::time::{Duration, Instant};

use reclaim_analysis::judge::RunResult;
use rustix::process::{Pid, Signal, kill_process};

use crate::parts::{Desk, end, left, one_is_killed_in, somebodys, wait_for_event, wrong};

/// All of a population at once, by fewer workers.
const STORM: &str = "\
schema = 1\nname = \"shared\"\nsummary = \"shared by generators\"\n[cluster]\nprimaries = 2\n[population]\n\
executions = 1501\nlanes = 2\n[grant]\nttl = \"5m\"\nlease_ttl = \"10m\"\n[load]\nmode = \"storm\"\nconcurrency = 9\n\
[[variant]]\nname = \"grant-lane\"\npath = \"grant-lane\"\n";

/// Executions that are interrupted in every way and go round, after a warm-up.
const CHURN: &str = "\
schema = 1\nname = \"shared\"\nsummary = \"shared by generators\"\n[cluster]\nprimaries = 2\n[population]\n\
executions = 41\nlanes = 2\n[interruption]\nsignal = 1.0\ntimeout = 1.0\noperator = 1.0\ndelay = 1.0\n[load]\n\
mode = \"churn\"\nconcurrency = 7\nclaims = 901\nwarmup = 51\n[[variant]]\nname = \"grant-lane\"\npath = \"grant-lane\"\n";

/// Two arms that are compared while executions go round.
const SECOND: &str = "[[variant]]\nname = \"hget-lane\"\npath = \"hget-lane\"\n";

/// The same at a rate that any machine serves, for more executions than can be due at once.
const OPEN: [(&str, &str); 2] = [
    ("executions = 41", "executions = 400"),
    ("concurrency = 7", "model = \"open\"\nrate = 150.0\narrivals = \"poisson\""),
];

/// A quarter of the grants is claimed too late.
const EXPIRY: &str = "\
schema = 1\nname = \"shared\"\nsummary = \"shared by generators\"\n[cluster]\nprimaries = 2\n[population]\n\
executions = 201\nlanes = 2\n[grant]\nttl = \"6s\"\nunconsumed = 0.25\n[load]\nconcurrency = 4\nclaims = 402\n\
warmup = 20\n[[variant]]\nname = \"grant-lane\"\npath = \"grant-lane\"\n";

/// One run of so many generators on somebody's cluster, which is as it was afterwards; with nothing wrong.
async fn run_by(scenario: &str, generators: u32) -> RunResult {
    let result = made_by(scenario, generators).await;
    assert_eq!(wrong(&result), Vec::<String>::new());
    result
}

/// The same, whatever was wrong.
async fn made_by(scenario: &str, generators: u32) -> RunResult {
    let (own, nodes) = somebodys().await;
    let desks: Vec<Desk> = (0..generators).map(|_| Desk::new(scenario)).collect();
    let named = ["--nodes", &nodes, "--rendezvous", "unplanned", "--part"];
    let start = |(n, desk): (usize, &Desk)| {
        let part = format!("{}/{generators}", n + 1);
        let several = [&named[..], &[part.as_str()]].concat();
        desk.run(if generators == 1 { &named[..2] } else { &several }).spawn().unwrap()
    };
    let running: Vec<_> = desks.iter().enumerate().map(start).collect();
    let said: Vec<_> = running.into_iter().map(end).collect();
    let result = desks[0].result();
    assert_eq!(said[0].0, Some(if result.valid { 0 } else { 2 }), "{said:?}");
    assert!(said[1..].iter().all(|(code, _)| *code == Some(0)), "{said:?}");
    assert_eq!(left(&own).await, (0, 0), "{said:?}");
    let record = &result.record;
    assert!(record.part.is_none() && !record.partial);
    assert_eq!(record.generators.len(), if generators == 1 { 0 } else { generators as usize });
    let audit = &record.audit;
    let violations =
        [audit.lost, audit.double_claims, audit.attempt_changed, audit.epoch_errors, audit.state_errors];
    assert_eq!(violations, [0; 5], "{:?}", audit.examples);
    assert_eq!(audit.executions_checked, u64::from(record.scenario.population.executions));
    for primary in &record.primaries {
        let calls = |counts: &std::collections::BTreeMap<String, u64>| counts.get("fcall").copied();
        assert!(calls(&primary.counters.sent).is_some_and(|sent| sent > 0), "{primary:?}");
        assert_eq!(calls(&primary.counters.calls), calls(&primary.counters.sent), "{primary:?}");
    }
    result
}

/// What is the same however many generators there are.
fn counts(result: &RunResult) -> Vec<Vec<u64>> {
    let record = &result.record;
    let arms = record.arms.iter().map(|arm| {
        let outcomes = &arm.outcomes;
        vec![outcomes.planned(), outcomes.claimed, outcomes.expired, outcomes.errors(), arm.wire.claims]
    });
    let seconds = record.timeline.iter().map(|point| point.claimed + point.errors).sum();
    let primaries = record.primaries.iter().map(|primary| primary.claims).sum();
    arms.chain([vec![seconds, primaries, record.audit.executions_checked]]).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn a_storm_of_two_generators_is_one_storm() {
    let two = run_by(STORM, 2).await;
    let storm = two.record.storm.as_ref().unwrap();
    assert_eq!((storm.executions, storm.held, storm.given_up), (1_501, 1_501, 0));
    let resume = two.variants[0].resume_us.unwrap();
    assert_eq!(resume.count, 1_501, "each has its way back, from the moment at which both began");
    let (sent, answered) = (storm.last_signal_us.unwrap(), storm.signals_answered_us.unwrap());
    assert!(sent > 0.0 && sent <= answered, "{storm:?}");
    assert!(sent <= resume.max * 1.01, "nobody holds a lease before its signal: {sent} of {}", resume.max);
    let each: Vec<u64> = two.record.generators.iter().map(|generator| generator.claims).collect();
    assert_eq!(each, [751, 750]);
    let window_us = two.record.window.as_ref().unwrap().active_s * 1e6;
    assert!(window_us * 1.01 >= resume.max, "the window ends with the last of both: {window_us}");
    assert_eq!(counts(&run_by(STORM, 1).await), counts(&two));
}

#[tokio::test(flavor = "current_thread")]
async fn executions_of_two_generators_go_round_as_those_of_one() {
    let two = run_by(CHURN, 2).await;
    assert_eq!(two.record.arms[0].outcomes.claimed, 901);
    assert_eq!(two.record.generators.iter().map(|one| one.claims).collect::<Vec<_>>(), [451, 450]);
    let timed = two.variants[0].resume_us.unwrap().count;
    assert!(timed > 800, "all but the first claims have a way back: {timed}");
    let staging = &two.record.staging;
    assert!(staging.grants >= 901 && staging.interruptions >= 901, "{staging:?}");
    assert_eq!(counts(&run_by(CHURN, 1).await), counts(&two));
}

#[tokio::test(flavor = "current_thread")]
async fn arrivals_are_dealt_out_to_generators_whose_executions_go_round() {
    let open = OPEN.iter().fold(CHURN.to_owned(), |text, (from, to)| text.replace(from, to));
    let two = run_by(&open, 2).await;
    let outcomes = &two.record.arms[0].outcomes;
    assert_eq!((outcomes.planned(), outcomes.empty_stock), (901, 0));
    assert_eq!(counts(&run_by(&open, 1).await), counts(&two));
}

#[tokio::test(flavor = "current_thread")]
async fn strata_of_executions_that_go_round_are_each_one_generators() {
    let two = made_by(&format!("{}{SECOND}", CHURN.replace("claims = 901", "claims = 2400")), 2).await;
    // More workers than compared arms should have. It does not matter here.
    let others: Vec<String> = wrong(&two).into_iter().filter(|it| !it.starts_with("SharedQueue")).collect();
    assert_eq!(others, Vec::<String>::new());
    let record = &two.record;
    assert_eq!(record.window.as_ref().unwrap().outcomes.claimed, 2_400);
    // Twelve of a hundred claims by each, every other one a control.
    assert_eq!(record.strata.len(), 24);
    assert_eq!(record.strata.iter().filter(|stratum| stratum.control).count(), 12);
    for stratum in &record.strata {
        assert!(stratum.sides.iter().all(|side| side.service.0.len() == 50), "{stratum:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn grants_of_two_generators_expire_unconsumed() {
    let two = run_by(EXPIRY, 2).await;
    let outcomes = &two.record.arms[0].outcomes;
    assert_eq!((outcomes.planned(), outcomes.expired, outcomes.claimed), (402, 101, 301));
    assert_eq!(counts(&run_by(EXPIRY, 1).await), counts(&two));
}

#[tokio::test(flavor = "current_thread")]
async fn a_part_that_is_killed_while_executions_go_round_is_named_and_leaves_nothing() {
    one_is_killed_in(&CHURN.replace("claims = 901", "duration = \"5m\"")).await;
}

#[tokio::test(flavor = "current_thread")]
async fn whoever_is_told_to_end_ends_executions_that_go_round_for_all() {
    let (own, nodes) = somebodys().await;
    let scenario = CHURN.replace("claims = 901", "duration = \"5m\"");
    let (desk, other) = (Desk::new(&scenario), Desk::new(&scenario));
    let named = ["--nodes", &nodes, "--rendezvous", "ended"];
    let events = desk.events();
    let first = [&named[..], &["--part", "1/2", "--events", events.to_str().unwrap()]].concat();
    let first = desk.run(&first).spawn().unwrap();
    let second = other.run(&[&named[..], &["--part", "2/2"]].concat()).spawn().unwrap();
    wait_for_event(&events, "\"second\"");
    let second_pid = Pid::from_raw(second.id().try_into().unwrap()).unwrap();
    kill_process(second_pid, Signal::INT).unwrap();
    let ending = Instant::now();
    let (code, said) = end(first);
    assert!(ending.elapsed() < Duration::from_mins(1), "{:?}", ending.elapsed());
    end(second);
    assert_eq!(code, Some(130), "{said}");
    let result = desk.result();
    assert!(result.record.partial && result.record.generators.len() == 2, "{said}");
    assert_eq!(result.record.audit.executions_checked, 41);
    assert_eq!(left(&own).await, (0, 0), "{said}");
}
