//! Estimates with intervals from recorded samples. Pure: no clock, no network, one seed.
//!
//! ```text
//! strata (paired)   ─► paired: pooled ratio, bootstrap interval, sign-flip p-value ─► multiple: Holm-Bonferroni
//! one run's samples ─► quantile_interval, median_interval;  series: effective sample size, MSER-5
//! one run's series  ─► series_mean: a mean with an interval that knows about autocorrelation
//! two runs          ─► log_value: the ratio of two such quantiles or means
//! runs at many loads ─► crossing: the load at which a level is reached
//! estimates at several places ─► fitted
//! repeated runs     ─► agreement: do they agree, and where will the next one be?
//! many runs         ─► change: change points of a history
//! ```
//!
//! A crate of its own, for what is computed a thousand times is built with all optimisation for tests too, and the rest of
//! the pure code without: that is most of a first build.

mod agreement;
mod change;
mod crossing;
mod estimate;
mod fitted;
mod log_value;
mod median_interval;
mod multiple;
mod neighbours;
mod paired;
mod permutation;
mod pooled;
mod quantile;
mod quantile_interval;
mod random;
mod series;
mod series_mean;

pub use agreement::{Agreement, agreement, log_error_of, next_value};
pub use change::{ChangePoint, MIN_SEGMENT, change_points};
pub use crossing::{Crossing, MIN_POINTS, crossing, crossing_load};
pub use estimate::{CONFIDENCE, CONTROL_CONFIDENCE, Estimate, TooFew, normal_quantile};
pub use fitted::{FittedLine, LinePoint, MIN_LINE_POINTS};
pub use log_value::{LogValue, ratio_of};
pub use median_interval::harrell_davis_interval;
pub use multiple::holm_bonferroni;
pub use paired::{PairedEffect, Totals, paired_means, paired_quantile, paired_quantile_over, paired_totals};
pub use quantile::{median, quantile};
pub use quantile_interval::block_quantile;
pub use random::{below, stream};
pub use series::{mean_is_zero, mean_with_interval, mser};
pub use series_mean::{Halves, halves, mean_in_order, mean_of_series};
