//! Why two results are not held against each other: in what they differ.

use crate::judge::{NotComparable, Setting, SettingDifference};

/// One difference in the same line, several below each other. Of two scenarios nearly every key differs:
/// their names say more than all of those together.
pub(in super::super) fn not_comparable(refused: &NotComparable) -> String {
    format!("results are not comparable: {}", listed(&refused.0))
}

fn listed(differences: &[SettingDifference]) -> String {
    if let [one] = differences {
        return one.to_string();
    }
    let name = differences.iter().find(|d| is_name(d));
    let mut lines = vec![name.map_or_else(
        || format!("they differ in {} things", differences.len()),
        |name| format!("they are of different scenarios, {} against {}", name.base, name.candidate),
    )];
    let mut keys = Vec::new();
    for one in differences.iter().filter(|d| !is_name(d)) {
        match &one.what {
            Setting::ScenarioKey(key) | Setting::ConfigKey(key) if name.is_some() => keys.push(key.as_str()),
            _ => lines.push(format!("  {one}")),
        }
    }
    if !keys.is_empty() {
        let more = if keys.len() == 1 { "key" } else { "keys" };
        lines.push(format!("  and {} {more} of the scenarios: {}", keys.len(), keys.join(", ")));
    }
    lines.join("\n")
}

fn is_name(difference: &SettingDifference) -> bool {
    matches!(difference.what, Setting::ScenarioName | Setting::ReportScenario)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::fixtures::{GRANT_LANE, HGET_LANE, record};
    use crate::judge::{RunResult, analyse, differences};

    #[test]
    fn the_scenario_comes_first_and_its_keys_are_grouped() {
        let base = analyse(record(&[GRANT_LANE, HGET_LANE], 1)).unwrap();
        let mut candidate = base.clone();
        candidate.record.scenario.name = "smoke".into();
        candidate.record.scenario.load.connections = 7;
        candidate.record.scenario.population.lanes = 9;
        candidate.record.environment.valkey.version = "7.2.9".into();
        candidate.record.environment.host.cpu = "Other CPU".into();
        let of = |candidate: &RunResult| {
            let all = differences(&base, candidate);
            not_comparable(&NotComparable(all.into_iter().filter(|one| one.forbids).collect()))
        };
        let text = of(&candidate);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "results are not comparable: they are of different scenarios, lane-ab against smoke"
        );
        assert!(
            lines[1].starts_with("  machine cpu: ") && lines[1].ends_with(" against Other CPU"),
            "{text}"
        );
        assert!(lines[2].starts_with("  valkey version: "), "{text}");
        assert_eq!(lines[3], "  and 2 keys of the scenarios: load.connections, population.lanes");
        candidate.record.scenario.name.clone_from(&base.record.scenario.name);
        let text = of(&candidate);
        assert!(
            text.starts_with("results are not comparable: they differ in 4 things\n  scenario load."),
            "{text}"
        );
    }

    #[test]
    fn one_difference_is_in_the_same_line() {
        let (base, candidate) = ("16".to_owned(), "32".to_owned());
        let what = Setting::ConfigKey("workers".into());
        let one = SettingDifference { what, base, candidate, forbids: true };
        let text = not_comparable(&NotComparable(vec![one]));
        assert_eq!(text, "results are not comparable: config workers: 16 against 32");
    }
}
