//! Which keys and words the file form knows, read from the schema of [`ScenarioFile`] itself.

use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::file::ScenarioFile;

/// One place of the file form: what may stand there.
#[derive(Clone, Debug)]
pub(super) struct Shape<'a> {
    /// Alternatives; `skew` for one is a word or a table.
    choices: Vec<&'a Value>,
}

impl Shape<'static> {
    /// The whole file.
    pub(super) fn root() -> Self {
        static SCHEMA: OnceLock<Value> = OnceLock::new();
        let schema = SCHEMA.get_or_init(|| {
            let settings = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
            settings.into_generator().into_root_schema_for::<ScenarioFile>().to_value()
        });
        Self::from_schema(schema)
    }
}

impl<'a> Shape<'a> {
    fn from_schema(schema: &'a Value) -> Self {
        let mut choices = Vec::new();
        collect(schema, &mut choices);
        Self { choices }
    }

    /// Keys of the table that may stand here.
    pub(super) fn keys(&self) -> Vec<&'a str> {
        self.tables().flat_map(|table| table.keys().map(String::as_str)).collect()
    }

    /// What may stand under `key`; `None` where the key is not known.
    pub(super) fn key(&self, key: &str) -> Option<Self> {
        self.tables().find_map(|table| table.get(key)).map(Self::from_schema)
    }

    /// Keys that must be there.
    pub(super) fn required(&self) -> Vec<&'a str> {
        match self.choices.as_slice() {
            [one] => one["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// What may stand in the list here.
    pub(super) fn items(&self) -> Option<Self> {
        self.choices.iter().find_map(|choice| choice.get("items")).map(Self::from_schema)
    }

    /// The words that may stand here; `None` where any text, or no text at all, may.
    pub(super) fn words(&self) -> Option<Vec<&'a str>> {
        let mut words = Vec::new();
        for choice in &self.choices {
            if let Some(word) = choice["const"].as_str() {
                words.push(word);
            } else if let Some(list) = choice["enum"].as_array() {
                words.extend(list.iter().filter_map(Value::as_str));
            } else if choice["type"] == "string" {
                return None;
            }
        }
        (!words.is_empty()).then_some(words)
    }

    fn tables(&self) -> impl Iterator<Item = &'a serde_json::Map<String, Value>> {
        self.choices.iter().filter_map(|choice| choice["properties"].as_object())
    }
}

fn collect<'a>(schema: &'a Value, choices: &mut Vec<&'a Value>) {
    let nested = ["oneOf", "anyOf"].iter().filter_map(|word| schema[word].as_array()).flatten();
    let before = choices.len();
    for choice in nested {
        collect(choice, choices);
    }
    if choices.len() == before {
        choices.push(schema);
    }
}
