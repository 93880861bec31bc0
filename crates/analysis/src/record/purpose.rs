//! What claims are measured for, and what they count for.

/// What a planned claim is measured for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Not recorded.
    Warmup,
    /// Counts for its arm, in no stratum.
    Plain,
    /// Counts for its arm and for one side of a stratum.
    Stratum {
        /// Position of the stratum.
        stratum: u32,
        /// Side of it.
        side: u8,
    },
    /// Counts only for one side of a control stratum.
    Control {
        /// Position of the stratum.
        stratum: u32,
        /// Side of it.
        side: u8,
    },
    /// Counts only for the counter block that its batch is.
    Block,
    /// Held back until its grant has expired, then claimed late.
    Late,
    /// No claim: a bare round trip among the claims of a stratum, to which their times are held.
    Ruler {
        /// Position of the stratum.
        stratum: u32,
    },
}

impl Purpose {
    /// Whether such a claim is one of the window.
    pub(super) fn is_in_window(self) -> bool {
        !matches!(self, Self::Warmup | Self::Ruler { .. })
    }

    /// Whether what became of such a claim belongs to its arm's outcomes.
    pub(super) fn counts_for_its_arm(self) -> bool {
        !matches!(self, Self::Warmup | Self::Control { .. } | Self::Block | Self::Ruler { .. })
    }
}
