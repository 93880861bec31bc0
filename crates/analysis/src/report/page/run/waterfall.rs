//! The waterfall of one claim: its round trips one behind the other, a bar for each variant.

use maud::{Markup, html};

use super::super::parts::{figure, figures, maybe, table, value, words};
use crate::judge::{ClaimPart, LatencySummary, RunResult, StepSummary, claim_parts};
use crate::report::chart::{Bar, Bars, Chart, Segment, Tone};
use crate::report::format::{self, round_time_us, share, time_us};
use crate::report::run_report::claim_end;
use crate::report::steps::{CLIENT, waits_between};

/// `None` where round trips were not timed.
pub(super) fn section(result: &RunResult) -> Option<Markup> {
    let claims: Vec<(&str, Vec<ClaimPart<'_>>)> = result
        .variants
        .iter()
        .map(|variant| (variant.name.as_str(), claim_parts(variant)))
        .filter(|(_, parts)| !parts.is_empty())
        .collect();
    if claims.is_empty() || waits_between(result) {
        return None;
    }
    Some(html! {
        p {
            "The mean claim of each variant, from sending its first command "
            (claim_end(&result.record, "to holding the lease")) "."
        }
        (figure(&chart(&claims), &round_trips(result)))
    })
}

fn chart(claims: &[(&str, Vec<ClaimPart<'_>>)]) -> Chart {
    let key = key(claims);
    let tone =
        |title: &str| key.iter().find(|(name, _)| name == title).map_or(Tone::Neutral, |(_, tone)| *tone);
    let bar = |(name, parts): &(&str, Vec<ClaimPart<'_>>)| {
        let segments = parts.iter().map(|part| {
            let title = part.title.unwrap_or(CLIENT);
            let tip =
                format!("{name}, {title}: {}, {} of the claim", time_us(part.mean_us()), share(part.share));
            Segment { from: part.from_us, to: part.to_us, tone: tone(title), tip }
        });
        let whole = parts.last().map_or(0.0, |part| part.to_us);
        Bar { label: (*name).to_owned(), figure: time_us(whole), segments: segments.collect() }
    };
    let said = |(name, parts): &(&str, Vec<ClaimPart<'_>>)| {
        let parts: Vec<_> = parts
            .iter()
            .map(|part| format!("{} {}", part.title.unwrap_or(CLIENT), time_us(part.mean_us())))
            .collect();
        format!("{name}: {}", parts.join(", "))
    };
    Chart {
        title: "Where the time of a claim goes".into(),
        description: claims.iter().map(said).collect::<Vec<_>>().join("; "),
        plot: Box::new(Bars {
            rows: claims.iter().map(bar).collect(),
            axis: Some("time since the claim's first command was sent".into()),
            format: round_time_us,
            key,
        }),
    }
}

/// A colour for each round trip of any variant, the same wherever it occurs.
fn key(claims: &[(&str, Vec<ClaimPart<'_>>)]) -> Vec<(String, Tone)> {
    let mut titles: Vec<&str> = Vec::new();
    for title in claims.iter().flat_map(|(_, parts)| parts.iter().filter_map(|part| part.title)) {
        if !titles.contains(&title) {
            titles.push(title);
        }
    }
    let named = titles.into_iter().enumerate().map(|(n, title)| (title.to_owned(), Tone::Nth(n)));
    named.chain([(CLIENT.to_owned(), Tone::Neutral)]).collect()
}

fn round_trips(result: &RunResult) -> Markup {
    let row = |n: usize, name: &str, m: usize, step: &StepSummary| {
        let of = |key: &str, quantile: fn(&LatencySummary) -> f64| {
            maybe(format::figure, Some(quantile(&step.time)), &format!("/variants/{n}/steps/{m}/time/{key}"))
        };
        vec![
            html! { (name) },
            html! { (step.title) },
            of("p50", |time| time.p50),
            of("p99", |time| time.p99),
            of("mean", |time| time.mean),
            value(&share(step.share), step.share, &format!("/variants/{n}/steps/{m}/share")),
        ]
    };
    let rows: Vec<Vec<Markup>> = result
        .variants
        .iter()
        .enumerate()
        .flat_map(|(n, variant)| {
            variant.steps.iter().enumerate().map(move |(m, step)| row(n, &variant.name, m, step))
        })
        .collect();
    let columns = [
        words("variant"),
        words("round trip"),
        figures("p50 (µs)"),
        figures("p99 (µs)"),
        figures("mean (µs)"),
        figures("share of the claim"),
    ];
    table("Each round trip by itself; what is missing to 100 % is the client's own work", &columns, &rows)
}
