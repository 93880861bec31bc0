//! What is asked of the servers once, when they have been reached.

use super::error::ClusterError;
use crate::valkey::{Info, Wire, config};

/// What all primaries have in common.
pub(super) struct ServerFacts {
    pub(super) version: String,
    pub(super) allocator: String,
    pub(super) build_id: Option<String>,
}

impl ServerFacts {
    /// Checks every primary that was reached, and returns what they share.
    pub(super) async fn read(first: &Wire, reached: &[&Wire]) -> Result<Self, ClusterError> {
        let mut found: Option<Self> = None;
        for wire in reached {
            let info = Info::read(wire, &["server", "cluster", "memory"]).await?;
            let version = info.usable_version()?;
            match &found {
                Some(known) if known.version != version => {
                    return Err(ClusterError::MixedVersions(format!(
                        "{} on {}, {version} on {}",
                        known.version,
                        first.addr(),
                        wire.addr()
                    )));
                }
                Some(_) => {}
                None => {
                    let allocator = info.get("mem_allocator").unwrap_or("unknown").to_owned();
                    let build_id = info.get("redis_build_id").map(str::to_owned);
                    found = Some(Self { version: version.to_owned(), allocator, build_id });
                }
            }
        }
        found.ok_or_else(|| ClusterError::Usage("the cluster has no primary".to_owned()))
    }
}

/// `io-threads` as configured; a user without CONFIG sees 1 where the server says that none is active.
pub(super) async fn io_threads(wire: &Wire) -> u32 {
    let setting = config(wire, "io-threads").await.ok();
    if let Some(threads) = setting.and_then(|setting| setting.get("io-threads")?.parse().ok()) {
        return threads;
    }
    let active = match Info::read(wire, &["server"]).await {
        Ok(info) => info.number("io_threads_active").unwrap_or(0),
        Err(_) => 0,
    };
    1 + active
}
