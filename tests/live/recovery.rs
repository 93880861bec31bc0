//! What becomes of claims that are redirected or not answered, on real slots that really move.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ff_core::partition::{Partition, PartitionFamily};
use ff_core::types::LeaseEpoch;
use reclaim_analysis::record::WireCost;
use reclaim_analysis::record::{Outcome, RedirectKind};
use reclaim_analysis::scenario::{Extras, VariantPath, expected_cost};
use reclaim_bench::claim::*;
use reclaim_bench::cluster::Cluster;
use reclaim_bench::flowfabric::{ExecutionKeys, ReadForAudit};
use reclaim_bench::valkey::{NodeAddr, NodeIndex, Wire};

use crate::common::one_claim::{Monitor, PATHS, echo, order, own_address, setup, ticket};
use crate::common::staged::Stage;
use crate::common::support;

/// Routes of a test's own making: a fixed first wire, and what happens on the way to the next one.
struct Detour {
    cluster: Rc<Cluster>,
    wire: RefCell<Wire>,
    used: Cell<u32>,
    on_use: Box<dyn Fn(u32)>,
    on_wire_to: Box<dyn Fn() -> LocalFuture<'static, ()>>,
}

impl Detour {
    fn via(cluster: &Rc<Cluster>, wire: Wire) -> Self {
        Self {
            cluster: cluster.clone(),
            wire: RefCell::new(wire),
            used: Cell::new(0),
            on_use: Box::new(|_| ()),
            on_wire_to: Box::new(|| Box::pin(async {})),
        }
    }
}

impl Routes for Detour {
    fn wire_for(&self, _: Partition) -> Wire {
        self.used.set(self.used.get() + 1);
        (self.on_use)(self.used.get());
        self.wire.borrow().clone()
    }
}

impl Reroutes for Detour {
    fn refresh(&self) -> LocalFuture<'_, ()> {
        Box::pin(async {
            Reroutes::refresh(&*self.cluster).await;
            let truth = self.cluster.wire_for(partition());
            self.wire.replace(truth);
        })
    }

    fn wire_to<'a>(&'a self, addr: &'a NodeAddr) -> LocalFuture<'a, Option<Wire>> {
        Box::pin(async move {
            (self.on_wire_to)().await;
            self.cluster.wire_to(addr).await
        })
    }
}

fn partition() -> Partition {
    Partition { family: PartitionFamily::Flow, index: 41_005 }
}

async fn cluster_command(wire: &Wire, words: &[&str]) {
    let mut cmd = redis::cmd("CLUSTER");
    for word in words {
        cmd.arg(*word);
    }
    wire.call("cluster", &cmd, &mut WireCost::default()).await.unwrap();
}

/// The test's slot, its owner and the other primary: (wire, node id) each.
fn sides(cluster: &Cluster) -> (String, (Wire, String), (Wire, String)) {
    let topology = cluster.topology();
    let slot = reclaim_analysis::record::slot_of_tag(&partition().hash_tag());
    let owner = topology.owner_of_slot(slot);
    let other = topology.nodes().find(|node| *node != owner).unwrap();
    let side = |node: NodeIndex| (cluster.admin(node), topology.primaries()[usize::from(node.0)].id.clone());
    (slot.to_string(), side(owner), side(other))
}

#[tokio::test(flavor = "current_thread")]
async fn a_moved_claim_succeeds_on_the_owner_and_is_counted_as_redirected() {
    let cluster = Rc::new(support::own(2, 0).await);
    let stage = Stage::set(&*cluster, partition().index).await;
    let truth = cluster.topology().owner_of(partition());
    let wrong = cluster.topology().nodes().find(|node| *node != truth).unwrap();
    for path in PATHS {
        let routes = Rc::new(Detour::via(&cluster, cluster.wire(wrong)));
        let variant = claim_path(path, setup(routes.clone(), &stage.wire).await);
        let ticket = ticket(&stage, path).await;
        let order = order(&ticket, &stage.worker);
        let direct = variant.claim(&order).await;
        let moved = Outcome::Redirected(RedirectKind::Moved);
        assert_eq!((&direct.outcome, &direct.lease), (&moved, &None), "{path:?}");
        let receipt = claim_with_recovery(&*variant, &*routes, &order).await;
        assert_eq!(receipt.outcome, moved, "{path:?}");
        assert_eq!(receipt.lease.expect("recovered").lease_id, order.lease_id);
        let clean = expected_cost(path, Extras::default());
        assert_eq!(receipt.cost.round_trips, 1 + clean.round_trips, "{path:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_claim_is_followed_to_the_node_that_imports_its_slot() {
    let cluster = Rc::new(support::own(2, 0).await);
    let stage = Stage::set(&*cluster, partition().index).await;
    let ticket = ticket(&stage, VariantPath::PipelinedLane).await;
    let (slot, (source, source_id), (target, target_id)) = sides(&cluster);
    cluster_command(&target, &["SETSLOT", &slot, "IMPORTING", &source_id]).await;
    cluster_command(&source, &["SETSLOT", &slot, "MIGRATING", &target_id]).await;
    let mut list = redis::cmd("CLUSTER");
    list.arg("GETKEYSINSLOT").arg(&slot).arg(10_000);
    let keys = source.call("cluster", &list, &mut WireCost::default()).await.unwrap();
    let keys: Vec<String> = redis::from_redis_value(keys).unwrap();
    assert!(keys.len() > 5);
    let mut migrate = redis::cmd("MIGRATE");
    migrate.arg(&target.addr().host).arg(target.addr().port).arg("").arg(0).arg(5_000).arg("KEYS").arg(keys);
    source.call("migrate", &migrate, &mut WireCost::default()).await.unwrap();

    // The claim makes keys that do not exist yet, so it can only run once the slot has changed hands: that
    // happens between the redirect and the follow-up, whose ASKING then does no harm.
    let mut routes = Detour::via(&cluster, cluster.wire_for(partition()));
    let hand_over = Rc::new((slot, source.clone(), target.clone(), target_id));
    routes.on_wire_to = Box::new(move || {
        let hand_over = hand_over.clone();
        Box::pin(async move {
            let (slot, source, target, target_id) = &*hand_over;
            for wire in [target, source] {
                cluster_command(wire, &["SETSLOT", slot, "NODE", target_id]).await;
            }
        })
    });
    let routes = Rc::new(routes);
    let mut monitor = Monitor::on(target.addr()).await;
    let variant = claim_path(VariantPath::PipelinedLane, setup(routes.clone(), &stage.wire).await);
    let order = order(&ticket, &stage.worker);
    let receipt = claim_with_recovery(&*variant, &*routes, &order).await;
    assert_eq!(receipt.outcome, Outcome::Redirected(RedirectKind::Ask), "{:?}", receipt.error);
    assert_eq!(receipt.lease.expect("recovered").lease_id, order.lease_id);
    assert_eq!(receipt.error, None);

    echo(&target, "end").await;
    let claiming = ["ASKING", "HGET", "FCALL"];
    let sent: Vec<String> = monitor
        .until("end")
        .await
        .into_iter()
        .filter(|(who, words)| who != "lua" && claiming.contains(&words[0].as_str()))
        .map(|(_, words)| words[0].clone())
        .collect();
    assert_eq!(sent, ["ASKING", "HGET", "ASKING", "HGET", "ASKING", "FCALL"]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_claim_waits_out_a_slot_that_is_half_moved_but_not_for_ever() {
    let cluster = Rc::new(support::own(2, 0).await);
    let stage = Stage::set(&*cluster, partition().index).await;
    let (slot, (source, _), (target, target_id)) = sides(&cluster);
    drop(target);
    let again = Outcome::Redirected(RedirectKind::TryAgain);
    tokio::task::LocalSet::new()
        .run_until(async {
            for ends in [false, true] {
                let ticket = ticket(&stage, VariantPath::FullGrant).await;
                cluster_command(&source, &["SETSLOT", &slot, "MIGRATING", &target_id]).await;
                let mut routes = Detour::via(&cluster, cluster.wire_for(partition()));
                let end = Rc::new((source.clone(), slot.clone()));
                routes.on_use = Box::new(move |used| {
                    let end = end.clone();
                    if ends && used == 2 {
                        tokio::task::spawn_local(async move {
                            cluster_command(&end.0, &["SETSLOT", &end.1, "STABLE"]).await;
                        });
                    }
                });
                let routes = Rc::new(routes);
                let variant = claim_path(VariantPath::FullGrant, setup(routes.clone(), &stage.wire).await);
                let order = order(&ticket, &stage.worker);
                let receipt = claim_with_recovery(&*variant, &*routes, &order).await;
                assert_eq!(
                    (&receipt.outcome, receipt.lease.is_some()),
                    (&again, ends),
                    "{:?}",
                    receipt.error
                );
                assert_eq!(routes.used.get(), receipt.cost.round_trips);
                assert!(ends || routes.used.get() == 6, "one claim and five follow-ups");
                cluster_command(&source, &["SETSLOT", &slot, "STABLE"]).await;
            }
        })
        .await;
}

async fn wire_of_its_own(addr: &NodeAddr, timeout: Duration) -> Wire {
    let client = redis::Client::open(format!("redis://{addr}/?protocol=resp2")).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    Wire::new(addr.clone(), vec![connection], timeout)
}

#[tokio::test(flavor = "current_thread")]
async fn an_unanswered_claim_is_ambiguous_once_it_ran_and_its_lease_is_found() {
    let cluster = Rc::new(support::own(1, 0).await);
    let stage = Stage::set(&*cluster, partition().index).await;
    let hasty = wire_of_its_own(stage.wire.addr(), Duration::from_millis(50)).await;
    let routes = Rc::new(Detour::via(&cluster, hasty));
    let variant = claim_path(VariantPath::FullGrant, setup(routes, &stage.wire).await);
    let ticket = ticket(&stage, VariantPath::FullGrant).await;
    let order = order(&ticket, &stage.worker);
    let client = async |words: &[&str]| {
        let mut cmd = redis::cmd("CLIENT");
        for word in words {
            cmd.arg(*word);
        }
        stage.wire.call("client", &cmd, &mut WireCost::default()).await.unwrap();
    };
    client(&["PAUSE", "3600000", "WRITE"]).await;
    let receipt = variant.claim(&order).await;
    assert_eq!((&receipt.outcome, &receipt.lease), (&Outcome::TimedOut, &None));
    let early = settle_unanswered(&*variant, &*cluster, &order, receipt.clone()).await;
    assert_eq!((early.outcome, early.lease), (Outcome::TimedOut, None), "it has not run");
    client(&["UNPAUSE"]).await;
    let keys = ExecutionKeys::from_id(&ticket.grant.execution_id);
    while stage.ok(&ReadForAudit(&keys)).await.is_some_and(|view| view.lease_id.is_none()) {}
    let settled = settle_unanswered(&*variant, &*cluster, &order, receipt.clone()).await;
    assert_eq!(settled.outcome, Outcome::Ambiguous);
    let lease = settled.lease.expect("the claim took effect");
    assert_eq!((&lease.lease_id, lease.epoch), (&order.lease_id, LeaseEpoch(2)));

    let severed = severed(&stage).await;
    let routes = Detour::via(&cluster, severed);
    let unreadable = settle_unanswered(&*variant, &routes, &order, receipt).await;
    assert_eq!((unreadable.outcome, unreadable.lease), (Outcome::Ambiguous, None), "nobody can tell");
}

/// A connection that the server has closed.
async fn severed(stage: &Stage) -> Wire {
    let wire = wire_of_its_own(stage.wire.addr(), Duration::from_secs(5)).await;
    let addr = own_address(&wire).await;
    let mut kill = redis::cmd("CLIENT");
    kill.arg("KILL").arg("ADDR").arg(addr);
    stage.wire.call("client", &kill, &mut WireCost::default()).await.unwrap();
    wire
}

#[tokio::test(flavor = "current_thread")]
async fn a_claim_that_never_left_stays_failed() {
    let cluster: Rc<Cluster> = Rc::new(support::connect().await);
    let stage = Stage::set(&*cluster, 41_006).await;
    let routes = Rc::new(Detour::via(&cluster, severed(&stage).await));
    let variant = claim_path(VariantPath::GrantLane, setup(routes, &stage.wire).await);
    let ticket = ticket(&stage, VariantPath::GrantLane).await;
    let order = order(&ticket, &stage.worker);
    let receipt = variant.claim(&order).await;
    assert_eq!((&receipt.outcome, &receipt.lease), (&Outcome::Failed, &None), "{:?}", receipt.error);
    let settled = settle_unanswered(&*variant, &*cluster, &order, receipt).await;
    assert_eq!((settled.outcome, settled.lease), (Outcome::Failed, None));
    // The grant is as it was: the same ticket works over a connection that does.
    let sound = claim_path(VariantPath::GrantLane, setup(cluster, &stage.wire).await);
    assert_eq!(sound.claim(&order).await.outcome, Outcome::Claimed);
}
