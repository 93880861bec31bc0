//! `--events`: what a campaign does while it runs, as newline-delimited JSON for other programs.
//!
//! Every line is an object with `event` (its kind) and `at_s` (seconds since the command began). A reader
//! that is too slow loses lines, never the run its time: how many were lost stands in the next line that goes
//! through.

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
use reclaim_analysis::judge::{RunResult, Verdict};
use reclaim_analysis::record::{InvalidReason, Outcomes, TimelinePoint};

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
    /// A second of the window has finished, or what was measured of the last one.
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
    /// What the run came to.
    RunResult {
        /// Whether its figures may be used.
        valid: bool,
        /// Why not.
        invalid_reasons: &'a [InvalidReason],
        /// Whether it ended before its time.
        partial: bool,
        /// All its claims.
        #[serde(flatten)]
        totals: &'a ClaimTotals,
        /// What it found where it compares.
        verdicts: Vec<VerdictOf<'a>>,
    },
    /// The command is done.
    Result {
        /// Where the result lies.
        dir: &'a Path,
        /// The exit code.
        exit: u8,
        /// The same in a word.
        conclusion: &'static str,
        /// Runs that were measured.
        runs: u32,
        /// Those of them whose figures may be used.
        valid_runs: u32,
        /// The claims of all runs.
        #[serde(flatten)]
        totals: &'a ClaimTotals,
    },
    /// The command ends without a result; standard error says why.
    NoResult,
}

/// Claims by how they ended: those of the arms, of the control and of the counter blocks, the warm-up's
/// aside. What the seconds add up to.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct ClaimTotals {
    claimed_total: u64,
    errors_total: u64,
    outcomes: Outcomes,
}

impl ClaimTotals {
    fn add(&mut self, outcomes: &Outcomes) {
        self.outcomes.add(outcomes);
        self.claimed_total = self.outcomes.claimed;
        // In seconds everything that was sent and not claimed counts as an error.
        self.errors_total = self.outcomes.sent() - self.outcomes.claimed;
    }
}

/// What a comparison found.
#[derive(Debug, Serialize)]
pub struct VerdictOf<'a> {
    /// Against the baseline.
    variant: &'a str,
    /// Of what.
    metric: &'static str,
    /// What was found.
    verdict: Verdict,
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
    /// What the runs so far came to: how many, how many of them valid, and their claims.
    runs: Cell<(u32, u32)>,
    all: RefCell<ClaimTotals>,
    /// Whether the end was told.
    ended: Cell<bool>,
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
        Self {
            out: RefCell::new(out),
            begun: Instant::now(),
            totals: Cell::default(),
            runs: Cell::default(),
            all: RefCell::default(),
            ended: Cell::new(false),
            lost: Cell::new(0),
        }
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

    /// What a run came to.
    pub fn judged(&self, result: &RunResult) {
        let mut totals = ClaimTotals::default();
        if let Some(window) = &result.record.window {
            totals.add(&window.outcomes);
            self.all.borrow_mut().add(&window.outcomes);
        }
        let (runs, valid) = self.runs.get();
        self.runs.set((runs + 1, valid + u32::from(result.is_usable())));
        // Those of a run that was stopped are as little worth as its figures.
        let judged = result.comparisons.iter().filter(|_| result.is_usable());
        let verdicts = judged.map(|comparison| VerdictOf {
            variant: &comparison.candidate,
            metric: comparison.metric.name(),
            verdict: comparison.verdict,
        });
        self.tell(Event::RunResult {
            valid: result.valid,
            invalid_reasons: &result.invalid_reasons,
            partial: result.record.partial,
            totals: &totals,
            verdicts: verdicts.collect(),
        });
    }

    /// The end of the command.
    pub fn result(&self, dir: &Path, exit: Exit) {
        let (runs, valid_runs) = self.runs.get();
        let totals = &*self.all.borrow();
        let (exit, conclusion) = (exit.code(), exit.name());
        self.tell(Event::Result { dir, exit, conclusion, runs, valid_runs, totals });
        self.ended.set(true);
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if !self.ended.get() {
            self.tell(Event::NoResult);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reclaim_analysis::judge::{self, fixtures};
    use reclaim_analysis::record::WindowTotals;
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
    fn a_command_that_ends_without_a_result_says_so() {
        let pipe = Pipe::default();
        drop(Events::to(Box::new(pipe.clone())));
        let lines = pipe.0.borrow();
        assert!(lines.len() == 1 && lines[0].contains("\"event\":\"no_result\""), "{lines:?}");
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
        let mut run = fixtures::record(&[fixtures::GRANT_LANE, fixtures::HGET_LANE], 1);
        run.arms[0].outcomes = Outcomes { claimed: 2, expired: 2, dropped: 9, ..Outcomes::default() };
        run.arms[1].outcomes = Outcomes { claimed: 2, ..Outcomes::default() };
        let outcomes = Outcomes { claimed: 4, expired: 2, dropped: 9, ..Outcomes::default() };
        run.window = Some(WindowTotals { active_s: 0.5, outcomes, ..WindowTotals::default() });
        let run = judge::analyse(run).unwrap();
        events.judged(&run);
        events.judged(&run);
        events.result(Path::new("results/x"), Exit::Regression);
        drop(events);
        let lines: Vec<Value> =
            pipe.0.borrow().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let kinds: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
        let mut expected = vec!["run", "phase", "second", "second", "run", "second"];
        expected.extend(["run_result", "run_result", "result"]);
        assert_eq!(kinds, expected);
        let (one, all) = (&lines[6], &lines[8]);
        assert_eq!(
            (&one["claimed_total"], &one["errors_total"]),
            (&4.into(), &2.into()),
            "not sent is no error"
        );
        assert_eq!((&one["valid"], &one["verdicts"][0]["verdict"]), (&true.into(), &"regression".into()));
        assert_eq!((&all["outcomes"]["claimed"], &all["errors_total"]), (&8.into(), &4.into()));
        assert_eq!(
            (&all["runs"], &all["exit"], &all["conclusion"]),
            (&2.into(), &1.into(), &"regression".into())
        );
        assert_eq!((&lines[1]["phase"], &lines[1]["total"]), (&"window".into(), &9.into()));
        let totals = |n: usize| (lines[n]["claimed_total"].as_u64(), lines[n]["errors_total"].as_u64());
        assert_eq!(
            [totals(2), totals(3), totals(5)],
            [(Some(5), Some(1)), (Some(8), Some(2)), (Some(4), Some(0))]
        );
        assert_eq!((lines[2].get("lost"), lines[3]["lost"].as_u64()), (None, Some(2)));
    }
}
