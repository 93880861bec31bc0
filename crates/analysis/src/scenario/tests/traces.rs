//! What a recorded trace goes with: one window that replays it once.

use super::*;

/// Options that have `BASE` replay a trace in one window, and those that follow.
fn replayed(more: &[&str]) -> Vec<Override> {
    let once = [
        "load.model=open",
        "load.arrivals={ trace = \"x.txt\" }",
        "population.executions=4400",
        "compare.control=shared",
        "compare.counter_blocks=0",
    ];
    [&once[..], more].concat().iter().map(|option| set(option)).collect()
}

#[test]
fn a_recorded_trace_is_compared_in_one_window_that_replays_it_once() {
    let mixing = |more: &[&str]| {
        let scenario = Draft::new("t.toml", BASE).with(&replayed(more)).check();
        scenario.unwrap_or_else(|error| panic!("{error}")).compare.unwrap().mixing
    };
    assert_eq!(mixing(&[]), Mixing::Claims);
    assert_eq!(mixing(&["load.network.added_rtt=1s"]), Mixing::Claims, "in blocks it would begin anew");
    // Where everything runs together there is one window, and nothing beside it.
    let churn = ["load.mode=churn", "compare.control=own", "compare.counter_blocks=20"];
    assert_eq!(mixing(&churn), Mixing::Claims);
    assert_eq!(mixing(&["compare.control=own", "compare.control_strata=0"]), Mixing::Claims);
    let refused =
        |more: &[&str]| Draft::new("t.toml", BASE).with(&replayed(more)).check().unwrap_err().to_string();
    assert_eq!(
        refused(&["compare.mixing=blocks"]),
        "--set compare.mixing=blocks: compare.mixing: each block begins a recorded trace anew, and its end would never \
         be offered: use \"claims\""
    );
    assert_eq!(
        refused(&["compare.control=own"]),
        "--set compare.control=own: compare.control: claims of the control's own take arrivals of a recorded trace \
         beside load.claims: use \"shared\"; or no control (\"own\" and control_strata = 0) where arms have an sdk or a \
         server of their own"
    );
    assert_eq!(
        refused(&["compare.counter_blocks=20"]),
        "--set compare.counter_blocks=20: compare.counter_blocks: each of them replays the beginning of a recorded \
         trace, and its counters would be of that alone: use 0"
    );
    assert_eq!(
        refused(&["population.executions=4399"]),
        "--set population.executions=4399: population.executions: 4399 are too few: a recorded trace with its warm-up \
         needs 4400 grants in stock, so at least 4400 executions"
    );
    assert!(refused(&["load.warmup=400"]).contains("needs 4840 grants in stock"), "a window before it");
    let mut unknown = replayed(&[]);
    unknown.push(Override { shown: String::new(), key: "load.claims".into(), value: None });
    assert_eq!(
        Draft::new("t.toml", BASE).with(&unknown).check().unwrap_err().to_string(),
        "t.toml:8: load.claims: missing; arrivals of a recorded trace that are compared go into one window, and only \
         its file knows how many they are: say how many of them to replay"
    );
}

#[test]
fn no_claim_of_a_recorded_trace_is_left_to_expire() {
    let (alone, _) = BASE.split_once("[compare]").unwrap();
    let text = format!("{alone}[[variant]]\nname = \"a\"\npath = \"grant-lane\"\n");
    let replayed = ["load.model=open", "load.arrivals={ trace = \"x.txt\" }", "population.executions=4400"];
    let checked = |more: &[&str]| {
        let options: Vec<_> = [&replayed[..], more].concat().iter().map(|option| set(option)).collect();
        Draft::new("t.toml", &text).with(&options).check().map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(checked(&["load.warmup=400"]), Ok(()), "alone its window has a filling of its own");
    assert_eq!(
        checked(&["grant.unconsumed=0.1", "grant.ttl=2s"]).unwrap_err(),
        "--set grant.unconsumed=0.1: grant.unconsumed: late claims come after the window, and as many arrivals at the \
         end of a recorded trace would never be offered: use 0"
    );
}
