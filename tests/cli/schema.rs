//! `schema/result.schema.json` is what the types say, and what results are.

use std::path::Path;

use reclaim_analysis::report;

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
