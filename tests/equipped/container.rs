//! The container provider, with Docker and an image.

use reclaim_analysis::scenario::Provider;
use std::process::Command;

use std::time::{Duration, Instant};

use reclaim_bench::cluster::{self, ClusterError, ClusterRequest};
use reclaim_bench::valkey::NodeIndex;
use tokio_util::sync::CancellationToken;

use crate::owner::{GONE_WITHIN, IMAGE, own_until_stdin_ends, owner, wait_until_gone};
use crate::support;

/// The image to use, or why there is none.
pub fn image() -> Result<String, String> {
    let docker = Command::new("docker").arg("version").output();
    if !docker.is_ok_and(|output| output.status.success()) {
        return Err("Docker does not answer".to_owned());
    }
    std::env::var(IMAGE).map_err(|_| format!("{IMAGE} names no image (.ci/build-image.sh makes one)"))
}

pub fn request(image: &str) -> ClusterRequest {
    ClusterRequest {
        provider: Provider::Container,
        primaries: 3,
        image: Some(image.to_owned()),
        ..ClusterRequest::default()
    }
}

/// The label of what this tool makes on this machine.
pub fn of_this_machine() -> String {
    format!("reclaim-bench.machine={}", rustix::system::uname().nodename().to_string_lossy())
}

/// Containers of the image that this tool made, running or not: others may run the image beside the tests, as
/// CI does.
pub fn containers(image: &str) -> String {
    let (of_image, ours) = (format!("ancestor={image}"), format!("label={}", of_this_machine()));
    let list = Command::new("docker")
        .args(["ps", "--all", "--quiet", "--filter", &of_image, "--filter", &ours])
        .output()
        .unwrap();
    assert!(list.status.success(), "{}", String::from_utf8_lossy(&list.stderr));
    String::from_utf8(list.stdout).unwrap()
}

pub async fn a_container_cluster_works_and_leaves_nothing(image: String) {
    let before = containers(&image);
    let cluster = support::open(&request(&image)).await;
    assert!(cluster.owned());
    assert_eq!(cluster.info(256).provider, Provider::Container);
    assert_eq!(cluster.info(256).primaries, 3);
    assert_eq!(cluster.counters().await.unwrap().len(), 3);
    assert_ne!(containers(&image), before, "the cluster does not run in a container");
    cluster.shutdown();
    assert_eq!(containers(&image), before);

    // Given up half way: cancelled while the container starts.
    let cancel = CancellationToken::new();
    let give_up = cancel.clone();
    let started = |line: &str| {
        if line.contains("container") {
            give_up.cancel();
        }
    };
    let result = cluster::open(&request(&image), &started, &cancel).await.map(drop);
    assert!(matches!(result, Err(ClusterError::Cancelled)), "{result:?}");
    assert_eq!(containers(&image), before);
}

/// One server is stopped and goes on, another is killed and its replica takes over; the rest do not notice.
pub async fn servers_in_a_container_are_stopped_and_killed(image: String) {
    let cluster = support::open(&ClusterRequest { replicas: 1, ..request(&image) }).await;
    let topology = cluster.topology();
    let answers = async |node| {
        let wire = cluster.further_wire(node, 1).await.unwrap();
        tokio::time::timeout(Duration::from_millis(500), wire.alive()).await.unwrap_or(false)
    };
    let [first, second, third] = topology.nodes().collect::<Vec<_>>()[..] else { panic!("three primaries") };
    let addr = |node: NodeIndex| topology.primaries()[usize::from(node.0)].addr.clone();
    let stopped = cluster.stop_process(&addr(first)).await.unwrap();
    // A connection is taken by the system, and nobody answers.
    assert!(tokio::time::timeout(Duration::from_secs(1), cluster.further_wire(first, 1)).await.is_err());
    assert!(answers(second).await);
    stopped.go_on().await;
    assert!(answers(first).await);
    cluster.kill_server(&addr(third)).await.unwrap();
    let begun = Instant::now();
    // Who is killed still has connections for a moment, on a busy machine.
    while cluster.further_wire(third, 1).await.is_ok() {
        assert!(begun.elapsed() < Duration::from_mins(1), "it goes on taking connections");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let witness = cluster.witness_of(&addr(third)).await.unwrap();
    let slot = (0..16_384).find(|slot| topology.owner_of_slot(*slot) == third).unwrap();
    while cluster.view_of(&witness, &addr(third), slot).await.unwrap().heir.is_none() {
        assert!(begun.elapsed() < Duration::from_mins(1), "no replica took over");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Whoever comes next counts the containers.
    cluster.shutdown();
}

pub async fn an_image_that_cannot_be_had_is_named_with_the_remedy() {
    let request = request("127.0.0.1:1/no-such-image:none");
    let error = cluster::open(&request, &|_| (), &CancellationToken::new()).await.map(drop).unwrap_err();
    assert!(matches!(error, ClusterError::Container(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("no-such-image") && text.contains("--image"), "{text}");
}

/// Also what the owner runs that it starts.
pub fn no_container_outlives_a_killed_owner(image: &str) {
    if own_until_stdin_ends() {
        return;
    }
    let before = containers(image);
    let (mut owner, addrs, _output) = owner("no_container_outlives_a_killed_owner", Provider::Container);
    assert_ne!(containers(image), before);
    owner.kill().unwrap();
    // Docker takes its time to notice that the container has ended, and longer to remove it.
    wait_until_gone(&addrs, 5 * GONE_WITHIN);
    owner.wait().unwrap();
    let begun = Instant::now();
    while containers(image) != before {
        assert!(begun.elapsed() < 10 * GONE_WITHIN, "left: {}", containers(image));
        std::thread::sleep(Duration::from_millis(100));
    }
}

pub async fn a_container_that_its_owner_never_started_is_swept(image: String) {
    let before = containers(&image);
    // As an owner that was killed between the two leaves it.
    let machine = of_this_machine();
    let gone = "reclaim-bench.directory=/nonexistent/of-an-owner";
    let made = Command::new("docker")
        .args(["create", "--label", &machine, "--label", gone, "--entrypoint", "sh", &image])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert_ne!(containers(&image), before);
    support::open(&request(&image)).await.shutdown();
    assert_eq!(containers(&image), before);
}
