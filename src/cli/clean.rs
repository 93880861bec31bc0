//! `clean`: removes what an interrupted run left on a cluster that is not ours.

use std::rc::Rc;

use anyhow::bail;
use clap::Args;
use tokio_util::sync::CancellationToken;

use super::args::ClusterArgs;
use super::exit::Exit;
use super::interrupt::second_signal;
use super::print;
use crate::cluster;
use crate::workload::{Control, Removal, clean};

/// Options of `clean`.
#[derive(Args, Clone, Debug)]
pub struct CleanArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Runs the command. What it removes bears this tool's mark; nothing else is touched.
pub async fn run(args: &CleanArgs) -> anyhow::Result<Exit> {
    if args.cluster.nodes.is_empty() {
        bail!("clean needs --nodes: clusters that the tool starts for a run leave nothing behind");
    }
    let request = args.cluster.request_alone()?;
    let cancel = CancellationToken::new();
    let work = async {
        let cluster = Rc::new(cluster::open(&request, &|_| (), &cancel).await?);
        let removed = clean(Rc::clone(&cluster), &Control { cancel: &cancel, progress: &|_, _| () }).await?;
        cluster.remove_library_if_added().await?;
        anyhow::Ok(removed)
    };
    let removed = tokio::select! {
        removed = work => removed,
        second = second_signal(cancel.clone(), |_| ()) => {
            second?;
            return Ok(Exit::Interrupted);
        }
    };
    match removed {
        Ok(removed) => report(&removed),
        Err(_) if cancel.is_cancelled() => Ok(Exit::Interrupted),
        Err(error) => Err(error),
    }
}

fn report(removed: &Removal) -> anyhow::Result<Exit> {
    if removed.keys + removed.entries + removed.failures == 0 {
        print("nothing of reclaim-bench is on this cluster\n")?;
        return Ok(Exit::Pass);
    }
    print(&format!("removed {} keys and {} entries of shared keys\n", removed.keys, removed.entries))?;
    if removed.failures > 0 {
        bail!("{} could not be removed: {}", removed.failures, removed.examples.join("; "));
    }
    Ok(Exit::Pass)
}
