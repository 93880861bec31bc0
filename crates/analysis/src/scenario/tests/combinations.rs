//! Keys that exclude or need each other, and every refusal word for word.

use super::*;

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

/// Each set of options with what it is refused with.
fn are_refused(together: &[(&[&str], &str)]) {
    for (options, error) in together {
        assert_eq!(refusal(options), *error);
    }
}

#[test]
fn keys_of_the_other_model_and_two_lengths_are_refused() {
    are_refused(&[
        (
            &["load.rate=5"],
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
    ]);
}

#[test]
fn a_storm_has_no_schedule_and_no_second_variant_and_a_ramp_and_a_trace_their_own_rates() {
    are_refused(&[
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
            "--set load.arrivals={ ramp = { from = 9.0, over = \"1s\" } }: load.arrivals: a ramp begins anew in each \
             block of a comparison, so that its end would hardly be offered: leave it out and compare at one rate, or \
             run each variant by itself without [compare]\n\
             --set load.arrivals={ ramp = { from = 9.0, over = \"1s\" } }: load.arrivals.ramp.from: 9 is not below \
             load.rate = 5, which the ramp climbs to",
        ),
        (
            &[
                "population.executions=9000",
                "load.model=open",
                "load.rate=5",
                "load.arrivals={ trace = \"x.txt\" }",
                "compare.control=shared",
                "compare.counter_blocks=0",
            ],
            "--set load.rate=5: load.rate: a trace is replayed with its own gaps; leave load.rate out",
        ),
    ]);
}

#[test]
fn what_the_executions_or_the_cluster_do_not_allow_is_refused() {
    are_refused(&[
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
    ]);
}

#[test]
fn variants_that_a_mode_cannot_have_are_refused() {
    let churn = BASE.replacen("staged", "churn", 1);
    for (path, why) in [
        ("fused", "fused needs no scanner, and here one is measured"),
        ("first-claim", "first claims take fresh executions, and here the same ones resume"),
        ("lease-reclaim", "reclaims take executions whose lease was lost, and here they are interrupted"),
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
fn what_nobody_sees_of_the_sdk_is_not_asked_of_its_variants() {
    let sdk = |change: &dyn Fn(&str) -> String| {
        let text = change(&BASE.replacen("hget-lane", "sdk-grant", 1));
        parse("t.toml", &text).err().map(|error| error.to_string())
    };
    assert_eq!(sdk(&str::to_owned), None);
    let of_variant = |line: &str| sdk(&|text| format!("{text}{line}\n")).unwrap();
    for (line, key, why) in [
        ("library = \"published\"", "library", "the functions of FlowFabric's own library"),
        ("instrumented = true", "instrumented", "the functions of FlowFabric's own library"),
        ("wait_replicas = 1", "wait_replicas", "what it sends, and WAIT is not among it"),
    ] {
        let wanted = format!("variant[1].{key}: not with an sdk path: the SDK calls {why}; leave it out");
        let refused = of_variant(line);
        assert!(refused.contains(&wanted), "{refused}");
    }
    for (load, needed) in [
        ("contenders = 2", "load.contenders = 1"),
        ("network.added_rtt = \"1ms\"", "no load.network.added_rtt"),
    ] {
        let refused =
            sdk(&|text| text.replacen("claims = 4000", &format!("{load}\nclaims = 4000"), 1)).unwrap();
        assert!(
            refused.contains(&format!("variant[1].path: needs {needed}: the SDK has a client of its own")),
            "{refused}"
        );
    }
    let fault = "[[fault]]\nat = \"1s\"\ndisconnect = \"busiest primary\"";
    assert!(of_variant(fault).contains("variant[1].path: needs no [[fault]]"), "{}", of_variant(fault));
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
fn a_wait_for_replicas_needs_as_many_and_an_end_before_its_reply_is_given_up() {
    let text = |replicas: u16, wait: &str| {
        format!(
            "schema = 1\nname = \"x\"\nsummary = \"y\"\n[cluster]\nreplicas = {replicas}\n[load]\nclaims = 100\n\
             [[variant]]\nname = \"a\"\npath = \"grant-lane\"\n{wait}"
        )
    };
    let refused = |replicas, wait| parse("t.toml", &text(replicas, wait)).unwrap_err().to_string();
    assert_eq!(
        refused(0, "wait_replicas = 1\n"),
        "t.toml:11: variant[0].wait_replicas: needs 1 replicas of each primary, and cluster.replicas is 0: set it to 1"
    );
    assert_eq!(
        refused(1, "wait_replicas = 0\n"),
        "t.toml:11: variant[0].wait_replicas: 0 is no wait: leave it out"
    );
    assert_eq!(
        refused(1, "wait_timeout = \"1s\"\n"),
        "t.toml:11: variant[0].wait_timeout: nothing is waited for: add wait_replicas = 1, or leave it out"
    );
    assert_eq!(
        refused(1, "wait_replicas = 1\nwait_timeout = \"5s\"\n"),
        "t.toml:12: variant[0].wait_timeout: 5s is not below load.timeout = 5s, after which no reply is waited for"
    );
    let scenario = parse("t.toml", &text(1, "wait_replicas = 1\n")).unwrap();
    let wait = scenario.variants[0].wait.unwrap();
    assert_eq!((wait.replicas, wait.timeout), (1, std::time::Duration::from_secs(1)));
    // The heir of a primary that is killed has one replica less.
    let waiting = "path = \"grant-lane\"\nwait_replicas = 1\nwait_timeout = \"500ms\"";
    let failover = Shipped::find("failover").unwrap().text.replace("path = \"grant-lane\"", waiting);
    let refused = parse("failover.toml", &failover).unwrap_err().to_string();
    assert!(refused.contains("set cluster.replicas to 2"), "{refused}");
    parse("failover.toml", &failover.replace("replicas = 1\n\n", "replicas = 2\n\n")).unwrap();
    let nodes =
        Override { shown: String::new(), key: "cluster.nodes".into(), value: Some("[\"h:1\"]".into()) };
    let elsewhere = Draft::new("t.toml", &text(0, "wait_replicas = 1\n"));
    assert!(elsewhere.with(std::slice::from_ref(&nodes)).check().is_ok(), "nobody knows its replicas yet");
}

#[test]
fn a_node_timeout_is_for_servers_that_the_tool_starts() {
    let text = |cluster: &str| {
        format!(
            "schema = 1\nname = \"x\"\nsummary = \"y\"\n[cluster]\n{cluster}[load]\nclaims = 100\n[[variant]]\n\
             name = \"a\"\npath = \"grant-lane\"\n"
        )
    };
    let scenario = parse("t.toml", &text("node_timeout = \"2s\"\n")).unwrap();
    assert_eq!(scenario.cluster.node_timeout, Some(std::time::Duration::from_secs(2)));
    assert_eq!(parse("t.toml", &text("")).unwrap().cluster.node_timeout, None);
    let refused = |cluster| parse("t.toml", &text(cluster)).unwrap_err().to_string();
    assert_eq!(
        refused("node_timeout = \"50ms\"\n"),
        "t.toml:5: cluster.node_timeout: 50ms is not between 200ms and 1m"
    );
    assert!(
        refused("nodes = [\"h:1\"]\nnode_timeout = \"2s\"\n")
            .contains("a setting of servers that this tool starts")
    );
}
