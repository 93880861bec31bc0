//! The window of all parts second by second.

use super::claims::{added, sum_of};
use super::error::MergeError;
use crate::record::{Histogram, RunRecord, SecondTimes, TimelinePoint};

/// One entry for each second in which some part made claims.
pub(super) fn timeline(parts: &[RunRecord]) -> Result<Vec<TimelinePoint>, MergeError> {
    let seconds = parts.iter().map(|part| part.timeline.len()).max().unwrap_or_default();
    (0..seconds).map(|n| second(parts, n)).collect()
}

fn second(parts: &[RunRecord], n: usize) -> Result<TimelinePoint, MergeError> {
    let own: Vec<(usize, &TimelinePoint)> =
        parts.iter().enumerate().filter_map(|(part, record)| Some((part, record.timeline.get(n)?))).collect();
    let points = || own.iter().map(|(_, point)| *point);
    let measured_s = points().map(TimelinePoint::length_s).fold(0.0, f64::max);
    // Grants that a part left in stock at its end are there still.
    let stock =
        |record: &RunRecord| record.timeline.get(n).or(record.timeline.last()).map_or(0, |point| point.stock);
    let responses = own.iter().map(|(part, point)| (*part, &point.response));
    let merged = TimelinePoint {
        t_s: (n + 1) as f64,
        part_s: Some(measured_s).filter(|part_s| *part_s < 1.0),
        claimed: points().map(|point| point.claimed).sum(),
        errors: points().map(|point| point.errors).sum(),
        response: sum_of(responses, &format!("response in second {}", n + 1))?,
        times: None,
        tool_resident_bytes: points().map(|point| point.tool_resident_bytes).sum(),
        stock: parts.iter().map(stock).sum(),
        primary_cpu: parts[0].timeline.get(n).map(|point| point.primary_cpu.clone()).unwrap_or_default(),
        ..TimelinePoint::default()
    };
    quantiles(&own, n, merged)
}

/// Adds the quantiles over all claims of the second. They do not follow from the parts' quantiles: where a
/// part with claims has not kept its times there are none, unless no other part had claims then.
fn quantiles(
    own: &[(usize, &TimelinePoint)],
    n: usize,
    merged: TimelinePoint,
) -> Result<TimelinePoint, MergeError> {
    let busy: Vec<&(usize, &TimelinePoint)> =
        own.iter().filter(|(_, point)| point.claimed + point.errors > 0).collect();
    let kept: Option<Vec<(usize, &SecondTimes)>> =
        busy.iter().map(|(part, point)| Some((*part, point.times.as_ref()?))).collect();
    let Some(kept) = kept else {
        let alone = if let [(_, alone)] = busy[..] { (*alone).clone() } else { TimelinePoint::default() };
        return Ok(TimelinePoint {
            p50_us: alone.p50_us,
            p99_us: alone.p99_us,
            response_p50_us: alone.response_p50_us,
            response_p99_us: alone.response_p99_us,
            resume_p50_us: alone.resume_p50_us,
            resume_p99_us: alone.resume_p99_us,
            send_lag_p99_us: alone.send_lag_p99_us,
            ..merged
        });
    };
    let sum = |what: &str, of: fn(&SecondTimes) -> &Histogram| {
        added(kept.iter().map(|(part, times)| (*part, of(times))), &format!("{what} in second {}", n + 1))
    };
    let (service, response) =
        (sum("service", |times| &times.service)?, sum("response", |times| &times.response)?);
    let resume = sum("resume", |times| &times.resume)?;
    Ok(TimelinePoint {
        p50_us: service.quantile_us(0.5),
        p99_us: service.quantile_us(0.99),
        response_p50_us: response.quantile_us(0.5),
        response_p99_us: response.quantile_us(0.99),
        resume_p50_us: resume.quantile_us(0.5),
        resume_p99_us: resume.quantile_us(0.99),
        send_lag_p99_us: sum("send_lag", |times| &times.send_lag)?.quantile_us(0.99),
        ..merged
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::fixtures::{GRANT_LANE, record};

    fn point(claimed: u64, p50_us: f64, part_s: Option<f64>, stock: u64) -> TimelinePoint {
        TimelinePoint { claimed, p50_us: Some(p50_us), part_s, stock, ..TimelinePoint::default() }
    }

    fn merged(parts: [Vec<TimelinePoint>; 2]) -> Vec<(u64, Option<f64>, Option<f64>, u64)> {
        let parts = parts.map(|timeline| RunRecord { timeline, ..record(&[GRANT_LANE], 1) });
        let of = |point: TimelinePoint| (point.claimed, point.p50_us, point.part_s, point.stock);
        timeline(&parts).unwrap().into_iter().map(of).collect()
    }

    #[test]
    fn seconds_add_up_and_quantiles_are_never_made_of_quantiles() {
        let first = vec![point(10, 200.0, None, 9), point(4, 210.0, Some(0.3), 5)];
        let second = vec![point(20, 300.0, None, 7), point(0, 0.0, None, 6), point(2, 320.0, Some(0.5), 1)];
        assert_eq!(
            merged([first, second]),
            [(30, None, None, 16), (4, Some(210.0), None, 11), (2, Some(320.0), Some(0.5), 6),],
            "a second that one part ended in was whole for the other"
        );
    }
}
