//! Profiles on real servers: counts as MONITOR shows them, parts that add up, a planted call that is named.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use reclaim_analysis::judge::{PartChange, Profile, ProfileFinding, ProfilePart, RunResult};
use reclaim_analysis::record::Outcome;
use reclaim_analysis::scenario::{ProfileLibraries, Scenario, VariantPath, profiled};
use reclaim_bench::claim::claim_path;

use crate::common::one_claim::{Monitor, echo, order, setup, ticket};
use crate::common::one_run::{POPULATION, assert_clean, attempt, scenario_text};
use crate::common::staged::Stage;
use crate::common::support;
use crate::duet::planted;

/// A small profile of the headline's function.
async fn profile(libraries: &ProfileLibraries) -> (RunResult, Profile) {
    let cluster = Rc::new(support::own(1, 0).await);
    let text = scenario_text(&format!("{POPULATION}\n[load]\nclaims = 100"), &["grant-lane"]);
    let original = reclaim_analysis::scenario::parse("test", &text).unwrap();
    let mut file = profiled(original.file(), libraries);
    let arms = file.variants.len() as u64;
    let compare = file.compare.as_mut().unwrap();
    (compare.strata, compare.counter_blocks, compare.block_claims) = (4, 6, 50);
    file.load.claims = Some(4 * 20 * arms);
    file.load.warmup = 20;
    let scenario = Scenario::try_from(&file).unwrap_or_else(|error| panic!("{error:?}"));
    let result = attempt(&cluster, &scenario, 7).await.unwrap();
    assert_clean(&result);
    let profile = result.profile.clone().expect("an arm is instrumented");
    (result, profile)
}

fn calls(profile: &Profile, arm: usize) -> BTreeMap<String, f64> {
    let parts = profile.arms[arm].functions[0].parts.iter();
    let command = |part: &ProfilePart| match part {
        ProfilePart::Command { command } => Some(command.to_lowercase()),
        ProfilePart::Lua => None,
    };
    parts.filter_map(|part| Some((command(&part.part)?, part.calls?))).collect()
}

/// Findings that say something of the library and not of how busy the machine is.
fn of_counts(profile: &Profile) -> Vec<&ProfileFinding> {
    let of_time = |finding: &&ProfileFinding| {
        matches!(finding, ProfileFinding::DoesNotAddUp { .. } | ProfileFinding::TimersExplainTooLittle { .. })
    };
    profile.findings.iter().filter(|finding| !of_time(finding)).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn counts_are_those_that_monitor_shows_and_the_parts_add_up() {
    let cluster = Rc::new(support::own(1, 0).await);
    let stage = Stage::set(&*cluster, 41_400).await;
    let claim = claim_path(VariantPath::GrantLane, setup(cluster.clone(), &stage.wire).await);
    let ticket = ticket(&stage, VariantPath::GrantLane).await;
    let mut monitor = Monitor::on(stage.wire.addr()).await;
    echo(&stage.wire, "begin").await;
    assert_eq!(claim.claim(&order(&ticket, &stage.worker)).await.outcome, Outcome::Claimed);
    echo(&stage.wire, "end").await;
    monitor.until("begin").await;
    let mut shown = BTreeMap::<String, f64>::new();
    for (who, words) in monitor.until("end").await {
        if who == "lua" {
            *shown.entry(words[0].to_lowercase()).or_default() += 1.0;
        }
    }

    let (result, profile) = profile(&ProfileLibraries::default()).await;
    assert_eq!(of_counts(&profile), Vec::<&ProfileFinding>::new());
    let [arm] = profile.arms.as_slice() else { panic!("{profile:?}") };
    assert_eq!(arm.functions.len(), 1);
    assert_eq!(
        (arm.functions[0].function.as_str(), arm.functions[0].calls),
        ("ff_claim_resumed_execution", 300)
    );
    assert_eq!(calls(&profile, 0), shown);
    assert!(arm.functions[0].parts.iter().all(|part| part.us > 0.0), "{arm:?}");
    // Time in which the server waited for a core is in its clock and in no part.
    let generator = result.record.generator.unwrap();
    let waited = generator.servers_waited_s.unwrap_or(0.0) > 0.02 * generator.servers_cpu_s;
    assert!(waited || arm.instrumented.holds(), "{arm:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_planted_call_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let candidate = planted(dir.path(), "  redis.call('HGET', K.core_key, 'lane_id')");
    let (_, profile) = profile(&ProfileLibraries { base: None, candidate: Some(candidate) }).await;
    assert_eq!(of_counts(&profile), Vec::<&ProfileFinding>::new());
    let counted = |change: PartChange| matches!(change, PartChange::MoreCalls | PartChange::FewerCalls);
    let marked: Vec<_> = profile.changes.iter().filter(|change| counted(change.change)).collect();
    let [more] = marked.as_slice() else { panic!("{marked:?}") };
    assert_eq!(
        (&more.part, more.change),
        (&ProfilePart::Command { command: "HGET".into() }, PartChange::MoreCalls)
    );
    assert_eq!((more.base_calls, more.candidate_calls), (Some(0.0), Some(1.0)));
}

fn changed(dir: &Path, change: impl FnOnce(&str) -> String) -> ProfileLibraries {
    let path = dir.join("odd.lua");
    std::fs::write(&path, change(ff_script::LIBRARY_SOURCE)).unwrap();
    ProfileLibraries { base: Some(path.display().to_string()), candidate: None }
}

#[tokio::test(flavor = "current_thread")]
async fn a_library_that_makes_it_hard_is_counted_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let odd = changed(dir.path(), |source| {
        let body = source.strip_prefix("#!lua name=flowfabric\n").unwrap();
        // Names of the instrumentation's own, an alias taken while the library loads, a function registered
        // by name.
        format!(
            "#!lua name=flowfabric\n--[[ redis.call('x') ]] local now, sums, clock, ready = 1, 2, 3, 4 local r = redis\n\
             server.register_function{{function_name='ff_odd', callback=function() return r.call('PING') end}}\n{}",
            body.replacen("redis.call(\"TIME\")", "r.call(\"time\")", 1)
        )
    });
    let (_, profile) = profile(&odd).await;
    assert_eq!(of_counts(&profile), Vec::<&ProfileFinding>::new());
    assert!(calls(&profile, 0).len() > 5);
}

#[tokio::test(flavor = "current_thread")]
async fn a_call_past_the_instrumentation_is_found_by_the_servers_own_count() {
    let dir = tempfile::tempdir().unwrap();
    let past = planted(dir.path(), "  _G.redis.call('EXISTS', K.core_key)");
    let (_, profile) = profile(&ProfileLibraries { base: Some(past), candidate: None }).await;
    let [ProfileFinding::CountsDisagree { command, inside, server, .. }] = of_counts(&profile)[..] else {
        panic!("{:?}", profile.findings)
    };
    assert_eq!((command.as_str(), inside.to_bits()), ("exists", 0));
    assert!((server - 1.0).abs() < 1e-9, "{server}");
}
