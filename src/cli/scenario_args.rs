//! Options that say which scenario, and what to change in it.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use clap::Args;

use super::changes::Changes;
use crate::claim::{SDK_BUILT, SdkError};
use crate::cluster::{Library, for_servers};
use crate::load::{memory_needed, read_trace, server_memory_needed};
use crate::machine::{memory_left, read_text};
use reclaim_analysis::scenario::{
    Arrivals, Draft, HumanDuration, Model, Override, SHIPPED, Scenario, ServerOption, Shipped, did_you_mean,
};

/// Changes to the scenario.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Scenario")]
pub struct ScenarioArgs {
    /// Set any key of the scenario; may be given again
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Open loop at this many claims per second
    #[arg(long, value_name = "PER_SECOND", conflicts_with = "concurrency")]
    pub rate: Option<f64>,
    /// Closed loop with this many claims in flight
    #[arg(long, value_name = "N")]
    pub concurrency: Option<u32>,
    /// Connections to each primary
    #[arg(long, value_name = "N")]
    pub connections: Option<u16>,
    /// Length of the window in time, e.g. 30s
    #[arg(long, value_name = "TIME", conflicts_with = "claims", value_parser = duration)]
    pub duration: Option<HumanDuration>,
    /// Claims before the window that are not recorded
    #[arg(long, value_name = "N")]
    pub warmup: Option<u64>,
    /// Length of the window in claims
    #[arg(long, value_name = "N")]
    pub claims: Option<u64>,
}

impl ScenarioArgs {
    /// The options as changes to the file, `--set` last. An option that decides between two keys takes the
    /// other out.
    pub fn overrides(&self) -> anyhow::Result<Vec<Override>> {
        let mut changes = Changes::default();
        if let Some(rate) = self.rate {
            changes.drop("load.concurrency");
            changes.set("--rate", &rate.to_string(), "load.model", "open".into());
            changes.plain("--rate", "load.rate", &rate);
        }
        if let Some(concurrency) = self.concurrency {
            changes.drop("load.rate");
            changes.drop("load.arrivals");
            changes.set("--concurrency", &concurrency.to_string(), "load.model", "closed".into());
            changes.plain("--concurrency", "load.concurrency", &concurrency);
        }
        if self.duration.is_some() {
            changes.drop("load.claims");
        }
        if self.claims.is_some() {
            changes.drop("load.duration");
        }
        changes.option("--connections", "load.connections", self.connections.as_ref());
        changes.option("--duration", "load.duration", self.duration.as_ref());
        changes.option("--warmup", "load.warmup", self.warmup.as_ref());
        changes.option("--claims", "load.claims", self.claims.as_ref());
        for assignment in &self.set {
            let Some((key, value)) = assignment.split_once('=') else {
                bail!("--set {assignment}: no `=` in it; write it like --set load.concurrency=64");
            };
            changes.set("--set", assignment, key.trim(), value.trim().to_owned());
        }
        Ok(changes.into())
    }
}

/// The two sides of a library duet.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Function library")]
pub struct LibraryArgs {
    /// What the baseline runs: `published`, a file, or <REV>:<PATH> to read it with git
    #[arg(long, value_name = "LIBRARY")]
    pub base_library: Option<String>,
    /// What is compared with it: the library of every arm but the baseline
    #[arg(long, value_name = "LIBRARY")]
    pub candidate_library: Option<String>,
}

/// The two sides of a server duet.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Server duet")]
pub struct ServerArgs {
    /// valkey-server of the baseline, on a cluster of its own; `default` for the one that a run has anyway
    #[arg(long, value_name = "PATH")]
    pub base_server: Option<String>,
    /// valkey-server of every arm but the baseline, on clusters of their own
    #[arg(long, value_name = "PATH")]
    pub candidate_server: Option<String>,
    /// Setting of the baseline's servers, as in valkey.conf; may be given again
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    pub base_config: Vec<(String, String)>,
    /// Setting of the servers of every arm but the baseline; may be given again
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    pub candidate_config: Vec<(String, String)>,
}

impl ServerArgs {
    /// What they say of the baseline's server, and of the others'.
    pub fn sides(&self) -> [ServerOption; 2] {
        [(&self.base_server, &self.base_config), (&self.candidate_server, &self.candidate_config)]
            .map(|(path, config)| ServerOption { path: path.clone(), config: config.clone() })
    }
}

fn setting(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').ok_or("no `=` in it; write it like appendonly=yes")?;
    Ok((parts.0.trim().to_owned(), parts.1.trim().to_owned()))
}

/// The two sides of an SDK duet.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "FlowFabric's SDK")]
pub struct SdkArgs {
    /// What the baseline's worker is built against: a version, the directory of the crate ff-sdk, or
    /// <REV>:<PATH> to read it with git [scenario sdk-duet: 0.15.0]
    #[arg(long, value_name = "SDK")]
    pub base_sdk: Option<String>,
    /// What is compared with it: the SDK of every arm but the baseline
    #[arg(long, value_name = "SDK")]
    pub candidate_sdk: Option<String>,
}

/// A scenario by its shipped name or by path, with the changes that options make; not checked yet.
pub fn draft(wanted: &str, overrides: Vec<Override>) -> anyhow::Result<Draft> {
    let (source, text) = scenario_text(wanted)?;
    let dir = match Path::new(wanted).parent() {
        Some(dir) if Shipped::find(wanted).is_none() => dir.to_owned(),
        _ => std::path::PathBuf::default(),
    };
    Ok(Draft { dir, overrides, ..Draft::new(&source, &text) })
}

/// Checks what lies outside a scenario before a server is looked for: the files that it names can be read,
/// and this machine can hold it.
pub fn check_surroundings(scenario: &Scenario) -> anyhow::Result<()> {
    if let Some(variant) =
        scenario.variants.iter().find(|variant| variant.path.is_sdk() && variant.sdk.is_none() && !SDK_BUILT)
    {
        bail!("{}: variant {}: {}", scenario.name, variant.name, SdkError::NotBuilt);
    }
    let own = scenario.variants.iter().filter_map(|variant| variant.library.as_ref());
    for library in own.chain([&scenario.library]) {
        Library::read(library)?;
    }
    let trace = match &scenario.load.model {
        Model::Open { arrivals: Arrivals::Trace { file }, .. } => read_trace(file)?,
        Model::Open { .. } | Model::Closed { .. } => Vec::new(),
    };
    let gigabytes = |bytes: u64| format!("{:.1} GB", bytes as f64 / 1e9);
    let clusters = scenario.clusters().len() as u64;
    let population = server_memory_needed(scenario).saturating_mul(clusters);
    if let Some(room) = room_here(scenario).filter(|room| population > *room) {
        bail!(
            "{}: its {} executions need about {} on servers on this machine, and these can have {}: take fewer \
             (population.executions), smaller ones (population.payload_bytes), or --nodes of a cluster elsewhere",
            scenario.name,
            scenario.population.executions,
            gigabytes(population),
            gigabytes(room)
        );
    }
    let needed = memory_needed(scenario, &trace);
    if let Some(left) = memory_left().filter(|left| needed > *left) {
        bail!(
            "{}: its claims are planned before the first one is made, which needs {} of memory, and {} are left here: \
             use a shorter load.duration, fewer load.claims, or a lower load.rate",
            scenario.name,
            gigabytes(needed),
            gigabytes(left)
        );
    }
    Ok(())
}

/// Bytes that primaries on this machine could hold together; `None` for a cluster elsewhere.
fn room_here(scenario: &Scenario) -> Option<u64> {
    let cluster = &scenario.cluster;
    let servers_here = cluster.nodes.is_empty();
    memory_left().filter(|_| servers_here).map(|left| for_servers(left) / (1 + u64::from(cluster.replicas)))
}

/// A scenario's name in errors and its text.
pub fn scenario_text(wanted: &str) -> anyhow::Result<(String, String)> {
    if let Some(shipped) = Shipped::find(wanted) {
        return Ok((format!("{wanted} (shipped)"), shipped.text.to_owned()));
    }
    let path = Path::new(wanted);
    if path.components().count() > 1 || path.extension().is_some() || path.exists() {
        let text = read_text(path).with_context(|| format!("cannot read the scenario {wanted}"))?;
        return Ok((wanted.to_owned(), text));
    }
    let names: Vec<&str> = SHIPPED.iter().map(|shipped| shipped.name).collect();
    let hint = did_you_mean(wanted, &names).unwrap_or_else(|| format!("shipped are {}.", names.join(", ")));
    bail!("no scenario is named `{wanted}`; {hint} A file is given by its path, such as ./{wanted}.toml")
}

/// A duration with its unit, from an option.
pub fn duration(text: &str) -> Result<HumanDuration, String> {
    humantime::parse_duration(text)
        .map(HumanDuration)
        .map_err(|_| "a duration needs its unit, such as 500ms, 30s or 10m".into())
}

/// A seed that differs from run to run and is short enough to be typed again.
pub fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) ^ (now.as_secs() & 0xffff_ffff)
}
