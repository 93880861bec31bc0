//! Claims that FlowFabric's own SDK makes: what they send, what they say when refused, and whole runs with
//! them.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use ff_core::types::AttemptIndex;
use reclaim_analysis::record::Outcome;
use reclaim_analysis::scenario::{Extras, VariantPath, all_steps, expected_cost};
use reclaim_bench::claim::{ClaimPath, ClaimTicket, Sdk, SdkLogin, sdk_path};
use reclaim_bench::cluster::Cluster;
use reclaim_bench::flowfabric::{IssueClaimGrant, IssueReclaimGrant};
use reclaim_bench::valkey::{Access, NodeAddr};
use redis::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::common::one_claim::{Monitor, echo, order, own_address, setup};
use crate::common::one_run::{POPULATION, assert_clean, run, scenario_text};
use crate::common::staged::{LEASE_TTL, Stage, worker};
use crate::common::support;

const PATHS: [VariantPath; 3] = [VariantPath::SdkResume, VariantPath::SdkGrant, VariantPath::SdkReclaim];

/// What the SDK's client sends once a second to see whether its connection is alive, and the answer.
const HEARTBEAT: [&[u8]; 2] = [b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"];

/// A server behind a door that counts how often the direction turns: a request after a reply begins a round
/// trip.
struct Door {
    addr: NodeAddr,
    round_trips: Arc<AtomicU32>,
}

impl Door {
    async fn to(server: NodeAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = NodeAddr { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() };
        let (round_trips, asked) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let count = Arc::clone(&round_trips);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect((server.host.as_str(), server.port)).await.unwrap();
                let ((from, to), (back, out)) = (client.into_split(), server.into_split());
                let (count, turned, answered) = (Arc::clone(&count), Arc::clone(&asked), Arc::clone(&asked));
                tokio::spawn(pass(from, out, move || {
                    if !turned.swap(true, Ordering::SeqCst) {
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                }));
                tokio::spawn(pass(back, to, move || answered.store(false, Ordering::SeqCst)));
            }
        });
        Self { addr, round_trips }
    }

    fn take(&self) -> u32 {
        self.round_trips.swap(0, Ordering::SeqCst)
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    note: impl Fn() + Send,
) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if !HEARTBEAT.contains(&&buffer[..read]) {
            note();
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

async fn connect(addr: &NodeAddr, stage: &Stage) -> Rc<Sdk> {
    let access =
        Access { tls: None, user: None, password: None, map: Vec::new(), timeout: Duration::from_secs(5) };
    let login = SdkLogin {
        addr,
        cluster: false,
        access: &access,
        client_name: "test-sdk",
        worker: &stage.worker,
        lease_ttl: LEASE_TTL,
        partitions: 256,
    };
    Rc::new(Sdk::connect(&login).await.unwrap())
}

/// A ticket that `path` can claim; `stranger`: its grant is for another worker.
async fn ticket(stage: &Stage, path: VariantPath, stranger: bool) -> ClaimTicket {
    let other = worker("stranger");
    let worker = if stranger { &other } else { &stage.worker };
    let execution = if path.is_lease_reclaim() {
        let (execution, _) = stage.lapsed().await;
        stage.ok(&IssueReclaimGrant { worker, ..stage.reclaim_grant(&execution) }).await;
        execution
    } else {
        let (execution, _) = stage.interrupted().await;
        stage.ok(&IssueClaimGrant { worker, ..stage.grant(&execution) }).await;
        execution
    };
    stage.ticket_of(&execution, true).await
}

/// The stage, the door and what watches the server.
struct Scene {
    cluster: Rc<Cluster>,
    stage: Stage,
    door: Door,
    monitor: Monitor,
    us: String,
    sdk: Rc<Sdk>,
}

impl Scene {
    async fn set(partition: u16) -> Self {
        let cluster = Rc::new(support::own(1, 0).await);
        let stage = Stage::set(&*cluster, partition).await;
        let door = Door::to(stage.wire.addr().clone()).await;
        let monitor = Monitor::on(stage.wire.addr()).await;
        let us = own_address(&stage.wire).await;
        let sdk = connect(&door.addr, &stage).await;
        Self { cluster, stage, door, monitor, us, sdk }
    }

    async fn path(&self, path: VariantPath) -> Box<dyn ClaimPath> {
        let setup = setup(self.cluster.clone(), &self.stage.wire).await;
        sdk_path(path, &self.sdk, setup)
    }

    /// One claim: its receipt, the commands that the server saw of it, and its round trips.
    async fn claim(
        &mut self,
        path: VariantPath,
        ticket: &ClaimTicket,
    ) -> (reclaim_bench::claim::ClaimReceipt, Vec<String>, u32) {
        let variant = self.path(path).await;
        echo(&self.stage.wire, "begin").await;
        self.door.take();
        self.stage.wire.take_tally();
        let receipt = variant.claim(&order(ticket, &self.stage.worker)).await;
        let round_trips = self.door.take();
        echo(&self.stage.wire, "end").await;
        self.monitor.until("begin").await;
        let seen = self.monitor.until("end").await;
        let theirs = seen.into_iter().filter(|(who, _)| *who != self.us && who != "lua");
        let names = theirs.map(|(_, words)| words[0].to_lowercase()).filter(|name| name != "ping");
        (receipt, names.collect(), round_trips)
    }

    /// What the wire takes for sent by the claim that was made last.
    fn tally(&self) -> u64 {
        self.stage.wire.take_tally().iter().filter(|(name, _)| **name != "echo").map(|(_, n)| n).sum()
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_sdk_sends_the_commands_of_its_table_in_as_many_round_trips() {
    let mut scene = Scene::set(42_000).await;
    for path in PATHS {
        let ticket = ticket(&scene.stage, path, false).await;
        let (receipt, seen, round_trips) = scene.claim(path, &ticket).await;
        assert_eq!(receipt.outcome, Outcome::Claimed, "{path:?}: {:?}", receipt.error);
        let table: Vec<&str> =
            all_steps(path, Extras::default()).flat_map(|step| step.commands.iter().copied()).collect();
        assert_eq!(seen, table, "{path:?}");
        let expected = expected_cost(path, Extras::default());
        assert_eq!(round_trips, expected.round_trips, "{path:?}");
        assert_eq!(receipt.cost.round_trips, round_trips, "{path:?}");
        assert_eq!(receipt.cost.commands as usize, seen.len(), "{path:?}");
        assert_eq!(scene.tally(), seen.len() as u64, "{path:?}");
        let lease = receipt.lease.expect("claimed");
        let attempt = AttemptIndex(u32::from(path.is_lease_reclaim()));
        assert_eq!((lease.epoch.0, lease.attempt_index), (2, attempt), "{path:?}");
    }
    let left = support::everywhere(&scene.cluster, &["KEYS", "*worker*"]).await;
    for keys in left {
        let Value::Array(keys) = keys else { panic!("{keys:?}") };
        // The index of leases by worker is written by every claim.
        let others: Vec<_> = keys.iter().filter(|key| !format!("{key:?}").contains(":leases")).collect();
        assert!(others.is_empty(), "{others:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn what_the_sdk_is_refused_is_counted_by_name_and_as_far_as_it_came() {
    let mut scene = Scene::set(42_001).await;
    for (path, taken, until_taken, until_invalid) in [
        (VariantPath::SdkResume, "execution_not_leaseable", 2, 2),
        (VariantPath::SdkGrant, "execution_not_leaseable", 2, 4),
        (VariantPath::SdkReclaim, "execution_not_reclaimable", 1, 1),
    ] {
        let good = ticket(&scene.stage, path, false).await;
        assert_eq!(scene.claim(path, &good).await.0.outcome, Outcome::Claimed);
        let strange = ticket(&scene.stage, path, true).await;
        for (ticket, code, commands) in
            [(&good, taken, until_taken), (&strange, "invalid_claim_grant", until_invalid)]
        {
            let (receipt, seen, round_trips) = scene.claim(path, ticket).await;
            assert_eq!(receipt.outcome, Outcome::Refused(code.into()), "{path:?}: {:?}", receipt.error);
            assert_eq!(seen.len(), commands, "{path:?}, {code}: {seen:?}");
            assert_eq!(receipt.cost.commands as usize, commands, "{path:?}, {code}");
            assert_eq!(receipt.cost.round_trips, round_trips, "{path:?}, {code}");
            assert_eq!(scene.tally() as usize, commands, "{path:?}, {code}");
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn sdk_and_wire_are_mixed_under_the_same_rules() {
    let paths = ["grant-lane", "hget-lane", "lease-reclaim", "sdk-resume", "sdk-grant", "sdk-reclaim"];
    let sections = format!(
        "{POPULATION}\n[interruption]\nsignal = 1.0\ndelay = 1.0\n[load]\nconcurrency = 1\nclaims = 1200\nwarmup = 60\n\
         [compare]\nbaseline = \"grant-lane\"\nstrata = 10\ncontrol_strata = 10\ncounter_blocks = 2\nblock_claims = 40"
    );
    let cluster = Rc::new(support::own(3, 0).await);
    let result = run(&cluster, &scenario_text(&sections, &paths), 7).await;
    assert_clean(&result);
    for (variant, arm) in result.variants.iter().zip(&result.record.arms) {
        assert_eq!(variant.outcomes.claimed, 200, "{}", variant.name);
        let expected = expected_cost(arm.path, Extras::default());
        assert_eq!(arm.wire.round_trips, u64::from(expected.round_trips) * 200, "{}", variant.name);
        for (command, count) in expected.commands {
            // As the servers count: what is beyond it is called inside functions.
            let counted = variant.server.calls_per_claim[command];
            let exact = ["fcall", "hget"].contains(&command);
            assert!(counted >= f64::from(count) - 1e-9, "{}: {command} {counted}", variant.name);
            assert!(
                !exact || (counted - f64::from(count)).abs() < 1e-9,
                "{}: {command} {counted}",
                variant.name
            );
        }
        assert_eq!(variant.server.bytes_in_per_claim.is_none(), arm.path.is_sdk(), "{}", variant.name);
    }
    let bytes = |one: &&reclaim_analysis::judge::ExactMetric| one.metric.to_string().ends_with("_bytes");
    let counted: Vec<_> = result.exact.iter().filter(bytes).map(|one| one.candidate.as_str()).collect();
    assert!(counted.contains(&"hget-lane"), "{counted:?}");
    assert!(!counted.iter().any(|name| name.starts_with("sdk-")), "{counted:?}");
    // So few claims may not be able to tell; where they are, both sdk-resume and sdk-grant are held against it.
    let slower = |one: &reclaim_analysis::judge::Comparison| {
        one.metric == reclaim_analysis::scenario::Metric::ServiceP50
            && one.candidate == "hget-lane"
            && one.verdict == reclaim_analysis::judge::Verdict::Regression
    };
    let told = !result.is_vetoed() && result.comparisons.iter().any(slower);
    let seen = reclaim_analysis::judge::headline_seen(&result);
    assert_eq!(seen.len(), if told { 2 } else { 0 }, "{told}");
}

#[tokio::test(flavor = "current_thread")]
async fn the_sdk_claims_beside_scanner_and_interruptions_with_several_in_flight() {
    let sections =
        format!("{POPULATION}\n[load]\nmode = \"churn\"\nconcurrency = 8\nclaims = 600\nwarmup = 50");
    let cluster = Rc::new(support::own(3, 0).await);
    let result = run(&cluster, &scenario_text(&sections, &["sdk-grant"]), 3).await;
    assert_clean(&result);
    assert_eq!(result.variants[0].outcomes.claimed, 600);
}
