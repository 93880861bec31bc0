//! Claims into rounds, and an execution for each.

use rand::seq::SliceRandom as _;

use super::planned::{Batch, Bundle, PlanError, PlannedClaim, Round, Sites, is_warmup};
use reclaim_analysis::record::{Purpose, stream};
use reclaim_analysis::scenario::Scenario;

/// Puts bundles into rounds and gives every claim an execution.
pub(super) struct Packer<'a> {
    scenario: &'a Scenario,
    seed: u64,
    rounds: Vec<Round>,
    sites: Sites,
    /// Executions that no claim of the round has, by cluster. All clusters have the same executions, in the
    /// same order: the n-th claims of two arms on clusters of their own take the same one.
    free: Vec<Vec<u32>>,
    /// Executions beyond the population, by cluster.
    fresh: Vec<u32>,
}

impl<'a> Packer<'a> {
    pub fn new(scenario: &'a Scenario, seed: u64) -> Self {
        let sites = Sites::of_scenario(scenario);
        let (free, fresh) = (vec![Vec::new(); sites.count()], vec![0; sites.count()]);
        Self { scenario, seed, rounds: Vec::new(), sites, free, fresh }
    }

    pub fn add(&mut self, bundle: &Bundle, cancelled: &dyn Fn() -> bool) -> Result<(), PlanError> {
        let capacity = self.scenario.population.executions;
        let mut needed = vec![0; self.free.len()];
        for &(arm, purpose) in bundle.claims.iter().filter(|(arm, _)| !self.takes_fresh(*arm)) {
            needed[usize::from(self.sites.site(arm, purpose, bundle.on_control))] += 1;
        }
        if bundle.splittable {
            let mut rest = bundle.claims.as_slice();
            while !rest.is_empty() {
                if cancelled() {
                    return Err(PlanError::Cancelled);
                }
                // Without a comparison, and so on one cluster.
                if self.free[0].is_empty() {
                    self.open_round();
                }
                let (part, after) = rest.split_at(rest.len().min(self.free[0].len()));
                self.place(part, bundle);
                rest = after;
            }
            return Ok(());
        }
        for needed in &mut needed {
            *needed = bundle.ahead.max(*needed);
        }
        let most = needed.iter().copied().max().unwrap_or(0);
        if most > capacity as usize {
            return Err(PlanError::PopulationTooSmall {
                bundle: bundle.name,
                needed: most as u64,
                have: capacity,
            });
        }
        let lacking = self.free.iter().zip(&needed).any(|(free, needed)| *needed > free.len());
        if self.rounds.is_empty() || lacking {
            self.open_round();
        }
        self.place(&bundle.claims, bundle);
        Ok(())
    }

    fn open_round(&mut self) {
        let mut order: Vec<u32> = (0..self.scenario.population.executions).collect();
        order.shuffle(&mut stream(self.seed, &format!("round {}", self.rounds.len())));
        self.free.fill(order);
        self.rounds.push(Round::default());
    }

    fn takes_fresh(&self, arm: u8) -> bool {
        self.scenario.variants[usize::from(arm)].path.is_first_claim()
    }

    fn place(&mut self, claims: &[(u8, Purpose)], bundle: &Bundle) {
        let block = bundle.block;
        let mut placed = Vec::with_capacity(claims.len());
        let mut late = Vec::new();
        for &(arm, purpose) in claims {
            let site = self.sites.site(arm, purpose, bundle.on_control);
            let at = usize::from(site);
            let execution = if self.takes_fresh(arm) {
                self.fresh[at] += 1;
                self.scenario.population.executions + self.fresh[at] - 1
            } else {
                // The caller made sure that the round has room.
                let Some(execution) = self.free[at].pop() else { continue };
                execution
            };
            let claim = PlannedClaim { execution, arm, purpose, site };
            if purpose == Purpose::Late { late.push(claim) } else { placed.push(claim) }
        }
        let Some(round) = self.rounds.last_mut() else { return };
        round.late.append(&mut late);
        let warmup = placed.first().is_some_and(|claim| claim.purpose == Purpose::Warmup);
        match round.batches.last_mut() {
            Some(batch) if block.is_none() && batch.block.is_none() && !is_warmup(batch) && !warmup => {
                batch.claims.append(&mut placed);
            }
            _ if placed.is_empty() => {}
            _ => round.batches.push(Batch { claims: placed, block }),
        }
    }

    pub fn finish(self) -> (Vec<Round>, u32) {
        (self.rounds, self.fresh.into_iter().max().unwrap_or(0))
    }
}
