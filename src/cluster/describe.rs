//! What results say of a cluster: its servers, where they are, its library and its partitions.

use redis::Value;

use super::error::ClusterError;
use super::handle::Cluster;
use crate::flowfabric::LIBRARY_NAME;
use crate::machine::ServersAt;
use crate::valkey::{ask, unexpected};
use reclaim_analysis::record::slot_of_tag;
use reclaim_analysis::record::{LibraryInfo, ValkeyInfo};

impl Cluster {
    /// What all servers run.
    pub(super) fn server_version(&self) -> &str {
        &self.server.version
    }

    /// Where the servers are, for whoever places threads on this machine.
    pub fn servers_at(&self) -> ServersAt {
        match self.server_pids().len() {
            0 if self.info(1).same_machine => ServersAt::Here,
            0 => ServersAt::Elsewhere,
            count => ServersAt::Ours { count },
        }
    }

    /// What results say about the servers, for executions spread over `partitions` flow partitions.
    pub fn info(&self, partitions: u16) -> ValkeyInfo {
        let topology = self.topology();
        let primaries = topology.primaries();
        ValkeyInfo {
            version: self.server.version.clone(),
            allocator: self.server.allocator.clone(),
            io_threads: self.io_threads.get(),
            primaries: primaries.len() as u32,
            replicas: primaries.iter().map(|primary| primary.replicas).sum(),
            provider: self.provider,
            // Servers of our own run here, whatever addresses networks of theirs have.
            same_machine: *self.same_machine.get_or_init(|| {
                self.owned() || primaries.iter().all(|primary| self.connector.is_this_machine(&primary.addr))
            }),
            partitions: u32::from(partitions),
            hottest_share: topology.hottest_share(partitions),
            shared: self.shared().then_some(true),
            build_id: self.server.build_id.clone(),
            tls: Some(self.connector.uses_tls()),
        }
    }

    /// The library that every primary runs.
    pub fn library(&self) -> LibraryInfo {
        LibraryInfo {
            name: LIBRARY_NAME.to_owned(),
            version: self.library_version.borrow().clone(),
            sha256: self.library.borrow().sha256.clone(),
        }
    }

    /// Number of flow partitions as the deployment publishes it in `ff:config:partitions`; `None` where it
    /// does not.
    pub async fn published_partitions(&self) -> Result<Option<u16>, ClusterError> {
        let key = ff_core::keys::global_config_partitions();
        let wire = self.admin(self.topology().owner_of_slot(slot_of_tag(&key)));
        let mut cmd = redis::cmd("HGET");
        cmd.arg(&key).arg("num_flow_partitions");
        let reply = ask(&wire, "HGET ff:config:partitions", &cmd, "hget").await?;
        match &reply {
            Value::Nil => Ok(None),
            Value::BulkString(text) => {
                match std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()) {
                    Some(partitions) if partitions > 0 => Ok(Some(partitions)),
                    _ => Err(unexpected(&wire, "HGET ff:config:partitions", &reply).into()),
                }
            }
            _ => Err(unexpected(&wire, "HGET ff:config:partitions", &reply).into()),
        }
    }
}
