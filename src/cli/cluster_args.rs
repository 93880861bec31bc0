//! Options that say which cluster, and how to reach it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser as _};

use super::changes::Changes;
use super::environment;
use crate::cluster::{Announcement, ClusterRequest, Company, Containers, Unreachable};
use crate::flowfabric::FUNCTIONS;
use crate::machine::read_text;
use crate::valkey::{NodeAddr, Password, TlsOptions};
use crate::workload::functions_called;
use reclaim_analysis::scenario::{
    ClusterSpec, LibrarySource, NodeName, Override, Provider, Scenario, cluster_alone,
};

/// Which cluster, and how to reach it.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Cluster")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub struct ClusterArgs {
    /// Nodes of a running cluster; one that answers is enough, the others are discovered.
    #[arg(
        long,
        value_name = "HOST:PORT",
        value_delimiter = ',',
        help = "Nodes of a running cluster; one that answers is enough, the others are discovered; or set \
                RECLAIM_BENCH_NODES"
    )]
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
    /// Server binary for a local cluster.
    #[arg(long, value_name = "PATH", help = "Server binary for a local cluster; or set VALKEY_SERVER")]
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
    /// Where a node is reached that announces another address; may be repeated
    #[arg(long, value_name = "ANNOUNCED=REACHABLE", value_parser = mapping)]
    pub map: Vec<(NodeAddr, NodeAddr)>,
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
    /// Do the scenario's faults to the nodes: failovers, cut connections, busy scripts
    #[arg(long)]
    pub fault_on_external: bool,
}

/// `--provider`, with what each value means in the help.
fn provider_parser() -> impl clap::builder::TypedValueParser<Value = Provider> {
    let help = |provider| match provider {
        Provider::Auto => "External where nodes are given, else local, else a container",
        Provider::External => "A running cluster, named by its nodes",
        Provider::Local => "Child processes on loopback",
        Provider::Container => "One container with all nodes; one for each where a fault cuts a server off",
    };
    PossibleValuesParser::new(Provider::ALL.map(|known| PossibleValue::new(known.as_str()).help(help(known))))
        .try_map(|name| {
            Provider::ALL.into_iter().find(|known| known.as_str() == name).ok_or("no such provider")
        })
}

/// `10.0.0.1:6379=localhost:7001`.
fn mapping(text: &str) -> Result<(NodeAddr, NodeAddr), String> {
    let (announced, reachable) = text.split_once('=').ok_or(
        "write it like 10.0.0.1:6379=localhost:7001: the address that the cluster announces, then yours",
    )?;
    let addr = |text: &str| NodeName::parse(text).map(|NodeName { host, port }| NodeAddr { host, port });
    Ok((addr(announced)?, addr(reachable)?))
}

impl ClusterArgs {
    /// The options that have a key in the scenario.
    pub fn overrides(&self) -> anyhow::Result<Vec<Override>> {
        let mut changes = Changes::default();
        if let Some((option, nodes)) = self.given_nodes()? {
            let list = nodes.iter().map(|node| toml::Value::String(node.clone())).collect();
            changes.set(option, &nodes.join(","), "cluster.nodes", toml::Value::Array(list).to_string());
        }
        if let Some(provider) = self.provider {
            changes.plain("--provider", "cluster.provider", &provider);
        }
        changes.option("--primaries", "cluster.primaries", self.primaries.as_ref());
        changes.option("--replicas", "cluster.replicas", self.replicas.as_ref());
        Ok(changes.into())
    }

    /// The cluster to open for a scenario that [`Self::overrides`] went into. Reads the password.
    pub fn request(&self, scenario: &Scenario) -> anyhow::Result<ClusterRequest> {
        self.refuse_faults_elsewhere(scenario)?;
        let (load, library) = (&scenario.load, scenario.library.clone());
        let request = self.request_for(&scenario.cluster, library, load.connections, load.timeout)?;
        let announcement = Some(self.announcement(format!("a run of {}", scenario.name)));
        let networks = scenario.faults.iter().any(|fault| fault.kind.needs_networks());
        if scenario.is_server_duet() && request.provider == Provider::Container {
            bail!(
                "{}: its servers are started as processes on this machine: leave --image out",
                scenario.name
            );
        }
        let containers = if networks { Containers::Each } else { Containers::One };
        Ok(ClusterRequest { announcement, functions: functions_called(scenario), containers, ..request })
    }

    /// Options by which another process on this machine reaches the same cluster, beside its nodes and where
    /// these are reached.
    pub fn for_others(&self) -> Vec<OsString> {
        let mut all: Vec<OsString> = Vec::new();
        for (given, option) in [(self.tls, "--tls"), (self.insecure, "--insecure")] {
            all.extend(given.then(|| option.into()));
        }
        let files = [
            (&self.cacert, "--cacert"),
            (&self.cert, "--cert"),
            (&self.key, "--key"),
            (&self.password_file, "--password-file"),
        ];
        for (file, option) in files {
            all.extend(file.iter().flat_map(|file| [option.into(), file.clone().into_os_string()]));
        }
        all.extend(self.user.iter().flat_map(|user| ["--user".into(), user.into()]));
        all
    }

    /// The cluster to open for one of several generators, which another one has got ready for a scenario.
    pub fn request_beside(&self, scenario: &Scenario) -> anyhow::Result<ClusterRequest> {
        // The scenario's own section is that of the first generator, which may have started the servers.
        let spec = cluster_alone(&self.overrides()?)?;
        let (load, library) = (&scenario.load, scenario.library.clone());
        let request = self.request_for(&spec, library, load.connections, load.timeout)?;
        Ok(ClusterRequest { functions: functions_called(scenario), ..request })
    }

    /// How a run makes itself known on a cluster that is not ours.
    pub fn announcement(&self, what: String) -> Announcement {
        let otherwise = "give --shared to run beside it";
        let company = if self.shared { Company::Accepted } else { Company::Refused { otherwise } };
        Announcement { what, company }
    }

    /// The cluster to open for a command without a scenario: the published library, and what scenarios have
    /// by default.
    pub fn request_alone(&self) -> anyhow::Result<ClusterRequest> {
        let spec = cluster_alone(&self.overrides()?)?;
        let ClusterRequest { library, connections, timeout, .. } = ClusterRequest::default();
        self.request_for(&spec, library, connections, timeout)
    }

    /// The nodes, and where they were given.
    fn given_nodes(&self) -> anyhow::Result<Option<(&'static str, Vec<String>)>> {
        let trimmed = |nodes: &mut dyn Iterator<Item = &str>| -> Vec<String> {
            nodes.map(str::trim).filter(|node| !node.is_empty()).map(ToOwned::to_owned).collect()
        };
        let nodes = trimmed(&mut self.nodes.iter().map(String::as_str));
        if !nodes.is_empty() {
            return Ok(Some(("--nodes", nodes)));
        }
        if !self.nodes.is_empty() {
            bail!("--nodes: no node in it; write host:port, such as --nodes 10.0.0.1:6379");
        }
        let nodes = environment::text(environment::NODES)?.unwrap_or_default();
        let nodes = trimmed(&mut nodes.split(','));
        if nodes.is_empty() {
            return Ok(None);
        }
        for (given, option) in [
            (self.primaries.is_some(), "--primaries"),
            (self.replicas.is_some(), "--replicas"),
            (self.image.is_some(), "--image"),
        ] {
            if given {
                bail!(
                    "{option} is for servers that this tool starts, and {} names a running cluster: unset it, or \
                     leave {option} out",
                    environment::NODES
                );
            }
        }
        Ok(Some((environment::NODES, nodes)))
    }

    fn request_for(
        &self,
        spec: &ClusterSpec,
        library: LibrarySource,
        connections: u16,
        timeout: Duration,
    ) -> anyhow::Result<ClusterRequest> {
        if spec.nodes.is_empty() {
            self.refuse_what_needs_nodes()?;
        }
        let provider = spec.provider;
        if self.image.is_some() && !matches!(provider, Provider::Container | Provider::Auto) {
            bail!("--image is for a container cluster: use --provider container, or leave --image out");
        }
        let nodes = spec.nodes.iter();
        Ok(ClusterRequest {
            provider: match provider {
                Provider::Auto if self.image.is_some() => Provider::Container,
                _ => provider,
            },
            password: if spec.nodes.is_empty() { None } else { self.password()? },
            nodes: nodes.map(|node| NodeAddr { host: node.host.clone(), port: node.port }).collect(),
            started: None,
            primaries: spec.primaries,
            replicas: spec.replicas,
            node_timeout: spec.node_timeout.unwrap_or_else(|| ClusterRequest::default().node_timeout),
            valkey_server: self.server_binary(),
            config: BTreeMap::new(),
            clusters: 1,
            containers: Containers::One,
            image: self.image.clone(),
            tls: self.tls.then(|| TlsOptions {
                cacert: self.cacert.clone(),
                cert: self.cert.clone(),
                key: self.key.clone(),
                insecure: self.insecure,
            }),
            map: self.map.clone(),
            user: self.user.clone(),
            connections,
            timeout,
            library,
            functions: FUNCTIONS.to_vec(),
            load_library: true,
            replace_library: self.replace_library,
            shared: self.shared,
            unreachable: Unreachable::Refused,
            announcement: None,
        })
    }

    /// Faults are for servers that this tool starts, unless it is said that others may have them.
    fn refuse_faults_elsewhere(&self, scenario: &Scenario) -> anyhow::Result<()> {
        if scenario.faults.is_empty() || scenario.cluster.nodes.is_empty() || self.fault_on_external {
            return Ok(());
        }
        let kinds: Vec<&str> = scenario.faults.iter().map(|fault| fault.kind.as_str()).collect();
        bail!(
            "{} does this to the servers: {}. On a cluster that the tool did not start that needs --fault-on-external; \
             leave the nodes out for one of its own",
            scenario.name,
            kinds.join(", ")
        );
    }

    fn refuse_what_needs_nodes(&self) -> anyhow::Result<()> {
        for (given, option) in [
            (self.tls, "--tls"),
            (!self.map.is_empty(), "--map"),
            (self.user.is_some(), "--user"),
            (self.password_file.is_some(), "--password-file"),
            (self.replace_library, "--replace-library"),
            (self.shared, "--shared"),
            (self.fault_on_external, "--fault-on-external"),
        ] {
            if given {
                bail!(
                    "{option} is for a running cluster: give its nodes with --nodes, or leave {option} out"
                );
            }
        }
        Ok(())
    }

    fn server_binary(&self) -> Option<PathBuf> {
        let given = self.valkey_server.clone().filter(|path| !path.as_os_str().is_empty());
        given.or_else(|| environment::path(environment::VALKEY_SERVER))
    }

    /// Without a password a login is not even tried, so a user without one would be the default user.
    fn password(&self) -> anyhow::Result<Option<Password>> {
        let password = match &self.password_file {
            Some(path) => Some(password_in(path)?),
            None => environment::text(environment::PASSWORD)?.map(Password::new),
        };
        match &self.user {
            Some(user) if user.is_empty() => bail!("--user: empty; leave it out for the default user"),
            Some(user) if password.is_none() => bail!(
                "--user {user}: no password is given, so the login would be left out; set {} or give --password-file \
                 (an empty file for a user that needs none)",
                environment::PASSWORD
            ),
            _ => Ok(password),
        }
    }
}

fn password_in(path: &Path) -> anyhow::Result<Password> {
    let text =
        read_text(path).with_context(|| format!("cannot read the password file {}", path.display()))?;
    Ok(Password::new(text.trim_end_matches(['\r', '\n'])))
}
