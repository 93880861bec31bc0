use super::*;
use crate::judge::analyse;
use crate::judge::fault_fixture::outage;
use crate::record::{Doubts, NotCounted, RedirectKind, RunRecord, Warning};

/// A run with one fault of this kind.
fn with(change: impl FnOnce(&mut InjectedRecord)) -> RunRecord {
    let mut record = outage(8.0, 1.0);
    change(record.injected.as_mut().unwrap());
    record
}

fn said(record: RunRecord) -> String {
    let result = analyse(record).unwrap();
    format!("{}\n{:?}", answer(&result).unwrap(), blocks(&result))
}

#[test]
fn slots_that_moved_are_told_with_their_keys_and_redirects_beside_what_servers_count() {
    let moving = |injected: &mut InjectedRecord| {
        let fault = &mut injected.faults[0];
        (fault.kind, fault.lasting_s) = (FaultKind::MoveSlots, None);
        fault.moved = Some(MovedSlots {
            way: SlotMoveWay::OneByOne,
            to: "127.0.0.1:7002".into(),
            slots: vec![3, 9],
            keys: 1_234,
        });
        let counts = |n| [("127.0.0.1:7001".to_owned(), [(RedirectKind::Ask, n)].into())].into();
        (injected.redirects, injected.redirects_counted) = (counts(11), counts(12));
    };
    let text = said(with(moving));
    for words in [
        "Move of slots from 127.0.0.1:7001: 2 slots were at 127.0.0.1:7002 after 1.00 s",
        "2 slots with 1,234 keys, one by one",
        "\"ASK\", \"11\", \"12\"",
    ] {
        assert!(text.contains(words), "no {words} in {text}");
    }
    // Results of before do not know what servers counted.
    let before = said(with(|injected| {
        moving(injected);
        injected.redirects_counted.clear();
    }));
    assert!(before.contains("\"ASK\", \"11\"]") && !before.contains("counted"), "{before}");
}

#[test]
fn from_whom_a_server_was_cut_off_is_told_and_what_that_cost() {
    let cut = |from, heir: Option<&str>| {
        said(with(|injected| {
            let fault = &mut injected.faults[0];
            (fault.kind, fault.cut_from) = (FaultKind::Partition, Some(from));
            fault.heir = heir.map(str::to_owned);
        }))
    };
    let everybody = cut(CutFrom::Everybody, Some("127.0.0.1:7002"));
    assert!(everybody.contains("Partition of 127.0.0.1:7001"), "{everybody}");
    assert!(everybody.contains("cut off from clients and servers alike"), "{everybody}");
    let servers = cut(CutFrom::Servers, Some("127.0.0.1:7002"));
    assert!(servers.contains("until it noticed is not on 127.0.0.1:7002"), "{servers}");
    let short = cut(CutFrom::Servers, None);
    assert!(short.contains("reached it all the time.") && !short.contains("noticed"), "{short}");
}

#[test]
fn a_server_that_came_back_empty_is_named_and_one_that_did_not_is_not() {
    let restarted = |emptied| {
        said(with(|injected| {
            (injected.faults[0].kind, injected.faults[0].emptied) = (FaultKind::Restart, emptied);
        }))
    };
    assert!(restarted(true).contains("127.0.0.1:7001 came back EMPTY"));
    assert!(!restarted(false).contains("EMPTY") && restarted(false).contains("Restart of 127.0.0.1:7001"));
}

#[test]
fn a_fault_that_outlasts_the_load_is_said_with_what_to_do() {
    let outlasting = |kind| {
        said(with(|injected| {
            (injected.faults[0].kind, injected.faults[0].ended_s) = (kind, Some(23.5));
        }))
    };
    let moved = outlasting(FaultKind::MoveSlots);
    for words in ["the load had ended 3.50 s before it was over", "\"at least "] {
        assert!(moved.contains(words), "no {words} in {moved}");
    }
    assert!(!moved.contains("as before after"), "{moved}");
    let record = with(|injected| injected.faults[0].ended_s = Some(23.5));
    let warned = analyse(record).unwrap().warnings;
    let of_it = |warning: &&Warning| matches!(warning, Warning::FaultOutlastedLoad { number: 0, .. });
    assert_eq!(warned.iter().filter(of_it).count(), 1, "{warned:?}");
    assert!(analyse(with(|_| ())).unwrap().warnings.iter().find(of_it).is_none());
    for (kind, remedy) in [(FaultKind::MoveSlots, "fewer slots"), (FaultKind::Pause, "last for less (for)")] {
        let text = outlasted_load(kind, 3.5);
        assert!(text.contains(remedy) && text.contains("load.duration"), "{text}");
    }
}

#[test]
fn what_became_of_claims_without_a_reply_is_told() {
    let doubts = Doubts { claimed: 4, not_claimed: 31, open: 2 };
    let text = said(with(|injected| injected.faults[0].doubts = doubts));
    for words in ["read to hold their lease\", \"4\"", "taken it\", \"31\"", "audit could tell\", \"2\""] {
        assert!(text.contains(words), "no {words} in {text}");
    }
}

#[test]
fn late_claims_say_whether_those_without_a_time_are_among_them() {
    let some = said(with(|injected| injected.slices[85].untimed = 2));
    let why = "for its reply was lost, or a server refused it or sent it elsewhere.";
    assert!(some.contains(&format!("Late is what lies beyond, and what has no time, {why}")), "{some}");
    assert!(said(with(|_| ())).contains("Late is what lies beyond."), "all have a time");
}

#[test]
fn a_fault_that_nobody_noticed_has_no_first_success() {
    let mut record = outage(8.0, 0.0);
    record.injected.as_mut().unwrap().faults[0].kind = FaultKind::Restart;
    assert!(said(record).contains("\"nothing failed\""));
    assert!(!said(with(|_| ())).contains("nothing failed"));
}

#[test]
fn a_busy_script_is_told_with_its_two_clocks() {
    let busy = said(with(|injected| {
        let fault = &mut injected.faults[0];
        (fault.kind, fault.lasting_s) = (FaultKind::Busy, Some(0.7));
    }));
    assert!(busy.contains("used 700.0 ms of CPU") && busy.contains("held everybody up for 1.00 s"), "{busy}");
}

#[test]
fn redirects_that_nobody_could_compare_are_named_with_the_reason() {
    let text = said(with(|injected| {
        injected.redirects_not_counted = [
            ("127.0.0.1:7001", NotCounted::Silent),
            ("127.0.0.1:7002", NotCounted::Restarted),
            ("127.0.0.1:7004", NotCounted::NoPrimaryBefore),
        ]
        .map(|(server, why)| (server.to_owned(), why))
        .into();
    }));
    for words in
        ["7001 did not answer", "7002 was started again", "7004 was no primary when the window began"]
    {
        assert!(text.contains(words), "no {words} in {text}");
    }
}
