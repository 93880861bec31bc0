//! Whether the servers have room for the population.

use super::error::LoadError;
use super::planning::server_memory_needed;
use crate::cluster::Cluster;
use reclaim_analysis::scenario::Scenario;

const MEGABYTE: u64 = 1_000_000;

/// Refuses a population that is larger than what a primary has left, before the first execution is written.
pub(super) async fn refuse_what_does_not_fit(
    cluster: &Cluster,
    scenario: &Scenario,
    partitions: u16,
) -> Result<(), LoadError> {
    let needed = server_memory_needed(scenario);
    let counts = cluster.topology().partition_counts(partitions);
    for ((addr, room), count) in cluster.room().await?.into_iter().zip(counts) {
        let here = (needed as f64 * f64::from(count) / f64::from(partitions)) as u64;
        if let Some(room) = room.filter(|room| here > *room) {
            return Err(LoadError::DoesNotFit {
                addr,
                executions: scenario.population.executions,
                needed_mb: here / MEGABYTE,
                left_mb: room / MEGABYTE,
            });
        }
    }
    Ok(())
}
