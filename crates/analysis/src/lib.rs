//! What a benchmark of FlowFabric's claim path asked, what it measured, what that means, and how it is said.
//!
//! ```text
//! scenario ─► record ─► stats ─► judge ─► report
//!  (what was   (what was  (estimates  (typed     (words, tables,
//!   asked)      measured)  with an     findings)  pictures, formats)
//!                          interval)
//! ```
//!
//! Arrows point one way: a module imports only from those left of it. Nothing here opens a socket, starts a
//! thread or looks at a clock, so every statistic, verdict and report can be made again, from a stored result
//! alone.

pub mod json;
pub mod judge;
pub mod record;
pub mod report;
pub mod scenario;
pub mod stats;
