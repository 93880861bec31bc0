//! Whole runs: scenario in, analysed record out.

use reclaim_analysis::scenario::Provider;
use std::rc::Rc;

use reclaim_analysis::record::{InvalidReason, RunRecord, TimelinePoint};
use reclaim_analysis::scenario;
use reclaim_bench::cluster::ClusterRequest;
use reclaim_bench::load::{self, Activity, Progress, RunSetup};
use tokio_util::sync::CancellationToken;

use crate::common::half_written::{without_grants, without_reclaim_grants};
use crate::common::one_run::{POPULATION, assert_clean, keys, run, run_watched, scenario_text};
use crate::common::support;

fn ab() -> String {
    let compare = "[load]\nconcurrency = 1\nclaims = 800\nwarmup = 20\n[compare]\nbaseline = \"grant-lane\"\n\
                   strata = 20\ncontrol_strata = 20\ncounter_blocks = 5\nblock_claims = 40";
    scenario_text(&format!("{POPULATION}\n{compare}"), &["grant-lane", "hget-lane"])
}

#[tokio::test(flavor = "current_thread")]
async fn a_comparison_counts_exactly_what_its_arms_send() {
    let cluster = Rc::new(support::own(3, 0).await);
    let result = run(&cluster, &ab(), 42).await;
    assert_clean(&result);
    for (arm, hgets) in [(0, 1.0), (1, 2.0)] {
        let commands = &result.variants[arm].server.commands_per_claim;
        assert!((commands["hget"] - hgets).abs() < 1e-9 && (commands["fcall"] - 1.0).abs() < 1e-9);
    }
    let round_trips = result.record.arms.iter().map(|arm| (arm.wire.round_trips, arm.wire.claims));
    assert_eq!(round_trips.collect::<Vec<_>>(), [(800, 400), (1_200, 400)]);
    assert!(result.control.as_ref().is_some_and(|control| control.ratio.is_some()));
    assert_eq!(result.record.audit.grants_issued, result.record.audit.claimed);
    let again = run(&Rc::new(support::own(3, 0).await), &ab(), 42).await;
    assert_eq!(again.record.plan_sha256, result.record.plan_sha256);
}

#[tokio::test(flavor = "current_thread")]
async fn every_variant_and_every_kind_of_interruption_work_together() {
    let paths = [
        "grant-lane",
        "hget-lane",
        "hmget-lane",
        "pipelined-lane",
        "full-grant",
        "fused",
        "first-claim",
        "bare-first-claim",
        "lease-reclaim",
    ];
    let sections = format!(
        "{POPULATION}\n[interruption]\nsignal = 1.0\ntimeout = 1.0\noperator = 1.0\ndelay = 1.0\n[load]\n\
         concurrency = 16\nclaims = 900\ntask_context = true\n[compare]\nstrata = 10\ncontrol_strata = 5\n\
         counter_blocks = 2\nblock_claims = 10"
    );
    let cluster = Rc::new(support::own(3, 0).await);
    let result = run(&cluster, &scenario_text(&sections, &paths), 7).await;
    assert_clean(&result);
    let outcomes: Vec<_> = result.variants.iter().map(|variant| &variant.outcomes).collect();
    assert!(outcomes.iter().all(|outcomes| outcomes.claimed == 100), "{outcomes:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn thousands_of_workers_share_one_connection_per_node() {
    let sections =
        "[population]\nexecutions = 4096\npartitions = 64\n[load]\nconcurrency = 4096\nclaims = 4096";
    let result = run(&Rc::new(support::own(3, 0).await), &scenario_text(sections, &["grant-lane"]), 1).await;
    assert_clean(&result);
    assert_eq!(result.variants[0].outcomes.claimed, 4_096);
}

#[tokio::test(flavor = "current_thread")]
async fn of_several_workers_with_one_grant_exactly_one_wins() {
    let sections = format!("{POPULATION}\n[load]\nconcurrency = 4\nclaims = 600\ncontenders = 4");
    let result = run(&Rc::new(support::own(3, 0).await), &scenario_text(&sections, &["grant-lane"]), 1).await;
    assert_clean(&result);
    let outcomes = &result.variants[0].outcomes;
    assert_eq!((outcomes.claimed, outcomes.lost_race, outcomes.planned()), (600, 1_800, 2_400));
}

#[tokio::test(flavor = "current_thread")]
async fn grants_that_nobody_consumes_vanish_and_are_counted() {
    let sections = format!(
        "{POPULATION}\n[grant]\nttl = \"3s\"\nunconsumed = 0.25\n[load]\nconcurrency = 4\nclaims = 200"
    );
    let result = run(&Rc::new(support::own(3, 0).await), &scenario_text(&sections, &["grant-lane"]), 1).await;
    assert_clean(&result);
    let outcomes = &result.variants[0].outcomes;
    // On a machine that stalls for seconds, more than the share that was held back expires.
    assert!(outcomes.expired >= 50 && outcomes.claimed + outcomes.expired == 200, "{outcomes:?}");
    assert_eq!(result.record.audit.expired, outcomes.expired);
}

/// A quarter of the grants has run out when its claims come, and this library gives them their leases.
#[tokio::test(flavor = "current_thread")]
async fn a_library_that_takes_grants_that_have_run_out_makes_the_run_invalid() {
    let cluster = Rc::new(support::own(2, 0).await);
    support::everywhere(&cluster, &["FUNCTION", "LOAD", "REPLACE", &without_grants()]).await;
    let sections = format!(
        "{POPULATION}\n[grant]\nttl = \"3s\"\nunconsumed = 0.25\n[load]\nconcurrency = 4\nclaims = 200"
    );
    let result = run(&cluster, &scenario_text(&sections, &["grant-lane"]), 1).await;
    let found = result.invalid_reasons.iter().find_map(|reason| match reason {
        InvalidReason::ExpiredGrantsClaimed { claimed, late, .. } => Some((*claimed, *late)),
        _ => None,
    });
    assert_eq!(found, Some((50, 50)), "{:?}", result.invalid_reasons);
    assert_eq!(result.record.arms[0].late.claimed, 50);
    assert_eq!(
        result.variants[0].service_us.map(|times| times.count),
        Some(150),
        "theirs are no claim's times"
    );
}

/// No execution gets a grant, so there is none that could expire.
#[tokio::test(flavor = "current_thread")]
async fn late_claims_of_grants_that_were_never_issued_are_counted_and_nothing_is_waited_for() {
    let cluster = Rc::new(support::own(2, 0).await);
    support::everywhere(&cluster, &["FUNCTION", "LOAD", "REPLACE", &without_reclaim_grants()]).await;
    let sections = format!(
        "{POPULATION}\n[grant]\nttl = \"3s\"\nunconsumed = 0.25\n[load]\nconcurrency = 4\nclaims = 200"
    );
    let result = run(&cluster, &scenario_text(&sections, &["grant-lane"]), 1).await;
    let outcomes = &result.variants[0].outcomes;
    assert_eq!((outcomes.planned(), outcomes.empty_stock), (200, 200), "{outcomes:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn in_churn_executions_go_round_and_time_to_resume_is_recorded() {
    let sections = format!(
        "{POPULATION}\n[interruption]\nsignal = 2.0\ndelay = 1.0\n[load]\nmode = \"churn\"\nconcurrency = 8\n\
         claims = 1000\nwarmup = 50"
    );
    let result = run(&Rc::new(support::own(3, 0).await), &scenario_text(&sections, &["grant-lane"]), 1).await;
    assert_clean(&result);
    assert_eq!(result.variants[0].outcomes.claimed, 1_000);
    let resume = result.variants[0].resume_us.unwrap();
    let service = result.variants[0].service_us.unwrap();
    assert!(resume.count > 500 && resume.p50 > service.p50, "{resume:?}");
    // What became runnable in the warm-up waited for the window to begin, which is nobody's time to resume:
    // each of the 300 has its first in the second time round.
    assert!(resume.count <= 1_000 - 300 + 16, "{resume:?}");
}

/// Cancels when an activity begins, or after some steps of it.
struct CancelAt {
    at: Activity,
    cancel: CancellationToken,
}

impl Progress for CancelAt {
    fn begin(&self, activity: Activity, _: Option<u64>) {
        if activity == self.at {
            self.cancel.cancel();
        }
    }
    fn advance(&self, _: u64) {}
    fn second(&self, _: &TimelinePoint) {}
    fn note(&self, _: &str) {}
    fn snapshot(&self, _: RunRecord) {}
}

#[tokio::test(flavor = "current_thread")]
async fn a_run_cancelled_in_any_phase_leaves_nothing_on_a_foreign_cluster() {
    let servers = support::own(3, 0).await;
    let request = ClusterRequest {
        provider: Provider::External,
        nodes: servers.topology().primaries().iter().map(|primary| primary.addr.clone()).collect(),
        ..ClusterRequest::default()
    };
    let sections = format!(
        "{POPULATION}\n[grant]\nttl = \"3s\"\nunconsumed = 0.25\n[load]\nconcurrency = 4\nclaims = 400\nwarmup = 20"
    );
    let text = scenario_text(&sections, &["grant-lane"]);
    for at in [
        Activity::Create,
        Activity::Stage,
        Activity::Warmup,
        Activity::Window,
        Activity::Expire,
        Activity::Audit,
    ] {
        let cluster = Rc::new(support::open(&request).await);
        let cancel = CancellationToken::new();
        let watch = CancelAt { at, cancel: cancel.clone() };
        let scenario = scenario::parse("test", &text).unwrap();
        let setup = RunSetup {
            clusters: std::slice::from_ref(&cluster),
            scenario: &scenario,
            seed: 3,
            watch: &watch,
            cancel: &cancel,
        };
        match load::run(setup).await {
            Ok(record) => {
                assert!(record.partial || at == Activity::Audit, "{at:?}");
                let outcomes = &record.arms[0].outcomes;
                assert_eq!(outcomes.planned(), 400, "{at:?}: in all rounds: {outcomes:?}");
            }
            Err(load::LoadError::Cancelled) => {}
            Err(error) => panic!("{at:?}: {error}"),
        }
        assert_eq!(keys(&cluster).await, 0, "left after {at:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_run_without_a_plan_that_ends_early_counts_the_claims_that_it_was_to_make() {
    let cluster = Rc::new(support::own(2, 0).await);
    let cases = [
        ("mode = \"churn\"\nconcurrency = 4\nclaims = 500\nwarmup = 20", 500),
        ("mode = \"churn\"\nmodel = \"open\"\nrate = 100\nduration = \"5s\"", 500),
        ("mode = \"storm\"\nconcurrency = 4", 300),
    ];
    let mut seed = 0;
    for (load, planned) in cases {
        let text = scenario_text(&format!("{POPULATION}\n[load]\n{load}"), &["grant-lane"]);
        for at in [Activity::Stage, Activity::Window] {
            seed += 1;
            let cancel = CancellationToken::new();
            let watch = CancelAt { at, cancel: cancel.clone() };
            let result = run_watched(&cluster, &text, seed, &watch, &cancel).await;
            let outcomes = &result.record.window.as_ref().unwrap().outcomes;
            assert!(result.record.partial, "{load}, {at:?}");
            assert_eq!((outcomes.planned(), outcomes.dropped), (planned, planned), "{load}, {at:?}");
        }
    }
}
