//! `--events`: what a campaign does while it runs, as newline-delimited JSON for other programs.
//!
//! Every line is an object with `event` (its kind) and `at_s` (seconds since the command began). A reader that is too slow
//! loses lines, never the run its time: how many were lost stands in the next line that goes through.

use std::cell::{Cell, RefCell};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::fs::OFlags;
use serde::Serialize;

use super::exit::Exit;
use crate::load::Activity;
use reclaim_analysis::record::TimelinePoint;

/// What happened.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event<'a> {
    /// Run `run` of `of` begins; `of` is 0 where nobody knows how many there will be.
    Run {
        /// From 1.
        run: u32,
        /// How many.
        of: u32,
        /// The scenario's name.
        scenario: &'a str,
    },
    /// A phase of it begins.
    Phase {
        /// Which.
        phase: Activity,
        /// Things that it has to do, where that is known.
        total: Option<u64>,
    },
    /// A second of the window has finished.
    Second {
        /// The second.
        #[serde(flatten)]
        second: &'a TimelinePoint,
        /// Claims of the run that succeeded so far.
        claimed_total: u64,
        /// Claims of it that did not.
        errors_total: u64,
    },
    /// Nothing is done but to wait.
    Waiting {
        /// For what.
        waiting: &'a str,
        /// At most, in seconds.
        left_s: f64,
    },
    /// Something worth a line.
    Note {
        /// In words.
        text: &'a str,
    },
    /// Something went wrong and ended nothing.
    Warning {
        /// In words.
        text: &'a str,
    },
    /// The command is done.
    Result {
        /// Where the result lies.
        dir: &'a Path,
        /// The exit code.
        exit: u8,
    },
}

#[derive(Serialize)]
struct Line<'a> {
    at_s: f64,
    #[serde(flatten)]
    event: Event<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<u64>,
}

/// Where events go.
pub struct Events {
    out: RefCell<Box<dyn Write>>,
    begun: Instant,
    /// Claims of the run that succeeded and that did not.
    totals: Cell<(u64, u64)>,
    /// Lines that could not be written since the last one that was.
    lost: Cell<u64>,
}

impl Events {
    /// To a file, which is emptied, or to a pipe that someone reads; `-` is standard output.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::to(Box::new(io::stdout())));
        }
        // A pipe that nobody reads is an error, and one that is read too slowly never holds up the load.
        let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
        let opened =
            OpenOptions::new().write(true).create(true).truncate(true).custom_flags(nonblocking).open(path);
        let file = opened.with_context(|| format!("cannot write events to {}", path.display()))?;
        Ok(Self::to(Box::new(file)))
    }

    fn to(out: Box<dyn Write>) -> Self {
        Self { out: RefCell::new(out), begun: Instant::now(), totals: Cell::default(), lost: Cell::new(0) }
    }

    /// Writes one event.
    pub fn tell(&self, event: Event<'_>) {
        if matches!(event, Event::Run { .. }) {
            self.totals.set((0, 0));
        }
        let at_s = self.begun.elapsed().as_secs_f64();
        let lost = Some(self.lost.get()).filter(|lost| *lost > 0);
        let Ok(mut line) = serde_json::to_vec(&Line { at_s, event, lost }) else { return };
        line.push(b'\n');
        let mut out = self.out.borrow_mut();
        // One write for each line: a pipe takes it whole or not at all.
        match out.write_all(&line).and_then(|()| out.flush()) {
            Ok(()) => self.lost.set(0),
            // Nobody reads any more, or too slowly; the run is worth more than the line.
            Err(_) => self.lost.set(self.lost.get() + 1),
        }
    }

    /// A finished second, with the run's totals so far.
    pub fn second(&self, second: &TimelinePoint) {
        let (claimed, errors) = self.totals.get();
        let (claimed_total, errors_total) = (claimed + second.claimed, errors + second.errors);
        self.totals.set((claimed_total, errors_total));
        self.tell(Event::Second { second, claimed_total, errors_total });
    }

    /// A wait.
    pub fn waiting(&self, waiting: &str, left: Duration) {
        self.tell(Event::Waiting { waiting, left_s: left.as_secs_f64() });
    }

    /// The end of the command.
    pub fn result(&self, dir: &Path, exit: Exit) {
        self.tell(Event::Result { dir, exit: exit.code() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::io::ErrorKind;
    use std::rc::Rc;

    /// Takes so many lines; then it is full.
    #[derive(Clone, Default)]
    struct Pipe(Rc<RefCell<Vec<String>>>, Rc<Cell<bool>>);

    impl Write for Pipe {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            if self.1.get() {
                return Err(ErrorKind::WouldBlock.into());
            }
            self.0.borrow_mut().push(String::from_utf8(line.to_vec()).unwrap());
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn seconds_carry_totals_that_begin_anew_with_each_run_and_lost_lines_are_counted() {
        let pipe = Pipe::default();
        let events = Events::to(Box::new(pipe.clone()));
        let second = |claimed, errors| TimelinePoint { claimed, errors, ..TimelinePoint::default() };
        events.tell(Event::Run { run: 1, of: 2, scenario: "x" });
        events.tell(Event::Phase { phase: Activity::Window, total: Some(9) });
        events.second(&second(5, 1));
        pipe.1.set(true);
        events.second(&second(2, 0));
        events.waiting("for a quiet machine", Duration::from_secs(3));
        pipe.1.set(false);
        events.second(&second(1, 1));
        events.tell(Event::Run { run: 2, of: 2, scenario: "x" });
        events.second(&second(4, 0));
        let lines: Vec<Value> =
            pipe.0.borrow().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let kinds: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["run", "phase", "second", "second", "run", "second"]);
        assert_eq!((&lines[1]["phase"], &lines[1]["total"]), (&"window".into(), &9.into()));
        let totals = |n: usize| (lines[n]["claimed_total"].as_u64(), lines[n]["errors_total"].as_u64());
        assert_eq!(
            [totals(2), totals(3), totals(5)],
            [(Some(5), Some(1)), (Some(8), Some(2)), (Some(4), Some(0))]
        );
        assert_eq!((lines[2].get("lost"), lines[3]["lost"].as_u64()), (None, Some(2)));
    }
}
