//! From separate empty servers to one cluster: slots, introductions, replicas, then waiting until all agree.
//!
//! A primary refuses to serve for its first two seconds (`CLUSTER_WRITABLE_DELAY` in the server); that is
//! most of the time a cluster takes to form.

use std::time::{Duration, Instant};

use super::error::ClusterError;
use crate::valkey::{Info, ValkeyError, Wire, read_topology, text};
use reclaim_analysis::record::SLOTS;

const PAUSE: Duration = Duration::from_millis(20);
const LIMIT: Duration = Duration::from_secs(30);

/// One node of a cluster to be.
pub(super) struct Member {
    /// An administrative connection.
    pub(super) wire: Wire,
    /// Its cluster bus port.
    pub(super) bus_port: u16,
}

/// Makes a cluster of `members`: the first `primaries` share the slots evenly, the rest become their replicas
/// in turn. Returns when every node serves and every replica is in sync.
pub(super) async fn form(members: &[Member], primaries: u16) -> Result<(), ClusterError> {
    let count = usize::from(primaries);
    for (position, member) in members.iter().take(count).enumerate() {
        let first = position * SLOTS / count;
        let last = (position + 1) * SLOTS / count - 1;
        cluster(member, "CLUSTER ADDSLOTSRANGE", &["ADDSLOTSRANGE", &first.to_string(), &last.to_string()])
            .await?;
    }
    for (position, member) in members.iter().enumerate() {
        // Different from the start, so that no node has to settle a collision.
        let epoch = (position + 1).to_string();
        cluster(member, "CLUSTER SET-CONFIG-EPOCH", &["SET-CONFIG-EPOCH", &epoch]).await?;
    }
    for member in &members[1..] {
        let addr = member.wire.addr();
        let (port, bus_port) = (addr.port.to_string(), member.bus_port.to_string());
        cluster(&members[0], "CLUSTER MEET", &["MEET", &addr.host, &port, &bus_port]).await?;
    }
    let deadline = Instant::now() + LIMIT;
    for (position, replica) in members.iter().enumerate().skip(count) {
        let primary = cluster(&members[position % count], "CLUSTER MYID", &["MYID"]).await?;
        replicate(replica, &primary, deadline).await?;
    }
    let replicas = members.len() - count;
    for (position, member) in members.iter().enumerate() {
        loop {
            let missing = missing(member, (count, replicas), position >= count).await?;
            if missing.is_empty() {
                break;
            }
            if Instant::now() > deadline {
                let detail = format!("{}: {}", member.wire.addr(), missing.join(", "));
                return Err(ClusterError::Formation { waited: LIMIT, detail });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(())
}

/// A node can follow a primary only once it has heard of it.
async fn replicate(replica: &Member, primary: &str, deadline: Instant) -> Result<(), ClusterError> {
    loop {
        match cluster(replica, "CLUSTER REPLICATE", &["REPLICATE", primary]).await {
            Err(ValkeyError::Server { .. }) if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
            result => return Ok(result.map(drop)?),
        }
    }
}

/// Whether CLUSTER INFO says that the cluster serves every slot.
pub(super) fn is_well(info: &str) -> bool {
    info.lines().any(|line| line.trim_end() == "cluster_state:ok")
}

/// What `member` still lacks until the cluster is complete from where it stands.
async fn missing(
    member: &Member,
    (primaries, replicas): (usize, usize),
    is_replica: bool,
) -> Result<Vec<&'static str>, ClusterError> {
    let mut missing = Vec::new();
    let state = cluster(member, "CLUSTER INFO", &["INFO"]).await?;
    if !is_well(&state) {
        missing.push("cluster_state is not ok");
    }
    let complete = read_topology(&member.wire).await.is_ok_and(|topology| {
        let known = topology.primaries();
        known.len() == primaries
            && known.iter().map(|primary| primary.replicas as usize).sum::<usize>() == replicas
    });
    if !complete {
        missing.push("it does not know every node");
    }
    if is_replica {
        let info = Info::read(&member.wire, &["replication"]).await?;
        if info.get("role") != Some("slave") || info.get("master_link_status") != Some("up") {
            missing.push("it is not in sync with its primary");
        }
    }
    Ok(missing)
}

async fn cluster(member: &Member, doing: &'static str, arguments: &[&str]) -> Result<String, ValkeyError> {
    text(&member.wire, doing, redis::cmd("CLUSTER").arg(arguments), "cluster").await
}
