//! What a profile says of records whose truth is known, and each of its findings broken alone.

use super::profile::profile;
use super::profile_fixture::{FUNCTION, Truth, profiled};
use super::profile_result::{PartChange, Profile, ProfileFinding, ProfilePart, ProfiledFunction};
use crate::record::RunRecord;

fn of(truths: &[Truth], change: impl FnOnce(&mut RunRecord)) -> Profile {
    let mut record = profiled(truths);
    change(&mut record);
    profile(&record).unwrap()
}

fn near(value: f64, expected: f64) -> bool {
    (value - expected).abs() < 0.02 * expected.abs().max(0.5)
}

#[test]
fn parts_are_what_was_planted_and_the_timers_are_in_none() {
    let truth = Truth::default();
    let profile = of(std::slice::from_ref(&truth), |_| ());
    assert_eq!(profile.findings, []);
    assert_eq!(profile.changes, []);
    let [arm] = profile.arms.as_slice() else { panic!("{profile:?}") };
    assert_eq!((arm.arm.as_str(), arm.plain.as_str()), ("inside", "plain"));
    let [function] = arm.functions.as_slice() else { panic!("{arm:?}") };
    assert_eq!(function.function, FUNCTION);
    let parts: Vec<_> = function.parts.iter().map(|part| (part.part.clone(), part.calls, part.us)).collect();
    let command = |name: &str| ProfilePart::Command { command: name.to_owned() };
    assert_eq!(
        [&parts[0].0, &parts[1].0, &parts[2].0],
        [&command("HSET"), &command("ZREM"), &ProfilePart::Lua]
    );
    assert_eq!([parts[0].1, parts[1].1, parts[2].1], [Some(3.0), Some(1.0), None]);
    assert!(near(parts[0].2, 12.0) && near(parts[1].2, 8.0) && near(parts[2].2, 30.0), "{parts:?}");
    assert!(near(function.us, truth.us()) && near(function.timers_us, 4.5), "{function:?}");
    assert!(near(function.parts.iter().map(|part| part.share).sum(), 1.0));
    assert!(function.parts.iter().all(|part| part.interval.unwrap().contains(part.us)), "{function:?}");
    assert!(near(arm.added_us.unwrap().estimate, truth.added_us()), "{arm:?}");
    assert!(arm.instrumented.holds() && arm.without_timers.holds());
    assert!(profile_of_plain_is_none());
}

fn profile_of_plain_is_none() -> bool {
    profile(&super::fixtures::record(&[super::fixtures::GRANT_LANE, super::fixtures::TWIN], 1)).is_none()
}

#[test]
fn a_call_more_and_a_dearer_call_are_named_and_nothing_else_is() {
    let mut more = Truth::default();
    more.commands.insert("HGET", (1, 3.0));
    let marked = |profile: &Profile| -> Vec<(ProfilePart, PartChange)> {
        let changed = profile.changes.iter().filter(|change| change.change != PartChange::Same);
        changed.map(|change| (change.part.clone(), change.change)).collect()
    };
    let command = |name: &str| ProfilePart::Command { command: name.to_owned() };
    let with_more = of(&[Truth::default(), more], |_| ());
    assert_eq!(marked(&with_more), [(command("HGET"), PartChange::MoreCalls)]);
    assert_eq!(with_more.changes.len(), 4, "every part stands there");
    let mut dearer = Truth::default();
    dearer.commands.insert("HSET", (3, 5.0));
    let with_dearer = of(&[Truth::default(), dearer.clone()], |_| ());
    assert_eq!(marked(&with_dearer), [(command("HSET"), PartChange::Dearer)]);
    assert!(near(with_dearer.changes[0].difference.unwrap().estimate, 3.0), "{:?}", with_dearer.changes);
    assert_eq!(marked(&of(&[dearer, Truth::default()], |_| ())), [(command("HSET"), PartChange::Cheaper)]);
    let slower_lua = Truth { lua_us: 36.0, ..Truth::default() };
    assert_eq!(
        marked(&of(&[Truth::default(), slower_lua], |_| ())),
        [(ProfilePart::Lua, PartChange::Dearer)]
    );
    assert_eq!(marked(&of(&[Truth::default(), Truth::default()], |_| ())), []);
}

/// Has the plain library of the first arm take this share of its time.
fn plain_takes(share: f64) -> impl FnOnce(&mut RunRecord) {
    move |record| {
        for block in record.blocks.iter_mut().filter(|block| block.arm == 0) {
            block.counters.fcall_us = (block.counters.fcall_us as f64 * share) as u64;
        }
    }
}

#[test]
fn what_the_timers_do_not_explain_widens_lua_s_own_part_alone() {
    let function = |profile: &Profile| profile.arms[0].functions[0].clone();
    let widths = |function: &ProfiledFunction| -> Vec<f64> {
        function.parts.iter().map(|part| part.interval.unwrap().half_width()).collect()
    };
    let explained = function(&of(&[Truth::default()], |_| ()));
    assert!(explained.unexplained_us.unwrap() < 0.02, "{explained:?}");
    let doubted = of(&[Truth::default()], plain_takes(0.95));
    assert_eq!(doubted.findings, [], "5 % are allowed");
    let doubted = function(&doubted);
    // Of 52 us with what is around the function a twentieth.
    let unexplained_us = doubted.unexplained_us.unwrap();
    assert!((unexplained_us - 2.6).abs() < 0.1, "{doubted:?}");
    let wider: Vec<f64> =
        widths(&doubted).iter().zip(widths(&explained)).map(|(after, before)| after - before).collect();
    let more_us = unexplained_us - explained.unexplained_us.unwrap();
    // HSET, ZREM, and Lua's own part at the end.
    for (wider, expected) in wider.iter().zip([0.0, 0.0, more_us]) {
        assert!((wider - expected).abs() < 1e-9, "{doubted:?}");
    }
    assert_eq!(wider.len(), 3);
}

/// Timers of calls that only one library makes may take more or less than was taken out for them, and that would show
/// as Lua's own time.
#[test]
fn more_is_asked_of_lua_where_one_library_calls_more() {
    let lua = |more_calls: u64, change: &dyn Fn(&mut RunRecord)| {
        let mut candidate = Truth { lua_us: 33.0, ..Truth::default() };
        if more_calls > 0 {
            candidate.commands.insert("HGET", (more_calls, 3.0));
        }
        let profile = of(&[Truth::default(), candidate], change);
        profile.changes.iter().find(|change| change.part == ProfilePart::Lua).unwrap().change
    };
    let unexplained = |record: &mut RunRecord| plain_takes(0.92)(record);
    assert_eq!(lua(6, &|_| ()), PartChange::Dearer, "3 us more, and the timers explain all");
    // A twelfth of 52 us for five timers, six times.
    assert_eq!(lua(6, &unexplained), PartChange::Same);
    assert_eq!(lua(0, &unexplained), PartChange::Dearer, "with as many timers it is the same of both");
}

/// What breaks a sound record.
type Break<'a> = &'a dyn Fn(&mut RunRecord);

#[test]
fn every_finding_fires_alone() {
    let truth = || [Truth::default()];
    let inside = |record: &mut RunRecord, change: &dyn Fn(&mut crate::record::Inside)| {
        record.blocks.iter_mut().filter_map(|block| block.inside.as_mut()).for_each(change);
    };
    let cases: [(&str, Break<'_>); 5] = [
        ("NothingMeasured", &|record| record.blocks.iter_mut().for_each(|block| block.inside = None)),
        ("DoesNotAddUp", &|record| {
            for block in record.blocks.iter_mut().filter(|block| block.arm == 1) {
                block.counters.fcall_us += block.counters.fcall_us / 5;
            }
        }),
        ("TimersExplainTooLittle", &|record| {
            for block in record.blocks.iter_mut().filter(|block| block.arm == 0) {
                block.counters.fcall_us = block.counters.fcall_us * 4 / 5;
            }
        }),
        ("CountsDisagree", &|record| {
            for block in record.blocks.iter_mut().filter(|block| block.arm == 1) {
                block.counters.calls.insert("exists".to_owned(), block.claims);
            }
        }),
        ("Raised", &|record| inside(record, &|inside| inside.functions.get_mut(FUNCTION).unwrap().left -= 1)),
    ];
    for (name, break_it) in cases {
        let findings = of(&truth(), break_it).findings;
        let names: Vec<_> = findings.iter().map(|finding| format!("{finding:?}")).collect();
        assert!(names.len() == 1 && names[0].starts_with(name), "{name}: {names:?}");
    }
}

#[test]
fn calls_that_only_the_library_saw_are_told_as_well() {
    let findings = of(&[Truth::default()], |record| {
        for block in record.blocks.iter_mut().filter(|block| block.arm == 1) {
            *block.counters.calls.get_mut("hset").unwrap() -= block.claims;
        }
    })
    .findings;
    let [ProfileFinding::CountsDisagree { command, inside, server, .. }] = findings.as_slice() else {
        panic!("{findings:?}")
    };
    assert_eq!((command.as_str(), *inside, *server), ("hset", 3.0, 2.0));
}
