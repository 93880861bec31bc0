//! Load shapes on real servers: storms, open loops beside interruptions, recorded arrivals, a longer network,
//! sweeps.

use std::rc::Rc;

use reclaim_analysis::judge::ramp_steps;
use reclaim_analysis::record::InvalidReason;
use reclaim_analysis::stats::Latencies;

use crate::common::one_run::{POPULATION, assert_clean, run, scenario_text};
use crate::common::support;

/// A busy machine sends late, which is no matter here; everything else is.
fn only_late(reasons: &[InvalidReason]) -> bool {
    reasons.iter().all(|reason| matches!(reason, InvalidReason::SendLag { .. }))
}

#[tokio::test(flavor = "current_thread")]
async fn a_storm_brings_every_execution_back_once() {
    let cluster = Rc::new(support::own(2, 0).await);
    let sections = "[population]\nexecutions = 2000\nlanes = 2\npartitions = 16\n[load]\nmode = \"storm\"\nconcurrency = 16";
    let result = run(&cluster, &scenario_text(sections, &["grant-lane"]), 5).await;
    assert_clean(&result);
    let [storm] = result.variants.as_slice() else { panic!("one variant") };
    assert_eq!(storm.outcomes.claimed, 2_000);
    let resume = storm.resume_us.unwrap();
    assert_eq!(resume.count, 2_000, "every execution's way back is timed from the storm's beginning");
    assert!(resume.p50 <= resume.p99 && resume.p99 <= resume.max);
    let by_second: u64 = result.record.timeline.iter().map(|point| point.claimed).sum();
    assert_eq!(by_second, 2_000);
    assert_eq!(result.record.primaries.iter().map(|primary| primary.claims).sum::<u64>(), 2_000);
    let record = result.record.storm.as_ref().unwrap();
    assert_eq!((record.executions, record.held, record.given_up), (2_000, 2_000, 0));
    let (sent, answered) = (record.last_signal_us.unwrap(), record.signals_answered_us.unwrap());
    assert!(sent > 0.0 && sent <= answered, "{record:?}");
    // Nobody can hold a lease again before the last signal was sent; the histogram has three digits.
    assert!(sent <= resume.max * 1.01, "{sent} of {}", resume.max);
}

#[tokio::test(flavor = "current_thread")]
async fn an_open_loop_runs_beside_interruptions() {
    let cluster = Rc::new(support::own(2, 0).await);
    let load = "[load]\nmode = \"churn\"\nmodel = \"open\"\nrate = 100\narrivals = \"poisson\"\nduration = \"3s\"\nwarmup = 50";
    let compare = "[compare]\nstrata = 3\ncontrol_strata = 0";
    let sections = format!("{POPULATION}\n[interruption]\nsignal = 1\ndelay = 1\n{load}\n{compare}");
    let result = run(&cluster, &scenario_text(&sections, &["grant-lane", "hget-lane"]), 6).await;
    assert!(only_late(&result.invalid_reasons), "{:?}", result.invalid_reasons);
    let offered: u64 = result.variants.iter().map(|variant| variant.outcomes.claimed).sum();
    assert_eq!(offered, 300, "every arrival was claimed: {:?}", result.variants);
    let schedule = result.record.offered.unwrap();
    assert_eq!(schedule.claims, 300, "the warm-up's are none of it");
    // Arrivals at random: three standard deviations.
    assert!((schedule.schedule_s / 3.0 - 1.0).abs() < 0.18, "{schedule:?}");
    for variant in &result.variants {
        let of =
            |summary: Option<reclaim_analysis::judge::LatencySummary>| summary.map(|summary| summary.count);
        assert_eq!(of(variant.response_us), Some(variant.outcomes.claimed));
        assert_eq!(of(variant.send_lag_us), Some(variant.outcomes.claimed));
    }
    let measured: Vec<_> = result.record.timeline.iter().filter(|p| !p.primary_cpu.is_empty()).collect();
    assert!(!measured.is_empty(), "the servers' CPU was never read");
    assert!(measured.iter().all(|p| p.primary_cpu.len() == 2 && p.primary_cpu.iter().all(|cpu| *cpu >= 0.0)));
}

#[tokio::test(flavor = "current_thread")]
async fn an_open_loop_without_executions_to_serve_it_is_invalid() {
    let cluster = Rc::new(support::own(1, 0).await);
    let population = "[population]\nexecutions = 2\nlanes = 1\npartitions = 1";
    let load = "[load]\nmode = \"churn\"\nmodel = \"open\"\nrate = 1000\nclaims = 500";
    let result = run(&cluster, &scenario_text(&format!("{population}\n{load}"), &["grant-lane"]), 7).await;
    let ran_out =
        result.invalid_reasons.iter().any(|reason| matches!(reason, InvalidReason::StockRanOut { .. }));
    assert!(ran_out, "{:?}", result.invalid_reasons);
    let outcomes = &result.variants[0].outcomes;
    assert_eq!(outcomes.claimed + outcomes.empty_stock, 500);
}

#[tokio::test(flavor = "current_thread")]
async fn a_recorded_trace_is_replayed_to_its_end() {
    let cluster = Rc::new(support::own(1, 0).await);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("arrivals.txt");
    let lines: Vec<String> =
        (0..200u32).map(|n| format!("{}.{:03}\n", 1_000 + n / 100, n % 100 * 10)).collect();
    std::fs::write(&file, lines.concat()).unwrap();
    let load = format!("[load]\nmodel = \"open\"\narrivals = {{ trace = '{}' }}", file.display());
    let result = run(&cluster, &scenario_text(&format!("{POPULATION}\n{load}"), &["grant-lane"]), 8).await;
    assert!(only_late(&result.invalid_reasons), "{:?}", result.invalid_reasons);
    assert_eq!(result.variants[0].outcomes.claimed, 200);
    assert!(
        result.record.arms[0].active_s >= 1.99,
        "the trace lasts 1.99 s: {}",
        result.record.arms[0].active_s
    );
}

#[tokio::test(flavor = "current_thread")]
async fn a_ramp_is_told_step_by_step_with_all_its_response_times() {
    let cluster = Rc::new(support::own(1, 0).await);
    let population = "[population]\nexecutions = 1000\nlanes = 2\npartitions = 16";
    let arrivals = "arrivals = { ramp = { from = 100.0, over = \"2s\" } }";
    let load = format!("[load]\nmodel = \"open\"\nrate = 300\n{arrivals}\nduration = \"3s\"");
    let result = run(&cluster, &scenario_text(&format!("{population}\n{load}"), &["grant-lane"]), 9).await;
    assert!(only_late(&result.invalid_reasons), "{:?}", result.invalid_reasons);
    let steps = ramp_steps(&result.record).expect("a ramp").expect("one window");
    assert!(steps.len() >= 3, "{steps:?}");
    for (step, offered) in steps.iter().zip([150.0, 250.0]) {
        assert!((step.offered_per_s - offered).abs() < 1.0, "{step:?}");
    }
    let claimed: f64 = steps.iter().map(|step| step.claimed_per_s * (step.to_s - step.from_s)).sum();
    assert!((claimed - 700.0).abs() < 1e-6, "two seconds at 200 and one at 300 on the average: {claimed}");
    let overall = result.variants[0].response_us.unwrap();
    assert!(steps.iter().all(|step| step.response_p99.as_ref().is_some_and(|p99| p99.us <= overall.max)));
}

#[tokio::test(flavor = "current_thread")]
async fn every_round_trip_takes_the_added_time_longer() {
    let cluster = Rc::new(support::own(1, 0).await);
    let load = "[load]\nclaims = 60\nwarmup = 4\nnetwork = { added_rtt = \"5ms\" }";
    let paths = ["full-grant", "grant-lane", "hget-lane"];
    let sections =
        format!("{POPULATION}\n{load}\n[compare]\nstrata = 2\ncontrol_strata = 2\ncounter_blocks = 0");
    let result = run(&cluster, &scenario_text(&sections, &paths), 9).await;
    assert_clean(&result);
    let added = result.record.added_rtt.as_ref().unwrap();
    let given = Latencies::decode(&added.given).unwrap().unwrap();
    assert!((added.asked_us - 5_000.0).abs() < 1e-6 && given.quantile_us(0.0) >= 4_990.0);
    // One, two and three round trips; the control's claims are the baseline's.
    for (arm, round_trips) in [(0, 1.0), (1, 2.0), (2, 3.0)] {
        let service = Latencies::decode(&result.record.arms[arm].service).unwrap().unwrap();
        let least = round_trips * 4_990.0;
        assert!(service.quantile_us(0.0) >= least, "{}: {}", paths[arm], service.quantile_us(0.0));
    }
    let (one, three) = (&result.variants[0].service_us.unwrap(), &result.variants[2].service_us.unwrap());
    assert!(three.p50 - one.p50 >= 9_000.0, "two round trips more: {} and {}", one.p50, three.p50);
    assert!(result.record.label().contains("+5ms RTT"), "{}", result.record.label());
}
