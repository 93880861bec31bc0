use super::super::fixtures::{GRANT_LANE, HGET_LANE, TWIN, record, scenario};
use super::super::result::Verdict;
use super::*;
use crate::record::{
    CounterBlock, InjectedRecord, InvalidReason, LatencyHistogram, Outcomes, RedirectKind, SdkInfo,
    StormRecord, Warning, WindowTotals, WireTotals,
};
use crate::scenario::{Arrivals, Metric, Mode, Model, Slo};
use std::time::Duration;

pub(super) fn analysed(change: impl FnOnce(&mut RunRecord, &mut Scenario)) -> RunResult {
    let arms = [GRANT_LANE, HGET_LANE];
    let (mut record, mut scenario) = (record(&arms, 1), scenario(&arms));
    change(&mut record, &mut scenario);
    analyse_as(record, &scenario)
}

pub(super) fn verdict_of(result: &RunResult, metric: Metric) -> &super::super::Comparison {
    result.comparisons.iter().find(|c| c.metric == metric).unwrap()
}

#[test]
fn a_slower_arm_is_a_regression_with_the_planted_size() {
    let result = analysed(|_, _| ());
    assert!(result.valid, "{:?}", result.invalid_reasons);
    assert_eq!(result.warnings, []);
    let p50 = verdict_of(&result, Metric::ServiceP50);
    assert_eq!(p50.verdict, Verdict::Regression);
    assert!(p50.ratio.unwrap().contains(1.2), "{p50:?}");
    assert!(p50.p_value.unwrap() < 0.01 && p50.detectable.unwrap() < 0.05);
    assert_eq!(verdict_of(&result, Metric::ServiceP99).verdict, Verdict::Regression);
    let cpu = verdict_of(&result, Metric::ServerCpu);
    assert!(cpu.ratio.unwrap().contains(1.25), "{cpu:?}");
    assert!(result.control.as_ref().unwrap().passed, "{:?}", result.control);
    assert!(result.variants[0].service_us.unwrap().p50_interval.is_some());
    let hget: Vec<f64> = result.variants.iter().map(|v| v.server.commands_per_claim["hget"]).collect();
    assert_eq!(hget, [1.0, 2.0]);
    let unequal: Vec<_> = result.exact.iter().filter(|e| !e.equal).map(|e| e.metric.to_string()).collect();
    assert_eq!(unequal, ["round_trips", "commands", "request_bytes", "reply_bytes", "calls.hget"]);
}

/// The same bare round trips under both sides of every ratio.
#[test]
fn one_question_in_two_units_is_asked_once() {
    let asked = |metrics: &[Metric]| {
        analysed(|record, scenario| {
            scenario.compare.as_mut().unwrap().metrics = metrics.to_vec();
            for stratum in &mut record.strata {
                let mut ruler = crate::record::Samples::default();
                (0..5).for_each(|_| ruler.push(Duration::from_micros(50)));
                stratum.ruler = Some(ruler);
            }
        })
    };
    let p = |result: &RunResult, metric| verdict_of(result, metric).p_value.unwrap();
    let (once, twice) = (
        asked(&[Metric::ServiceP50, Metric::ServerCpu]),
        asked(&[Metric::ServiceP50, Metric::ServerCpu, Metric::ServiceP50RoundTrips]),
    );
    for metric in [Metric::ServiceP50, Metric::ServerCpu] {
        assert!((p(&once, metric) - p(&twice, metric)).abs() < 1e-12, "{metric:?}");
    }
    assert!((p(&twice, Metric::ServiceP50) - p(&twice, Metric::ServiceP50RoundTrips)).abs() < 1e-12);
}

#[test]
fn equal_arms_show_no_change() {
    let arms = [GRANT_LANE, TWIN];
    let result = analyse_as(record(&arms, 2), &scenario(&arms));
    assert_eq!(verdict_of(&result, Metric::ServiceP50).verdict, Verdict::NoChange);
    assert!(result.exact.iter().all(|exact| exact.equal), "{:?}", result.exact);
}

#[test]
fn a_library_that_reads_for_itself_is_no_disagreement() {
    let more = |claims_each: u64| {
        analysed(|record, _| {
            for block in &mut record.blocks {
                *block.counters.calls.get_mut("hget").unwrap() += block.claims;
                block.counters.by_functions.insert("hget".to_owned(), claims_each * block.claims);
            }
        })
    };
    assert!(more(1).valid, "{:?}", more(1).invalid_reasons);
    let of_counters = |fault: &InvalidReason| matches!(fault, InvalidReason::CountersDisagree { .. });
    assert!(more(0).invalid_reasons.iter().any(of_counters), "somebody else's");
}

#[test]
fn what_a_worker_of_its_own_sends_is_what_the_servers_count() {
    let duet = |change: &dyn Fn(&mut CounterBlock)| {
        analysed(|record, _| {
            for arm in &mut record.arms {
                arm.sdk = Some(SdkInfo {
                    source: "0.15.0".into(),
                    version: "0.15.0".into(),
                    commit: None,
                    sha256: "00".into(),
                    compiler: "rustc".into(),
                });
                arm.wire = WireTotals { claims: arm.wire.claims, ..WireTotals::default() };
            }
            record.primaries[0].counters.calls.insert("hget".into(), 1_000_000);
            record.blocks.iter_mut().filter(|block| block.arm == 1).for_each(change);
        })
    };
    let more = duet(&|block| *block.counters.calls.get_mut("hget").unwrap() += block.claims);
    assert!(more.valid, "{:?}", more.invalid_reasons);
    let differing: Vec<_> = more.exact.iter().filter(|one| !one.equal).collect();
    let [hget] = differing.as_slice() else { panic!("{differing:?}") };
    assert_eq!(hget.metric.to_string(), "calls.hget");
    assert!((hget.candidate_value - 3.0).abs() < 1e-9, "{hget:?}");
    assert!(more.exact.iter().all(|one| one.metric.command.is_some()), "round trips nobody sees");
    let server = &more.variants[1].server;
    assert_eq!((server.round_trips_per_claim, server.bytes_in_per_claim), (None, None));
    assert!(server.commands_per_claim.is_empty());
    // Leases that no function gave.
    let fewer = duet(&|block| *block.counters.calls.get_mut("fcall").unwrap() = block.claims - 1);
    let of_counters = |fault: &InvalidReason| matches!(fault, InvalidReason::CountersDisagree { .. });
    assert!(fewer.invalid_reasons.iter().any(of_counters), "{:?}", fewer.invalid_reasons);
}

#[test]
fn an_analysis_can_be_repeated() {
    let first = analysed(|_, _| ());
    let text = serde_json::to_string(&first).unwrap();
    let stored: RunResult = serde_json::from_str(&text).unwrap();
    assert_eq!(analyse(stored.record).unwrap(), first);
}

#[test]
fn p99_needs_five_thousand_claims_per_arm() {
    let result = analysed(|record, _| record.strata.truncate(90));
    let p99 = verdict_of(&result, Metric::ServiceP99);
    assert_eq!(p99.verdict, Verdict::Inconclusive);
    assert_eq!(p99.too_few.as_ref().unwrap().to_string(), "needs at least 5000 claims per arm, has 4500");
    assert!(p99.baseline_value > 0.0);
}

/// So many MOVED met and counted at a server that is in no other figure.
fn redirected(met: u64, counted: u64) -> InjectedRecord {
    let of = |n| [("a:1".to_owned(), [(RedirectKind::Moved, n)].into())].into();
    InjectedRecord { redirects: of(met), redirects_counted: of(counted), ..InjectedRecord::default() }
}

#[test]
fn redirects_that_servers_count_as_they_were_met_are_no_fault() {
    let found = |met, counted, unanswered| {
        let result = analysed(|record, _| {
            record.primaries[0].addr = "a:1".to_owned();
            record.primaries[0].unanswered = unanswered;
            record.injected = Some(redirected(met, counted));
        });
        result.invalid_reasons.iter().any(|fault| matches!(fault, InvalidReason::RedirectsDisagree { .. }))
    };
    assert!(!found(3, 3, 0));
    assert!(!found(3, 4, 1), "its reply was lost");
    assert!(found(3, 5, 1) && found(3, 2, 1));
}

/// Every rule that makes a run invalid, each broken alone.
#[test]
fn each_fault_is_found_and_named() {
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
            r.faults.push(InvalidReason::Infrastructure { detail: "the run's own".into() });
        }),
        ("NothingClaimed { arm: \"hget-lane\", planned: 9 }", |r, _| {
            r.arms[1].outcomes = crate::record::Outcomes { expired: 9, ..Default::default() };
        }),
        ("NothingClaimed { arm: \"hget-lane\", planned: 0 }", |r, _| {
            r.arms[1].outcomes = crate::record::Outcomes::default();
        }),
        ("TooManyFailed { arm: \"hget-lane\", failed: 6500, sent: 12500", |r, _| {
            r.arms[1].outcomes.refused = [("fenced".to_owned(), 6_500)].into();
        }),
        ("Stalled", |r, _| r.longest_gap_s = Some(2.6)),
        ("DamagedHistogram", |r, _| r.arms[0].service.0 = Some("AAAA".into())),
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
        said.iter().any(|fault| matches!(fault, InvalidReason::SharedQueue { .. }))
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

/// A command that was given up before its bytes had left never reached the server.
#[test]
fn servers_may_have_missed_what_had_no_reply_and_not_more() {
    let valid = |unanswered: u64, missing: i64| {
        analysed(|record, _| {
            record.arms[0].outcomes.timed_out = unanswered;
            let counted = record.primaries[0].counters.calls.get_mut("fcall").unwrap();
            *counted = counted.checked_add_signed(-missing).unwrap();
        })
        .invalid_reasons
        .iter()
        .all(|fault| !matches!(fault, InvalidReason::CountersDisagree { .. }))
    };
    assert!(valid(3, 3) && valid(3, 0));
    // A block's claims, or the control's, are in no arm.
    let in_block = |unanswered: u64| {
        let result = analysed(|record, _| {
            record.primaries[0].unanswered = unanswered;
            for counters in [&mut record.primaries[0].counters, &mut record.blocks[0].counters] {
                *counters.calls.get_mut("fcall").unwrap() -= 1;
            }
        });
        result.invalid_reasons.iter().all(|fault| !matches!(fault, InvalidReason::CountersDisagree { .. }))
    };
    assert!(in_block(1) && !in_block(0));
    let ruler = analysed(|record, _| record.rulers_unanswered = 1);
    assert!(ruler.valid && ruler.warnings.contains(&Warning::RulersUnanswered { round_trips: 1 }));
    assert!(!valid(3, 4) && !valid(0, 1) && !valid(3, -1));
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

#[test]
fn a_late_generator_is_measured_against_the_service_level_or_the_median() {
    let histogram = |us: u64| {
        let mut histogram = LatencyHistogram::default();
        histogram.record(Duration::from_micros(us));
        histogram.encode()
    };
    let run = |lag_us: u64, slo: Option<u64>| {
        analysed(|record, scenario| {
            scenario.load.model = Model::Open { rate_per_sec: 1e3, arrivals: Arrivals::Constant };
            scenario.slo =
                slo.map(|ms| Slo { response_p99: Some(Duration::from_millis(ms)), ..Slo::default() });
            record.arms[0].send_lag = histogram(lag_us);
            record.arms[0].response = histogram(1_000);
        })
        .valid
    };
    assert!(run(110, None) && !run(2_000, None));
    assert!(run(400, Some(5)));
    assert!(!run(600, Some(5)));
}

#[test]
fn a_stall_is_warned_of_and_an_open_loop_shows_it_itself() {
    let warned = |gap: Option<f64>, open: bool| {
        let result = analysed(|record, scenario| {
            record.longest_gap_s = gap;
            if open {
                scenario.load.model = Model::Open { rate_per_sec: 1e3, arrivals: Arrivals::Constant };
            }
        });
        assert!(result.valid, "{:?}", result.invalid_reasons);
        result.warnings.iter().any(|warning| matches!(warning, Warning::Stall { .. }))
    };
    assert!(warned(Some(1.2), false));
    assert!(!warned(Some(0.2), false) && !warned(Some(2.6), true) && !warned(None, false));
    // Many short ones are as bad as a long one.
    let stalled_in = |mode: Mode, median_ms: Option<u64>, longest_s: f64, stalled_s: f64| {
        let result = analysed(|record, scenario| {
            (record.longest_gap_s, record.stalled_s) = (Some(longest_s), Some(stalled_s));
            scenario.load.mode = mode;
            if let Some(ms) = median_ms {
                let mut service = LatencyHistogram::default();
                service.record(Duration::from_millis(ms));
                record.arms[0].service = service.encode();
            }
        });
        let warned = result.warnings.iter().any(|warning| matches!(warning, Warning::Stall { .. }));
        let refused =
            result.invalid_reasons.iter().any(|fault| matches!(fault, InvalidReason::Stalled { .. }));
        (warned, refused)
    };
    let stalled = |longest_s, stalled_s| stalled_in(Mode::Staged, None, longest_s, stalled_s);
    assert_eq!(stalled_in(Mode::Staged, Some(20), 0.2, 2.6), (true, true));
    assert_eq!(stalled_in(Mode::Staged, Some(30), 0.2, 2.6), (false, false), "three such claims and a ruler");
    assert_eq!(stalled_in(Mode::Churn, None, 0.2, 2.6), (false, false), "between two scans");
    assert_eq!(stalled(0.2, 0.9), (false, false));
    assert_eq!(stalled(0.2, 1.2), (true, false));
    assert_eq!(stalled(0.2, 2.6), (true, true));
    // Arms with blocks of their own: those are the time in which claims were made, not these and the arms
    // once more.
    let share_of = |apart: bool| {
        let result = analysed(|record, _| {
            record.longest_gap_s = Some(1.0);
            record.strata.iter_mut().for_each(|stratum| stratum.apart = apart);
        });
        let of = |warning: &Warning| match warning {
            Warning::Stall { share, .. } => Some(*share),
            _ => None,
        };
        (1.0 / result.warnings.iter().find_map(of).unwrap(), result.record)
    };
    let (mixed_s, record) = share_of(false);
    let (apart_s, _) = share_of(true);
    let blocks_s: f64 = record.blocks.iter().map(|block| block.duration_s).sum();
    assert!((mixed_s - record.arms[0].active_s - blocks_s).abs() < 1e-6, "{mixed_s}");
    assert!((apart_s - blocks_s).abs() < 1e-6, "{apart_s}");
    // Thousands in flight, each of which waits for those before it.
    let crowd = analysed(|record, _| {
        record.longest_gap_s = Some(2.6);
        let mut service = LatencyHistogram::default();
        service.record(Duration::from_secs(3));
        record.arms[0].service = service.encode();
    });
    assert!(crowd.valid, "{:?}", crowd.invalid_reasons);
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
fn a_stall_counts_where_grants_are_left_to_expire_as_well() {
    let stalled = analysed(|record, scenario| {
        (record.scenario.grant.unconsumed, scenario.grant.unconsumed) = (0.25, 0.25);
        record.longest_gap_s = Some(1_000.0);
    });
    assert!(
        matches!(stalled.invalid_reasons[..], [InvalidReason::Stalled { .. }]),
        "{:?}",
        stalled.invalid_reasons
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
fn some_failures_and_an_interrupted_arm_are_no_fault() {
    let some = analysed(|record, _| record.arms[1].outcomes.failed = 600);
    assert!(some.valid, "{:?}", some.invalid_reasons);
    let strict = analysed(|record, _| {
        record.arms[1].outcomes.failed = 600;
        record.scenario.gate.failed = 0.05;
    });
    assert!(matches!(strict.invalid_reasons[..], [InvalidReason::TooManyFailed { .. }]), "{strict:?}");
    let stopped = analysed(|record, _| {
        record.partial = true;
        record.arms[1].outcomes = crate::record::Outcomes::default();
    });
    assert!(stopped.valid, "{:?}", stopped.invalid_reasons);
}

/// On loopback a tenth of the median claim is less than any timer keeps to.
#[test]
fn without_a_service_level_a_generator_may_be_as_late_as_it_can_help() {
    let late = |lag_us: u64, calibrated: Option<f64>| {
        let result = analysed(|record, scenario| {
            let histogram = |us: u64| {
                let mut histogram = LatencyHistogram::default();
                histogram.record(Duration::from_micros(us));
                histogram.encode()
            };
            scenario.load.model = Model::Open { rate_per_sec: 1e3, arrivals: Arrivals::Constant };
            record.arms[0].send_lag = histogram(lag_us);
            record.arms[0].response = histogram(250);
            record.calibration = calibrated.map(|p99_us| crate::record::CalibrationNote {
                measured: "2026-01-01T00:00:00Z".into(),
                in_flight: 64,
                ceiling_per_sec: 150_000.0,
                client_cpu_us_per_request: 4.2,
                round_trip_overhead_us: None,
                send_lag: Some(crate::record::CalibratedLag { rate_per_sec: 1_000.0, p99_us }),
                disturbed: Vec::new(),
            });
        });
        (result.valid, result.warnings.iter().any(|w| matches!(w, Warning::LateSends { .. })))
    };
    assert_eq!(
        [late(20, None), late(80, None), late(140, None), late(2_000, None)],
        [(true, false), (true, true), (true, true), (false, false)]
    );
    assert_eq!([late(140, Some(120.0)), late(200, Some(120.0))], [(true, true), (false, false)]);
}

#[test]
fn what_a_reader_should_know_is_said() {
    let result = analysed(|record, scenario| {
        record.tool.debug_build = true;
        record.partial = true;
        record.arms[1].outcomes.failed = 7;
        scenario.compare.as_mut().unwrap().metrics.push(Metric::ResponseP99);
    });
    assert!(result.warnings.contains(&Warning::DebugBuild));
    assert!(result.warnings.iter().any(|w| matches!(w, Warning::Errors { errors: 7, .. })));
    let missing = Warning::NotMeasured { metric: "response_p99".into(), arm: "hget-lane".into() };
    for expected in [Warning::Interrupted, missing] {
        assert!(result.warnings.contains(&expected), "{expected:?}: {:?}", result.warnings);
    }
}
