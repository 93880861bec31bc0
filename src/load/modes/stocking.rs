//! Filling the stock of a staged round: its executions are made claimable, and their tickets put there.

use std::time::Instant;

use super::super::error::LoadError;
use super::super::measuring::Prepared;
use super::super::planning::Round;
use super::super::progress::Activity;
use super::super::session::Session;
use super::super::site::Site;
use super::grant_stock::GrantStock;
use super::prepare::{lose_leases, make_resumable, scan};
use crate::claim::ClaimTicket;
use crate::workload::{ExecIndex, Seek};
use reclaim_analysis::scenario::VariantPath;

/// Makes every execution of a round resumable and fills the stock with their tickets, on every cluster.
pub(super) async fn fill(
    session: &Session<'_>,
    round: &Round,
    stock: &GrantStock,
) -> Result<Prepared, LoadError> {
    let mut prepared = Prepared::default();
    for (number, site) in session.sites.iter().enumerate() {
        let place = Place { session, number: number as u8, site, stock };
        prepared += place.stage(round).await?;
    }
    Ok(prepared)
}

/// One cluster that is staged on.
struct Place<'a> {
    session: &'a Session<'a>,
    number: u8,
    site: &'a Site,
    stock: &'a GrantStock,
}

impl Place<'_> {
    async fn stage(&self, round: &Round) -> Result<Prepared, LoadError> {
        let session = self.session;
        let begun = Instant::now();
        let mut prepared = Prepared::default();
        let of = |wanted: fn(VariantPath) -> bool| -> Vec<u32> {
            let variants = &session.scenario().variants;
            let here = round.claims().filter(|claim| claim.site == self.number);
            let claims = here.filter(|claim| wanted(variants[usize::from(claim.arm)].path));
            claims.map(|claim| claim.execution).collect()
        };
        let own = |executions: Vec<u32>| -> Vec<u32> {
            executions.into_iter().filter(|&execution| session.slice().owns(ExecIndex(execution))).collect()
        };
        let granted = own(of(|path| path != VariantPath::Fused && path.resumes()));
        let ungranted = own(of(|path| path == VariantPath::Fused));
        let fresh = of(VariantPath::is_first_claim);
        let lapsing = own(of(VariantPath::is_lease_reclaim));
        let staged = granted.len() + ungranted.len() + lapsing.len();
        session.watch().begin(Activity::Stage, Some(3 * staged as u64));
        // One after the other: a scan hands out tickets of one sort to everything that it finds.
        for (executions, issue) in [(granted, true), (ungranted, false)] {
            prepared += make_resumable(session, self.site, &executions).await?;
            prepared += self.put_in_stock(&executions, Seek::Interrupted, issue).await?;
        }
        let (lost, tickets) = lose_leases(session, self.site, &lapsing).await?;
        prepared += lost;
        self.add_to_stock(&lapsing, tickets);
        // The plan numbers them after the population, round after round: so does the workload.
        self.site.workload.create(fresh.len() as u32, &session.quietly()).await?;
        let fresh = own(fresh);
        prepared.executions += fresh.len() as u64;
        prepared += self.put_in_stock(&fresh, Seek::Fresh, true).await?;
        Ok(Prepared { took: begun.elapsed(), ..prepared })
    }

    async fn put_in_stock(&self, executions: &[u32], seek: Seek, issue: bool) -> Result<Prepared, LoadError> {
        let (prepared, tickets) = scan(self.session, self.site, executions, seek, issue).await?;
        self.add_to_stock(executions, tickets);
        Ok(prepared)
    }

    fn add_to_stock(&self, executions: &[u32], tickets: Vec<(ExecIndex, ClaimTicket)>) {
        let found = tickets.len();
        self.stock.add(self.number, tickets);
        let missing = self.stock.missing(self.number, executions);
        if missing > 0 {
            self.session.watch().note(&format!(
                "{missing} of {} executions could not be put in stock ({found} others were)",
                executions.len(),
            ));
        }
    }
}
