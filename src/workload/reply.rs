//! Plain commands' replies as text and numbers.

use redis::Value;

/// Text of a bulk or simple string; `None` for anything else, nil included.
pub(super) fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        Value::Okay => Some("OK"),
        _ => None,
    }
}

/// Items of an array; empty for anything else.
pub(super) fn items_of(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) | Value::Set(items) => items,
        _ => &[],
    }
}

/// All texts of an array, in order, those that are no text as empty ones.
pub(super) fn texts_of(value: &Value) -> Vec<&str> {
    items_of(value).iter().map(|item| text_of(item).unwrap_or_default()).collect()
}

/// An integer reply; 0 for anything else.
pub(super) fn int_of(value: &Value) -> i64 {
    match value {
        Value::Int(number) => *number,
        _ => 0,
    }
}
