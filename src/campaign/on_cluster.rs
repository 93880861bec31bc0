//! A cluster for as long as the work takes, left as it was found.

use std::rc::Rc;

use super::stop::Stop;
use super::watch::Watch;
use crate::cluster::{self, Cluster, ClusterError, ClusterRequest};

/// Opens the cluster, does the work, removes the function library if it was not there before.
pub async fn on_cluster<T>(
    request: &ClusterRequest,
    watch: &dyn Watch,
    stop: &Stop,
    work: impl AsyncFnOnce(&Rc<Cluster>) -> T,
) -> Result<T, ClusterError> {
    let cluster = Rc::new(cluster::open(request, &|text| watch.note(text), &stop.in_order).await?);
    let done = work(&cluster).await;
    if let Err(error) = cluster.remove_library_if_added().await {
        watch.warn(&format!("the function library stays on the cluster: {error}"));
    }
    Ok(done)
}
