//! What servers counted against what was sent.

use super::tests::analysed;
use crate::record::{
    CounterBlock, InjectedRecord, InvalidReason, RedirectKind, SdkInfo, Warning, WireTotals,
};

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
    let of_counters = |reason: &InvalidReason| matches!(reason, InvalidReason::CountersDisagree { .. });
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
    let of_counters = |reason: &InvalidReason| matches!(reason, InvalidReason::CountersDisagree { .. });
    assert!(fewer.invalid_reasons.iter().any(of_counters), "{:?}", fewer.invalid_reasons);
}

/// So many MOVED met and counted at a server that is in no other figure.
pub(super) fn redirected(met: u64, counted: u64) -> InjectedRecord {
    let of = |n| [("a:1".to_owned(), [(RedirectKind::Moved, n)].into())].into();
    InjectedRecord { redirects: of(met), redirects_counted: of(counted), ..InjectedRecord::default() }
}

#[test]
fn redirects_that_servers_count_as_they_were_met_are_no_reason() {
    let found = |met, counted, unanswered| {
        let result = analysed(|record, _| {
            record.primaries[0].addr = "a:1".to_owned();
            record.primaries[0].unanswered = Some(unanswered);
            record.injected = Some(redirected(met, counted));
        });
        result.invalid_reasons.iter().any(|reason| matches!(reason, InvalidReason::RedirectsDisagree { .. }))
    };
    assert!(!found(3, 3, 0));
    assert!(!found(3, 4, 1), "its reply was lost");
    assert!(found(3, 5, 1) && found(3, 2, 1));
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
        .all(|reason| !matches!(reason, InvalidReason::CountersDisagree { .. }))
    };
    assert!(valid(3, 3) && valid(3, 0));
    // A block's claims, or the control's, are in no arm.
    let in_block = |unanswered: u64| {
        let result = analysed(|record, _| {
            record.primaries[0].unanswered = Some(unanswered);
            for counters in [&mut record.primaries[0].counters, &mut record.blocks[0].counters] {
                *counters.calls.get_mut("fcall").unwrap() -= 1;
            }
        });
        result.invalid_reasons.iter().all(|reason| !matches!(reason, InvalidReason::CountersDisagree { .. }))
    };
    assert!(in_block(1) && !in_block(0));
    // Where each server's own are counted, claims that failed otherwise are no excuse, in blocks neither.
    let failed = |counted: Option<u64>| {
        analysed(|record, _| {
            record.arms[0].outcomes.failed = 3;
            record.primaries[0].unanswered = counted;
            for counters in [&mut record.primaries[0].counters, &mut record.blocks[0].counters] {
                *counters.calls.get_mut("fcall").unwrap() -= 1;
            }
        })
        .invalid_reasons
        .iter()
        .filter(|reason| matches!(reason, InvalidReason::CountersDisagree { .. }))
        .count()
    };
    assert_eq!([failed(Some(0)), failed(Some(1)), failed(None)], [2, 0, 0]);
    let ruler = analysed(|record, _| record.rulers_unanswered = 1);
    assert!(ruler.valid && ruler.warnings.contains(&Warning::RulersUnanswered { round_trips: 1 }));
    assert!(!valid(3, 4) && !valid(0, 1) && !valid(3, -1));
}
