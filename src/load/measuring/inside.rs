//! What the instrumented library of an arm has counted, read outside of windows.

use ff_core::partition::{Partition, PartitionFamily};

use super::super::error::LoadError;
use super::super::session::Session;
use super::super::site::alias;
use crate::flowfabric::{LibraryAlias, ReadInside, Request as _, do_nothing};
use crate::valkey::Wire;
use reclaim_analysis::record::{CommandSums, Inside, WireCost};

/// Calls that do nothing, of each primary at each reading: one by one, as claims come.
const EMPTY_CALLS: u64 = 60;

/// The sums of an arm's library on all primaries, under the names that FlowFabric gives; `None` for an arm
/// whose library is a plain one.
pub(super) async fn read(session: &Session<'_>, arm: u8) -> Result<Option<Inside>, LoadError> {
    let arm = usize::from(arm);
    if !session.scenario().variants[arm].instrumented {
        return Ok(None);
    }
    let alias = alias(session.scenario(), arm);
    let mut all = Inside::default();
    for node in session.first_site().cluster.topology().nodes() {
        let wire = session.first_site().cluster.admin(node);
        let command = ReadInside.command_of(alias);
        let reply = wire.call(ReadInside::COMMAND, &command, &mut WireCost::default()).await;
        let of_node = reply.map_err(Into::into).and_then(|reply| Ok(ReadInside::parse(&reply)?));
        all.add(&of_node.map_err(LoadError::Inside)?);
    }
    all.functions = all.functions.into_iter().map(|(name, sums)| (alias.published(&name), sums)).collect();
    all.entering = entering(session, arm, alias).await?;
    Ok(Some(all))
}

/// What the servers take around a function that does nothing.
async fn entering(session: &Session<'_>, arm: usize, alias: LibraryAlias) -> Result<CommandSums, LoadError> {
    let words = session.scenario().variants[arm].path.function_words();
    let topology = session.first_site().cluster.topology();
    let fcall_us = async || -> Result<u64, LoadError> {
        Ok(session.first_site().cluster.counters().await?.iter().map(|counters| counters.fcall_us).sum())
    };
    let before = fcall_us().await?;
    let mut calls = 0;
    for node in topology.nodes() {
        let mut partitions = (0..session.first_site().partitions)
            .map(|index| Partition { family: PartitionFamily::Execution, index });
        // A primary without a partition has no claims either.
        let Some(own) = partitions.find(|partition| topology.owner_of(*partition) == node) else { continue };
        call_nothing(&session.first_site().cluster.admin(node), &do_nothing(alias, &own.hash_tag(), words))
            .await?;
        calls += EMPTY_CALLS;
    }
    Ok(CommandSums { calls, us: fcall_us().await?.saturating_sub(before) })
}

async fn call_nothing(wire: &Wire, command: &redis::Cmd) -> Result<(), LoadError> {
    for _ in 0..EMPTY_CALLS {
        let reply = wire.call(ReadInside::COMMAND, command, &mut WireCost::default()).await;
        reply.map_err(|error| LoadError::Inside(error.into()))?;
    }
    Ok(())
}
