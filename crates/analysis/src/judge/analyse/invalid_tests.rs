//! What makes a run invalid, and what does not.

use super::counter_tests::redirected;
use super::tests::analysed;
use crate::record::{
    Histogram, InjectedRecord, InvalidReason, Outcomes, RunRecord, StormRecord, TimeSlice, Warning,
    WindowTotals,
};
use crate::scenario::{Arrivals, Model, Scenario};

/// Every rule that makes a run invalid, each broken alone.
#[test]
fn each_reason_is_found_and_named() {
    type Break = fn(&mut RunRecord, &mut Scenario);
    let cases: &[(&str, Break)] = &[
        ("CountersDisagree", |r, _| *r.primaries[0].counters.calls.get_mut("hget").unwrap() += 1),
        ("CountersDisagree", |r, _| *r.blocks[0].counters.calls.get_mut("fcall").unwrap() -= 1),
        ("\"commands\"", |r, _| r.arms[1].wire.commands += 1),
        ("\"round trips\"", |r, _| r.arms[1].wire.round_trips += 1),
        ("UnexpectedCommands { arm: \"hget-lane\", command: \"hget\"", |r, _| {
            let block = r.blocks.iter_mut().find(|block| block.arm == 1).unwrap();
            *block.counters.sent.get_mut("hget").unwrap() -= 1;
            *block.counters.calls.get_mut("hget").unwrap() -= 1;
        }),
        ("RedirectsDisagree { primary: \"a:1\", redirect: Moved, met: 3, counted: 4 }", |r, _| {
            r.injected = Some(redirected(3, 4));
        }),
        ("RedirectsDisagree { primary: \"a:1\", redirect: Moved, met: 4, counted: 3 }", |r, _| {
            r.injected = Some(redirected(4, 3));
        }),
        ("GrantsUnaccounted", |r, _| (r.audit.lost, r.audit.claimed) = (1, r.audit.claimed - 1)),
        ("SumOfGrants", |r, _| r.audit.claimed -= 1),
        ("GrantsConsumedTwice", |r, _| r.audit.double_claims = 1),
        ("AttemptLost", |r, _| r.audit.attempt_changed = 1),
        ("WrongLeaseEpoch", |r, _| r.audit.epoch_errors = 1),
        ("WrongState", |r, _| r.audit.state_errors = 1),
        ("the run's own", |r, _| {
            r.invalid_reasons.push(InvalidReason::Infrastructure { detail: "the run's own".into() });
        }),
        ("NothingClaimed { arm: \"hget-lane\", planned: 9 }", |r, _| {
            r.arms[1].outcomes = Outcomes { expired: 9, ..Default::default() };
        }),
        ("NothingClaimed { arm: \"hget-lane\", planned: 0 }", |r, _| {
            r.arms[1].outcomes = Outcomes::default();
        }),
        ("TooManyFailed { arm: \"hget-lane\", failed: 6500, sent: 12500", |r, _| {
            r.arms[1].outcomes.refused = [("fenced".to_owned(), 6_500)].into();
        }),
        ("Stalled", |r, _| r.longest_gap_s = Some(2.6)),
        ("DamagedHistogram", |r, _| r.arms[0].service.0 = Some("AAAA".into())),
        ("DamagedHistogram { histogram: \"response in slice 1 around the faults\"", |r, _| {
            let damaged = TimeSlice { response: Histogram(Some("AAAA".into())), ..TimeSlice::default() };
            let slices = vec![TimeSlice::default(), damaged];
            r.injected = Some(InjectedRecord { slice_s: 0.1, slices, ..InjectedRecord::default() });
        }),
        ("NeverResumed { executions: 2, of: 500 }", |r, _| r.storm = Some(storm(498))),
        ("SharedQueue { in_flight: 16.0, limit: 1.0 }", |_, s| {
            s.load.model = Model::Closed { concurrency: 16 };
        }),
        ("StockRanOut", |r, s| {
            s.load.model = Model::Open { rate_per_sec: 1e3, arrivals: Arrivals::Constant };
            r.arms[0].outcomes.empty_stock = 3;
        }),
    ];
    for (expected, broken) in cases {
        let result = analysed(broken);
        let said = format!("{:?}", result.invalid_reasons);
        assert!(!result.valid && said.contains(expected), "{expected}: {said}");
        assert_eq!(result.invalid_reasons.len(), 1, "{said}");
    }
}

#[test]
fn arms_may_queue_apart_and_be_mixed_where_they_do_not_queue() {
    let queued = |change: &dyn Fn(&mut RunRecord, &mut Scenario)| {
        let said = analysed(|record, scenario| change(record, scenario)).invalid_reasons;
        said.iter().any(|reason| matches!(reason, InvalidReason::SharedQueue { .. }))
    };
    let sixteen = |scenario: &mut Scenario| scenario.load.model = Model::Closed { concurrency: 16 };
    let apart = |record: &mut RunRecord| record.strata.iter_mut().for_each(|stratum| stratum.apart = true);
    assert!(queued(&|_, scenario| sixteen(scenario)));
    assert!(!queued(&|record, scenario| (apart(record), sixteen(scenario)).0));
    assert!(!queued(&|_, _| ()));
    // Little's law: 24,000 claims of 0.2 ms within so many seconds, in front of three primaries.
    let open = |active_s: f64| {
        queued(&|record, scenario| {
            scenario.load.model = Model::Open { rate_per_sec: 1e3, arrivals: Arrivals::Poisson };
            record.arms.iter_mut().for_each(|arm| arm.active_s = active_s);
        })
    };
    assert!(open(2.0) && !open(10.0));
    // Beside each that won, three that did not.
    assert!(queued(&|record, scenario| {
        scenario.load.model = Model::Open { rate_per_sec: 1e3, arrivals: Arrivals::Poisson };
        scenario.load.contenders = 4;
        record.arms.iter_mut().for_each(|arm| arm.active_s = 10.0);
    }));
}

fn storm(held: u64) -> StormRecord {
    StormRecord { executions: 500, held, ..StormRecord::default() }
}

#[test]
fn a_storm_that_brought_all_back_or_was_interrupted_left_nobody_behind() {
    assert!(analysed(|record, _| record.storm = Some(storm(500))).valid);
    // What the audit has as lost by servers nobody sends again; one more would be somebody else's fault.
    for (held, valid) in [(497, true), (496, false)] {
        let after_a_failover = analysed(|record, _| {
            record.storm = Some(storm(held));
            record.injected = Some(InjectedRecord::default());
            (record.audit.rolled_back, record.audit.lost_by_server) = (2, 1);
            record.audit.claimed -= 1;
        });
        assert_eq!(after_a_failover.valid, valid, "{:?}", after_a_failover.invalid_reasons);
    }
    let interrupted = analysed(|record, _| (record.partial, record.storm) = (true, Some(storm(3))));
    assert!(interrupted.valid, "{:?}", interrupted.invalid_reasons);
}

/// Of an open loop at a low rate, granted beforehand: the last grants run out before their claims are due.
#[test]
fn grants_that_ran_out_unasked_are_failures() {
    let expired_of = |claims: u64, unconsumed: f64, late: Outcomes| {
        analysed(|record, scenario| {
            record.arms[1].outcomes.expired = claims;
            record.arms[1].late = late.clone();
            record.scenario.grant.unconsumed = unconsumed;
            scenario.grant.unconsumed = unconsumed;
        })
    };
    let expired = |claims, unconsumed| expired_of(claims, unconsumed, Outcomes::default());
    assert!(matches!(
        expired(60_000, 0.0).invalid_reasons[..],
        [InvalidReason::TooManyFailed { failed: 60_000, .. }]
    ));
    let few = expired(7, 0.0);
    assert!(few.valid && few.warnings.iter().any(|w| matches!(w, Warning::Errors { errors: 7, .. })));
    // Results of versions that did not tell which were left to.
    assert!(expired(60_000, 0.25).valid);
    let asked = |expired| Outcomes { expired, ..Outcomes::default() };
    assert!(expired_of(60_000, 0.25, asked(60_000)).valid, "what the scenario asks for");
    assert!(matches!(
        expired_of(60_000, 0.25, asked(7)).invalid_reasons[..],
        [InvalidReason::TooManyFailed { failed: 59_993, .. }]
    ));
}

#[test]
fn a_claim_that_comes_after_its_grant_has_run_out_must_be_refused() {
    let late = |claimed: u64, expired: u64| {
        analysed(|record, scenario| {
            record.arms[1].outcomes.expired = expired;
            record.arms[1].late = Outcomes { claimed, expired, ..Outcomes::default() };
            (record.scenario.grant.unconsumed, scenario.grant.unconsumed) = (0.25, 0.25);
        })
    };
    assert!(late(0, 500).valid);
    let reasons = late(1, 499).invalid_reasons;
    assert!(
        matches!(&reasons[..], [InvalidReason::ExpiredGrantsClaimed { claimed: 1, late: 500, .. }]),
        "{reasons:?}"
    );
}

#[test]
fn claims_that_fail_in_the_control_or_in_blocks_are_seen() {
    let failing = |failed: u64| {
        analysed(|record, _| {
            let claimed = record.arms.iter().map(|arm| arm.outcomes.claimed).sum::<u64>() + 2_000 - failed;
            let outcomes = Outcomes { claimed, failed, ..Outcomes::default() };
            record.window = Some(WindowTotals { active_s: 12.0, outcomes, ..WindowTotals::default() });
        })
    };
    assert!(failing(0).warnings.iter().all(|w| !matches!(w, Warning::Errors { .. })));
    let most = failing(1_500).invalid_reasons;
    assert!(
        matches!(&most[..], [InvalidReason::TooManyFailed { failed: 1_500, sent: 2_000, .. }]),
        "{most:?}"
    );
    let few = failing(20);
    assert!(few.valid && few.warnings.iter().any(|w| matches!(w, Warning::Errors { errors: 20, .. })));
}

#[test]
fn some_failures_and_an_interrupted_arm_make_no_run_invalid() {
    let some = analysed(|record, _| record.arms[1].outcomes.failed = 600);
    assert!(some.valid, "{:?}", some.invalid_reasons);
    let strict = analysed(|record, _| {
        record.arms[1].outcomes.failed = 600;
        record.scenario.gate.failed = 0.05;
    });
    assert!(matches!(strict.invalid_reasons[..], [InvalidReason::TooManyFailed { .. }]), "{strict:?}");
    let stopped = analysed(|record, _| {
        record.partial = true;
        record.arms[1].outcomes = Outcomes::default();
    });
    assert!(stopped.valid, "{:?}", stopped.invalid_reasons);
}

/// Both stand in one JSON object: the run's own under the name that results of every version have for them.
#[test]
fn what_a_run_found_itself_has_a_key_beside_all_that_makes_it_invalid() {
    let result = analysed(|record, _| {
        record.invalid_reasons.push(InvalidReason::Infrastructure { detail: "the run's own".into() });
        record.audit.epoch_errors = 1;
    });
    let json = serde_json::to_value(&result).unwrap();
    let reasons = ["faults", "invalid_reasons"].map(|key| json[key].as_array().map(Vec::len));
    assert_eq!(reasons, [Some(1), Some(2)]);
}
