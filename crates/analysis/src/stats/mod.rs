//! Estimates with intervals from recorded samples. Pure: no clock, no network, one seed.
//!
//! ```text
//! strata (paired)   ─► paired: pooled ratio, bootstrap interval, sign-flip p-value ─► multiple: Holm-Bonferroni
//! one run's samples ─► block_quantile, harrell_davis, histogram;  series: effective sample size, MSER-5
//! one run's series  ─► series_mean: a mean with an interval that knows about autocorrelation
//! two runs          ─► log_value: the ratio of two such quantiles or means
//! runs at many loads ─► crossing: the load at which a level is reached
//! estimates at several places ─► fitted
//! repeated runs     ─► agreement: do they agree, and where will the next one be?
//! many runs         ─► change: change points of a history
//! ```

mod agreement;
mod block_quantile;
mod change;
mod crossing;
mod estimate;
mod fitted;
mod harrell_davis;
mod histogram;
mod log_value;
mod multiple;
mod neighbours;
mod paired;
mod permutation;
mod pooled;
mod quantile;
mod series;
mod series_mean;

pub use agreement::{Agreement, agreement, log_error_of, next_value};
pub use block_quantile::block_quantile;
pub use change::{ChangePoint, MIN_SEGMENT, change_points};
pub use crossing::{Crossing, MIN_POINTS, crossing, crossing_load};
pub(crate) use estimate::normal_quantile;
pub use estimate::{CONFIDENCE, CONTROL_CONFIDENCE, Estimate, TooFew};
pub use fitted::{FittedLine, LinePoint, MIN_LINE_POINTS};
pub use harrell_davis::harrell_davis_interval;
pub use histogram::Latencies;
pub use log_value::{LogValue, ratio_of};
pub use multiple::holm_bonferroni;
pub use paired::{PairedEffect, Totals, paired_means, paired_quantile, paired_quantile_over, paired_totals};
pub use quantile::{median, quantile};
pub use series::{mean_is_zero, mean_with_interval, mser};
pub use series_mean::{Halves, halves, mean_in_order, mean_of_series};
