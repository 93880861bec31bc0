//! The window over time, for who operates a cluster: claims and errors, latency, send lag, stock, CPU of each
//! primary, with what happened marked in all of them.

use maud::{Markup, html};

use super::super::parts::{behind, drawn, figures, maybe, table, value, words};
use crate::judge::{self, RunResult, Span};
use crate::record::{RunRecord, TimelinePoint, WindowEvent};
use crate::report::chart::{Axis, Chart, Layer, Look, Point, PointSeries, Scale, Tone, Xy};
use crate::report::format::{self, count, rough, round_time_us};
use crate::report::words as said;

/// Rows of the table behind the charts; a longer window is summed up.
const ROWS: usize = 400;

/// Something over time: its name and its value in a second.
type Over<'a> = (String, Tone, Box<dyn Fn(usize, &TimelinePoint) -> Option<f64> + 'a>);

pub(super) fn section(result: &RunResult) -> Option<Markup> {
    let timeline = &result.record.timeline;
    if timeline.len() < 2 {
        return None;
    }
    let charts = charts(result);
    Some(html! {
        @if let Some(whose) = whose(result) { p { (whose) } }
        @if let Some(events) = events(&result.record.events) { (events) }
        @for chart in &charts { (drawn(chart)) }
        @if let Some(said) = said::last_second(&result.record) { p class="soft" { (said) } }
        (behind("The figures behind these charts", &seconds(&result.record)))
    })
}

/// Whose claims the seconds are of, and what else took their time, where one variant did not have them for
/// itself.
fn whose(result: &RunResult) -> Option<String> {
    let record = &result.record;
    let control = result.control.is_some().then_some("the control's claims");
    let blocks = (!record.blocks.is_empty()).then_some("the counter blocks");
    let with: Vec<&str> = control.into_iter().chain(blocks).collect();
    if record.arms.len() < 2 && with.is_empty() {
        return None;
    }
    let with = if with.is_empty() { String::new() } else { format!(", with {}", with.join(" and ")) };
    let mut said = format!("All variants together{with}: a second's median is of all of these claims.");
    if record.strata.iter().any(|stratum| stratum.ruler.is_some()) {
        said.push_str(" Bare round trips take time in the same seconds.");
    }
    if record.has_workers() {
        said.push_str(" Claims per second are left out: the pipes to the workers are in that time.");
    }
    Some(said)
}

/// A whole number of things in a second.
fn whole(n: f64) -> String {
    count(n.round() as u64)
}

fn charts(result: &RunResult) -> Vec<Chart> {
    let timeline = &result.record.timeline;
    let over =
        |title: &str, values: &[Over<'_>], scale, format| over(&result.record, title, values, scale, format);
    let known = |of: fn(&TimelinePoint) -> bool| timeline.iter().any(of);
    let one = |name: &str, tone: Tone, of: fn(&TimelinePoint) -> Option<f64>| -> Over<'_> {
        (name.to_owned(), tone, Box::new(move |_, point| of(point)))
    };
    let rate = |name: &str, tone: Tone, of: fn(&TimelinePoint) -> u64| -> Over<'_> {
        (name.to_owned(), tone, Box::new(move |n, _| result.record.per_sec(n, of)))
    };
    let mut charts = Vec::new();
    // The pipes to workers would be in that rate.
    if !result.record.has_workers() {
        let claims = [rate("claims", Tone::Nth(0), |point| point.claimed)];
        charts.push(over("Claims per second", &claims, Scale::counts, whole));
    }
    if known(|point| point.errors > 0) {
        let errors = [rate("errors", Tone::Bad, |point| point.errors)];
        charts.push(over("Claims that did not succeed, per second", &errors, Scale::counts, whole));
    }
    let times = [
        one("service p50", Tone::Nth(0), |point| point.p50_us),
        one("service p99", Tone::Nth(1), |point| point.p99_us),
        one("response p99", Tone::Nth(3), |point| point.response_p99_us),
    ];
    charts.push(over("Latency of each second", &times, Scale::log, round_time_us));
    if known(|point| point.send_lag_p99_us.is_some()) {
        let lag = [one("send lag p99", Tone::Nth(4), |point| point.send_lag_p99_us)];
        charts.push(over("Send lag p99: how late claims were sent", &lag, Scale::from_zero, round_time_us));
    }
    if known(|point| point.stock > 0) {
        let stock = [one("grants in stock", Tone::Nth(2), |point| Some(point.stock as f64))];
        charts.push(over("Stock: grants issued and not yet claimed", &stock, Scale::counts, whole));
    }
    let primaries = timeline.iter().map(|point| point.primary_cpu.len()).max().unwrap_or_default();
    if primaries > 0 {
        let cpu: Vec<Over<'_>> = (0..primaries).map(|n| cpu_of(result, n)).collect();
        charts.push(over("CPU of each primary's main thread, of one core", &cpu, Scale::from_zero, rough));
    }
    charts
}

fn cpu_of(result: &RunResult, n: usize) -> Over<'_> {
    let name = said::primary_over_time(&result.record, n);
    (name, Tone::Nth(n), Box::new(move |_, point| point.primary_cpu.get(n).copied()))
}

/// A mark for each event, its letter at the top; what the letters stand for is in the list.
fn marks(events: &[WindowEvent]) -> impl Iterator<Item = Layer> {
    events.iter().enumerate().map(|(n, event)| Layer::MarkX {
        at: event.t_s,
        name: letter(n),
        tone: Tone::Level,
    })
}

/// A, B, ... Z, A1, B1 ...
fn letter(n: usize) -> String {
    let letter = char::from(b'A' + (n % 26) as u8);
    if n < 26 { letter.to_string() } else { format!("{letter}{}", n / 26) }
}

fn events(events: &[WindowEvent]) -> Option<Markup> {
    let rows: Vec<Vec<Markup>> = events
        .iter()
        .enumerate()
        .map(|(n, event)| {
            vec![
                html! { (letter(n)) },
                value(&format!("{:.1}", event.t_s), event.t_s, &format!("/events/{n}/t_s")),
                html! { (said::event(&event.what)) },
            ]
        })
        .collect();
    let columns = [words("mark"), figures("second"), words("event")];
    (!rows.is_empty()).then(|| table("What happened in the window", &columns, &rows))
}

fn over(
    record: &RunRecord,
    title: &str,
    values: &[Over<'_>],
    scale: fn(Vec<f64>) -> Scale,
    format: fn(f64) -> String,
) -> Chart {
    let timeline = &record.timeline;
    let mut all = Vec::new();
    let mut layers: Vec<Layer> = marks(&record.events).collect();
    for (name, tone, of) in values {
        let point = |(n, second): (usize, &TimelinePoint)| {
            Point::at(second.measured_until_s(), of(n, second).unwrap_or(f64::NAN))
        };
        let points: Vec<Point> = timeline.iter().enumerate().map(point).collect();
        if points.iter().all(|point| !point.y.is_finite()) {
            continue;
        }
        all.extend(points.iter().map(|point| point.y));
        let name = if values.len() > 1 { name.clone() } else { String::new() };
        layers.push(Layer::Series(PointSeries { name, tone: *tone, look: Look::Line, points }));
    }
    let end = timeline.last().map_or(1.0, |point| point.t_s);
    let (low, high) =
        all.iter().filter(|y| y.is_finite()).fold((f64::MAX, f64::MIN), |(l, h), y| (l.min(*y), h.max(*y)));
    let names: Vec<&str> = values.iter().map(|(name, _, _)| name.as_str()).collect();
    Chart {
        title: title.to_owned(),
        description: format!(
            "{} over {} s: from {} to {}.",
            names.join(", "),
            format::round_number(timeline.last().map_or(end, TimelinePoint::measured_until_s)),
            format(low),
            format(high)
        ),
        plot: Box::new(Xy {
            x: Axis {
                label: "seconds of the window".into(),
                scale: Scale::Whole { high: end },
                format: Box::new(whole),
            },
            y: Axis { label: String::new(), scale: scale(all), format: Box::new(format) },
            layers,
            height: 170.0,
        }),
    }
}

fn seconds(record: &RunRecord) -> Markup {
    let timeline = &record.timeline;
    let spans = judge::spans(timeline, ROWS);
    let single = spans.len() == timeline.len();
    let place = |n: usize, key: &str| if single { format!("/timeline/{n}/{key}") } else { String::new() };
    let columns = [
        figures(if single { "second" } else { "until (s)" }),
        figures("claims"),
        figures("errors"),
        figures("p50 (µs)"),
        figures("p99 (µs)"),
        figures("response p99 (µs)"),
        figures("send lag p99 (µs)"),
        figures("stock"),
        figures("busiest primary"),
    ];
    let rows: Vec<Vec<Markup>> = spans
        .iter()
        .enumerate()
        .map(|(n, span)| {
            let whole = |of: u64, key: &str| maybe(|n| count(n as u64), Some(of as f64), &place(n, key));
            let time = |of: Option<f64>, key: &str| maybe(format::figure, of, &place(n, key));
            vec![
                html! { (until(record, span, single, n + 1 == spans.len())) },
                whole(span.claimed, "claimed"),
                whole(span.errors, "errors"),
                time(span.highest_p50_us, "p50_us"),
                time(span.highest_p99_us, "p99_us"),
                time(span.highest_response_p99_us, "response_p99_us"),
                time(span.highest_send_lag_p99_us, "send_lag_p99_us"),
                whole(span.least_stock, "stock"),
                html! { (span.busiest_cpu.map_or("-".into(), rough)) },
            ]
        })
        .collect();
    let caption = if single {
        "Second by second"
    } else {
        "Spans of the window: sums of claims and errors, the highest latency and send lag and the least stock of a second"
    };
    table(caption, &columns, &rows)
}

/// A row's name: its second, or where it ends, and how much of that was measured where it was not all.
fn until(record: &RunRecord, span: &Span, single: bool, last: bool) -> String {
    let second = count(span.to_s.ceil() as u64);
    match record.timeline.last() {
        Some(_) if last && record.last_second_is_unknown() => format!("{second} (part)"),
        Some(point) if last && single && point.part_s.is_some() => {
            format!("{second} ({:.2} s)", point.length_s())
        }
        Some(_) if last && !single => format::round_number(span.to_s),
        _ => second,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::analyse_as;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, SimulatedArm, by_workers, record, scenario};
    use crate::judge::ruler_fixture::in_round_trips;

    fn shown(arms: &[SimulatedArm], change: impl FnOnce(&mut RunRecord)) -> String {
        let mut run = record(arms, 1);
        run.timeline = record(&[GRANT_LANE], 1).timeline;
        change(&mut run);
        section(&analyse_as(run, &scenario(arms))).unwrap().into_string()
    }

    #[test]
    fn seconds_of_several_variants_say_whose_claims_they_are_of() {
        let mixed = "All variants together, with the control's claims and the counter blocks: ";
        let ruled = "Bare round trips take time in the same seconds";
        let both = shown(&[GRANT_LANE, HGET_LANE], |_| ());
        assert!(both.contains(mixed) && !both.contains(ruled), "{both}");
        let alone = shown(&[GRANT_LANE], |_| ());
        assert!(!alone.contains("All variants together"), "{alone}");
        let mut with_ruler = in_round_trips(&[GRANT_LANE, HGET_LANE], 1, 1);
        with_ruler.record.timeline = record(&[GRANT_LANE], 1).timeline;
        let with_ruler = section(&with_ruler).unwrap().into_string();
        assert!(with_ruler.contains(mixed) && with_ruler.contains(ruled), "{with_ruler}");
    }

    #[test]
    fn claims_per_second_that_hold_the_pipe_to_a_worker_are_left_out() {
        let arms = [GRANT_LANE, HGET_LANE];
        let drawn = "<figcaption>Claims per second</figcaption>";
        let left_out = "Claims per second are left out";
        let plain = shown(&arms, |_| ());
        assert!(plain.contains(drawn) && !plain.contains(left_out), "{plain}");
        let piped = shown(&arms, by_workers);
        assert!(!piped.contains(drawn) && piped.contains(left_out), "{piped}");
    }
}
