//! Options that several commands share, and what they mean for a scenario.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser as _};

use super::paths;
use crate::cluster::ClusterRequest;
use crate::valkey::{NodeAddr, Password, TlsOptions};
use reclaim_analysis::scenario::{
    self, HumanDuration, Override, Provider, Scenario, ScenarioFile, Shipped, nearest,
};

/// Environment variable with the password. There is no option for it: arguments are seen by every user of a machine.
const PASSWORD_VARIABLE: &str = "RECLAIM_BENCH_PASSWORD";

/// Which cluster, and how to reach it.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Cluster")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub struct ClusterArgs {
    /// Nodes of a running cluster; one that answers is enough, the others are discovered
    #[arg(long, env = "RECLAIM_BENCH_NODES", value_name = "HOST:PORT", value_delimiter = ',')]
    pub nodes: Vec<String>,
    /// Who runs the servers [scenario: auto]
    #[arg(long, value_parser = provider_parser(), value_name = "WHO")]
    pub provider: Option<Provider>,
    /// Primaries of a cluster that is started for the run [scenario: 3]
    #[arg(long, value_name = "N", conflicts_with = "nodes")]
    pub primaries: Option<u16>,
    /// Replicas of each primary [scenario: 0]
    #[arg(long, value_name = "N", conflicts_with = "nodes")]
    pub replicas: Option<u16>,
    /// Server binary for a local cluster
    #[arg(long, env = "VALKEY_SERVER", value_name = "PATH")]
    pub valkey_server: Option<PathBuf>,
    /// Image for a container cluster
    #[arg(long, value_name = "NAME", conflicts_with = "nodes")]
    pub image: Option<String>,
    /// Speak TLS to the nodes
    #[arg(long)]
    pub tls: bool,
    /// Certificate authority (PEM)
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub cacert: Option<PathBuf>,
    /// Client certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls", requires = "key")]
    pub cert: Option<PathBuf>,
    /// Client key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Accept any certificate
    #[arg(long, requires = "tls", conflicts_with = "cacert")]
    pub insecure: bool,
    /// ACL user
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// File with the password.
    #[arg(long, value_name = "FILE", help = "File with the password; or set RECLAIM_BENCH_PASSWORD")]
    pub password_file: Option<PathBuf>,
    /// Overwrite a different function library on the nodes
    #[arg(long)]
    pub replace_library: bool,
    /// Run beside another deployment's data on the nodes
    #[arg(long)]
    pub shared: bool,
}

/// `--provider`, with what each value means in the help.
fn provider_parser() -> impl clap::builder::TypedValueParser<Value = Provider> {
    let help = |provider| match provider {
        Provider::Auto => "External where nodes are given, else local, else a container",
        Provider::External => "A running cluster, named by its nodes",
        Provider::Local => "Child processes on loopback",
        Provider::Container => "One container with all nodes",
    };
    PossibleValuesParser::new(Provider::ALL.map(|known| PossibleValue::new(known.as_str()).help(help(known))))
        .try_map(|name| {
            Provider::ALL.into_iter().find(|known| known.as_str() == name).ok_or("no such provider")
        })
}

impl ClusterArgs {
    /// The options that have a key in the scenario.
    pub fn overrides(&self) -> Vec<Override> {
        let mut changes = Changes::default();
        if !self.nodes.is_empty() {
            let list = self.nodes.iter().map(|node| toml::Value::String(node.clone())).collect();
            changes.set(
                "--nodes",
                &self.nodes.join(","),
                "cluster.nodes",
                toml::Value::Array(list).to_string(),
            );
        }
        if let Some(provider) = self.provider {
            changes.plain("--provider", "cluster.provider", &provider);
        }
        changes.option("--primaries", "cluster.primaries", self.primaries.as_ref());
        changes.option("--replicas", "cluster.replicas", self.replicas.as_ref());
        changes.0
    }

    /// The cluster to open for a scenario that [`Self::overrides`] went into. Reads the password.
    pub fn request(&self, file: &ScenarioFile, scenario: &Scenario) -> anyhow::Result<ClusterRequest> {
        let nodes =
            file.cluster.nodes.iter().map(|node| node_addr(node)).collect::<anyhow::Result<Vec<_>>>()?;
        if nodes.is_empty() {
            for (given, option) in [
                (self.tls, "--tls"),
                (self.user.is_some(), "--user"),
                (self.password_file.is_some(), "--password-file"),
                (self.replace_library, "--replace-library"),
                (self.shared, "--shared"),
            ] {
                if given {
                    bail!(
                        "{option} is for a running cluster: give its nodes with --nodes, or leave {option} out"
                    );
                }
            }
        }
        let provider = file.cluster.provider;
        if self.image.is_some() && !matches!(provider, Provider::Container | Provider::Auto) {
            bail!("--image is for a container cluster: use --provider container, or leave --image out");
        }
        Ok(ClusterRequest {
            provider: match provider {
                Provider::Auto if self.image.is_some() => Provider::Container,
                _ => provider,
            },
            password: if nodes.is_empty() { None } else { self.password()? },
            nodes,
            primaries: scenario.cluster.primaries,
            replicas: scenario.cluster.replicas,
            valkey_server: self.valkey_server.clone(),
            image: self.image.clone(),
            tls: self.tls.then(|| TlsOptions {
                cacert: self.cacert.clone(),
                cert: self.cert.clone(),
                key: self.key.clone(),
                insecure: self.insecure,
            }),
            user: self.user.clone(),
            connections: scenario.load.connections,
            timeout: scenario.load.timeout,
            library: scenario.library.clone(),
            load_library: true,
            replace_library: self.replace_library,
            shared: self.shared,
        })
    }

    /// The cluster to open for a command without a scenario.
    pub fn request_alone(&self) -> anyhow::Result<ClusterRequest> {
        // Any scenario will do for the checks and for the defaults of what a cluster needs.
        let shipped = &scenario::SHIPPED[0];
        let (file, scenario) = scenario::parse_with(shipped.name, shipped.text, &self.overrides())?;
        self.request(&file, &scenario)
    }

    fn password(&self) -> anyhow::Result<Option<Password>> {
        if let Some(path) = &self.password_file {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the password file {}", path.display()))?;
            return Ok(Some(Password::new(text.trim_end_matches(['\r', '\n']))));
        }
        Ok(std::env::var(PASSWORD_VARIABLE).ok().map(Password::new))
    }
}

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
    /// The options as changes to the file, `--set` last. An option that decides between two keys takes the other out.
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
        Ok(changes.0)
    }
}

#[derive(Default)]
struct Changes(Vec<Override>);

impl Changes {
    fn set(&mut self, option: &str, given: &str, key: &str, value: String) {
        self.0.push(Override { shown: format!("{option} {given}"), key: key.to_owned(), value: Some(value) });
    }

    fn plain(&mut self, option: &str, key: &str, value: &impl ToString) {
        let value = value.to_string();
        self.set(option, &value.clone(), key, value);
    }

    fn option(&mut self, option: &str, key: &str, value: Option<&impl ToString>) {
        if let Some(value) = value {
            self.plain(option, key, value);
        }
    }

    fn drop(&mut self, key: &str) {
        self.0.push(Override { shown: String::new(), key: key.to_owned(), value: None });
    }
}

/// Finds a scenario by its shipped name or by path and applies the changes.
pub fn load_scenario(wanted: &str, changes: &[Override]) -> anyhow::Result<(ScenarioFile, Scenario)> {
    let (name, text) = scenario_text(wanted)?;
    let (file, scenario) = scenario::parse_with(&name, &text, changes)?;
    match Path::new(wanted).parent() {
        Some(dir) if Shipped::find(wanted).is_none() && dir != Path::new("") => {
            paths::seen_from(dir, file, changes)
        }
        _ => Ok((file, scenario)),
    }
}

/// A scenario's name in errors and its text.
pub fn scenario_text(wanted: &str) -> anyhow::Result<(String, String)> {
    if let Some(shipped) = Shipped::find(wanted) {
        return Ok((format!("{wanted} (shipped)"), shipped.text.to_owned()));
    }
    let path = Path::new(wanted);
    if path.components().count() > 1 || path.extension().is_some() || path.exists() {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read the scenario {wanted}"))?;
        return Ok((wanted.to_owned(), text));
    }
    let names: Vec<&str> = scenario::SHIPPED.iter().map(|shipped| shipped.name).collect();
    let hint = match nearest(wanted, names.iter().copied()) {
        Some(best) => format!("did you mean `{best}`?"),
        None => format!("shipped: {}", names.join(", ")),
    };
    bail!("no scenario is named `{wanted}`; {hint} A file is given by its path, such as ./{wanted}.toml")
}

/// A duration with its unit, from an option.
pub fn duration(text: &str) -> Result<HumanDuration, String> {
    humantime::parse_duration(text)
        .map(HumanDuration)
        .map_err(|_| "a duration needs its unit, such as 500ms, 30s or 10m".into())
}

fn node_addr(node: &str) -> anyhow::Result<NodeAddr> {
    let (host, port) = node.rsplit_once(':').with_context(|| format!("{node} is not host:port"))?;
    let port = port.parse().with_context(|| format!("{node} is not host:port"))?;
    Ok(NodeAddr { host: host.trim_matches(['[', ']']).to_owned(), port })
}

/// A seed that differs from run to run and is short enough to be typed again.
pub fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) ^ (now.as_secs() & 0xffff_ffff)
}
