//! A cluster that announces addresses which lead nowhere from here.

use reclaim_analysis::record::WireCost;
use reclaim_analysis::scenario::Provider;
use reclaim_bench::cluster::{self, ClusterError, ClusterRequest};
use reclaim_bench::valkey::{NodeAddr, NodeIndex, ValkeyError};
use tokio_util::sync::CancellationToken;

use crate::common::support;

#[tokio::test(flavor = "current_thread")]
async fn an_address_that_cannot_be_reached_says_who_announced_it_and_a_map_leads_there() {
    let own = support::own(1, 0).await;
    let here = own.topology().primaries()[0].addr.clone();
    // Nobody's, by RFC 5737.
    let announced = NodeAddr { host: "192.0.2.1".into(), port: here.port };
    let mut set = redis::cmd("CONFIG");
    set.arg("SET").arg("cluster-announce-ip").arg(&announced.host);
    own.admin(NodeIndex(0)).call("test", &set, &mut WireCost::default()).await.unwrap();
    let request = ClusterRequest {
        provider: Provider::External,
        nodes: vec![here.clone()],
        shared: true,
        ..ClusterRequest::default()
    };
    let opened = cluster::open(&request, &|_| (), &CancellationToken::new()).await;
    let error = opened.map(drop).unwrap_err();
    assert!(matches!(error, ClusterError::Valkey(ValkeyError::Unreachable { .. })), "{error:?}");
    for part in [announced.to_string(), format!("as {here} announces it"), "--map".to_owned()] {
        assert!(error.to_string().contains(&part), "{part}: {error}");
    }

    let mapped = support::open(&ClusterRequest { map: vec![(announced.clone(), here)], ..request }).await;
    assert_eq!(mapped.topology().primaries()[0].addr, announced);
    assert_eq!(mapped.counters().await.unwrap()[0].addr, announced);
    assert!(mapped.bare_socket(NodeIndex(0)).unwrap().is_some());
}
