//! The page of a sweep: what changes from value to value.

use maud::{Markup, html};

use super::parts::{Answer, Belief, blocks, figure, figures, folded, table, value, words as word_column};
use super::shell::{Body, Section};
use super::sweep_by_value::{RATE, TIME, by_value, each_arm, figures_by_value};
use crate::judge::{Sweep, SweepArm, SweepComparison, SweepLine, SweepPoint, SweepTrust, Verdict};
use crate::report::chart::{
    Axis, Chart, Forest, ForestRow, Layer, Look, Point, PointSeries, Scale, Tone, Xy,
};
use crate::report::format::{difference, figure as number, round_time_us, time_us};
use crate::report::sweep_answer::{self, value_of};
use crate::report::sweep_lines::allowed_for_others;
use crate::report::{sweep as said, words};
use crate::stats::Estimate;

pub(super) fn body(scenario: &str, sweep: &Sweep) -> Body {
    let mut sections = Vec::new();
    let mut add = |id: &'static str, title: &str, body: Markup| {
        sections.push(Section { id, title: title.to_owned(), body });
    };
    if let Some(chart) = over_round_trips(sweep) {
        let body = html! { (slopes(sweep)) (figure(&chart, &lines(sweep))) };
        add("saving", "The difference over the round trip", body);
    }
    if let Some(chart) = forest(sweep) {
        add("differences", "The difference at each value", figure(&chart, &differences(sweep)));
    }
    for (id, title, measure) in
        [("time", "Service time at each value", TIME), ("rate", "Throughput at each value", RATE)]
    {
        add(id, title, figure(&by_value(sweep, &measure), &figures_by_value(sweep, &measure)));
    }
    let all = folded("The same as in a terminal", &blocks(&said::blocks(scenario, sweep)));
    sections.push(Section::in_words(all));
    Body {
        title: format!("{scenario}: {} from value to value", sweep.key),
        kind: format!("sweep of {} values", sweep.points.len()),
        answer: answer(sweep),
        sections,
    }
}

/// A figure of the stored sweep with its interval's ends, each with its place.
fn with_ends(text: fn(f64) -> String, of: &Estimate, place: &str) -> [Markup; 3] {
    [(of.estimate, "estimate"), (of.low, "low"), (of.high, "high")]
        .map(|(figure, key)| value(&text(figure), figure, &format!("{place}/{key}")))
}

/// The lines through the points: what the slope says, and what is there without an added round trip.
fn lines(sweep: &Sweep) -> Markup {
    let row = |(n, line): (usize, &SweepLine)| {
        let [base, low, high] = with_ends(number, &line.base, &format!("/lines/{n}/base"));
        let base = html! { (base) (sweep_answer::beyond(sweep, line, 0.0)) };
        let slope = with_ends(|times| format!("{times:.3}"), &line.per_us, &format!("/lines/{n}/per_us"));
        [html! { (line.name) " less " (line.baseline) }, base, low, high].into_iter().chain(slope).collect()
    };
    let rows: Vec<Vec<Markup>> = sweep.lines.iter().enumerate().map(row).collect();
    let columns = [
        word_column("difference"),
        figures("at none added (µs)"),
        figures("low"),
        figures("high"),
        figures("round-trip times more"),
        figures("low"),
        figures("high"),
    ];
    html! {
        (table("The fitted lines", &columns, &rows))
        p { "The points are in the table of the next chart." @for allowed in allowed_for_others(sweep) { " " (allowed) } }
    }
}

/// Every comparison of every value.
fn differences(sweep: &Sweep) -> Markup {
    let row = |n: usize, point: &SweepPoint, m: usize, arm: &SweepArm| {
        let against = arm.against.as_ref()?;
        let ratio = against.ratio.as_ref().map_or_else(
            || [html! { "-" }, html! { "-" }, html! { "-" }],
            |ratio| with_ends(difference, ratio, &format!("/points/{n}/arms/{m}/against/ratio")),
        );
        let names = [html! { (value_of(point)) }, html! { (arm.name) }];
        let verdict = html! { (verdict(point, against).0) };
        Some(names.into_iter().chain(ratio).chain([verdict]).collect::<Vec<Markup>>())
    };
    let rows: Vec<Vec<Markup>> =
        each_arm(sweep).filter_map(|(n, point, m, arm)| row(n, point, m, arm)).collect();
    let columns = [
        word_column("value"),
        word_column("variant"),
        figures("difference"),
        figures("low"),
        figures("high"),
        word_column("verdict"),
    ];
    table("Difference from the baseline at each value", &columns, &rows)
}

fn verdict(point: &SweepPoint, against: &SweepComparison) -> (&'static str, Tone) {
    let tone = match against.verdict {
        // Red is for what is worse; nothing is said of such a run.
        _ if !point.valid => return ("not judged", Tone::Neutral),
        Verdict::Improvement => Tone::Good,
        Verdict::Regression => Tone::Bad,
        Verdict::NoChange | Verdict::Inconclusive => Tone::Neutral,
    };
    (words::verdict_of(against.verdict, against.metric), tone)
}

fn answer(sweep: &Sweep) -> Answer {
    let details = sweep.candidates().into_iter().filter_map(|name| {
        let line = sweep.line(name)?;
        let words = sweep_answer::line_in_words(sweep, line, &signed(line.base.estimate));
        Some(html! { p { (name) ": " (words) "." } })
    });
    Answer {
        // As text begins with it.
        sentence: said::gate(sweep)
            .into_iter()
            .chain([sweep_answer::answer(sweep)])
            .collect::<Vec<_>>()
            .join("\n"),
        figure: None,
        tone: "",
        details: details.collect(),
        belief: belief(sweep),
    }
}

/// Whether to believe it, and why.
fn belief(sweep: &Sweep) -> Belief {
    let wanted = sweep.wanted.len();
    let unusable = sweep.points.iter().filter(|point| !point.valid).count();
    let mut reasons = Vec::new();
    if unusable > 0 {
        reasons.push(html! { (unusable) " of " (sweep.points.len()) " runs are invalid or were interrupted: do not use their figures." });
    }
    reasons.extend(sweep_answer::vetoed(sweep).map(|text| html! { (text) }));
    if sweep.lines.is_empty() {
        reasons.extend(sweep_answer::without_line(sweep).into_iter().map(|text| html! { (text) }));
    }
    if sweep.points.len() < wanted {
        reasons.push(html! { (sweep.points.len()) " of " (wanted) " values were run." });
    }
    if let Some(error) = &sweep.ended_by {
        reasons.push(html! { "It was ended by an error: " (error) });
    }
    if sweep.is_over_round_trips() {
        reasons.push(html! { "The network is simulated: the tool held replies back." });
    }
    let remarks = said::to_keep_in_mind(sweep).len();
    if remarks > 0 {
        reasons
            .push(html! { (remarks) @if remarks == 1 { " thing" } @else { " things" } " to keep in mind." });
    }
    let trust = sweep.trust();
    let headline = match trust {
        SweepTrust::Unusable => "Not all of these figures may be used.",
        SweepTrust::NothingJudged => "Do not draw a conclusion from this sweep.",
        SweepTrust::Gaps => "Valid, with gaps.",
        SweepTrust::Warned => "Usable, with something to keep in mind.",
        SweepTrust::Sound => "All runs are valid.",
    };
    Belief { level: trust.level(), headline: headline.into(), reasons }
}

fn signed(us: f64) -> String {
    format!("{}{}", if us < 0.0 { "−" } else { "+" }, time_us(us.abs()))
}

fn slopes(sweep: &Sweep) -> Markup {
    html! {
        p {
            "The slope of a line is how much longer a variant takes than its baseline for as much as each round trip is longer, at the \
             load that was measured. It equals the number of round trips that the variant makes more only where claims do not queue."
        }
        @if !sweep.lines.is_empty() { @for why in sweep_answer::without_line(sweep) { p { (why) } } }
    }
}

fn over_round_trips(sweep: &Sweep) -> Option<Chart> {
    // The axis is a time.
    let metric = sweep.metric().filter(|metric| metric.grows_with_round_trips())?;
    if !sweep.is_over_round_trips() {
        return None;
    }
    let lines: Vec<RoundTripLine<'_>> =
        sweep.candidates().into_iter().map(|name| round_trip_line(sweep, name)).collect();
    let added = sweep.points.iter().map(SweepPoint::added_us);
    let layers: Vec<Layer> =
        lines.iter().enumerate().flat_map(|(n, line)| line.layers(Tone::Nth(n + 1))).collect();
    let ends = lines.iter().flat_map(RoundTripLine::ends);
    (!layers.is_empty()).then(|| Chart {
        title: "Difference from the baseline over the time added to each round trip".into(),
        description: "Points with intervals, and a line through them.".into(),
        plot: Box::new(Xy {
            x: Axis {
                label: "added to each round trip".into(),
                scale: Scale::from_zero(added),
                format: Box::new(round_time_us),
            },
            y: Axis {
                label: format!("difference of the {}", metric.row().title),
                scale: Scale::around(ends.chain([0.0])),
                format: Box::new(round_time_us),
            },
            layers,
            height: 280.0,
        }),
    })
}

/// A candidate's difference from the baseline, value by value, and the line through it.
struct RoundTripLine<'a> {
    name: &'a str,
    points: Vec<Point>,
    /// Those of runs whose control failed.
    unjudged: Vec<Point>,
    through: Option<&'a SweepLine>,
}

fn round_trip_line<'a>(sweep: &'a Sweep, name: &'a str) -> RoundTripLine<'a> {
    let point = |point: &SweepPoint| {
        let arm = point.arms.iter().find(|arm| arm.name == name)?;
        let (amount, low, high) = arm.against.as_ref()?.amount()?;
        let tip = format!("{} added: {}", time_us(point.added_us()), signed(amount));
        Some(Point { x: point.added_us(), y: amount, interval: Some((low, high)), tip })
    };
    let of = |judged: bool| -> Vec<Point> {
        let wanted = |p: &&SweepPoint| p.valid && p.control_failed.is_none() == judged;
        sweep.points.iter().filter(wanted).filter_map(point).collect()
    };
    RoundTripLine { name, points: of(true), unjudged: of(false), through: sweep.line(name) }
}

impl RoundTripLine<'_> {
    fn ends(&self) -> impl Iterator<Item = f64> {
        let intervals = self.points.iter().chain(&self.unjudged).filter_map(|point| point.interval);
        intervals.flat_map(|(low, high)| [low, high])
    }

    /// The line goes as far as the points that carry it.
    fn layers(&self, tone: Tone) -> Vec<Layer> {
        let series = |name: &str, look, points| {
            Layer::Series(PointSeries { name: name.to_owned(), tone, look, points })
        };
        let mut layers = Vec::new();
        if let Some(line) = self.through {
            let carried = || self.points.iter().map(|point| point.x);
            let ends = [carried().fold(f64::INFINITY, f64::min), carried().fold(0.0, f64::max)];
            let ends = ends.map(|x| Point::at(x, line.at(x).estimate));
            layers.push(series("", Look::Fit, ends.to_vec()));
        }
        layers.push(series(self.name, Look::Dots, self.points.clone()));
        if !self.unjudged.is_empty() {
            layers.push(series(
                &format!("{}, control failed", self.name),
                Look::Hollow,
                self.unjudged.clone(),
            ));
        }
        layers
    }
}

fn forest(sweep: &Sweep) -> Option<Chart> {
    let several = sweep.candidates().len() > 1;
    let row = |point: &SweepPoint, arm: &SweepArm| {
        let against = arm.against.as_ref()?;
        let value = value_of(point);
        let label = if several { format!("{value}, {}", arm.name) } else { value };
        let (verdict, tone) = verdict(point, against);
        Some(ForestRow { verdict: verdict.into(), tone, ..ForestRow::new(label, against.ratio) })
    };
    let rows: Vec<ForestRow> = sweep
        .points
        .iter()
        .flat_map(|point| point.arms.iter().filter_map(move |arm| row(point, arm)))
        .collect();
    let first = sweep.points.iter().flat_map(|point| &point.arms).find_map(|arm| arm.against.as_ref())?;
    let described = rows.iter().map(|row| format!("{}: {} {}", row.label, row.figures, row.verdict));
    Some(Chart {
        title: format!("Difference from {} by {}", first.baseline, first.metric.row().title),
        description: described.collect::<Vec<_>>().join("; "),
        plot: Box::new(Forest { rows, band: None, sides: ["less", "more"] }),
    })
}

#[cfg(test)]
#[path = "sweep_tests.rs"]
mod tests;
