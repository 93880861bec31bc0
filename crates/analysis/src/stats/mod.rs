//! Estimates with intervals from recorded samples. Pure: no clock, no network, one seed.
//!
//! ```text
//! strata (paired)   ─► paired: pooled ratio, bootstrap interval, sign-flip p-value ─► multiple: Holm-Bonferroni
//! one run's samples ─► quantile: Harrell-Davis;  series: effective sample size, MSER-5
//! two runs          ─► unpaired: ratio with an interval that knows about autocorrelation
//! runs at many loads ─► crossing: the load at which a level is reached
//! estimates at several places ─► line
//! repeated runs     ─► agreement: do they agree, and where will the next one be?
//! many runs         ─► change: change points of a history
//! ```

mod agreement;
mod change;
mod crossing;
mod estimate;
mod fitted;
mod histogram;
mod multiple;
mod neighbours;
mod paired;
mod permutation;
mod pooled;
mod quantile;
mod series;
mod unpaired;

pub use agreement::{Agreement, agreement, log_error_of, next_value};
pub use change::{ChangePoint, MIN_SEGMENT, change_points};
pub use crossing::{Crossing, MIN_POINTS, crossing, crossing_load};
pub(crate) use estimate::normal_quantile;
pub use estimate::{CONFIDENCE, CONTROL_CONFIDENCE, Estimate, TooFew};
pub use fitted::{FittedLine, LinePoint, MIN_LINE_POINTS};
pub use histogram::Latencies;
pub use multiple::holm_bonferroni;
pub use paired::{PairedEffect, Totals, paired_means, paired_quantile, paired_quantile_over, paired_totals};
pub use quantile::{harrell_davis_interval, median, quantile};
pub use series::{mean_is_zero, mean_with_interval, mser};
pub use unpaired::{Halves, LogValue, block_quantile, halves, mean_in_order, mean_of_series, ratio_of};
