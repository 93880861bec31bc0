//! A run through a fault, made in code.

use std::collections::BTreeMap;
use std::time::Duration;

use super::fixtures::{GRANT_LANE, record, spread};
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
    let mut slices = vec![(0u64, 0u64, LatencyHistogram::default()); (2.0 * WINDOW_S / SLICE_S) as usize];
    let claims = (f64::from(RATE) * WINDOW_S) as u32;
    for n in 0..claims {
        let due_s = f64::from(n) / f64::from(RATE);
        let waits = n % 3 == 0 && due_s >= struck_s && due_s < struck_s + outage_s;
        let usual_s = 300e-6 * (1.0 + 0.1 * f64::from(n % 7));
        let response_s = usual_s + if waits { struck_s + outage_s - due_s } else { 0.0 };
        let slice = |at_s: f64| (at_s / SLICE_S) as usize;
        let (due, done) = (slice(due_s), slice(due_s + response_s));
        slices[due].0 += 1;
        slices[due].2.record(Duration::from_secs_f64(response_s));
        slices[done].1 += 1;
    }
    let slice = |(due, claimed, response): &(u64, u64, LatencyHistogram)| TimeSlice {
        due: *due,
        claimed: *claimed,
        untimed: 0,
        response: response.encode(),
    };
    record.offered = Some(Offered { claims: claims.into(), schedule_s: WINDOW_S });
    record.injected = Some(InjectedRecord {
        faults: vec![pause(struck_s, struck_s + outage_s)],
        slice_s: SLICE_S,
        slices: slices.iter().map(slice).collect(),
        redirects: BTreeMap::new(),
        redirects_counted: BTreeMap::new(),
        redirects_not_counted: BTreeMap::new(),
        unanswered: BTreeMap::new(),
    });
    record
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
/// seconds later, and two claims lost with it.
pub fn killed() -> RunRecord {
    let mut record = outage(10.0, 6.3);
    if let Some(scenario) = Shipped::find("failover").and_then(|shipped| parse("failover", shipped.text).ok())
    {
        record.scenario = scenario.file().clone();
    }
    let arm = &mut record.arms[0];
    arm.outcomes.ambiguous = 3;
    (arm.response, arm.send_lag) = (spread(6_000, 390.0, 3), spread(6_000, 9.0, 4));
    if let Some(injected) = &mut record.injected {
        let fault = &mut injected.faults[0];
        (fault.kind, fault.lasting_s) = (FaultKind::Kill, None);
        (fault.marked_failed_s, fault.took_over_s, fault.ended_s) = (Some(15.1), Some(16.2), Some(16.2));
        fault.heir = Some("127.0.0.1:7004".into());
        fault.retries = [("disconnected", 2_104), ("CLUSTERDOWN", 311), ("timed_out", 5)]
            .map(|(c, n)| (c.into(), n))
            .into();
        (fault.claims_retried, fault.settled) = (1_290, 3);
        fault.outcomes = Outcomes { claimed: 4_990, ambiguous: 3, ..Outcomes::default() };
        fault.doubts = Doubts { claimed: 3, not_claimed: 1_290, open: 0 };
        fault.first_failure_s = Some(10.0);
        injected.redirects_not_counted.insert("127.0.0.1:7004".into(), NotCounted::NoPrimaryBefore);
        injected.redirects.insert("127.0.0.1:7004".into(), [(RedirectKind::Moved, 1)].into());
        injected.redirects.insert("127.0.0.1:7002".into(), [(RedirectKind::Moved, 7)].into());
        record.events = injected.events();
    }
    record.audit.claimed -= 2;
    record.audit.lost_by_server = 2;
    record.audit.lost_by_server_ids = [7, 19]
        .map(|n| format!("{{fp:{n}}}:7265636c: acknowledged claims that are gone: 1, its lease epoch is 1"))
        .to_vec();
    record
}
