//! Claims into rounds, and an execution for each.

use rand::seq::SliceRandom as _;

use super::planned::{Batch, PlanError, PlannedClaim, Round, Unit, is_warmup};
use reclaim_analysis::record::{Purpose, stream};
use reclaim_analysis::scenario::Scenario;

/// Puts units into rounds and gives every claim an execution.
pub(super) struct Packer<'a> {
    scenario: &'a Scenario,
    seed: u64,
    rounds: Vec<Round>,
    free: Vec<u32>,
    fresh: u32,
}

impl<'a> Packer<'a> {
    pub fn new(scenario: &'a Scenario, seed: u64) -> Self {
        Self { scenario, seed, rounds: Vec::new(), free: Vec::new(), fresh: 0 }
    }

    pub fn add(&mut self, unit: &Unit, cancelled: &dyn Fn() -> bool) -> Result<(), PlanError> {
        let capacity = self.scenario.population.executions;
        let needed = unit.claims.iter().filter(|(arm, _)| !self.takes_fresh(*arm)).count();
        if unit.splittable {
            let mut rest = unit.claims.as_slice();
            while !rest.is_empty() {
                if cancelled() {
                    return Err(PlanError::Cancelled);
                }
                if self.free.is_empty() {
                    self.open_round();
                }
                let (part, after) = rest.split_at(rest.len().min(self.free.len()));
                self.place(part, None);
                rest = after;
            }
            return Ok(());
        }
        if needed > capacity as usize {
            return Err(PlanError::PopulationTooSmall {
                unit: unit.name,
                needed: needed as u64,
                have: capacity,
            });
        }
        if self.rounds.is_empty() || needed > self.free.len() {
            self.open_round();
        }
        self.place(&unit.claims, unit.block);
        Ok(())
    }

    fn open_round(&mut self) {
        let mut order: Vec<u32> = (0..self.scenario.population.executions).collect();
        order.shuffle(&mut stream(self.seed, &format!("round {}", self.rounds.len())));
        self.free = order;
        self.rounds.push(Round::default());
    }

    fn takes_fresh(&self, arm: u8) -> bool {
        self.scenario.variants[usize::from(arm)].path.is_first_claim()
    }

    fn place(&mut self, claims: &[(u8, Purpose)], block: Option<u32>) {
        let mut placed = Vec::with_capacity(claims.len());
        let mut late = Vec::new();
        for &(arm, purpose) in claims {
            let execution = if self.takes_fresh(arm) {
                self.fresh += 1;
                self.scenario.population.executions + self.fresh - 1
            } else {
                // The caller made sure that the round has room.
                let Some(execution) = self.free.pop() else { continue };
                execution
            };
            let claim = PlannedClaim { execution, arm, purpose };
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
        (self.rounds, self.fresh)
    }
}
