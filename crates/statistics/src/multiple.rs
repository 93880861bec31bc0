//! Several metrics judged at once: corrected p-values.

/// Holm-Bonferroni adjusted p-values, in the order given. Each is at least its raw value and at most 1;
/// comparing them with a level keeps the chance of any false finding below that level, however the tests
/// depend on each other.
pub fn holm_bonferroni(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut floor = 0.0_f64;
    for (rank, index) in order.into_iter().enumerate() {
        let factor = (p_values.len() - rank) as f64;
        floor = floor.max((p_values[index] * factor).min(1.0));
        adjusted[index] = floor;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holm_multiplies_by_what_is_left_and_never_turns_the_order() {
        // Worked by hand: 0.01 x 4, 0.02 x 3, then 0.03 x 2 and 0.04 x 1, each at least its predecessor.
        let adjusted = holm_bonferroni(&[0.03, 0.01, 0.04, 0.02]);
        let expected = [0.06, 0.04, 0.06, 0.06];
        for (a, e) in adjusted.iter().zip(expected) {
            assert!((a - e).abs() < 1e-12, "{adjusted:?}");
        }
        assert_eq!(holm_bonferroni(&[0.7, 0.8]), [1.0, 1.0]);
        assert!(holm_bonferroni(&[]).is_empty());
    }
}
