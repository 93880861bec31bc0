//! What a person sees of a campaign on standard error: lines, and on a terminal a bar.

use std::cell::RefCell;
use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::{OutputArgs, say};
use crate::campaign::Watch;
use crate::load::{Activity, Progress};
use reclaim_analysis::record::{RunRecord, TimelinePoint};

/// Standard error.
pub struct Terminal {
    bar: ProgressBar,
    visible: bool,
    quiet: bool,
    live: RefCell<String>,
}

impl Terminal {
    /// As the options want it; without a terminal there is no bar in any case.
    pub fn new(output: &OutputArgs) -> Self {
        let visible = !output.quiet && !output.no_progress && std::io::stderr().is_terminal();
        Self::with(visible, output.quiet)
    }

    /// Lines only, for commands without progress.
    pub fn plain(quiet: bool) -> Self {
        Self::with(false, quiet)
    }

    fn with(visible: bool, quiet: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        Self { bar, visible, quiet, live: RefCell::default() }
    }

    fn say(&self, text: &str) {
        // Nobody may be listening any more (`2>&1 | head`); the run is worth more than the line.
        self.bar.suspend(|| say(text));
    }

    /// The bar comes with the first phase of a run, and goes with the run.
    fn show_bar(&self) {
        if self.visible && self.bar.is_hidden() {
            self.bar.reset();
            self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
            self.bar.enable_steady_tick(Duration::from_millis(200));
        }
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

impl Watch for Terminal {
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
        self.show_bar();
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
        if !self.quiet {
            self.say(text);
        }
    }

    fn snapshot(&self, _: &RunRecord) {}
}
