//! What a person sees of a campaign on standard error: lines that stay, and one that tells how far it is.

use std::cell::{Cell, RefCell};
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::events::{Event, Events};
use super::exit::Exit;
#[cfg(feature = "live")]
use super::live::Live;
use super::metrics::Metrics;
use super::output::{COLUMNS, OutputArgs, columns_of, say};
use super::progress_line::ProgressLine;
use crate::campaign::Watch;
use crate::load::{Activity, Progress};
use crate::store::ResultDir;
use reclaim_analysis::judge::RunResult;
use reclaim_analysis::record::{RunRecord, TimelinePoint};
use reclaim_analysis::scenario::Scenario;

/// Between two looks at the line on a terminal.
const REDRAWN_AFTER: Duration = Duration::from_millis(200);

/// Between two lines where it is none: logs are read later.
const REPEATED_AFTER: Duration = Duration::from_secs(10);

/// Standard error.
pub struct Terminal {
    line: RefCell<ProgressLine>,
    bar: ProgressBar,
    shows: Shows,
    quiet: bool,
    events: Option<Events>,
    metrics: Option<Metrics>,
    #[cfg(feature = "live")]
    live: RefCell<Option<Live>>,
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
    pub fn new(output: &OutputArgs) -> anyhow::Result<Self> {
        let shows = match (output.quiet || output.no_progress, std::io::stderr().is_terminal()) {
            (true, _) => Shows::Nothing,
            (false, true) => Shows::InPlace,
            (false, false) => Shows::Lines,
        };
        let served = output.metrics_addr.map(Metrics::serve).transpose()?;
        let (metrics, addr) = served.unzip();
        let mut terminal = Self::with(shows, output.quiet);
        terminal.events = output.events.as_deref().map(Events::open).transpose()?;
        terminal.metrics = metrics;
        #[cfg(feature = "live")]
        if output.live {
            if shows != Shows::InPlace {
                anyhow::bail!("--live needs a terminal on standard error");
            }
            terminal.live.replace(Some(Live::begin()?));
        }
        if let Some(addr) = addr {
            terminal.note(&format!("metrics: http://{addr}/metrics"));
        }
        Ok(terminal)
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
        Self {
            line,
            bar,
            shows,
            quiet,
            events: None,
            metrics: None,
            #[cfg(feature = "live")]
            live: RefCell::default(),
            shown: Cell::new(Instant::now()),
        }
    }

    /// Tells where the result lies and how the command ends.
    pub fn result(&self, dir: &ResultDir, exit: Exit) -> Exit {
        if let Some(events) = &self.events {
            events.result(dir.path(), exit);
        }
        if !self.quiet {
            self.say(&format!("\nresult: {}", dir.path().display()));
        }
        exit
    }

    fn say(&self, text: &str) {
        #[cfg(feature = "live")]
        if let Some(live) = &mut *self.live.borrow_mut() {
            return live.note(text);
        }
        // Nobody may be listening any more (`2>&1 | head`); the run is worth more than the line.
        self.bar.suspend(|| say(text));
    }

    /// Shows the line in its place.
    fn show(&self, line: String) {
        #[cfg(feature = "live")]
        if let Some(live) = &mut *self.live.borrow_mut() {
            return live.progress(line);
        }
        self.bar.set_message(line);
    }

    /// Whether the line has a place of its own, which a full screen has not.
    fn has_bar(&self) -> bool {
        #[cfg(feature = "live")]
        if self.live.borrow().is_some() {
            return false;
        }
        self.shows == Shows::InPlace
    }

    /// Gives a full screen back, and says what was noted on it.
    #[cfg(feature = "live")]
    fn leave_full_screen(&self) {
        if let Some(live) = self.live.take() {
            live.end().iter().for_each(|note| say(note));
        }
    }

    /// Prints a result below what was shown while it was measured.
    pub fn print(&self, output: &OutputArgs, text: &str) -> anyhow::Result<()> {
        self.bar.finish_and_clear();
        #[cfg(feature = "live")]
        self.leave_full_screen();
        output.print(text)
    }

    /// Shows the line, if it is time.
    fn refresh(&self, at_once: bool) {
        let now = Instant::now();
        let since = now.duration_since(self.shown.get());
        match self.shows {
            Shows::InPlace if at_once || since >= REDRAWN_AFTER => {
                // The spinner takes two columns, and the last one is left free: some terminals wrap in it.
                let width = usize::from(columns()).saturating_sub(3);
                let line = self.line.borrow_mut().text(width, now);
                self.show(line);
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

#[cfg(feature = "live")]
impl Drop for Terminal {
    fn drop(&mut self) {
        self.leave_full_screen();
    }
}

/// Columns of the terminal: what `COLUMNS` says, else what it has.
fn columns() -> u16 {
    columns_of(std::io::stderr()).unwrap_or(COLUMNS)
}

impl Watch for Terminal {
    fn run(&self, n: u32, of: u32, scenario: &Scenario) {
        if let Some(events) = &self.events {
            events.tell(Event::Run { run: n, of, scenario: &scenario.name });
        }
        self.line.borrow_mut().run(n, of, scenario, Instant::now());
        if self.has_bar() {
            self.bar.reset();
            self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
            self.bar.enable_steady_tick(REDRAWN_AFTER);
        }
    }

    fn warn(&self, text: &str) {
        if let Some(events) = &self.events {
            events.tell(Event::Warning { text });
        }
        self.say(&format!("warning: {text}"));
    }

    fn judged(&self, result: &RunResult) {
        if let Some(events) = &self.events {
            events.judged(result);
        }
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
    }
}

impl Progress for Terminal {
    fn begin(&self, activity: Activity, total: Option<u64>) {
        if let Some(events) = &self.events {
            events.tell(Event::Phase { phase: activity, total });
        }
        if let Some(metrics) = &self.metrics {
            metrics.begin(activity);
        }
        self.line.borrow_mut().begin(activity, total, Instant::now());
        self.refresh(true);
    }

    fn advance(&self, done: u64) {
        self.line.borrow_mut().advance(done);
        self.refresh(false);
    }

    fn waiting(&self, what: &str, left: Duration) {
        if let Some(events) = &self.events {
            events.waiting(what, left);
        }
        self.line.borrow_mut().waiting(what, left, Instant::now());
        self.refresh(false);
    }

    fn second(&self, point: &TimelinePoint) {
        if let Some(events) = &self.events {
            events.second(point);
        }
        if let Some(metrics) = &self.metrics {
            metrics.second(point);
        }
        #[cfg(feature = "live")]
        if let Some(live) = &mut *self.live.borrow_mut() {
            live.second(point);
        }
        self.line.borrow_mut().second(point);
        self.refresh(false);
    }

    fn note(&self, text: &str) {
        if let Some(events) = &self.events {
            events.tell(Event::Note { text });
        }
        if !self.quiet {
            self.say(text);
        }
    }

    fn snapshot(&self, _: RunRecord) {}
}
