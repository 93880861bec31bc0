//! How much a primary may still hold.

use futures_util::future::try_join_all;

use super::error::ClusterError;
use super::handle::Cluster;
use crate::valkey::{Info, NodeAddr};

impl Cluster {
    /// Bytes that each primary may take beyond what it holds (`maxmemory`), in the order of the topology;
    /// `None` for one without a limit.
    pub async fn room(&self) -> Result<Vec<(NodeAddr, Option<u64>)>, ClusterError> {
        let links = self.links();
        let read = links.iter().map(async |link| {
            let info = Info::read(&link.admin, &["memory"]).await?;
            let limit: u64 = info.number("maxmemory")?;
            let left = limit.saturating_sub(info.number("used_memory")?);
            Ok((link.admin.addr().clone(), (limit > 0).then_some(left)))
        });
        try_join_all(read).await
    }
}
