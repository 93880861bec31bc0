//! Slots that move under load, on servers of our own and on others'.

use std::rc::Rc;

use reclaim_analysis::record::{RedirectKind, SlotMoveWay, Warning};

use super::{alive, assert_accounted, only, scenario};
use crate::common::one_run::run;
use crate::common::support;

/// Slots move under load, in both ways: nothing is lost, and redirects are counted as the servers count them.
#[tokio::test(flavor = "current_thread")]
async fn slots_that_move_under_load_lose_nothing_and_redirects_agree_with_the_servers() {
    for (how, way, seed) in [("atomic", SlotMoveWay::Atomic, 8), ("one-by-one", SlotMoveWay::OneByOne, 9)] {
        let cluster = Rc::new(support::own(3, 1).await);
        let fault = format!("at = \"3s\"\nmove_slots = \"busiest primary\"\nslots = 4\nhow = \"{how}\"\n");
        let result = run(&cluster, &scenario("staged", (600, 7), &fault), seed).await;
        let (fault, recovery) = only(&result);
        assert_accounted(&result);
        let moved = fault.moved.as_ref().unwrap();
        assert_eq!((moved.way, moved.slots.len()), (way, 4), "{moved:?}");
        assert!(moved.keys > 0 && Some(&moved.to) != fault.server.as_ref(), "{moved:?}");
        assert!(recovery.first_success_s.is_some(), "{recovery:?}");
        let injected = result.record.injected.as_ref().unwrap();
        let met = injected.redirects.get(fault.server.as_ref().unwrap()).cloned().unwrap_or_default();
        // On a machine that is full the move may go on after the last claim, which is said.
        let outlasted =
            |warning: &Warning| matches!(warning, Warning::FaultOutlastedLoad { by_s, .. } if *by_s > 0.0);
        let moved_on = met.get(&RedirectKind::Moved).is_some_and(|n| *n > 0);
        assert!(moved_on || result.warnings.iter().any(outlasted), "{injected:?}");
        for (server, counted) in &injected.redirects_counted {
            assert_eq!(injected.redirects.get(server).cloned().unwrap_or_default(), *counted, "{server}");
        }
        assert_eq!(injected.redirects_counted.len(), 3);
        let audit = &result.record.audit;
        assert_eq!((audit.lost_by_server, audit.rolled_back), (0, 0), "{audit:?}");
        let topology = cluster.topology();
        for slot in &moved.slots {
            let owner = &topology.primaries()[usize::from(topology.owner_of_slot(*slot).0)].addr;
            assert_eq!(owner.to_string(), moved.to);
        }
        assert_eq!(alive(&cluster), 6);
    }
}

/// Interruptions, scanners and claims all follow slots that move one by one.
#[tokio::test(flavor = "current_thread")]
async fn in_churn_everything_goes_on_while_slots_move() {
    let cluster = Rc::new(support::own(3, 0).await);
    let fault = "at = \"3s\"\nmove_slots = \"busiest primary\"\nslots = 4\nhow = \"one-by-one\"\n";
    let text = scenario("churn", (150, 9), fault).replace("replicas = 1", "replicas = 0");
    let result = run(&cluster, &text, 18).await;
    let (fault, _) = only(&result);
    let (audit, outcomes) = (&result.record.audit, &result.variants[0].outcomes);
    let sum = audit.claimed + audit.expired + audit.outstanding;
    assert_eq!((audit.grants_issued, audit.double_claims, audit.lost), (sum, 0, 0), "{audit:?}");
    assert_eq!(
        (audit.lost_by_server, audit.rolled_back, outcomes.errors()),
        (0, 0, 0),
        "{audit:?} {outcomes:?}"
    );
    assert_eq!(fault.moved.as_ref().unwrap().slots.len(), 4);
    let injected = result.record.injected.as_ref().unwrap();
    for (server, counted) in &injected.redirects_counted {
        assert_eq!(injected.redirects.get(server).cloned().unwrap_or_default(), *counted, "{server}");
    }
    let after: u64 = result.record.timeline.iter().filter(|point| point.t_s > 7.0).map(|p| p.claimed).sum();
    assert!(after > 0, "claims go on: {:?}", result.record.timeline);
}

/// On servers that are somebody else's slots move by commands alone, and what the run wrote is removed from
/// where it is now.
#[tokio::test(flavor = "current_thread")]
async fn slots_of_a_cluster_elsewhere_move_and_nothing_is_left_on_either_side() {
    let own = support::own(3, 0).await;
    let request = reclaim_bench::cluster::ClusterRequest {
        provider: reclaim_analysis::scenario::Provider::External,
        nodes: own.topology().primaries().iter().map(|primary| primary.addr.clone()).collect(),
        ..Default::default()
    };
    let cluster = Rc::new(support::open(&request).await);
    let fault = "at = \"2s\"\nmove_slots = \"any primary\"\nslots = 3\n";
    let text = scenario("staged", (200, 5), fault).replace("replicas = 1", "replicas = 0");
    let result = run(&cluster, &text, 19).await;
    let (fault, _) = only(&result);
    assert_accounted(&result);
    assert_eq!(fault.moved.as_ref().unwrap().slots.len(), 3);
    assert_eq!(crate::common::one_run::keys(&cluster).await, 0);
}
