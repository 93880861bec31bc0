//! A run's mark on servers that are not ours: set, renewed, taken away, and those of others.
//!
//! Renewing a mark is one `PEXPIRE`. Between windows that happens every few seconds; a window is not
//! disturbed until the mark would run out in it, and then the command is in the tally of what the tool sent,
//! which the counters leave out.

use std::time::{Duration, Instant};

use redis::{Pipeline, Value};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::error::ClusterError;
use super::handle::Cluster;
use super::presence::{
    Announcement, Company, FRESH, LIFE, Mark, OtherRun, Own, PAUSE, PLACES, Pace, key, mark_of, partition,
};
use crate::machine::this_process;
use crate::valkey::{ValkeyError, Wire, ask, unexpected};
use reclaim_analysis::record::WireCost;

impl Cluster {
    /// Looks for other runs, and refuses the company of those that are there. Returns the servers' time in
    /// milliseconds.
    pub(super) async fn meet(&self, announcement: &Announcement) -> Result<u64, ClusterError> {
        if let (Company::Refused { otherwise }, Some(why)) =
            (announcement.company, self.marks_wire().why_unreachable())
        {
            return Err(ClusterError::MarksUnreachable { why: why.to_owned(), otherwise });
        }
        let (others, now_ms) = self.marks().await?;
        // One that is leaving is waited for.
        refuse(announcement, others.into_iter().filter(|other| !other.mark.leaving).collect())?;
        Ok(now_ms)
    }

    /// Marks this run, unless another one is under way whose company it does not want. Waits for one that is
    /// leaving.
    pub(super) async fn announce(
        &self,
        announcement: &Announcement,
        cancel: &CancellationToken,
    ) -> Result<(), ClusterError> {
        let now_ms = self.meet(announcement).await?;
        let mark = Mark {
            run: Uuid::new_v4(),
            what: announcement.what.clone(),
            process: this_process(),
            since_ms: now_ms,
            leaving: false,
        };
        let place = self.take_place(mark).await?;
        let begun = Instant::now();
        loop {
            let others = self.others().await?;
            if others.iter().any(|other| other.mark.leaving) && begun.elapsed() < 2 * LIFE {
                if cancel.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
                    return Err(ClusterError::Cancelled);
                }
                self.renew_if_due().await;
                continue;
            }
            // Of two that came at once the one in the first place stays.
            return refuse(announcement, others.into_iter().filter(|other| other.place < place).collect());
        }
    }

    /// Whether other runs can see that this one is under way.
    pub fn is_announced(&self) -> bool {
        self.presence.own.borrow().is_some()
    }

    /// Other runs of this tool that are under way here; none where that could not be found out while this one
    /// was leaving.
    pub async fn others(&self) -> Result<Vec<OtherRun>, ClusterError> {
        if self.presence.given_up.get() || self.marks_unreachable() {
            return Ok(Vec::new());
        }
        let (mut marks, _) = self.marks().await?;
        let own = self.presence.own.borrow().as_ref().map(|own| own.mark.run);
        marks.retain(|other| Some(other.mark.run) != own);
        Ok(marks)
    }

    /// Notes that this run may have added waitpoint secrets on partitions below this one.
    pub fn note_secrets_below(&self, partition: u16) {
        let known = self.presence.secrets_below.get();
        self.presence.secrets_below.set(known.max(partition));
    }

    /// Partitions below this one may have waitpoint secrets of this run.
    pub fn secrets_below(&self) -> u16 {
        self.presence.secrets_below.get()
    }

    /// Renews the mark for as long as it is polled. Never returns.
    pub async fn stay_marked(&self) {
        loop {
            match self.presence.due() {
                Some(due) if due <= Instant::now() => self.renew().await,
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// A window is about to begin: until [`Self::window_begins`] the mark is not renewed any more.
    pub async fn hold_mark_for_window(&self) {
        let renewed = self.presence.own.borrow().as_ref().map(|own| own.renewed.elapsed());
        if renewed.is_some_and(|age| age > FRESH) {
            self.renew().await;
        }
        self.presence.pace.set(Pace::Held);
    }

    /// Counters have been read and tallies begun: from here on a renewal is on both sides of the account.
    pub fn window_begins(&self) {
        self.presence.pace.set(Pace::Window);
    }

    /// Counters are about to be read again.
    pub fn hold_mark(&self) {
        self.presence.pace.set(Pace::Held);
    }

    /// The window is over.
    pub fn window_ends(&self) {
        self.presence.pace.set(Pace::Free);
    }

    /// At the end of a run: whether what runs share (function library, waitpoint secrets) is this one's to
    /// remove, since nobody else is under way. From here on one that comes waits until this one is gone.
    /// Where nobody can be asked, it is kept for others only by a run that was to have company.
    pub async fn may_remove_shared(&self) -> bool {
        if self.owned() {
            return true;
        }
        if self.presence.given_up.get() {
            return !self.shared();
        }
        if let Ok(alone) = self.is_last().await {
            return alone;
        }
        self.presence.given_up.set(true);
        !self.shared()
    }

    /// Of several that leave at once, the one in the last place looks last: each waits for those before it.
    async fn is_last(&self) -> Result<bool, ClusterError> {
        // Before the others are looked for: who comes in between sees that this one is leaving.
        self.say_leaving().await?;
        let own_place = self.presence.own.borrow().as_ref().map_or(PLACES, |own| own.place);
        let begun = Instant::now();
        loop {
            let others = self.others().await?;
            let (leaving, staying): (Vec<_>, Vec<_>) =
                others.into_iter().partition(|other| other.mark.leaving);
            if !staying.is_empty() {
                return Ok(false);
            }
            let waited_for = leaving.iter().any(|other| other.place < own_place);
            if !waited_for || begun.elapsed() > 2 * LIFE {
                return Ok(true);
            }
            tokio::time::sleep(PAUSE).await;
            self.renew_if_due().await;
        }
    }

    /// Takes the mark away. It would run out by itself.
    pub(super) async fn unmark(&self) {
        if !self.presence.given_up.get() {
            let _ = self.take_cards().await;
        }
        let Some(own) = self.presence.own.take() else { return };
        // One that has run out may be another run's place by now.
        if own.renewed.elapsed() < LIFE && !self.presence.given_up.get() {
            let _ = self.unlink(own.place).await;
        }
    }

    /// Takes away the marks of all other runs: somebody knows that they have ended.
    pub async fn forget_others(&self) -> Result<(), ClusterError> {
        for other in self.others().await? {
            self.unlink(other.place).await?;
        }
        Ok(())
    }

    async fn unlink(&self, place: usize) -> Result<Value, ValkeyError> {
        ask(&self.marks_wire(), "UNLINK run mark", redis::cmd("UNLINK").arg(key(place)), "unlink").await
    }

    async fn renew_if_due(&self) {
        if self.presence.due().is_some_and(|due| due <= Instant::now()) {
            self.renew().await;
        }
    }

    /// A failure is made up for by the next attempt.
    async fn renew(&self) {
        let Some(own) = self.presence.own.borrow().clone() else { return };
        let begun = Instant::now();
        let mut expire = redis::cmd("PEXPIRE");
        expire.arg(key(own.place)).arg(LIFE.as_millis() as u64);
        let lost = if own.renewed.elapsed() < LIFE {
            let renewed = ask(&self.marks_wire(), "PEXPIRE run mark", &expire, "pexpire").await;
            self.note_renewal(begun, matches!(renewed, Ok(Value::Int(1))));
            matches!(renewed, Ok(Value::Int(0)))
        } else {
            true
        };
        // This process was stopped for long, or the server lost it: once more, where it disturbs nothing.
        if lost && self.presence.pace.get() == Pace::Free && self.take_place(own.mark).await.is_err() {
            self.note_renewal(begun, false);
        }
    }

    fn note_renewal(&self, begun: Instant, succeeded: bool) {
        if let Some(own) = self.presence.own.borrow_mut().as_mut() {
            own.tried = Instant::now();
            if succeeded {
                own.renewed = begun;
            }
        }
    }

    /// Puts a mark into the first place that is free.
    async fn take_place(&self, mark: Mark) -> Result<usize, ClusterError> {
        let wire = self.marks_wire();
        for place in 0..PLACES {
            let now = Instant::now();
            let mut set = redis::cmd("SET");
            set.arg(key(place)).arg(mark.text()).arg("NX").arg("PX").arg(LIFE.as_millis() as u64);
            if ask(&wire, "SET run mark", &set, "set").await? == Value::Okay {
                self.presence.own.replace(Some(Own { place, mark, renewed: now, tried: now }));
                return Ok(place);
            }
        }
        Err(ClusterError::Usage(format!(
            "{PLACES} runs are under way on this cluster: wait until one has ended"
        )))
    }

    async fn say_leaving(&self) -> Result<(), ClusterError> {
        let Some(own) = self.presence.own.borrow().clone() else { return Ok(()) };
        let mark = Mark { leaving: true, ..own.mark };
        let now = Instant::now();
        let mut set = redis::cmd("SET");
        set.arg(key(own.place)).arg(mark.text()).arg("PX").arg(LIFE.as_millis() as u64);
        ask(&self.marks_wire(), "SET run mark", &set, "set").await?;
        self.presence.own.replace(Some(Own { place: own.place, mark, renewed: now, tried: now }));
        Ok(())
    }

    /// All marks, and the time of their server in milliseconds.
    async fn marks(&self) -> Result<(Vec<OtherRun>, u64), ClusterError> {
        let wire = self.marks_wire();
        let mut pipeline = Pipeline::new();
        pipeline.cmd("TIME").cmd("MGET").arg((0..PLACES).map(key).collect::<Vec<_>>());
        let replies = send(&wire, &["time", "mget"], &pipeline).await?;
        let [time, Value::Array(values)] = replies.as_slice() else {
            return Err(unexpected(&wire, "MGET run marks", &Value::Array(replies)).into());
        };
        let now_ms = milliseconds(time).ok_or_else(|| unexpected(&wire, "TIME", time))?;
        let found: Vec<(usize, Mark)> =
            values.iter().enumerate().filter_map(|(place, value)| Some((place, mark_of(value)?))).collect();
        if found.is_empty() {
            return Ok((Vec::new(), now_ms));
        }
        let mut pipeline = Pipeline::new();
        for (place, _) in &found {
            pipeline.cmd("PTTL").arg(key(*place));
        }
        let left = send(&wire, &vec!["pttl"; found.len()], &pipeline).await?;
        let others = found.into_iter().zip(left).filter_map(|((place, mark), left)| {
            // Negative: it has run out between the two questions.
            let Value::Int(left @ 0..) = left else { return None };
            Some(OtherRun {
                place,
                age: Duration::from_millis(now_ms.saturating_sub(mark.since_ms)),
                silent_for: LIFE.saturating_sub(Duration::from_millis(left.unsigned_abs())),
                mark,
            })
        });
        Ok((others.collect(), now_ms))
    }

    /// Whether the primary that has the marks is one that cannot be reached.
    pub(super) fn marks_unreachable(&self) -> bool {
        self.marks_wire().why_unreachable().is_some()
    }

    pub(super) fn marks_wire(&self) -> Wire {
        self.admin(self.topology().owner_of(partition()))
    }
}

fn refuse(announcement: &Announcement, runs: Vec<OtherRun>) -> Result<(), ClusterError> {
    match announcement.company {
        Company::Refused { otherwise } if !runs.is_empty() => {
            Err(ClusterError::RunsUnderWay { runs, otherwise })
        }
        _ => Ok(()),
    }
}

fn milliseconds(time: &Value) -> Option<u64> {
    let Value::Array(parts) = time else { return None };
    let number = |value: &Value| match value {
        Value::BulkString(text) => std::str::from_utf8(text).ok()?.parse::<u64>().ok(),
        _ => None,
    };
    let [seconds, micros] = parts.as_slice() else { return None };
    Some(number(seconds)? * 1_000 + number(micros)? / 1_000)
}

async fn send(wire: &Wire, names: &[&'static str], pipeline: &Pipeline) -> Result<Vec<Value>, ClusterError> {
    let failed = |error| ValkeyError::from_wire(wire.addr(), "reading run marks", error);
    let replies =
        wire.pipeline(names.iter().copied(), pipeline, &mut WireCost::default()).await.map_err(failed)?;
    Ok(replies.into_iter().collect::<Result<_, _>>().map_err(failed)?)
}
