//! What a 99th percentile is: the quantile that service levels bound.

/// One time in so many lies beyond a 99th percentile.
pub const P99_ONE_IN: u64 = 100;

/// The 99th percentile as a quantile.
pub const P99: f64 = 1.0 - 1.0 / P99_ONE_IN as f64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantile_is_the_one_that_was_always_asked_for() {
        assert_eq!(P99.to_bits(), 0.99_f64.to_bits());
    }
}
