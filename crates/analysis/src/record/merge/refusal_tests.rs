//! What is refused: parts that are no whole run, or not of one.

use super::tests::{merged, part, parts};
use super::*;
use crate::record::{AddedRoundTrip, BatchNote, Histogram, InjectedRecord};

#[test]
fn what_is_no_whole_run_is_refused_by_part() {
    assert_eq!(merge(Vec::new()), Err(MergeError::NoParts));
    assert_eq!(merge(parts(3).split_off(1)), Err(MergeError::Missing { part: 1, of: 3 }));
    assert_eq!(merge(vec![part(1, 3), part(3, 3)]), Err(MergeError::Missing { part: 2, of: 3 }));
    assert_eq!(merge(vec![part(2, 3), part(1, 3)]), Err(MergeError::Missing { part: 3, of: 3 }));
    assert_eq!(merge(vec![part(1, 2), part(2, 2), part(2, 2)]), Err(MergeError::Twice { part: 2 }));
    let whole = || merge(parts(2)).unwrap();
    assert_eq!(merge(vec![part(1, 2), whole()]), Err(MergeError::NotAPart { position: 2 }));
    for damaged in [0, 3] {
        let of = part(damaged, 2);
        assert_eq!(merge(vec![part(1, 2), of]), Err(MergeError::NoSuchPart { part: damaged, of: 2 }));
    }
}

#[test]
fn parts_of_other_runs_are_refused_and_say_what_differs() {
    type Change = fn(&mut RunRecord);
    let cases: &[(Tie, Change)] = &[
        (Tie::Rendezvous, |r| r.part.as_mut().unwrap().rendezvous = "yesterday".into()),
        (Tie::Parts, |r| r.part.as_mut().unwrap().of = 3),
        (Tie::Tool, |r| r.tool.version = "0.0.1".into()),
        (Tie::Tool, |r| r.tool.commit = "fedcba9".into()),
        (Tie::Tool, |r| r.tool.debug_build = true),
        (Tie::Seed, |r| r.seed = 2),
        (Tie::Scenario, |r| r.scenario.load.connections = 7),
        (Tie::Plan, |r| r.plan_sha256 = "11".repeat(32)),
        (Tie::Library, |r| r.environment.library.sha256 = "cd".repeat(32)),
    ];
    for (expected, change) in cases {
        let refused = merged(change).unwrap_err();
        assert!(
            matches!(refused, MergeError::OtherRun { part: 2, first: 1, tie, .. } if tie == *expected),
            "{refused}"
        );
        assert_eq!(refused.part(), Some(2));
        assert!(refused.to_string().contains(&expected.to_string()), "{refused}");
    }
}

#[test]
fn parts_that_have_done_other_things_are_refused() {
    type Change = fn(&mut RunRecord);
    let cases: &[(Tie, Change)] = &[
        (Tie::Variants, |r| r.arms[1].name = "other".into()),
        (Tie::Variants, |r| r.arms.truncate(1)),
        (Tie::Windows, |r| r.part.as_mut().unwrap().began_us.truncate(1)),
        (Tie::Strata, |r| r.strata.truncate(7)),
        (Tie::Strata, |r| r.strata[3].control = false),
        (Tie::Strata, |r| r.strata[3].apart = true),
        (Tie::Strata, |r| r.strata[2].sides[0].arm = 1),
        (Tie::Blocks, |r| drop(r.blocks.pop())),
        (Tie::Blocks, |r| r.blocks[0].arm = 1),
        (Tie::Primaries, |r| r.primaries[0].addr = "127.0.0.1:7009".into()),
        (Tie::Schedule, |r| r.offered = Some(Offered::default())),
        (Tie::Storm, |r| r.storm = Some(StormRecord::default())),
        (Tie::Network, |r| {
            r.added_rtt = Some(AddedRoundTrip { asked_us: 500.0, given: Histogram(None) });
        }),
        (Tie::Batches, |r| r.window.as_mut().unwrap().batches = vec![BatchNote::default()]),
    ];
    for (expected, change) in cases {
        let refused = merged(change).unwrap_err();
        assert!(
            matches!(refused, MergeError::OtherShape { part: 2, tie, .. } if tie == *expected),
            "{refused}"
        );
    }
    let faults = merged(|r| r.injected = Some(InjectedRecord::default()));
    assert_eq!(faults, Err(MergeError::Faults { part: 2 }));
    assert!(matches!(merged(|r| r.generator = None), Err(MergeError::Lacks { part: 2, .. })));
    assert!(matches!(merged(|r| r.window = None), Err(MergeError::Lacks { part: 2, .. })));
}

#[test]
fn a_damaged_histogram_is_named_with_its_part() {
    let named = |change: fn(&mut RunRecord)| match merged(change) {
        Err(MergeError::Damaged { part: 2, histogram, .. }) => histogram,
        other => panic!("{:?}", other.map(|record| record.arms)),
    };
    assert_eq!(named(|r| r.arms[1].service = bad_histogram()), "service of hget-lane");
    assert_eq!(named(|r| r.arms[0].resume = bad_histogram()), "resume of grant-lane");
}

fn bad_histogram() -> Histogram {
    Histogram(Some("AAAA".into()))
}
