//! What tests against real servers share.

pub mod half_written;
pub mod one_claim;
pub mod one_run;
pub mod owner;
pub mod staged;
pub mod support;
