//! How long claims took: medians at a glance, and percentiles on the scale of `HdrHistogram`.

use maud::{Markup, html};

use super::super::parts::{figure, figures, maybe, table, words};
use crate::judge::{self, Clock, LatencySummary, QuantilePoint, RunResult};
use crate::record::ArmRecord;
use crate::report::chart::{
    Axis, Bar, Bars, Chart, Layer, Look, Point, PointSeries, Scale, Segment, Tone, Xy,
};
use crate::report::format::{self, TimeUnit, count, round_time_us, time_us};
use crate::report::run_report::{self, claim_end, clock_title};
use crate::report::storm::Back;

/// Variants whose medians stand in the answer: more are a chart of their own.
const AT_A_GLANCE: usize = 6;

/// Medians as bars, for the answer; `None` for a single variant, whose sentence says it.
pub(super) fn medians(result: &RunResult) -> Option<Markup> {
    let bars: Vec<Bar> = result
        .variants
        .iter()
        .enumerate()
        .filter_map(|(n, variant)| {
            let p50 = variant.service_us.as_ref()?.p50;
            let tip = format!("{}: {} at the median", variant.name, time_us(p50));
            let segment = Segment { from: 0.0, to: p50, tone: Tone::Nth(n), tip };
            Some(Bar { label: variant.name.clone(), figure: time_us(p50), segments: vec![segment] })
        })
        .collect();
    if !(2..=AT_A_GLANCE).contains(&bars.len()) {
        return None;
    }
    let description =
        bars.iter().map(|bar| format!("{} {}", bar.label, bar.figure)).collect::<Vec<_>>().join(", ");
    let chart = Chart {
        title: "Median service time of each variant".into(),
        description,
        plot: Box::new(Bars { rows: bars, axis: None, format: time_us, key: Vec::new() }),
    };
    let end = claim_end(&result.record, "to holding the lease");
    Some(html! { p class="soft" { "Median time from sending a claim " (end) ":" } (chart.both_widths()) })
}

/// Each clock: percentiles as a chart, the summary behind it.
pub(super) fn section(result: &RunResult) -> Markup {
    html! {
        @for (n, clock) in Clock::ALL.into_iter().enumerate() {
            @if n == 0 || result.variants.iter().any(|variant| clock.summary(variant).is_some()) {
                @let title = clock_title(clock, &result.record);
                @let table = summary(result, clock, &title);
                @match percentiles(result, clock, &title) {
                    Some(chart) => { (figure(&chart, &table)) }
                    None => { (table) }
                }
            }
        }
        @let outcomes: Vec<_> = run_report::outcomes(result).into_iter().collect();
        (super::blocks(&outcomes))
    }
}

fn summary(result: &RunResult, clock: Clock, title: &str) -> Markup {
    let columns = [
        words("variant"),
        figures("claims"),
        figures("claims/s"),
        figures("p50"),
        figures("p90"),
        figures("p99"),
        figures("p99.9"),
        figures("max"),
    ];
    let unit = TimeUnit::fitting(
        result
            .variants
            .iter()
            .filter_map(|variant| clock.summary(variant))
            .flat_map(|times| [times.p50, times.max]),
    );
    let rows: Vec<Vec<Markup>> = result
        .variants
        .iter()
        .enumerate()
        .map(|(n, variant)| {
            let times = clock.summary(variant);
            let at = |key: &str| format!("/variants/{n}/{}/{key}", clock.key());
            let of = |key: &str, quantile: fn(&LatencySummary) -> f64| {
                maybe(|us| unit.figure(us), times.map(quantile), &at(key))
            };
            vec![
                html! { (variant.name) },
                maybe(|n| count(n as u64), times.map(|times| times.count as f64), &at("count")),
                maybe(format::figure, result.own_rate_per_s(n), &format!("/variants/{n}/throughput_per_s")),
                of("p50", |t| t.p50),
                of("p90", |t| t.p90),
                of("p99", |t| t.p99),
                of("p999", |t| t.p999),
                of("max", |t| t.max),
            ]
        })
        .collect();
    table(&unit.heading(title), &columns, &rows)
}

fn percentiles(result: &RunResult, clock: Clock, title: &str) -> Option<Chart> {
    let curves: Vec<(usize, &str, Vec<QuantilePoint>)> = result
        .record
        .arms
        .iter()
        .enumerate()
        .map(|(n, arm)| (n, arm.name.as_str(), judge::quantile_curve(clock.histogram(arm))))
        .filter(|(_, _, curve)| curve.len() > 1)
        .collect();
    let last = curves.iter().filter_map(|(_, _, curve)| Some(curve.last()?.quantile)).fold(0.0, f64::max);
    if curves.is_empty() || last <= 0.0 {
        return None;
    }
    let times = curves.iter().flat_map(|(_, _, curve)| curve.iter().map(|point| point.us));
    let scale = Scale::log(times);
    let layers = curves.iter().map(|(n, name, curve)| {
        let points = curve.iter().map(|point| Point {
            tip: format!("{} at {}", time_us(point.us), percentile(point.quantile)),
            ..Point::at(point.quantile, point.us)
        });
        let name = (*name).to_owned();
        Layer::Series(PointSeries { name, tone: Tone::Nth(*n), look: Look::Line, points: points.collect() })
    });
    Some(Chart {
        title: title.to_owned(),
        description: format!("Latency by percentile of {} variants, on a scale of nines.", curves.len()),
        plot: Box::new(Xy {
            x: Axis {
                label: "percentile (each step to the right: ten times rarer)".into(),
                scale: Scale::Nines { high: last },
                format: Box::new(percentile),
            },
            y: Axis { label: "time".into(), scale, format: Box::new(round_time_us) },
            layers: layers.collect(),
            height: 260.0,
        }),
    })
}

/// `p99.9`, with as many digits as tell it from its neighbours.
fn percentile(quantile: f64) -> String {
    let digits = (-(1.0 - quantile).log10()).floor().clamp(0.0, 9.0) as usize;
    let text = format!("{:.*}", digits.saturating_sub(1), 100.0 * quantile);
    if quantile <= 0.0 { "min".into() } else { format!("p{text}") }
}

/// Executions that held their lease again, over the time since the storm's first signal; one picture per
/// variant.
pub(super) fn completion(result: &RunResult) -> Vec<Markup> {
    let chart = |(n, arm): (usize, &ArmRecord)| {
        let curve = judge::quantile_curve(&arm.resume);
        let resumed = result.variants.get(n)?.resume_us.as_ref()?;
        if curve.len() < 2 {
            return None;
        }
        let all = resumed.count as f64;
        let mut points: Vec<Point> =
            curve.iter().map(|point| Point::at(point.us / 1e6, point.quantile * all)).collect();
        points.push(Point::at(resumed.max / 1e6, all));
        let times = points.iter().map(|point| point.x).collect::<Vec<_>>();
        let rows: Vec<Vec<Markup>> = points
            .iter()
            .map(|point| vec![html! { (time_us(1e6 * point.x)) }, html! { (count(point.y.round() as u64)) }])
            .collect();
        let line = PointSeries { name: arm.name.clone(), tone: Tone::Nth(n), look: Look::Line, points };
        let whom = Back::from_result(result, resumed).of_whom();
        // For the marks' names above the curve.
        let room = if whom.is_some() { 1.35 } else { 1.15 };
        let last = time_us(resumed.max);
        let chart = Chart {
            title: format!("{}: executions resumed by then", arm.name),
            description: match &whom {
                None => format!("{} of them, the last one after {last}.", count(resumed.count)),
                Some(whom) => format!("Of {whom} the last one after {last}."),
            },
            plot: Box::new(Xy {
                x: Axis {
                    label: "time since the first signal".into(),
                    scale: Scale::from_zero(times),
                    format: Box::new(|s| round_time_us(1e6 * s)),
                },
                y: Axis {
                    label: "executions with their lease".into(),
                    scale: Scale::counts([room * all]),
                    format: Box::new(|n| count(n as u64)),
                },
                layers: marks(resumed, whom).into_iter().chain([Layer::Series(line)]).collect(),
                height: 230.0,
            }),
        };
        Some(figure(&chart, &table("Executions resumed", &[words("by"), figures("executions")], &rows)))
    };
    result.record.arms.iter().enumerate().filter_map(chart).collect()
}

/// When half of the executions held their lease again, 99 % and all; where not all have a time, those of whom it
/// is.
fn marks(resumed: &LatencySummary, whom: Option<String>) -> Vec<Layer> {
    let parts = if whom.is_some() {
        ["half of these", "99 % of these", "the last of these"]
    } else {
        ["half", "99 %", "all"]
    };
    let level = whom.map(|name| Layer::MarkY { at: resumed.count as f64, name, tone: Tone::Level });
    let mark = |(part, us): (&str, f64)| Layer::MarkX {
        at: us / 1e6,
        name: format!("{part}: {}", time_us(us)),
        tone: Tone::Level,
    };
    let times = [resumed.p50, resumed.p99, resumed.max];
    level.into_iter().chain(parts.into_iter().zip(times).map(mark)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::analyse_as;
    use crate::judge::fixtures::{GRANT_LANE, record, scenario, spread};
    use crate::record::StormRecord;
    use crate::scenario::Mode;

    #[test]
    fn the_picture_of_a_storm_says_of_whom_it_is_where_some_never_came_back() {
        let picture = |executions: u64| {
            let mut storm = record(&[GRANT_LANE], 1);
            storm.scenario.load.mode = Mode::Storm;
            storm.arms[0].resume = spread(6_000, 900_000.0, 2);
            storm.storm = Some(StormRecord { executions, held: 6_000, ..StormRecord::default() });
            let result = analyse_as(storm, &scenario(&[GRANT_LANE]));
            completion(&result).into_iter().map(Markup::into_string).collect::<String>()
        };
        let whole = picture(6_000);
        assert!(whole.contains(">half: ") && whole.contains(">all: "), "{whole}");
        let lacking = picture(6_100);
        for said in [">the 6,000 of 6,100 that came back<", ">half of these: ", ">the last of these: "] {
            assert!(lacking.contains(said), "{said}: {lacking}");
        }
        assert!(!lacking.contains(">half: ") && !lacking.contains(">all: "), "{lacking}");
    }
}
