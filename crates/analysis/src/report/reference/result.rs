//! docs/result-reference.md: what `result.json` holds.

use std::fmt::Write as _;

use serde_json::Value;

use super::words::{Schema, all_referred, choices, described, type_words};
use crate::judge::{RunResult, SCHEMA};

/// A scenario stands in a result as it was written; it has a page of its own.
const ELSEWHERE: &str = "ScenarioFile";

/// The whole page.
pub fn result_reference() -> String {
    let schema = Schema::new(schemars::schema_for!(RunResult));
    let named = |name: &str| link(&schema, name);
    let mut page = format!(
        "\
# Result reference

<!-- Made from the types: reclaim-bench reference result > docs/result-reference.md -->

`result.json` of a run, format `{SCHEMA}`; [../schema/result.schema.json](../schema/result.schema.json) is the same for
programs. What may be missing is marked *optional*: it is left out, or null, where it was not measured, and in results of
versions that did not have it ([formats.md](formats.md)). Names that end in `_us` are microseconds, in `_s` seconds.

What was measured and what follows from it stand side by side; the second (`valid`, `variants`, `comparisons` and the like) can be
computed again from the first, and is.

"
    );
    page.push_str(&table(schema.root(), &named));
    let mut types = reached(&schema);
    types.sort_unstable();
    for name in types {
        let definition = schema.definition(name);
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## `{name}`\n\n{}\n\n", described(definition));
        if definition["properties"].is_object() {
            page.push_str(&table(definition, &named));
        }
        if let Some(values) = choices(definition, &named) {
            let gap = if definition["properties"].is_object() { "\nand one of\n\n" } else { "" };
            let _ = write!(page, "{gap}{values}");
        }
    }
    page.replace("`SCHEMA`", &format!("`{SCHEMA}`")) + "\n[Next: Glossary](glossary.md)\n"
}

fn table(object: &Value, named: &dyn Fn(&str) -> String) -> String {
    let mut text = String::from("| key | type | meaning |\n|---|---|---|\n");
    for (key, part) in &Schema::keys(object) {
        let optional = if Schema::requires(object, key) { "" } else { ", optional" };
        let _ = writeln!(text, "| `{key}` | {}{optional} | {} |", type_words(part, named), described(part));
    }
    text
}

/// A type with a section of its own is a link to it; what is only a form of a text or a number is that form.
fn link(schema: &Schema, name: &str) -> String {
    match name {
        ELSEWHERE => "[scenario](scenario-reference.md)".to_owned(),
        _ if has_section(schema.definition(name)) => format!("[{name}](#{})", name.to_lowercase()),
        _ => format!("text ({})", described(schema.definition(name))),
    }
}

fn has_section(definition: &Value) -> bool {
    ["properties", "oneOf", "anyOf"].iter().any(|form| !definition[*form].is_null())
}

/// Names of the definitions that a result is made of, but for those of a scenario alone.
fn reached(schema: &Schema) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    let mut next = Vec::new();
    all_referred(schema.root(), &mut next);
    while let Some(name) = next.pop() {
        if name == ELSEWHERE || found.contains(&name) || !has_section(schema.definition(name)) {
            continue;
        }
        found.push(name);
        all_referred(schema.definition(name), &mut next);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_leads_to_a_section_and_every_key_is_there() {
        let page = result_reference();
        let schema = Schema::new(schemars::schema_for!(RunResult));
        for (key, _) in &Schema::keys(schema.root()) {
            assert!(page.contains(&format!("| `{key}` | ")), "{key}");
        }
        let mut links = 0;
        for piece in page.split("](#").skip(1) {
            let (anchor, _) = piece.split_once(')').unwrap();
            let heading = page.lines().any(|line| {
                line.strip_prefix("## ").is_some_and(|title| title.replace('`', "").to_lowercase() == anchor)
            });
            assert!(heading, "#{anchor} leads nowhere");
            links += 1;
        }
        assert!(links > 50, "{links} links");
        assert!(!page.contains("PopulationSection"), "a scenario has its own page");
    }
}
