//! Primaries needed over the rate: the chart that a capacity search and a comparison of variants share.

use crate::judge::capacity::{SizingBasis, sizing};
use crate::report::chart::{Axis, Chart, Layer, Look, Point, PointSeries, Scale, Tone, Xy};
use crate::report::format::{count, share};

/// Rates that the line is drawn over.
const RATES: u32 = 120;

/// A line for each name, by the same rule as the table, up to the rate `last`; `None` where no number of
/// primaries is enough for more than one rate.
pub(super) fn chart(each: &[(&str, &SizingBasis)], last: f64) -> Option<Chart> {
    let rates: Vec<f64> = (1..=RATES).map(|n| last * f64::from(n) / f64::from(RATES)).collect();
    let mut most = Vec::new();
    let layers: Vec<Layer> = each
        .iter()
        .enumerate()
        .map(|(n, (name, basis))| {
            let rows = sizing(basis, &rates);
            let points =
                rows.iter().filter_map(|row| Some(Point::at(row.rate_per_s, f64::from(row.primaries?))));
            let points: Vec<Point> = points.collect();
            most.extend(points.iter().map(|point| point.y));
            Layer::Series(PointSeries {
                name: (*name).to_owned(),
                tone: Tone::Nth(n),
                look: Look::Steps,
                points,
            })
        })
        .collect();
    if most.len() < 2 {
        return None;
    }
    let whole = |n: f64| count(n.round() as u64);
    let utilisation = each.first()?.1.utilisation;
    Some(Chart {
        title: format!("Primaries that keep the busiest main thread below {}", share(utilisation)),
        description: format!("Fewest primaries for each rate, up to {} claims per second.", whole(last)),
        plot: Box::new(Xy {
            x: Axis {
                label: "claims per second".into(),
                scale: Scale::from_zero([last]),
                format: Box::new(whole),
            },
            y: Axis { label: "primaries".into(), scale: Scale::counts(most), format: Box::new(whole) },
            layers,
            height: 210.0,
        }),
    })
}
