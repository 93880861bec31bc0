//! Whom a fault strikes: a server by its role, as the cluster is a moment before, and slots that are to move.

use std::collections::{BTreeMap, BTreeSet};

use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng, RngExt as _};

use super::injector::{Injector, Struck, flow, refused};
use crate::cluster::SlotMove;
use crate::workload::ExecIndex;
use reclaim_analysis::record::{InjectionFailure, slot_of_tag, stream};
use reclaim_analysis::scenario::{FaultKind, FaultSpec, FaultTarget};

impl Injector<'_> {
    /// The server of the fault's role, as the cluster is now.
    pub(super) async fn find(&self, number: usize, spec: &FaultSpec) -> Result<Struck, InjectionFailure> {
        let cluster = &self.session.first_site().cluster;
        let topology = cluster.topology();
        let counts = self.executions_by_primary();
        let mut rng = stream(self.session.setup.seed, &format!("fault {number}"));
        let place = match spec.target {
            FaultTarget::AnyPrimary | FaultTarget::ReplicaOfAny => rng.random_range(0..counts.len()),
            FaultTarget::BusiestPrimary | FaultTarget::ReplicaOfBusiest => {
                // The first of equals.
                let most = counts.iter().max().copied().unwrap_or_default();
                counts.iter().position(|count| *count == most).unwrap_or_default()
            }
        };
        let primary = topology.primaries()[place].addr.clone();
        let wants_replica = spec.target.is_replica() || spec.kind == FaultKind::Failover;
        let replica = if wants_replica {
            let replicas = cluster.replicas_of(&primary).await.unwrap_or_default();
            if replicas.is_empty() {
                return Err(InjectionFailure::NoSuchServer);
            }
            Some(replicas[rng.random_range(0..replicas.len())].clone())
        } else {
            None
        };
        let (server, partitions) = match &replica {
            Some(replica) if spec.target.is_replica() => (replica.clone(), BTreeSet::new()),
            _ => (primary, self.partitions_of(place)),
        };
        let (moving, partitions) = if spec.kind == FaultKind::MoveSlots {
            let (moving, partitions) = self.moving(spec, place, partitions, &mut rng)?;
            (Some(moving), partitions)
        } else {
            (None, partitions)
        };
        let witness = cluster.witness_of(&server).await;
        Ok(Struck { server, replica, partitions, witness, moving })
    }

    /// The slots that move, as many as the fault says, of those that hold a primary's partitions with executions,
    /// and where they go; with the partitions in them.
    fn moving(
        &self,
        spec: &FaultSpec,
        place: usize,
        partitions: BTreeSet<u16>,
        rng: &mut impl Rng,
    ) -> Result<(SlotMove, BTreeSet<u16>), InjectionFailure> {
        let topology = self.session.first_site().cluster.topology();
        let primaries = topology.primaries();
        let others: Vec<_> = (0..primaries.len()).filter(|other| *other != place).collect();
        let to = *others.choose(rng).ok_or(InjectionFailure::NoSuchServer)?;
        let used = self.executions_by_partition();
        let mut by_slot: BTreeMap<u16, BTreeSet<u16>> = BTreeMap::new();
        for index in partitions.into_iter().filter(|index| used.contains_key(index)) {
            by_slot.entry(slot_of_tag(&flow(index).hash_tag())).or_default().insert(index);
        }
        let mut slots: Vec<u16> = by_slot.keys().copied().collect();
        let wanted = usize::from(spec.slots);
        if slots.len() < wanted {
            let detail = format!(
                "{} has executions in {} slots, and slots = {wanted}",
                primaries[place].addr,
                slots.len()
            );
            return Err(InjectionFailure::Refused { detail });
        }
        slots.shuffle(rng);
        slots.truncate(wanted);
        let partitions = slots.iter().filter_map(|slot| by_slot.remove(slot)).flatten().collect();
        let way =
            self.session.first_site().cluster.way_of_moving(spec.how).map_err(|error| refused(&error))?;
        let addr = |place: usize| primaries[place].addr.clone();
        Ok((SlotMove { from: addr(place), to: addr(to), slots, way }, partitions))
    }

    /// How many of the run's executions live on each primary.
    fn executions_by_primary(&self) -> Vec<u64> {
        let topology = self.session.first_site().cluster.topology();
        let mut counts = vec![0; topology.primaries().len()];
        for (index, executions) in self.executions_by_partition() {
            counts[usize::from(topology.owner_of(flow(index)).0)] += executions;
        }
        counts
    }

    /// The same for each flow partition that has any.
    fn executions_by_partition(&self) -> BTreeMap<u16, u64> {
        let plan = self.session.first_site().workload.plan();
        let mut by_partition: BTreeMap<u16, u64> = BTreeMap::new();
        for number in 0..self.session.scenario().population.executions {
            *by_partition.entry(plan.partition(ExecIndex(number)).index).or_default() += 1;
        }
        by_partition
    }

    fn partitions_of(&self, place: usize) -> BTreeSet<u16> {
        let topology = self.session.first_site().cluster.topology();
        let owned = |index: &u16| usize::from(topology.owner_of(flow(*index)).0) == place;
        (0..self.session.first_site().partitions).filter(owned).collect()
    }
}
