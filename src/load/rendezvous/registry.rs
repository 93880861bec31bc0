//! Who leads a rendezvous and who has come to it: keys that run out by themselves, all under one hash tag.

use std::sync::LazyLock;
use std::time::Duration;

use redis::Value;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

use super::error::MeetingError;
pub(super) use super::life::LIFE;
use super::message::Hello;
use crate::cluster::{Cluster, RENDEZVOUS};
use crate::machine::this_process;
use crate::valkey::{Wire, ask, plain};

/// How often whoever comes first looks for the leader.
pub(super) const LOOK: Duration = Duration::from_millis(200);

/// How long a record waits for the leader.
pub(super) const RECORD_LIFE: Duration = Duration::from_mins(10);

/// What everything of a rendezvous is called. A token tells runs apart that had the same name one after the
/// other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    name: String,
    token: String,
}

impl Names {
    pub fn new(name: &str, token: &str) -> Self {
        Self { name: name.to_owned(), token: token.to_owned() }
    }

    /// What decides the slot.
    pub fn tag(&self) -> String {
        format!("rendezvous:{}", self.name)
    }

    /// Who leads.
    pub fn lead(&self) -> String {
        format!("{RENDEZVOUS}{}}}:lead", self.name)
    }

    /// Who has come, by number.
    pub fn parts(&self) -> String {
        self.own("parts")
    }

    /// The channel of what the leader says.
    pub fn orders(&self) -> String {
        self.own("orders")
    }

    /// The channel of what all others say.
    pub fn reports(&self) -> String {
        self.own("reports")
    }

    /// The pieces of a part's record.
    pub fn record(&self, part: u32) -> String {
        self.own(&format!("record:{part}"))
    }

    fn own(&self, what: &str) -> String {
        format!("{RENDEZVOUS}{}}}:{}:{what}", self.name, self.token)
    }
}

/// What the leader's key holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Lead {
    token: String,
    by: String,
}

/// Names for a run that leads; with a token, the names that it has taken already.
pub(super) fn to_lead(name: &str, token: Option<&str>) -> Names {
    match token {
        Some(token) => Names::new(name, token),
        None => Names::new(name, &new_token()),
    }
}

/// Takes the name for a run; another run that has it refuses that.
pub(super) async fn announce(wire: &Wire, names: &Names, by: &str) -> Result<(), MeetingError> {
    let taken = take_lead(wire, names, by).await.map_err(|error| match error {
        MeetingError::Server(why) => MeetingError::CannotLead(why),
        error => error,
    });
    match taken? {
        None => Ok(()),
        Some(lead) if lead.token == names.token => Ok(()),
        Some(lead) => Err(MeetingError::NameTaken { name: names.name.clone(), by: lead.by }),
    }
}

/// A number that nobody has, for a process that comes as any of so many: the first one leads, and gets the
/// token by which it has taken the name.
pub async fn free_number(
    cluster: &Cluster,
    name: &str,
    of: u32,
) -> Result<(u32, Option<String>), MeetingError> {
    let names = to_lead(name, None);
    let wire = cluster.admin_of_tag(&names.tag());
    let by = this_process();
    let Some(lead) = take_lead(&wire, &names, &by).await? else { return Ok((1, Some(names.token))) };
    let names = Names::new(name, &lead.token);
    for part in 2..=of {
        if take_number(&wire, &names, (part, &by)).await?.is_none() {
            return Ok((part, None));
        }
    }
    Err(MeetingError::Full { name: name.to_owned(), of })
}

fn new_token() -> String {
    Uuid::new_v4().simple().to_string()
}

/// Who leads already; `None` where this one does now.
async fn take_lead(wire: &Wire, names: &Names, by: &str) -> Result<Option<Lead>, MeetingError> {
    let lead = Lead { token: names.token.clone(), by: by.to_owned() };
    let mut set = redis::cmd("SET");
    // Two texts: there is nothing in it that could fail.
    let text = serde_json::to_string(&lead).unwrap_or_default();
    set.arg(names.lead()).arg(text).arg("NX").arg("PX").arg(LIFE.as_millis() as u64);
    loop {
        if ask(wire, "SET rendezvous", &set, "set").await? == Value::Okay {
            return Ok(None);
        }
        // It may have run out in between.
        if let Some(other) = leader_of(wire, names).await? {
            return Ok(Some(other));
        }
    }
}

/// Waits for the leader, and takes a number.
pub(super) async fn come(
    cluster: &Cluster,
    name: &str,
    hello: &Hello,
    wait: Duration,
) -> Result<Names, MeetingError> {
    let names = Names::new(name, "");
    let wire = cluster.admin_of_tag(&names.tag());
    let begun = Instant::now();
    let lead = loop {
        if let Some(lead) = leader_of(&wire, &names).await? {
            break lead;
        }
        if begun.elapsed() > wait {
            return Err(MeetingError::NoLeader { name: name.to_owned(), waited_s: wait.as_secs() });
        }
        tokio::time::sleep(LOOK).await;
    };
    let names = Names::new(name, &lead.token);
    let Some(by) = take_number(&wire, &names, (hello.part, &hello.place())).await? else { return Ok(names) };
    Err(MeetingError::NumberTaken { name: name.to_owned(), part: hello.part, by })
}

/// What stands for a process beside its words: containers of one network may all be process 1 of one name.
static THIS_ONE: LazyLock<String> = LazyLock::new(|| Uuid::new_v4().simple().to_string());

/// Who has the number already; `None` where this one has it now. Its own process may have taken it before.
async fn take_number(
    wire: &Wire,
    names: &Names,
    (part, process): (u32, &str),
) -> Result<Option<String>, MeetingError> {
    let (key, own) = (names.parts(), format!("{process} {}", *THIS_ONE));
    let mut set = redis::cmd("HSETNX");
    set.arg(&key).arg(part).arg(&own);
    let taken = ask(wire, "HSETNX rendezvous", &set, "hsetnx").await?;
    let mut expire = redis::cmd("PEXPIRE");
    expire.arg(&key).arg(LIFE.as_millis() as u64);
    ask(wire, "PEXPIRE rendezvous", &expire, "pexpire").await?;
    if taken == Value::Int(1) {
        return Ok(None);
    }
    let mut get = redis::cmd("HGET");
    get.arg(&key).arg(part);
    let by = plain(&ask(wire, "HGET rendezvous", &get, "hget").await?);
    Ok(by
        .filter(|by| *by != own)
        .map(|by| by.rsplit_once(' ').map_or(by.clone(), |(process, _)| process.to_owned())))
}

async fn leader_of(wire: &Wire, names: &Names) -> Result<Option<Lead>, MeetingError> {
    let mut get = redis::cmd("GET");
    get.arg(names.lead());
    let value = ask(wire, "GET rendezvous", &get, "get").await?;
    plain(&value).map(|text| super::parsed(&names.name, &text)).transpose()
}

/// Removes what stands under these names, the records of so many parts among it. What cannot be removed runs
/// out.
pub(super) async fn forget(wire: &Wire, names: &Names, of: u32) {
    let mut unlink = redis::cmd("UNLINK");
    unlink.arg(names.lead()).arg(names.parts());
    (2..=of).for_each(|part| _ = unlink.arg(names.record(part)));
    let _ = ask(wire, "UNLINK rendezvous", &unlink, "unlink").await;
}
