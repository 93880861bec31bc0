//! TLS to an external cluster, with a server that was built with it (Debian's is; the pinned build is not)
//! and the `openssl` command.

use reclaim_analysis::judge::RunResult;
use reclaim_analysis::scenario::Provider;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reclaim_bench::cluster::{self, Cluster, ClusterError, ClusterRequest};
use reclaim_bench::valkey::{NodeAddr, TlsOptions, ValkeyError};
use redis::{Client, ClientTlsConfig, TlsCertificates};
use tokio_util::sync::CancellationToken;

fn openssl(dir: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// An authority, and a certificate for `subject` that serves both sides.
fn make_certificates(dir: &Path, subject: &str) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(dir, &format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=bench-ca"));
    openssl(dir, &format!("req {key} -keyout key.pem -out request.pem -subj /CN=bench"));
    std::fs::write(dir.join("san"), format!("subjectAltName={subject}\n")).unwrap();
    openssl(
        dir,
        "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -days 2 -extfile san",
    );
}

/// A one-node cluster that speaks nothing but TLS and wants a client certificate.
struct TlsServer {
    server: Child,
    addr: NodeAddr,
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

impl TlsServer {
    /// `name`: what it is called by those who check its certificate.
    async fn start(binary: &str, dir: &Path, name: &str) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let bus_port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let options = format!(
            "--bind 127.0.0.1 --port 0 --tls-port {port} --cluster-port {bus_port} --tls-cluster yes \
             --cluster-enabled yes --tls-ca-cert-file ca.pem --tls-cert-file cert.pem --tls-key-file key.pem \
             --appendonly no --cluster-announce-hostname {name} --cluster-announce-ip 127.0.0.1"
        );
        let mut command = Command::new(binary);
        command.args(options.split_whitespace()).current_dir(dir).stdout(Stdio::null());
        let mut started =
            Self { server: command.spawn().unwrap(), addr: NodeAddr { host: "127.0.0.1".to_owned(), port } };
        started.become_a_cluster(dir, name).await;
        started
    }

    async fn become_a_cluster(&mut self, dir: &Path, name: &str) {
        let read = |name: &str| std::fs::read(dir.join(name)).unwrap();
        let certificates = TlsCertificates {
            client_tls: Some(ClientTlsConfig { client_cert: read("cert.pem"), client_key: read("key.pem") }),
            root_cert: Some(read("ca.pem")),
        };
        let client =
            Client::build_with_tls(format!("rediss://{name}:{}", self.addr.port), certificates).unwrap();
        let config = redis::AsyncConnectionConfig::new().set_dns_resolver(Loopback(self.addr.port));
        let mut connection = loop {
            match client.get_multiplexed_async_connection_with_config(&config).await {
                Ok(connection) => break connection,
                Err(error) => {
                    let ended = self.server.try_wait().unwrap();
                    assert_eq!(ended, None, "the server has ended: {error}");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        };
        let slots = ["ADDSLOTSRANGE", "0", "16383"];
        redis::cmd("CLUSTER").arg(&slots).exec_async(&mut connection).await.unwrap();
        let state = || async {
            let mut connection = connection.clone();
            redis::cmd("CLUSTER").arg("INFO").query_async::<String>(&mut connection).await.unwrap()
        };
        while !state().await.contains("cluster_state:ok") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Leads every name to a port of this machine.
struct Loopback(u16);

impl redis::io::AsyncDNSResolver for Loopback {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        _: &'b str,
        _: u16,
    ) -> redis::RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        let here = SocketAddr::from(([127, 0, 0, 1], self.0));
        Box::pin(async move { Ok(Box::new(std::iter::once(here)) as Box<_>) })
    }
}

async fn open(addr: &NodeAddr, tls: Option<TlsOptions>) -> Result<Cluster, ClusterError> {
    let request = ClusterRequest {
        provider: Provider::External,
        nodes: vec![addr.clone()],
        tls,
        ..ClusterRequest::default()
    };
    cluster::open(&request, &|_| (), &CancellationToken::new()).await
}

/// The server to use, or why there is none.
pub fn server() -> Result<String, String> {
    let variable = "RECLAIM_BENCH_TEST_TLS_SERVER";
    Command::new("openssl").arg("version").output().map_err(|error| format!("openssl: {error}"))?;
    std::env::var(variable)
        .map_err(|_| format!("{variable} names no server (.ci/debian-valkey.sh DIR makes one)"))
}

pub async fn tls_with_a_client_certificate_works_and_without_it_is_refused(binary: String) {
    // The client below connects before the library under test has chosen a provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    make_certificates(dir.path(), "IP:127.0.0.1");
    let server = TlsServer::start(&binary, dir.path(), "127.0.0.1").await;
    let file = |name: &str| Some(dir.path().join(name));
    let good =
        TlsOptions { cacert: file("ca.pem"), cert: file("cert.pem"), key: file("key.pem"), insecure: false };

    let cluster = open(&server.addr, Some(good.clone())).await.map_err(|error| error.to_string()).unwrap();
    assert_eq!(cluster.topology().primaries()[0].addr, server.addr);
    let untrusted = TlsOptions { insecure: true, cacert: None, ..good.clone() };
    assert!(open(&server.addr, Some(untrusted)).await.is_ok());

    let refused = |result: Result<Cluster, ClusterError>| result.map(drop).unwrap_err();
    let unknown_authority = TlsOptions { cacert: None, ..good.clone() };
    let error = refused(open(&server.addr, Some(unknown_authority)).await);
    assert!(matches!(error, ClusterError::Valkey(ValkeyError::Unreachable { .. })), "{error:?}");
    let anonymous = TlsOptions { cert: None, key: None, ..good.clone() };
    let error = refused(open(&server.addr, Some(anonymous)).await);
    assert!(matches!(error, ClusterError::Valkey(ValkeyError::Unreachable { .. })), "{error:?}");
    let error = refused(open(&server.addr, None).await);
    assert!(matches!(error, ClusterError::Valkey(ValkeyError::Unreachable { .. })), "{error:?}");
    assert!(error.to_string().contains("TLS"), "{error}");

    let half = TlsOptions { key: None, ..good };
    assert!(matches!(
        refused(open(&server.addr, Some(half)).await),
        ClusterError::Valkey(ValkeyError::Tls(_))
    ));
}

pub async fn a_certificate_is_checked_by_the_host_name_that_is_announced(binary: String) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    make_certificates(dir.path(), "DNS:node.bench.test");
    let server = TlsServer::start(&binary, dir.path(), "node.bench.test").await;
    let file = |name: &str| Some(dir.path().join(name));
    let tls =
        TlsOptions { cacert: file("ca.pem"), cert: file("cert.pem"), key: file("key.pem"), insecure: false };
    // No resolver knows the name: the map leads there, and the certificate is made out to the name all the
    // same. From then on the cluster's word counts: an address, and the name beside it.
    let named = NodeAddr { host: "node.bench.test".to_owned(), port: server.addr.port };
    let request = ClusterRequest {
        provider: Provider::External,
        nodes: vec![named.clone()],
        map: vec![(named, server.addr.clone())],
        tls: Some(tls.clone()),
        ..ClusterRequest::default()
    };
    let cluster = cluster::open(&request, &|_| (), &CancellationToken::new()).await;
    let cluster = cluster.map_err(|error| error.to_string()).unwrap();
    assert_eq!(cluster.topology().primaries()[0].addr, server.addr);
    // By its address alone the certificate is another's.
    let error = open(&server.addr, Some(tls)).await.map(drop).unwrap_err();
    assert!(error.to_string().contains("node.bench.test"), "{error}");
}

/// The first one hands on by which certificates the others reach the servers.
pub async fn several_generators_meet_over_tls(binary: String) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    make_certificates(dir.path(), "IP:127.0.0.1");
    let server = TlsServer::start(&binary, dir.path(), "127.0.0.1").await;
    let mut run = Command::new(env!("CARGO_BIN_EXE_reclaim-bench"));
    run.args(["run", "smoke", "--generators", "2", "--concurrency", "4", "--no-progress", "--anyway"]);
    run.args(["--set", "population.executions=300", "--set", "load.claims=800", "--format", "json"]);
    run.args(["--tls", "--cacert", "ca.pem", "--cert", "cert.pem", "--key", "key.pem", "-o", "results"]);
    let done = run.arg("--nodes").arg(server.addr.to_string()).current_dir(dir.path()).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    let result: RunResult = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{said}"));
    let record = &result.record;
    assert_eq!((record.generators.len(), record.environment.valkey.tls), (2, Some(true)), "{said}");
    assert!(record.generators.iter().all(|generator| generator.claims > 0), "{said}");
    assert_eq!((record.audit.lost, record.audit.double_claims), (0, 0), "{said}");
}

pub async fn files_that_do_not_belong_together_are_named() {
    let dir = tempfile::tempdir().unwrap();
    make_certificates(dir.path(), "IP:127.0.0.1");
    openssl(dir.path(), "x509 -in ca.pem -outform DER -out ca.der");
    openssl(dir.path(), "pkcs8 -topk8 -in key.pem -passout pass:secret -out encrypted.pem");
    let file = |name: &str| Some(dir.path().join(name));
    let good =
        TlsOptions { cacert: file("ca.pem"), cert: file("cert.pem"), key: file("key.pem"), insecure: false };
    for (options, name, said) in [
        (TlsOptions { cacert: file("ca.der"), ..good.clone() }, "ca.der", "DER"),
        (TlsOptions { cacert: file("ca.key"), ..good.clone() }, "ca.key", "no certificate"),
        (TlsOptions { key: file("ca.key"), ..good.clone() }, "ca.key", "does not belong"),
        (TlsOptions { key: file("encrypted.pem"), ..good.clone() }, "encrypted.pem", "encrypted"),
        (TlsOptions { cert: file("key.pem"), key: file("cert.pem"), ..good.clone() }, "key.pem", "swapped"),
    ] {
        // Nobody listens there: the files are looked at before.
        let addr = NodeAddr { host: "127.0.0.1".to_owned(), port: 1 };
        let error = open(&addr, Some(options)).await.map(drop).unwrap_err();
        assert!(matches!(error, ClusterError::Valkey(ValkeyError::Certificate { .. })), "{error:?}");
        assert!(error.to_string().contains(name) && error.to_string().contains(said), "{error}");
    }
}
