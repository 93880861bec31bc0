//! The page of a capacity search: the rate, the knee, whose CPU it takes, and primaries for more.

use maud::{Markup, html};

use super::parts::{Answer, Belief, blocks, figure, figures, folded, maybe, table, value};
use super::primaries;
use super::shell::{Body, Section};
use crate::judge::capacity::{Capacity, Drift, PrimaryLoad, SearchOutcome, SizingBasis, SizingRow, Usl};
use crate::report::capacity as said;
use crate::report::chart::{
    Axis, Bar, Bars, Chart, Layer, Look, Point, PointSeries, Scale, Segment, Tone, Xy,
};
use crate::report::format::{self, count, rough, share};

pub(super) fn body(capacity: &Capacity) -> Body {
    let scenario = &capacity.plan.scenario;
    let report = said::blocks(capacity);
    let mut sections = Vec::new();
    let mut add = |id: &'static str, title: &str, body: Option<Markup>| {
        sections.extend(body.map(|body| Section { id, title: title.to_owned(), body }));
    };
    add("knee", "Response time by rate", said::knee(capacity).map(|chart| figure(&chart, &probes(capacity))));
    add("cpu", "The primaries at that rate", balance(capacity));
    add("sizing", "Primaries for other rates", needed(capacity));
    add("closed", "With a fixed number of claims in flight", closed(capacity));
    sections.push(Section::in_words(blocks(&report)));
    let configuration = scenario.to_toml().unwrap_or_else(|error| error.to_string());
    sections.push(Section {
        id: "origin",
        title: "Configuration".to_owned(),
        body: folded("The full configuration", &html! { pre { code { (configuration) } } }),
    });
    Body {
        title: format!("{}: {}", scenario.name, scenario.summary),
        kind: match capacity.probes.first() {
            Some(probe) => format!("capacity search of {}", probe.started),
            None => "capacity search".into(),
        },
        answer: answer(capacity),
        sections,
    }
}

fn answer(capacity: &Capacity) -> Answer {
    let (sentence, figure) = match (&capacity.boundary, capacity.conclusion) {
        (Some(boundary), SearchOutcome::Found) => {
            let rate = boundary.rate_per_s;
            let at = |key: &str| format!("/boundary/rate_per_s/{key}");
            let whole = |n: f64| count(n.round() as u64);
            let small = html! {
                "claims per second; " (share(rate.confidence)) " interval "
                (value(&whole(rate.low), rate.low, &at("low"))) " to " (value(&whole(rate.high), rate.high, &at("high")))
            };
            let sentence = "The highest rate that this cluster sustains".to_owned();
            (sentence, Some((value(&whole(rate.estimate), rate.estimate, &at("estimate")), small)))
        }
        _ => (said::answer(capacity), None),
    };
    let mut details = Vec::new();
    if figure.is_some() {
        details.push(html! { p { (said::answer(capacity)) } });
    }
    details.extend(said::limit_line(capacity).map(|line| blocks(&[line])));
    let headline = match capacity.conclusion {
        SearchOutcome::Found => "The search came to an end, and the cluster is what gave out.",
        SearchOutcome::Unlimited => "Every rate that could be offered was sustained.",
        SearchOutcome::LowerBound => "The generator's machine gave out first: the cluster can do more.",
        SearchOutcome::NothingSustained => "Not even the lowest rate was sustained.",
        SearchOutcome::NotConverged => "The search is not over: there is no rate to plan with yet.",
        SearchOutcome::Invalid => "Do not use these figures: a probe could not be made.",
    };
    let mut reasons = Vec::new();
    if let Some(drift) = capacity.drift.filter(Drift::is_notable) {
        reasons.push(html! {
            "The same work at " (count(drift.rate_per_s.round() as u64)) " claims per second cost up to "
            (rough(drift.ratio() - 1.0)) " more CPU at another time: so much the machine's speed changed."
        });
    }
    reasons.push(html! { (capacity.probes.len()) " probes"
    @if capacity.walked_again { ", every rate tried a second time in another order" } "." });
    Answer {
        sentence,
        figure,
        tone: "",
        details,
        belief: Belief { level: capacity.conclusion.trust(), headline: headline.into(), reasons },
    }
}

fn probes(capacity: &Capacity) -> Markup {
    said::probes(capacity).map(|table| blocks(&[table])).unwrap_or_default()
}

fn balance(capacity: &Capacity) -> Option<Markup> {
    if capacity.balance.is_empty() {
        return None;
    }
    let rows: Vec<Vec<Markup>> = capacity
        .balance
        .iter()
        .enumerate()
        .map(|(n, primary)| {
            vec![
                html! { (primary.addr) },
                html! { (primary.partitions) },
                value(&count(primary.claims), primary.claims as f64, &format!("/balance/{n}/claims")),
                maybe(rough, primary.busy, &format!("/balance/{n}/busy")),
            ]
        })
        .collect();
    let columns = [figures("primary"), figures("partitions"), figures("claims"), figures("busy")];
    let table = table("Each primary at that rate", &columns, &rows);
    Some(if let Some(chart) = busy_chart(&capacity.balance) { figure(&chart, &table) } else { table })
}

/// A bar for each primary; `None` where nobody knows for how long its main thread ran.
fn busy_chart(balance: &[PrimaryLoad]) -> Option<Chart> {
    let bar = |primary: &PrimaryLoad| {
        let busy = primary.busy?;
        let figure = rough(busy);
        let tip = format!("{}: {figure} busy, {} claims", primary.addr, count(primary.claims));
        let segment = Segment { from: 0.0, to: busy, tone: Tone::Nth(0), tip };
        Some(Bar { label: primary.addr.clone(), figure, segments: vec![segment] })
    };
    let rows: Vec<Bar> = balance.iter().filter_map(bar).collect();
    (!rows.is_empty()).then(|| Chart {
        title: "Share of the window that each primary's main thread ran".into(),
        description: "One bar for each primary; 100 % is one core.".into(),
        plot: Box::new(Bars { rows, axis: Some("share of one core".into()), format: rough, key: Vec::new() }),
    })
}

/// Primaries over the rate.
fn needed(capacity: &Capacity) -> Option<Markup> {
    let basis = capacity.sizing_basis.as_ref()?;
    let last = capacity.sizing.iter().map(|row| row.rate_per_s).fold(0.0, f64::max);
    let chart = primaries::chart(&[("", basis)], last)?;
    Some(figure(&chart, &rows(basis, &capacity.sizing)))
}

fn rows(basis: &SizingBasis, sizing: &[SizingRow]) -> Markup {
    let rows: Vec<Vec<Markup>> = sizing
        .iter()
        .enumerate()
        .map(|(n, row)| {
            let none = || html! { "none is enough" };
            vec![
                value(
                    &count(row.rate_per_s.round() as u64),
                    row.rate_per_s,
                    &format!("/sizing/{n}/rate_per_s"),
                ),
                row.primaries.map_or_else(none, |primaries| {
                    value(&count(primaries.into()), f64::from(primaries), &format!("/sizing/{n}/primaries"))
                }),
                html! { (row.busiest.map_or("-".into(), rough)) },
            ]
        })
        .collect();
    let caption = format!(
        "Primaries needed, from {:.1} µs of CPU per claim on {}",
        basis.cpu_us_per_claim,
        format::primaries(basis.primaries)
    );
    table(&caption, &[figures("claims/s"), figures("primaries"), figures("busiest")], &rows)
}

fn closed(capacity: &Capacity) -> Option<Markup> {
    let usl = capacity.usl.as_ref()?;
    let measured: Vec<(f64, f64)> =
        capacity.closed_loop().iter().map(|p| (f64::from(p.concurrency), p.throughput_per_s)).collect();
    let rows: Vec<Vec<Markup>> = measured
        .iter()
        .map(|(n, rate)| {
            let fit = usl.throughput_per_s(*n);
            [*n, *rate, fit].map(|figure| html! { (count(figure.round() as u64)) }).to_vec()
        })
        .collect();
    let columns = [figures("in flight"), figures("claims/s"), figures("fitted")];
    let table = table("Throughput by claims in flight", &columns, &rows);
    Some(figure(&by_claims_in_flight(usl, &measured), &table))
}

/// Loads with so many claims in flight and the rate that came of each, and the law through them.
fn by_claims_in_flight(usl: &Usl, measured: &[(f64, f64)]) -> Chart {
    let most = measured.iter().map(|(n, _)| *n).fold(1.0, f64::max);
    let fitted: Vec<Point> = (0..=60)
        .map(|step| most.powf(f64::from(step) / 60.0))
        .map(|n| Point::at(n, usl.throughput_per_s(n)))
        .collect();
    let dots = measured.iter().map(|(n, rate)| Point::at(*n, *rate)).collect();
    let scale =
        Scale::from_zero(measured.iter().map(|(_, rate)| *rate).chain(fitted.iter().map(|point| point.y)));
    let mut layers = vec![
        Layer::Series(PointSeries {
            name: "fitted law".into(),
            tone: Tone::Neutral,
            look: Look::Fit,
            points: fitted,
        }),
        Layer::Series(PointSeries {
            name: "measured".into(),
            tone: Tone::Nth(0),
            look: Look::Dots,
            points: dots,
        }),
    ];
    if let Some(peak) = usl.peak.filter(|peak| *peak <= most) {
        layers.push(Layer::MarkX { at: peak, name: format!("peak at {peak:.0}"), tone: Tone::Level });
    }
    Chart {
        title: "Throughput by claims in flight, with the Universal Scalability Law".into(),
        description: format!(
            "{} loads; the fit deviates by {} at most.",
            measured.len(),
            share(usl.worst_residual)
        ),
        plot: Box::new(Xy {
            x: Axis {
                label: "claims in flight".into(),
                scale: Scale::log(measured.iter().map(|(n, _)| *n)),
                format: Box::new(|n| count(n.round() as u64)),
            },
            y: Axis {
                label: "claims per second".into(),
                scale,
                format: Box::new(|n| count(n.round() as u64)),
            },
            layers,
            height: 240.0,
        }),
    }
}
