//! How many claims and blocks a plan has beside those that are compared.

use super::choices::Mode;
use super::mixing::BlockShape;
use super::model::{Amount, Compare, ControlSides, Mixing, Model, Scenario};

impl Scenario {
    /// Claims of the window over all arms, those beside them not included; `None` where time alone or a trace
    /// decides.
    pub fn window_claims(&self) -> Option<u64> {
        match (self.load.amount, &self.load.model) {
            (Amount::Claims(claims), _) => Some(claims),
            (Amount::Duration(time), Model::Open { rate_per_sec, arrivals }) => {
                Some(arrivals.count_within(*rate_per_sec, time))
            }
            _ => None,
        }
    }

    /// Blocks of a comparison with so many claims that count, over all arms.
    pub fn block_shape(&self, compare: &Compare, claims: u64) -> BlockShape {
        let arms = self.variants.len() as u64;
        BlockShape::planned(compare.strata, claims, arms, &self.load.model, self.load.added_rtt.as_secs_f64())
    }

    /// Their number: one of each arm in every group, and one of the control.
    pub fn blocks(&self, compare: &Compare, claims: u64) -> u64 {
        let arms = self.variants.len() as u64;
        u64::from(self.block_shape(compare, claims).groups) * (arms + u64::from(compare.is_controlled()))
    }

    /// Claims of each arm in a stratum of a window with so many.
    pub fn side_claims(&self, compare: &Compare, claims: u64) -> u64 {
        (claims / u64::from(compare.strata.max(1)) / self.variants.len().max(1) as u64).max(1)
    }

    /// Claims that warm up a cluster of the control's own: as many as each arm makes on its own.
    pub fn control_warmup(&self) -> u64 {
        match self.load.warmup {
            0 => 0,
            all => (all / self.variants.len().max(1) as u64).max(1),
        }
    }

    /// All claims of a run whose window has so many. Where everything runs together the warm-up's alone are beside them.
    pub fn claims_in_all(&self, window: u64) -> u64 {
        match self.load.mode {
            Mode::Staged => window + self.claims_beside(window),
            Mode::Churn | Mode::Storm => window + self.load.warmup,
        }
    }

    /// Claims that a staged window of so many claims makes beside them: the warm-up's, the control's, those
    /// of counter blocks, and what goes before the claims that count in a block.
    pub fn claims_beside(&self, claims: u64) -> u64 {
        let arms = self.variants.len() as u64;
        let Some(compare) = &self.compare else { return self.load.warmup };
        // A cluster of the control's own is warmed up as the baseline's is.
        let of_control = self.is_server_duet() && compare.is_controlled();
        let warmup = self.load.warmup + if of_control { self.control_warmup() } else { 0 };
        if compare.mixing == Mixing::Blocks {
            let each = self.block_shape(compare, claims).all_claims();
            return warmup + (self.blocks(compare, claims) * each).saturating_sub(claims);
        }
        let side = self.side_claims(compare, claims);
        let second = u64::from(compare.control == ControlSides::SideOfItsOwn) * u64::from(compare.strata);
        let counters = u64::from(compare.counter_blocks) * u64::from(compare.block_claims) * arms;
        warmup + (2 * u64::from(compare.own_controls()) + second) * side + counters
    }
}
