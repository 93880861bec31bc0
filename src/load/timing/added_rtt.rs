//! A simulated network between the workers and the cluster: `load.network.added_rtt`.
//!
//! A reply becomes visible to its worker only when the added time has passed since it arrived. What that does
//! to a claim is what a longer wire does: one added time per round trip, and none for commands that share
//! one. Timed by a thread with absolute sleeps, as the pacer is; how long replies were really held is kept
//! and stands in the result.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use ff_core::partition::Partition;
use tokio::sync::oneshot;

use super::pacer::{minimise_timer_slack, sleep_until};
use crate::claim::{LocalFuture, Reroutes, Routes};
use crate::cluster::Cluster;
use crate::valkey::{NodeAddr, SimulatedNetwork, Wire};
use reclaim_analysis::record::{AddedRoundTrip, LatencyHistogram};

/// A reply on its way: when it is there, and whom to tell.
type OnItsWay = (Instant, oneshot::Sender<()>);

/// Holds every reply back for the same time.
pub(in crate::load) struct AddedRtt {
    asked: Duration,
    /// `None` only while the line is taken down.
    line: Option<mpsc::Sender<OnItsWay>>,
    thread: Option<std::thread::JoinHandle<()>>,
    given: RefCell<LatencyHistogram>,
}

impl AddedRtt {
    /// Starts the thread that times it.
    pub fn start(asked: Duration) -> std::io::Result<Rc<Self>> {
        let (line, replies) = mpsc::channel::<OnItsWay>();
        let thread = std::thread::Builder::new().name("added-rtt".into()).spawn(move || {
            minimise_timer_slack();
            let never = AtomicBool::new(false);
            // All replies are held equally long, so they are due in the order in which they came.
            for (due, there) in replies {
                sleep_until(due, &never);
                // A claim that gave up in the meantime does not wait any more.
                let _ = there.send(());
            }
        })?;
        let given = RefCell::default();
        Ok(Rc::new(Self { asked, line: Some(line), thread: Some(thread), given }))
    }

    /// Forgets how long replies were held so far: the warm-up's are no part of a result.
    pub fn forget(&self) {
        self.given.borrow_mut().reset();
    }

    /// What was asked for and what was given.
    pub fn record(&self) -> AddedRoundTrip {
        AddedRoundTrip { asked_us: self.asked.as_secs_f64() * 1e6, given: self.given.borrow().encode() }
    }
}

impl SimulatedNetwork for AddedRtt {
    fn travel(&self) -> LocalFuture<'_, ()> {
        Box::pin(async move {
            let arrived = Instant::now();
            let (there, wait) = oneshot::channel();
            let sent =
                self.line.as_ref().is_some_and(|line| line.send((arrived + self.asked, there)).is_ok());
            if sent {
                // The thread answers every reply that it was given.
                let _ = wait.await;
            }
            self.given.borrow_mut().record(arrived.elapsed());
        })
    }
}

impl Drop for AddedRtt {
    fn drop(&mut self) {
        drop(self.line.take());
        if let Some(thread) = self.thread.take() {
            // It has nothing to say about a panic that its waiters have not seen.
            let _ = thread.join();
        }
    }
}

/// The cluster, this far away.
pub(in crate::load) struct Remote {
    pub cluster: Rc<Cluster>,
    pub added_rtt: Rc<AddedRtt>,
}

impl Remote {
    fn away(&self, wire: &Wire) -> Wire {
        wire.at(Rc::clone(&self.added_rtt) as Rc<dyn SimulatedNetwork>)
    }
}

impl Routes for Remote {
    fn wire_for(&self, partition: Partition) -> Wire {
        self.away(&self.cluster.wire_for(partition))
    }
}

impl Reroutes for Remote {
    fn refresh(&self) -> LocalFuture<'_, ()> {
        Reroutes::refresh(self.cluster.as_ref())
    }

    fn wire_to<'a>(&'a self, addr: &'a NodeAddr) -> LocalFuture<'a, Option<Wire>> {
        Box::pin(async move { self.cluster.wire_to(addr).await.map(|wire| self.away(&wire)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_reply_is_held_at_least_as_long_as_asked() {
        let asked = Duration::from_millis(3);
        let line = AddedRtt::start(asked).unwrap();
        let begun = Instant::now();
        for _ in 0..5 {
            line.travel().await;
        }
        assert!(begun.elapsed() >= 5 * asked);
        let record = line.record();
        let given = reclaim_analysis::stats::Latencies::decode(&record.given).unwrap().unwrap();
        assert_eq!(given.count(), 5);
        assert!(given.quantile_us(0.0) >= 2_995.0, "three digits of 3 ms");
        assert!((record.asked_us - 3_000.0).abs() < 1e-6);
        line.forget();
        assert_eq!(line.record().given.0, None);
    }

    #[tokio::test]
    async fn replies_travel_side_by_side() {
        // Were they held one after the other, this would take ten seconds.
        let line = AddedRtt::start(Duration::from_millis(50)).unwrap();
        let many = futures_util::future::join_all((0..200).map(|_| line.travel()));
        tokio::time::timeout(Duration::from_secs(5), many).await.unwrap();
    }

    #[tokio::test]
    async fn a_claim_that_gives_up_holds_nobody_up() {
        let line = AddedRtt::start(Duration::from_millis(20)).unwrap();
        let gone = tokio::time::timeout(Duration::from_millis(1), line.travel()).await;
        assert!(gone.is_err());
        line.travel().await;
    }
}
