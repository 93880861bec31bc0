//! Administrative commands: one question, one answer, errors with the right meaning.

use std::collections::BTreeMap;

use redis::Value;

use super::error::ValkeyError;
use super::wire::Wire;
use reclaim_analysis::record::WireCost;

/// Asks a command whose reply is text.
pub(crate) async fn text(
    wire: &Wire,
    doing: &'static str,
    cmd: &redis::Cmd,
    name: &'static str,
) -> Result<String, ValkeyError> {
    match ask(wire, doing, cmd, name).await? {
        Value::BulkString(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Value::SimpleString(text) => Ok(text),
        Value::Okay => Ok("OK".to_owned()),
        Value::Int(number) => Ok(number.to_string()),
        other => Err(unexpected(wire, doing, &other)),
    }
}

/// Asks a command and gives its errors the right meaning.
pub(crate) async fn ask(
    wire: &Wire,
    doing: &'static str,
    cmd: &redis::Cmd,
    name: &'static str,
) -> Result<Value, ValkeyError> {
    wire.call(name, cmd, &mut WireCost::default())
        .await
        .map_err(|error| ValkeyError::from_wire(wire.addr(), doing, error))
}

/// Settings whose names fit a pattern (`CONFIG GET`), by name.
pub(crate) async fn config(wire: &Wire, pattern: &str) -> Result<BTreeMap<String, String>, ValkeyError> {
    const DOING: &str = "CONFIG GET";
    let mut cmd = redis::cmd("CONFIG");
    cmd.arg("GET").arg(pattern);
    let reply = ask(wire, DOING, &cmd, "config|get").await?;
    let Value::Array(items) = &reply else { return Err(unexpected(wire, DOING, &reply)) };
    let pair = |pair: &[Value]| Some((plain(&pair[0])?, plain(&pair[1])?));
    Ok(items.chunks_exact(2).filter_map(pair).collect())
}

/// A value as text, where it is some.
pub(crate) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    }
}

pub(crate) fn unexpected(wire: &Wire, doing: &'static str, value: &Value) -> ValkeyError {
    let mut detail = format!("{value:?}");
    detail.truncate(detail.floor_char_boundary(200));
    ValkeyError::Reply { addr: wire.addr().clone(), doing, detail }
}
