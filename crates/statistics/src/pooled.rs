//! The quantile of groups of values, each group counted as often as a resample drew it.

/// All values of one side, sorted once: the quantile of a resample is found by a short walk from the quantile
/// of the values themselves.
pub(super) struct Pooled {
    /// Values with the group they come from, by value.
    sorted: Vec<(f64, u32)>,
    /// Values of each group.
    sizes: Vec<u64>,
    /// Where the walk starts.
    start: usize,
    /// Values of each group before `start`.
    before_start: Vec<u64>,
    q: f64,
}

impl Pooled {
    /// Pools the values of each group; no group is empty.
    pub(super) fn new<'a>(groups: impl Iterator<Item = &'a [f64]>, q: f64) -> Self {
        let mut sorted = Vec::new();
        let mut sizes = Vec::new();
        for (group, values) in groups.enumerate() {
            sizes.push(values.len() as u64);
            sorted.extend(values.iter().map(|&value| (value, group as u32)));
        }
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let start = (q.clamp(0.0, 1.0) * sorted.len().saturating_sub(1) as f64) as usize;
        let mut before_start = vec![0; sizes.len()];
        for &(_, group) in &sorted[..start] {
            before_start[group as usize] += 1;
        }
        Self { sorted, sizes, start, before_start, q }
    }

    /// Type-7 quantile of the values, each as often as its group's weight says. At least one weight is
    /// positive.
    pub(super) fn quantile(&self, weights: &[u32]) -> f64 {
        let weighted = |counts: &[u64]| -> u64 {
            counts.iter().zip(weights).map(|(&count, &weight)| count * u64::from(weight)).sum()
        };
        let weight_at = |index: usize| u64::from(weights[self.sorted[index].1 as usize]);
        let position = self.q.clamp(0.0, 1.0) * (weighted(&self.sizes) - 1) as f64;
        let rank = position.floor() as u64;
        let mut index = self.start;
        let mut before = weighted(&self.before_start);
        while before > rank {
            index -= 1;
            before -= weight_at(index);
        }
        while before + weight_at(index) <= rank {
            before += weight_at(index);
            index += 1;
        }
        let value = self.sorted[index].0;
        let share = position - rank as f64;
        if share == 0.0 || before + weight_at(index) > rank + 1 {
            return value;
        }
        let next =
            (index + 1..self.sorted.len()).find(|&i| weight_at(i) > 0).map_or(value, |i| self.sorted[i].0);
        value + share * (next - value)
    }
}

#[cfg(test)]
mod tests {
    use super::super::quantile::quantile_of_sorted;
    use super::*;
    use crate::random::{below, stream};

    #[test]
    fn weighted_quantile_equals_the_quantile_of_the_copies() {
        let mut values = stream(5, "values");
        let groups: Vec<Vec<f64>> =
            (0..8).map(|_| (0..9).map(|_| f64::from(below(&mut values, 50))).collect()).collect();
        for (round, q) in [0.0, 0.1, 0.5, 0.77, 0.99, 1.0].into_iter().enumerate() {
            let side = Pooled::new(groups.iter().map(Vec::as_slice), q);
            let mut rng = stream(round as u64, "weights");
            let weights: Vec<u32> = (0..8).map(|i| below(&mut rng, 3) + u32::from(i == 0)).collect();
            let mut copies: Vec<f64> = groups
                .iter()
                .zip(&weights)
                .flat_map(|(p, &w)| std::iter::repeat_n(p, w as usize).flatten().copied())
                .collect();
            copies.sort_by(f64::total_cmp);
            let expected = quantile_of_sorted(&copies, q).unwrap();
            assert!((side.quantile(&weights) - expected).abs() < 1e-9, "q {q}");
        }
    }
}
