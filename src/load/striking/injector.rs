//! Strikes: does to the servers what a scenario's `[[fault]]` says, when it says so, while the window goes
//! on.

use std::collections::BTreeSet;
use std::time::Duration;

use ff_core::partition::{Partition, PartitionFamily};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::super::faults::Faults;
use super::super::session::Session;
use crate::cluster::{FaultError, ServerView, SlotMove};
use crate::valkey::{NodeAddr, Wire};
use reclaim_analysis::record::{InjectionFailure, slot_of_tag};
use reclaim_analysis::scenario::{FaultKind, FaultSpec};

/// Who is struck is found out this long before.
const AHEAD: Duration = Duration::from_millis(250);

/// How often another primary is asked for its view.
const LOOK: Duration = Duration::from_millis(25);

/// A look that takes longer than this is made somewhere else.
const LOOK_LIMIT: Duration = Duration::from_millis(500);

/// How long a replica may take: an election, and its replication catching up with a busy machine.
const TAKEOVER_LIMIT: Duration = Duration::from_mins(1);

/// How long a server is watched after a fault that lets no replica take over by itself: longer than a node
/// timeout of our own servers, so that a failover which it brings about is seen.
const WATCHED_AFTER_FAULT: Duration = Duration::from_secs(8);

/// Does `work`, which is the window that begins at `start`, and strikes meanwhile. Returns once the work is
/// done and every fault is over, whatever ended the work, and the cluster is whole again as far as it can be.
pub(in crate::load) async fn beside_strikes<T>(
    session: &Session<'_>,
    start: Instant,
    work: impl Future<Output = T>,
) -> T {
    let Some(faults) = &session.faults else { return work.await };
    faults.log.begin(start);
    let over = CancellationToken::new();
    let injector = Injector { session, faults, start, over: &over };
    let numbers = 0..session.scenario().faults.len();
    let mut strikes: FuturesUnordered<_> = numbers.map(|number| injector.fault(number)).collect();
    let follow = faults.follower.follow();
    tokio::pin!(work, follow);
    let mut done = None;
    loop {
        tokio::select! {
            biased;
            result = &mut work, if done.is_none() => {
                done = Some(result);
                over.cancel();
            }
            Some(()) = strikes.next() => {}
            never = &mut follow => match never {},
        }
        if strikes.is_empty()
            && let Some(result) = done.take()
        {
            let waiting = |left| session.watch().waiting("for the cluster to be whole", left);
            faults.follower.until_whole(&waiting).await;
            injector.last_looks().await;
            return result;
        }
    }
}

/// Strikes in one window.
pub(super) struct Injector<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) faults: &'a Faults,
    start: Instant,
    /// Cancelled when the window is over.
    pub(super) over: &'a CancellationToken,
}

/// Who is struck.
pub(super) struct Struck {
    pub(super) server: NodeAddr,
    /// Who is asked to take over, or is the one struck.
    pub(super) replica: Option<NodeAddr>,
    /// Flow partitions that it serves; none for a replica. Where slots move, those in them.
    pub(super) partitions: BTreeSet<u16>,
    pub(super) witness: Option<Wire>,
    /// Slots that are to move.
    pub(super) moving: Option<SlotMove>,
}

impl Struck {
    /// One of the slots that it serves; none of a replica's.
    pub(super) fn slot(&self) -> Option<u16> {
        self.partitions.first().map(|partition| slot_of_tag(&flow(*partition).hash_tag()))
    }
}

impl Injector<'_> {
    async fn fault(&self, number: usize) {
        let spec = self.session.scenario().faults[number];
        let due = self.start + spec.at;
        let done = async {
            self.until(due - AHEAD.min(spec.at)).await?;
            let struck = self.find(number, &spec).await?;
            self.until(due).await?;
            self.session.watch().note(&format!("fault: {} of {} begins", spec.kind.as_str(), struck.server));
            self.strike(number, &spec, struck).await
        };
        if let Err(failure) = done.await {
            self.faults.log.failed(number, failure);
            self.ended(number);
        }
    }

    /// Waits for a moment at which a fault may still strike: the window is not over then, and nobody has
    /// stopped the run.
    async fn until(&self, moment: Instant) -> Result<(), InjectionFailure> {
        let cancel = self.session.cancel();
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(InjectionFailure::Interrupted),
            () = self.over.cancelled() => Err(InjectionFailure::WindowOver),
            () = sleep_until(moment) => Ok(()),
        }
    }

    /// Notes that a fault is over, and says so when it is: it may be watched for longer.
    pub(super) fn ended(&self, number: usize) {
        if !self.faults.log.ended(number) {
            return;
        }
        let (kind, server, failed) = self.faults.log.named(number);
        let how = if failed { "could not be carried out to its end" } else { "is over" };
        self.session.watch().note(&format!("fault: {} of {server} {how}", kind.as_str()));
    }

    /// For as long as a fault is to last, or until somebody stops the run: nothing stays as it is then.
    pub(super) async fn lasting(&self, spec: &FaultSpec) {
        lasting(spec.lasting, self.session.cancel()).await;
    }

    async fn strike(&self, number: usize, spec: &FaultSpec, struck: Struck) -> Result<(), InjectionFailure> {
        let (cluster, log) = (&self.session.first_site().cluster, &self.faults.log);
        let server = &struck.server;
        match spec.kind {
            FaultKind::Pause => {
                let pause = async {
                    let stopped = cluster.stop_process(server).await.map_err(|error| refused(&error))?;
                    log.silenced(number);
                    self.lasting(spec).await;
                    stopped.go_on().await;
                    Ok(())
                };
                // The strike is noted before it is made: the way into a container takes some tenths of a second.
                return self.out_of_service(number, &struck, pause).await;
            }
            FaultKind::Kill => {
                log.struck(number, server, struck.partitions.clone());
                self.session.patience.excuse(server);
                if let Err(error) = cluster.kill_server(server).await {
                    self.session.patience.expect(server);
                    return Err(refused(&error));
                }
                return self.taken_over(number, &struck).await;
            }
            FaultKind::Failover => {
                log.struck(number, server, struck.partitions.clone());
                if let Some(replica) = &struck.replica {
                    cluster.begin_failover(replica).await.map_err(|error| refused(&error))?;
                }
                return self.taken_over(number, &struck).await;
            }
            FaultKind::Disconnect => {
                log.struck(number, server, struck.partitions.clone());
                self.cut_claims(number, server).await?;
            }
            FaultKind::Busy => {
                let busy = async {
                    let kept = cluster.keep_busy(server, spec.lasting, self.session.cancel()).await;
                    kept.map_err(|error| refused(&error))
                };
                return self.out_of_service(number, &struck, busy).await;
            }
            FaultKind::Restart => {
                let restart = self.restart(number, spec, &struck);
                return self.out_of_service(number, &struck, restart).await;
            }
            FaultKind::Partition => {
                let partition = self.partition(number, spec, server);
                return self.out_of_service(number, &struck, partition).await;
            }
            FaultKind::MoveSlots => {
                if let Some(plan) = &struck.moving {
                    self.move_slots(number, plan, struck.partitions.clone()).await?;
                }
            }
        }
        Ok(())
    }

    /// Ends the connections that claims use to a server; new ones may be made at once.
    async fn cut_claims(&self, number: usize, server: &NodeAddr) -> Result<(), InjectionFailure> {
        let cut =
            self.session.first_site().cluster.cut_claims(server).await.map_err(|error| refused(&error))?;
        if cut == 0 {
            let detail = format!("{server} knew none of the connections that claims use");
            return Err(InjectionFailure::Refused { detail });
        }
        self.ended(number);
        Ok(())
    }

    /// Waits until another server serves what the struck one did, also where the run was stopped: until then
    /// nobody could read anything back, and what the takeover loses would have no reason.
    async fn taken_over(&self, number: usize, struck: &Struck) -> Result<(), InjectionFailure> {
        let begun = Instant::now();
        if timeout(TAKEOVER_LIMIT, self.watch(number, struck)).await.is_err() {
            return Err(InjectionFailure::NoTakeover { waited_s: begun.elapsed().as_secs_f64() });
        }
        self.ended(number);
        Ok(())
    }

    /// Notes that a server is struck and does `work` to it, during which it serves nobody; watches it
    /// meanwhile and after.
    async fn out_of_service(
        &self,
        number: usize,
        struck: &Struck,
        work: impl Future<Output = Result<(), InjectionFailure>>,
    ) -> Result<(), InjectionFailure> {
        let (log, patience) = (&self.faults.log, &self.session.patience);
        log.struck(number, &struck.server, struck.partitions.clone());
        patience.excuse(&struck.server);
        let mut done = Ok(());
        let lasts = async {
            done = work.await;
            if let Err(failure) = &done {
                log.failed(number, failure.clone());
            }
            self.ended(number);
            patience.expect(&struck.server);
        };
        self.watch_until_over(number, struck, lasts).await;
        done
    }

    /// Waits for what `lasts`, and watches the server meanwhile and for a while after, as long as the window
    /// goes on.
    async fn watch_until_over(&self, number: usize, struck: &Struck, lasts: impl Future<Output = ()>) {
        tokio::pin!(lasts);
        let watch = self.watch(number, struck);
        tokio::pin!(watch);
        let mut seen = false;
        loop {
            tokio::select! {
                () = &mut lasts => break,
                () = &mut watch, if !seen => seen = true,
            }
        }
        if !seen {
            let rest = async {
                tokio::select! {
                    () = &mut watch => {}
                    () = self.over.cancelled() => {}
                }
            };
            // What has not happened by then does not.
            let _ = timeout(WATCHED_AFTER_FAULT, rest).await;
        }
    }

    /// Another server serves what the struck one did. One that was asked for it has all; one that was elected
    /// may not.
    fn took_over(&self, number: usize, struck: &Struck, heir: &NodeAddr) {
        let failed = self.faults.log.took_over(number, &struck.server, heir);
        if self.session.scenario().faults[number].kind != FaultKind::Failover
            && let Some(failed) = failed
        {
            self.session.first_site().workload.note_takeover(&struck.partitions, failed.into_std());
        }
    }

    /// Looks once more at each server that was struck: a takeover that nobody watched any more has lost what
    /// it has lost.
    async fn last_looks(&self) {
        for (number, server, partitions) in self.faults.log.without_heir() {
            let struck = Struck { server, replica: None, partitions, witness: None, moving: None };
            let (Some(slot), Some(witness)) =
                (struck.slot(), self.session.first_site().cluster.witness_of(&struck.server).await)
            else {
                continue;
            };
            let view = self.session.first_site().cluster.view_of(&witness, &struck.server, slot);
            if let Ok(Ok(ServerView { heir: Some(heir), .. })) = timeout(LOOK_LIMIT, view).await {
                self.took_over(number, &struck, &heir);
            }
        }
    }

    /// Looks at a server through another primary until somebody else serves what it served. Never ends for a
    /// replica, or where there is no other primary.
    async fn watch(&self, number: usize, struck: &Struck) {
        let Some(slot) = struck.slot() else { return std::future::pending().await };
        let (cluster, log) = (&self.session.first_site().cluster, &self.faults.log);
        let mut witness = struck.witness.clone();
        loop {
            if witness.is_none() {
                witness = cluster.witness_of(&struck.server).await;
            }
            if let Some(wire) = &witness {
                match timeout(LOOK_LIMIT, cluster.view_of(wire, &struck.server, slot)).await {
                    Ok(Ok(view)) => {
                        if view.failed {
                            log.marked_failed(number);
                        }
                        if let Some(heir) = view.heir {
                            self.took_over(number, struck, &heir);
                            return;
                        }
                    }
                    // That one is in trouble too, or silent: another may see more.
                    Ok(Err(_)) | Err(_) => witness = None,
                }
            }
            sleep(LOOK).await;
        }
    }
}

/// For so long, or until somebody stops the run.
async fn lasting(time: Duration, cancel: &CancellationToken) {
    tokio::select! {
        () = sleep(time) => {}
        () = cancel.cancelled() => {}
    }
}

/// A flow partition by its number.
pub(super) fn flow(index: u16) -> Partition {
    Partition { family: PartitionFamily::Flow, index }
}

pub(super) fn refused(error: &FaultError) -> InjectionFailure {
    InjectionFailure::Refused { detail: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_mins(1);

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn what_lasts_for_a_time_ends_at_once_when_the_run_is_stopped() {
        let (begun, cancel) = (Instant::now(), CancellationToken::new());
        lasting(TIME, &cancel).await;
        assert_eq!(begun.elapsed(), TIME);
        let stop = async {
            sleep(TIME / 4).await;
            cancel.cancel();
        };
        tokio::join!(lasting(TIME, &cancel), stop);
        assert_eq!(begun.elapsed(), TIME + TIME / 4);
    }
}
