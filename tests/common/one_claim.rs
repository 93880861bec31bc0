//! One claim, and what a server sees of it.

use std::rc::Rc;

use ff_core::types::{AttemptId, LeaseId};
use reclaim_analysis::record::WireCost;
use reclaim_analysis::scenario::VariantPath;
use reclaim_bench::claim::*;
use reclaim_bench::flowfabric::WorkerIdentity;
use reclaim_bench::valkey::{NodeAddr, Wire};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::staged::{LEASE_TTL, Stage};

pub const PATHS: [VariantPath; 9] = [
    VariantPath::GrantLane,
    VariantPath::HgetLane,
    VariantPath::HmgetLane,
    VariantPath::PipelinedLane,
    VariantPath::FullGrant,
    VariantPath::Fused,
    VariantPath::FirstClaim,
    VariantPath::BareFirstClaim,
    VariantPath::LeaseReclaim,
];

pub async fn setup(routes: Rc<dyn Routes>, wire: &Wire) -> ClaimSetup {
    let clocks = ServerClocks::default();
    clocks.read(wire).await.unwrap();
    ClaimSetup::plain(routes, clocks)
}

pub fn order<'a>(ticket: &'a ClaimTicket, worker: &'a WorkerIdentity) -> ClaimOrder<'a> {
    ClaimOrder {
        ticket,
        worker,
        lease_id: LeaseId::new(),
        attempt_id: AttemptId::new(),
        lease_ttl: LEASE_TTL,
        again: false,
    }
}

/// A ticket that `path` can claim.
pub async fn ticket(stage: &Stage, path: VariantPath) -> ClaimTicket {
    if path.is_lease_reclaim() {
        let (execution, _) = stage.lapsed().await;
        stage.ok(&stage.reclaim_grant(&execution)).await;
        return stage.ticket_of(&execution, true).await;
    }
    let execution = if path.is_first_claim() { stage.created().await } else { stage.interrupted().await.0 };
    stage.ticket(&execution, path != VariantPath::Fused).await
}

/// What a server executes, command by command.
pub struct Monitor {
    lines: tokio::io::Lines<BufReader<TcpStream>>,
}

impl Monitor {
    pub async fn on(addr: &NodeAddr) -> Self {
        let mut stream = TcpStream::connect((addr.host.as_str(), addr.port)).await.unwrap();
        stream.write_all(b"MONITOR\r\n").await.unwrap();
        let mut lines = BufReader::new(stream).lines();
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("+OK"));
        Self { lines }
    }

    /// Everything up to the command that carries `marker`: (who sent it, its words).
    pub async fn until(&mut self, marker: &str) -> Vec<(String, Vec<String>)> {
        let mut seen = Vec::new();
        loop {
            let line = self.lines.next_line().await.unwrap().expect("the server closed the connection");
            // +1700000000.123456 [0 127.0.0.1:54321] "hget" "key" "field"
            let (_, rest) = line.split_once(" [0 ").expect("a MONITOR line");
            let (who, command) = rest.split_once("] ").expect("a MONITOR line");
            let inner =
                command.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).expect("quoted words");
            let words: Vec<String> = inner.split("\" \"").map(str::to_owned).collect();
            if words.iter().any(|word| word == marker) {
                return seen;
            }
            seen.push((who.to_owned(), words));
        }
    }
}

/// The address under which the server knows this wire's only connection.
pub async fn own_address(wire: &Wire) -> String {
    let mut cmd = redis::cmd("CLIENT");
    cmd.arg("INFO");
    let reply = wire.call("client|info", &cmd, &mut WireCost::default()).await.unwrap();
    let info: String = redis::from_redis_value(reply).unwrap();
    let addr = info.split(' ').find_map(|field| field.strip_prefix("addr="));
    addr.expect("CLIENT INFO has an addr").to_owned()
}

pub async fn echo(wire: &Wire, marker: &str) {
    let mut cmd = redis::cmd("ECHO");
    cmd.arg(marker);
    wire.call("echo", &cmd, &mut WireCost::default()).await.unwrap();
}
