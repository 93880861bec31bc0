//! Scenarios on the command line: listed, shown, checked, and refused in words that help.

use std::fs;

use predicates::prelude::*;

use crate::tool;

#[test]
fn help_names_every_command_and_the_exit_codes() {
    for words in ["report", "calibrate", "scenarios", "completions", "Exit codes", "130"] {
        tool().arg("--help").assert().success().stdout(predicate::str::contains(words));
    }
}

#[test]
fn an_unknown_command_is_a_usage_error() {
    tool().arg("rnu").assert().code(2).stderr(predicate::str::contains("unrecognized subcommand"));
}

#[test]
fn every_shipped_scenario_is_listed_with_its_summary() {
    let listed = tool().arg("scenarios").assert().success();
    let listed = String::from_utf8(listed.get_output().stdout.clone()).unwrap();
    for name in ["smoke", "lane-ab", "claim-paths", "steady", "grant-expiry", "contention"] {
        let line = listed.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        assert!(line.len() > name.len() + 20, "{line}");
    }
    tool().args(["scenarios", "list"]).assert().success().stdout(listed);
}

#[test]
fn show_prints_the_commented_file_and_what_is_shown_can_be_run_as_a_file() {
    let shown = tool().args(["scenarios", "show", "lane-ab"]).assert().success();
    let text = shown.get_output().stdout.clone();
    assert!(text.starts_with(b"# lane-ab: "));
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("copy.toml");
    fs::write(&copy, text).unwrap();
    let of_copy = tool().args(["scenarios", "check"]).arg(&copy).assert().success();
    let of_copy = String::from_utf8(of_copy.get_output().stdout.clone()).unwrap();
    tool().args(["scenarios", "check", "lane-ab"]).assert().success().stdout(of_copy);
}

#[test]
fn check_shows_defaults_and_options_and_its_output_is_a_scenario() {
    let checked = tool()
        .args(["scenarios", "check", "lane-ab", "--concurrency", "64", "--set", "population.lanes=16"])
        .args(["--claims", "30000", "--primaries", "6"])
        .assert()
        .success();
    let text = String::from_utf8(checked.get_output().stdout.clone()).unwrap();
    for line in ["concurrency = 64", "lanes = 16", "claims = 30000", "primaries = 6", "timeout = \"5s\""] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("again.toml"), &text).unwrap();
    tool().args(["scenarios", "check"]).arg(dir.path().join("again.toml")).assert().success().stdout(text);
}

#[test]
fn a_rate_makes_an_open_loop_and_a_duration_takes_the_place_of_claims() {
    let open = tool()
        .args([
            "scenarios",
            "check",
            "lane-ab",
            "--rate",
            "300",
            "--duration",
            "10s",
            "--set",
            "compare.strata=50",
        ])
        .assert()
        .success();
    let text = String::from_utf8(open.get_output().stdout.clone()).unwrap();
    assert!(text.contains("model = \"open\"") && text.contains("rate = 300.0"), "{text}");
    assert!(text.contains("duration = \"10s\"") && !text.contains("claims = 90000"), "{text}");
}

#[test]
fn a_bad_file_is_refused_line_by_line() {
    let dir = tempfile::tempdir().unwrap();
    let text = "schema = 1\nname = \"x\"\nsummary = \"y\"\n[load]\nclaims = 100\nconcurency = 4\n\
                [[variant]]\nname = \"a\"\npath = \"hget\"\n";
    fs::write(dir.path().join("bad.toml"), text).unwrap();
    tool()
        .current_dir(dir.path())
        .args(["scenarios", "check", "bad.toml"])
        .assert()
        .code(2)
        .stdout("")
        .stderr(
            "error: bad.toml:6: load.concurency: unknown key; did you mean `concurrency`?\n\
             bad.toml:9: variant[0].path: unknown value `hget`; did you mean `hget-lane`?\n",
        );
}

const REPLAYED: &str = "schema = 1\nname = \"x\"\nsummary = \"y\"\n[load]\nmodel = \"open\"\n\
                        arrivals = { trace = \"recorded/monday.txt\" }\n[[variant]]\nname = \"a\"\npath = \"grant-lane\"\n";

#[test]
fn recorded_arrivals_are_looked_for_beside_the_scenario_and_an_option_s_in_the_current_directory() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("mine/recorded")).unwrap();
    fs::write(dir.path().join("mine/replay.toml"), REPLAYED).unwrap();
    fs::write(dir.path().join("mine/recorded/monday.txt"), "10\n10.5\n").unwrap();
    fs::write(dir.path().join("here.txt"), "1\n2\n").unwrap();
    let check = |options: &[&str]| {
        let mut command = tool();
        command
            .current_dir(dir.path())
            .args(["scenarios", "check", "mine/replay.toml"])
            .args(options)
            .assert()
    };
    check(&[]).success().stdout(predicate::str::contains("trace = \"mine/recorded/monday.txt\""));
    for option in ["load.arrivals.trace=here.txt", "load.arrivals={ trace = \"here.txt\" }"] {
        check(&["--set", option]).success().stdout(predicate::str::contains("trace = \"here.txt\""));
    }
    check(&["--set", "load.arrivals.trace=recorded/monday.txt"])
        .code(2)
        .stdout("")
        .stderr(predicate::str::starts_with("error: load.arrivals.trace: cannot read recorded/monday.txt: "));
}

#[test]
fn recorded_arrivals_that_cannot_be_replayed_are_refused_with_file_and_key() {
    let dir = tempfile::tempdir().unwrap();
    let scenario = dir.path().join("replay.toml");
    fs::write(&scenario, REPLAYED).unwrap();
    let trace = dir.path().join("recorded/monday.txt");
    let refused = |said: &str| {
        for command in [&["scenarios", "check"][..], &["run"]] {
            tool()
                .current_dir(dir.path())
                .args(command)
                .arg(&scenario)
                .assert()
                .code(2)
                .stdout("")
                .stderr(format!("error: load.arrivals.trace: {said}\n"));
        }
    };
    let at = trace.display();
    let help = "give the path of a text file, relative to the scenario's file (with --set, to the current directory)";
    refused(&format!("cannot read {at}: No such file or directory (os error 2); {help}"));
    fs::create_dir_all(&trace).unwrap();
    refused(&format!("cannot read {at}: Is a directory (os error 21); {help}"));
    fs::remove_dir(&trace).unwrap();
    fs::write(&trace, "1\nsoon\n").unwrap();
    let form = "write seconds such as 12.345, or RFC 3339 such as 2026-01-31T12:00:00.5Z";
    refused(&format!("{at}:2: `soon` is not a time; {form}"));
    fs::write(&trace, "# nothing yet\n").unwrap();
    refused(&format!("{at}:1: no arrival in it; write one time per line, as seconds or RFC 3339"));
    assert!(!dir.path().join("results").exists());
}

#[test]
fn too_few_claims_per_probe_for_a_99th_percentile_are_warned_of() {
    let check =
        |claims: &str| tool().args(["scenarios", "check", "capacity", "--set", claims]).assert().success();
    check("capacity.claims=10000").stderr("");
    check("capacity.claims=2500").stderr(
        "warning: capacity.claims = 2500 leaves 25 claims of a probe beyond the 99th percentile, and 100 are wanted: use \
         10000 or more\n",
    );
}

#[test]
fn a_bad_option_is_refused_by_its_own_words() {
    for (options, stderr) in [
        (
            &["--set", "load.concurency=4"][..],
            "error: --set load.concurency=4: load.concurency: unknown key; did you mean `concurrency`?\n",
        ),
        (
            &["--set", "load.concurrency"],
            "error: --set load.concurrency: no `=` in it; write it like --set load.concurrency=64\n",
        ),
        (&["--concurrency", "0"], "error: --concurrency 0: load.concurrency: 0 is not between 1 and 65536\n"),
        (
            &["--rate", "2000", "--duration", "30s", "--set", "compare.mixing=claims"],
            "error: lane-ab (shipped):17: population.executions: 4000 are too few: an open-loop window of that \
             length needs 66000 grants in stock, so at least 66000 executions\n",
        ),
        (
            &["--nodes", "10.0.0.1:6379", "--provider", "local"],
            "error: --nodes 10.0.0.1:6379: cluster.nodes: only for provider = \"external\" or \"auto\"; this one \
             starts servers of its own\n",
        ),
        (
            &["--nodes", "localhost"],
            "error: --nodes localhost: cluster.nodes[0]: `localhost` is not host:port, such as 10.0.0.1:6379\n",
        ),
        (
            &["--provider", "external"],
            "error: --provider external: cluster.provider: external needs cluster.nodes (or --nodes), such as \
             [\"10.0.0.1:6379\"]\n",
        ),
        (
            &["--tls"],
            "error: --tls is for a running cluster: give its nodes with --nodes, or leave --tls out\n",
        ),
        (
            &["--image", "x", "--provider", "local"],
            "error: --image is for a container cluster: use --provider container, or leave --image out\n",
        ),
        (
            &["--nodes", "h:1", "--password-file", "there/is/none"],
            "error: cannot read the password file there/is/none: No such file or directory (os error 2)\n",
        ),
    ] {
        tool()
            .args(["scenarios", "check", "lane-ab"])
            .args(options)
            .assert()
            .code(2)
            .stdout("")
            .stderr(stderr.to_owned());
    }
}

#[test]
fn options_that_exclude_each_other_are_a_usage_error() {
    for options in [
        &["--nodes", "h:1", "--primaries", "3"][..],
        &["--rate", "5", "--concurrency", "5"],
        &["--duration", "5s", "--claims", "5"],
        &["--cacert", "x"],
        &["--nodes", "h:1", "--tls", "--insecure", "--cacert", "x"],
        &["--nodes", "h:1", "--tls", "--cert", "x"],
        &["--duration", "5"],
    ] {
        tool()
            .args(["scenarios", "check", "lane-ab"])
            .args(options)
            .assert()
            .code(2)
            .stdout("")
            .stderr(predicate::str::starts_with("error: "));
    }
}

#[test]
fn a_scenario_that_is_not_there_is_named_with_the_nearest_one() {
    tool().args(["scenarios", "show", "lane_ab"]).assert().code(2).stderr(
        "error: no scenario is named `lane_ab`; did you mean `lane-ab`? A file is given by its path, such as \
         ./lane_ab.toml\n",
    );
    let none = tool().args(["run", "nope"]).assert().code(2);
    none.stderr(
        predicate::str::contains("no scenario is named `nope`; shipped are ")
            .and(predicate::str::contains(". A file is given by its path, such as ./nope.toml")),
    );
    tool()
        .args(["scenarios", "show", "none.toml"])
        .assert()
        .code(2)
        .stderr("error: cannot read the scenario none.toml: No such file or directory (os error 2)\n");
}

#[test]
fn no_password_reaches_the_output() {
    tool()
        .env("RECLAIM_BENCH_PASSWORD", "open-sesame")
        .args(["scenarios", "check", "lane-ab", "--nodes", "h:1"])
        .assert()
        .success()
        .stdout(predicate::str::contains("open-sesame").not());
    tool()
        .args(["scenarios", "check", "lane-ab", "--nodes", "h:1", "--password", "x"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("unexpected argument '--password'"));
}

#[test]
fn clean_wants_to_know_where() {
    tool()
        .arg("clean")
        .assert()
        .code(2)
        .stdout("")
        .stderr("error: clean needs --nodes: clusters that the tool starts for a run leave nothing behind\n");
    // Nobody listens on port 1 of the loopback interface.
    tool()
        .args(["clean", "--nodes", "127.0.0.1:1"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("127.0.0.1:1"));
}

#[cfg(not(feature = "sdk"))]
#[test]
fn a_variant_of_the_sdk_is_refused_with_how_to_build_it() {
    tool()
        .args(["run", "worker-paths", "--no-progress"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains(
            "variant sdk-resume: claims by FlowFabric's SDK are not in this build",
        ))
        .stderr(predicate::str::contains("cargo build --release --features sdk"));
}
