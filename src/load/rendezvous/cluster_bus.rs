//! The bus over a cluster: two shard channels on the primary that serves the rendezvous' slot.

use std::cell::Cell;

use redis::Value;
use tokio::sync::Mutex;

use super::bus::Bus;
use super::error::MeetingError;
use super::registry::Names;
use crate::cluster::Cluster;
use crate::valkey::{Subscription, Wire, ask};

/// One end of the bus.
pub(super) struct ClusterBus {
    wire: Wire,
    says_on: String,
    heard: Mutex<Subscription>,
    /// Keys whose life every sign of life renews.
    keeps: Vec<String>,
    /// Whether what is said is heard: a leader's name may stand before it listens.
    is_heard: Cell<bool>,
}

impl ClusterBus {
    /// The leader's end: what it says goes to all others.
    pub async fn of_leader(cluster: &Cluster, names: &Names) -> Result<Self, MeetingError> {
        let keeps = vec![names.lead(), names.parts()];
        let opened = Self::open(cluster, names, (names.orders(), names.reports()), keeps).await;
        opened.map_err(MeetingError::CannotLead)
    }

    /// One of the others' ends: what it says goes to the leader.
    pub async fn of_part(cluster: &Cluster, names: &Names) -> Result<Self, MeetingError> {
        let opened = Self::open(cluster, names, (names.reports(), names.orders()), Vec::new()).await;
        opened.map_err(MeetingError::Server)
    }

    async fn open(
        cluster: &Cluster,
        names: &Names,
        (says_on, hears_on): (String, String),
        keeps: Vec<String>,
    ) -> Result<Self, String> {
        let wire = cluster.admin_of_tag(&names.tag());
        let subscribed = cluster.subscribe(wire.addr(), &hears_on).await;
        let heard = Mutex::new(subscribed.map_err(|error| error.to_string())?);
        // A leader speaks to nobody until somebody comes.
        let is_heard = Cell::new(!keeps.is_empty());
        Ok(Self { wire, says_on, heard, keeps, is_heard })
    }
}

impl Bus for ClusterBus {
    async fn say(&self, text: String) -> Result<(), String> {
        let mut publish = redis::cmd("SPUBLISH");
        publish.arg(&self.says_on).arg(text);
        loop {
            let said = ask(&self.wire, "SPUBLISH", &publish, "spublish").await;
            let listeners = said.map_err(|error| error.to_string())?;
            if self.is_heard.get() || listeners != Value::Int(0) {
                self.is_heard.set(true);
                return Ok(());
            }
            tokio::time::sleep(super::registry::LOOK).await;
        }
    }

    async fn hear(&self) -> Result<String, String> {
        let message = self.heard.lock().await.next().await.map_err(|error| error.to_string())?;
        String::from_utf8(message).map_err(|error| error.to_string())
    }

    async fn live_on(&self) -> Result<(), String> {
        for key in &self.keeps {
            let mut expire = redis::cmd("PEXPIRE");
            expire.arg(key).arg(super::registry::LIFE.as_millis() as u64);
            let renewed = ask(&self.wire, "PEXPIRE rendezvous", &expire, "pexpire").await;
            renewed.map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}
