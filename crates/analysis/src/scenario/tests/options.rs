//! What is given on the command line on top of a file.

use super::*;

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
    assert_eq!(
        scenario.slo,
        Some(Slo { response_p99: Some(std::time::Duration::from_millis(5)), ..Slo::default() })
    );
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
