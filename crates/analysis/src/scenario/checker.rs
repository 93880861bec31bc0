//! Collects what is wrong with a scenario, so that a file is mended in one go.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::duration::HumanDuration;
use super::error::KeyProblem;

/// Collects what is wrong, key by key.
#[derive(Default)]
pub(super) struct Checker(pub(super) Vec<KeyProblem>);

impl Checker {
    /// Notes a problem with `key`.
    pub(super) fn refuse(&mut self, key: impl Into<String>, what: impl Into<String>) {
        self.0.push(KeyProblem { key: key.into(), what: what.into() });
    }

    /// Notes a problem where `good` is false.
    pub(super) fn require(&mut self, good: bool, key: &str, what: impl FnOnce() -> String) {
        if !good {
            self.refuse(key, what());
        }
    }

    pub(super) fn within<T: PartialOrd + Display + Copy>(
        &mut self,
        key: &str,
        value: T,
        range: RangeInclusive<T>,
    ) {
        let (low, high) = (range.start(), range.end());
        self.require(range.contains(&value), key, || format!("{value} is not between {low} and {high}"));
    }

    pub(super) fn share(&mut self, key: &str, value: f64) {
        let good = value > 0.0 && value < 1.0;
        self.require(good, key, || format!("{value} is not a share: write 0.02 for 2 %, between 0 and 1"));
    }

    pub(super) fn lasting(&mut self, key: &str, value: HumanDuration, shortest: Duration, longest: Duration) {
        let (low, high) = (HumanDuration(shortest), HumanDuration(longest));
        self.within(key, value, low..=high);
    }

    pub(super) fn name(&mut self, key: &str, name: &str) {
        let good = (1..=64).contains(&name.len())
            && !name.starts_with('-')
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        self.require(good, key, || {
            format!("`{name}` is not a name: use 1 to 64 of lower-case letters, digits and `-`, which it cannot begin with")
        });
    }
}
