//! A generator among others, as a run works with it: the same calls for the leader and for those that it
//! leads.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::clock::ServerClock;
use super::cluster_bus::ClusterBus;
use super::deaths::Deaths;
use super::error::MeetingError;
use super::leader::Leader;
use super::message::{Connections, Hello};
use super::part::LedPart;
use super::registry::{self, Names};
use super::{Barrier, delivery};
use crate::cluster::Cluster;
use crate::machine::{Neighbours, Whereabouts, host, node_name, tool};
use crate::valkey::{NodeAddr, SentTo, Wire};
use crate::workload::Slice;
use reclaim_analysis::record::{PartNote, RunRecord, short_sha256};

/// From saying when a window begins until then: for the way there, and a little for each generator that is to
/// hear it.
const AHEAD: Duration = Duration::from_millis(100);
const AHEAD_EACH: Duration = Duration::from_micros(200);

/// How long before a window begins the leader says when it does, with `of` generators.
pub fn ahead(of: u32) -> Duration {
    AHEAD + AHEAD_EACH * of
}

/// For this long before a window begins the thread sleeps by the system's clock, which is finer than the runtime's.
const FINE: Duration = Duration::from_millis(3);

/// Which generator of which run this process is.
#[derive(Clone, Debug)]
pub struct PartSetup {
    /// Which one of how many.
    pub slice: Slice,
    /// Name of the rendezvous.
    pub name: String,
    /// What a leader was given that has taken the name already.
    pub token: Option<String>,
    /// How long the others are waited for.
    pub wait: Duration,
    /// The generators that this process has started and that have ended.
    pub deaths: Deaths,
}

/// This generator among the others, once all have met.
pub struct Meeting {
    setup: PartSetup,
    names: Names,
    /// The clusters of the run; they meet on the first one.
    clusters: Vec<Rc<Cluster>>,
    clock: std::cell::Cell<ServerClock>,
    role: Role,
    /// Whether the servers end with the leader.
    owned: bool,
    neighbours: Neighbours,
    listening: Listening,
}

/// The task that listens; it ends with this.
struct Listening(JoinHandle<()>);

impl Listening {
    fn to(attend: impl Future<Output = ()> + 'static) -> Self {
        Self(spawn_local(attend))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

enum Role {
    Leads(Rc<Leader<ClusterBus>>),
    Follows(Rc<LedPart<ClusterBus>>),
}

/// When a window begins.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    at: Instant,
    clock: ServerClock,
}

impl Start {
    /// The moment, by this process' clock.
    pub fn at(&self) -> Instant {
        self.at
    }

    /// A moment by the clock of the server on which the generators met, in microseconds since the epoch.
    pub fn server_us(&self, moment: Instant) -> u64 {
        self.clock.at(moment).max(0).unsigned_abs()
    }

    /// Waits until it has come; returns when that was.
    pub async fn wait(&self) -> Instant {
        if let Some(nearly) = self.at.checked_sub(FINE) {
            sleep_until(nearly).await;
        }
        // Nothing else goes on in this process.
        std::thread::sleep(self.at.saturating_duration_since(Instant::now()));
        Instant::now()
    }
}

impl Meeting {
    /// Meets the others on the first of the run's clusters; a run has one at least. `end` ends this process'
    /// part of the run; a failure cancels it.
    pub async fn meet(
        setup: &PartSetup,
        clusters: &[Rc<Cluster>],
        plan_sha256: &str,
        end: &CancellationToken,
    ) -> Result<Self, MeetingError> {
        let (own, host, name, process) = (tool(), host(), node_name(), std::process::id());
        let here = Whereabouts::on(&name, &host);
        let hello = Hello {
            part: setup.slice.number(),
            of: setup.slice.generators(),
            plan_sha256: plan_sha256.to_owned(),
            version: own.version,
            commit: own.commit,
            host: here.name.to_owned(),
            boot: here.boot.map(str::to_owned),
            cores: here.cores.to_vec(),
            process,
        };
        if setup.slice.leads() {
            Self::lead(setup, clusters, hello, end).await
        } else {
            Self::follow(setup, clusters, hello, end).await
        }
    }

    async fn lead(
        setup: &PartSetup,
        clusters: &[Rc<Cluster>],
        hello: Hello,
        end: &CancellationToken,
    ) -> Result<Self, MeetingError> {
        let cluster = &clusters[0];
        let names = registry::to_lead(&setup.name, setup.token.as_deref());
        let wire = cluster.admin_of_tag(&names.tag());
        // It listens before anybody can know of it.
        let bus = ClusterBus::of_leader(cluster, &names).await?;
        registry::announce(&wire, &names, &hello.place()).await?;
        let met = async {
            let leader = Rc::new(Leader::new(&setup.name, hello, bus, end.clone()));
            let (attended, deaths) = (Rc::clone(&leader), setup.deaths.clone());
            let listening = Listening::to(async move {
                tokio::select! {
                    biased;
                    () = attended.attend() => {}
                    (part, said) = deaths.first() => attended.lost(part, said),
                }
            });
            let met = leader.meet(setup.wait, cluster.library(), cluster.owned()).await;
            let neighbours = match met {
                Ok(neighbours) => neighbours,
                Err(error) => {
                    leader.give_up(&error.to_string()).await;
                    return Err(error);
                }
            };
            let clock = ServerClock::read(&wire).await?;
            let (role, about) = (Role::Leads(leader), (&neighbours[..], cluster.owned()));
            Ok(Self::new(setup, (names.clone(), clusters), clock, role, about, listening))
        };
        let met = met.await;
        if met.is_err() {
            registry::forget(&wire, &names, setup.slice.generators()).await;
        }
        met
    }

    async fn follow(
        setup: &PartSetup,
        clusters: &[Rc<Cluster>],
        hello: Hello,
        end: &CancellationToken,
    ) -> Result<Self, MeetingError> {
        let cluster = &clusters[0];
        let coming = registry::come(cluster, &setup.name, &hello, setup.wait);
        let names = end.run_until_cancelled(coming).await.unwrap_or(Err(MeetingError::Interrupted))?;
        let bus = ClusterBus::of_part(cluster, &names).await?;
        let part = Rc::new(LedPart::new(&setup.name, setup.slice.number(), bus, end.clone()));
        let attended = Rc::clone(&part);
        let listening = Listening::to(async move { attended.attend().await });
        let met = async {
            let welcome = part.meet(hello, setup.wait).await?;
            let server = |error: crate::cluster::ClusterError| MeetingError::Server(error.to_string());
            let wanted = cluster.library();
            if welcome.library.sha256 != wanted.sha256 {
                let in_words = |version: &str, sha256: &str| format!("{version} ({})", short_sha256(sha256));
                return Err(MeetingError::OtherLibrary {
                    loaded: in_words(&welcome.library.version, &welcome.library.sha256),
                    wanted: in_words("another one", &wanted.sha256),
                });
            }
            for cluster in clusters {
                cluster.join_library().await.map_err(server)?;
            }
            Ok((welcome, ServerClock::read(&cluster.admin_of_tag(&names.tag())).await?))
        };
        match met.await {
            Ok((welcome, clock)) => {
                let (role, about) = (Role::Follows(part), (&welcome.neighbours[..], welcome.owned));
                Ok(Self::new(setup, (names, clusters), clock, role, about, listening))
            }
            Err(error) => {
                part.give_up(&error.to_string()).await;
                Err(error)
            }
        }
    }

    fn new(
        setup: &PartSetup,
        (names, clusters): (Names, &[Rc<Cluster>]),
        clock: ServerClock,
        role: Role,
        (neighbours, owned): (&[Neighbours], bool),
        listening: Listening,
    ) -> Self {
        let before = setup.slice.number() as usize - 1;
        let neighbours = neighbours.get(before).copied().unwrap_or(Neighbours::NONE);
        let (setup, clusters, clock) = (setup.clone(), clusters.to_vec(), clock.into());
        Self { setup, names, clusters, clock, role, owned, neighbours, listening }
    }

    /// The generators on this one's cores.
    pub fn neighbours(&self) -> Neighbours {
        self.neighbours
    }

    /// Whether what was written goes with the servers.
    pub fn is_owned(&self) -> bool {
        self.owned
    }

    /// What a part's record says of it.
    pub fn note(&self, began_us: &[u64]) -> PartNote {
        let (number, of) = (self.setup.slice.number(), self.setup.slice.generators());
        PartNote { number, of, rendezvous: self.setup.name.clone(), began_us: began_us.to_vec() }
    }

    /// Waits until all are staged and silent: from here on nobody sends anything until the window begins.
    pub async fn quieten(&self) -> Result<Barrier, MeetingError> {
        self.clock.set(ServerClock::read(&self.wire()).await?);
        match &self.role {
            Role::Leads(leader) => {
                let silent = leader.quieten().await?;
                self.adopt(leader);
                Ok(silent)
            }
            Role::Follows(part) => part.quieten(self.own_connections()).await,
        }
    }

    /// Begins the window, or waits for it; `None` where the run is to end.
    pub async fn begin(&self) -> Result<Option<Start>, MeetingError> {
        let clock = self.clock.get();
        let at_us = match &self.role {
            Role::Leads(leader) => {
                let at = Instant::now() + ahead(self.setup.slice.generators());
                let at_us = clock.at(at);
                leader.begin(at_us).await?;
                Some(at_us)
            }
            Role::Follows(part) => part.begin().await?,
        };
        Ok(at_us.map(|at_us| Start { at: clock.moment(at_us), clock }))
    }

    /// The claims of the window are made. A part tells the leader what it has `sent` in it; the leader waits
    /// for all others, and gets what they have sent.
    pub async fn done(&self, sent: impl FnOnce() -> Vec<SentTo>) -> Result<Vec<SentTo>, MeetingError> {
        match &self.role {
            Role::Leads(leader) => {
                let others = leader.gather().await?;
                self.adopt(leader);
                Ok(others)
            }
            Role::Follows(part) => {
                let connections = self.own_connections();
                part.done(|| with_one_more(sent(), self.wire().addr().clone()), connections).await?;
                Ok(Vec::new())
            }
        }
    }

    /// The counters are read: all go on.
    pub async fn close(&self) -> Result<(), MeetingError> {
        match &self.role {
            Role::Leads(leader) => leader.close().await,
            Role::Follows(part) => part.closed().await,
        }
    }

    /// What ended the run, if something did.
    pub fn failure(&self) -> Option<MeetingError> {
        match &self.role {
            Role::Leads(leader) => leader.failure(),
            Role::Follows(part) => part.failure(),
        }
    }

    /// The generators that are gone and may have left something; only the leader knows of any.
    pub fn gone(&self) -> Vec<Slice> {
        let Role::Leads(leader) = &self.role else { return Vec::new() };
        let of = self.setup.slice.generators();
        leader.gone().into_iter().filter_map(|part| Slice::new(part, of)).collect()
    }

    /// Tells the others why this one cannot go on.
    pub async fn give_up(&self, reason: &str) {
        match &self.role {
            Role::Leads(leader) => leader.give_up(reason).await,
            Role::Follows(part) if part.failure().is_none() => part.give_up(reason).await,
            // The leader has said so, or is gone.
            Role::Follows(_) => {}
        }
    }

    /// A part hands its record to the leader; the leader takes all others'. All records that this process has
    /// then, in the order of parts.
    pub async fn hand_over(&self, record: RunRecord) -> Result<Vec<RunRecord>, MeetingError> {
        let wire = self.wire();
        match &self.role {
            Role::Leads(leader) => {
                let mut records = vec![record];
                for (part, pieces) in leader.delivered().await? {
                    records.push(delivery::pick_up(&wire, &self.names, part, pieces).await?);
                }
                leader.received().await?;
                Ok(records)
            }
            Role::Follows(part) => {
                let number = self.setup.slice.number();
                let pieces = delivery::lay_down(&wire, &self.names, number, &record).await?;
                part.deliver(pieces).await?;
                Ok(vec![record])
            }
        }
    }

    /// Removes what the rendezvous has on the servers. Only the leader does.
    pub async fn leave(&self) {
        // First, or a sign of life would come after.
        self.listening.0.abort();
        if let Role::Leads(_) = &self.role {
            registry::forget(&self.wire(), &self.names, self.setup.slice.generators()).await;
        }
    }

    /// This process' connections to all clusters.
    fn own_connections(&self) -> Connections {
        let of_clusters = self.clusters.iter().map(|cluster| cluster.own_connections());
        Some(of_clusters.collect::<Option<Vec<_>>>()?.concat())
    }

    /// Whichever cluster they lead to.
    fn adopt(&self, leader: &Leader<ClusterBus>) {
        for of_one in leader.connections() {
            self.clusters.iter().for_each(|cluster| cluster.adopt_connections(of_one.clone()));
        }
    }

    /// The connection to the primary on which the generators meet.
    fn wire(&self) -> Wire {
        self.clusters[0].admin_of_tag(&self.names.tag())
    }
}

/// What was `sent`, with the message that tells the leader of it.
fn with_one_more(mut sent: Vec<SentTo>, addr: NodeAddr) -> Vec<SentTo> {
    let place = sent.iter().position(|to| to.addr == addr).unwrap_or_else(|| {
        sent.push(SentTo::nothing(addr));
        sent.len() - 1
    });
    *sent[place].sent.entry("spublish".to_owned()).or_default() += 1;
    sent
}
