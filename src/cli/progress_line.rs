//! How far a campaign is, as one line.

use std::time::{Duration, Instant};

use crate::load::Activity;
use reclaim_analysis::record::TimelinePoint;
use reclaim_analysis::report;
use reclaim_analysis::scenario::{Amount, Scenario};

/// What is done with an execution for each claim: created, staged, claimed, audited. A share is counted in
/// these.
const STEPS_PER_CLAIM: u64 = 4;

/// Share of a run below which the time that is left is a guess.
const KNOWN_FROM: f64 = 0.03;

/// What a line is made from.
#[derive(Debug)]
pub struct ProgressLine {
    /// This run's number among those of the campaign, from 1, and how many there are; 0 where that is not
    /// known.
    run: (u32, u32),
    activity: Option<Activity>,
    /// Steps of the run that are over, of the current activity, and of the whole run as the scenario says.
    /// Those of a window that is as long as its time are in none of them.
    before: u64,
    done: u64,
    expected: u64,
    /// Of the current activity.
    total: Option<u64>,
    /// Where the window is as long as its time, that.
    window: Option<Duration>,
    /// When the current one began, and how long those took that are over.
    window_began: Option<Instant>,
    in_windows: Duration,
    /// When this run began.
    run_began: Option<Instant>,
    /// Never falls within a campaign.
    share: f64,
    began: Option<Instant>,
    rate: Option<(f64, Option<f64>)>,
    errors: u64,
    /// What is waited for, and until when at most.
    waiting: Option<(String, Instant)>,
}

impl ProgressLine {
    /// Before the first run.
    pub fn new() -> Self {
        Self {
            run: (0, 0),
            activity: None,
            before: 0,
            done: 0,
            expected: 0,
            total: None,
            window: None,
            window_began: None,
            in_windows: Duration::ZERO,
            run_began: None,
            share: 0.0,
            began: None,
            rate: None,
            errors: 0,
            waiting: None,
        }
    }

    /// Run `n` of `of` begins.
    pub fn run(&mut self, n: u32, of: u32, scenario: &Scenario, now: Instant) {
        let claims = claims(scenario);
        let (window, timed) = match scenario.load.amount {
            Amount::Duration(time) => (Some(time), claims.saturating_sub(scenario.load.warmup)),
            Amount::Claims(_) | Amount::Trace => (None, 0),
        };
        let again = Self {
            run: (n, of),
            expected: 2 * u64::from(scenario.population.executions) + STEPS_PER_CLAIM * claims - timed,
            window,
            run_began: Some(now),
            // Of a campaign whose number of runs is not known, each run is shown by itself.
            share: if of > 1 { self.share } else { 0.0 },
            began: if of > 1 { self.began } else { None }.or(Some(now)),
            ..Self::new()
        };
        *self = again;
    }

    /// An activity begins.
    pub fn begin(&mut self, activity: Activity, total: Option<u64>, now: Instant) {
        self.before += self.done;
        self.done = 0;
        self.in_windows += self.window_began.map_or(Duration::ZERO, |began| now.duration_since(began));
        self.waiting = None;
        (self.activity, self.total) = (Some(activity), total.filter(|total| *total > 0));
        self.window_began = (activity == Activity::Window && self.window.is_some()).then_some(now);
    }

    /// Steps of it that are done.
    pub fn advance(&mut self, done: u64) {
        if self.window_began.is_none() {
            self.done = self.done.max(done);
        }
    }

    /// Nothing is done but to wait.
    pub fn waiting(&mut self, what: &str, left: Duration, now: Instant) {
        self.waiting = Some((what.to_owned(), now + left));
    }

    /// A second of the window.
    pub fn second(&mut self, point: &TimelinePoint) {
        // Of a second that was hardly measured there is no rate.
        if let Some(rate) = point.claims_per_sec() {
            self.rate = Some((rate, point.p99_us));
        }
        self.errors += point.errors;
    }

    /// The line, in at most `width` columns.
    pub fn text(&mut self, width: usize, now: Instant) -> String {
        if let Some((what, until)) = &self.waiting {
            let left = until.saturating_duration_since(now);
            return fitting(&[format!("waiting {what}"), format!("{} at most", clock(left))], width);
        }
        let Some(activity) = self.activity else { return String::new() };
        let whole = self.whole(now);
        let mut parts = Vec::new();
        let (phase, of) = phase(activity);
        let label = activity.label();
        if self.run.1 > 1 {
            parts.push(format!("run {} of {}, {label}", self.run.0, self.run.1));
        } else if self.run.0 > 1 {
            parts.push(format!("run {}, {label}", self.run.0));
        } else {
            parts.push(format!("{label} ({phase} of {of})"));
        }
        parts.push(format!("{:.0} %", (100.0 * whole).floor()));
        if let Some(left) = self.left(whole, now) {
            parts.push(format!("{} left", clock(left)));
        }
        if let Some((rate, p99_us)) = self.rate.filter(|_| claims_now(activity)) {
            parts.push(format!("{rate:.0}/s"));
            parts.extend(p99_us.map(|us| format!("p99 {}", report::time(us))));
        }
        if self.errors > 0 {
            parts.push(format!("{} not claimed", self.errors));
        }
        fitting(&parts, width)
    }

    /// Share of the campaign, which never falls and is whole only at its end.
    fn whole(&mut self, now: Instant) -> f64 {
        let steps = (self.before + self.done) as f64;
        let expected = (self.expected.max(1) as f64).max(steps);
        let share = match (self.window, self.run_began) {
            (Some(window), Some(run_began)) => {
                // Seconds, of which the window's are known; a step takes as long as those until now.
                let current = self.window_began.map_or(Duration::ZERO, |began| now.duration_since(began));
                let in_windows = self.in_windows + current;
                let otherwise = now.duration_since(run_began).saturating_sub(in_windows).as_secs_f64();
                let expected = otherwise / steps.max(1.0) * expected;
                let window = window.max(in_windows).as_secs_f64().max(0.001);
                (otherwise + in_windows.as_secs_f64()) / (expected.max(otherwise) + window)
            }
            _ => steps / expected,
        };
        let (n, of) = (f64::from(self.run.0.max(1)), f64::from(self.run.1.max(1)));
        self.share = self.share.max((n - 1.0 + share.min(0.99)) / of).min(0.99);
        self.share
    }

    fn left(&self, whole: f64, now: Instant) -> Option<Duration> {
        let spent = now.duration_since(self.began?);
        (whole >= KNOWN_FROM && spent.as_secs() >= 2).then(|| spent.mul_f64((1.0 - whole) / whole))
    }
}

/// Claims of a run, strata and blocks included, as far as the scenario says.
fn claims(scenario: &Scenario) -> u64 {
    scenario.claims_in_all(scenario.window_claims().unwrap_or_default())
}

/// The part of a run that an activity belongs to, from 1, and how many there are.
fn phase(activity: Activity) -> (u8, u8) {
    let n = match activity {
        Activity::Start | Activity::Plan | Activity::Create => 1,
        Activity::Stage | Activity::Warmup | Activity::Window | Activity::Blocks | Activity::Expire => 2,
        Activity::Audit => 3,
        Activity::Remove | Activity::Judge => 4,
    };
    (n, 4)
}

fn claims_now(activity: Activity) -> bool {
    matches!(activity, Activity::Window | Activity::Blocks | Activity::Stage | Activity::Warmup)
}

/// As much of a line as fits, the first parts before the last ones.
fn fitting(parts: &[String], width: usize) -> String {
    let mut line = String::new();
    for part in parts {
        let gap = if line.is_empty() { "" } else { "  " };
        if line.chars().count() + gap.len() + part.chars().count() <= width {
            line = line + gap + part;
        }
    }
    line
}

fn clock(time: Duration) -> String {
    let s = time.as_secs();
    if s >= 3_600 {
        format!("{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
    } else {
        format!("{}:{:02}", s / 60, s % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reclaim_analysis::scenario;

    /// 1,000 executions and 100 claims.
    const SCENARIO: &str = "schema = 1\nname = \"x\"\nsummary = \"\"\n[population]\nexecutions = 1000\n[load]\nclaims = \
                            100\n[[variant]]\nname = \"a\"\npath = \"grant-lane\"\n";

    fn scenario() -> Scenario {
        scenario::parse("x", SCENARIO).unwrap()
    }

    fn second(claimed: u64, errors: u64, p99_us: f64) -> TimelinePoint {
        let point = serde_json::json!({
            "t_s": 1.0, "claimed": claimed, "errors": errors, "p50_us": 1.0, "p99_us": p99_us, "stock": 0
        });
        serde_json::from_value(point).unwrap()
    }

    #[test]
    fn the_share_is_of_the_whole_run_and_never_falls() {
        let (mut line, begun) = (ProgressLine::new(), Instant::now());
        assert_eq!(line.text(80, begun), "");
        line.run(1, 1, &scenario(), begun);
        let at = |s: u64| begun + Duration::from_secs(s);
        line.begin(Activity::Create, Some(2_000), begun);
        assert_eq!(line.text(80, begun), "creating executions (1 of 4)  0 %");
        line.advance(1_200);
        assert_eq!(line.text(80, at(10)), "creating executions (1 of 4)  50 %  0:10 left");
        line.advance(2_000);
        let mut last = 0.0;
        for (activity, total) in [
            (Activity::Stage, Some(300)),
            (Activity::Window, Some(100)),
            (Activity::Audit, None),
            (Activity::Remove, Some(0)),
        ] {
            line.begin(activity, total, at(11));
            let share = line.whole(at(11));
            assert!(share >= last && share < 1.0 && !line.text(80, at(11)).contains("0/0"));
            line.advance(total.unwrap_or(5_000));
            last = line.whole(at(12));
        }
        assert!(line.text(80, at(12)).starts_with("removing what was written (4 of 4)  99 %"));
    }

    /// `lane-ab` has no control strata, whatever `control_strata` would be with a control of its own.
    #[test]
    fn a_run_is_as_large_as_its_plan() {
        let shipped = scenario::Shipped::find("lane-ab").unwrap();
        let lane_ab = scenario::parse("lane-ab", shipped.text).unwrap();
        let plan =
            crate::load::Plan::staged(&lane_ab, 42, lane_ab.window_claims().unwrap(), &|| false).unwrap();
        assert_eq!(claims(&lane_ab), plan.claims().count() as u64);
    }

    #[test]
    fn a_window_as_long_as_its_time_takes_its_share_of_the_whole() {
        let timed = SCENARIO.replace("claims = 100", "duration = \"20s\"\nwarmup = 0\nmode = \"churn\"");
        let (mut line, begun) = (ProgressLine::new(), Instant::now());
        let at = |s: u64| begun + Duration::from_secs(s);
        line.run(1, 1, &scenario::parse("x", &timed).unwrap(), begun);
        line.begin(Activity::Create, Some(2_000), begun);
        line.advance(2_000);
        line.begin(Activity::Window, None, at(5));
        assert_eq!(line.text(80, at(5)), "claiming (2 of 4)  20 %  0:20 left");
        line.advance(1_000_000);
        assert_eq!(line.text(80, at(15)), "claiming (2 of 4)  60 %  0:10 left");
        assert_eq!(line.text(80, at(24)), "claiming (2 of 4)  96 %  0:01 left");
        line.begin(Activity::Audit, Some(1_000), at(25));
        line.advance(500);
        assert_eq!(line.text(80, at(26)), "auditing (3 of 4)  99 %  0:00 left");
    }

    #[test]
    fn a_series_goes_on_where_the_run_before_ended() {
        let (mut line, begun) = (ProgressLine::new(), Instant::now());
        line.run(1, 2, &scenario(), begun);
        line.begin(Activity::Create, Some(2_000), begun);
        line.advance(2_000);
        let before = line.whole(begun);
        line.run(2, 2, &scenario(), begun);
        line.begin(Activity::Create, Some(2_000), begun);
        assert!(line.whole(begun) >= before && line.whole(begun) >= 0.5);
        assert!(line.text(80, begun).starts_with("run 2 of 2, creating executions  50 %"));
    }

    #[test]
    fn a_wait_says_for_what_and_how_long_until_something_else_begins() {
        let (mut line, begun) = (ProgressLine::new(), Instant::now());
        line.waiting("for a quiet machine", Duration::from_secs(30), begun);
        assert_eq!(line.text(80, begun), "waiting for a quiet machine  0:30 at most");
        assert_eq!(
            line.text(80, begun + Duration::from_secs(12)),
            "waiting for a quiet machine  0:18 at most"
        );
        line.run(1, 1, &scenario(), begun);
        line.begin(Activity::Create, Some(2_000), begun);
        assert_eq!(line.text(80, begun), "creating executions (1 of 4)  0 %");
    }

    #[test]
    fn rate_and_errors_are_shown_in_units_that_fit_and_in_the_width() {
        let (mut line, begun) = (ProgressLine::new(), Instant::now());
        line.run(1, 1, &scenario(), begun);
        line.begin(Activity::Window, Some(100), begun);
        line.second(&second(8_120, 0, 410.0));
        assert_eq!(line.text(80, begun), "claiming (2 of 4)  0 %  8120/s  p99 410.0 µs");
        line.second(&second(80, 3, 2_000.0));
        assert_eq!(line.text(80, begun), "claiming (2 of 4)  0 %  80/s  p99 2,000 µs  3 not claimed");
        assert_eq!(line.text(32, begun), "claiming (2 of 4)  0 %  80/s");
        assert_eq!(clock(Duration::from_secs(3_725)), "1:02:05");
    }
}
