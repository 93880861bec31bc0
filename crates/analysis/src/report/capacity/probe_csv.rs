//! The probes of a search, one line each.

use super::words::{ms, offer, purpose_word, verdict};
use crate::judge::capacity::{Capacity, ProbeLoad, ProbePurpose};
use crate::report::csv_table::CsvTable;
use crate::report::format::figure;

/// The last probe in one line.
pub(in crate::report) fn last(capacity: &Capacity) -> Option<String> {
    let (probe, purpose) = (capacity.probes.last()?, capacity.purposes.last()?);
    let result = match (probe.offer, probe.response_p99_us) {
        (ProbeLoad::Open { .. }, Some(p99)) => format!("p99 {} ms", ms(p99.estimate)),
        (ProbeLoad::Open { .. }, None) => "no p99".into(),
        (ProbeLoad::Closed { .. }, _) => format!("{} claims/s", figure(probe.achieved_per_s)),
    };
    let number = capacity.probes.len();
    let so_far = capacity.boundary.filter(|_| *purpose == Some(ProbePurpose::Refine)).map(|boundary| {
        let rate = boundary.rate_per_s;
        format!(
            "; the rate is {} [{}, {}] so far",
            figure(rate.estimate),
            figure(rate.low),
            figure(rate.high)
        )
    });
    let purpose = purpose.map_or("-", purpose_word);
    Some(format!(
        "probe {number}: {} ({purpose}): {}, {result}{}",
        offer(probe),
        verdict(probe.verdict),
        so_far.unwrap_or_default()
    ))
}

const COLUMNS: [&str; 17] = [
    "model",
    "offered_per_s",
    "in_flight",
    "achieved_per_s",
    "response_p50_us",
    "response_p99_us",
    "response_p99_low_us",
    "response_p99_high_us",
    "service_p50_us",
    "service_p99_us",
    "send_lag_p99_us",
    "cpu_us_per_claim",
    "busiest_primary",
    "generator",
    "purpose",
    "verdict",
    "dir",
];

/// Every probe as a line of comma-separated values: the plot's data.
pub(in crate::report) fn csv(capacity: &Capacity) -> String {
    let mut table = CsvTable::new(COLUMNS);
    let cell = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    for (probe, purpose) in capacity.probes.iter().zip(&capacity.purposes) {
        let (model, rate, in_flight) = match probe.offer {
            ProbeLoad::Open { rate_per_s } => ("open", Some(rate_per_s), None),
            ProbeLoad::Closed { concurrency } => ("closed", None, Some(f64::from(concurrency))),
        };
        let p99 = probe.response_p99_us;
        let figures = [
            rate,
            in_flight,
            Some(probe.achieved_per_s),
            probe.response_p50_us,
            p99.map(|p99| p99.estimate),
            p99.map(|p99| p99.low),
            p99.map(|p99| p99.high),
            probe.service_p50_us,
            probe.service_p99_us,
            probe.send_lag_p99_us,
            probe.cpu_us_per_claim,
            probe.busiest_primary(),
            probe.resources.generator_share(),
        ];
        let words = [purpose.map_or("", purpose_word), verdict(probe.verdict), &probe.dir].map(str::to_owned);
        table.line([model.to_owned()].into_iter().chain(figures.map(cell)).chain(words));
    }
    table.text()
}
