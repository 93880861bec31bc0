//! A made-up server duet: two arms on clusters of their own, and the control's.

use super::fixtures::{SimulatedArm, record};
use crate::record::{ClusterRecord, RunRecord, ServerReading, StartedServer};
use crate::scenario::{ServerForm, ServerTable};

/// The first arm on Valkey 8.0.1, the second on 9.1.2 with `appendonly yes`; nothing is wrong with it.
///
/// # Panics
/// Without two arms.
pub fn server_duet(arms: &[SimulatedArm], seed: u64) -> RunRecord {
    let mut record = record(arms, seed);
    let own = |path: &str, config: &[(&str, &str)]| {
        let config = config.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Some(ServerForm::Table(ServerTable { path: Some(path.to_owned()), config, replicas: None }))
    };
    record.scenario.variants[0].server = own("/old/valkey-server", &[]);
    record.scenario.variants[1].server = own("/new/valkey-server", &[("appendonly", "yes")]);
    record.clusters = vec![
        cluster(&record, &[0], ("8.0.1", "jemalloc-5.3.0", "/old/valkey-server"), &[]),
        cluster(&record, &[1], ("9.1.2", "libc", "/new/valkey-server"), &[("appendonly", "yes")]),
        cluster(&record, &[], ("8.0.1", "jemalloc-5.3.0", "/old/valkey-server"), &[]),
    ];
    record.environment.valkey = record.clusters[0].valkey.clone();
    // One primary had all claims: now three have a part each.
    let whole = record.primaries[0].clone();
    record.primaries = (0..record.clusters.len())
        .map(|number| {
            let mut primary = whole.clone();
            primary.cluster = Some(number as u32);
            primary.addr = addr(number);
            primary
        })
        .collect();
    record
}

fn addr(number: usize) -> String {
    format!("127.0.0.1:{}", 7_000 + number)
}

fn cluster(
    record: &RunRecord,
    arms: &[u32],
    (version, allocator, path): (&str, &str, &str),
    config: &[(&str, &str)],
) -> ClusterRecord {
    let mut valkey = record.environment.valkey.clone();
    (valkey.version, valkey.allocator) = (version.to_owned(), allocator.to_owned());
    valkey.primaries = 1;
    let config: std::collections::BTreeMap<String, String> =
        config.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let reading = ServerReading {
        addr: addr(arms.first().map_or(2, |arm| *arm as usize)),
        version: version.to_owned(),
        allocator: allocator.to_owned(),
        config: config.clone(),
    };
    ClusterRecord {
        arms: arms.to_vec(),
        server: StartedServer {
            path: path.to_owned(),
            sha256: "ab".repeat(32),
            version: version.to_owned(),
            allocator: allocator.to_owned(),
            build: Some("1536df31c0395150".to_owned()),
            config,
            replicas: 0,
        },
        valkey,
        before: vec![reading.clone()],
        after: vec![reading],
        audit: record.audit.clone(),
    }
}
