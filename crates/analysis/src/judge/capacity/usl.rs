//! The Universal Scalability Law (Gunther 1993) for a closed loop: what more claims in flight bring, and from
//! where on they cost.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stats::TooFew;

/// Loads that a fit of three parameters needs.
const MIN_FITTED_LOADS: usize = 6;

/// A curve whose points deviate by more does not have the law's shape.
const POOR_FIT: f64 = 0.2;

/// Claims in flight, and the claims per second that came of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadPoint {
    /// Claims in flight.
    pub concurrency: u32,
    /// Successful claims per second.
    pub throughput_per_s: f64,
}

/// X(N) = gN / (1 + a(N - 1) + bN(N - 1)).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Usl {
    /// g: claims per second of one claim in flight.
    pub alone_per_s: f64,
    /// a: the share of the work that queues for something.
    pub contention: f64,
    /// b: what each pair of claims in flight costs the other.
    pub coherency: f64,
    /// Claims in flight at which throughput is highest; `None` where it only levels off.
    pub peak: Option<f64>,
    /// Largest deviation of a measured load from the curve, as a share of the measured one.
    pub worst_residual: f64,
}

impl Usl {
    /// Claims per second with this many in flight, as the curve has it.
    pub fn throughput_per_s(&self, concurrency: f64) -> f64 {
        let others = concurrency - 1.0;
        self.alone_per_s * concurrency
            / (1.0 + self.contention * others + self.coherency * concurrency * others)
    }

    /// The largest deviation where the points do not have the law's shape; `None` where they do.
    pub fn misfit(&self) -> Option<f64> {
        Some(self.worst_residual).filter(|residual| *residual > POOR_FIT)
    }
}

/// Fits the law with g > 0 and a, b >= 0 to the measured loads.
///
/// N / X is linear in 1/g, a/g and b/g, so the least squares of its relative errors are solved exactly: among
/// the solutions with some of a and b fixed at zero, the best one whose others are not negative.
pub fn fit_usl(points: &[LoadPoint]) -> Result<Usl, TooFew> {
    let usable: Vec<&LoadPoint> =
        points.iter().filter(|p| p.concurrency > 0 && p.throughput_per_s > 0.0).collect();
    let mut loads: Vec<u32> = usable.iter().map(|point| point.concurrency).collect();
    loads.sort_unstable();
    loads.dedup();
    if loads.len() < MIN_FITTED_LOADS {
        return Err(TooFew::samples("different loads", MIN_FITTED_LOADS as u64, loads.len() as u64));
    }
    let rows: Vec<[f64; 3]> = usable
        .iter()
        .map(|point| {
            let n = f64::from(point.concurrency);
            // Relative errors: each row is divided by the measured N / X, so the right-hand side is 1.
            let weight = point.throughput_per_s / n;
            [weight, weight * (n - 1.0), weight * n * (n - 1.0)]
        })
        .collect();
    let free: [&[usize]; 4] = [&[0, 1, 2], &[0, 1], &[0, 2], &[0]];
    let best = free
        .into_iter()
        .filter_map(|columns| least_squares(&rows, columns))
        .filter(|c| c[0] > 0.0 && c[1] >= 0.0 && c[2] >= 0.0)
        .min_by(|a, b| squares(&rows, a).total_cmp(&squares(&rows, b)));
    let Some([base, queueing, crosstalk]) = best else { return Err(TooFew::constant("loads")) };
    let (contention, coherency) = (queueing / base, crosstalk / base);
    let mut usl = Usl { alone_per_s: 1.0 / base, contention, coherency, peak: None, worst_residual: 0.0 };
    if coherency > 0.0 {
        usl.peak = Some(((1.0 - contention).max(0.0) / coherency).sqrt().max(1.0));
    }
    let residual = |point: &&LoadPoint| {
        (usl.throughput_per_s(f64::from(point.concurrency)) / point.throughput_per_s - 1.0).abs()
    };
    usl.worst_residual = usable.iter().map(residual).fold(0.0, f64::max);
    Ok(usl)
}

fn squares(rows: &[[f64; 3]], c: &[f64; 3]) -> f64 {
    rows.iter().map(|row| (row.iter().zip(c).map(|(x, c)| x * c).sum::<f64>() - 1.0).powi(2)).sum()
}

/// Least squares of `rows` x c = 1 over some columns, the other coefficients being zero; `None` where the
/// columns depend on each other.
fn least_squares(rows: &[[f64; 3]], columns: &[usize]) -> Option<[f64; 3]> {
    // Columns differ by powers of the load: brought to one size, the normal equations stay well conditioned.
    let size = |column: usize| rows.iter().map(|row| row[column].powi(2)).sum::<f64>().sqrt();
    let sizes: Vec<f64> = columns.iter().map(|&column| size(column)).collect();
    if sizes.iter().any(|size| !(*size > 0.0 && size.is_finite())) {
        return None;
    }
    let scaled = |row: &[f64; 3], n: usize| row[columns[n]] / sizes[n];
    let width = columns.len();
    let mut system: Vec<Vec<f64>> = (0..width)
        .map(|i| {
            let products = (0..width).map(|j| rows.iter().map(|row| scaled(row, i) * scaled(row, j)).sum());
            products.chain([rows.iter().map(|row| scaled(row, i)).sum()]).collect()
        })
        .collect();
    for pivot in 0..width {
        let best =
            (pivot..width).max_by(|&a, &b| system[a][pivot].abs().total_cmp(&system[b][pivot].abs()))?;
        system.swap(pivot, best);
        if system[pivot][pivot].abs() < 1e-12 {
            return None;
        }
        let row = system[pivot].clone();
        for other in (0..width).filter(|&other| other != pivot) {
            let factor = system[other][pivot] / row[pivot];
            system[other].iter_mut().zip(&row).for_each(|(cell, above)| *cell -= factor * above);
        }
    }
    let mut solution = [0.0; 3];
    for (n, &column) in columns.iter().enumerate() {
        solution[column] = system[n][width] / system[n][n] / sizes[n];
    }
    Some(solution)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::judge::fixtures::Noise;

    const LOADS: [u32; 7] = [1, 2, 4, 8, 16, 32, 64];

    fn truth(alone_per_s: f64, contention: f64, coherency: f64) -> Usl {
        Usl { alone_per_s, contention, coherency, peak: None, worst_residual: 0.0 }
    }

    fn points(truth: &Usl, mut noise: impl FnMut() -> f64) -> Vec<LoadPoint> {
        let point = |concurrency: u32| LoadPoint {
            concurrency,
            throughput_per_s: truth.throughput_per_s(f64::from(concurrency)) * noise(),
        };
        LOADS.into_iter().map(point).collect()
    }

    #[test]
    fn a_curve_with_a_peak_is_found_again() {
        let usl = fit_usl(&points(&truth(1_000.0, 0.05, 0.001), || 1.0)).unwrap();
        assert!((usl.alone_per_s - 1_000.0).abs() < 1e-6, "{usl:?}");
        assert!((usl.contention - 0.05).abs() < 1e-9 && (usl.coherency - 0.001).abs() < 1e-11, "{usl:?}");
        assert!((usl.peak.unwrap() - (0.95f64 / 0.001).sqrt()).abs() < 1e-6, "{usl:?}");
        assert!(usl.worst_residual < 1e-9 && usl.misfit().is_none());
    }

    #[test]
    fn a_curve_that_levels_off_has_no_peak() {
        for contention in [0.0, 0.1, 0.9] {
            let usl = fit_usl(&points(&truth(4_000.0, contention, 0.0), || 1.0)).unwrap();
            assert!((usl.contention - contention).abs() < 1e-6 && usl.coherency < 1e-9, "{usl:?}");
            // Rounding may leave a trace of b; a peak beyond a million claims in flight is none.
            assert!(usl.peak.is_none_or(|peak| peak > 1e4), "{usl:?}");
        }
    }

    /// Superlinear points would need a negative a: it is held at zero.
    #[test]
    fn no_coefficient_is_negative() {
        let growing = |concurrency: u32| LoadPoint {
            concurrency,
            throughput_per_s: 100.0 * f64::from(concurrency).powf(1.2),
        };
        let usl = fit_usl(&LOADS.map(growing)).unwrap();
        assert_eq!((usl.contention, usl.coherency, usl.peak), (0.0, 0.0, None));
        assert!(usl.misfit().is_some(), "the misfit is not said: {usl:?}");
    }

    #[test]
    fn noise_of_three_per_cent_moves_the_peak_little() {
        let known = truth(2_000.0, 0.08, 0.002);
        let peak = (0.92f64 / 0.002).sqrt();
        let mut noise = Noise::new(3);
        let mut within = 0;
        for _ in 0..200 {
            let usl = fit_usl(&points(&known, || (0.03 * noise.normal()).exp())).unwrap();
            within += u32::from(usl.peak.is_some_and(|found| (found / peak - 1.0).abs() < 0.2));
        }
        assert!(within >= 180, "{within} of 200");
    }

    #[test]
    fn five_loads_are_too_few_and_repeated_ones_are_no_more() {
        let few = &points(&truth(1.0, 0.1, 0.0), || 1.0)[..5];
        let error = fit_usl(&[few, few].concat()).unwrap_err();
        assert_eq!(error.to_string(), "needs at least 6 different loads, has 5");
    }

    proptest! {
        #[test]
        fn any_curve_is_found_again(g in 1.0f64..1e5, a in 0.0f64..1.0, b in 1e-6f64..0.1) {
            let usl = fit_usl(&points(&truth(g, a, b), || 1.0)).unwrap();
            prop_assert!(usl.worst_residual < 1e-6, "{usl:?}");
            prop_assert!((usl.alone_per_s / g - 1.0).abs() < 1e-3, "{usl:?}");
        }

        #[test]
        fn any_points_give_a_curve_or_a_reason(x in prop::collection::vec(0.0f64..1e6, 7)) {
            let points: Vec<_> = LOADS
                .into_iter()
                .zip(x)
                .map(|(concurrency, throughput_per_s)| LoadPoint { concurrency, throughput_per_s })
                .collect();
            if let Ok(usl) = fit_usl(&points) {
                prop_assert!(usl.alone_per_s > 0.0 && usl.contention >= 0.0 && usl.coherency >= 0.0);
                prop_assert!(usl.peak.is_none_or(|peak| peak >= 1.0));
            }
        }
    }
}
