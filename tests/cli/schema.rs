//! `schema/result.schema.json` is what the types say, and what results are.

use std::path::Path;

use reclaim_analysis::report;
use serde_json::Value;

use crate::{fixture, tool};

fn committed() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/result.schema.json");
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_committed_schema_is_the_one_of_the_types() {
    assert!(
        committed() == report::schema().unwrap(),
        "the types have changed: cargo run -- schema > schema/result.schema.json"
    );
}

#[test]
fn the_tool_prints_it() {
    tool().arg("schema").assert().success().stdout(committed());
}

#[test]
fn the_committed_references_are_those_of_the_types() {
    for of in ["scenario", "result"] {
        let path = format!("docs/{of}-reference.md");
        let committed = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path)).unwrap();
        let printed = tool().args(["reference", of]).assert().success();
        let printed = String::from_utf8(printed.get_output().stdout.clone()).unwrap();
        assert!(committed == printed, "the types have changed: cargo run -- reference {of} > {path}");
    }
}

/// A result as a version could have left it that knew no key which the schema lets be missing.
fn without_optional(part: &Value, schema: &Value, value: &mut Value) {
    let part = match part["$ref"].as_str() {
        Some(name) => &schema["$defs"][name.trim_start_matches("#/$defs/")],
        None => part,
    };
    for option in part["anyOf"].as_array().into_iter().flatten() {
        without_optional(option, schema, value);
    }
    match value {
        Value::Object(keys) if part["properties"].is_object() && part["oneOf"].is_null() => {
            let required = part["required"].as_array().cloned().unwrap_or_default();
            keys.retain(|key, _| required.iter().any(|name| name == key));
            for (key, value) in keys {
                without_optional(&part["properties"][key], schema, value);
            }
        }
        Value::Object(keys) if part["additionalProperties"].is_object() => {
            for value in keys.values_mut() {
                without_optional(&part["additionalProperties"], schema, value);
            }
        }
        Value::Array(items) => {
            for item in items {
                without_optional(&part["items"], schema, item);
            }
        }
        _ => {}
    }
}

#[test]
fn results_of_before_any_optional_key_are_read() {
    let schema: Value = serde_json::from_str(&committed()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for (name, result) in fixture::all() {
        let mut value = serde_json::to_value(&result).unwrap();
        let before = value.to_string().len();
        without_optional(&schema, &schema, &mut value);
        assert!(
            value.to_string().len() < before && value["control"].is_null(),
            "{name}: nothing was left out"
        );
        let file = dir.path().join("result.json");
        std::fs::write(&file, value.to_string()).unwrap();
        tool().arg("report").arg(&file).assert().success();
    }
    // The oldest one that is kept.
    let oldest = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/reference/lane-ab-20000");
    tool().arg("report").arg(&oldest).assert().success();
    tool().arg("compare").args([&oldest, &oldest]).assert().code(predicates::ord::ne(2));
}

#[test]
fn every_kind_of_result_fits_the_schema_and_a_changed_one_does_not() {
    let schema: serde_json::Value = serde_json::from_str(&committed()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (name, result) in fixture::all() {
        let value = serde_json::to_value(&result).unwrap();
        let errors: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
    let mut value = serde_json::to_value(fixture::lane_ab()).unwrap();
    value["audit"]["lost"] = "none".into();
    assert!(!validator.is_valid(&value));
    let mut value = serde_json::to_value(fixture::lane_ab()).unwrap();
    value.as_object_mut().unwrap().remove("control");
    value.as_object_mut().unwrap().remove("valid");
    assert!(!validator.is_valid(&value));
}
