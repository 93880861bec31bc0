//! Moving slots from one primary to another while everybody goes on: one by one, key by key, or as one
//! migration of the servers' where they have it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use redis::Value;
use tokio_util::sync::CancellationToken;

use super::fault::FaultError;
use super::handle::Cluster;
use crate::valkey::{NodeAddr, Topology, ValkeyError, Wire, ask, plain, read_topology, unexpected};
use reclaim_analysis::record::{MovedSlots, SlotMoveWay};
use reclaim_analysis::scenario::SlotMoveForm;

/// Keys that one MIGRATE takes: both servers serve nobody else meanwhile, so few, as `valkey-cli --cluster`
/// has it.
const KEYS: u32 = 10;

/// What a source waits for its target in one MIGRATE.
const MIGRATE_LIMIT_MS: u64 = 4_000;

/// How often servers are asked whether a migration is through, and for how long.
const LOOK: Duration = Duration::from_millis(10);
const LIMIT: Duration = Duration::from_mins(1);

/// The first version that migrates slots by itself.
const ATOMIC_SINCE: u32 = 9;

/// Slots that are to move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotMove {
    /// The primary that has them.
    pub from: NodeAddr,
    /// The one that gets them.
    pub to: NodeAddr,
    /// In the order in which they move.
    pub slots: Vec<u16>,
    /// How.
    pub way: SlotMoveWay,
}

/// Both sides of a move.
struct Ends {
    source: Wire,
    source_id: String,
    target: Wire,
    target_id: String,
    /// Every other primary.
    others: Vec<Wire>,
}

impl Cluster {
    /// How slots move here where a scenario wants it so; an error where these servers cannot.
    pub fn way_of_moving(&self, wanted: SlotMoveForm) -> Result<SlotMoveWay, FaultError> {
        let version = self.server_version();
        let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
        match wanted {
            SlotMoveForm::OneByOne => Ok(SlotMoveWay::OneByOne),
            SlotMoveForm::Auto if major < ATOMIC_SINCE => Ok(SlotMoveWay::OneByOne),
            SlotMoveForm::Atomic if major < ATOMIC_SINCE => {
                Err(FaultError::NotAtomic { version: version.to_owned() })
            }
            SlotMoveForm::Auto | SlotMoveForm::Atomic => Ok(SlotMoveWay::Atomic),
        }
    }

    /// Moves slots, and returns once every primary knows who has them. `moved` is told what has arrived, also
    /// where the rest fails. Cancelled between two slots, never within one: a slot that is half moved serves
    /// few.
    pub async fn move_slots(
        &self,
        plan: &SlotMove,
        cancel: &CancellationToken,
        moved: &mut MovedSlots,
    ) -> Result<(), FaultError> {
        let sides = self.sides(plan).await?;
        match plan.way {
            SlotMoveWay::Atomic => sides.migrate(&plan.slots, moved).await?,
            SlotMoveWay::OneByOne => {
                for &slot in &plan.slots {
                    if cancel.is_cancelled() {
                        break;
                    }
                    sides.move_one(slot, &self.migrate_login(), moved).await?;
                }
            }
        }
        sides.until_known(&moved.slots, &plan.to).await
    }

    async fn sides(&self, plan: &SlotMove) -> Result<Ends, FaultError> {
        let topology = self.topology();
        let id = |addr: &NodeAddr| {
            let found = topology.primaries().iter().find(|primary| &primary.addr == addr);
            found
                .map(|primary| primary.id.clone())
                .ok_or_else(|| FaultError::NoPrimary { addr: addr.clone() })
        };
        let (source_id, target_id) = (id(&plan.from)?, id(&plan.to)?);
        let mut others = Vec::new();
        for primary in topology.primaries() {
            if ![&plan.from, &plan.to].contains(&&primary.addr) {
                others.push(self.connector.admin(&primary.addr).await?);
            }
        }
        let (source, target) =
            (self.connector.admin(&plan.from).await?, self.connector.admin(&plan.to).await?);
        Ok(Ends { source, source_id, target, target_id, others })
    }

    /// What a source says to its target before it sends keys.
    fn migrate_login(&self) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match self.connector.credentials() {
            (_, None) => Vec::new(),
            (None, Some(password)) => words(&["AUTH", password]),
            (Some(user), Some(password)) => words(&["AUTH2", user, password]),
        }
    }
}

impl Ends {
    /// One slot: announced on both sides, its keys moved a few at a time, then told to everybody.
    async fn move_one(&self, slot: u16, login: &[String], moved: &mut MovedSlots) -> Result<(), FaultError> {
        let open = |error| {
            let (addr, source) = (self.source.addr().clone(), Box::new(error));
            FaultError::SlotOpen { slot, addr, source }
        };
        self.set_slot(&self.target, slot, ["IMPORTING", &self.source_id]).await?;
        self.set_slot(&self.source, slot, ["MIGRATING", &self.target_id]).await.map_err(open)?;
        loop {
            let keys = self.keys_in(slot).await.map_err(open)?;
            if keys.is_empty() {
                break;
            }
            self.send_keys(&keys, login).await.map_err(open)?;
            moved.keys += keys.len() as u64;
        }
        // The target first: whoever is sent there must find it in charge.
        for wire in [&self.target, &self.source].into_iter().chain(&self.others) {
            self.set_slot(wire, slot, ["NODE", &self.target_id]).await.map_err(open)?;
        }
        moved.slots.push(slot);
        Ok(())
    }

    async fn set_slot(&self, wire: &Wire, slot: u16, state: [&str; 2]) -> Result<(), ValkeyError> {
        let mut cmd = redis::cmd("CLUSTER");
        cmd.arg("SETSLOT").arg(slot).arg(&state);
        ask(wire, "CLUSTER SETSLOT", &cmd, "cluster|setslot").await.map(drop)
    }

    async fn keys_in(&self, slot: u16) -> Result<Vec<Value>, ValkeyError> {
        const DOING: &str = "CLUSTER GETKEYSINSLOT";
        let mut cmd = redis::cmd("CLUSTER");
        cmd.arg("GETKEYSINSLOT").arg(slot).arg(KEYS);
        match ask(&self.source, DOING, &cmd, "cluster|getkeysinslot").await? {
            Value::Array(keys) => Ok(keys),
            other => Err(unexpected(&self.source, DOING, &other)),
        }
    }

    async fn send_keys(&self, keys: &[Value], login: &[String]) -> Result<(), ValkeyError> {
        let NodeAddr { host, port } = self.target.addr();
        let mut cmd = redis::cmd("MIGRATE");
        cmd.arg(host).arg(*port).arg("").arg(0).arg(MIGRATE_LIMIT_MS).arg(login).arg("KEYS");
        for key in keys {
            match key {
                Value::BulkString(key) => cmd.arg(key.as_slice()),
                other => return Err(unexpected(&self.source, "CLUSTER GETKEYSINSLOT", other)),
            };
        }
        ask(&self.source, "MIGRATE", &cmd, "migrate").await.map(drop)
    }

    /// All slots as one migration of the servers' own.
    async fn migrate(&self, slots: &[u16], moved: &mut MovedSlots) -> Result<(), FaultError> {
        let known = self.migrations().await?;
        let known: BTreeSet<_> = known.into_iter().map(|migration| migration.name).collect();
        let mut keys = 0;
        for &slot in slots {
            keys += self.count_keys(slot).await?;
        }
        let mut cmd = redis::cmd("CLUSTER");
        cmd.arg("MIGRATESLOTS").arg("SLOTSRANGE");
        for (first, last) in ranges(slots) {
            cmd.arg(first).arg(last);
        }
        cmd.arg("NODE").arg(&self.target_id);
        ask(&self.source, "CLUSTER MIGRATESLOTS", &cmd, "cluster|migrateslots").await?;
        let begun = Instant::now();
        loop {
            tokio::time::sleep(LOOK).await;
            let all = self.migrations().await?;
            let own = all.into_iter().find(|migration| !known.contains(&migration.name));
            match own {
                Some(Migration { state, .. }) if state == "success" => break,
                Some(Migration { state, message, .. }) if ["failed", "cancelled"].contains(&&*state) => {
                    let addr = self.source.addr().clone();
                    return Err(FaultError::Migration { addr, detail: format!("{state}: {message}") });
                }
                _ if begun.elapsed() > LIMIT => {
                    let addr = self.source.addr().clone();
                    return Err(FaultError::Migration { addr, detail: format!("not done after {LIMIT:?}") });
                }
                _ => {}
            }
        }
        moved.keys += keys;
        moved.slots.extend(slots);
        Ok(())
    }

    async fn count_keys(&self, slot: u16) -> Result<u64, ValkeyError> {
        const DOING: &str = "CLUSTER COUNTKEYSINSLOT";
        let mut cmd = redis::cmd("CLUSTER");
        cmd.arg("COUNTKEYSINSLOT").arg(slot);
        match ask(&self.source, DOING, &cmd, "cluster|countkeysinslot").await? {
            Value::Int(keys) => Ok(keys.unsigned_abs()),
            other => Err(unexpected(&self.source, DOING, &other)),
        }
    }

    async fn migrations(&self) -> Result<Vec<Migration>, ValkeyError> {
        const DOING: &str = "CLUSTER GETSLOTMIGRATIONS";
        let mut cmd = redis::cmd("CLUSTER");
        cmd.arg("GETSLOTMIGRATIONS");
        let reply = ask(&self.source, DOING, &cmd, "cluster|getslotmigrations").await?;
        Migration::parse(&reply).ok_or_else(|| unexpected(&self.source, DOING, &reply))
    }

    /// Waits until every primary has these slots where they went.
    async fn until_known(&self, slots: &[u16], to: &NodeAddr) -> Result<(), FaultError> {
        let begun = Instant::now();
        let is_there = |topology: &Topology, slot: u16| {
            &topology.primaries()[usize::from(topology.owner_of_slot(slot).0)].addr == to
        };
        for wire in [&self.target, &self.source].into_iter().chain(&self.others) {
            loop {
                // While two nodes differ there may be no whole map.
                let known = read_topology(wire)
                    .await
                    .is_ok_and(|topology| slots.iter().all(|&slot| is_there(&topology, slot)));
                if known {
                    break;
                }
                if begun.elapsed() > LIMIT {
                    let detail = format!("{} does not know it after {LIMIT:?}", wire.addr());
                    return Err(FaultError::Migration { addr: self.source.addr().clone(), detail });
                }
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    }
}

/// One entry of CLUSTER GETSLOTMIGRATIONS.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Migration {
    name: String,
    state: String,
    message: String,
}

impl Migration {
    /// Maps come as flat arrays of names and values.
    fn parse(reply: &Value) -> Option<Vec<Self>> {
        let Value::Array(entries) = reply else { return None };
        let parse = |entry: &Value| {
            let Value::Array(items) = entry else { return None };
            let field = |name: &str| {
                let pair = items.chunks_exact(2).find(|pair| plain(&pair[0]).as_deref() == Some(name))?;
                plain(&pair[1])
            };
            Some(Self {
                name: field("name")?,
                state: field("state")?,
                message: field("message").unwrap_or_default(),
            })
        };
        entries.iter().map(parse).collect()
    }
}

/// Slots as ranges, both ends included.
fn ranges(slots: &[u16]) -> Vec<(u16, u16)> {
    let sorted: BTreeSet<u16> = slots.iter().copied().collect();
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for slot in sorted {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == slot => *last = slot,
            _ => ranges.push((slot, slot)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_slots_are_one_range_whatever_their_order() {
        assert_eq!(ranges(&[]), []);
        assert_eq!(ranges(&[7]), [(7, 7)]);
        assert_eq!(ranges(&[9, 3, 8, 16_383, 4, 1]), [(1, 1), (3, 4), (8, 9), (16_383, 16_383)]);
    }

    #[test]
    fn a_migration_is_read_from_the_servers_list_and_anything_else_is_none() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let entry = |fields: &[(&str, &str)]| {
            Value::Array(fields.iter().flat_map(|(name, value)| [text(name), text(value)]).collect())
        };
        let reply = Value::Array(vec![entry(&[
            ("name", "ab"),
            ("operation", "EXPORT"),
            ("state", "failed"),
            ("message", "target is full"),
        ])]);
        let read = Migration::parse(&reply).unwrap();
        let wanted =
            Migration { name: "ab".into(), state: "failed".into(), message: "target is full".into() };
        assert_eq!(read, [wanted]);
        assert_eq!(Migration::parse(&Value::Array(vec![])), Some(vec![]));
        assert_eq!(Migration::parse(&Value::Array(vec![entry(&[("name", "ab")])])), None);
        assert_eq!(Migration::parse(&Value::Okay), None);
    }
}
