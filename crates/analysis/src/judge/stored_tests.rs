use super::super::analyse_as;
use super::super::fixtures::{GRANT_LANE, HGET_LANE, SimulatedArm, by_workers, record, scenario, spread};
use super::*;
use crate::record::{Asked, AwakeBy, Conditions, MainThreadClock, Samples, Stratum, Warning};
use crate::scenario::Direction::{HigherIsBetter, LowerIsBetter};
use crate::scenario::{Cores, Mode, Placement, Provider};

fn run(slower: f64, seed: u64) -> RunResult {
    let arms = [SimulatedArm { slower, ..GRANT_LANE }];
    analyse_as(record(&arms, seed), &scenario(&arms))
}

fn options() -> StoredOptions {
    StoredOptions::from_gate_section(&GateSection::default())
}

fn verdict_of(comparison: &StoredComparison, metric: Metric) -> StoredVerdict {
    comparison.metrics.iter().find(|m| m.metric == metric).unwrap_or_else(|| panic!("{metric}")).verdict
}

#[test]
fn the_same_again_passes() {
    let comparison = compare(&run(1.0, 1), &run(1.0, 2), &options()).unwrap();
    assert_eq!(comparison.conclusion, Conclusion::Pass, "{:#?}", comparison.metrics);
    assert_eq!(verdict_of(&comparison, Metric::Throughput), StoredVerdict::Pass);
    assert_eq!(verdict_of(&comparison, Metric::ServiceP99), StoredVerdict::Pass);
    assert_eq!(verdict_of(&comparison, Metric::ServiceP50), StoredVerdict::NotJudged);
    assert!(comparison.exact.is_empty() && comparison.exact_equal >= 4);
}

/// Their rate is withheld, for the pipes to them are in it: it must not keep the others from a conclusion.
#[test]
fn two_runs_by_workers_are_compared_by_their_times() {
    let run = |slower, seed| {
        let arms = [SimulatedArm { slower, ..GRANT_LANE }];
        let mut record = record(&arms, seed);
        by_workers(&mut record);
        analyse_as(record, &scenario(&arms))
    };
    let alike = compare(&run(1.0, 1), &run(1.0, 2), &options()).unwrap();
    assert_eq!(alike.conclusion, Conclusion::Pass, "{:#?}", alike.metrics);
    assert!(alike.metrics.iter().all(|metric| metric.metric != Metric::Throughput), "{:#?}", alike.metrics);
    let slower = compare(&run(1.0, 1), &run(1.4, 2), &options()).unwrap();
    assert_eq!(slower.conclusion, Conclusion::Regression, "{:#?}", slower.metrics);
}

/// Times are of claims that succeeded, and a rate falls by as much as fails.
#[test]
fn claims_that_fail_where_the_base_had_none_are_worse() {
    let with_failures = |failed: u64| {
        let mut record = record(&[GRANT_LANE], 2);
        let outcomes = &mut record.arms[0].outcomes;
        let (claimed, refused) = (outcomes.claimed, &mut outcomes.refused);
        refused.insert("lease_conflict".into(), claimed * failed / 1_000);
        analyse_as(record, &scenario(&[GRANT_LANE]))
    };
    let conclusion = |base, candidate| {
        let compared = compare(&with_failures(base), &with_failures(candidate), &options()).unwrap();
        (compared.conclusion, compared.failures.first().map(|one| one.verdict))
    };
    assert_eq!(conclusion(0, 0), (Conclusion::Pass, None));
    assert_eq!(conclusion(0, 40), (Conclusion::Regression, Some(StoredVerdict::Fail)));
    assert_eq!(conclusion(40, 40), (Conclusion::Pass, Some(StoredVerdict::Pass)));
    assert_eq!(conclusion(40, 0), (Conclusion::Pass, Some(StoredVerdict::Pass)));
    // Of a fault that cost some, another one might have cost more.
    let mut struck = with_failures(40);
    struck.record.injected = Some(crate::record::InjectedRecord::default());
    let compared = compare(&with_failures(0), &struck, &options()).unwrap();
    assert_eq!(compared.failures[0].verdict, StoredVerdict::NotJudged);
    assert_ne!(compared.conclusion, Conclusion::Regression);
}

/// Each storm is one drain.
#[test]
fn times_to_resume_of_two_storms_are_shown_and_decide_nothing() {
    let storm = |seed, median_us| {
        let mut record = record(&[GRANT_LANE], seed);
        record.arms[0].resume = spread(10_000, median_us, seed);
        record.scenario.load.mode = Mode::Storm;
        analyse_as(record, &scenario(&[GRANT_LANE]))
    };
    let comparison = compare(&storm(1, 2_000.0), &storm(2, 3_000.0), &options()).unwrap();
    let resume = comparison.metrics.iter().find(|one| one.metric == Metric::ResumeP99).unwrap();
    assert!(resume.base_value.unwrap() * 1.3 < resume.candidate_value.unwrap(), "{resume:?}");
    assert_eq!((resume.verdict, resume.ratio), (StoredVerdict::NotJudged, None));
    assert_eq!(comparison.conclusion, Conclusion::Pass, "{:#?}", comparison.metrics);
}

#[test]
fn a_large_loss_fails_and_a_medium_one_warns() {
    let fails = compare(&run(1.0, 1), &run(1.4, 2), &options()).unwrap();
    assert_eq!(verdict_of(&fails, Metric::Throughput), StoredVerdict::Fail);
    assert_eq!(verdict_of(&fails, Metric::ServiceP99), StoredVerdict::Fail);
    assert_eq!(fails.conclusion.exit_code(), 1);
    let warns = compare(&run(1.0, 1), &run(1.075, 2), &options()).unwrap();
    assert_eq!(verdict_of(&warns, Metric::Throughput), StoredVerdict::Warn, "{:#?}", warns.metrics);
    assert_eq!(warns.conclusion.exit_code(), 0);
    let better = compare(&run(1.4, 1), &run(1.0, 2), &options()).unwrap();
    assert_eq!(better.conclusion, Conclusion::Pass);
}

#[test]
fn thresholds_are_judged_on_the_whole_interval() {
    let thresholds = Thresholds { warn: 0.05, fail: 0.10 };
    let said = |direction, low, high| {
        let estimate = f64::midpoint(low, high);
        verdict(&Estimate { estimate, low, high, confidence: 0.95 }, direction, thresholds)
    };
    assert_eq!(said(LowerIsBetter, 1.11, 1.2), StoredVerdict::Fail);
    assert_eq!(said(LowerIsBetter, 1.09, 1.2), StoredVerdict::Inconclusive);
    assert_eq!(said(LowerIsBetter, 1.06, 1.09), StoredVerdict::Warn);
    assert_eq!(said(LowerIsBetter, 1.02, 1.09), StoredVerdict::Pass);
    assert_eq!(said(HigherIsBetter, 0.8, 0.89), StoredVerdict::Fail);
    assert_eq!(said(HigherIsBetter, 0.8, 0.91), StoredVerdict::Inconclusive);
    assert_eq!(said(HigherIsBetter, 0.91, 0.94), StoredVerdict::Warn);
    assert_eq!(said(HigherIsBetter, 1.5, 1.6), StoredVerdict::Pass);
}

/// A server with io-threads and one without them.
#[test]
fn cpu_by_another_clock_is_held_against_nothing() {
    let arms = [GRANT_LANE, HGET_LANE];
    let by = |seed, clock| {
        let mut record = record(&arms, seed);
        record.primaries[0].counters.main_thread_clock = Some(clock);
        analyse_as(record, &scenario(&arms))
    };
    let is_compared = |clock| {
        let compared = compare(&by(1, MainThreadClock::Cpu), &by(2, clock), &options()).unwrap();
        compared.metrics.iter().any(|one| one.metric == Metric::ServerCpu)
    };
    assert_eq!([MainThreadClock::Cpu, MainThreadClock::Active].map(is_compared), [true, false]);
}

#[test]
fn more_commands_than_before_fail_whatever_the_clock_says() {
    let mut candidate = run(1.0, 2);
    candidate.record.arms[0].wire.commands += candidate.record.arms[0].wire.claims;
    let comparison = compare(&run(1.0, 1), &candidate, &options()).unwrap();
    assert_eq!(comparison.exact.len(), 1);
    assert_eq!((comparison.exact[0].metric.metric, comparison.conclusion.exit_code()), (Metric::Commands, 1));
}

#[test]
fn each_difference_that_forbids_is_named() {
    type Change = fn(&mut RunResult);
    let cases: &[(&str, Change)] = &[
        ("scenario load.claims: 6000 against 7000", |r| r.record.scenario.load.claims = Some(7_000)),
        ("valkey version: 9.1.2 against 8.0.1", |r| r.record.environment.valkey.version = "8.0.1".into()),
        ("machine cpu", |r| r.record.environment.host.cpu = "Other CPU".into()),
        ("machine cores: 2 against 4", |r| r.record.environment.host.cores = 4),
        ("machine CPU quota: none against 1.50 cores", |r| {
            r.record.environment.host.quota_us_per_s = Some(1_500_000);
        }),
        ("machine placement: free against together, cores: 1 for the generator, 1 for the servers", |r| {
            let (generator_on, servers_on, placement) = (vec![1], vec![1], Placement::Together);
            let together = Conditions { placement, generator_on, servers_on, ..Conditions::default() };
            r.record.environment.conditions = Some(together);
        }),
        ("machine cores asleep or awake: free against awake by spinning on 2 cores", |r| {
            let awake_by = Some(AwakeBy::Spinning { on: vec![0, 1] });
            r.record.environment.conditions = Some(Conditions { awake_by, ..Conditions::default() });
        }),
        ("machine as asked for: free and free against free and awake", |r| {
            let asked = Asked { cores: Cores::Awake, ..Asked::default() };
            r.record.environment.conditions = Some(Conditions { asked, ..Conditions::default() });
        }),
        ("valkey provider", |r| r.record.environment.valkey.provider = Provider::Container),
        ("tool build: optimised against without optimisation", |r| r.record.tool.debug_build = true),
        ("connections: plain TCP against TLS", |r| r.record.environment.valkey.tls = Some(true)),
        ("scenario load.network.added_rtt: 0s against 250us", |r| {
            let added = std::time::Duration::from_micros(250);
            r.record.scenario.load.network.added_rtt = crate::scenario::HumanDuration(added);
        }),
    ];
    let base = run(1.0, 1);
    for (expected, change) in cases {
        let mut candidate = run(1.0, 2);
        change(&mut candidate);
        let refusal = compare(&base, &candidate, &options()).unwrap_err();
        assert!(refusal.to_string().contains(expected), "{refusal}");
        assert!(matches!(&refusal, StoredRefusal::Different(them) if them.0.len() == 1), "{refusal}");
        let allowed = StoredOptions { allow_differences: true, ..options() };
        assert_eq!(compare(&base, &candidate, &allowed).unwrap().differences.len(), 1);
    }
}

#[test]
fn nothing_allows_a_result_that_must_not_be_used() {
    type Change = fn(&mut RunResult);
    let cases: [(&str, Change); 2] =
        [("invalid", |r| r.valid = false), ("interrupted", |r| r.record.partial = true)];
    for (state, change) in cases {
        let (good, mut bad) = (run(1.0, 1), run(1.0, 2));
        change(&mut bad);
        for (side, [base, candidate]) in [("base", [&bad, &good]), ("candidate", [&good, &bad])] {
            let allowed = StoredOptions { allow_differences: true, ..options() };
            let refusal = compare(base, candidate, &allowed).unwrap_err().to_string();
            assert!(refusal.starts_with(&format!("the {side} (")), "{refusal}");
            assert!(refusal.contains(&format!("is {state}: no figure of it is compared")), "{refusal}");
        }
    }
}

#[test]
fn another_build_of_the_server_is_named_and_compared() {
    let of = |seed: u64, build: Option<&str>| {
        let mut run = run(1.0, seed);
        run.record.environment.valkey.build_id = build.map(str::to_owned);
        run
    };
    let named = |base, candidate| {
        let compared = compare(&of(1, base), &of(2, candidate), &options()).unwrap();
        compared.differences.into_iter().map(|one| one.what.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(named(Some("1536df31c0395150"), Some("ffff000011112222")), ["valkey build"]);
    assert_eq!(named(Some("1536df31c0395150"), Some("1536df31c0395150")), [""; 0]);
    assert_eq!(named(None, Some("1536df31c0395150")), [""; 0], "nobody knows");
}

#[test]
fn another_library_is_named_and_compared() {
    let mut candidate = run(1.0, 2);
    candidate.record.environment.library.sha256 = "cd".repeat(32);
    candidate.record.scenario.library.source = Some("new.lua".into());
    let comparison = compare(&run(1.0, 1), &candidate, &options()).unwrap();
    assert_eq!(comparison.differences.len(), 1);
    assert_eq!(comparison.differences[0].what.to_string(), "function library");
}

#[test]
fn a_kernel_update_is_named_and_ends_no_baseline() {
    let mut candidate = run(1.0, 2);
    candidate.record.environment.host.kernel = "Linux 6.2".into();
    let comparison = compare(&run(1.0, 1), &candidate, &options()).unwrap();
    assert_eq!(comparison.differences.len(), 1);
    assert_eq!(
        (comparison.differences[0].what.to_string().as_str(), comparison.differences[0].forbids),
        ("machine kernel", false)
    );
}

#[test]
fn programs_beside_one_of_two_runs_are_named_and_forbid_nothing() {
    let with = |warnings: &[Warning]| {
        let mut result = run(1.0, 1);
        result.warnings.extend_from_slice(warnings);
        result
    };
    let (quiet, busy) = (with(&[]), with(&[Warning::BusyMachine { share: 0.5 }]));
    let differences = compare(&quiet, &busy, &options()).unwrap().differences;
    assert_eq!(differences.len(), 1);
    assert_eq!(
        (differences[0].what.to_string().as_str(), differences[0].forbids),
        ("programs beside the run", false)
    );
    assert_eq!(compare(&busy, &busy, &options()).unwrap().differences, []);
}

#[test]
fn another_priority_of_the_generator_is_named_and_forbids_only_where_both_are_known() {
    let with = |real_time: Option<bool>, seed| {
        let mut run = run(1.0, seed);
        run.record.generator = Some(crate::record::GeneratorUse { real_time, ..Default::default() });
        run
    };
    let refusal = compare(&with(Some(true), 1), &with(Some(false), 2), &options()).unwrap_err().to_string();
    assert!(refusal.contains("generator's priority: real-time against as other programs"), "{refusal}");
    let unknown = compare(&with(None, 1), &with(Some(false), 2), &options()).unwrap();
    assert_eq!(unknown.differences.len(), 1);
    assert!(compare(&with(Some(true), 1), &with(Some(true), 2), &options()).unwrap().differences.is_empty());
}

#[test]
fn a_figure_in_units_of_another_ruler_is_not_compared() {
    let measured_with = |command: Option<&str>, seed| {
        let mut run = run(1.0, seed);
        let ruler = Some(Samples(vec![500; 50]));
        run.record.strata.push(Stratum { control: false, sides: vec![], apart: false, ruler });
        run.record.ruler_command = command.map(str::to_owned);
        run
    };
    let refusal = compare(&measured_with(None, 1), &measured_with(Some("PING"), 2), &options()).unwrap_err();
    assert!(refusal.to_string().contains("the ruler: FCALL ff_version against PING"), "{refusal}");
    let same = compare(&measured_with(Some("PING"), 1), &measured_with(Some("PING"), 2), &options()).unwrap();
    assert_eq!(same.differences, []);
    // A result that has none has no such figure either.
    assert!(
        compare(&run(1.0, 1), &measured_with(Some("PING"), 2), &options()).unwrap().differences.is_empty()
    );
}

#[test]
fn nothing_in_common_is_no_pass() {
    let mut candidate = run(1.0, 2);
    candidate.record.arms[0].name = "renamed".into();
    let allowed = StoredOptions { allow_differences: true, ..options() };
    assert_eq!(compare(&run(1.0, 1), &candidate, &allowed).unwrap().conclusion, Conclusion::Inconclusive);
}

#[test]
fn a_connection_that_is_not_recorded_is_named_and_forbids_nothing() {
    let mut earlier = run(1.0, 1);
    earlier.record.environment.valkey.tls = None;
    let compared = compare(&earlier, &run(1.0, 2), &options()).unwrap();
    let named = compared
        .differences
        .iter()
        .any(|d| (d.what.to_string().as_str(), d.forbids) == ("connections", false));
    assert!(named, "{:?}", compared.differences);
}
