//! Parts of a JSON schema in words.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// A schema with its definitions.
pub(super) struct Schema {
    root: Value,
}

impl Schema {
    pub(super) fn new(schema: schemars::Schema) -> Self {
        Self { root: schema.into() }
    }

    /// The type that the schema is of.
    pub(super) fn root(&self) -> &Value {
        &self.root
    }

    /// The definition of this name; what a schema refers to is in it.
    pub(super) fn definition(&self, name: &str) -> &Value {
        &self.root["$defs"][name]
    }

    /// The keys of an object, in alphabetical order.
    pub(super) fn keys(object: &Value) -> Map<String, Value> {
        object["properties"].as_object().cloned().unwrap_or_default()
    }

    /// Whether an object must have the key.
    pub(super) fn requires(object: &Value, key: &str) -> bool {
        object["required"].as_array().is_some_and(|required| required.iter().any(|name| name == key))
    }
}

/// The name of the definition that a part is of, whether or not it may be null.
pub(super) fn referred(part: &Value) -> Option<&str> {
    own(part).or_else(|| part["anyOf"].as_array()?.iter().find_map(own))
}

fn own(part: &Value) -> Option<&str> {
    part["$ref"].as_str()?.strip_prefix("#/$defs/")
}

/// Every definition that a part refers to, in the order of its text.
pub(super) fn all_referred<'a>(part: &'a Value, found: &mut Vec<&'a str>) {
    match part {
        Value::Object(map) => {
            for (key, value) in map {
                match (key.as_str(), value.as_str()) {
                    ("$ref", Some(name)) => found.extend(name.strip_prefix("#/$defs/")),
                    ("$defs", _) => {}
                    _ => all_referred(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| all_referred(item, found)),
        _ => {}
    }
}

/// What a part's values are. `named` says how a definition is written.
pub(super) fn type_words(part: &Value, named: &dyn Fn(&str) -> String) -> String {
    if let Some(name) = referred(part) {
        return named(name);
    }
    let types: Vec<&str> = match &part["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => {
            several.iter().filter_map(Value::as_str).filter(|one| *one != "null").collect()
        }
        _ => Vec::new(),
    };
    match types.as_slice() {
        _ if part["const"].is_string() => format!("`{}`", part["const"]),
        ["string"] => "text".to_owned(),
        ["boolean"] => "`true` or `false`".to_owned(),
        ["integer"] => "whole number".to_owned(),
        ["number"] => "number".to_owned(),
        ["array"] => format!("list: {}", type_words(&part["items"], named)),
        ["object"] if part["additionalProperties"].is_object() => {
            format!("name → {}", type_words(&part["additionalProperties"], named))
        }
        ["object"] => sketch(part, named),
        _ => "any".to_owned(),
    }
}

/// An object in one line: `{ "event": "x", "code": text }`.
pub(super) fn sketch(object: &Value, named: &dyn Fn(&str) -> String) -> String {
    let keys = Schema::keys(object);
    // The key with a fixed value says which of several objects it is: it comes first.
    let (fixed, others): (Vec<_>, Vec<_>) = keys.iter().partition(|(_, part)| part["const"].is_string());
    let of = |(key, part): &(&String, &Value)| format!("`{key}`: {}", type_words(part, named));
    fixed.iter().chain(&others).map(of).collect::<Vec<_>>().join(", ")
}

/// A description in one line of Markdown, for a table: what stands in a comment for the source's reader is
/// turned into what it means in a file.
pub(super) fn described(part: &Value) -> String {
    let text = part["description"].as_str().unwrap_or_default();
    let mut line =
        text.split_whitespace().collect::<Vec<_>>().join(" ").replace("`None`", "null").replace('|', "\\|");
    // Links of the source lead nowhere here.
    while let (Some(begin), Some(end)) = (line.find("[`"), line.find("`]"))
        && begin < end
    {
        let inner = line[begin + 2..end].rsplit("::").next().unwrap_or_default().to_owned();
        line.replace_range(begin..end + 2, &format!("`{inner}`"));
    }
    line
}

/// The values of a type that has a fixed set of them, one per row: the form, and what it means.
pub(super) fn choices(definition: &Value, named: &dyn Fn(&str) -> String) -> Option<String> {
    let options = definition["oneOf"].as_array().or_else(|| definition["anyOf"].as_array())?;
    let mut text = String::from("| value | meaning |\n|---|---|\n");
    for option in options {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {} | {} |", type_words(option, named), described(option));
    }
    Some(text)
}
