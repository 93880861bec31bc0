//! Open loop: how late requests are sent, by rate and arrival process.

use std::cell::RefCell;

use rand::seq::SliceRandom as _;

use super::error::CalibrateError;
use super::noop::Bench;
use super::plan::CalibrationPlan;
use crate::load::{Draw, Schedule};
use reclaim_analysis::record::stream;
use reclaim_analysis::record::{Recorder, SendLagRecord};
use reclaim_analysis::scenario::{Arrivals, ArrivalsForm};

/// Every rate with constant and with Poisson arrivals, in random order; the records stand in ascending order.
pub(super) async fn measure(
    bench: &mut Bench<'_>,
    plan: &CalibrationPlan,
    seed: u64,
) -> Result<Vec<SendLagRecord>, CalibrateError> {
    let processes =
        [(ArrivalsForm::Constant, Arrivals::Constant), (ArrivalsForm::Poisson, Arrivals::Poisson)];
    let mut cells: Vec<_> = plan
        .rates
        .iter()
        .flat_map(|&rate| processes.clone().map(|process| (rate, process)))
        .enumerate()
        .collect();
    cells.shuffle(&mut stream(seed, "send lag"));
    let mut measured = Vec::with_capacity(cells.len());
    for (n, (rate_per_sec, (form, arrivals))) in cells {
        let requests = bench.requests_for(rate_per_sec, plan.lag_time, 1);
        let draw = Draw { rate_per_sec, seed, part: &n.to_string(), trace: &[] };
        let schedule = Schedule::new(&arrivals, requests, &draw);
        let recorder = RefCell::new(Recorder::new(1, []));
        let stretch = bench.open_loop(plan.connections[0], &schedule, &recorder).await?;
        let send_lag = recorder.borrow().arms()[0].send_lag.encode();
        let record = SendLagRecord {
            arrivals: form,
            rate_per_sec,
            requests: requests as u64,
            seconds: stretch.seconds,
            send_lag,
        };
        measured.push((n, record));
    }
    measured.sort_by_key(|(n, _)| *n);
    Ok(measured.into_iter().map(|(_, record)| record).collect())
}
