//! `clean`: removes what an interrupted run left on a cluster that is not ours.

use std::rc::Rc;

use anyhow::bail;
use clap::Args;

use super::cluster_args::ClusterArgs;
use super::exit::Exit;
use super::output::print;
use super::signals::with_signals;
use super::terminal::Terminal;
use crate::campaign::on_cluster;
use crate::cluster::{Announcement, ClusterRequest, Company, Unreachable};
use crate::workload::{Oversight, Removal, clean};
use reclaim_analysis::report::left_over;

/// What is recognised as this tool's.
const LOOKED_FOR: &str = "executions of the namespace reclaim-bench, keys and index entries with its ids, its lanes and \
                          worker, waitpoint secrets named reclaim-bench, and marks of loaded function libraries";

/// Options of `clean`.
#[derive(Args, Clone, Debug)]
pub struct CleanArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Clean also beside a run that counts as alive; if it is, it will fail
    #[arg(long)]
    anyway: bool,
}

/// Runs the command. What it removes bears this tool's mark; nothing else is touched.
pub async fn run(args: &CleanArgs) -> anyhow::Result<Exit> {
    let request = args.cluster.request_alone()?;
    if request.nodes.is_empty() {
        bail!("clean needs --nodes: clusters that the tool starts for a run leave nothing behind");
    }
    // What a crash left is removed whatever else is on the cluster, and without the library that the run had.
    let otherwise = "give --anyway to take from it what it works with";
    let company = if args.anyway { Company::Accepted } else { Company::Refused { otherwise } };
    let announcement = Some(Announcement { what: "a clean-up".to_owned(), company });
    let request = ClusterRequest {
        load_library: false,
        shared: true,
        unreachable: Unreachable::LeftOut,
        announcement,
        ..request
    };
    let quiet = Terminal::plain(true);
    let cleaned = with_signals(&quiet, &request.nodes, async |stop| {
        let cleaned = stop.or_left(on_cluster(&request, &quiet, stop, async |cluster| {
            let control = Oversight::quiet(&stop.in_order);
            let removed = clean(Rc::clone(cluster), &control).await?;
            let libraries = cluster.undo_marked_libraries().await;
            if args.anyway {
                cluster.forget_others().await?;
            }
            anyhow::Ok((removed, libraries))
        }));
        cleaned.await.filter(|cleaned| matches!(cleaned, Ok(Ok(_))) || !stop.is_asked())
    });
    match cleaned.await? {
        Some(cleaned) => {
            let (removed, libraries) = cleaned??;
            // What was removed is said first, whatever stays.
            match libraries {
                Ok(undone) => report(&removed, undone),
                Err(left) => match report(&removed, 0) {
                    Ok(_) => Err(left.into()),
                    Err(failed) => bail!("{failed}; {left}"),
                },
            }
        }
        None => Ok(Exit::Interrupted),
    }
}

fn report(removed: &Removal, libraries: usize) -> anyhow::Result<Exit> {
    if removed.keys + removed.entries + removed.failures == 0 && libraries == 0 {
        print(&format!("nothing of reclaim-bench is on this cluster; looked for {LOOKED_FOR}\n"))?;
        return Ok(Exit::Pass);
    }
    let libraries = match libraries {
        0 => String::new(),
        1 => ", and undid the loading of a function library on 1 primary".to_owned(),
        more => format!(", and undid the loading of a function library on {more} primaries"),
    };
    print(&format!(
        "removed {} keys and {} entries of shared keys{libraries}; looked for {LOOKED_FOR}\n",
        removed.keys, removed.entries
    ))?;
    if removed.failures > 0 {
        bail!("{}: {}", left_over(removed.failures), removed.causes());
    }
    Ok(Exit::Pass)
}
