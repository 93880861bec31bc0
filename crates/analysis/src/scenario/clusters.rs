//! The clusters of a run: one, or in a server duet one for each arm that has a server of its own.

use super::model::Scenario;
use super::server::ArmServer;

/// One cluster of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArmCluster {
    /// Arms that claim on it. Empty for the control's cluster, which repeats the baseline.
    pub arms: Vec<usize>,
    /// Its servers; `None` in a run that has one cluster.
    pub server: Option<ArmServer>,
}

impl Scenario {
    /// Whether arms claim on clusters of their own.
    pub fn is_server_duet(&self) -> bool {
        self.variants.iter().any(|variant| variant.server.is_some())
    }

    /// The run's clusters. The first one is the baseline's; the last one is the control's, where a server
    /// duet has a control: the baseline's server once more, for two clusters of one server differ by
    /// themselves. Arms without a server of their own share a cluster.
    pub fn clusters(&self) -> Vec<ArmCluster> {
        if !self.is_server_duet() {
            return vec![ArmCluster { arms: (0..self.variants.len()).collect(), server: None }];
        }
        let baseline = self.baseline();
        let plain = || ArmServer { replicas: self.cluster.replicas, ..ArmServer::default() };
        let mut clusters: Vec<ArmCluster> = Vec::new();
        let mut shared: Option<usize> = None;
        let others = (0..self.variants.len()).filter(|&arm| arm != baseline);
        for arm in std::iter::once(baseline).chain(others) {
            let own = self.variants[arm].server.clone();
            if own.is_none()
                && let Some(at) = shared
            {
                clusters[at].arms.push(arm);
                continue;
            }
            if own.is_none() {
                shared = Some(clusters.len());
            }
            clusters.push(ArmCluster { arms: vec![arm], server: Some(own.unwrap_or_else(plain)) });
        }
        if self.compare.as_ref().is_some_and(super::Compare::is_controlled) {
            let server = clusters[0].server.clone();
            clusters.push(ArmCluster { arms: Vec::new(), server });
        }
        clusters
    }
}
