//! Clusters that cannot be used, and what the error tells to do.

use reclaim_analysis::scenario::Provider;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use reclaim_analysis::record::WireCost;
use reclaim_analysis::scenario::LibrarySource;
use reclaim_bench::cluster::{self, Cluster, ClusterError, ClusterRequest, Library, NAMESPACE};
use reclaim_bench::flowfabric::LibraryAlias;
use reclaim_bench::valkey::{NodeAddr, NodeIndex, Password, ValkeyError};
use redis::Value;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use crate::common::support::{self, everywhere};

fn addr(port: u16) -> NodeAddr {
    NodeAddr { host: "127.0.0.1".to_owned(), port }
}

fn external(nodes: Vec<NodeAddr>) -> ClusterRequest {
    ClusterRequest { provider: Provider::External, nodes, ..ClusterRequest::default() }
}

fn nodes_of(cluster: &Cluster) -> Vec<NodeAddr> {
    cluster.topology().primaries().iter().map(|primary| primary.addr.clone()).collect()
}

async fn refused(request: &ClusterRequest) -> ClusterError {
    match cluster::open(request, &|_| (), &CancellationToken::new()).await {
        Ok(_) => panic!("opened a cluster that should be refused"),
        Err(error) => error,
    }
}

/// A server that answers every command with the same `INFO` text.
fn impostor(info: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 4096];
            while matches!(stream.read(&mut buffer), Ok(read) if read > 0) {
                let reply = format!("${}\r\n{info}\r\n", info.len());
                stream.write_all(reply.as_bytes()).unwrap();
            }
        }
    });
    port
}

/// A server of the test's own, killed when the test ends.
struct Standalone {
    server: Child,
    _dir: tempfile::TempDir,
}

impl Drop for Standalone {
    fn drop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

async fn standalone(port: u16) -> Standalone {
    let binary = cluster::server_binary(support::valkey_server().as_deref(), &|_| ()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(binary);
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""]);
    let server = command.current_dir(dir.path()).stdout(Stdio::null()).spawn().unwrap();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    Standalone { server, _dir: dir }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "current_thread")]
async fn a_node_that_nobody_runs_is_named() {
    let port = free_port();
    let error = refused(&external(vec![addr(port)])).await;
    assert!(matches!(error, ClusterError::Valkey(ValkeyError::Unreachable { .. })), "{error:?}");
    assert!(error.to_string().contains(&port.to_string()), "{error}");
}

#[tokio::test(flavor = "current_thread")]
async fn one_dead_seed_does_not_matter() {
    let mut request = support::shared_request();
    request.nodes.insert(0, addr(free_port()));
    assert_eq!(support::open(&request).await.topology().primaries().len(), 3);
}

#[tokio::test(flavor = "current_thread")]
async fn a_standalone_server_is_refused() {
    let port = free_port();
    let _server = standalone(port).await;
    let error = refused(&external(vec![addr(port)])).await;
    assert!(matches!(error, ClusterError::Valkey(ValkeyError::NotACluster { .. })), "{error:?}");
    assert!(error.to_string().contains("--cluster-enabled yes"), "{error}");
}

#[tokio::test(flavor = "current_thread")]
async fn redis_and_an_old_valkey_are_refused() {
    let redis = impostor("# Server\r\nredis_version:7.2.4\r\nredis_mode:cluster\r\ncluster_enabled:1\r\n");
    let error = refused(&external(vec![addr(redis)])).await;
    assert!(
        matches!(&error, ClusterError::Valkey(ValkeyError::NotValkey { software, .. }) if software == "Redis 7.2.4"),
        "{error:?}"
    );
    let old = impostor("redis_version:7.0.1\r\nvalkey_version:7.0.1\r\ncluster_enabled:1\r\n");
    let error = refused(&external(vec![addr(old)])).await;
    assert!(matches!(error, ClusterError::Valkey(ValkeyError::TooOld { .. })), "{error:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_missing_or_wrong_password_is_a_login_error_and_is_never_shown() {
    let own = support::own(1, 0).await;
    everywhere(&own, &["CONFIG", "SET", "requirepass", "right"]).await;
    everywhere(&own, &["ACL", "SETUSER", "bench", "on", ">other", "~*", "&*", "+@all"]).await;
    let request = external(nodes_of(&own));
    let login = |user: Option<&str>, password: Option<&str>| ClusterRequest {
        user: user.map(str::to_owned),
        password: password.map(Password::new),
        ..request.clone()
    };
    for wrong in [login(None, None), login(None, Some("wrong")), login(Some("bench"), Some("wrong"))] {
        let error = refused(&wrong).await;
        assert!(matches!(error, ClusterError::Valkey(ValkeyError::Login { .. })), "{error:?}");
        assert!(error.to_string().contains("RECLAIM_BENCH_PASSWORD"), "{error}");
        assert!(!format!("{error} {error:?}").contains("wrong"), "{error}");
    }
    for right in [login(None, Some("right")), login(Some("bench"), Some("other"))] {
        assert!(!support::open(&right).await.owned());
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_slot_without_an_owner_is_named() {
    let own = support::own(1, 0).await;
    everywhere(&own, &["CLUSTER", "DELSLOTS", "4711"]).await;
    let error = refused(&external(nodes_of(&own))).await;
    assert!(matches!(error, ClusterError::Valkey(ValkeyError::Uncovered { .. })), "{error:?}");
    assert!(error.to_string().contains("4711"), "{error}");
}

/// The published library with a change.
fn changed(dir: &tempfile::TempDir, change: impl Fn(&str) -> String) -> LibrarySource {
    let path = dir.path().join("library.lua");
    std::fs::write(&path, change(ff_script::LIBRARY_SOURCE)).unwrap();
    LibrarySource::File(path)
}

#[tokio::test(flavor = "current_thread")]
async fn an_unusable_library_is_refused_and_not_left_behind() {
    let own = support::own(1, 0).await;
    everywhere(&own, &["FUNCTION", "FLUSH"]).await;
    let dir = tempfile::tempdir().unwrap();
    let with = |library| ClusterRequest { library, ..external(nodes_of(&own)) };

    let absent = refused(&with(LibrarySource::File(dir.path().join("none.lua")))).await;
    assert!(
        matches!(absent, ClusterError::File { .. }) && absent.to_string().contains("none.lua"),
        "{absent}"
    );

    let broken = changed(&dir, |_| "#!lua name=flowfabric\nlocal = nonsense(".to_owned());
    let broken = refused(&with(broken)).await;
    assert!(matches!(broken, ClusterError::LibraryRefused { .. }), "{broken:?}");

    let name = "ff_claim_resumed_execution";
    let renamed = changed(&dir, |source| source.replace(&format!("'{name}'"), "'ff_renamed'"));
    let renamed = refused(&with(renamed)).await;
    assert!(
        matches!(&renamed, ClusterError::LibraryIncomplete { missing, .. } if missing == &[name]),
        "{renamed:?}"
    );
    assert_eq!(everywhere(&own, &["FUNCTION", "LIST"]).await, [Value::Array(vec![])]);
}

#[tokio::test(flavor = "current_thread")]
async fn another_library_is_replaced_only_when_told() {
    let own = support::own(2, 0).await;
    let dir = tempfile::tempdir().unwrap();
    let other = changed(&dir, |source| format!("{source}\n-- another one\n"));
    let request = ClusterRequest { library: other.clone(), ..external(nodes_of(&own)) };
    let error = refused(&request).await;
    let ClusterError::LibraryDiffers { loaded, wanted, .. } = &error else { panic!("{error:?}") };
    assert_eq!(**loaded, own.library());
    assert_ne!(loaded.sha256, wanted.sha256);
    assert!(error.to_string().contains("--replace-library"), "{error}");

    let replacing = support::open(&ClusterRequest { replace_library: true, ..request }).await;
    assert_eq!(replacing.library().sha256, wanted.sha256);
    assert_eq!(replacing.remove_library_if_added().await.unwrap(), 0);

    // On servers of our own another one can run beside it; on others never.
    let published = Library::read(&LibrarySource::Published).unwrap();
    let alias = LibraryAlias::for_arm(1).unwrap();
    let refused = replacing.load_under_alias(&published, alias, false).await;
    assert!(matches!(refused, Err(ClusterError::NotOurs(_))), "{refused:?}");
    assert_eq!(own.load_under_alias(&published, alias, false).await.unwrap(), **loaded);
    assert_eq!(replacing.library().sha256, wanted.sha256);
}

#[tokio::test(flavor = "current_thread")]
async fn a_library_that_we_added_is_removed_again() {
    let own = support::own(2, 0).await;
    everywhere(&own, &["FUNCTION", "FLUSH"]).await;
    let visitor = support::open(&external(nodes_of(&own))).await;
    assert_eq!(visitor.library(), own.library());
    assert_eq!(visitor.remove_library_if_added().await.unwrap(), 2);
    assert_eq!(everywhere(&own, &["FUNCTION", "LIST"]).await, vec![Value::Array(vec![]); 2]);
}

/// Checksums of the libraries of this name on every primary; empty where there is none.
async fn held(cluster: &Cluster) -> Vec<String> {
    let lists = everywhere(cluster, &["FUNCTION", "LIST", "LIBRARYNAME", "flowfabric", "WITHCODE"]).await;
    lists
        .into_iter()
        .map(|list| match list {
            Value::Array(libraries) if libraries.is_empty() => String::new(),
            list => format!("{:x}", Sha256::digest(format!("{list:?}"))),
        })
        .collect()
}

#[tokio::test(flavor = "current_thread")]
async fn what_was_replaced_is_put_back_and_what_somebody_loads_meanwhile_stays() {
    let own = support::own(2, 0).await;
    let before = held(&own).await;
    let dir = tempfile::tempdir().unwrap();
    let other = changed(&dir, |source| format!("{source}\n-- another one\n"));
    let request = ClusterRequest { library: other, replace_library: true, ..external(nodes_of(&own)) };
    let replacing = support::open(&request).await;
    assert_ne!(held(&own).await, before);
    assert_eq!(replacing.remove_library_if_added().await.unwrap(), 0);
    assert_eq!(held(&own).await, before);
    assert_eq!(everywhere(&own, &["DBSIZE"]).await, vec![Value::Int(0); 2], "no mark stays");

    let replacing = support::open(&request).await;
    let third = format!("{}\n-- a third one\n", ff_script::LIBRARY_SOURCE);
    everywhere(&own, &["FUNCTION", "LOAD", "REPLACE", &third]).await;
    let theirs = held(&own).await;
    replacing.remove_library_if_added().await.unwrap();
    assert_eq!(held(&own).await, theirs);
}

#[tokio::test(flavor = "current_thread")]
async fn a_run_that_is_refused_leaves_no_copy_behind() {
    let own = support::own(2, 0).await;
    everywhere(&own, &["FUNCTION", "FLUSH"]).await;
    let other = format!("{}\n-- another one\n", ff_script::LIBRARY_SOURCE);
    let mut load = redis::cmd("FUNCTION");
    load.arg("LOAD").arg(&other);
    own.admin(NodeIndex(1)).call("test", &load, &mut WireCost::default()).await.unwrap();
    let before = held(&own).await;
    let error = refused(&external(nodes_of(&own))).await;
    assert!(matches!(error, ClusterError::LibraryDiffers { .. }), "{error:?}");
    assert_eq!(held(&own).await, before);
    assert_eq!(everywhere(&own, &["DBSIZE"]).await, vec![Value::Int(0); 2]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_crashed_runs_library_is_undone_without_loading_one() {
    let own = support::own(2, 0).await;
    let dir = tempfile::tempdir().unwrap();
    let other = changed(&dir, |source| format!("{source}\n-- another one\n"));
    let tidy = ClusterRequest { load_library: false, shared: true, ..external(nodes_of(&own)) };
    for before_it in ["flowfabric", ""] {
        if before_it.is_empty() {
            everywhere(&own, &["FUNCTION", "FLUSH"]).await;
        }
        let before = held(&own).await;
        let crashed =
            ClusterRequest { library: other.clone(), replace_library: true, ..external(nodes_of(&own)) };
        drop(support::open(&crashed).await);
        assert_ne!(held(&own).await, before);
        let cleaning = support::open(&tidy).await;
        assert_eq!(cleaning.undo_marked_libraries().await.unwrap(), 2);
        assert_eq!(held(&own).await, before, "{before_it}");
        assert_eq!(cleaning.undo_marked_libraries().await.unwrap(), 0);
        assert_eq!(everywhere(&own, &["DBSIZE"]).await, vec![Value::Int(0); 2]);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_deployment_beside_very_many_other_keys_is_found() {
    let own = support::own(1, 0).await;
    let many = "for i = 1, 10000 do redis.call('SET', 'other:' .. ARGV[1] .. i, '') end";
    for part in 0..40 {
        everywhere(&own, &["EVAL", many, "0", &format!("{part}:")]).await;
    }
    let id = "{fp:9}:11111111-1111-4111-8111-111111111111";
    let core = format!("ff:exec:{{fp:9}}:{id}:core");
    everywhere(&own, &["HSET", &core, "namespace", NAMESPACE]).await;
    everywhere(&own, &["SADD", "ff:idx:{fp:9}:all_executions", id]).await;
    assert!(!support::open(&external(nodes_of(&own))).await.owned());
    everywhere(&own, &["HSET", &core, "namespace", "production"]).await;
    let error = refused(&external(nodes_of(&own))).await;
    assert!(
        matches!(&error, ClusterError::ForeignKeys { example, .. } if example.contains("all_executions")),
        "{error}"
    );
}

#[tokio::test(flavor = "current_thread")]
async fn a_deployments_data_is_refused_unless_shared() {
    let own = support::own(1, 0).await;
    let core = "ff:exec:{fp:7}:11111111-1111-4111-8111-111111111111:core";
    everywhere(&own, &["HSET", core, "namespace", NAMESPACE]).await;
    let request = external(nodes_of(&own));
    assert!(!support::open(&request).await.owned());

    everywhere(&own, &["HSET", core, "namespace", "production"]).await;
    let error = refused(&request).await;
    assert!(matches!(&error, ClusterError::ForeignKeys { example, .. } if example.contains("production")));
    assert!(error.to_string().contains("--shared"), "{error}");
    everywhere(&own, &["DEL", core]).await;

    everywhere(&own, &["HSET", "ff:config:partitions", "num_flow_partitions", "64"]).await;
    assert!(matches!(refused(&request).await, ClusterError::ForeignKeys { .. }));
    let shared = support::open(&ClusterRequest { shared: true, ..request }).await;
    assert_eq!(shared.published_partitions().await.unwrap(), Some(64));
}

#[tokio::test(flavor = "current_thread")]
async fn options_that_exclude_each_other_are_refused() {
    let password = Some(Password::new("x"));
    for request in [
        external(Vec::new()),
        ClusterRequest { provider: Provider::Local, ..external(vec![addr(1)]) },
        ClusterRequest { password, ..ClusterRequest::default() },
        ClusterRequest { primaries: 0, ..ClusterRequest::default() },
    ] {
        let error = refused(&request).await;
        assert!(matches!(error, ClusterError::Usage(_)), "{error:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_program_that_is_no_server_is_told_with_its_log() {
    let request = ClusterRequest { valkey_server: Some("false".into()), ..support::own_request(1, 0) };
    let error = refused(&request).await;
    assert!(matches!(error, ClusterError::ServerStart { .. }), "{error:?}");
    assert!(error.to_string().contains("exit status: 1"), "{error}");
}
