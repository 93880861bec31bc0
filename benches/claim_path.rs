//! One claim at a time on a live cluster, per variant, for people who live in criterion's reports.
//!
//! These figures are not the tool's verdict: the variants run one after the other here, and a machine drifts
//! between them. `reclaim-bench run lane-ab` mixes them per request and judges. Servers come from
//! `RECLAIM_BENCH_NODES`, `VALKEY_SERVER`, PATH, or the pinned build, as for the tool itself.

mod support;

use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use criterion::{Criterion, SamplingMode};
use reclaim_analysis::scenario::Provider;
use reclaim_analysis::scenario::{self, Scenario, Shipped, VariantPath};
use reclaim_bench::claim::{ClaimOrder, ClaimPath, ClaimSetup, ClaimTicket, ServerClocks, claim_path};
use reclaim_bench::cluster::{self, ClusterRequest};
use reclaim_bench::flowfabric::LibraryAlias;
use reclaim_bench::valkey::NodeAddr;
use reclaim_bench::workload::{self, ExecIndex, Oversight, Phase, ScanRequest, Seek, Workload};
use support::inputs::SEED;
use tokio_util::sync::CancellationToken;

/// Executions that are staged at once. Small, so that criterion's many short calls do not wait for long.
const STAGED: u32 = 256;

/// First claims come last: they leave new executions behind, the others use the same ones again.
const VARIANTS: [(&str, VariantPath); 8] = [
    ("full-grant", VariantPath::FullGrant),
    ("grant-lane", VariantPath::GrantLane),
    ("hmget-lane", VariantPath::HmgetLane),
    ("pipelined-lane", VariantPath::PipelinedLane),
    ("hget-lane", VariantPath::HgetLane),
    ("fused", VariantPath::Fused),
    ("first-claim", VariantPath::FirstClaim),
    ("bare-first-claim", VariantPath::BareFirstClaim),
];

#[expect(clippy::print_stdout, reason = "who reads criterion's lines must read this as well")]
fn main() -> Result<()> {
    println!("claim_path: a description per variant; verdicts come from `reclaim-bench run lane-ab`");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .noise_threshold(0.05)
        .configure_from_args();
    let stage = runtime.block_on(Stage::set())?;
    let mut group = criterion.benchmark_group("claim_path");
    // A claim takes long enough to be timed alone, and staging between samples should not grow with them.
    group.sampling_mode(SamplingMode::Flat).sample_size(30);
    for (name, variant) in VARIANTS {
        let path = claim_path(variant, stage.setup.clone());
        group.bench_function(name, |b| {
            b.iter_custom(|iterations| {
                runtime
                    .block_on(stage.claims(path.as_ref(), iterations))
                    .unwrap_or_else(|error| panic!("{name}: {error:#}"))
            });
        });
    }
    group.finish();
    criterion.final_summary();
    runtime.block_on(stage.clear())
}

/// A cluster, its workload, and what all claims share.
struct Stage {
    workload: Workload,
    setup: ClaimSetup,
    scenario: Scenario,
    cancel: CancellationToken,
}

impl Stage {
    async fn set() -> Result<Self> {
        let shipped = Shipped::find("claim-paths").context("the scenario claim-paths is not shipped")?;
        let scenario = scenario::parse(shipped.name, shipped.text)?;
        let cancel = CancellationToken::new();
        let cluster = Rc::new(cluster::open(&request()?, &|_| (), &cancel).await?);
        let partitions = workload::partitions(&cluster, scenario.population.partitions).await?;
        let clocks = ServerClocks::measure(&cluster).await?;
        let workload = Workload::new(Rc::clone(&cluster), &scenario, SEED, partitions);
        let setup = ClaimSetup {
            routes: cluster,
            clocks,
            library: LibraryAlias::OWN,
            contended: false,
            task_context: false,
            wait: None,
        };
        Ok(Self { workload, setup, scenario, cancel })
    }

    /// Makes claims and adds up their times. Staging between them is not timed.
    async fn claims(&self, path: &dyn ClaimPath, claims: u64) -> Result<Duration> {
        let mut timed = Duration::ZERO;
        let mut left = claims;
        while left > 0 {
            let count = left.min(u64::from(STAGED));
            for (exec, ticket) in self.tickets(path.path(), count as u32).await? {
                timed += self.claim(path, exec, &ticket).await?;
            }
            left -= count;
        }
        Ok(timed)
    }

    async fn claim(&self, path: &dyn ClaimPath, exec: ExecIndex, ticket: &ClaimTicket) -> Result<Duration> {
        let order = ClaimOrder {
            ticket,
            worker: self.workload.worker(),
            lease_id: self.workload.next_lease(exec, 0),
            attempt_id: self.workload.attempt_id(exec),
            lease_ttl: self.scenario.grant.lease_ttl,
            again: false,
        };
        let sent = Instant::now();
        let receipt = path.claim(&order).await;
        let took = sent.elapsed();
        let Some(lease) = receipt.lease else {
            bail!(
                "{} was not claimed: {:?}, {:?}",
                ticket.grant.execution_id,
                receipt.outcome,
                receipt.error
            );
        };
        self.workload.record_claim(exec, &lease);
        Ok(took)
    }

    /// Exactly `count` tickets that the variant can claim with.
    async fn tickets(&self, path: VariantPath, count: u32) -> Result<Vec<(ExecIndex, ClaimTicket)>> {
        let control = Oversight::quiet(&self.cancel);
        let seek = if path.is_first_claim() {
            // The executions of the round before are of no more use, and sets must not grow from round to
            // round.
            self.workload.remove(&control).await?;
            self.workload.create(count, &control).await?;
            Seek::Fresh
        } else {
            self.interrupt(count, &control).await?;
            Seek::Interrupted
        };
        let request = ScanRequest {
            sets: &self.workload.lane_sets(),
            seek,
            issue: path != VariantPath::Fused,
            forgiving: false,
        };
        let report = self.workload.scan(&request, &control).await?;
        ensure!(report.tickets.len() == count as usize, "the scanner found {report:?} of {count}");
        Ok(report.tickets)
    }

    /// Brings `count` executions from active to runnable; creates what is missing.
    async fn interrupt(&self, count: u32, control: &Oversight<'_>) -> Result<()> {
        let mut active = self.workload.in_phase(Phase::Active);
        if active.len() < count as usize {
            let missing = count - active.len() as u32;
            let created = self.workload.create(missing, control).await?;
            self.workload.first_claims(&created, control).await?;
            active.extend(created);
        }
        active.truncate(count as usize);
        self.workload.interrupt(&active, control).await?;
        self.workload.make_runnable(&active, control).await?;
        Ok(())
    }

    /// Checks that every claim took effect as it should, and removes what was written.
    async fn clear(self) -> Result<()> {
        let control = Oversight::quiet(&self.cancel);
        let audit = self.workload.audit(&control).await?;
        ensure!(audit.examples.is_empty(), "the audit found {:?}", audit.examples);
        self.workload.remove(&control).await?;
        Ok(())
    }
}

/// A cluster as the tool's own options would find it.
fn request() -> Result<ClusterRequest> {
    let nodes = match std::env::var("RECLAIM_BENCH_NODES") {
        Ok(nodes) => nodes.split(',').map(node).collect::<Result<_>>()?,
        Err(_) => Vec::new(),
    };
    Ok(ClusterRequest {
        provider: if nodes.is_empty() { Provider::Auto } else { Provider::External },
        nodes,
        valkey_server: std::env::var_os("VALKEY_SERVER").map(PathBuf::from),
        ..ClusterRequest::default()
    })
}

fn node(text: &str) -> Result<NodeAddr> {
    let (host, port) =
        text.rsplit_once(':').with_context(|| format!("RECLAIM_BENCH_NODES: {text:?} is not host:port"))?;
    let port = port.parse().with_context(|| format!("RECLAIM_BENCH_NODES: port {port:?} is no number"))?;
    Ok(NodeAddr { host: host.trim_matches(['[', ']']).to_owned(), port })
}
