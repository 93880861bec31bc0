//! The protocol on a paused clock over a bus that counts: barriers and exact numbers of messages. Who comes,
//! and how a run ends early, have files of their own.

mod coming;
mod ending;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::bus::Bus;
use super::leader::Leader;
use super::message::{Hello, Order, ToLeader};
use super::part::LedPart;
use super::{ALIVE, Barrier, MeetingError};
use crate::valkey::{NodeAddr, SentTo};
use reclaim_analysis::record::LibraryInfo;

const WAIT: Duration = Duration::from_secs(30);

/// What was said, by name, and what should not have been.
#[derive(Default)]
struct Log {
    said: RefCell<BTreeMap<String, u64>>,
    reading: Cell<bool>,
    broke_silence: Cell<u64>,
}

/// One end of a bus within this process.
struct FakeBus {
    log: Rc<Log>,
    leads: bool,
    to: Vec<mpsc::UnboundedSender<String>>,
    from: Mutex<mpsc::UnboundedReceiver<String>>,
}

impl Bus for FakeBus {
    async fn say(&self, text: String) -> Result<(), String> {
        let name = if self.leads {
            serde_json::from_str::<Order>(&text).unwrap().name()
        } else {
            serde_json::from_str::<ToLeader>(&text).unwrap().says.name()
        };
        let side = if self.leads { "order" } else { "report" };
        *self.log.said.borrow_mut().entry(format!("{side} {name}")).or_default() += 1;
        let ends_it = matches!(name, "begin" | "closed");
        self.log
            .broke_silence
            .set(self.log.broke_silence.get() + u64::from(self.log.reading.get() && !ends_it));
        // One that has ended hears nothing.
        self.to.iter().for_each(|to| drop(to.send(text.clone())));
        sleep(Duration::from_micros(100)).await;
        Ok(())
    }

    async fn hear(&self) -> Result<String, String> {
        self.from.lock().await.recv().await.ok_or_else(|| "all have ended".to_owned())
    }

    async fn live_on(&self) -> Result<(), String> {
        Ok(())
    }
}

pub(super) fn hello(part: u32, of: u32) -> Hello {
    Hello {
        part,
        of,
        plan_sha256: "plan".into(),
        version: "1".into(),
        commit: "c".into(),
        host: "h".into(),
        boot: None,
        cores: Vec::new(),
        process: 100 + part,
    }
}

pub(super) fn library() -> LibraryInfo {
    LibraryInfo { name: "flowfabric".into(), version: "1".into(), sha256: "s".into() }
}

/// A part, what ends it, and the task in which it listens.
type Attended = (Rc<LedPart<FakeBus>>, CancellationToken, JoinHandle<()>);

/// A leader and its parts, each listening in a task of its own.
struct Run {
    of: u32,
    log: Rc<Log>,
    leader: Rc<Leader<FakeBus>>,
    leader_end: CancellationToken,
    parts: Vec<Attended>,
    to_leader: mpsc::UnboundedSender<String>,
    to_parts: Vec<mpsc::UnboundedSender<String>>,
    listening: JoinHandle<()>,
}

impl Run {
    fn new(of: u32) -> Self {
        Self::led_by(hello(1, of))
    }

    fn led_by(own: Hello) -> Self {
        let of = own.of;
        let log = Rc::new(Log::default());
        let (to_leader, from_parts) = mpsc::unbounded_channel();
        let (mut to_parts, mut parts) = (Vec::new(), Vec::new());
        for number in 2..=of {
            let (to, from) = mpsc::unbounded_channel();
            to_parts.push(to);
            let bus = FakeBus {
                log: Rc::clone(&log),
                leads: false,
                to: vec![to_leader.clone()],
                from: Mutex::new(from),
            };
            let end = CancellationToken::new();
            let part = Rc::new(LedPart::new("r", number, bus, end.clone()));
            let attended = Rc::clone(&part);
            parts.push((part, end, spawn_local(async move { attended.attend().await })));
        }
        let bus =
            FakeBus { log: Rc::clone(&log), leads: true, to: to_parts.clone(), from: Mutex::new(from_parts) };
        let leader_end = CancellationToken::new();
        let leader = Rc::new(Leader::new("r", own, bus, leader_end.clone()));
        let attended = Rc::clone(&leader);
        let listening = spawn_local(async move { attended.attend().await });
        Self { of, log, leader, leader_end, parts, to_leader, to_parts, listening }
    }

    /// All parts as tasks that go through so many windows; each comes to what it ended with, and when its
    /// windows began.
    fn work(&self, windows: u32, each: Duration) -> Vec<JoinHandle<Result<Vec<i64>, MeetingError>>> {
        let of = self.of;
        let work = |(n, (part, end, _)): (usize, &Attended)| {
            let (part, end, number) = (Rc::clone(part), end.clone(), n as u32 + 2);
            spawn_local(async move {
                part.meet(hello(number, of), WAIT).await?;
                let mut began = Vec::new();
                for _ in 0..windows {
                    sleep(Duration::from_millis(u64::from(number % 7))).await;
                    if part.quieten(None).await? == Barrier::Ended {
                        break;
                    }
                    let Some(at_us) = part.begin().await? else { break };
                    began.push(at_us);
                    // Claims in flight end, and no more are made.
                    _ = end
                        .run_until_cancelled(sleep(each + Duration::from_millis(u64::from(number % 5))))
                        .await;
                    part.done(|| vec![sent(number)], None).await?;
                    part.closed().await?;
                }
                part.deliver(number).await?;
                Ok(began)
            })
        };
        self.parts.iter().enumerate().map(work).collect()
    }

    /// The leader's side of the same: what the others have sent in each window.
    async fn lead(&self, windows: u32, each: Duration, reading: Duration) -> Result<Vec<u64>, MeetingError> {
        self.leader.meet(WAIT, library(), true).await?;
        let mut fcalls = Vec::new();
        for window in 0..windows {
            if self.leader.quieten().await? == Barrier::Ended {
                break;
            }
            self.read(reading).await;
            self.leader.begin(i64::from(window)).await?;
            _ = self.leader_end.run_until_cancelled(sleep(each)).await;
            let others = self.leader.gather().await?;
            assert_eq!(others.len(), usize::from(self.of > 1));
            fcalls.extend(others.iter().map(|to| to.sent["fcall"]));
            self.read(reading).await;
            self.leader.close().await?;
        }
        let delivered = self.leader.delivered().await?;
        assert_eq!(delivered, (2..=self.of).map(|part| (part, part)).collect::<Vec<_>>());
        self.leader.received().await?;
        Ok(fcalls)
    }

    async fn read(&self, time: Duration) {
        self.log.reading.set(true);
        sleep(time).await;
        self.log.reading.set(false);
    }

    fn said(&self, what: &str) -> u64 {
        self.log.said.borrow().get(what).copied().unwrap_or(0)
    }
}

pub(super) fn sent(number: u32) -> SentTo {
    let addr = NodeAddr { host: "a".into(), port: 1 };
    SentTo { sent: [("fcall".to_owned(), u64::from(number))].into(), ..SentTo::nothing(addr) }
}

async fn local<T>(work: impl Future<Output = T>) -> T {
    LocalSet::new().run_until(work).await
}

const MS: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn every_window_is_a_barrier_for_all_and_costs_six_messages_for_each() {
    for (of, windows) in [(2, 3), (8, 5), (512, 4)] {
        local(async {
            let run = Run::new(of);
            let begun = Instant::now();
            let parts = run.work(windows, 20 * MS);
            let fcalls = run.lead(windows, 20 * MS, MS).await.unwrap();
            let all = u64::from(of) * u64::from(of + 1) / 2 - 1;
            assert_eq!(fcalls, vec![all; windows as usize]);
            for part in parts {
                assert_eq!(part.await.unwrap().unwrap(), (0..i64::from(windows)).collect::<Vec<_>>());
            }
            let (others, windows) = (u64::from(of - 1), u64::from(windows));
            for report in ["ready", "silent", "done"] {
                assert_eq!(run.said(&format!("report {report}")), others * windows, "{of}: {report}");
            }
            for order in ["quiet", "begin", "closed"] {
                assert_eq!(run.said(&format!("order {order}")), windows, "{of}: {order}");
            }
            let once = ["report here", "report delivered"].map(|what| run.said(what));
            assert_eq!(once, [others; 2]);
            assert_eq!(["order welcome", "order received"].map(|what| run.said(what)), [1, 1]);
            // All of it is over before the second sign of life would be due: the leader's first is at once.
            assert!(begun.elapsed() < ALIVE);
            assert_eq!(["order alive", "report alive"].map(|what| run.said(what)), [1, 0]);
            let total: u64 = run.log.said.borrow().values().sum();
            assert_eq!(total, others * (2 + 3 * windows) + 3 + 3 * windows, "{of}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_says_anything_while_counters_are_read_and_all_live_on_in_long_windows() {
    local(async {
        let run = Run::new(8);
        // Longer than between two signs of life, and longer than after which somebody counts as gone.
        let parts = run.work(2, 65 * Duration::from_secs(1));
        run.lead(2, MS, 12 * Duration::from_secs(1)).await.unwrap();
        for part in parts {
            part.await.unwrap().unwrap();
        }
        assert_eq!(run.log.broke_silence.get(), 0);
        // Thirteen five-second spans in each window of 65 s, for each.
        let alive = run.said("report alive");
        assert!((2 * 7 * 12..=2 * 7 * 14).contains(&alive), "{alive}");
    })
    .await;
}
