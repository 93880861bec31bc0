//! How the generators of a search learn of its next run. They meet for every run anew, under the same name;
//! between two runs the leader's call stands under a key that the others look at.

use std::rc::Rc;
use std::time::Duration;

use redis::Value;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::error::MeetingError;
use super::registry::{LIFE, LOOK};
use super::{ALIVE, parsed};
use crate::cluster::{Cluster, RENDEZVOUS};
use crate::machine::this_process;
use crate::valkey::{Wire, ask, plain};
use crate::workload::Slice;

/// How long a call to wait stands without a sign of life of its leader.
const WAITS: Duration = Duration::from_secs(15);

/// How long there may be no call: the leader puts one there as soon as a run is over.
const UNCALLED: Duration = Duration::from_secs(10);

/// How long the leader of a search that is over waits until all others have read that.
const FAREWELL: Duration = Duration::from_secs(3);

/// What the leader of a search has called out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Called<T> {
    /// There will be another run, or the end.
    Wait,
    /// A run begins: come to the rendezvous.
    Run(T),
    /// It is over.
    Over {
        /// What ended it early, if something did.
        reason: Option<String>,
    },
}

/// What stands under the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call<C> {
    /// Who leads.
    by: String,
    /// Which run of the search it is about, from 1.
    number: u32,
    called: C,
}

/// The calls of one search.
pub struct Calls {
    cluster: Rc<Cluster>,
    name: String,
    slice: Slice,
    wait: Duration,
}

impl Calls {
    /// As one of the generators that meet under this name.
    pub fn new(cluster: &Rc<Cluster>, (name, slice): (&str, Slice), wait: Duration) -> Self {
        Self { cluster: Rc::clone(cluster), name: name.to_owned(), slice, wait }
    }

    /// Takes the name for a search that this process leads; another one that has it refuses that.
    pub async fn lead(&self) -> Result<(), MeetingError> {
        let mut set = self.set(0, &Called::<()>::Wait, WAITS);
        set.arg("NX");
        loop {
            if ask(&self.wire(), "SET rendezvous", &set, "set").await? == Value::Okay {
                return Ok(());
            }
            // It may have run out in between.
            if let Some(call) = self.standing::<serde_json::Value>().await? {
                return Err(MeetingError::NameTaken { name: self.name.clone(), by: call.by });
            }
        }
    }

    /// Calls all others to a run.
    pub async fn run<T: Serialize>(&self, number: u32, task: T) -> Result<(), MeetingError> {
        // Whoever does not come within that is missed at the rendezvous.
        self.call(number, &Called::Run(task), self.wait + LIFE).await
    }

    /// Has all others wait for what comes after a run.
    pub async fn hold(&self, number: u32) -> Result<(), MeetingError> {
        self.call(number, &Called::<()>::Wait, WAITS).await
    }

    /// As [`Self::hold`], for as long as it is polled.
    pub async fn keep_holding(&self, number: u32) -> MeetingError {
        loop {
            if let Err(error) = self.hold(number).await {
                return error;
            }
            sleep(ALIVE).await;
        }
    }

    /// Tells all others that the search is over, and removes what stands under its name once they know.
    pub async fn end(&self, number: u32, reason: Option<String>) {
        let over = Called::<()>::Over { reason };
        if self.call(number, &over, LIFE).await.is_err() {
            return;
        }
        let (until, mut left) = (Instant::now() + FAREWELL, self.slice.generators() - 1);
        while left > 0 && Instant::now() < until {
            let mut pop = redis::cmd("LPOP");
            pop.arg(self.read_key());
            match ask(&self.wire(), "LPOP rendezvous", &pop, "lpop").await {
                Ok(Value::BulkString(_)) => left -= 1,
                Ok(_) => sleep(LOOK).await,
                Err(_) => return,
            }
        }
        let mut unlink = redis::cmd("UNLINK");
        unlink.arg(self.key()).arg(self.read_key());
        // What cannot be removed runs out.
        let _ = ask(&self.wire(), "UNLINK rendezvous", &unlink, "unlink").await;
    }

    /// The next run after this one, with its number; `None` where the search is over.
    pub async fn next<T: DeserializeOwned>(&self, after: u32) -> Result<Option<(u32, T)>, MeetingError> {
        // Before the first one the leader may still be on its way.
        let patience = if after == 0 { self.wait } else { UNCALLED };
        let mut called = Instant::now();
        loop {
            let call = self.standing::<T>().await?;
            if call.is_some() {
                called = Instant::now();
            }
            match call.map(|call| (call.number, call.called)) {
                Some((number, Called::Run(task))) if number > after => return Ok(Some((number, task))),
                Some((_, Called::Over { reason })) => {
                    self.say_read().await?;
                    return reason.map_or(Ok(None), |reason| Err(MeetingError::Ended { reason }));
                }
                _ => {}
            }
            let silent = called.elapsed();
            if silent > patience {
                return Err(if after == 0 {
                    MeetingError::NoLeader { name: self.name.clone(), waited_s: patience.as_secs() }
                } else {
                    let silent_s = (silent + WAITS).as_secs();
                    MeetingError::Gone { part: 1, place: String::new(), silent_s }
                });
            }
            sleep(LOOK).await;
        }
    }

    async fn say_read(&self) -> Result<(), MeetingError> {
        let key = self.read_key();
        let mut push = redis::cmd("RPUSH");
        push.arg(&key).arg(self.slice.number());
        ask(&self.wire(), "RPUSH rendezvous", &push, "rpush").await?;
        let mut expire = redis::cmd("PEXPIRE");
        expire.arg(&key).arg(FAREWELL.as_millis() as u64);
        ask(&self.wire(), "PEXPIRE rendezvous", &expire, "pexpire").await?;
        Ok(())
    }

    async fn call<T: Serialize>(
        &self,
        number: u32,
        called: &Called<T>,
        stands: Duration,
    ) -> Result<(), MeetingError> {
        ask(&self.wire(), "SET rendezvous", &self.set(number, called, stands), "set").await?;
        Ok(())
    }

    fn set<T: Serialize>(&self, number: u32, called: &Called<T>, stands: Duration) -> redis::Cmd {
        let call = Call { by: this_process(), number, called };
        // Texts and numbers: there is nothing in it that could fail.
        let text = serde_json::to_string(&call).unwrap_or_default();
        let mut set = redis::cmd("SET");
        set.arg(self.key()).arg(text).arg("PX").arg(stands.as_millis() as u64);
        set
    }

    async fn standing<T: DeserializeOwned>(&self) -> Result<Option<Call<Called<T>>>, MeetingError> {
        let mut get = redis::cmd("GET");
        get.arg(self.key());
        let value = ask(&self.wire(), "GET rendezvous", &get, "get").await?;
        plain(&value).map(|text| parsed(&self.name, &text)).transpose()
    }

    fn key(&self) -> String {
        format!("{RENDEZVOUS}{}}}:search", self.name)
    }

    /// Who has read that the search is over.
    fn read_key(&self) -> String {
        format!("{RENDEZVOUS}{}}}:search:read", self.name)
    }

    fn wire(&self) -> Wire {
        self.cluster.admin_of_tag(&format!("rendezvous:{}", self.name))
    }
}
