//! Which server a binary is, by its own words, and what a running one says of itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use futures_util::future::try_join_all;
use sha2::{Digest as _, Sha256};

use super::error::ClusterError;
use super::handle::Cluster;
use super::started::Started;
use crate::valkey::{Info, config};
use reclaim_analysis::record::{ServerReading, StartedServer};

impl Cluster {
    /// What its servers were started from, for another generator of the run that joins them.
    pub fn started_from(&self) -> Option<Started> {
        self.started.clone()
    }

    /// What its servers were started from, and with which settings; `None` for servers that no file on this
    /// machine was started for.
    pub fn started_server(&self) -> Result<Option<StartedServer>, ClusterError> {
        let Some(started) = &self.started else { return Ok(None) };
        let failed = |detail: String| ClusterError::ServerStart { binary: started.binary.clone(), detail };
        let program =
            std::fs::read(&started.binary).map_err(|error| failed(format!("cannot read it: {error}")))?;
        let said = Command::new(&started.binary)
            .arg("--version")
            .output()
            .map_err(|error| failed(format!("cannot ask for its version: {error}")))?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let of =
            |key: &str| said.split_whitespace().find_map(|word| word.strip_prefix(key)).map(str::to_owned);
        let told = of("v=").zip(of("malloc="));
        let (version, allocator) =
            told.ok_or_else(|| failed(format!("--version says `{}`, which names no version", said.trim())))?;
        Ok(Some(StartedServer {
            path: shown(&started.binary),
            sha256: format!("{:x}", Sha256::digest(&program)),
            version,
            allocator,
            build: of("build="),
            config: started.config.clone(),
            replicas: started.replicas,
        }))
    }

    /// What each primary says of itself now, and of the settings that it was started with.
    pub async fn readings(&self) -> Result<Vec<ServerReading>, ClusterError> {
        let names: Vec<String> =
            self.started.iter().flat_map(|started| started.config.keys().cloned()).collect();
        let links = self.links();
        let read = links.iter().map(async |link| {
            let info = Info::read(&link.admin, &["server", "cluster", "memory"]).await?;
            let mut settings = BTreeMap::new();
            for name in &names {
                // One that this server does not know is missing in its answer.
                settings.extend(config(&link.admin, name).await?);
            }
            settings.retain(|name, _| names.contains(name));
            Ok(ServerReading {
                addr: link.admin.addr().to_string(),
                version: info.usable_version()?.to_owned(),
                allocator: info.get("mem_allocator").unwrap_or("unknown").to_owned(),
                config: settings,
            })
        });
        try_join_all(read).await
    }
}

fn shown(binary: &Path) -> String {
    binary.display().to_string()
}
