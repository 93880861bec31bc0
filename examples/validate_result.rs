//! Checks a result file against the schema: `cargo run --example validate_result -- SCHEMA RESULT`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut paths = std::env::args_os().skip(1);
    let mut read = |what: &str| -> Result<serde_json::Value, Box<dyn Error>> {
        let path =
            paths.next().ok_or_else(|| format!("usage: validate_result SCHEMA RESULT; no {what} given"))?;
        Ok(serde_json::from_str(&std::fs::read_to_string(path)?)?)
    };
    let (schema, result) = (read("SCHEMA")?, read("RESULT")?);
    let errors: Vec<_> =
        jsonschema::validator_for(&schema)?.iter_errors(&result).map(|error| error.to_string()).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors.join("\n").into()) }
}
