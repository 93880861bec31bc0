//! Servers whose clocks are hours apart: a grant runs out by the clock of the server that holds it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use reclaim_analysis::record::WireCost;
use reclaim_bench::cluster::{self, ClusterRequest};
use redis::Value;

use crate::common::one_run::{assert_clean, run, scenario_text};
use crate::common::support;

/// Moves a process's idea of the time by the seconds in its environment.
const SHIFTED: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long shift(void) { const char *s = getenv("SHIFT_S"); return s ? atol(s) : 0; }
int gettimeofday(struct timeval *restrict tv, void *restrict tz) {
    static int (*real)(struct timeval *, void *);
    if (!real) real = dlsym(RTLD_NEXT, "gettimeofday");
    int done = real(tv, tz);
    if (tv) tv->tv_sec += shift();
    return done;
}
int clock_gettime(clockid_t id, struct timespec *ts) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(id, ts);
    if (id == CLOCK_REALTIME) ts->tv_sec += shift();
    return done;
}
time_t time(time_t *t) {
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    if (t) *t = ts.tv_sec;
    return ts.tv_sec;
}
"#;

/// A server whose clock is an hour ahead or an hour behind, by turns. Rust links with the same compiler.
async fn shifted_server(dir: &Path) -> PathBuf {
    std::fs::write(dir.join("shifted.c"), SHIFTED).unwrap();
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-o", "shifted.so", "shifted.c", "-ldl"]).current_dir(dir);
    assert!(compile.status().unwrap().success());
    let server = cluster::server_binary(support::valkey_server().as_deref(), &|_| ()).await.unwrap();
    let script = dir.join("valkey-server");
    // Each start makes one more directory: the count tells whose turn it is.
    let text = format!(
        "#!/bin/sh\nn=0\nwhile ! mkdir {0}/turn-$n 2>/dev/null; do n=$((n+1)); done\n\
         if [ $((n%2)) = 0 ]; then SHIFT_S=3600; else SHIFT_S=-3600; fi\nexport SHIFT_S\n\
         LD_PRELOAD={0}/shifted.so exec {1} \"$@\"\n",
        dir.display(),
        server.display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    script
}

#[tokio::test(flavor = "current_thread")]
async fn a_grant_runs_out_by_the_clock_of_its_own_server() {
    let dir = tempfile::tempdir().unwrap();
    let request = ClusterRequest {
        valkey_server: Some(shifted_server(dir.path()).await),
        ..support::own_request(2, 0)
    };
    let cluster = Rc::new(support::open(&request).await);
    let mut seconds = Vec::new();
    for node in cluster.topology().nodes() {
        let time =
            cluster.admin(node).call("time", &redis::cmd("TIME"), &mut WireCost::default()).await.unwrap();
        let Value::Array(parts) = time else { panic!("{time:?}") };
        let Value::BulkString(text) = &parts[0] else { panic!() };
        seconds.push(std::str::from_utf8(text).unwrap().parse::<i64>().unwrap());
    }
    assert!((seconds[0] - seconds[1]).abs() > 7_000, "the clocks are not apart: {seconds:?}");

    let sections = "[population]\nexecutions = 200\nlanes = 2\npartitions = 16\n[grant]\nttl = \"1s\"\nunconsumed = 0.3\n\
                    [load]\nconcurrency = 1\nclaims = 300";
    let result = run(&cluster, &scenario_text(sections, &["grant-lane"]), 5).await;
    assert_clean(&result);
    let outcomes = &result.variants[0].outcomes;
    assert!(outcomes.expired > 50 && outcomes.refused.is_empty(), "{outcomes:?}");
}
