mod markup;

use std::sync::OnceLock;
use std::time::Duration;

use super::samples::{Sample, counted, lane_ab, lane_ab_but, samples, sweep_but, sweep_without_verdicts};
use super::*;
use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, SimulatedArm, record};
use crate::judge::ruler_fixture::in_round_trips;
use crate::judge::spoilt_fixture::{control_fails, damaged, interrupted};
use crate::judge::{RunResult, analyse};
use crate::record::{LatencyHistogram, RunRecord, TimelinePoint};
use crate::report::format::count;

/// What a reader sees: no markup, no style, no script; one line per block, charts by their title and
/// description.
fn text_of(page: &str) -> String {
    let body = &page[page.find("<body>").unwrap()..page.find("<script>").unwrap()];
    let mut text = String::new();
    let mut rest = body;
    while let Some(open) = rest.find('<') {
        text.push_str(&rest[..open]);
        let close = open + rest[open..].find('>').unwrap();
        let tag = &rest[open + 1..close];
        rest = &rest[close + 1..];
        // Marks repeat what the tables have.
        if tag.starts_with("svg") {
            let end = rest.find("</svg>").unwrap();
            let of = |name: &str| {
                let begin = rest.find(&format!("<{name}>")).unwrap() + name.len() + 2;
                &rest[begin..begin + rest[begin..].find("</").unwrap()]
            };
            for part in ["\n[", of("title"), ": ", of("desc"), "]\n"] {
                text.push_str(part);
            }
            rest = &rest[end + 6..];
        }
        let name = tag.trim_start_matches('/').split(' ').next().unwrap();
        match name {
            "td" | "th" if tag.starts_with('/') => text.push_str(" | "),
            "a" | "span" | "strong" | "small" | "data" | "code" | "td" | "th" => {}
            _ => text.push('\n'),
        }
    }
    let mut lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    // Both widths of a chart say the same.
    lines.dedup();
    lines.join("\n") + "\n"
}

/// Made once: they are judged as real results are.
fn all() -> &'static [Sample] {
    static ALL: OnceLock<Vec<Sample>> = OnceLock::new();
    ALL.get_or_init(samples)
}

fn sample(name: &str) -> &'static Sample {
    all().iter().find(|sample| sample.name == name).unwrap()
}

#[test]
fn pages_say_what_they_are_meant_to() {
    for name in [
        "run",
        "invalid",
        "control-failed",
        "capacity",
        "sweep-rtt",
        "series",
        "calibration",
        "history",
        "compared",
        "figures",
    ] {
        let page = sample(name);
        let text = text_of(&page.html);
        // The configuration and the seconds are long, and no words of the page.
        let short: Vec<&str> =
            text.lines().filter(|line| !line.starts_with(|c: char| c.is_ascii_digit())).collect();
        let end = short.iter().position(|line| *line == "The full configuration").unwrap_or(short.len());
        insta::assert_snapshot!(format!("page_{name}"), short[..end].join("\n"));
    }
}

/// As of every record: what was claimed and what failed in the window is what its seconds have.
#[test]
fn the_seconds_of_a_sample_have_the_claims_that_it_counts() {
    let mut held = 0;
    for sample in all() {
        let json: serde_json::Value = serde_json::from_str(&sample.json).unwrap();
        let results = json.as_array().cloned().unwrap_or_else(|| vec![json]);
        for result in results {
            // What is made of several runs has files of its own, and no seconds.
            let Ok(RunResult { record, .. }) = serde_json::from_value(result) else { continue };
            if record.timeline.is_empty() {
                continue;
            }
            let window = record.window.as_ref().unwrap_or_else(|| panic!("{} has no window", sample.name));
            assert_eq!(window.outcomes, counted(&record), "{}", sample.name);
            let sum = |of: fn(&TimelinePoint) -> u64| record.timeline.iter().map(of).sum::<u64>();
            let seconds = [sum(|second| second.claimed), sum(|second| second.errors)];
            let all = [window.outcomes.claimed, window.outcomes.sent() - window.outcomes.claimed];
            assert_eq!(seconds, all, "{}", sample.name);
            held += 1;
        }
    }
    assert!(held > 10, "{held} samples have seconds");
}

/// What stands above the single results.
fn overview(page: &str) -> String {
    text_of(page).split("Each by itself").next().unwrap().to_owned()
}

#[test]
fn runs_side_by_side_begin_with_an_answer_and_whether_to_believe_it() {
    let ab = lane_ab();
    let alike = overview(&runs(&[&ab, &ab]));
    for said in [
        "2 runs of lane-ab: hget-lane is slower than grant-lane in each",
        "Every run is valid, and no control failed.",
        "2. valid, its control passed: the baseline against itself",
        "Inside the grey band, ±2 %",
        "service p99.9",
    ] {
        assert!(alike.contains(said), "{said}\n{alike}");
    }
    let other = lane_ab_but(|record| record.scenario.name = "smoke".into());
    let unlike = overview(&runs(&[&ab, &other]));
    assert!(
        unlike.contains("2 runs of 2 scenarios") && unlike.contains("did not measure the same"),
        "{unlike}"
    );
    let changed = lane_ab_but(|record| record.environment.valkey.version = "7.2.9".into());
    let settings = overview(&runs(&[&ab, &changed]));
    assert!(settings.contains("1. and 2. did not measure the same: valkey version"), "{settings}");
    let mixed = overview(&sample("beside").html);
    assert!(mixed.contains("Of 3 runs 2 can be used.") && mixed.contains("INVALID, do not use"), "{mixed}");
    let invalid = lane_ab_but(damaged);
    let none = overview(&runs(&[&invalid, &invalid]));
    assert!(none.contains("No answer") && none.contains("Do not believe any figure"), "{none}");
}

#[test]
fn several_of_another_kind_begin_with_what_each_of_them_says() {
    let calibration = crate::judge::assess(crate::judge::fixtures::calibration_record());
    let both = overview(&calibrations(&[&calibration, &calibration]));
    let alone = text_of(&calibrations(&[&calibration]));
    let sentence = alone.lines().nth(3).unwrap();
    assert!(both.contains("2 results, each with an answer of its own"), "{both}");
    assert_eq!(both.matches(sentence).count(), 2, "{sentence}\n{both}");
}

#[test]
fn a_difference_is_to_be_believed_only_where_a_verdict_says_that_there_is_one() {
    let told = |slower: f64| {
        let mut record = record(&[GRANT_LANE, SimulatedArm { slower, ..HGET_LANE }], 1);
        record.warnings.push(crate::record::Warning::SharedMachine { cores: 2 });
        text_of(&runs(&[&analyse(record).unwrap()]))
    };
    let a_fifth = told(1.2);
    assert!(a_fifth.contains("You can believe that there is a difference"), "{a_fifth}");
    assert!(a_fifth.contains("Only differences of more than 2 % count"), "{a_fifth}");
    // As much as counts as one, more or less; and none.
    for (slower, said) in
        [(1.02, "this run is too small or too noisy to tell"), (1.0, "You can believe this")]
    {
        let text = told(slower);
        assert!(text.contains(said) && !text.contains("there is a difference"), "{text}");
    }
}

#[test]
fn a_last_second_of_which_a_part_was_measured_is_no_collapse() {
    let text = text_of(&sample("run").html);
    assert!(text.contains("Of the last second 0.40 s were measured: its rates are over these."), "{text}");
    assert!(text.contains("10 (0.40 s)"), "{text}");
    let with = |part_s: Option<f64>, kept: bool| {
        let result = lane_ab_but(|record| {
            if !kept {
                record.window = None;
            }
            let last = record.timeline.last_mut().unwrap();
            (last.part_s, last.claimed) = (part_s, 7);
        });
        text_of(&runs(&[&result]))
    };
    let rates =
        |text: &str| text.lines().find(|line| line.starts_with("[Claims per second:")).unwrap().to_owned();
    let least = lane_ab().record.timeline[..9].iter().map(|second| second.claimed).min().unwrap();
    let from = format!("from {} to ", count(least));
    // Neither a rate over some milliseconds nor one over nobody knows how much.
    for (text, said) in [
        (with(Some(0.01), true), "only 0.01 s were measured, too little for a rate"),
        (with(None, false), "does not say how much of its last second was measured"),
    ] {
        assert!(text.contains(said) && rates(&text).contains(&from), "{}", rates(&text));
    }
    assert!(rates(&with(None, true)).contains("from 7 "), "a whole second with few claims is what it is");
}

#[test]
fn a_sweep_whose_controls_all_failed_says_so_on_the_page_and_in_text() {
    let sweep = sweep_without_verdicts();
    let answer = "No verdict at any value of load.network.added_rtt: the control failed at each of them";
    let no_line = "No line for hget-lane: it takes 3 values whose verdicts count, and of 5 there are 0: at 5 the control failed.";
    let page = text_of(&sample("sweep-control-failed").html);
    let text = crate::report::sweep_text("rtt-sweep", &sweep, None).replace('\n', " ");
    for said in [&page, &text] {
        assert!(said.contains(answer) && said.contains(no_line), "{said}");
    }
    for said in
        ["Nothing is judged at any value, for the control failed at each: ", "Do not draw a conclusion"]
    {
        assert!(page.contains(said), "{said}\n{page}");
    }
    assert!(
        sample("sweep-control-failed").html.contains("hget-lane, control failed"),
        "drawn as if it counted"
    );
    // Of one that failed alone the number is said, and the others count.
    let values = ["0us", "250us", "500us", "1ms", "2ms"];
    let one = sweep_but("load.network.added_rtt", &values, |n, record| {
        if n == 0 {
            control_fails(record);
        }
    });
    let page = text_of(&sweeps(&[("rtt-sweep", &one)]));
    assert!(page.contains("At 1 of 5 values nothing is judged"), "{page}");
    assert!(!page.contains(answer), "{page}");
}

#[test]
fn a_comparison_names_what_is_worse_and_why_something_cannot_be_told() {
    let run = |slower| analyse(record(&[SimulatedArm { slower, ..GRANT_LANE }], 1)).unwrap();
    let base = run(1.0);
    let gate = &base.record.scenario.gate;
    let options = crate::judge::StoredOptions::from_gate_section(gate);
    let page_of = |other: &RunResult| {
        let stored = crate::judge::compare(&base, other, &options).unwrap();
        text_of(&compared(&stored, &base, other))
    };
    let page = page_of(&run(1.4));
    let lines: Vec<&str> = page.lines().skip(3).collect();
    assert!(
        lines[0].starts_with("The candidate is worse than the base: ")
            && lines[0].ends_with(" of grant-lane")
    );
    assert!(lines[1].starts_with('+') && lines[1].contains("95 % interval"), "{page}");
    // Fewer claims per second by as much as fails, more or less, and a p99 that is far from that.
    let page = page_of(&run(1.0 / (1.0 - gate.throughput_fail)));
    let why = "inconclusive: the interval lies on both sides of the threshold, ";
    assert!(page.contains(&format!("is {why}")) && page.contains(&format!("| {why}")), "{page}");
}

#[test]
fn a_comparison_shows_what_each_result_says_of_its_own_arms() {
    let [base, slow] =
        [(1, 1), (3, 2)].map(|(seed, times)| in_round_trips(&[GRANT_LANE, HGET_LANE], seed, times));
    let options = crate::judge::StoredOptions::from_gate_section(&base.record.scenario.gate);
    let stored = crate::judge::compare(&base, &slow, &options).unwrap();
    let page = compared(&stored, &base, &slow);
    assert!(page.contains("data-from=\"/own_arms/1/in_candidate/estimate\""), "its place is missing");
    let text = text_of(&page);
    let row = |unit: &str| {
        let begins = format!("hget-lane less grant-lane | {unit} | +");
        text.lines().find(|line| line.starts_with(&begins)).unwrap_or_else(|| panic!("{text}"))
    };
    assert!(row("µs").ends_with("| lie apart |") && row("round trips").ends_with("| agree |"), "{text}");
}

#[test]
fn times_of_seconds_are_told_in_seconds_in_text_and_page() {
    let mut record = record(&[GRANT_LANE], 1);
    let mut service = LatencyHistogram::default();
    for (claims, us) in [(5_900, 9_445), (90, 6_690_000), (9, 7_000_000), (1, 7_524_581)] {
        (0..claims).for_each(|_| service.record(Duration::from_micros(us)));
    }
    record.arms[0].service = service.encode();
    let result = analyse(record).unwrap();
    let times = result.variants[0].service_us.as_ref().unwrap();
    assert!(times.p50 < 1e4 && times.p99 > 6e6 && times.max > 7.5e6, "{times:?}");
    let quantiles = format!("{:.2} ms at the median and {:.2} s at p99", times.p50 / 1e3, times.p99 / 1e6);
    let longest = format!("{:.2} s", times.max / 1e6);
    let text = crate::report::text(&result, None).replace('\n', " ");
    for shown in [text, text_of(&runs(&[&result]))] {
        assert!(shown.contains(&quantiles), "{shown}");
        assert!(shown.contains(&longest) && !shown.contains(&count(times.max as u64)), "{shown}");
    }
}

/// Charts by title, as they are drawn for a desk.
fn charts(page: &str) -> Vec<(&str, &str)> {
    let title = |svg: &str| svg.find("<title>").unwrap() + 7..svg.find("</title>").unwrap();
    page.split("<div class=\"wide\"><svg")
        .skip(1)
        .map(|rest| &rest[..rest.find("</svg>").unwrap()])
        .map(|svg| (&svg[title(svg)], svg))
        .collect()
}

#[test]
fn a_control_stands_in_the_picture_of_the_metric_that_it_is_of_alone() {
    let many = &sample("twenty").html;
    let with: Vec<&str> = charts(many)
        .into_iter()
        .filter(|(title, svg)| title.starts_with("Differences by") && svg.contains(">control"))
        .map(|(title, _)| title)
        .collect();
    assert_eq!(with, ["Differences by service time, median"]);
    assert!(text_of(many).contains("The last row of the picture of service time, median is the control"));
    let one = lane_ab_but(|record| {
        let compare = record.scenario.compare.as_mut().unwrap();
        compare.metrics.retain(|metric| metric != crate::scenario::Metric::ServiceP50.name());
    });
    assert!(one.control.is_some() && !one.comparisons.is_empty(), "{:?}", one.control);
    for page in [runs(&[&one]), runs(&[&one, &one])] {
        let forests =
            charts(&page).into_iter().filter(|(title, _)| title.to_lowercase().contains("differences"));
        let forests: Vec<&str> = forests.map(|(_, svg)| svg).collect();
        assert!(
            !forests.is_empty() && forests.iter().all(|svg| !svg.contains(">control")),
            "of another metric"
        );
        assert!(!page.contains("The last row"), "a row that is not there");
    }
}

#[test]
fn what_is_not_judged_is_not_drawn_as_what_is_worse() {
    let sound = lane_ab();
    let assert_grey = |spoil: fn(&mut RunRecord), said: &str| {
        let result = lane_ab_but(spoil);
        let page = runs(&[&result, &result]);
        let charts = charts(&page);
        let (_, forest) = charts.iter().find(|(title, _)| title.ends_with("run by run")).unwrap();
        let rows: Vec<&str> = forest.split("<g>").skip(1).filter(|row| !row.contains("control")).collect();
        assert!(!rows.is_empty(), "{said}");
        for row in rows {
            assert!(row.contains(said) && row.contains("neutral") && !row.contains("bad"), "{said}\n{row}");
        }
    };
    assert_grey(damaged, "not judged: invalid");
    assert_grey(interrupted, "not judged: interrupted");
    assert_grey(control_fails, "inconclusive");
    let page = runs(&[&sound, &sound]);
    assert!(
        charts(&page).iter().any(|(title, svg)| title.ends_with("run by run") && svg.contains("heavy bad"))
    );
}

#[test]
fn the_answer_of_a_gated_run_begins_with_what_the_gate_says() {
    assert!(!text_of(&runs(&[&lane_ab()])).contains("GATE"));
    let result = lane_ab_but(|record| record.scenario.gate.enforce = true);
    let page = text_of(&runs(&[&result]));
    let first = page.lines().nth(3).unwrap();
    assert!(first.starts_with("GATE: FAILED (exit 1): service p50 of hget-lane"), "{page}");
    assert!(crate::report::text(&result, None).starts_with("GATE: FAILED (exit 1)"));
    assert!(page.lines().nth(4).unwrap().starts_with("hget-lane is slower than grant-lane"), "{page}");
}

#[test]
fn the_overview_of_several_runs_says_what_each_gate_says() {
    let (failed, open) = (lane_ab_but(|record| record.scenario.gate.enforce = true), lane_ab());
    let overview = |results: &[&RunResult]| {
        let page = text_of(&runs(results));
        page.split("Each by itself").next().unwrap().to_owned()
    };
    assert!(!overview(&[&open, &open]).contains("GATE"));
    let said = overview(&[&open, &failed]);
    assert_eq!(said.matches("GATE").count(), 1, "{said}");
    assert!(said.contains("2. GATE: FAILED (exit 1): service p50 of hget-lane"), "{said}");
}
