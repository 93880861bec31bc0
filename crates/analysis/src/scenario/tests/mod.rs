//! What is accepted, and every refusal word for word.

mod combinations;
mod drawn;
mod options;
mod servers;
mod traces;
mod values;

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
    assert_eq!((compare.baseline.as_str(), compare.own_controls()), ("a", 20));
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
