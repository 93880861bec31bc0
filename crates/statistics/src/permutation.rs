//! Sign-flip permutation test: are paired differences centred on zero?

use rand::Rng as _;

use crate::random::{below, stream};

/// Random flips where the pairs are too many to try every one: the smallest p-value is 1 / 5,000.
pub const FLIPS: u32 = 4_999;

/// Up to this many pairs every one of the 2^n flips is tried.
const EXACT_UP_TO: usize = 12;

/// Two-sided p-value of the hypothesis that `differences` are symmetric about zero. Runs of `run` neighbours,
/// from a random place on, keep their signs to each other: neighbours that resemble each other are not
/// independent witnesses.
///
/// If nothing differs between the two sides, swapping them within a pair changes nothing but the difference's
/// sign. So the mean's size is compared with its size under random signs. `None` without a pair or with a
/// value that is not finite.
pub fn sign_flip_p_value(differences: &[f64], run: usize, seed: u64) -> Option<f64> {
    if differences.is_empty() || differences.iter().any(|d| !d.is_finite()) {
        return None;
    }
    let observed = differences.iter().sum::<f64>().abs();
    // Sums that differ by rounding alone count as equal: the p-value may only err upwards.
    let bar = observed - 1e-9 * differences.iter().map(|d| d.abs()).sum::<f64>();
    let extreme = |sums: &[f64], signs: &[u64]| flipped_sum(sums, signs).abs() >= bar;
    if differences.len() <= EXACT_UP_TO && run <= 1 {
        let all = 1u64 << differences.len();
        let hits = (0..all).filter(|signs| extreme(differences, &[*signs])).count();
        return Some(hits as f64 / all as f64);
    }
    let by_start: Vec<Vec<f64>> =
        (1..=run.max(1)).map(|first| sums_of_runs(differences, first, run)).collect();
    let mut rng = stream(seed, "sign-flip");
    let mut signs = vec![0u64; (differences.len() + 1).div_ceil(64)];
    let mut hits = 0u32;
    for _ in 0..FLIPS {
        let sums = match by_start.as_slice() {
            [one] => one,
            many => &many[below(&mut rng, many.len() as u32) as usize],
        };
        let words = sums.len().div_ceil(64);
        signs[..words].fill_with(|| rng.next_u64());
        hits += u32::from(extreme(sums, &signs[..words]));
    }
    Some(f64::from(hits + 1) / f64::from(FLIPS + 1))
}

/// Sums of runs of `run` neighbours, the first one `first` long.
fn sums_of_runs(differences: &[f64], first: usize, run: usize) -> Vec<f64> {
    let (head, rest) = differences.split_at(first.min(differences.len()));
    std::iter::once(head).chain(rest.chunks(run.max(1))).map(|run| run.iter().sum()).collect()
}

fn flipped_sum(sums: &[f64], signs: &[u64]) -> f64 {
    sums.chunks(64)
        .zip(signs)
        .map(|(chunk, &bits)| {
            let mut bits = bits;
            let mut sum = 0.0;
            for d in chunk {
                sum += if bits & 1 == 0 { *d } else { -*d };
                bits >>= 1;
            }
            sum
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_pairs_are_enumerated() {
        // All signs alike is one of 2^5 on either side: 2 / 32.
        assert_eq!(sign_flip_p_value(&[1.0, 2.0, 3.0, 4.0, 5.0], 1, 1), Some(2.0 / 32.0));
        assert_eq!(sign_flip_p_value(&[0.0; 4], 1, 1), Some(1.0));
        assert_eq!(sign_flip_p_value(&[], 1, 1), None);
        assert_eq!(sign_flip_p_value(&[f64::NAN, 1.0], 1, 1), None);
    }

    #[test]
    fn a_shift_is_found_and_balance_is_not() {
        let shifted: Vec<f64> = (0..40).map(|i| 0.05 + 0.01 * f64::from(i % 5)).collect();
        assert!(sign_flip_p_value(&shifted, 1, 1).unwrap() < 0.001);
        let balanced: Vec<f64> = (0..40).map(|i| if i % 2 == 0 { 0.05 } else { -0.05 }).collect();
        assert!(sign_flip_p_value(&balanced, 1, 1).unwrap() > 0.5);
    }

    #[test]
    fn one_seed_one_answer() {
        let d: Vec<f64> = (0..30).map(|i| f64::from(i % 7) - 2.5).collect();
        assert_eq!(sign_flip_p_value(&d, 1, 7), sign_flip_p_value(&d, 1, 7));
    }

    #[test]
    fn neighbours_that_agree_are_fewer_witnesses() {
        // Ten runs of eight, eight of them on one side: some per cent by runs, next to nothing one by one.
        let runs: Vec<f64> =
            (0..80).map(|i| if i / 8 % 5 == 3 { -1.0 } else { 1.0 + f64::from(i % 3) / 10.0 }).collect();
        let (alone, together) =
            (sign_flip_p_value(&runs, 1, 1).unwrap(), sign_flip_p_value(&runs, 8, 1).unwrap());
        assert!(alone < 0.001 && together > 0.01 && together < 0.2, "{alone} and {together}");
        assert_eq!(sums_of_runs(&[1.0, 2.0, 3.0, 4.0], 1, 2), [1.0, 5.0, 4.0]);
    }
}
