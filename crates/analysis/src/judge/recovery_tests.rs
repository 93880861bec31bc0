use super::super::recovery_result::Untold;
use super::*;
use crate::judge::fault_fixture::{outage as stalled, pause as fault, restless};

fn only(record: &RunRecord) -> Recovery {
    let mut all = recoveries(record);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn an_outage_is_over_when_claims_that_are_due_are_answered_as_before() {
    for outage_s in [0.55, 2.05, 6.25] {
        let recovery = only(&stalled(8.0, outage_s));
        let recovered_s = recovery.recovered_s.unwrap();
        assert!((outage_s..=outage_s + 0.15).contains(&recovered_s), "{outage_s}: {recovery:?}");
        let waited = outage_s * 500.0 / 3.0;
        assert!((recovery.late.unwrap() as f64 - waited).abs() <= 2.0, "{recovery:?}");
        assert!((recovery.slowest_us.unwrap() / 1e6 / outage_s - 1.0).abs() < 0.01, "{recovery:?}");
        assert!((recovery.first_success_s.unwrap() - outage_s - 0.01).abs() < 1e-9);
    }
}

/// A primary that is cut off from the other servers serves on for a while, and only then nobody does.
#[test]
fn an_outage_that_begins_long_after_its_fault_is_waited_for() {
    let mut record = stalled(11.0, 3.05);
    let struck = |record: &mut RunRecord, ended_s| {
        let fault = &mut record.injected.as_mut().unwrap().faults[0];
        (fault.struck_s, fault.ended_s) = (Some(6.0), Some(ended_s));
    };
    struck(&mut record, 16.0);
    let recovery = only(&record);
    assert!((8.0..=8.2).contains(&recovery.recovered_s.unwrap()), "{recovery:?}");
    assert!((recovery.late.unwrap() as f64 - 3.05 * 500.0 / 3.0).abs() <= 2.0, "{recovery:?}");
    // What comes after its end is not the fault's.
    struck(&mut record, 7.0);
    record.injected.as_mut().unwrap().faults[0].first_success_s = Some(6.01);
    assert_eq!(only(&record).recovered_s, Some(0.0));
}

/// A kill lasts until its replica has taken over, and its fault has no length of its own.
#[test]
fn what_the_next_fault_cut_short_nobody_can_tell_and_the_next_one_has_what_was_left() {
    // Out from 8 to 14 s; at 11 s something else strikes, and is over at once.
    let mut record = stalled(8.0, 6.0);
    let injected = record.injected.as_mut().unwrap();
    injected.faults[0].ended_s = Some(14.0);
    let mut second = fault(11.0, 11.0);
    second.first_success_s = Some(14.01);
    injected.faults.push(second);
    let [first, second] = recoveries(&record).try_into().unwrap();
    assert_eq!((first.recovered_s, first.next_struck_s), (None, Some(3.0)));
    assert_eq!((first.untold(), first.with_earlier), (Some(Untold::NextFault), false));
    assert!((3.0..3.2).contains(&second.recovered_s.unwrap()) && second.with_earlier, "{second:?}");
    let result = crate::judge::analyse(record).unwrap();
    let kept = |bound: u64| -> Vec<_> {
        let bound = std::time::Duration::from_secs(bound);
        crate::judge::recovery_levels(&result, bound).map(|level| (level.kept, level.why)).collect()
    };
    let (next, earlier) = (Some(Untold::NextFault), Some(Untold::EarlierFault));
    assert_eq!(kept(2), [(Some(false), next), (None, earlier)], "out for longer than two seconds");
    assert_eq!(kept(5), [(None, next), (Some(true), None)], "what was left of it took no longer");
    // And one more in the middle of it has no more to answer for.
    let mut three = stalled(8.0, 12.0 - 0.05);
    let faults = &mut three.injected.as_mut().unwrap().faults;
    faults.extend([fault(11.0, 11.0), fault(15.0, 15.0)]);
    let result = crate::judge::analyse(three).unwrap();
    let bound = std::time::Duration::from_secs(2);
    let whys: Vec<_> =
        crate::judge::recovery_levels(&result, bound).map(|level| (level.kept, level.why)).collect();
    assert_eq!(whys, [(Some(false), next), (None, earlier), (None, earlier)]);
    // What nobody noticed until the next fault nobody can call missed.
    let mut close = stalled(11.0, 1.05);
    close.injected.as_mut().unwrap().faults.insert(0, fault(10.7, 10.7));
    let result = crate::judge::analyse(close).unwrap();
    let first = crate::judge::recovery_levels(&result, bound).next().unwrap();
    assert_ne!(first.kept, Some(false), "{first:?}");
    assert!(!result.recoveries[1].with_earlier, "{:?}", result.recoveries);
    // With time enough between them each is told by itself.
    let mut apart = stalled(8.0, 1.05);
    apart.injected.as_mut().unwrap().faults.push(fault(14.0, 14.0));
    assert!(recoveries(&apart).iter().all(|one| one.untold().is_none() && !one.with_earlier));
}

#[test]
fn what_disturbs_nobody_is_over_at_once_and_what_never_ends_never() {
    let calm = only(&stalled(8.0, 0.0));
    assert_eq!((calm.recovered_s, calm.late), (Some(0.0), Some(0)));
    let endless = only(&stalled(8.0, 20.0));
    assert!(endless.before.is_some());
    assert_eq!((endless.p99_back_s, endless.recovered_s), (None, None));
}

/// Replies that were lost are in no response time, and whoever waited for them waited for long.
#[test]
fn claims_without_a_time_are_late_and_nothing_is_as_before_while_there_are_many() {
    let with = |untimed: u64| {
        let mut record = stalled(8.0, 0.0);
        let slices = &mut record.injected.as_mut().unwrap().slices;
        slices[80..90].iter_mut().for_each(|slice| slice.untimed = untimed);
        only(&record)
    };
    assert_eq!((with(0).recovered_s, with(0).late), (Some(0.0), Some(0)));
    let lost = with(2);
    assert!((0.95..1.05).contains(&lost.recovered_s.unwrap()), "{lost:?}");
    assert_eq!((lost.late, lost.rate_back_s), (Some(20), Some(0.0)));
}

#[test]
fn an_outage_within_the_noise_is_not_said_to_be_none() {
    let recovery = only(&restless(8.0, 2.05));
    assert!(recovery.hidden_by_noise, "{recovery:?}");
    assert_eq!((recovery.recovered_s, recovery.late), (None, None));
    assert!(recovery.slowest_us.unwrap() > 1e6);
}

#[test]
fn a_claim_that_the_fault_caught_is_no_noise_of_before() {
    let quiet = only(&stalled(8.05, 2.05));
    let mut record = stalled(8.05, 2.05);
    let injected = record.injected.as_mut().unwrap();
    // It was due at 7.95 s, and answered when the others were.
    injected.slices[79].response = injected.slices[82].response.clone();
    let caught = only(&record);
    assert_eq!(caught.before.unwrap().groups + 1, quiet.before.unwrap().groups);
    assert_eq!(
        (caught.recovered_s, caught.late, caught.hidden_by_noise),
        (quiet.recovered_s, quiet.late, false)
    );
}

#[test]
fn a_fault_at_the_beginning_leaves_nothing_to_compare_with() {
    let early = only(&stalled(0.5, 1.0));
    assert_eq!((early.before, early.recovered_s, early.late), (None, None, None));
    assert!(early.slowest_us.is_some());
}

/// A move that goes on after the last claim was due: all seems as before for most of it, and nobody saw the
/// rest.
#[test]
fn a_fault_that_outlasts_the_load_has_no_recovery_and_all_its_late_claims() {
    let mut record = stalled(8.0, 1.05);
    let struck = |record: &mut RunRecord, ended_s: f64| {
        record.injected.as_mut().unwrap().faults[0].ended_s = Some(ended_s);
    };
    struck(&mut record, 20.0);
    let within = only(&record);
    assert!(within.recovered_s.is_some() && within.outlasted_load_s.is_none(), "{within:?}");
    struck(&mut record, 23.5);
    // And a second disturbance towards the end, which lies behind what would have been called the recovery.
    let injected = record.injected.as_mut().unwrap();
    injected.slices[180].response = injected.slices[82].response.clone();
    let beyond = only(&record);
    assert_eq!((beyond.recovered_s, beyond.p99_back_s, beyond.rate_back_s), (None, None, None));
    assert!((beyond.outlasted_load_s.unwrap() - 3.5).abs() < 1e-9, "{beyond:?}");
    assert!(beyond.late > within.late, "{beyond:?} {within:?}");
    assert!(beyond.seemed_back && !within.seemed_back);
    // One that did not even seem to be back was not.
    let endless = only(&stalled(8.0, 20.0));
    assert!(endless.outlasted_load_s.is_some() && endless.untold().is_none(), "{endless:?}");
}

#[test]
fn what_nobody_noticed_has_no_first_success_and_what_somebody_did_has() {
    let quiet = |change: &dyn Fn(&mut InjectedFault)| {
        let mut record = stalled(8.0, 0.0);
        change(&mut record.injected.as_mut().unwrap().faults[0]);
        only(&record)
    };
    let calm = quiet(&|_| ());
    assert_eq!((calm.nothing_failed, calm.first_success_s), (true, None));
    for noticed in [
        quiet(&|fault| fault.first_failure_s = Some(8.1)),
        quiet(&|fault| fault.retries = [("moved".into(), 1)].into()),
        quiet(&|fault| fault.outcomes.refused = [("execution_not_found".into(), 1)].into()),
        only(&stalled(8.0, 1.05)),
    ] {
        assert!(!noticed.nothing_failed && noticed.first_success_s.is_some(), "{noticed:?}");
    }
}

#[test]
fn of_two_faults_each_has_its_own_time_and_the_same_before() {
    let mut record = stalled(8.0, 1.05);
    let injected = record.injected.as_mut().unwrap();
    injected.faults.push(fault(14.0, 14.0));
    let [first, second] = recoveries(&record).try_into().unwrap();
    assert!(first.recovered_s.unwrap() > 1.0 && first.before == second.before);
    assert_eq!(second.recovered_s, Some(0.0));
    assert_eq!(second.late, Some(0));
}

#[test]
fn a_fault_that_did_not_strike_is_none() {
    let mut record = stalled(8.0, 1.0);
    record.injected.as_mut().unwrap().faults[0].struck_s = None;
    assert_eq!(recoveries(&record), []);
    record.injected = None;
    assert_eq!(recoveries(&record), []);
}
