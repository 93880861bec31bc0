//! Quantiles of raw samples, without intervals: `quantile_interval` and `median_interval` have those.

/// Samples that an interval of a quantile needs on each side of it.
pub(super) const MIN_BEYOND: f64 = 5.0;

/// Quantile `q` (0 to 1) of sorted values by linear interpolation (type 7 of Hyndman and Fan); `None` when
/// empty.
pub fn quantile_of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = q.clamp(0.0, 1.0) * last as f64;
    let below = (position.floor() as usize).min(last);
    let above = (below + 1).min(last);
    Some(sorted[below] + (position - below as f64) * (sorted[above] - sorted[below]))
}

/// Quantile `q` of values in any order.
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile_of_sorted(&sorted, q)
}

/// The middle of `values`; `None` when empty.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    let middle = values.len() / 2;
    let odd = values.len() % 2 == 1;
    // Resampled by the thousand: picking is cheaper than sorting.
    (!values.is_empty()).then(|| {
        let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
        let lower = below.iter().copied().max_by(f64::total_cmp);
        if odd { *upper } else { lower.map_or(*upper, |lower| f64::midpoint(lower, *upper)) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_7_interpolates_between_order_statistics() {
        let values = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(quantile(&values, 0.5), Some(2.5));
        assert_eq!(quantile(&values, 0.0), Some(1.0));
        assert_eq!(quantile(&values, 1.0), Some(4.0));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
