//! Cards of runs that were refused: what each had asked the servers by then.
//!
//! Whoever is refused the company of a run has asked a few things, to find the servers and that run, and
//! these are in the other's counters. It says which: the run that goes on takes no command of a card for a
//! stranger's, and removes the card.

use std::time::Duration;

use redis::Value;
use serde::{Deserialize, Serialize};

use super::error::ClusterError;
use super::handle::Cluster;
use super::presence::{PLACES, partition};
use crate::machine::this_process;
use crate::valkey::{SentTo, ask, sent_by, unexpected};

/// How long a card lies where nobody takes it: longer than any window.
const KEPT: Duration = Duration::from_hours(24);

/// What a run that was refused had asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Visit {
    /// Which process.
    pub process: String,
    /// Of each server.
    pub asked: Vec<SentTo>,
}

/// How every card's key begins.
fn cards() -> String {
    format!("ff:reclaim-bench:{}:visit:", partition().hash_tag())
}

/// Whether a key is a card's.
pub fn is_card(key: &str) -> bool {
    key.starts_with(&cards())
}

impl Cluster {
    /// Leaves a card where a run is refused for another one's sake. Where it cannot, the other's result says
    /// what was foreign.
    pub(super) async fn or_leave_card<T>(&self, met: Result<T, ClusterError>) -> Result<T, ClusterError> {
        if let Err(ClusterError::RunsUnderWay { .. }) = met {
            self.leave_card().await;
        }
        met
    }

    async fn leave_card(&self) {
        let wire = self.marks_wire();
        let mut asked = sent_by(self.take_counts());
        for place in 0..PLACES {
            if let Some(of_cards) = asked.iter_mut().find(|asked| asked.addr == *wire.addr()) {
                *of_cards.sent.entry("set".to_owned()).or_default() += 1;
            }
            let visit = Visit { process: this_process(), asked: asked.clone() };
            // Text and numbers: there is nothing in it that could fail.
            let text = serde_json::to_string(&visit).unwrap_or_default();
            let mut set = redis::cmd("SET");
            set.arg(format!("{}{place}", cards())).arg(text).arg("NX").arg("EX").arg(KEPT.as_secs());
            match ask(&wire, "SET card", &set, "set").await {
                Ok(Value::Nil) => {}
                _ => return,
            }
        }
    }

    /// Takes the cards of runs that this one has refused since it was last asked. Nothing where this run is
    /// not marked, for then nobody was refused.
    pub async fn take_cards(&self) -> Result<Vec<Visit>, ClusterError> {
        if !self.is_announced() || self.marks_unreachable() {
            return Ok(Vec::new());
        }
        let wire = self.marks_wire();
        let keys: Vec<String> = (0..PLACES).map(|place| format!("{}{place}", cards())).collect();
        let mut read = redis::cmd("MGET");
        read.arg(&keys);
        let reply = ask(&wire, "MGET cards", &read, "mget").await?;
        let Value::Array(texts) = reply else { return Err(unexpected(&wire, "MGET cards", &reply).into()) };
        let found = keys.iter().zip(&texts).filter(|(_, text)| **text != Value::Nil);
        let (keys, texts): (Vec<&String>, Vec<&Value>) = found.unzip();
        if !keys.is_empty() {
            let mut remove = redis::cmd("UNLINK");
            remove.arg(keys);
            ask(&wire, "UNLINK cards", &remove, "unlink").await?;
        }
        // One that cannot be read explains nothing.
        let visit = |text: &&Value| match text {
            Value::BulkString(text) => serde_json::from_slice(text).ok(),
            _ => None,
        };
        Ok(texts.iter().filter_map(visit).collect())
    }
}
