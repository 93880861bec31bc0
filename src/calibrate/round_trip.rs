//! One request in flight: the client against the bytes alone.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use rand::seq::SliceRandom as _;

use super::error::CalibrateError;
use super::noop::Bench;
use super::plan::CalibrationPlan;
use crate::cluster::Cluster;
use crate::flowfabric::{CallError, LibraryVersion, Request as _, call};
use crate::valkey::{NodeIndex, Wire};
use reclaim_analysis::record::WireCost;
use reclaim_analysis::record::stream;
use reclaim_analysis::record::{RoundTripRecord, Samples};

/// Requests on each side that are not recorded.
const WARMUP: u32 = 200;
/// Requests between two looks at whether the user wants an end.
const CHECK_EVERY: usize = 500;

/// The same request through the client and on a bare socket, in random order; `None` where the nodes speak
/// TLS.
///
/// The socket is read on this very thread, as the client's is: what differs is the runtime and the client's
/// code.
pub(super) async fn measure(
    bench: &mut Bench<'_>,
    plan: &CalibrationPlan,
    seed: u64,
    cluster: &Cluster,
    node: NodeIndex,
) -> Result<Option<RoundTripRecord>, CalibrateError> {
    let Some(socket) = cluster.bare_socket(node)? else { return Ok(None) };
    let wire = bench.wire(plan.connections[0]);
    let mut bare = Bare::new(socket, &wire).await?;
    for _ in 0..WARMUP {
        ask(&wire).await?;
        bare.ask()?;
    }
    let mut sides: Vec<bool> = (0..2 * plan.round_trips).map(|n| n % 2 == 0).collect();
    sides.shuffle(&mut stream(seed, "round trips"));
    let mut record = RoundTripRecord { client: Samples::default(), bare: Samples::default() };
    for (n, through_client) in sides.into_iter().enumerate() {
        if n % CHECK_EVERY == 0 {
            bench.check()?;
        }
        let sent = Instant::now();
        if through_client {
            ask(&wire).await?;
            record.client.push(sent.elapsed());
        } else {
            bare.ask()?;
            record.bare.push(sent.elapsed());
        }
    }
    bench.sent_bare(u64::from(WARMUP + plan.round_trips));
    Ok(Some(record))
}

async fn ask(wire: &Wire) -> Result<(), CallError> {
    call(wire, &LibraryVersion, &mut WireCost::default()).await.map(drop)
}

/// A blocking socket that knows how long the reply is.
struct Bare {
    socket: TcpStream,
    request: Vec<u8>,
    reply: Vec<u8>,
    expected: Vec<u8>,
}

impl Bare {
    /// Learns the reply from the client's connection.
    async fn new(socket: TcpStream, wire: &Wire) -> Result<Self, CalibrateError> {
        let version = call(wire, &LibraryVersion, &mut WireCost::default()).await?;
        let expected = format!("${}\r\n{version}\r\n", version.len()).into_bytes();
        let request = LibraryVersion.command().get_packed_command();
        Ok(Self { socket, request, reply: vec![0; expected.len()], expected })
    }

    fn ask(&mut self) -> Result<(), CalibrateError> {
        self.socket.write_all(&self.request).map_err(CalibrateError::Socket)?;
        self.socket.read_exact(&mut self.reply).map_err(CalibrateError::Socket)?;
        if self.reply == self.expected { Ok(()) } else { Err(CalibrateError::OtherReply) }
    }
}
