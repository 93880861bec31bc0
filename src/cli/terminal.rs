//! What a person sees of a campaign on standard error: lines that stay, and one that tells how far it is.

use std::cell::{Cell, RefCell};
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::{OutputArgs, columns_of, say};
use super::progress_line::ProgressLine;
use crate::campaign::Watch;
use crate::load::{Activity, Progress};
use reclaim_analysis::record::{RunRecord, TimelinePoint};
use reclaim_analysis::scenario::Scenario;

/// Between two looks at the line on a terminal.
const REDRAWN_AFTER: Duration = Duration::from_millis(200);

/// Between two lines where it is none: logs are read later.
const REPEATED_AFTER: Duration = Duration::from_secs(10);

/// Columns where no terminal says how many it has.
const COLUMNS: u16 = 100;

/// Standard error.
pub struct Terminal {
    line: RefCell<ProgressLine>,
    bar: ProgressBar,
    shows: Shows,
    quiet: bool,
    /// When the line was last shown.
    shown: Cell<Instant>,
}

/// How the line is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shows {
    /// In place, on a terminal.
    InPlace,
    /// As a line of its own now and then.
    Lines,
    /// Not at all.
    Nothing,
}

impl Terminal {
    /// As the options want it.
    pub fn new(output: &OutputArgs) -> Self {
        let shows = match (output.quiet || output.no_progress, std::io::stderr().is_terminal()) {
            (true, _) => Shows::Nothing,
            (false, true) => Shows::InPlace,
            (false, false) => Shows::Lines,
        };
        Self::with(shows, output.quiet)
    }

    /// Without progress.
    pub fn plain(quiet: bool) -> Self {
        Self::with(Shows::Nothing, quiet)
    }

    fn with(shows: Shows, quiet: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        let line = RefCell::new(ProgressLine::new());
        Self { line, bar, shows, quiet, shown: Cell::new(Instant::now()) }
    }

    fn say(&self, text: &str) {
        // Nobody may be listening any more (`2>&1 | head`); the run is worth more than the line.
        self.bar.suspend(|| say(text));
    }

    /// Shows the line, if it is time.
    fn refresh(&self, at_once: bool) {
        let now = Instant::now();
        let since = now.duration_since(self.shown.get());
        match self.shows {
            Shows::InPlace if at_once || since >= REDRAWN_AFTER => {
                // The spinner takes two columns, and the last one is left free: some terminals wrap in it.
                let width = usize::from(columns()).saturating_sub(3);
                self.bar.set_message(self.line.borrow_mut().text(width, now));
                self.shown.set(now);
            }
            Shows::Lines if since >= REPEATED_AFTER => {
                say(&self.line.borrow_mut().text(usize::from(COLUMNS), now));
                self.shown.set(now);
            }
            _ => {}
        }
    }
}

/// Columns of the terminal: what `COLUMNS` says, else what it has.
fn columns() -> u16 {
    columns_of(std::io::stderr()).unwrap_or(COLUMNS)
}

impl Watch for Terminal {
    fn run(&self, n: u32, of: u32, scenario: &Scenario) {
        self.line.borrow_mut().run(n, of, scenario, Instant::now());
        if self.shows == Shows::InPlace {
            self.bar.reset();
            self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
            self.bar.enable_steady_tick(REDRAWN_AFTER);
        }
    }

    fn warn(&self, text: &str) {
        self.say(&format!("warning: {text}"));
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
    }
}

impl Progress for Terminal {
    fn begin(&self, activity: Activity, total: Option<u64>) {
        self.line.borrow_mut().begin(activity, total, Instant::now());
        self.refresh(true);
    }

    fn advance(&self, done: u64) {
        self.line.borrow_mut().advance(done);
        self.refresh(false);
    }

    fn second(&self, point: &TimelinePoint) {
        self.line.borrow_mut().second(point);
        self.refresh(false);
    }

    fn note(&self, text: &str) {
        if !self.quiet {
            self.say(text);
        }
    }

    fn snapshot(&self, _: &RunRecord) {}
}
