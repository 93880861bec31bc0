//! docs/scenario-reference.md: every key of a scenario file, its default, and what it means.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::words::{Schema, choices, described, referred, sketch, type_words};
use crate::scenario::{
    ClusterSection, CompareSection, GateSection, Judged, METRICS, SHIPPED, ScenarioError, ScenarioFile, Unit,
    parse,
};

/// The sections in the order in which one thinks of them.
const SECTIONS: [&str; 13] = [
    "variant",
    "load",
    "population",
    "interruption",
    "grant",
    "compare",
    "gate",
    "slo",
    "cluster",
    "library",
    "machine",
    "sweep",
    "capacity",
];

const HEAD: &str = "\
# Scenario reference

<!-- Made from the types: reclaim-bench reference scenario > docs/scenario-reference.md -->

A scenario is a TOML file. Every key that there is stands here, with what holds where it is left out. `reclaim-bench
scenarios check FILE` prints a scenario with everything filled in, `--set section.key=value` changes a key for one run, and
an unknown key, a value out of range or keys that exclude each other are refused with file, line and what would be right.

A *time* is written with its unit: `\"250us\"`, `\"30s\"`, `\"1h 30m\"`. Shares are numbers: 0.1 is 10 %.
";

/// The whole page. Fails only if a shipped scenario is invalid, which a test rules out.
pub fn scenario_reference() -> Result<String, ScenarioError> {
    let schema = Schema::new(schemars::schema_for!(ScenarioFile));
    let mut page = format!("{HEAD}\n{}\n## At the top\n\n{}", shipped()?, top(&schema));
    for name in SECTIONS {
        let part = &schema.root()["properties"][name];
        let list = part["type"] == "array";
        let title = if list { format!("[[{name}]]") } else { format!("[{name}]") };
        let definition = if list { referred(&part["items"]) } else { referred(part) };
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## `{title}`\n\n{}\n\n", described(part));
        let definition = schema.definition(definition.unwrap_or_default());
        // Begins with the section's name, as it stands in a file.
        let about = described(definition);
        let more = about.split('`').skip(2).collect::<Vec<_>>().join("`");
        let more = more.trim_start_matches([':', '.', ' ']);
        if !more.is_empty() {
            let _ = write!(page, "{}\n\n", capitalised(more));
        }
        section(&schema, name, definition, &mut page);
    }
    let _ = write!(page, "\n## Metrics\n\n{}\n[Next: Result reference](result-reference.md)\n", metrics());
    Ok(page)
}

fn shipped() -> Result<String, ScenarioError> {
    let mut text = String::from("## Scenarios that come with it\n\n| name | question |\n|---|---|\n");
    for shipped in SHIPPED {
        let summary = parse(shipped.name, shipped.text)?.summary.replace('|', "\\|");
        let _ = writeln!(text, "| [`{0}`](../scenarios/{0}.toml) | {summary} |", shipped.name);
    }
    Ok(text)
}

/// The keys that are in no section.
fn top(schema: &Schema) -> String {
    let keys = Schema::keys(schema.root());
    let rows = keys.iter().filter(|(key, _)| !SECTIONS.contains(&key.as_str()));
    let rows = rows.map(|(key, part)| {
        let default = default(schema.root(), "", key, part);
        format!(
            "| `{key}` | {} | {default} | {} |\n",
            type_words(part, &|_| "any".to_owned()),
            described(part)
        )
    });
    format!("{HEADER}{}", rows.collect::<String>())
}

const HEADER: &str = "| key | type | default | meaning |\n|---|---|---|---|\n";

/// The table of a section, then the words that its keys take, then the sections in it.
fn section(schema: &Schema, path: &str, definition: &Value, page: &mut String) {
    let (mut table, mut words, mut inner) = (HEADER.to_owned(), String::new(), Vec::new());
    for (key, part) in &Schema::keys(definition) {
        let whole = format!("{path}.{key}");
        let named = |name: &str| named(schema, name);
        let of = referred(part).map(|name| schema.definition(name));
        if let Some(object) = of.filter(|of| of["properties"].is_object() && of["oneOf"].is_null()) {
            inner.push((whole, described(part), object.clone()));
            continue;
        }
        let default = default(definition, path, key, part);
        let _ =
            writeln!(table, "| `{key}` | {} | {default} | {} |", type_words(part, &named), described(part));
        if let Some(values) = of.and_then(|of| choices(of, &named)) {
            let _ = write!(words, "\n`{whole}`:\n\n{values}");
        }
    }
    page.push_str(&table);
    page.push_str(&words);
    for (path, about, object) in inner {
        let _ = write!(page, "\n### `[{path}]`\n\n{about}\n\n");
        section(schema, &path, &object, page);
    }
}

/// Words of a key that are named in its row; more of them stand below the table alone.
const SHORT: usize = 4;

/// A definition in one word or two.
fn named(schema: &Schema, name: &str) -> String {
    let definition = schema.definition(name);
    let words = ["oneOf", "anyOf"].iter().any(|form| definition[*form].is_array());
    let fixed: Option<Vec<String>> = definition["oneOf"].as_array().and_then(|all| {
        all.iter().map(|one| one["const"].as_str().map(|word| format!("`\"{word}\"`"))).collect()
    });
    match name {
        "Duration" => "time".to_owned(),
        // A table within a value: its keys in one line.
        _ if definition["properties"].is_object() => {
            format!("{{ {} }}", sketch(definition, &|name| named(schema, name)))
        }
        _ if fixed.as_ref().is_some_and(|fixed| fixed.len() <= SHORT) => {
            fixed.unwrap_or_default().join(" or ")
        }
        _ if words => "see below".to_owned(),
        _ => "text".to_owned(),
    }
}

/// What holds where a key is left out.
fn default(object: &Value, path: &str, key: &str, part: &Value) -> String {
    if let Some(default) = part.get("default") {
        return format!("`{default}`");
    }
    if let Some(unwritten) = unwritten_defaults().get(format!("{path}.{key}").as_str()) {
        return format!("`{unwritten}`");
    }
    if Schema::requires(object, key) { "required" } else { "-" }.to_owned()
}

/// Defaults that a resolved scenario does not write down, so that results of before the key are as they were.
fn unwritten_defaults() -> BTreeMap<&'static str, Value> {
    let (compare, gate) = (CompareSection::default(), GateSection::default());
    let value = |value: serde_json::Result<Value>| value.unwrap_or_default();
    BTreeMap::from([
        ("compare.mixing", value(serde_json::to_value(compare.mixing))),
        ("compare.control", value(serde_json::to_value(compare.control))),
        ("gate.failed", gate.failed.into()),
        ("variant.instrumented", bool::default().into()),
        ("cluster.nodes", ClusterSection::default().nodes.into()),
    ])
}

fn metrics() -> String {
    let mut text = String::from(
        "Names for `compare.metrics`, `--metric VARIANT/METRIC` and exports. What is *compared exactly* does not vary from \
         claim to claim, is always compared, and is not named in `compare.metrics`.\n\n\
         | metric | unit | what | compared |\n|---|---|---|---|\n",
    );
    for row in METRICS {
        let compared = match row.judged {
            Judged::ByInterval { min_claims: 0 } => "by interval".to_owned(),
            Judged::ByInterval { min_claims } => {
                format!("by interval, from {min_claims} claims of each arm on")
            }
            Judged::Exactly { .. } => "exactly".to_owned(),
        };
        let unit = if row.unit == Unit::Microseconds { "µs" } else { row.unit.name() };
        let _ = writeln!(text, "| `{}` | {unit} | {} | {compared} |", row.name, row.title);
    }
    text
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_format_is_on_the_page_with_what_holds_without_it() {
        let schema = Schema::new(schemars::schema_for!(ScenarioFile));
        let page = scenario_reference().unwrap();
        let keys = Schema::keys(schema.root());
        for name in SECTIONS {
            assert!(keys.contains_key(name), "{name} is no section any more");
        }
        let objects = keys.iter().filter(|(name, _)| SECTIONS.contains(&name.as_str()));
        for (name, part) in objects {
            let definition = schema.definition(referred(part).or_else(|| referred(&part["items"])).unwrap());
            for (key, part) in &Schema::keys(definition) {
                let own =
                    page.contains(&format!("| `{key}` |")) || page.contains(&format!("### `[{name}.{key}]`"));
                assert!(own, "{name}.{key}");
                // A key that may be missing, and is not null then, has a default that somebody can look up.
                let nullable = part["anyOf"].is_array() || part["type"].is_array();
                if !Schema::requires(definition, key) && !nullable {
                    assert_ne!(default(definition, name, key, part), "-", "{name}.{key}");
                }
            }
        }
        for row in METRICS {
            assert!(page.contains(&format!("| `{}` |", row.name)), "{}", row.name);
        }
    }
}
