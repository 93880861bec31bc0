//! `--live`: a run on a full screen, second by second.
//!
//! Drawn to standard error on the terminal's other screen, which goes away at the end; what was noted
//! meanwhile is said then. Keys stay as they are, so that Ctrl-C ends the run as always.

use std::collections::VecDeque;
use std::io::{Stderr, stderr};

use anyhow::Context as _;
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Sparkline};
use ratatui::{Frame, Terminal};

use reclaim_analysis::record::TimelinePoint;
use reclaim_analysis::report::{percent, time, wrapped};

/// Seconds that are drawn: more than the widest terminal has columns.
const KEPT: usize = 400;

/// Notes that are shown.
const NOTES: usize = 6;

/// A figure over time: what it is of, its value in a second, and that for a reader.
type Figure = (String, Box<dyn Fn(&TimelinePoint) -> Option<f64>>, fn(f64) -> String);

/// What is shown.
#[derive(Default)]
struct View {
    /// What is done, and how far it is.
    progress: String,
    seconds: VecDeque<TimelinePoint>,
    notes: Vec<String>,
}

/// The full screen.
pub struct Live {
    terminal: Terminal<CrosstermBackend<Stderr>>,
    view: View,
}

impl Live {
    /// Takes the screen.
    pub fn begin() -> anyhow::Result<Self> {
        let terminal = Terminal::new(CrosstermBackend::new(stderr())).context("--live needs a terminal")?;
        execute!(stderr(), EnterAlternateScreen, Hide).context("--live needs a terminal")?;
        Ok(Self { terminal, view: View::default() })
    }

    /// How far the run is.
    pub fn progress(&mut self, line: String) {
        self.view.progress = line;
        self.draw();
    }

    /// A finished second.
    pub fn second(&mut self, point: &TimelinePoint) {
        self.view.second(point);
        self.draw();
    }

    /// Something worth a line.
    pub fn note(&mut self, text: &str) {
        self.view.notes.push(text.to_owned());
        self.draw();
    }

    /// A frame that cannot be drawn is one less; the run is worth more.
    fn draw(&mut self) {
        let view = &self.view;
        let _ = self.terminal.draw(|frame| view.draw(frame));
    }

    /// Gives the screen back, and what was noted meanwhile.
    pub fn end(mut self) -> Vec<String> {
        std::mem::take(&mut self.view.notes)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = execute!(stderr(), LeaveAlternateScreen, Show);
        let _ = self.terminal.backend_mut().flush();
    }
}

impl View {
    fn second(&mut self, point: &TimelinePoint) {
        if self.seconds.len() == KEPT {
            self.seconds.pop_front();
        }
        self.seconds.push_back(point.clone());
    }

    fn draw(&self, frame: &mut Frame<'_>) {
        let figures: Vec<Figure> = figures(&self.seconds)
            .into_iter()
            .filter(|(_, of, _)| self.seconds.iter().any(|p| of(p).is_some()))
            .collect();
        let width = usize::from(frame.area().width);
        let folded: Vec<String> = self.notes.iter().map(|note| wrapped(note, "  ", width)).collect();
        let notes: Vec<&str> = folded.iter().flat_map(|note| note.lines()).collect();
        let last = &notes[notes.len().saturating_sub(NOTES)..];
        let [head, middle, foot] = Layout::vertical([
            Constraint::Length(2),
            Constraint::Fill(1),
            Constraint::Length(last.len() as u16 + 1),
        ])
        .areas(frame.area());
        let bold = Style::new().add_modifier(Modifier::BOLD);
        frame.render_widget(Paragraph::new(Line::styled(self.progress.as_str(), bold)), head);
        // Two columns where there is room for what each of them says.
        let columns = if middle.width >= 80 { 2 } else { 1 };
        let rows = figures.len().div_ceil(columns).max(1);
        let lines = Layout::vertical(vec![Constraint::Max(6); rows]).split(middle);
        for (n, figure) in figures.iter().enumerate() {
            let cells =
                Layout::horizontal(vec![Constraint::Fill(1); columns]).spacing(2).split(lines[n / columns]);
            self.figure(frame, figure, cells[n % columns]);
        }
        let last = last.iter().map(|line| Line::raw(*line));
        frame.render_widget(Paragraph::new(last.collect::<Vec<_>>()), foot);
    }

    fn figure(&self, frame: &mut Frame<'_>, (name, of, format): &Figure, area: Rect) {
        let width = usize::from(area.width);
        let shown = self.seconds.iter().skip(self.seconds.len().saturating_sub(width));
        let values: Vec<f64> = shown.map(|point| of(point).unwrap_or(0.0)).collect();
        let most = values.iter().copied().fold(0.0, f64::max).max(f64::MIN_POSITIVE);
        let now = self.seconds.back().and_then(of).map_or_else(|| "-".to_owned(), *format);
        let heights: Vec<u64> = values.iter().map(|value| (1_000.0 * value / most).round() as u64).collect();
        let title = format!("{name} {now} (most {})", format(most));
        frame.render_widget(
            Sparkline::default().data(heights).max(1_000).block(Block::new().title(title)),
            area,
        );
    }
}

/// All that is known of a second; in two columns what belongs together stands side by side.
fn figures(seconds: &VecDeque<TimelinePoint>) -> Vec<Figure> {
    let primaries = seconds.iter().map(|point| point.primary_cpu.len()).max().unwrap_or_default();
    let mut all: Vec<Figure> = vec![
        ("claims/s".into(), Box::new(TimelinePoint::claims_per_sec), whole),
        (
            "did not succeed/s".into(),
            Box::new(|point| point.per_sec(point.errors).filter(|errors| *errors > 0.0)),
            whole,
        ),
        ("service p50".into(), Box::new(|point| point.p50_us), time),
        ("service p99".into(), Box::new(|point| point.p99_us), time),
        ("response p50".into(), Box::new(|point| point.response_p50_us), time),
        ("response p99".into(), Box::new(|point| point.response_p99_us), time),
        ("send lag p99".into(), Box::new(|point| point.send_lag_p99_us), time),
        ("grants in stock".into(), Box::new(|point| Some(point.stock as f64)), whole),
    ];
    all.extend((0..primaries).map(|n| -> Figure {
        (format!("CPU of primary {n}"), Box::new(move |point| point.primary_cpu.get(n).copied()), percent)
    }));
    all
}

fn whole(n: f64) -> String {
    format!("{n:.0}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::backend::TestBackend;

    fn drawn(view: &View, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view.draw(frame)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn what_is_known_is_drawn_with_its_last_value_and_what_is_not_takes_no_room() {
        let mut view = View { progress: "claiming (2 of 4)  50 %".into(), ..View::default() };
        for n in 1..=500 {
            view.second(&TimelinePoint {
                claimed: 1_000 + n,
                p50_us: Some(250.0),
                p99_us: Some(1_500.0),
                stock: 500 - n,
                primary_cpu: vec![0.25, 0.5],
                ..TimelinePoint::default()
            });
        }
        view.notes.push("something happened".into());
        assert_eq!(view.seconds.len(), KEPT, "an hour takes no more memory than a screen");
        for (width, height) in [(80, 24), (40, 40), (200, 50)] {
            let screen = drawn(&view, width, height);
            for part in [
                "claiming (2 of 4)",
                "claims/s 1500",
                "service p99 1,500 µs",
                "CPU of primary 1 50 %",
                "something happened",
            ] {
                assert!(screen.contains(part), "{part} is not on\n{screen}");
            }
            assert!(!screen.contains("response p99") && !screen.contains("did not succeed"), "{screen}");
            assert!(screen.contains('█'), "{screen}");
        }
        drawn(&view, 1, 1);
        drawn(&View::default(), 80, 24);
    }
}
