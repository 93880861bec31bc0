//! Servers of the arms' own: which clusters a run has, what is refused.

use super::*;

const DUET: &str = r#"schema = 1
name = "t"
summary = "s"
[population]
executions = 1000
[load]
claims = 4000
[compare]
strata = 20
[[variant]]
name = "a"
path = "grant-lane"
[[variant]]
name = "b"
path = "grant-lane"
server = { path = "bin/valkey-server", config = { appendonly = "yes" }, replicas = 1 }
"#;

fn refused(from: &str, to: &str) -> String {
    assert!(DUET.contains(from), "{from}");
    parse("t.toml", &DUET.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn an_arm_with_a_server_has_a_cluster_and_the_control_one_more() {
    let scenario = parse("t.toml", DUET).unwrap();
    let clusters = scenario.clusters();
    let arms: Vec<_> = clusters.iter().map(|cluster| cluster.arms.clone()).collect();
    assert_eq!(arms, [vec![0], vec![1], vec![]]);
    let own = clusters[1].server.clone().unwrap();
    assert_eq!((own.path.unwrap().to_str(), own.replicas), (Some("bin/valkey-server"), 1));
    assert_eq!(own.config, [("appendonly".to_owned(), "yes".to_owned())].into());
    assert_eq!(clusters[2].server, clusters[0].server, "the control's is the baseline's");
    assert_eq!(clusters[0].server, Some(ArmServer::default()));
    // The baseline's is the first one, wherever it stands.
    let turned = parse("t.toml", &DUET.replace("strata = 20", "strata = 20\nbaseline = \"b\"")).unwrap();
    assert_eq!(turned.clusters()[0].arms, [1]);
    assert_eq!(turned.clusters()[2].server, turned.clusters()[0].server);
    // Without a server there is one cluster, and nothing says so in the file.
    let plain = parse("t.toml", BASE).unwrap();
    assert_eq!(plain.clusters(), [ArmCluster { arms: vec![0, 1], server: None }]);
    assert!(!serde_json::to_string(plain.file()).unwrap().contains("\"server\":"), "as results of before");
}

#[test]
fn the_same_server_twice_is_two_clusters_and_arms_without_one_share() {
    let text = DUET.replacen("path = \"grant-lane\"", "path = \"grant-lane\"\nserver = \"default\"", 1);
    let same = parse("t.toml", &text).unwrap();
    assert_eq!(same.clusters().len(), 3);
    let three = format!("{DUET}[[variant]]\nname = \"c\"\npath = \"hget-lane\"\n");
    let arms: Vec<_> = parse("t.toml", &three).unwrap().clusters().iter().map(|c| c.arms.clone()).collect();
    assert_eq!(arms, [vec![0, 2], vec![1], vec![]]);
}

#[test]
fn settings_that_the_tool_decides_are_refused_by_name_with_the_reason() {
    let with = |config: &str| refused("appendonly = \"yes\"", config);
    let key = "t.toml:16: variant[1].server.config";
    assert_eq!(
        with("port = \"7000\""),
        format!("{key}.port: decided by the tool: ports are chosen among those that are free; leave it out")
    );
    assert!(
        with("dir = \"/tmp\"")
            .contains("config.dir: decided by the tool: each server has a directory of its own")
    );
    assert!(with("cluster-enabled = \"no\"").contains("decided by the tool: claims go to a cluster"));
    assert!(with("Appendonly = \"yes\"").contains("no name of a setting"));
    assert!(with("save = \"--port\"").contains("does not begin with `--`"));
    assert!(with("io-threads = 2").contains("settings as text in quotes"), "{}", with("io-threads = 2"));
}

#[test]
fn what_cannot_be_right_together_is_refused_by_name() {
    let line = |text: &str, with: &str| {
        let error = refused("strata = 20", &format!("strata = 20\n{with}"));
        assert!(error.contains(text), "{error}");
    };
    line("compare.control_strata: not 0 with variant[1].server", "control_strata = 0");
    let section = |with: &str| refused("[compare]", &format!("{with}\n[compare]"));
    let provider = section("[cluster]\nprovider = \"container\"");
    assert!(
        provider.contains("cluster.provider: variant[1].server is started by the tool as a process"),
        "{provider}"
    );
    let nodes = section("[cluster]\nnodes = [\"h:1\"]");
    assert!(nodes.contains("cluster.provider: variant[1].server is started by the tool"), "{nodes}");
    let churn = refused("claims = 4000", "claims = 4000\nmode = \"churn\"");
    assert!(churn.contains("load.mode: variant[1].server needs mode = \"staged\""), "{churn}");
    let library = refused("path = \"grant-lane\"\n[[", "path = \"grant-lane\"\nlibrary = \"published\"\n[[");
    assert!(library.contains("variant[0].library: not with variant[1].server: two things"), "{library}");
    let wait = refused("path = \"grant-lane\"\nserver", "path = \"grant-lane\"\nwait_replicas = 2\nserver");
    assert!(wait.contains("and its server.replicas is 1: set it to 2"), "{wait}");
    let empty = refused("bin/valkey-server", "");
    assert!(empty.contains("variant[1].server.path: empty"), "{empty}");
    let key = refused("replicas = 1", "replica = 1");
    assert!(key.contains("variant[1].server"), "{key}");
    let search = Draft { for_capacity: true, ..Draft::new("t.toml", DUET) }.check().unwrap_err().to_string();
    assert!(search.contains("the capacity of one cluster is searched at a time"), "{search}");
    let arm = |n: u32| format!("[[variant]]\nname = \"m{n}\"\npath = \"grant-lane\"\nserver = \"default\"\n");
    let many = (0..8).map(arm).collect::<Vec<_>>().concat();
    let many = parse("t.toml", &format!("{}{many}", DUET.replace("strata = 20", "strata = 2"))).unwrap_err();
    assert!(many.to_string().contains("would need 11 clusters at once"), "{many}");
}

#[test]
fn replicas_of_the_arms_own_server_are_what_its_claims_wait_for() {
    let text = DUET.replace("\nserver", "\nwait_replicas = 1\nserver");
    let scenario = parse("t.toml", &text).unwrap();
    assert_eq!(scenario.variants[1].wait.unwrap().replicas, 1);
    assert_eq!(scenario.cluster.replicas, 0);
}

#[test]
fn options_lay_a_server_over_either_side() {
    let side = |path: Option<&str>, config: &[(&str, &str)]| ServerOption {
        path: path.map(str::to_owned),
        config: config.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    };
    let draft = Draft {
        base_server: side(Some("old"), &[]),
        candidate_server: side(None, &[("io-threads", "2")]),
        dir: "far/away".into(),
        ..Draft::new("t.toml", DUET)
    };
    let scenario = draft.check().unwrap();
    let server = |arm: usize| scenario.variants[arm].server.clone().unwrap();
    assert_eq!(server(0).path.unwrap().to_str(), Some("old"));
    assert_eq!(server(1).path.unwrap().to_str(), Some("far/away/bin/valkey-server"));
    assert_eq!(server(1).config.len(), 2);
    let wrong = Draft { candidate_server: side(None, &[("port", "1")]), ..draft.clone() };
    let error = wrong.check().unwrap_err().to_string();
    assert!(
        error.starts_with("--candidate-config port=1: variant[1].server.config.port: decided by"),
        "{error}"
    );
    let alone =
        DUET.split("[[variant]]\nname = \"b\"").next().unwrap().replace("[compare]\nstrata = 20\n", "");
    let error = Draft { text: alone, ..draft }.check().unwrap_err().to_string();
    assert!(
        error.contains(
            "t has a single one, so there is nothing to compare with; use the scenario server-duet"
        ),
        "{error}"
    );
}
