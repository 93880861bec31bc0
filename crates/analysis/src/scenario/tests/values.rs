//! What a single key may hold, and every refusal word for word.

use super::*;

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

/// Each option with what it is refused with.
fn are_refused(options: &[(&str, &str)]) {
    for (option, error) in options {
        assert_eq!(refusal(&[option]), format!("--set {option}: {error}"));
    }
}

#[test]
fn values_out_of_range_are_refused() {
    are_refused(&[
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
    ]);
}

#[test]
fn a_load_out_of_range_is_refused() {
    are_refused(&[
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
    ]);
}

#[test]
fn what_nothing_can_be_judged_by_is_refused() {
    are_refused(&[
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
    ]);
}

#[test]
fn a_search_out_of_range_is_refused() {
    are_refused(&[
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
    ]);
}

#[test]
fn two_variants_of_one_name_are_refused() {
    assert_eq!(
        edited("name = \"b\"", "name = \"a\""),
        "t.toml:18: variant[1].name: another variant is named `a` already; results need different names"
    );
}
