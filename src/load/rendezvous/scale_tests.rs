//! What meeting costs many generators: the protocol on a paused clock over a server of which each message
//! takes its time. docs/scale.md has the table that comes out.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::bus::Bus;
use super::leader::Leader;
use super::meeting::ahead;
use super::message::{Order, ToLeader};
use super::part::LedPart;
use super::tests::{hello, library, sent};

/// From one end to the server or back: half of a round trip of 0.5 ms, of machines in one zone.
const WAY: Duration = Duration::from_micros(250);

/// What the server's thread needs for a message, and for each who hears it: measured with 1 to 511
/// subscribers (docs/scale.md).
const MESSAGE: Duration = Duration::from_micros(20);
const LISTENER: Duration = Duration::from_micros(9);

/// What an end needs to take a message in: an assumption, on the high side.
const TAKEN: Duration = Duration::from_micros(20);

/// Windows of a run; the last one is looked at.
const WINDOWS: u32 = 3;

type Sender = mpsc::UnboundedSender<(Duration, String)>;
type Receiver = mpsc::UnboundedReceiver<(Duration, String)>;

/// The server on which they meet. The paused clock moves by whole milliseconds; what is less is kept here.
struct Server {
    epoch: Instant,
    /// Its thread has time again.
    free: Cell<Duration>,
    delivered: Cell<u64>,
    said: RefCell<BTreeMap<&'static str, u64>>,
    /// When somebody last said that.
    last_said: RefCell<BTreeMap<&'static str, Duration>>,
    /// When somebody last heard that.
    last_heard: RefCell<BTreeMap<&'static str, Duration>>,
}

/// One end of the bus.
struct End {
    server: Rc<Server>,
    leads: bool,
    to: Vec<Sender>,
    from: Mutex<Receiver>,
    /// What has arrived and is being taken in.
    taking: RefCell<Option<String>>,
    /// Until when this end has been busy.
    busy_until: Cell<Duration>,
}

impl End {
    fn new(server: &Rc<Server>, leads: bool, to: Vec<Sender>, from: Receiver) -> Self {
        let (from, server) = (Mutex::new(from), Rc::clone(server));
        Self { server, leads, to, from, taking: RefCell::default(), busy_until: Cell::default() }
    }

    fn now(&self) -> Duration {
        let (clock, own) = (self.server.epoch.elapsed(), self.busy_until.get());
        if clock > own + Duration::from_millis(1) { clock } else { own }
    }

    async fn until(&self, moment: Duration) {
        sleep_until(self.server.epoch + moment).await;
    }
}

fn name(text: &str, is_order: bool) -> &'static str {
    if is_order {
        serde_json::from_str::<Order>(text).unwrap().name()
    } else {
        serde_json::from_str::<ToLeader>(text).unwrap().says.name()
    }
}

impl Bus for End {
    async fn say(&self, text: String) -> Result<(), String> {
        let (name, server) = (name(&text, self.leads), &self.server);
        *server.said.borrow_mut().entry(name).or_default() += 1;
        server.last_said.borrow_mut().insert(name, self.now());
        let mut done = (self.now() + WAY).max(server.free.get()) + MESSAGE;
        for to in &self.to {
            done += LISTENER;
            server.delivered.set(server.delivered.get() + 1);
            // One that has ended hears nothing.
            drop(to.send((done + WAY, text.clone())));
        }
        server.free.set(done);
        self.busy_until.set(self.busy_until.get().max(done + WAY));
        self.until(done + WAY).await;
        Ok(())
    }

    async fn hear(&self) -> Result<String, String> {
        if self.taking.borrow().is_none() {
            let arrived = self.from.lock().await.recv().await;
            let (at, text) = arrived.ok_or_else(|| "all have ended".to_owned())?;
            self.busy_until.set(at.max(self.busy_until.get()) + TAKEN);
            self.taking.replace(Some(text));
        }
        self.until(self.busy_until.get()).await;
        let text = self.taking.take().unwrap();
        let name = name(&text, !self.leads);
        self.server.last_heard.borrow_mut().insert(name, self.busy_until.get());
        Ok(text)
    }

    async fn live_on(&self) -> Result<(), String> {
        Ok(())
    }
}

/// A run of so many generators that are all ready at the same moment, and done at the same moment: the most
/// at once.
async fn run(of: u32) -> Rc<Server> {
    let server = Rc::new(Server {
        epoch: Instant::now(),
        free: Cell::default(),
        delivered: Cell::default(),
        said: RefCell::default(),
        last_said: RefCell::default(),
        last_heard: RefCell::default(),
    });
    let (to_leader, from_parts) = mpsc::unbounded_channel();
    let (mut to_parts, mut parts) = (Vec::new(), Vec::new());
    for number in 2..=of {
        let (to, from) = mpsc::unbounded_channel();
        to_parts.push(to);
        let end = End::new(&server, false, vec![to_leader.clone()], from);
        let part = Rc::new(LedPart::new("r", number, end, CancellationToken::new()));
        let attended = Rc::clone(&part);
        spawn_local(async move { attended.attend().await });
        parts.push(spawn_local(async move {
            part.meet(hello(number, of), Duration::from_secs(30)).await.unwrap();
            for _ in 0..WINDOWS {
                sleep(Duration::from_millis(50)).await;
                part.quieten(None).await.unwrap();
                part.begin().await.unwrap();
                sleep(ahead(of) + Duration::from_millis(50)).await;
                part.done(|| vec![sent(number)], None).await.unwrap();
                part.closed().await.unwrap();
            }
            part.deliver(1).await.unwrap();
        }));
    }
    let end = End::new(&server, true, to_parts, from_parts);
    let leader = Rc::new(Leader::new("r", hello(1, of), end, CancellationToken::new()));
    let attended = Rc::clone(&leader);
    spawn_local(async move { attended.attend().await });
    leader.meet(Duration::from_secs(30), library(), true).await.unwrap();
    for window in 0..WINDOWS {
        leader.quieten().await.unwrap();
        leader.begin(i64::from(window)).await.unwrap();
        leader.gather().await.unwrap();
        leader.close().await.unwrap();
    }
    leader.delivered().await.unwrap();
    leader.received().await.unwrap();
    for part in parts {
        part.await.unwrap();
    }
    server
}

/// A line of the table.
fn line(of: u32, server: &Server) -> String {
    // From when the last one said something until the last one heard what follows.
    let between = |said: &str, heard: &str| {
        let (said, heard) = (server.last_said.borrow()[said], server.last_heard.borrow()[heard]);
        heard.checked_sub(said).unwrap()
    };
    let (silent, known) = (between("ready", "silent"), between("begin", "begin"));
    let closed = between("done", "closed");
    assert!(known < ahead(of), "{of} generators: a window begins before all know it, after {known:?}");
    let windows = u64::from(WINDOWS);
    let in_windows = ["ready", "silent", "done", "quiet", "begin", "closed"];
    let said: u64 = in_windows.iter().map(|name| server.said.borrow()[name]).sum();
    let others = u64::from(of - 1);
    assert_eq!(said, windows * (3 * others + 3), "{of}");
    // Meeting and the records on top, and a sign of life of the leader for whoever hears it.
    let once = ["here", "delivered"].iter().map(|name| server.said.borrow()[name]).sum::<u64>();
    assert_eq!(once, 2 * others, "{of}");
    let orders = 2 + server.said.borrow()["alive"];
    assert_eq!(server.delivered.get(), windows * 6 * others + once + orders * others, "{of}");
    let ms = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e3);
    let busy = MESSAGE * (said / windows) as u32 + LISTENER * (6 * (of - 1));
    let row = [
        of.to_string(),
        (said / windows).to_string(),
        (6 * others).to_string(),
        ms(busy),
        ms(silent),
        ms(known),
        ms(ahead(of)),
        ms(closed),
    ];
    format!("| {} |", row.join(" | "))
}

#[tokio::test(start_paused = true)]
async fn the_table_of_docs_scale_is_what_the_protocol_does() {
    let mut table = String::new();
    for of in [2, 8, 64, 512] {
        let server = LocalSet::new().run_until(run(of)).await;
        table += &line(of, &server);
        table.push('\n');
    }
    let page = include_str!("../../../docs/scale.md");
    assert!(page.contains(&table), "docs/scale.md has another table; put this one there:\n{table}");
}
