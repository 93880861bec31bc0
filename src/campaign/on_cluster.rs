//! A cluster for as long as the work takes, left as it was found.

use std::rc::Rc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::stop::Stop;
use super::watch::Watch;
use crate::cluster::{self, Cluster, ClusterError, ClusterRequest};
use crate::workload::{Oversight, remove_secrets};

/// For a few commands to each partition.
const SECRETS_LIMIT: Duration = Duration::from_secs(30);

/// Opens the cluster, does the work, removes the function library if it was not there before. Meanwhile other
/// runs on servers that are not ours see that this one is under way.
pub async fn on_cluster<T>(
    request: &ClusterRequest,
    watch: &dyn Watch,
    stop: &Stop,
    work: impl AsyncFnOnce(&Rc<Cluster>) -> T,
) -> Result<T, ClusterError> {
    let cluster = Rc::new(cluster::open(request, &|text| watch.note(text), &stop.in_order).await?);
    let done = tokio::select! {
        biased;
        done = work(&cluster) => done,
        () = cluster.stay_marked(), if !cluster.owned() => unreachable!("it goes on until it is dropped"),
    };
    if cluster.is_announced() {
        leave_secrets(&cluster, watch).await;
    }
    if let Err(error) = cluster.leave().await {
        watch.warn(&error.to_string());
    }
    Ok(done)
}

/// As [`on_cluster`], with several clusters at once, each opened before the work begins. Servers of all but
/// the first are ours.
pub async fn on_clusters<T>(
    requests: &[ClusterRequest],
    watch: &dyn Watch,
    stop: &Stop,
    work: impl AsyncFnOnce(&[Rc<Cluster>]) -> T,
) -> Result<T, ClusterError> {
    let Some((first, beside)) = requests.split_first() else {
        return Err(ClusterError::Usage("a run needs a cluster".to_owned()));
    };
    on_cluster(first, watch, stop, async |cluster| {
        let mut clusters = vec![Rc::clone(cluster)];
        for request in beside {
            let opened = cluster::open(request, &|text| watch.note(text), &stop.in_order).await?;
            clusters.push(Rc::new(opened));
        }
        let done = work(&clusters).await;
        for cluster in clusters.drain(1..) {
            if let Err(error) = cluster.leave().await {
                watch.warn(&error.to_string());
            }
        }
        Ok(done)
    })
    .await?
}

/// Removes what runs suspend with, unless another one is under way.
async fn leave_secrets(cluster: &Rc<Cluster>, watch: &dyn Watch) {
    if !cluster.may_remove_shared().await {
        let others = cluster.others().await.unwrap_or_default();
        let other = others.first().map_or_else(|| "another run".to_owned(), ToString::to_string);
        watch.note(&format!(
            "the function library and waitpoint secrets stay, for they are used by {other}; whoever ends last removes them"
        ));
        return;
    }
    let go_on = CancellationToken::new();
    let control = Oversight::quiet(&go_on);
    let failure =
        match tokio::time::timeout(SECRETS_LIMIT, remove_secrets(Rc::clone(cluster), &control)).await {
            Ok(Ok(removal)) if removal.failures == 0 => return,
            Ok(Ok(removal)) => removal.causes(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("not done within {} s", SECRETS_LIMIT.as_secs()),
        };
    watch.warn(&format!(
        "waitpoint secrets stay on the cluster: {failure}; `reclaim-bench clean` removes them"
    ));
}
