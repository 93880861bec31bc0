//! A run through a fault, made in code.

use std::collections::BTreeMap;
use std::time::Duration;

use super::fixtures::{GRANT_LANE, claim_each, record, spread};
use crate::record::{
    Doubts, InjectedFault, InjectedRecord, LatencyHistogram, NotCounted, Offered, Outcomes, RedirectKind,
    RunRecord, TimeSlice,
};
use crate::scenario::{FaultKind, FaultTarget, Shipped, parse};

const RATE: u32 = 500;
const WINDOW_S: f64 = 20.0;
const SLICE_S: f64 = 0.1;

/// 500 claims per second for twenty seconds; the server of every third one answers nothing for a time, and
/// then works off what has come together.
pub fn outage(struck_s: f64, outage_s: f64) -> RunRecord {
    let mut record = record(&[GRANT_LANE], 1);
    record.offered = Some(Offered { claims: offered().into(), schedule_s: WINDOW_S });
    record.injected = Some(InjectedRecord {
        faults: vec![pause(struck_s, struck_s + outage_s)],
        slice_s: SLICE_S,
        slices: slices(struck_s, outage_s, 0),
        redirects: BTreeMap::new(),
        redirects_counted: BTreeMap::new(),
        redirects_not_counted: BTreeMap::new(),
        unanswered: BTreeMap::new(),
    });
    record
}

fn offered() -> u32 {
    (f64::from(RATE) * WINDOW_S) as u32
}

/// The window of an outage in slices, if so many of the claims that wait never get a reply.
fn slices(struck_s: f64, outage_s: f64, mut lost: u64) -> Vec<TimeSlice> {
    let empty = (TimeSlice::default(), LatencyHistogram::default());
    let mut slices = vec![empty; (2.0 * WINDOW_S / SLICE_S) as usize];
    for n in 0..offered() {
        let due_s = f64::from(n) / f64::from(RATE);
        let waits = n % 3 == 0 && due_s >= struck_s && due_s < struck_s + outage_s;
        let usual_s = 300e-6 * (1.0 + 0.1 * f64::from(n % 7));
        let response_s = usual_s + if waits { struck_s + outage_s - due_s } else { 0.0 };
        let slice = |at_s: f64| (at_s / SLICE_S) as usize;
        let (due, done) = (slice(due_s), slice(due_s + response_s));
        slices[due].0.due += 1;
        if waits && lost > 0 {
            lost -= 1;
            slices[due].0.untimed += 1;
            continue;
        }
        slices[due].1.record(Duration::from_secs_f64(response_s));
        slices[done].0.claimed += 1;
    }
    slices.into_iter().map(|(slice, response)| TimeSlice { response: response.encode(), ..slice }).collect()
}

/// The same, and so restless before that the outage is within its noise: every third part is as slow, with
/// next to no claims.
pub fn restless(struck_s: f64, outage_s: f64) -> RunRecord {
    let mut record = outage(struck_s, outage_s);
    let injected = record.injected.as_mut().expect("there is a fault in it");
    let before = (struck_s / injected.slice_s) as usize;
    let slow = injected.slices[before + 2].response.clone();
    for slice in injected.slices[..before].iter_mut().step_by(3) {
        (slice.claimed, slice.response) = (0, slow.clone());
    }
    record
}

/// A pause that nothing followed from.
pub fn pause(struck_s: f64, ended_s: f64) -> InjectedFault {
    InjectedFault {
        kind: FaultKind::Pause,
        target: FaultTarget::BusiestPrimary,
        wanted_s: struck_s,
        lasting_s: Some(ended_s - struck_s),
        cut_from: None,
        server: Some("127.0.0.1:7001".into()),
        struck_s: Some(struck_s),
        ended_s: Some(ended_s),
        failure: None,
        marked_failed_s: None,
        took_over_s: None,
        heir: None,
        emptied: false,
        moved: None,
        first_success_s: Some(ended_s + 0.01),
        first_failure_s: None,
        retries: BTreeMap::new(),
        claims_retried: 0,
        outcomes: Outcomes::default(),
        settled: 0,
        doubts: Doubts::default(),
        left_out: 0,
    }
}

/// The shipped scenario `failover` as it might go: a primary killed after ten seconds, its replica there six
/// seconds later, and two claims lost with it. Three claims never had a reply and hold their leases.
pub fn killed() -> RunRecord {
    const LOST: u64 = 3;
    let mut record = outage(10.0, 6.3);
    if let Some(scenario) = Shipped::find("failover").and_then(|shipped| parse("failover", shipped.text).ok())
    {
        record.scenario = scenario.file().clone();
    }
    let claimed = u64::from(offered()) - LOST;
    claim_each(&mut record, &[GRANT_LANE], claimed);
    record.duration_s = WINDOW_S + 2.5;
    let arm = &mut record.arms[0];
    (arm.outcomes.ambiguous, arm.active_s) = (LOST, WINDOW_S);
    (arm.service, arm.send_lag) = (spread(claimed, 200.0, 3), spread(claimed, 9.0, 4));
    if let Some(injected) = &mut record.injected {
        injected.slices = slices(10.0, 6.3, LOST);
        let mut response = LatencyHistogram::default();
        injected.slices.iter().for_each(|slice| response.add(&slice.response).unwrap());
        arm.response = response.encode();
        let fault = &mut injected.faults[0];
        (fault.kind, fault.lasting_s) = (FaultKind::Kill, None);
        (fault.marked_failed_s, fault.took_over_s, fault.ended_s) = (Some(15.1), Some(16.2), Some(16.2));
        fault.heir = Some("127.0.0.1:7004".into());
        fault.retries = [("disconnected", 2_104), ("CLUSTERDOWN", 311), ("timed_out", 5)]
            .map(|(c, n)| (c.into(), n))
            .into();
        (fault.claims_retried, fault.settled) = (1_290, LOST);
        let claimed = u64::from(offered()) / 2 - LOST;
        fault.outcomes = Outcomes { claimed, ambiguous: LOST, ..Outcomes::default() };
        fault.doubts = Doubts { claimed: LOST, not_claimed: 1_290, open: 0 };
        fault.first_failure_s = Some(10.0);
        injected.redirects_not_counted.insert("127.0.0.1:7004".into(), NotCounted::NoPrimaryBefore);
        injected.redirects.insert("127.0.0.1:7004".into(), [(RedirectKind::Moved, 1)].into());
        injected.redirects.insert("127.0.0.1:7002".into(), [(RedirectKind::Moved, 7)].into());
        record.events = injected.events();
    }
    record.audit.grants_issued += LOST;
    record.audit.claimed += LOST - 2;
    record.audit.lost_by_server = 2;
    record.audit.lost_by_server_ids = [7, 19]
        .map(|n| format!("{{fp:{n}}}:7265636c: acknowledged claims that are gone: 1, its lease epoch is 1"))
        .to_vec();
    record
}
