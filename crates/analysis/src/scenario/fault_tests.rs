//! `[[fault]]`: what is accepted, and each refusal with its line and key.

use std::time::Duration;

use super::{CutFrom, Draft, FaultKind, FaultSpec, FaultTarget, Override, SlotMoveForm, parse};

const BASE: &str = "schema = 1
name = \"x\"
summary = \"y\"
[cluster]
replicas = 1
[population]
executions = 12000
[load]
model = \"open\"
rate = 500
duration = \"20s\"
[[variant]]
name = \"grant-lane\"
path = \"grant-lane\"
";

fn with(faults: &str) -> String {
    format!("{BASE}{faults}")
}

fn refused(text: &str) -> String {
    parse("t.toml", text).unwrap_err().to_string()
}

/// The refusal of a fault that is right by itself, after changes of other keys.
fn beside(fault: &str, changes: &[&str]) -> String {
    let change = |text: &&str| {
        let (key, value) = text.split_once('=').unwrap();
        let value = (value != "-").then(|| value.to_owned());
        Override { shown: format!("--set {text}"), key: key.to_owned(), value }
    };
    let changes: Vec<_> = changes.iter().map(change).collect();
    Draft::new("t.toml", &with(fault)).with(&changes).check().unwrap_err().to_string()
}

#[test]
fn faults_come_in_the_order_of_time_whatever_their_order_in_the_file() {
    let text = with(
        "[[fault]]\nat = \"12s\"\nkill = \"busiest primary\"\n[[fault]]\nat = \"5s\"\nfor = \"1s\"\n\
         pause = \"replica of any primary\"\n",
    );
    let scenario = parse("t.toml", &text).unwrap();
    let pause = FaultSpec {
        at: Duration::from_secs(5),
        kind: FaultKind::Pause,
        target: FaultTarget::ReplicaOfAny,
        lasting: Duration::from_secs(1),
        slots: 0,
        how: SlotMoveForm::Auto,
        cut_from: CutFrom::Everybody,
    };
    let kill = FaultSpec {
        at: Duration::from_secs(12),
        kind: FaultKind::Kill,
        target: FaultTarget::BusiestPrimary,
        lasting: Duration::ZERO,
        ..pause
    };
    assert_eq!(scenario.faults, [pause, kill]);
    let written = toml::to_string(scenario.file()).unwrap();
    assert_eq!(parse("again", &written).unwrap(), scenario);
    assert!(parse("t.toml", BASE).unwrap().faults.is_empty());
}

/// Each fault after five seconds with what it is refused with.
fn are_refused(faults: &[(&str, &str)]) {
    for (rest, said) in faults {
        assert_eq!(refused(&with(&format!("[[fault]]\nat = \"5s\"\n{rest}"))), *said);
    }
}

#[test]
fn a_fault_is_of_one_kind_at_one_time() {
    are_refused(&[
        (
            "",
            "t.toml:15: fault[0]: no kind given: write exactly one of pause, kill, failover, disconnect, busy, restart, \
             partition, move_slots, such as kill = \"busiest primary\"",
        ),
        (
            "kill = \"any primary\"\nfailover = \"any primary\"\n",
            "t.toml:15: fault[0]: several kinds given: write exactly one of pause, kill, failover, disconnect, busy, \
             restart, partition, move_slots, such as kill = \"busiest primary\"",
        ),
        (
            "kill = \"busiest\"\n",
            "t.toml:17: fault[0].kill: unknown value `busiest`; did you mean `busiest primary`?",
        ),
        ("kil = \"any primary\"\n", "t.toml:17: fault[0].kil: unknown key; did you mean `kill`?"),
    ]);
    assert_eq!(refused(&with("[[fault]]\nkill = \"any primary\"\n")), "t.toml:15: fault[0].at: missing");
}

#[test]
fn a_fault_has_the_length_and_the_target_that_its_kind_can_have() {
    are_refused(&[
        ("pause = \"any primary\"\n", "t.toml:15: fault[0].for: missing; a pause needs its length"),
        (
            "pause = \"any primary\"\nfor = \"5ms\"\n",
            "t.toml:18: fault[0].for: 5ms is not between 10ms and 1m",
        ),
        (
            "kill = \"any primary\"\nfor = \"5s\"\n",
            "t.toml:18: fault[0].for: a kill has no length: leave it out",
        ),
        (
            "kill = \"replica of any primary\"\n",
            "t.toml:17: fault[0].kill: a kill of a replica touches no claim: name a primary (a pause or a \
             partition can strike a replica)",
        ),
        ("partition = \"any primary\"\n", "t.toml:15: fault[0].for: missing; a partition needs its length"),
    ]);
}

#[test]
fn keys_of_one_kind_of_fault_are_refused_with_another_and_must_be_in_range() {
    are_refused(&[
        (
            "kill = \"any primary\"\nslots = 2\n",
            "t.toml:18: fault[0].slots: a kill moves no slots: leave it out, or use move_slots",
        ),
        (
            "busy = \"any primary\"\nfor = \"1s\"\nhow = \"atomic\"\n",
            "t.toml:19: fault[0].how: a busy moves no slots: leave it out, or use move_slots",
        ),
        (
            "move_slots = \"any primary\"\nslots = 0\n",
            "t.toml:18: fault[0].slots: 0 is not between 1 and 1024",
        ),
        (
            "move_slots = \"any primary\"\nhow = \"one\"\n",
            "t.toml:18: fault[0].how: unknown value `one`; did you mean `one-by-one`?",
        ),
        (
            "pause = \"any primary\"\nfor = \"1s\"\ncut_from = \"servers\"\n",
            "t.toml:19: fault[0].cut_from: a pause cuts nobody off: leave it out, or use partition",
        ),
        (
            "partition = \"any primary\"\nfor = \"1s\"\ncut_from = \"clients\"\n",
            "t.toml:19: fault[0].cut_from: unknown value `clients`; known: everybody, servers",
        ),
    ]);
}

#[test]
fn what_a_move_of_slots_does_not_say_is_filled_in() {
    let of = |more: &str| {
        let scenario =
            parse("t.toml", &with(&format!("[[fault]]\nat = \"5s\"\nmove_slots = \"any primary\"\n{more}")));
        let scenario = scenario.unwrap();
        let written = toml::to_string(scenario.file()).unwrap();
        assert_eq!(parse("again", &written).unwrap(), scenario);
        (scenario.faults[0].slots, scenario.faults[0].how, scenario.file().faults[0].slots)
    };
    assert_eq!(of(""), (8, SlotMoveForm::Auto, Some(8)));
    assert_eq!(of("slots = 3\nhow = \"one-by-one\"\n"), (3, SlotMoveForm::OneByOne, Some(3)));
}

#[test]
fn a_fault_strikes_within_the_window_and_after_the_one_before_it() {
    let pause = |at: &str, lasting: &str| {
        format!("[[fault]]\nat = \"{at}\"\nfor = \"{lasting}\"\npause = \"any primary\"\n")
    };
    assert_eq!(
        refused(&with(&pause("19s", "1s"))),
        "t.toml:16: fault[0].at: the window is over after 20s: strike, and end, before that"
    );
    assert_eq!(
        beside(&pause("6s", "1s"), &["load.duration=-", "load.claims=3000"]),
        "t.toml:16: fault[0].at: the window is over after 6s: strike, and end, before that"
    );
    assert_eq!(
        refused(&with(&(pause("7s", "1s") + &pause("5s", "3s")))),
        "t.toml:16: fault[0].at: fault[1] is not over by then: what each of them did could not be told apart"
    );
    let kills =
        "[[fault]]\nat = \"5s\"\nkill = \"any primary\"\n[[fault]]\nat = \"9s\"\nkill = \"any primary\"\n";
    assert_eq!(
        refused(&with(kills)),
        "t.toml:15: fault: 2 kills in one run: the second could leave no replica to take over; keep one"
    );
}

const KILL: &str = "[[fault]]\nat = \"5s\"\nkill = \"busiest primary\"\n";
const PARTITION: &str = "[[fault]]\nat = \"5s\"\nfor = \"2s\"\npartition = \"busiest primary\"\n";
const CUT: &str = "[[fault]]\nat = \"5s\"\ndisconnect = \"busiest primary\"\n";

fn says(said: &str, wanted: &str) {
    assert!(said.contains(wanted), "{said}");
}

#[test]
fn a_fault_needs_an_open_loop_of_one_variant() {
    says(
        &beside(CUT, &["load.model=closed", "load.rate=-", "load.duration=-", "load.claims=100"]),
        "load.model: with a [[fault]] use model = \"open\"",
    );
    says(
        &beside(
            CUT,
            &[
                "variant=[{name=\"a\",path=\"grant-lane\"},{name=\"b\",path=\"hget-lane\"}]",
                "compare.strata=5",
            ],
        ),
        "variant: with a [[fault]] keep one",
    );
    says(&beside(CUT, &["load.contenders=2"]), "load.contenders: with a [[fault]] use 1");
    says(&beside(CUT, &["grant.unconsumed=0.5", "grant.ttl=5s"]), "grant.unconsumed: with a [[fault]] use 0");
    let searched = Draft { for_capacity: true, ..Draft::new("t.toml", &with(CUT)) };
    says(
        &searched.check().unwrap_err().to_string(),
        "fault: a rate that a failing cluster carries is no capacity",
    );
}

/// A storm's clock runs from its first signal, whatever its workers wait for.
#[test]
fn a_storm_may_have_a_fault_that_it_can_come_through() {
    let storm = ["load.mode=storm", "load.model=closed", "load.rate=-", "load.duration=-"];
    let changes = storm.map(|change| {
        let (key, value) = change.split_once('=').unwrap();
        let value = (value != "-").then(|| value.to_owned());
        Override { shown: String::new(), key: key.to_owned(), value }
    });
    let text = with(KILL);
    assert!(Draft::new("t.toml", &text).with(&changes).check().is_ok());
    let in_storm = |fault: &str, more: &str| beside(fault, &[&storm[..], &[more]].concat());
    says(&in_storm(KILL, "slo.recovery=5s"), "slo.recovery: a storm has nothing steady to come back to");
    says(
        &in_storm("[[fault]]\nat = \"5s\"\nrestart = \"any primary\"\n", "load.concurrency=8"),
        "fault[0].restart: what a server that comes back empty had never resumes",
    );
}

#[test]
fn a_fault_needs_a_cluster_that_can_have_it() {
    says(&beside(KILL, &["cluster.replicas=0"]), "cluster.replicas: fault[0].kill needs a replica");
    says(
        &beside(
            "[[fault]]\nat = \"5s\"\nmove_slots = \"any primary\"\n",
            &["cluster.primaries=1", "cluster.replicas=0"],
        ),
        "cluster.primaries: fault[0].move_slots needs a primary that slots can move to: use 2 or more",
    );
    says(&beside(KILL, &["cluster.primaries=2"]), "cluster.primaries: after fault[0].kill more than half");
    says(
        &beside(KILL, &["cluster.nodes=[\"10.0.0.1:6379\"]"]),
        "cluster.nodes: fault[0].kill is done to the process of a server, which must be one of the tool's own",
    );
    says(
        &beside(
            "[[fault]]\nat = \"5s\"\nrestart = \"any primary\"\n",
            &["cluster.nodes=[\"10.0.0.1:6379\"]"],
        ),
        "cluster.nodes: fault[0].restart is done to the process of a server",
    );
    let text = with("[[fault]]\nat = \"5s\"\nfor = \"2s\"\nrestart = \"any primary\"\n");
    assert_eq!(parse("t.toml", &text).unwrap().faults[0].lasting, Duration::from_secs(2));
    // What is done by a command can be done anywhere, and of a cluster elsewhere nobody knows the replicas
    // yet.
    let nodes =
        Override { shown: String::new(), key: "cluster.nodes".into(), value: Some("[\"h:1\"]".into()) };
    for kind in ["failover", "disconnect", "move_slots"] {
        let text = with(&format!("[[fault]]\nat = \"5s\"\n{kind} = \"any primary\"\n"));
        assert!(Draft::new("t.toml", &text).with(std::slice::from_ref(&nodes)).check().is_ok());
    }
}

#[test]
fn a_server_is_cut_off_only_in_a_container() {
    for provider in ["auto", "local"] {
        says(
            &beside(PARTITION, &[&format!("cluster.provider={provider}")]),
            "cluster.provider: fault[0].partition takes a server off its network, and only one in a container has a \
             network of its own: use provider = \"container\"",
        );
    }
    for provider in ["auto", "external"] {
        let elsewhere = [&format!("cluster.provider={provider}"), "cluster.nodes=[\"10.0.0.1:6379\"]"];
        says(
            &beside(PARTITION, &elsewhere.map(|change| change as &str)),
            "cluster.nodes: fault[0].partition is done to the process of a server",
        );
    }
    let container =
        Override { key: "cluster.provider".into(), value: Some("container".into()), shown: String::new() };
    for (fault, from) in [
        (PARTITION.to_owned(), CutFrom::Everybody),
        (format!("{PARTITION}cut_from = \"servers\"\n"), CutFrom::Servers),
        (PARTITION.replace("busiest primary", "replica of any primary"), CutFrom::Everybody),
    ] {
        let text = with(&fault);
        let cut = Draft::new("t.toml", &text).with(std::slice::from_ref(&container)).check().unwrap();
        assert_eq!((cut.faults[0].kind, cut.faults[0].cut_from), (FaultKind::Partition, from));
        assert_eq!(cut.file().faults[0].cut_from, Some(from));
    }
    // What starts a process again can do so in a container.
    let text = with("[[fault]]\nat = \"5s\"\nrestart = \"any primary\"\n");
    assert!(Draft::new("t.toml", &text).with(std::slice::from_ref(&container)).check().is_ok());
}

#[test]
fn a_recovery_level_needs_something_to_recover_from() {
    let level = |slo: &str| refused(&format!("{BASE}[slo]\n{slo}"));
    assert_eq!(
        level("recovery = \"5s\"\n"),
        "t.toml:16: slo.recovery: there is nothing to recover from: add a [[fault]], or leave it out"
    );
    assert_eq!(
        level(""),
        "t.toml:15: slo: empty, so nothing would be judged; give response_p99 = \"20ms\", or recovery = \"5s\" with a \
         [[fault]]"
    );
    assert_eq!(
        level("abort = \"5s\"\n"),
        "t.toml:15: slo: empty, so nothing would be judged; give response_p99 = \"20ms\", or recovery = \"5s\" with a \
         [[fault]]\nt.toml:16: slo.abort: needs slo.response_p99, the level that is missed"
    );
    let text = with("[[fault]]\nat = \"5s\"\ndisconnect = \"any primary\"\n[slo]\nrecovery = \"5s\"\n");
    let slo = parse("t.toml", &text).unwrap().slo.unwrap();
    assert_eq!((slo.recovery, slo.response_p99), (Some(Duration::from_secs(5)), None));
}
