//! Shares of [0, 1): whose a drawn point is, by weight or by Zipf's law.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

/// Upper ends of the shares, in order, with whose they are.
#[derive(Clone, Debug)]
pub(super) struct Shares<T>(Vec<(f64, T)>);

impl<T: Copy> Shares<T> {
    /// In proportion to weights, of which one at least is above 0.
    pub fn by_weight(weights: &[(f64, T)]) -> Self {
        let total: f64 = weights.iter().map(|(weight, _)| weight).sum();
        let mut upper = 0.0;
        let share = |&(weight, whose): &(f64, T)| {
            upper += weight / total;
            (upper, whose)
        };
        let mut shares: Vec<_> = weights.iter().map(share).collect();
        // Rounding must not hand a point just below 1 to one without weight.
        if let Some(last) = weights.iter().rposition(|(weight, _)| *weight > 0.0) {
            for share in &mut shares[last..] {
                *share = (1.0, weights[last].1);
            }
        }
        Self(shares)
    }

    /// Whose a point in [0, 1) is.
    pub fn at(&self, point: f64) -> T {
        let place = self.0.partition_point(|&(upper, _)| upper <= point);
        self.0[place.min(self.0.len() - 1)].1
    }
}

impl Shares<u16> {
    /// Of `count` partitions or lanes after Zipf's law, hottest first. Which gets which rank is drawn, so that
    /// the hot ones are not neighbours.
    pub fn zipf(count: u16, exponent: f64, generator: &mut ChaCha8Rng) -> Self {
        let mut ranks: Vec<u16> = (0..count).collect();
        for last in (1..ranks.len()).rev() {
            ranks.swap(last, generator.random_range(0..=last));
        }
        let weight = |rank: usize| (rank as f64 + 1.0).powf(-exponent);
        let weights: Vec<_> =
            ranks.into_iter().enumerate().map(|(rank, index)| (weight(rank), index)).collect();
        Self::by_weight(&weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_just_below_one_goes_to_nobody_without_weight() {
        // Sixths, whose sum is a little less than 1.
        let shares = Shares::by_weight(&[(1.0, 'a'), (4.0, 'b'), (1.0, 'c'), (0.0, 'd')]);
        let points = [0.0, 0.16, 0.17, 0.83, 0.84, 1.0 - f64::EPSILON / 2.0];
        assert_eq!(points.map(|point| shares.at(point)), ['a', 'a', 'b', 'b', 'c', 'c']);
    }
}
