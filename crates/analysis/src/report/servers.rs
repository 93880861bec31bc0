//! Words for the clusters of a server duet: which server each arm claimed on.

use super::document::Block;
use super::format::{primaries, several};
use crate::record::{ClusterRecord, RunRecord, short_sha256};

/// As much of a build id as reports show.
const BUILD_SHOWN: usize = 12;

/// The server of a cluster in a few words: its version, its allocator, and what it was set to.
fn short(cluster: &ClusterRecord) -> String {
    let valkey = &cluster.valkey;
    let mut parts = vec![format!("Valkey {} ({})", valkey.version, valkey.allocator)];
    parts.extend(cluster.server.config.iter().map(|(name, value)| {
        if value.is_empty() { format!("{name} \"\"") } else { format!("{name} {value}") }
    }));
    if cluster.server.replicas > 0 {
        parts.push(several(
            cluster.server.replicas.into(),
            "replica of each primary",
            "replicas of each primary",
        ));
    }
    parts.join(", ")
}

/// The server that an arm claimed on, in a few words; `None` where all arms shared a cluster.
pub(super) fn of_arm(record: &RunRecord, arm: &str) -> Option<String> {
    record.cluster_of_named(arm).map(short)
}

/// The version of it alone.
pub(super) fn version_of_arm(record: &RunRecord, arm: &str) -> Option<String> {
    record.cluster_of_named(arm).map(|cluster| cluster.valkey.version.clone())
}

/// An arm's name, with its server in a server duet.
pub(super) fn arm_with_server(record: &RunRecord, arm: &str) -> String {
    of_arm(record, arm).map_or_else(|| arm.to_owned(), |server| format!("{arm} [{server}]"))
}

/// Which arm claimed on which server; `None` where all arms shared a cluster.
pub(super) fn sides(record: &RunRecord) -> Option<String> {
    let of = record.clusters.iter().filter(|cluster| !cluster.is_control());
    let sides: Vec<String> =
        of.map(|cluster| format!("{} on {}", record.cluster_name(cluster), short(cluster))).collect();
    record.is_server_duet().then(|| sides.join("; "))
}

/// What a reader must know before the figures.
pub(super) fn head(record: &RunRecord) -> Option<Block> {
    sides(record).map(|sides| {
        Block::Line(format!(
            "Servers: {sides}; each on a cluster of its own, and the clusters share this machine."
        ))
    })
}

/// The clusters one by one, and how figures of clusters that share a machine are to be read.
pub(super) fn lines(record: &RunRecord) -> Vec<String> {
    let mut lines: Vec<String> = record.clusters.iter().map(|cluster| line(record, cluster)).collect();
    if record.is_server_duet() {
        let count = record.clusters.len();
        lines.push(format!(
            "the {count} clusters ran at once and share this machine: while one is claimed on, the others are idle beside \
             it, and have its cores and caches when their turn comes. What is judged is the difference between them; a \
             figure by itself is not what one cluster would do alone"
        ));
    }
    lines
}

fn line(record: &RunRecord, cluster: &ClusterRecord) -> String {
    let (valkey, server) = (&cluster.valkey, &cluster.server);
    let build = server.build.as_deref().map(|build| {
        let shown = build.get(..BUILD_SHOWN).unwrap_or(build);
        format!(", build {shown}")
    });
    format!(
        "cluster of {}: {}, {} io-thread{}, {}, {}; {}, sha256 {}{}",
        record.cluster_name(cluster),
        short(cluster),
        valkey.io_threads,
        if valkey.io_threads == 1 { "" } else { "s" },
        primaries(valkey.primaries),
        several(valkey.replicas.into(), "replica", "replicas"),
        server.path,
        short_sha256(&server.sha256),
        build.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::fixtures::{GRANT_LANE, TWIN};
    use crate::judge::server_fixture::server_duet;
    use crate::judge::{RunResult, analyse};
    use crate::report;

    fn result() -> RunResult {
        analyse(server_duet(&[GRANT_LANE, TWIN], 1)).unwrap()
    }

    #[test]
    fn every_form_of_the_report_names_the_server_of_each_arm() {
        let result = result();
        assert!(result.valid, "{:?}", result.invalid_reasons);
        let [base, candidate] =
            ["Valkey 8.0.1 (jemalloc-5.3.0)", "Valkey 9.1.2 (libc), appendonly yes"].map(str::to_owned);
        assert_eq!(of_arm(&result.record, &result.record.arms[0].name), Some(base.clone()));
        let forms = [
            report::text(&result, None),
            report::markdown(&result),
            report::page::runs(&[&result]),
            report::ci::pull_request(&result),
            report::ci::junit(&result),
        ];
        for form in &forms {
            for server in [&base, &candidate] {
                assert!(form.contains(server.as_str()), "{server} is missing in: {form}");
            }
        }
        for form in &forms[..3] {
            assert!(form.contains("share this machine"), "{form}");
        }
    }

    #[test]
    fn where_servers_come_from_and_how_to_read_the_figures() {
        insta::assert_snapshot!(lines(&result().record).join("\n"));
    }
}
