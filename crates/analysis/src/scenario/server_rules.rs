//! What `server` of a `[[variant]]` may say, and what it excludes.

use super::checker::Checker;
use super::choices::{Mode, Provider};
use super::compare_section::ControlForm;
use super::file::ScenarioFile;
use super::server::{MOST_CLUSTERS, ServerForm, refused_setting};

/// Most replicas of a primary, as of `cluster.replicas`.
const MOST_REPLICAS: u16 = 5;

/// Each by itself.
pub(super) fn check(file: &ScenarioFile, checker: &mut Checker) {
    for (n, server) in servers(file) {
        let (key, table) = (format!("variant[{n}].server"), server.table());
        checker.require(table.path.as_deref() != Some(""), &format!("{key}.path"), || {
            "empty; write the path of a valkey-server, or \"default\" for the one that the run's other servers are".into()
        });
        if let Some(replicas) = table.replicas {
            checker.within(&format!("{key}.replicas"), replicas, 0..=MOST_REPLICAS);
        }
        for (name, value) in &table.config {
            setting(&format!("{key}.config.{name}"), name, value, checker);
        }
    }
}

fn setting(key: &str, name: &str, value: &str, checker: &mut Checker) {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.starts_with('-') || !name.chars().all(letters) {
        checker.refuse(key, "no name of a setting: small letters, digits and `-`, as valkey.conf has it");
    } else if let Some(why) = refused_setting(name) {
        checker.refuse(key, format!("decided by the tool: {why}; leave it out"));
    }
    checker.require(!value.starts_with("--") && !value.contains(['\n', '\r', '\0']), key, || {
        "no value: one line that does not begin with `--`, which would be the next setting".into()
    });
}

/// What goes with servers of the arms' own.
pub(super) fn combine(file: &ScenarioFile, checker: &mut Checker) {
    let Some((n, _)) = servers(file).next() else { return };
    let key = format!("variant[{n}].server");
    checker.require(file.variants.len() > 1, &key, || {
        "needs a second variant to compare with; one server for the whole run is --valkey-server".into()
    });
    let ours = matches!(file.cluster.provider, Provider::Auto | Provider::Local);
    checker.require(ours && file.cluster.nodes.is_empty(), "cluster.provider", || {
        format!(
            "{key} is started by the tool as a process on this machine: use provider = \"local\", without cluster.nodes"
        )
    });
    checker.require(file.load.mode == Mode::Staged, "load.mode", || {
        format!(
            "{key} needs mode = \"staged\": where everything runs together the clusters would take the machine from each \
             other, and none would show what it does alone"
        )
    });
    checker.require(file.faults.is_empty(), "fault", || {
        format!("not with {key}: a fault strikes one cluster, and the arms would not differ in their servers alone")
    });
    for (n, variant) in file.variants.iter().enumerate() {
        for (given, name) in [(variant.library.is_some(), "library"), (variant.instrumented, "instrumented")]
        {
            checker.require(!given, &format!("variant[{n}].{name}"), || {
                format!("not with {key}: two things would differ at once; compare libraries on one server")
            });
        }
    }
    clusters(file, &key, checker);
}

/// Each arm with a server has a cluster; the others share one, and the control has one of its own.
fn clusters(file: &ScenarioFile, key: &str, checker: &mut Checker) {
    let own = servers(file).count();
    let uncontrolled = file
        .compare
        .as_ref()
        .is_some_and(|compare| compare.control == ControlForm::Own && compare.control_strata == Some(0));
    checker.require(!uncontrolled, "compare.control_strata", || {
        format!(
            "not 0 with {key}: two clusters of one server differ by themselves, and only the control shows by how much"
        )
    });
    let count = own + usize::from(own < file.variants.len()) + 1;
    checker.require(count <= MOST_CLUSTERS, key, || {
        format!(
            "the run would need {count} clusters at once, the control's included: at most {MOST_CLUSTERS}"
        )
    });
}

fn servers(file: &ScenarioFile) -> impl Iterator<Item = (usize, &ServerForm)> {
    let arms = file.variants.iter().enumerate();
    arms.filter_map(|(n, variant)| Some((n, variant.server.as_ref()?)))
}
