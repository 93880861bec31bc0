//! Networks on which servers in containers of their own can be cut off: one between the servers, one from
//! here to them.
//!
//! Both are bridges without a way out (`internal`), so a container has no route but to what is on its own
//! networks: taken off the one between the servers, it reaches none of them, while clients on this machine
//! still reach it over the other. No port is published, for those would vanish with the network that they
//! lead to; on Linux the bridges' addresses are reached from the machine itself.
//!
//! A server announces its address between the servers, and keeps it when it comes back: Docker grants that
//! only where the range was given. So Docker is asked for a free range first, and then for a network of that
//! very range.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use bollard::Docker;
use bollard::models::{
    EndpointIpamConfig, EndpointSettings, Ipam, IpamConfig, NetworkConnectRequest, NetworkCreateRequest,
    NetworkDisconnectRequest,
};
use bollard::query_parameters::{ListContainersOptionsBuilder, ListNetworksOptionsBuilder};

use reclaim_analysis::scenario::CutFrom;

/// Between asking for a free range and taking it, somebody else may.
const RANGE_ATTEMPTS: u32 = 5;

/// The first server's place in a range; Docker takes from the beginning for itself.
const FIRST_PLACE: u32 = 16;

/// Docker lets go of a container that has ended only after a moment.
const REMOVE_ATTEMPTS: u32 = 20;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// One server's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Addresses {
    /// Between the servers: what it announces.
    pub(super) servers: Ipv4Addr,
    /// From here.
    pub(super) clients: Ipv4Addr,
}

/// Both networks, and who is on them.
pub(super) struct Networks {
    docker: Docker,
    servers: Network,
    clients: Network,
    members: Vec<Member>,
}

struct Network {
    name: String,
    /// First address of its range, and how many there are.
    range: (Ipv4Addr, u32),
}

struct Member {
    container: String,
    addresses: Addresses,
    /// Whether it is off the network between the servers, and off the other one.
    off: [bool; 2],
}

impl Networks {
    /// Makes both, with `labels`, under names that begin with `prefix`.
    pub(super) async fn make(
        docker: &Docker,
        prefix: &str,
        labels: &HashMap<String, String>,
    ) -> Result<Self, String> {
        let servers = Network::make(docker, format!("{prefix}-servers"), labels).await?;
        let clients = match Network::make(docker, format!("{prefix}-clients"), labels).await {
            Ok(clients) => clients,
            Err(error) => {
                // Why there is no second one says more than that the first one stays.
                let _ = docker.remove_network(&servers.name).await;
                return Err(error);
            }
        };
        Ok(Self { docker: docker.clone(), servers, clients, members: Vec::new() })
    }

    /// The network that a container is to be started on.
    pub(super) fn first(&self) -> &str {
        &self.clients.name
    }

    /// What the server at `position` will announce.
    pub(super) fn announced(&self, position: usize) -> Result<Ipv4Addr, String> {
        let (base, size) = self.servers.range;
        let place = u32::try_from(position).unwrap_or(u32::MAX).saturating_add(FIRST_PLACE);
        if place + 1 >= size {
            return Err(format!("the range of network {} is too small for so many", self.servers.name));
        }
        Ok(Ipv4Addr::from(u32::from(base) + place))
    }

    /// Takes a container, which runs on the [first](Self::first) network, onto the other one as well.
    pub(super) async fn admit(&mut self, container: &str) -> Result<Addresses, String> {
        let servers = self.announced(self.members.len())?;
        // As a list of one, which says less than an inspection does.
        let filter = HashMap::from([("id", vec![container])]);
        let options = ListContainersOptionsBuilder::new().filters(&filter).build();
        let seen = self.docker.list_containers(Some(options)).await.map_err(|error| error.to_string())?;
        let settings = seen.into_iter().find_map(|seen| seen.network_settings);
        let networks = settings.and_then(|settings| settings.networks).unwrap_or_default();
        let own = networks.get(&self.clients.name).and_then(|own| own.ip_address.as_deref());
        let clients = own.and_then(|address| address.parse().ok()).ok_or_else(|| {
            format!("container {container} has no address on network {}", self.clients.name)
        })?;
        let addresses = Addresses { servers, clients };
        connect(&self.docker, &self.servers.name, container, servers).await?;
        self.members.push(Member { container: container.to_owned(), addresses, off: [false; 2] });
        Ok(addresses)
    }

    /// Takes the server at `position` off its networks.
    pub(super) async fn cut(&mut self, position: usize, from: CutFrom) -> Result<(), String> {
        let member = self.members.get_mut(position).ok_or("no such server")?;
        let off = async |network: &Network| {
            let request = NetworkDisconnectRequest { container: member.container.clone(), force: Some(true) };
            let done = self.docker.disconnect_network(&network.name, request).await;
            done.map_err(|error| format!("cannot take it off network {}: {error}", network.name))
        };
        match from {
            CutFrom::Servers => {
                off(&self.servers).await?;
                member.off[0] = true;
            }
            CutFrom::Everybody => {
                let (servers, clients) = tokio::join!(off(&self.servers), off(&self.clients));
                member.off = [member.off[0] || servers.is_ok(), member.off[1] || clients.is_ok()];
                servers.and(clients)?;
            }
        }
        Ok(())
    }

    /// Reconnects the container to every network it was taken off, with its old addresses.
    pub(super) async fn join(&mut self, position: usize) -> Result<(), String> {
        let member = self.members.get_mut(position).ok_or("no such server")?;
        let Addresses { servers, clients } = member.addresses;
        for (network, address, off) in
            [(&self.servers, servers, 0), (&self.clients, clients, 1)].map(|(n, a, off)| (n, a, off))
        {
            if member.off[off] {
                connect(&self.docker, &network.name, &member.container, address).await?;
                member.off[off] = false;
            }
        }
        Ok(())
    }

    /// Removes both, once the containers are gone. What cannot be removed now is swept at the next start.
    pub(super) async fn remove(self) {
        for network in [&self.servers, &self.clients] {
            for _ in 0..REMOVE_ATTEMPTS {
                if self.docker.remove_network(&network.name).await.is_ok() {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

impl Network {
    async fn make(docker: &Docker, name: String, labels: &HashMap<String, String>) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("cannot make network {name}: {error}");
        let mut last = String::new();
        for _ in 0..RANGE_ATTEMPTS {
            create(docker, &name, labels, None).await.map_err(|error| failed(&error))?;
            let range = given_range(docker, &name).await;
            docker.remove_network(&name).await.map_err(|error| failed(&error))?;
            let text = range.map_err(|error| failed(&error))?;
            let range = parse_range(&text).ok_or_else(|| failed(&format!("its range is {text}")))?;
            match create(docker, &name, labels, Some(text)).await {
                Ok(()) => return Ok(Self { name, range }),
                Err(error) => last = error,
            }
        }
        Err(failed(&last))
    }
}

async fn create(
    docker: &Docker,
    name: &str,
    labels: &HashMap<String, String>,
    range: Option<String>,
) -> Result<(), String> {
    let ipam = range.map(|subnet| Ipam {
        config: Some(vec![IpamConfig { subnet: Some(subnet), ..IpamConfig::default() }]),
        ..Ipam::default()
    });
    let request = NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("bridge".to_owned()),
        internal: Some(true),
        ipam,
        labels: Some(labels.clone()),
        ..NetworkCreateRequest::default()
    };
    docker.create_network(request).await.map(drop).map_err(|error| error.to_string())
}

async fn given_range(docker: &Docker, name: &str) -> Result<String, String> {
    let seen = docker.inspect_network(name, None).await.map_err(|error| error.to_string())?;
    let ranges = seen.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
    let first =
        ranges.into_iter().find_map(|range| range.subnet.filter(|subnet| parse_range(subnet).is_some()));
    first.ok_or_else(|| "Docker gave it no IPv4 range".to_owned())
}

async fn connect(docker: &Docker, network: &str, container: &str, address: Ipv4Addr) -> Result<(), String> {
    let ipam =
        EndpointIpamConfig { ipv4_address: Some(address.to_string()), ..EndpointIpamConfig::default() };
    let endpoint = EndpointSettings { ipam_config: Some(ipam), ..EndpointSettings::default() };
    let request = NetworkConnectRequest { container: container.to_owned(), endpoint_config: Some(endpoint) };
    let done = docker.connect_network(network, request).await;
    done.map_err(|error| format!("cannot put it onto network {network} at {address}: {error}"))
}

/// `172.18.0.0/16`: its first address, and how many it has.
fn parse_range(text: &str) -> Option<(Ipv4Addr, u32)> {
    let (base, bits) = text.split_once('/')?;
    let (base, bits): (Ipv4Addr, u32) = (base.parse().ok()?, bits.parse().ok()?);
    let size = 1_u32.checked_shl(32_u32.checked_sub(bits)?)?;
    Some((Ipv4Addr::from(u32::from(base) & !(size - 1)), size))
}

/// Removes networks of a label whose owners are gone. Best effort: one that still has a container stays until
/// that is gone.
pub(super) async fn sweep(
    docker: &Docker,
    label: &str,
    is_abandoned: impl Fn(&HashMap<String, String>) -> bool,
) {
    let filter = HashMap::from([("label", vec![label])]);
    let options = ListNetworksOptionsBuilder::new().filters(&filter).build();
    for network in docker.list_networks(Some(options)).await.unwrap_or_default() {
        if let Some(id) = network.id.filter(|_| is_abandoned(&network.labels.unwrap_or_default())) {
            let _ = docker.remove_network(&id).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_its_first_address_and_its_size() {
        assert_eq!(parse_range("172.18.0.0/16"), Some((Ipv4Addr::new(172, 18, 0, 0), 65_536)));
        assert_eq!(parse_range("10.1.2.77/26"), Some((Ipv4Addr::new(10, 1, 2, 64), 64)));
        for none in ["fd00::/64", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/0", "x/8"] {
            assert_eq!(parse_range(none), None, "{none}");
        }
    }
}
