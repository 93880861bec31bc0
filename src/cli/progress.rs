//! Progress on standard error, for people only: a bar on a terminal, nothing elsewhere.

use std::cell::{Cell, RefCell};
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::result_dir::ResultDir;
use crate::load::{Activity, Progress};
use reclaim_analysis::record::{RunRecord, TimelinePoint};

/// Shows a run's progress, and keeps what it has measured so far in the result directory.
pub struct Watch<'a> {
    bar: ProgressBar,
    quiet: bool,
    dir: &'a ResultDir,
    live: RefCell<String>,
    /// A failure to keep a snapshot is said once; the run goes on.
    complained: Cell<bool>,
}

impl<'a> Watch<'a> {
    /// `wanted` is false for `--quiet` and `--no-progress`; without a terminal there is no bar in any case.
    pub fn new(wanted: bool, quiet: bool, dir: &'a ResultDir) -> Self {
        let visible = wanted && std::io::stderr().is_terminal();
        let target =
            if visible { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if visible {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self { bar, quiet, dir, live: RefCell::default(), complained: Cell::new(false) }
    }

    /// A line that stays, unless quiet was asked for.
    pub fn line(&self, text: &str) {
        if !self.quiet {
            self.say(text);
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn say(&self, text: &str) {
        // Nobody may be listening any more (`2>&1 | head`); the run is worth more than the line.
        self.bar.suspend(|| drop(writeln!(std::io::stderr(), "{text}")));
    }

    fn style(total: Option<u64>) -> ProgressStyle {
        let template = match total {
            // indicatif colours only where colours are wanted: it honours NO_COLOR.
            Some(_) => "{msg:34!} {bar:24.cyan} {percent:>3} %  {prefix}",
            None => "{msg:34!} {spinner} {pos}  {prefix}",
        };
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
    }
}

impl Progress for Watch<'_> {
    fn begin(&self, activity: Activity, total: Option<u64>) {
        self.bar.set_style(Self::style(total));
        match total {
            Some(total) => self.bar.set_length(total),
            None => self.bar.unset_length(),
        }
        self.bar.set_position(0);
        self.bar.set_message(activity.label());
        let live = if activity == Activity::Window { self.live.borrow().clone() } else { String::new() };
        self.bar.set_prefix(live);
    }

    fn advance(&self, done: u64) {
        self.bar.set_position(done);
    }

    fn second(&self, point: &TimelinePoint) {
        let quantile = |us: Option<f64>| us.map_or_else(|| "-".into(), |us| format!("{us:.0} us"));
        let text =
            format!("{}/s  p50 {}  p99 {}", point.claimed, quantile(point.p50_us), quantile(point.p99_us));
        self.bar.set_prefix(text.clone());
        self.live.replace(text);
    }

    fn note(&self, text: &str) {
        self.line(text);
    }

    fn snapshot(&self, record: &RunRecord) {
        if let Err(error) = self.dir.keep_partial(record)
            && !self.complained.replace(true)
        {
            self.say(&format!("warning: {error:#}; the run goes on without a safety copy"));
        }
    }
}
