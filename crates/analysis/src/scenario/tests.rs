//! What is accepted, and every refusal word for word.

use proptest::prelude::*;

use super::*;

const BASE: &str = r#"schema = 1
name = "t"
summary = "s"
[population]
executions = 1000
[grant]
ttl = "10m"
[load]
mode = "staged"
model = "closed"
claims = 4000
[compare]
strata = 20
[[variant]]
name = "a"
path = "grant-lane"
[[variant]]
name = "b"
path = "hget-lane"
"#;

fn set(assignment: &str) -> Override {
    let (key, value) = assignment.split_once('=').unwrap();
    Override { shown: format!("--set {assignment}"), key: key.into(), value: Some(value.into()) }
}

/// The errors of `BASE` with options on top.
fn refusal(options: &[&str]) -> String {
    let overrides: Vec<_> = options.iter().map(|option| set(option)).collect();
    Draft::new("t.toml", BASE).with(&overrides).check().unwrap_err().to_string()
}

/// The errors of `BASE` with one line replaced.
fn edited(from: &str, to: &str) -> String {
    assert!(BASE.contains(from), "{from}");
    parse("t.toml", &BASE.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn every_shipped_scenario_is_valid_and_named_after_its_file() {
    for shipped in SHIPPED {
        let scenario = parse(shipped.name, shipped.text).unwrap_or_else(|error| panic!("{error}"));
        let file = scenario.file();
        assert_eq!(file.name, shipped.name);
        assert_eq!(scenario.name, shipped.name);
        assert!(!file.summary.is_empty() && file.summary.len() <= 72, "{}", file.summary);
    }
}

#[test]
fn claim_paths_covers_every_path_in_every_stratum() {
    let shipped = Shipped::find("claim-paths").unwrap();
    let scenario = parse(shipped.name, shipped.text).unwrap();
    let mut paths: Vec<_> = scenario.variants.iter().map(|variant| variant.path).collect();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), 8);
}

#[test]
fn defaults_are_filled_in_and_filling_them_in_twice_changes_nothing() {
    let scenario = parse("t.toml", BASE).unwrap();
    let mut file = scenario.file().clone();
    assert_eq!(scenario.load.model, Model::Closed { concurrency: 1 });
    let compare = scenario.compare.unwrap();
    assert_eq!((compare.baseline.as_str(), compare.control_strata), ("a", 20));
    assert_eq!(scenario.grant.lease_ttl, std::time::Duration::from_mins(10));
    let once = file.clone();
    file.resolve();
    assert_eq!(file, once);
}

#[test]
fn the_machine_is_arranged_as_asked_and_a_word_that_is_none_is_refused() {
    let scenario = parse("t.toml", BASE).unwrap();
    assert_eq!(scenario.machine, MachineSection::default());
    assert!(!serde_json::to_string(scenario.file()).unwrap().contains("machine"), "as results of before");
    let asked = [set("machine.placement=together"), set("machine.cores=free")];
    let scenario = Draft::new("t.toml", BASE).with(&asked).check().unwrap();
    let together = MachineSection { placement: Some(Placement::Together), cores: Some(Cores::Free) };
    assert_eq!(scenario.machine, together);
    assert_eq!(
        refusal(&["machine.placement=appart"]),
        "--set machine.placement=appart: machine.placement: unknown value `appart`; did you mean `apart`?"
    );
    assert_eq!(
        refusal(&["machine.core=awake"]),
        "--set machine.core=awake: machine.core: unknown key; did you mean `cores`?"
    );
}

#[test]
fn a_section_of_weights_says_all_there_is() {
    let scenario = parse("t.toml", &format!("{BASE}[interruption]\ndelay = 2\n")).unwrap();
    assert_eq!(
        scenario.interruption,
        InterruptionMix { signal: 0.0, timeout: 0.0, operator: 0.0, delay: 2.0 }
    );
}

#[test]
fn text_that_is_no_toml_is_refused_with_its_line() {
    let error = edited("claims = 4000", "claims = = 4000");
    assert!(error.starts_with("t.toml:11: not valid TOML: "), "{error}");
}

#[test]
fn unknown_keys_name_line_key_and_the_nearest_one() {
    for (to, error) in [
        ("conections = 2", "t.toml:11: load.conections: unknown key; did you mean `connections`?"),
        ("lanes = 2", "t.toml:11: load.lanes: unknown key; it belongs in [population]"),
        ("grant = 2", "t.toml:11: load.grant: unknown key; it belongs at the top, as [grant]"),
        (
            "claims = 1\nnetwork = { rtt = \"1ms\" }",
            "t.toml:12: load.network.rtt: unknown key; known: added_rtt",
        ),
        (
            "claims = 1\narrivals = { burst = { sizes = 1, every = \"1s\" } }",
            "t.toml:12: load.arrivals.burst.sizes: unknown key; did you mean `size`?",
        ),
    ] {
        assert!(
            edited("claims = 4000", to).lines().any(|line| line == error),
            "{}",
            edited("claims = 4000", to)
        );
    }
    assert_eq!(
        edited("path = \"hget-lane\"", "path = \"hget-lane\"\nlib = \"x\""),
        "t.toml:20: variant[1].lib: unknown key; did you mean `library`?"
    );
    assert_eq!(
        edited("[compare]", "[compaire]"),
        "t.toml:12: compaire: unknown key; did you mean `compare`?"
    );
}

#[test]
fn all_problems_come_at_once_in_the_order_of_the_file() {
    let text = BASE.replacen("executions", "executoins", 1).replacen("strata", "strat", 1);
    assert_eq!(
        parse("t.toml", &text).unwrap_err().to_string(),
        "t.toml:5: population.executoins: unknown key; did you mean `executions`?\n\
         t.toml:13: compare.strat: unknown key; did you mean `strata`?"
    );
}

#[test]
fn missing_keys_and_unknown_words_are_named() {
    assert_eq!(edited("name = \"b\"\n", ""), "t.toml:17: variant[1].name: missing");
    assert_eq!(edited("summary = \"s\"\n", ""), "t.toml:1: summary: missing");
    assert_eq!(
        edited("mode = \"staged\"", "mode = \"stagged\""),
        "t.toml:9: load.mode: unknown value `stagged`; did you mean `staged`?"
    );
    assert_eq!(
        edited("path = \"grant-lane\"", "path = \"grant_lane\""),
        "t.toml:16: variant[0].path: unknown value `grant_lane`; did you mean `grant-lane`?"
    );
    assert_eq!(
        edited("executions = 1000", "partitions = \"all\""),
        "t.toml:5: population.partitions: unknown value `all`; known: published"
    );
    assert_eq!(
        edited("executions = 1000", "skew = \"zipf\""),
        "t.toml:5: population.skew: unknown value `zipf`; known: uniform"
    );
}

#[test]
fn values_of_the_wrong_type_are_named() {
    for (from, to, error) in [
        (
            "executions = 1000",
            "executions = \"many\"",
            "t.toml:5: population.executions: invalid type: string \"many\", \
             expected a whole number from 0 to 4294967295",
        ),
        (
            "ttl = \"10m\"",
            "ttl = 10",
            "t.toml:7: grant.ttl: invalid type: integer `10`, \
             expected a duration with its unit, such as \"250us\", \"30s\" or \"10m\"",
        ),
        (
            "ttl = \"10m\"",
            "ttl = \"10 parsecs\"",
            "t.toml:7: grant.ttl: invalid value: string \"10 parsecs\", \
             expected a duration with its unit, such as \"250us\", \"30s\" or \"10m\"",
        ),
        (
            "claims = 4000",
            "claims = 4000\ntask_context = 1",
            "t.toml:12: load.task_context: invalid type: integer `1`, expected true or false",
        ),
        (
            "claims = 4000",
            "connections = 70000",
            "t.toml:11: load.connections: invalid value: integer `70000`, \
             expected a whole number from 0 to 65535",
        ),
        (
            "executions = 1000",
            "partitions = 1.5",
            "t.toml:5: population.partitions: \"published\" or a whole number of partitions",
        ),
    ] {
        assert_eq!(edited(from, to), error);
    }
}

#[test]
fn values_out_of_range_are_refused() {
    for (option, error) in [
        ("schema=2", "schema: version 2 is not known to this tool, which reads version 1"),
        (
            "name=\"My run\"",
            "name: `My run` is not a name: use 1 to 64 of lower-case letters, digits and `-`, which it cannot begin with",
        ),
        ("cluster.primaries=0", "cluster.primaries: 0 is not between 1 and 64"),
        ("cluster.replicas=9", "cluster.replicas: 9 is not between 0 and 5"),
        (
            "cluster.nodes=[\"localhost\"]",
            "cluster.nodes[0]: `localhost` is not host:port, such as 10.0.0.1:6379",
        ),
        ("population.executions=0", "population.executions: 0 is not between 1 and 10000000"),
        ("population.partitions=0", "population.partitions: 0 is not between 1 and 16384"),
        (
            "population.skew={zipf=0.0}",
            "population.skew.zipf: 0 is not over 0 and at most 5; for an even spread write skew = \"uniform\"",
        ),
        ("interruption.signal=-1", "interruption.signal: -1 is not a weight: use 0 or a positive number"),
        (
            "interruption.signal=0",
            "interruption: all weights are zero, so nothing would ever be interrupted; give signal, timeout, \
             operator or delay a positive weight",
        ),
        ("grant.ttl=1ms", "grant.ttl: 1ms is not between 100ms and 1day"),
        ("grant.unconsumed=1.5", "grant.unconsumed: 1.5 is not between 0 and 1"),
        ("grant.unconsumed=nan", "grant.unconsumed: NaN is not between 0 and 1"),
        ("load.concurrency=0", "load.concurrency: 0 is not between 1 and 65536"),
        ("load.contenders=0", "load.contenders: 0 is not between 1 and 64"),
        ("load.connections=0", "load.connections: 0 is not between 1 and 1024"),
        ("load.timeout=1us", "load.timeout: 1us is not between 10ms and 5m"),
        ("load.network.added_rtt=2s", "load.network.added_rtt: 2s is not between 0s and 1s"),
        (
            "load.arrivals={ ramp = { from = 0.0, over = \"1s\" } }",
            "load.arrivals.ramp.from: 0 is not a rate: use claims per second, over 0 and at most 10000000",
        ),
        (
            "load.arrivals={ trace = \"\" }",
            "load.arrivals.trace: empty; write the path of a file with one time per line",
        ),
        (
            "population.lane_skew={ zipf = 9.0 }",
            "population.lane_skew.zipf: 9 is not over 0 and at most 5; for an even spread write lane_skew = \"uniform\"",
        ),
        (
            "sweep={ key = \"load.rate\", values = [\"1\"] }",
            "sweep.values: 1 values are no sweep: give 2 to 64",
        ),
        ("load.rate=0", "load.rate: 0 is not a rate: use claims per second, over 0 and at most 10000000"),
        ("compare.strata=1", "compare.strata: 1 is not between 2 and 100000"),
        ("compare.baseline=\"c\"", "compare.baseline: `c` is not a variant; known: a, b"),
        (
            "compare.metrics=[\"service_p5\"]",
            "compare.metrics[0]: `service_p5` is not a metric; did you mean `service_p50`?",
        ),
        (
            "compare.metrics=[\"service_p50\", \"service_p50\"]",
            "compare.metrics[1]: `service_p50` is there twice",
        ),
        (
            "compare.noise_threshold=2",
            "compare.noise_threshold: 2 is not a share: write 0.02 for 2 %, between 0 and 1",
        ),
        ("compare.confidence=95", "compare.confidence: 95 is not between 0.5 and 0.999"),
        ("gate.p99_warn=0.5", "gate.p99_warn: 0.5 warns only beyond 0.2, which fails already"),
        ("slo.response_p99=0s", "slo.response_p99: 0s is not between 1us and 1h"),
        (
            "slo={response_p99=\"5ms\", abort=\"4ms\"}",
            "slo.abort: 4ms is less than slo.response_p99, 5ms: a run that keeps its level would be ended",
        ),
        (
            "capacity.start_rate=0",
            "capacity.start_rate: 0 is not a rate: use claims per second, 1 to 1000000",
        ),
        (
            "capacity.targets=[10.0, -1.0]",
            "capacity.targets[1]: -1 is not a rate: use claims per second, 1 to 1000000",
        ),
        ("capacity.claims=10", "capacity.claims: 10 is not between 1000 and 1000000"),
        ("capacity.precision=0", "capacity.precision: 0 is not between 0.01 and 0.5"),
        ("capacity.refinements=601", "capacity.refinements: 601 is not between 0 and 600"),
        ("capacity.curve_claims=10", "capacity.curve_claims: 10 is not between 100 and 1000000"),
        ("capacity.window=1ms", "capacity.window: 1ms is not between 100ms and 1h"),
        ("capacity.resolution=0", "capacity.resolution: 0 is not between 0.01 and 0.5"),
        ("capacity.utilisation=1", "capacity.utilisation: 1 is not between 0.05 and 0.95"),
        (
            "capacity.concurrency=[1, 4, 4]",
            "capacity.concurrency[2]: 4 after 4: list the levels in ascending order, each once",
        ),
        ("capacity.concurrency=[0]", "capacity.concurrency[0]: 0 is not between 1 and 65536"),
        ("capacity.start=5", "capacity.start: unknown key; did you mean `start_rate`?"),
    ] {
        assert_eq!(refusal(&[option]), format!("--set {option}: {error}"));
    }
    assert_eq!(
        edited("name = \"b\"", "name = \"a\""),
        "t.toml:18: variant[1].name: another variant is named `a` already; results need different names"
    );
}

#[test]
fn arms_are_not_mixed_claim_by_claim_where_they_would_queue() {
    assert!(
        refusal(&["compare.mixing=claims", "load.concurrency=16"]).contains(
            "compare.mixing: claim by claim with 16 in flight all arms would wait in one queue, and none would show what it \
             does alone: use \"blocks\" or \"auto\", or load.concurrency = 1"
        )
    );
    assert!(
        refusal(&["compare.mixing=blocks", "load.mode=churn"])
            .contains("compare.mixing: blocks need mode = \"staged\"")
    );
    let overrides = ["compare.mixing=blocks", "compare.control=shared"].map(set);
    let scenario = Draft::new("t.toml", BASE).with(&overrides).check().unwrap();
    let compare = scenario.compare.unwrap();
    assert_eq!((compare.mixing, compare.own_controls()), (Mixing::Blocks, 0));
    assert!(refusal(&["compare.mixing=turns"]).contains("compare.mixing"));
}

#[test]
fn what_a_capacity_search_cannot_work_with_is_named() {
    let text = Shipped::find("capacity").unwrap().text;
    let searched = |source: &str, text: &str, overrides: &[Override]| {
        let draft = Draft { for_capacity: true, ..Draft::new(source, text).with(overrides) };
        draft.check().map(drop).map_err(|error| error.to_string())
    };
    let said = |options: &[&str]| {
        let overrides: Vec<_> = options.iter().map(|option| set(option)).collect();
        searched("capacity", text, &overrides)
    };
    assert_eq!(said(&[]), Ok(()));
    let churn = ["load.mode=churn", "load.model=closed", "load.concurrency=2"];
    let model = Override { shown: String::new(), key: "load.rate".into(), value: None };
    let arrivals = Override { key: "load.arrivals".into(), ..model.clone() };
    let overrides: Vec<_> = churn.iter().map(|option| set(option)).chain([model, arrivals]).collect();
    assert_eq!(
        searched("capacity", text, &overrides).unwrap_err(),
        "--set load.mode=churn: load.mode: the search probes with stocked grants: use mode = \"staged\""
    );
    assert_eq!(
        said(&["load.contenders=2"]).unwrap_err(),
        "--set load.contenders=2: load.contenders: a lost race is no claim that was sustained: use 1"
    );
    assert_eq!(
        said(&["grant.unconsumed=0.1", "grant.ttl=1m"]).unwrap_err(),
        "--set grant.unconsumed=0.1: grant.unconsumed: late claims are no load that can be sustained: use 0"
    );
    assert_eq!(
        said(&["load.arrivals={ramp={from=10.0, over=\"5s\"}}"]).unwrap_err(),
        "--set load.arrivals={ramp={from=10.0, over=\"5s\"}}: load.arrivals: a probe offers one rate all the time: use \
         \"poisson\", \"constant\" or bursts"
    );
    assert_eq!(
        searched("t.toml", BASE, &[]).unwrap_err(),
        "t.toml:1: slo.response_p99: missing; a capacity is the rate that keeps a service level, such as --set \
         slo.response_p99=5ms\nt.toml:14: variant: the capacity of one way of claiming is searched at a time: keep one \
         [[variant]]"
    );
}

#[test]
fn paths_are_seen_from_the_file_that_they_stand_in() {
    let text = BASE.replace("path = \"hget-lane\"", "path = \"hget-lane\"\nlibrary = \"own.lua\"");
    let draft = Draft { dir: "far/away".into(), ..Draft::new("far/away/t.toml", &text) };
    let variant = |draft: &Draft| draft.check().unwrap().file().variants[1].library.clone().unwrap();
    assert_eq!(variant(&draft), "./far/away/own.lua");
    let given = Draft { candidate_library: Some("mine.lua".into()), ..draft.clone() };
    assert_eq!(variant(&given), "mine.lua");
    let source = |draft: Draft| draft.check().unwrap().file().library.source.clone().unwrap();
    assert_eq!(source(draft.clone().with(&[set("library.source=x.lua")])), "x.lua");
    assert_eq!(source(Draft { base_library: Some("y.lua".into()), ..draft }), "y.lua");
}

#[test]
fn a_library_that_an_option_names_is_refused_by_that_option() {
    let refused = |draft: Draft| draft.check().unwrap_err().to_string();
    let base = Draft { base_library: Some("x:".into()), ..Draft::new("t.toml", BASE) };
    let error = refused(base);
    assert!(error.starts_with("--base-library x:: library.source: `x:` is not <rev>:<path>"), "{error}");
    let candidate = Draft { candidate_library: Some(":y".into()), ..Draft::new("t.toml", BASE) };
    let error = refused(candidate.clone());
    assert!(error.starts_with("--candidate-library :y: variant[1].library: "), "{error}");
    let alone = BASE.replace("[[variant]]\nname = \"b\"\npath = \"hget-lane\"\n", "");
    let alone = alone.replace("[compare]\nstrata = 20\n", "");
    let error = refused(Draft { text: alone, ..candidate });
    assert!(error.starts_with("--candidate-library :y: variant: t has a single one"), "{error}");
}

#[test]
fn a_password_in_the_name_of_a_node_is_never_shown() {
    let nodes = |text: &str| Override {
        shown: format!("--nodes {text}"),
        key: "cluster.nodes".into(),
        value: Some(toml::Value::try_from(text.split(',').collect::<Vec<_>>()).unwrap().to_string()),
    };
    for given in [
        nodes("bench:s3cret@127.0.0.1:7999"),
        nodes("127.0.0.1:1,bench:s3c,ret@127.0.0.1:7999"),
        set("cluster.nodes=[\"redis://bench:s3cret@127.0.0.1:7999\"]"),
        set("cluster.nodes=bench:s3cret@127.0.0.1:7999"),
    ] {
        for error in [
            Draft::new("t.toml", BASE).with(std::slice::from_ref(&given)).check().unwrap_err().to_string(),
            cluster_alone(&[given]).unwrap_err().to_string(),
        ] {
            assert!(!error.contains("s3c") && !error.contains("bench:"), "{error}");
            assert!(error.contains("cluster.nodes"), "{error}");
        }
    }
    let inside = BASE.replace("[load]", "[cluster]\nnodes = [\"b:s3cret@h:1\"]\n[load]");
    let error = parse("t.toml", &inside).unwrap_err().to_string();
    assert!(error.starts_with("t.toml:9: cluster.nodes: ") && !error.contains("s3"), "{error}");
}

#[test]
fn a_cluster_without_a_scenario_is_checked_the_same_way() {
    let refused = |option: &str| cluster_alone(&[set(option)]).unwrap_err().to_string();
    assert_eq!(
        refused("cluster.primaries=70"),
        "--set cluster.primaries=70: cluster.primaries: 70 is not between 1 and 64"
    );
    assert!(refused("cluster.nodes=[\"::1\"]").contains("[::1]:6379"));
    assert!(refused("cluster.provider=external").contains("needs cluster.nodes"));
    let alone = cluster_alone(&[]).unwrap();
    assert_eq!((alone.provider, alone.primaries, alone.nodes), (Provider::Auto, 3, vec![]));
    assert_eq!(cluster_alone(&[set("cluster.primaries=5")]).unwrap().primaries, 5);
}

#[test]
fn impossible_combinations_are_refused() {
    for (options, error) in [
        (
            &["load.rate=5"][..],
            "--set load.rate=5: load.rate: only for model = \"open\"; in a closed loop load.concurrency decides",
        ),
        (
            &["load.arrivals=poisson"],
            "--set load.arrivals=poisson: load.arrivals: only for model = \"open\"; a closed loop has no schedule",
        ),
        (
            &["load.model=open", "load.rate=5", "load.concurrency=2", "population.executions=5000"],
            "--set load.concurrency=2: load.concurrency: only for model = \"closed\"; in an open loop load.rate \
             decides",
        ),
        (
            &["load.model=open", "population.executions=5000"],
            "t.toml:8: load.rate: missing; model = \"open\" needs it, in claims per second",
        ),
        (
            &["load.model=open", "load.rate=5"],
            "t.toml:5: population.executions: 1000 are too few: an open-loop window of that length needs 4400 \
             grants in stock, so at least 4400 executions",
        ),
        (
            &["load.duration=30s"],
            "--set load.duration=30s: load.duration: load.claims is given as well; keep one of the two",
        ),
        (
            &["load.mode=storm", "load.model=open", "load.rate=5"],
            "t.toml:11: load.claims: a storm ends when every execution holds a lease; population.executions is its \
             size\n\
             t.toml:14: variant: a storm has one: two ways of claiming would queue behind each other; run it once \
             for each\n\
             --set load.model=open: load.model: a storm is worked off by workers, so it has no schedule; use model = \
             \"closed\"",
        ),
        (
            &[
                "population.executions=9000",
                "load.model=open",
                "load.rate=5",
                "load.arrivals={ ramp = { from = 9.0, over = \"1s\" } }",
            ],
            "--set load.arrivals={ ramp = { from = 9.0, over = \"1s\" } }: load.arrivals.ramp.from: 9 is not below \
             load.rate = 5, which the ramp climbs to",
        ),
        (
            &[
                "population.executions=9000",
                "load.model=open",
                "load.rate=5",
                "load.arrivals={ trace = \"x.txt\" }",
            ],
            "--set load.rate=5: load.rate: a trace is replayed with its own gaps; leave load.rate out",
        ),
        (
            &["load.mode=churn", "load.contenders=2"],
            "--set load.contenders=2: load.contenders: several workers per grant need mode = \"staged\"",
        ),
        (
            &["grant.unconsumed=0.5", "grant.ttl=2s"],
            "--set grant.unconsumed=0.5: grant.unconsumed: only with a single variant: late claims would end up \
             in the comparison",
        ),
        (
            &["compare.strata=201"],
            "--set compare.strata=201: compare.strata: 4000 claims in 201 strata and 2 arms leave 9 per arm and \
             stratum, at least 10 are needed: use at most 200 strata, or at least 4020 claims",
        ),
        (
            &["population.executions=249"],
            "--set population.executions=249: population.executions: 249 are too few: a counter block needs 250 \
             grants in stock, so at least 250 executions",
        ),
        (
            &["load.warmup=1001"],
            "t.toml:5: population.executions: 1000 are too few: the warm-up needs 1001 grants in stock, so at \
             least 1001 executions",
        ),
        (
            &["cluster.provider=external"],
            "--set cluster.provider=external: cluster.provider: external needs cluster.nodes (or --nodes), such \
             as [\"10.0.0.1:6379\"]",
        ),
        (
            &["cluster.provider=local", "cluster.nodes=[\"h:1\"]"],
            "--set cluster.nodes=[\"h:1\"]: cluster.nodes: only for provider = \"external\" or \"auto\"; this \
             one starts servers of its own",
        ),
    ] {
        assert_eq!(refusal(options), error);
    }
}

#[test]
fn variants_that_a_mode_cannot_have_are_refused() {
    let churn = BASE.replacen("staged", "churn", 1);
    for (path, why) in [
        ("fused", "fused needs no scanner, and here one is measured"),
        ("first-claim", "first claims take fresh executions, and here the same ones resume"),
    ] {
        let text = churn.replacen("hget-lane", path, 1);
        assert_eq!(
            parse("t.toml", &text).unwrap_err().to_string(),
            format!("t.toml:19: variant[1].path: {why}; use mode = \"staged\"")
        );
    }
    let raced = BASE.replacen("hget-lane", "fused", 1).replacen("claims", "contenders = 2\nclaims", 1);
    assert_eq!(
        parse("t.toml", &raced).unwrap_err().to_string(),
        "t.toml:20: variant[1].path: fused has no grant to race for; leave it out or set load.contenders = 1"
    );
}

#[test]
fn a_length_and_a_second_variant_must_be_there() {
    assert_eq!(
        edited("claims = 4000\n", ""),
        "t.toml:8: load: needs a length: claims = 20000, or duration = \"30s\""
    );
    assert_eq!(
        edited("claims = 4000", "duration = \"5s\""),
        "t.toml:11: load.duration: a staged closed loop has to stock its grants before it starts, so it counts \
         claims: use load.claims, or mode = \"churn\""
    );
    assert_eq!(
        edited("[[variant]]\nname = \"b\"\npath = \"hget-lane\"\n", ""),
        "t.toml:12: compare: needs at least two variants; add a [[variant]] or leave [compare] out"
    );
}

#[test]
fn the_last_option_wins_and_removes_what_it_contradicts() {
    let overrides = [
        set("load.concurrency=2"),
        set("load.concurrency=64"),
        Override { shown: "--duration 5s".into(), key: "load.claims".into(), value: None },
        Override { shown: "--duration 5s".into(), key: "load.duration".into(), value: Some("5s".into()) },
        set("load.mode=churn"),
    ];
    let scenario = Draft::new("t.toml", BASE).with(&overrides).check().unwrap();
    assert_eq!(scenario.load.model, Model::Closed { concurrency: 64 });
    assert_eq!(scenario.load.amount, Amount::Duration(std::time::Duration::from_secs(5)));
}

#[test]
fn an_option_can_set_a_list_a_table_and_a_section_that_is_not_there() {
    let overrides = [
        set("population.skew={ zipf = 1.1 }"),
        set("variant=[{ name = \"only\", path = \"full-grant\" }]"),
        Override { shown: String::new(), key: "compare".into(), value: None },
        set("slo.response_p99=5ms"),
    ];
    let scenario = Draft::new("t.toml", BASE).with(&overrides).check().unwrap();
    assert_eq!(scenario.population.skew, Skew::Zipf(1.1));
    assert_eq!(scenario.variants.len(), 1);
    assert_eq!(scenario.slo, Some(Slo { response_p99: std::time::Duration::from_millis(5), abort: None }));
}

#[test]
fn an_option_that_is_no_path_or_an_unknown_one_is_refused_by_its_own_words() {
    assert_eq!(
        refusal(&["load.concurency=4"]),
        "--set load.concurency=4: load.concurency: unknown key; did you mean `concurrency`?"
    );
    assert_eq!(
        refusal(&["load .. x=4"]),
        "--set load .. x=4: `load .. x` is not the path of a key; write it like load.concurrency=64"
    );
    assert_eq!(
        refusal(&["load.claims=lots"]),
        "--set load.claims=lots: load.claims: invalid type: string \"lots\", expected a whole number, 0 or more"
    );
}

fn durations(low_ms: u64, high_ms: u64) -> impl Strategy<Value = HumanDuration> {
    (low_ms..=high_ms).prop_map(HumanDuration::from_millis)
}

prop_compose! {
    /// Any valid staged, closed scenario: the keys that depend on each other are drawn together.
    fn scenario_files()(
        executions in 2_000u32..100_000,
        lanes in 1u16..64,
        partitions in prop_oneof![
            Just(PartitionsForm::Word(PartitionsWord::Published)),
            (1u16..16_384).prop_map(PartitionsForm::Count),
        ],
        lane_skew in prop_oneof![Just(SkewForm::Uniform), (0.1f64..5.0).prop_map(SkewForm::Zipf)],
        skew in prop_oneof![Just(SkewForm::Uniform), (0.1f64..5.0).prop_map(SkewForm::Zipf)],
        weights in (0.0f64..9.0, 0.0f64..9.0, 0.0f64..9.0, 0.1f64..9.0),
        ttl in durations(100, 3_600_000),
        lease_ttl in durations(1_000, 3_600_000),
        concurrency in prop::option::of(1u32..65_536),
        connections in 1u16..64,
        per_side in 10u64..50,
        strata in 2u32..20,
        warmup in 0u64..1_000,
        timeout in durations(10, 10_000),
        task_context: bool,
        added_us in 0..=1_000_000_u64,
        noise_threshold in 0.001f64..0.5,
        arms in 1usize..7,
        slo in prop::option::of(durations(1, 1_000)),
        capacity in prop::option::of((1.0f64..1e5, 0.01f64..0.5, durations(100, 10_000))),
        summary in "[^\\p{Cc}]{0,60}",
    ) -> ScenarioFile {
        let paths = [
            VariantPath::GrantLane, VariantPath::HgetLane, VariantPath::HmgetLane,
            VariantPath::PipelinedLane, VariantPath::FullGrant, VariantPath::Fused, VariantPath::FirstClaim,
            VariantPath::BareFirstClaim,
        ];
        let variants: Vec<_> = (0..arms)
            .map(|n| VariantSection { name: format!("arm-{n}"), path: paths[n], library: None })
            .collect();
        ScenarioFile {
            schema: 1,
            name: "drawn".into(),
            summary,
            machine: MachineSection { placement: Some(Placement::Apart), cores: None },
            cluster: ClusterSection::default(),
            library: LibrarySection::default(),
            population: PopulationSection { executions, lanes, partitions, skew, lane_skew, payload_bytes: 0 },
            interruption: InterruptionSection {
                signal: weights.0, timeout: weights.1, operator: weights.2, delay: weights.3,
            },
            grant: GrantSection { ttl, unconsumed: 0.0, lease_ttl, ..GrantSection::default() },
            load: LoadSection {
                concurrency,
                connections,
                claims: Some(per_side * u64::from(strata) * arms as u64),
                warmup,
                timeout,
                task_context,
                network: NetworkSection {
                    added_rtt: HumanDuration(std::time::Duration::from_micros(added_us)),
                },
                ..LoadSection::default()
            },
            compare: (arms > 1)
                .then(|| CompareSection { strata, noise_threshold, ..CompareSection::default() }),
            gate: GateSection::default(),
            variants,
            slo: slo.map(|response_p99| SloSection { response_p99, abort: None }),
            capacity: capacity.map(|(start_rate, resolution, window)| CapacitySection {
                start_rate, window, resolution, ..CapacitySection::default()
            }),
            sweep: None,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_written_scenario_is_read_back_equal(mut file in scenario_files()) {
        let text = toml::to_string(&file).unwrap();
        let scenario = parse("drawn.toml", &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        file.resolve();
        prop_assert_eq!(scenario.file(), &file);
        prop_assert_eq!(&scenario, &Scenario::try_from(&file).unwrap());
        let json = serde_json::to_string(&file).unwrap();
        prop_assert_eq!(serde_json::from_str::<ScenarioFile>(&json).unwrap(), file);
    }

    #[test]
    fn no_text_makes_the_parser_panic(at in 0usize..400, junk in "\\PC{0,8}") {
        let mut text = BASE.to_owned();
        let at = text.floor_char_boundary(at.min(text.len()));
        text.insert_str(at, &junk);
        let _ = parse("t.toml", &text);
        let _ = Draft::new("t.toml", BASE).with(&[Override { shown: "x".into(), key: junk.clone(), value: Some(junk) }]).check();
    }
}

/// A table that is one of several forms is replaced by another form, and changed by a key of its own.
#[test]
fn another_form_of_arrivals_replaces_the_one_of_the_file() {
    let text = "schema = 1\nname = \"x\"\nsummary = \"y\"\n[load]\nmodel = \"open\"\nrate = 50\nclaims = 100\n\
                [load.arrivals.burst]\nsize = 50\nevery = \"1s\"\n[[variant]]\nname = \"grant-lane\"\npath = \"grant-lane\"\n";
    let arrivals = |changes: &[(&str, &str)]| {
        let change = |(key, value): &(&str, &str)| Override {
            shown: "--set".into(),
            key: (*key).into(),
            value: Some((*value).into()),
        };
        let changes: Vec<_> = changes.iter().map(change).collect();
        Draft::new("x", text).with(&changes).check().unwrap().file().load.arrivals.clone().unwrap()
    };
    let same = arrivals(&[("load.arrivals.burst.size", "20"), ("load.rate", "20")]);
    let ArrivalsForm::Burst(burst) = same else { panic!("{same:?}") };
    assert_eq!((burst.size, burst.every.0), (20, std::time::Duration::from_secs(1)));
    let ramp = arrivals(&[("load.arrivals", "{ ramp = { from = 20.0, over = \"1s\" } }")]);
    assert!(matches!(ramp, ArrivalsForm::Ramp(_)), "{ramp:?}");
}
