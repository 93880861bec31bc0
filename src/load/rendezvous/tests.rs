//! The protocol on a paused clock over a bus that counts: barriers, exact numbers of messages, and who is
//! named when.

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
use super::message::{Hello, Order, Says, ToLeader};
use super::part::Part;
use super::{ALIVE, Barrier, LOST, MeetingError};
use crate::machine::Neighbours;
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
type Attended = (Rc<Part<FakeBus>>, CancellationToken, JoinHandle<()>);

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
            let part = Rc::new(Part::new("r", number, bus, end.clone()));
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

#[tokio::test(start_paused = true)]
async fn one_that_is_gone_in_a_window_is_named_within_half_a_minute_and_all_others_end() {
    for killed in [2, 5] {
        local(async {
            let run = Run::new(5);
            let mut parts = run.work(1, Duration::from_mins(10));
            let led = run.lead(1, Duration::from_mins(10), MS);
            let killing = async {
                sleep(Duration::from_mins(1)).await;
                let place = killed as usize - 2;
                parts[place].abort();
                run.parts[place].2.abort();
                Instant::now()
            };
            let (led, died) = tokio::join!(led, killing);
            let error = led.unwrap_err();
            assert!(matches!(&error, MeetingError::Gone { part, .. } if *part == killed), "{error:?}");
            assert!(died.elapsed() < Duration::from_secs(30), "{:?}", died.elapsed());
            assert_eq!(run.leader.gone(), [killed]);
            assert!(error.to_string().contains(&format!("process {} on h", 100 + killed)), "{error}");
            run.leader.give_up(&error.to_string()).await;
            for (n, part) in parts.drain(..).enumerate().filter(|(n, _)| n + 2 != killed as usize) {
                let ended = part.await.unwrap().unwrap_err();
                assert_eq!(ended, MeetingError::Ended { reason: error.to_string() }, "{n}");
            }
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn parts_whose_leader_is_gone_say_so_by_themselves() {
    local(async {
        let run = Run::new(3);
        let parts = run.work(1, Duration::from_mins(10));
        let killing = async {
            tokio::select! {
                led = run.lead(1, Duration::from_mins(10), MS) => panic!("{led:?}"),
                () = sleep(Duration::from_mins(1)) => run.listening.abort(),
            }
        };
        killing.await;
        for part in parts {
            let error = part.await.unwrap().unwrap_err();
            assert!(matches!(error, MeetingError::Gone { part: 1, .. }), "{error:?}");
        }
    })
    .await;
}

/// Later than somebody who says nothing is given up, and sooner than the wait ends.
#[tokio::test(start_paused = true)]
async fn who_comes_late_finds_those_still_there_who_came_at_once() {
    local(async {
        let run = Run::new(3);
        let comes = |n: usize, after: Duration| {
            let part = Rc::clone(&run.parts[n].0);
            spawn_local(async move {
                sleep(after).await;
                part.meet(hello(n as u32 + 2, 3), WAIT).await
            })
        };
        let (soon, late) = (comes(0, Duration::ZERO), comes(1, Duration::from_secs(28)));
        assert_eq!(run.leader.meet(WAIT, library(), true).await.map(|hosts| hosts.len()), Ok(3));
        assert!(soon.await.unwrap().is_ok() && late.await.unwrap().is_ok());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_come_is_named_and_who_came_is_told() {
    local(async {
        let run = Run::new(4);
        let part = Rc::clone(&run.parts[1].0);
        let came = spawn_local(async move { part.meet(hello(3, 4), WAIT).await });
        let begun = Instant::now();
        let error = run.leader.meet(WAIT, library(), true).await.unwrap_err();
        assert!((WAIT..WAIT + 10 * MS).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        assert!(matches!(&error, MeetingError::Missing { missing, .. } if *missing == [2, 4]), "{error:?}");
        assert!(error.to_string().contains("generators 2 and 4 of 4 have not come within 30 s"), "{error}");
        run.leader.give_up(&error.to_string()).await;
        assert_eq!(came.await.unwrap().unwrap_err(), MeetingError::Ended { reason: error.to_string() });
    })
    .await;
}

/// Each task of a swarm has a name of its own; the second one is on the leader's machine, the third elsewhere.
#[tokio::test(start_paused = true)]
async fn generators_in_containers_of_one_machine_know_of_each_other() {
    local(async {
        let contained = |part: u32, boot: &str| Hello {
            host: format!("container-{part}"),
            boot: Some(boot.to_owned()),
            ..hello(part, 3)
        };
        let run = Run::led_by(contained(1, "one"));
        let comes = |n: usize, own: Hello| {
            let part = Rc::clone(&run.parts[n].0);
            spawn_local(async move { part.meet(own, WAIT).await })
        };
        let came = [comes(0, contained(2, "one")), comes(1, contained(3, "another"))];
        let known = run.leader.meet(WAIT, library(), true).await.unwrap();
        let of = |place, of| Neighbours { place, of, overlapping: false };
        assert_eq!(known, [of(0, 2), of(1, 2), Neighbours::NONE]);
        for part in came {
            assert_eq!(part.await.unwrap().unwrap().neighbours, known);
        }
    })
    .await;
}

/// It is refused by its version, and not for what it says.
#[test]
fn one_of_a_version_that_did_not_tell_its_machine_is_understood() {
    let before = serde_json::to_value(hello(2, 3)).unwrap();
    assert!(before.get("boot").is_none() && before.get("cores").is_none(), "{before}");
    assert_eq!(serde_json::from_value::<Hello>(before).unwrap(), hello(2, 3));
}

#[tokio::test(start_paused = true)]
async fn another_plan_another_build_and_another_count_are_told_apart() {
    type Case = (&'static str, fn(&mut Hello));
    let cases: [Case; 3] = [
        ("has another plan", |hello| hello.plan_sha256 = "another".into()),
        ("is version 1 of commit d, generator 1 is 1 of commit c", |hello| hello.commit = "d".into()),
        ("one of 7, generator 1 as one of 3", |hello| hello.of = 7),
    ];
    for (part_of_it, change) in cases {
        local(async {
            let run = Run::new(3);
            let mut other = hello(3, 3);
            change(&mut other);
            let part = Rc::clone(&run.parts[1].0);
            let came = spawn_local(async move { part.meet(other, WAIT).await });
            let error = run.leader.meet(WAIT, library(), true).await.unwrap_err().to_string();
            assert!(
                error.contains(part_of_it) && error.contains("generator 3 (process 103 on h)"),
                "{error}"
            );
            run.leader.give_up(&error).await;
            assert!(came.await.unwrap().unwrap_err().to_string().contains(part_of_it));
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_said_now_and_what_is_no_message_end_the_run() {
    let says = |part, says| serde_json::to_string(&ToLeader { part, says }).unwrap();
    let window = 0;
    let done = |part| says(part, Says::Done { window, sent: Vec::new(), connections: None });
    for (text, named) in [
        (done(2), "generator 2 said `done`"),
        (says(3, Says::Silent { window }), "generator 3 said `silent`"),
        (says(2, Says::Ready { window: 4, connections: None }), "generator 2 said `ready`"),
        (says(2, Says::Here(hello(2, 3))), "generator 2 said `here`"),
        (says(9, Says::Alive), "generator 9 said `alive`"),
        ("{\"part\":2,\"says\":\"sleeps\"}".to_owned(), "a message that is none"),
        ("nonsense".to_owned(), "a message that is none"),
    ] {
        local(async {
            let run = Run::new(3);
            let parts = run.work(1, Duration::from_secs(3));
            let (led, ()) = tokio::join!(run.lead(1, Duration::from_secs(3), MS), async {
                // Both are in the window by then.
                sleep(Duration::from_secs(1)).await;
                let out_of_place =
                    if named.contains("done") { text.replace("window\":0", "window\":1") } else { text };
                run.to_leader.send(out_of_place).unwrap();
            });
            let error = led.unwrap_err().to_string();
            assert!(error.contains(named), "{named}: {error}");
            assert!(run.leader_end.is_cancelled());
            drop(parts);
        })
        .await;
    }
    local(async {
        let run = Run::new(2);
        let mut parts = run.work(1, Duration::from_secs(3));
        run.to_parts[0].send(serde_json::to_string(&Order::Closed { window: 0 }).unwrap()).unwrap();
        let error = parts.remove(0).await.unwrap().unwrap_err();
        assert!(error.to_string().contains("generator 1 said `closed`"), "{error}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn whoever_is_told_to_end_ends_everybodys_run_in_order() {
    for (leader, at_s) in [(true, 3), (false, 3), (true, 61), (false, 61)] {
        local(async {
            let run = Run::new(4);
            let parts = run.work(3, Duration::from_mins(1));
            let (led, ()) = tokio::join!(run.lead(3, Duration::from_mins(1), MS), async {
                sleep(Duration::from_secs(at_s)).await;
                if leader { run.leader_end.cancel() } else { run.parts[1].1.cancel() }
            });
            let windows = led.unwrap().len();
            assert_eq!(windows, 1 + usize::from(at_s > 60), "{leader} {at_s}");
            for part in parts {
                assert_eq!(part.await.unwrap().unwrap().len(), windows);
            }
            assert!(run.said("order stop") == 1 && run.log.broke_silence.get() == 0);
            assert_eq!(run.said("report stopping"), u64::from(!leader));
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_says_why_and_ends_it_for_all() {
    local(async {
        let run = Run::new(3);
        let mut parts = run.work(1, Duration::from_mins(10));
        let (led, ()) = tokio::join!(run.lead(1, Duration::from_mins(10), MS), async {
            sleep(Duration::from_secs(5)).await;
            run.parts[0].0.give_up("no memory").await;
        });
        let error = led.unwrap_err();
        assert_eq!(error.to_string(), "generator 2 (process 102 on h) failed: no memory");
        run.leader.give_up(&error.to_string()).await;
        let other = parts.remove(1).await.unwrap().unwrap_err();
        assert!(other.to_string().contains("no memory"), "{other}");
        assert!(LOST > ALIVE);
    })
    .await;
}
