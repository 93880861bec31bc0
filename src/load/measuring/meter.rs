//! The servers' counters around a stretch of claims, cluster by cluster, and what the machine did meanwhile.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::foreign::Opened;
use super::site_meter::{NodeTotals, SiteMeter, SiteReading};
use crate::cluster::{Cluster, ClusterError, Heirs};
use crate::machine::{Arranged, Arrangement, CpuReading, swapped_pages};
use crate::valkey::{SentTo, sent_by};
use reclaim_analysis::record::{
    CounterDelta, GeneratorUse, InvalidReason, NotCounted, RedirectKind, Warning,
};
use reclaim_analysis::scenario::Mode;

/// A stretch that goes on: what was read before it, and the machine as it is arranged until this is dropped.
pub(in crate::load) struct OpenStretch {
    _arranged: Arranged,
    /// None where another generator reads the counters.
    sites: Vec<SiteReading>,
    cpu: CpuReading,
    /// CPU of each cluster's servers, where they run as our children.
    servers: Vec<Option<Duration>>,
    /// What was used, once the claims are made.
    used: Option<Used>,
    swapped: Option<u64>,
}

/// CPU that a stretch took.
struct Used {
    generator: GeneratorUse,
    /// Of each cluster's servers, replicas included, in seconds; `None` where they are not our children.
    servers_s: Vec<Option<f64>>,
}

/// Adds up stretches.
pub(in crate::load) struct Meter {
    clusters: Vec<Rc<Cluster>>,
    arrangement: Rc<Arrangement>,
    /// One for each cluster.
    sites: Vec<SiteMeter>,
    /// CPU of the stretches that count.
    pub usage: GeneratorUse,
}

impl Meter {
    /// `functions`: what may be called in a window, claims and, where they go on beside them, interruptions.
    pub(super) fn new(
        clusters: Vec<Rc<Cluster>>,
        arrangement: Rc<Arrangement>,
        functions: &[&'static str],
        kind: (Opened, Mode),
    ) -> Self {
        let site = |cluster: &Rc<Cluster>| SiteMeter::new(Rc::clone(cluster), functions.to_vec(), kind);
        let sites = clusters.iter().map(site).collect();
        Self { clusters, arrangement, sites, usage: GeneratorUse::default() }
    }

    /// What makes the windows so far invalid.
    pub fn invalid_reasons(&self) -> Vec<InvalidReason> {
        self.sites.iter().flat_map(SiteMeter::invalid_reasons).collect()
    }

    /// What a reader should know of them.
    pub fn warnings(&self) -> Vec<Warning> {
        self.sites.iter().flat_map(SiteMeter::warnings).collect()
    }

    /// What has changed hands on purpose makes no run invalid. Only a run with one cluster has such.
    pub fn excuse(&mut self, heirs: Heirs) {
        if let [site] = &mut self.sites[..] {
            site.excuse(heirs);
        }
    }

    /// What the primary at an address did over all stretches.
    pub fn totals(&self, addr: &str) -> NodeTotals {
        self.sites.iter().find_map(|site| site.totals.get(addr)).cloned().unwrap_or_default()
    }

    /// Redirects by address, those of servers that are no primaries any more included.
    pub fn redirects(&self) -> BTreeMap<String, BTreeMap<RedirectKind, u64>> {
        self.sites.iter().flat_map(|site| site.redirects.clone()).collect()
    }

    /// Redirects as the servers themselves count them: of those whose counters were read before and after.
    pub fn redirects_counted(&self) -> BTreeMap<String, BTreeMap<RedirectKind, u64>> {
        self.sites.iter().flat_map(|site| site.redirects_counted.clone()).collect()
    }

    /// Why the redirects of other servers were not counted.
    pub fn redirects_not_counted(&self) -> BTreeMap<String, NotCounted> {
        self.sites.iter().flat_map(|site| site.redirects_not_counted.clone()).collect()
    }

    /// Commands without a reply by address, those to servers that are no primaries any more included.
    pub fn unanswered(&self) -> BTreeMap<String, u64> {
        self.sites.iter().flat_map(|site| site.unanswered.clone()).collect()
    }

    /// Arranges the machine, reads the counters and starts the tallies anew. Nothing may be in flight.
    pub async fn begin(&mut self) -> Result<OpenStretch, ClusterError> {
        for site in &mut self.sites {
            site.start().await?;
        }
        let pids: Vec<u32> = self.clusters.iter().flat_map(|cluster| cluster.server_pids()).collect();
        let arranged = self.arrangement.window(&pids);
        let mut sites = Vec::with_capacity(self.sites.len());
        for site in &mut self.sites {
            sites.push(site.begin().await?);
        }
        Ok(self.opened(arranged, sites))
    }

    /// The same where another generator reads the counters: starts the tallies anew, and sends nothing.
    pub fn begin_beside(&self) -> OpenStretch {
        let arranged = self.arrangement.window(&[]);
        self.clusters.iter().for_each(|cluster| drop(cluster.take_counts()));
        self.opened(arranged, Vec::new())
    }

    fn opened(&self, arranged: Arranged, sites: Vec<SiteReading>) -> OpenStretch {
        let (cpu, swapped) = (CpuReading::now(&self.arrangement), swapped_pages());
        OpenStretch { _arranged: arranged, sites, cpu, servers: self.servers_cpu(), used: None, swapped }
    }

    fn servers_cpu(&self) -> Vec<Option<Duration>> {
        self.clusters.iter().map(|cluster| cluster.servers_cpu()).collect()
    }

    /// The claims are made: what comes until the counters are read is no part of what they cost this process.
    pub fn claims_made(&self, before: &mut OpenStretch) {
        before.used = Some(self.used_since(before));
    }

    /// What was used in a stretch: until its claims were made, where that was noted.
    fn used(&self, before: &mut OpenStretch) -> Used {
        before.used.take().unwrap_or_else(|| self.used_since(before))
    }

    fn used_since(&self, before: &OpenStretch) -> Used {
        let since = |(before, now): (&Option<Duration>, Option<Duration>)| {
            Some(now?.saturating_sub((*before)?).as_secs_f64())
        };
        Used {
            generator: before.cpu.until_now(&self.arrangement),
            servers_s: before.servers.iter().zip(self.servers_cpu()).map(since).collect(),
        }
    }

    /// Ends a stretch that [`Self::begin_beside`] began: what this process has sent in it. Sends nothing.
    pub fn end_beside(&mut self, mut before: OpenStretch, keep: bool) -> Vec<SentTo> {
        if keep {
            self.usage += self.used(&mut before).generator;
        }
        self.clusters.iter().flat_map(|cluster| sent_by(cluster.take_counts())).collect()
    }

    /// Reads them again: for each cluster the sum over all its primaries. A primary that changed meanwhile makes
    /// the run invalid and is no error. With `keep`, the stretch counts for the primaries' totals as well.
    /// `others`: what other generators of the run have sent in the stretch, to whichever cluster.
    pub async fn end(
        &mut self,
        mut before: OpenStretch,
        keep: bool,
        others: &[SentTo],
    ) -> Result<Vec<CounterDelta>, ClusterError> {
        let used = self.used(&mut before);
        let (mut all, mut servers_cpu_s, mut primaries_cpu_s) = (Vec::new(), 0.0, 0.0);
        let mut servers_waited_s = Some(0.0);
        let clusters = self.clusters.iter().zip(used.servers_s);
        for ((site, (cluster, by_system_s)), earlier) in self.sites.iter_mut().zip(clusters).zip(before.sites)
        {
            let delta = match &self.clusters[..] {
                // A server may have become a primary that was none when the stretch began.
                [_] => site.end(earlier, keep, others).await?,
                _ => site.end(earlier, keep, &sent_to(cluster, others)).await?,
            };
            // Counters are of primaries that were primaries before: not of replicas, or of who took over.
            let primaries_s = delta.counters.process_cpu_us / 1e6;
            servers_cpu_s += by_system_s.unwrap_or(primaries_s);
            primaries_cpu_s += primaries_s;
            servers_waited_s = servers_waited_s.zip(delta.waited_s).map(|(sum, more): (f64, f64)| sum + more);
            all.push(delta.counters);
        }
        if keep {
            let primaries_cpu_s = Some(primaries_cpu_s);
            self.usage += GeneratorUse { servers_cpu_s, primaries_cpu_s, servers_waited_s, ..used.generator };
            let swapped =
                before.swapped.zip(swapped_pages()).map(|(before, after)| after.saturating_sub(before));
            // The machine is one for all of them.
            if let Some(first) = self.sites.first_mut() {
                first.swapped(swapped.unwrap_or(0));
            }
        }
        Ok(all)
    }
}

/// What of all that was sent went to a cluster's primaries.
fn sent_to(cluster: &Cluster, sent: &[SentTo]) -> Vec<SentTo> {
    let topology = cluster.topology();
    let there = |to: &&SentTo| topology.primaries().iter().any(|primary| primary.addr == to.addr);
    sent.iter().filter(there).cloned().collect()
}
