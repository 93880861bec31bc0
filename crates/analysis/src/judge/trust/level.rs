//! The levels. What decides on one is in the file of each kind of result.

/// How far a result can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// All checks passed.
    Yes,
    /// Something must be known first.
    Careful,
    /// Not at all.
    No,
}

impl Trust {
    /// Of figures without intervals against each other: they may be what they say, and nothing shows how far
    /// chance moves them.
    pub const WITHOUT_INTERVALS: Self = Self::Careful;
}
