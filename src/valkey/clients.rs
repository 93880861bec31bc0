//! Who is connected to a server and how much each has asked of it, by `CLIENT LIST`: what a stranger sends is
//! known for a stranger's even where claims run the same commands.

use std::collections::{BTreeMap, BTreeSet};

use super::ask::text;
use super::error::ValkeyError;
use super::wire::{Wire, WireError};

/// What a server that hands slots over sends to the one that gets them.
const SERVERS_SEND: [&str; 2] = ["cluster|syncslots", "restore-asking"];

/// All clients of one server at one moment, by the server's number for each connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clients(BTreeMap<u64, Listed>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    client: Client,
    /// `tot-cmds` (8.1 and later): commands so far; those inside of functions are not in it.
    commands: Option<u64>,
    /// Whether it is sent every command that the server carries out (`MONITOR`).
    monitor: bool,
}

/// Who a connection belongs to, as far as a server knows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Client {
    /// Where it connects from.
    pub addr: String,
    /// What it calls itself (`CLIENT SETNAME`), or its library; empty where it says nothing.
    pub name: String,
}

impl Clients {
    /// The clients of a server now; `None` for a user who may not ask.
    pub(crate) async fn read(wire: &Wire) -> Result<Option<Self>, ValkeyError> {
        let mut cmd = redis::cmd("CLIENT");
        cmd.arg("LIST");
        match text(wire, "CLIENT LIST", &cmd, "client|list").await {
            Ok(list) => Ok(Some(Self::parse(&list))),
            Err(ValkeyError::Right { .. } | ValkeyError::Server { source: WireError::Server { .. }, .. }) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// A line for each client: `id=3 addr=127.0.0.1:50000 ... flags=N ... cmd=get ... tot-cmds=7`. Other
    /// servers of the cluster (flags `M` and `S`, or a command that servers alone send, as slots move) are no
    /// clients.
    pub(super) fn parse(list: &str) -> Self {
        let listed = list.lines().filter_map(|line| {
            let fields: BTreeMap<&str, &str> =
                line.split(' ').filter_map(|field| field.split_once('=')).collect();
            let text = |name: &str| fields.get(name).copied().unwrap_or_default();
            let flags = text("flags");
            let is_server = flags.contains(['M', 'S']) || SERVERS_SEND.contains(&text("cmd"));
            if is_server && !flags.contains('O') {
                return None;
            }
            let name = [text("name"), text("lib-name")].into_iter().find(|name| !name.is_empty());
            let client = Client { addr: text("addr").to_owned(), name: name.unwrap_or_default().to_owned() };
            let commands = fields.get("tot-cmds").and_then(|commands| commands.parse().ok());
            Some((text("id").parse().ok()?, Listed { client, commands, monitor: flags.contains('O') }))
        });
        Self(listed.collect())
    }

    /// All but those with one of these names.
    pub(super) fn without(mut self, names: &BTreeSet<String>) -> Self {
        self.0.retain(|_, listed| !names.contains(&listed.client.name));
        self
    }

    /// Those who have asked something since `earlier`, `own` connections aside, and how many commands each. A
    /// client of a server that does not count them is not among them.
    pub fn asked_since(&self, earlier: &Self, own: &BTreeSet<u64>) -> Vec<(Client, u64)> {
        let others = self.0.iter().filter(|(id, _)| !own.contains(id));
        others
            .filter_map(|(id, listed)| {
                let before = earlier.0.get(id).map_or(Some(0), |before| before.commands)?;
                let commands = listed.commands?.saturating_sub(before);
                (commands > 0).then(|| (listed.client.clone(), commands))
            })
            .collect()
    }

    /// How many have come since `earlier` and are still there, `own` connections aside.
    pub fn arrived_since(&self, earlier: &Self, own: &BTreeSet<u64>) -> u64 {
        self.0.keys().filter(|id| !own.contains(id) && !earlier.0.contains_key(id)).count() as u64
    }

    /// Those who watch all that the server does, `own` connections aside.
    pub fn monitors(&self, own: &BTreeSet<u64>) -> Vec<Client> {
        let others = self.0.iter().filter(|(id, listed)| listed.monitor && !own.contains(id));
        others.map(|(_, listed)| listed.client.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: u64, flags: &str, commands: u64) -> String {
        format!(
            "id={id} addr=127.0.0.1:5000{id} laddr=127.0.0.1:6379 fd=8 name= age=1 flags={flags} db=0 cmd=get user=default \
             lib-name=other lib-ver= tot-net-in=1 tot-cmds={commands}\n"
        )
    }

    #[test]
    fn strangers_are_those_whose_commands_grew_and_who_are_not_ours() {
        let before = Clients::parse(&(line(1, "N", 4) + &line(2, "N", 7) + &line(3, "S", 1)));
        let after = Clients::parse(
            &[(1, "N", 9), (2, "N", 7), (3, "S", 99), (4, "N", 2), (5, "N", 0), (6, "O", 1)]
                .map(|(id, flags, commands)| line(id, flags, commands))
                .concat(),
        );
        let client = |id: u64| Client { addr: format!("127.0.0.1:5000{id}"), name: "other".to_owned() };
        let own = BTreeSet::from([1]);
        assert_eq!(after.asked_since(&before, &own), [(client(4), 2), (client(6), 1)]);
        assert_eq!(after.monitors(&own), [client(6)]);
        assert_eq!(after.arrived_since(&before, &own), 3);
        assert_eq!(after.arrived_since(&before, &BTreeSet::from([5])), 2);
        assert_eq!(after.asked_since(&before, &BTreeSet::new())[0], (client(1), 5));
    }

    #[test]
    fn a_server_that_hands_slots_over_is_no_stranger() {
        let sends = |cmd: &str| Clients::parse(&line(4, "N", 7).replace("cmd=get", &format!("cmd={cmd}")));
        let asked = |clients: &Clients| clients.asked_since(&Clients::default(), &BTreeSet::new()).len();
        let of = |cmd| asked(&sends(cmd));
        assert_eq!([of("restore-asking"), of("cluster|syncslots"), of("restore")], [0, 0, 1]);
    }

    #[test]
    fn a_server_that_counts_no_commands_accuses_nobody() {
        let old =
            Clients::parse("id=7 addr=a:1 name=x flags=N cmd=set\nid=8 addr=b:1 name=y flags=N cmd=set\n");
        assert_eq!(old.asked_since(&Clients::default(), &BTreeSet::new()), []);
        assert_eq!(Clients::parse("nonsense\nid=x addr=\n\n"), Clients::default());
    }
}
