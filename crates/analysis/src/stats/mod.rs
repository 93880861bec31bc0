//! Estimates with intervals: those of `reclaim-statistics`, and quantiles of the histograms that records hold.

mod latencies;

pub use latencies::Latencies;
pub use reclaim_statistics::*;
