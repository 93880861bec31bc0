//! `clean`: removes what an interrupted run left on a cluster that is not ours.

use std::rc::Rc;

use anyhow::bail;
use clap::Args;

use super::args::ClusterArgs;
use super::exit::Exit;
use super::output::print;
use super::signals::with_signals;
use super::terminal::Terminal;
use crate::campaign::on_cluster;
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
    let quiet = Terminal::plain(true);
    let cleaned = with_signals(
        |_| (),
        async |stop| {
            let cleaned = stop.or_left(on_cluster(&request, &quiet, stop, async |cluster| {
                let control = Control { cancel: &stop.in_order, progress: &|_, _| () };
                clean(Rc::clone(cluster), &control).await
            }));
            cleaned.await.filter(|cleaned| matches!(cleaned, Ok(Ok(_))) || !stop.is_asked())
        },
    );
    match cleaned.await? {
        Some(removed) => report(&removed??),
        None => Ok(Exit::Interrupted),
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
