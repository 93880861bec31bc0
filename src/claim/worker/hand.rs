//! The hand that gives grants to a worker, as a way of claiming.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::super::error::SdkRefusal;
use super::super::line::Line;
use super::super::order::{ClaimOrder, ClaimReceipt};
use super::super::path::{ClaimPath, ClaimSetup};
use super::super::routes::LocalFuture;
use super::super::sdk_receipt::{Claimed, receipt};
use super::error::WorkerError;
use super::process::{Told, WorkerProcess, now_ns};
use crate::workload::HeldLease;
use reclaim_analysis::record::{LatencyHistogram, SdkInfo, WireCost};
use reclaim_analysis::scenario::{VariantPath, steps};

/// One worker and what became of it.
pub struct Hand {
    path: VariantPath,
    /// What it was built from.
    pub info: SdkInfo,
    /// Its process.
    pub pid: u32,
    /// Taken out while it claims; none left once it has failed.
    process: RefCell<Option<WorkerProcess>>,
    /// Longest wait for an answer.
    limit: Duration,
    failed: RefCell<Option<WorkerError>>,
    /// Ends the run where the worker fails.
    end: CancellationToken,
    /// What a claim took beside the worker's own time.
    handover: RefCell<LatencyHistogram>,
}

impl Hand {
    /// Of a worker that has connected. `timeout` is the longest wait for one reply of a server.
    pub fn new(
        process: WorkerProcess,
        (path, info): (VariantPath, SdkInfo),
        timeout: Duration,
        end: CancellationToken,
    ) -> Rc<Self> {
        Rc::new(Self {
            path,
            info,
            pid: process.id(),
            process: Some(process).into(),
            limit: timeout * steps(path).len() as u32,
            failed: RefCell::default(),
            end,
            handover: RefCell::default(),
        })
    }

    /// Why it can claim no more; `None` for one that can.
    pub fn failure(&self) -> Option<WorkerError> {
        self.failed.borrow().clone()
    }

    /// Median time in microseconds that a claim took beside the worker's own; `None` before the first one.
    pub fn handover_p50_us(&self) -> Option<f64> {
        self.handover.borrow().quantile_us(0.5)
    }

    /// A way of claiming by this worker.
    pub fn claims(self: &Rc<Self>, setup: ClaimSetup) -> Box<dyn ClaimPath> {
        Box::new(ByHand { hand: Rc::clone(self), setup })
    }

    async fn claimed(
        &self,
        order: &ClaimOrder<'_>,
    ) -> (Result<HeldLease, SdkRefusal>, Option<(Instant, Instant)>) {
        let refused = |words: String, late: bool| (Err(SdkRefusal { code: None, words, late }), None);
        let Some(mut process) = self.process.take() else {
            return refused("its worker has failed, or claims already".to_owned(), false);
        };
        match process.claim(&order.ticket.grant, self.limit).await {
            Ok(Told { answered, asked }) => {
                self.process.replace(Some(process));
                let own = answered.ended_ns - answered.begun_ns;
                let beside = asked.received_ns - asked.sent_ns - own;
                self.handover.borrow_mut().record(Duration::from_nanos(beside));
                let clocks = instant(answered.begun_ns).zip(instant(answered.ended_ns));
                (answered.claimed, clocks)
            }
            Err(error) => {
                let (words, late) = (error.to_string(), matches!(error, WorkerError::Silent { .. }));
                self.failed.replace(Some(error));
                self.end.cancel();
                refused(words, late)
            }
        }
    }
}

/// A moment of the machine's monotonic clock, as this process' clock has it.
fn instant(at_ns: u64) -> Option<Instant> {
    let (now, now_ns) = (Instant::now(), now_ns());
    now.checked_sub(Duration::from_nanos(now_ns.saturating_sub(at_ns)))
}

struct ByHand {
    hand: Rc<Hand>,
    setup: ClaimSetup,
}

impl ByHand {
    async fn run(&self, order: &ClaimOrder<'_>) -> ClaimReceipt {
        let (claimed, clocks) = self.hand.claimed(order).await;
        let claimed = Claimed { claimed, path: self.hand.path };
        let (begun, ended) = clocks.unzip();
        // What it sends nobody counts but the servers.
        ClaimReceipt { begun, ended, cost: WireCost::default(), ..receipt(&self.setup, order, claimed) }
    }
}

impl ClaimPath for ByHand {
    fn path(&self) -> VariantPath {
        self.hand.path
    }

    fn claim<'a>(&'a self, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        Box::pin(self.run(order))
    }

    /// The SDK follows redirects itself, so nobody asks for this.
    fn claim_over<'a>(&'a self, _: Line, order: &'a ClaimOrder<'a>) -> LocalFuture<'a, ClaimReceipt> {
        self.claim(order)
    }
}
