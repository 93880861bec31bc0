//! `capacity` as far as it goes without servers: what it refuses, and reports of stored searches.

use std::fs;
use std::path::Path;
use std::time::Duration;

use predicates::prelude::*;
use reclaim_analysis::json::ToJsonFile as _;
use reclaim_analysis::judge::capacity::{
    Boundary, Capacity, CapacityPlan, CapacityPolicy, Limit, NextStep, ProbeLoad, ProbePurpose,
    SearchOutcome, Stopped,
};
use reclaim_analysis::judge::{RunResult, analyse};
use reclaim_analysis::record::{
    CounterDelta, GeneratorUse, Histogram, LatencyHistogram, Offered, PrimaryRecord, RunRecord, WireTotals,
};
use reclaim_analysis::report;
use reclaim_analysis::scenario::{self, ModelForm, ScenarioFile, Shipped};
use reclaim_analysis::stats::Estimate;

use crate::{fixture, tool};

const CLAIMS: u64 = 10_000;

fn file() -> ScenarioFile {
    let shipped = Shipped::find("capacity").unwrap();
    scenario::parse(shipped.name, shipped.text).unwrap().file().clone()
}

fn histogram(low_us: u64, high_us: u64) -> Histogram {
    let mut histogram = LatencyHistogram::default();
    for n in 0..CLAIMS {
        histogram.record(Duration::from_nanos(1_000 * low_us + n * (high_us - low_us) * 1_000 / CLAIMS));
    }
    histogram.encode()
}

/// A sound run with one arm over three primaries, each busy for this share of the window.
fn base(window_s: f64, busy: f64) -> RunRecord {
    let mut record = fixture::open_loop().record;
    record.scenario = file();
    record.seed = 1;
    let arm = &mut record.arms[0];
    arm.active_s = window_s;
    arm.outcomes.claimed = CLAIMS;
    arm.wire = WireTotals {
        claims: CLAIMS,
        round_trips: 2 * CLAIMS,
        commands: 2 * CLAIMS,
        bytes_out: 1_000 * CLAIMS,
        bytes_in: 150 * CLAIMS,
    };
    arm.service = histogram(100, 900);
    (record.audit.grants_issued, record.audit.claimed) = (CLAIMS, CLAIMS);
    let counts = |n: u64| [("fcall".to_owned(), n), ("hget".to_owned(), n)].into_iter().collect();
    record.primaries = [(85, 3_300), (84, 3_300), (87, 3_400)]
        .into_iter()
        .enumerate()
        .map(|(n, (partitions, claims))| PrimaryRecord {
            addr: format!("127.0.0.1:700{n}"),
            cluster: None,
            partitions,
            claims,
            counters: CounterDelta {
                calls: counts(claims),
                sent: counts(claims),
                main_thread_cpu_us: busy * window_s * 1e6 * claims as f64 / 3_400.0,
                ..CounterDelta::default()
            },
            redirects: std::collections::BTreeMap::new(),
            unanswered: None,
            connections_lost: 0,
        })
        .collect();
    record.generator = Some(GeneratorUse {
        window_s,
        thread_cpu_s: 0.2 * window_s,
        servers_cpu_s: 3.0 * busy * window_s,
        ..GeneratorUse::default()
    });
    record
}

/// A probe at a rate; above 2,100/s the tail leaves the service level.
fn open(rate: f64) -> RunResult {
    let window_s = CLAIMS as f64 / rate;
    let mut record = base(window_s, rate / 2_400.0);
    record.scenario.load.rate = Some(rate);
    record.arms[0].response = if rate > 2_100.0 { histogram(500, 32_000) } else { histogram(300, 3_000) };
    record.arms[0].send_lag = histogram(10, 50);
    record.offered = Some(Offered { claims: CLAIMS, schedule_s: window_s - 0.002 });
    analyse(record).unwrap()
}

/// A point of the curve: each claim in flight adds less.
fn closed(concurrency: u32) -> RunResult {
    let n = f64::from(concurrency);
    let per_s = 800.0 * n / (1.0 + 0.2 * (n - 1.0) + 0.001 * n * (n - 1.0));
    let mut record = base(CLAIMS as f64 / per_s, 0.5);
    let load = &mut record.scenario.load;
    (load.model, load.rate, load.arrivals) = (ModelForm::Closed, None, None);
    load.concurrency = Some(concurrency);
    analyse(record).unwrap()
}

/// What a search from 1,000/s with a resolution of a tenth meets.
fn probes() -> Vec<RunResult> {
    let rates = [1_000.0, 2_000.0, 4_000.0, 4_000.0, 2_828.0, 2_378.0, 2_181.0, 2_000.0, 2_181.0];
    rates.map(open).into_iter().chain([1, 2, 4, 8, 16, 32, 64].map(closed)).collect()
}

fn plan() -> CapacityPlan {
    let mut scenario = file();
    let section = scenario.capacity.as_mut().unwrap();
    (section.start_rate, section.resolution) = (1_000.0, 0.1);
    let policy = CapacityPolicy {
        walk: false,
        refinements: 0,
        ..CapacityPolicy::from_scenario(&scenario, 1).unwrap()
    };
    CapacityPlan { scenario, seed: 1, policy, stopped: None }
}

/// Writes a search as the tool leaves it: the plan, and the first `count` probes in directories of their own.
fn stored(dir: &Path, plan: CapacityPlan, count: usize) {
    let capacity = Capacity::conclude(plan, Vec::new(), None);
    fs::write(dir.join("capacity.json"), capacity.to_json_file().unwrap()).unwrap();
    for (n, result) in probes().iter().take(count).enumerate() {
        let probe = dir.join(format!("{:03}-probe", n + 1));
        fs::create_dir(&probe).unwrap();
        fs::write(probe.join("result.json"), result.to_json_file().unwrap()).unwrap();
    }
}

/// Without the line breaks of a terminal.
fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn reported(dir: &Path) -> Capacity {
    let output = tool().arg("report").arg(dir).args(["--format", "json"]).assert().success();
    serde_json::from_slice(&output.get_output().stdout).unwrap()
}

#[test]
fn a_stored_search_is_computed_again_from_its_probes() {
    let dir = tempfile::tempdir().unwrap();
    stored(dir.path(), plan(), usize::MAX);
    let found = reported(dir.path());
    assert_eq!(found.conclusion, SearchOutcome::Found);
    assert_eq!((found.sustained_per_s, found.failed_per_s), (Some(2_000.0), Some(2_181.0)));
    assert!(matches!(&found.limit, Some(Limit::Server { primary, .. }) if primary == "127.0.0.1:7002"));
    let usl = found.usl.unwrap();
    assert!((usl.alone_per_s - 800.0).abs() < 1.0 && (usl.contention - 0.2).abs() < 0.001, "{usl:?}");
    assert_eq!(found.probes.len(), 16);
    let text = tool().arg("report").arg(dir.path()).assert().success().stderr("");
    let text = String::from_utf8(text.get_output().stdout.clone()).unwrap();
    for line in text.lines() {
        assert!(line.chars().count() <= 100 && line == line.trim_end(), "{line}");
    }
    insta::assert_snapshot!("capacity_found", text);
    let file = tool().arg("report").arg(dir.path().join("capacity.json")).assert().success();
    assert_eq!(file.get_output().stdout, text.as_bytes());
    insta::assert_snapshot!("capacity_csv", report::capacity_csv(&found));
    let picture = report::capacity_svg(&found).unwrap();
    let open = found.probes.iter().filter(|probe| matches!(probe.offer, ProbeLoad::Open { .. })).count();
    // Two points for each probe with a schedule; each says its figures when pointed at.
    assert_eq!(picture.matches("/s offered: ").count(), 2 * open, "{picture}");
    assert!(picture.contains("service level, 20 ms") && picture.trim_end().ends_with("</svg>"), "{picture}");
    let markdown = tool().arg("report").arg(dir.path()).args(["--format", "markdown"]).assert().success();
    markdown.stdout(predicate::str::contains("| offered |"));
}

#[test]
fn the_rate_is_told_with_its_interval_and_where_that_comes_from() {
    let dir = tempfile::tempdir().unwrap();
    stored(dir.path(), plan(), usize::MAX);
    let mut found = reported(dir.path());
    let rate_per_s = Estimate { estimate: 2_081.4, low: 1_990.0, high: 2_170.0, confidence: 0.95 };
    found.boundary = Some(Boundary { rate_per_s, exponent: 5.0, probes: 18, at_edge: true });
    found.plan.policy.refinements = 12;
    found.plan.policy.precision = 0.02;
    found.purposes.truncate(4);
    found.purposes.extend([Some(ProbePurpose::Refine); 12]);
    let text = in_one_line(&report::capacity_text(&found, None));
    for words in [
        "About 2,081 claims per second (95 % interval 1,990 to 2,170) keep the response time within 20 ms at p99",
        "the line through 18 probes near the boundary",
        "Best of three, 2,000 passed and 2,181 did not.",
        "the rate is known to 4 % either way after 12 probes made for that, and 2 % was wanted. To go on: --resume with \
         --set capacity.refinements=24.",
        "an end of the interval is the lowest or highest rate that was tried there",
    ] {
        assert!(text.contains(words), "no {words} in {text}");
    }
}

#[test]
fn a_search_that_was_stopped_while_it_narrowed_the_interval_has_its_answer() {
    let dir = tempfile::tempdir().unwrap();
    stored(dir.path(), plan(), usize::MAX);
    let mut found = reported(dir.path());
    assert_eq!((found.conclusion, found.next), (SearchOutcome::Found, NextStep::Done));
    found.next =
        NextStep::Probe { offer: ProbeLoad::Open { rate_per_s: 1.0 }, purpose: ProbePurpose::Refine };
    found.plan.stopped = Some(Stopped::OutOfTime);
    let text = in_one_line(&report::capacity_text(&found, None));
    assert!(text.contains("after the rate was found: its interval would become narrower"), "{text}");
    assert!(!text.contains("!!"), "{text}");
}

#[test]
fn a_search_that_was_stopped_has_its_bracket_and_says_so() {
    for (stopped, alarm) in
        [(Stopped::OutOfTime, "!! NOT CONVERGED"), (Stopped::Interrupted, "!! INTERRUPTED")]
    {
        let dir = tempfile::tempdir().unwrap();
        stored(dir.path(), CapacityPlan { stopped: Some(stopped), ..plan() }, 3);
        let found = reported(dir.path());
        assert_eq!(found.conclusion, SearchOutcome::NotConverged);
        tool().arg("report").arg(dir.path()).assert().success().stdout(
            predicate::str::starts_with(alarm)
                .and(predicate::str::contains("between 2,000 claims per second"))
                .and(predicate::str::contains("4,000")),
        );
    }
}

#[test]
fn a_required_rate_of_which_too_little_was_seen_is_not_known_yet() {
    let dir = tempfile::tempdir().unwrap();
    let mut asked = plan();
    (asked.policy.required_per_s, asked.stopped) = (Some(1_000.0), Some(Stopped::OutOfTime));
    stored(dir.path(), asked, 1);
    let report = tool().arg("report").arg(dir.path()).assert().success();
    let text = String::from_utf8(report.get_output().stdout.clone()).unwrap();
    let text = in_one_line(&text);
    assert!(text.contains("the search was stopped before two probes of that rate agreed"), "{text}");
}

#[test]
fn an_unfinished_probe_counts_for_nothing() {
    let dir = tempfile::tempdir().unwrap();
    stored(dir.path(), plan(), 2);
    let before = reported(dir.path());
    fs::create_dir(dir.path().join("003-open-4000")).unwrap();
    fs::write(dir.path().join("003-open-4000/result.partial.json"), "{").unwrap();
    let mut interrupted = open(4_000.0);
    interrupted.record.partial = true;
    fs::create_dir(dir.path().join("004-open-4000")).unwrap();
    fs::write(dir.path().join("004-open-4000/result.json"), interrupted.to_json_file().unwrap()).unwrap();
    assert_eq!(reported(dir.path()), before);
}

#[test]
fn what_a_search_has_no_format_for_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    stored(dir.path(), plan(), 1);
    tool()
        .arg("report")
        .arg(dir.path())
        .args(["--format", "junit"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("text, markdown, html and json"));
    fs::write(dir.path().join("capacity.json"), "{\"schema\": \"reclaim-bench/capacity-9\"}").unwrap();
    tool()
        .arg("report")
        .arg(dir.path())
        .assert()
        .code(2)
        .stderr(predicate::str::contains("has the format reclaim-bench/capacity-9"));
}

#[test]
fn what_the_search_cannot_work_with_starts_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for (arguments, reason) in [
        (&["lane-ab"][..], "slo.response_p99: missing"),
        (&["lane-ab", "--set", "slo.response_p99=5ms"], "keep one [[variant]]"),
        (&["capacity", "--rate", "9"], "--rate: the search decides that for each probe; --rate-from"),
        (
            &["capacity", "--set", "population.executions=64000"],
            "--set population.executions=64000: the search decides that for each probe",
        ),
        (
            &["capacity", "--set", "load.claims=9"],
            "--set load.claims=9: the search decides that for each probe",
        ),
        (&["capacity", "--claims", "9"], "--set capacity.claims=20000"),
        (&["capacity", "--require", "0"], "claims per second, 1 to 1000000"),
        (&["capacity", "--rate-from", "0.5"], "--rate-from 0.5: capacity.start_rate: 0.5 is not a rate"),
        (&["capacity", "--utilisation", "2"], "--utilisation 2.0: capacity.utilisation: 2 is not between"),
        (&["capacity", "--resume", "nowhere"], "cannot read nowhere/capacity.json"),
    ] {
        tool()
            .current_dir(dir.path())
            .arg("capacity")
            .args(arguments)
            .assert()
            .code(2)
            .stdout("")
            .stderr(predicate::str::contains(reason));
    }
    assert!(!dir.path().join("results").exists());
}

#[test]
fn a_search_goes_on_only_with_its_own_question() {
    let dir = tempfile::tempdir().unwrap();
    stored(dir.path(), plan(), 2);
    let resume = |changes: &[&str]| {
        let mut command = tool();
        // Nobody listens on port 1: a question that is accepted ends there.
        command.args(["capacity", "capacity", "--nodes", "127.0.0.1:1", "--resume"]).arg(dir.path());
        command.args(["--set", "capacity.resolution=0.1"]);
        command.args(changes).assert().code(2)
    };
    resume(&[]).stderr(predicate::str::contains("capacity.start_rate was 1000.0 when"));
    let resume = |changes: &[&str]| resume(&[&["--rate-from", "1000"], changes].concat());
    resume(&["--set", "slo.response_p99=7ms"]).stderr(predicate::str::contains(
        "slo.response_p99 was \"20ms\" when that search began and is \"7ms\" now",
    ));
    resume(&["--set", "capacity.claims=20000"])
        .stderr(predicate::str::contains("capacity.claims was 10000 when"));
    resume(&["--seed", "5"])
        .stderr(predicate::str::contains("that search was begun with --seed 1; leave --seed out"));
    resume(&["--targets", "7,8", "--no-usl"]).stderr(predicate::str::contains("cannot reach 127.0.0.1:1"));
    assert_eq!(reported(dir.path()).probes.len(), 2, "what was there was touched");
}

#[test]
fn a_search_fits_the_committed_schema_and_a_changed_one_does_not() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/capacity.schema.json");
    let committed = fs::read_to_string(path).unwrap();
    assert!(
        committed == report::capacity_schema().unwrap(),
        "the types have changed: cargo run -- schema capacity > schema/capacity.schema.json"
    );
    let schema: serde_json::Value = serde_json::from_str(&committed).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let dir = tempfile::tempdir().unwrap();
    stored(dir.path(), plan(), usize::MAX);
    let mut value = serde_json::to_value(reported(dir.path())).unwrap();
    let errors: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    value["probes"][0]["verdict"] = "perhaps".into();
    assert!(!validator.is_valid(&value));
}
