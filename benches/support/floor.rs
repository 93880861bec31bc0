//! The floor: the cheapest parser with the contract of `PartitionKey::parse` that we could write.
//!
//! It answers how far the shipped parser is from what the work itself costs. It is a yardstick, not a
//! product: `tests/inputs.rs` holds it to ff-core's answers on valid, broken and random keys.

use ff_core::partition::{Partition, PartitionFamily, PartitionKeyParseError};

/// Parses a hash tag, byte by byte, with ff-core's answers and errors.
///
/// Not inlined, because the shipped parser sits behind a crate border and is not inlined either.
#[inline(never)]
pub fn parse(key: &str) -> Result<Partition, PartitionKeyParseError> {
    // The three shapes FlowFabric itself makes; anything else goes the slow way round.
    let (family, digits) = match key.as_bytes() {
        [b'{', b'f', b'p', b':', digits @ .., b'}'] => (PartitionFamily::Flow, digits),
        [b'{', b'b', b':', digits @ .., b'}'] => (PartitionFamily::Budget, digits),
        [b'{', b'q', b':', digits @ .., b'}'] => (PartitionFamily::Quota, digits),
        _ => return Err(reason(key)),
    };
    index(digits).map(|index| Partition { family, index }).ok_or_else(|| reason(key))
}

/// A `u16` in decimal. Like the standard library's parser it takes one leading `+` and any number of zeros.
fn index(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    if digits.is_empty() {
        return None;
    }
    let mut value = 0u32;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u32::from(digit);
        if value > u32::from(u16::MAX) {
            return None;
        }
    }
    Some(value as u16)
}

/// Which error a key that does not parse gets.
#[cold]
fn reason(key: &str) -> PartitionKeyParseError {
    let Some(inner) = key.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        return PartitionKeyParseError::MissingBraces;
    };
    let Some(colon) = inner.bytes().position(|byte| byte == b':') else {
        return PartitionKeyParseError::MalformedBody;
    };
    match &inner[..colon] {
        "fp" | "b" | "q" => PartitionKeyParseError::InvalidIndex(inner[colon + 1..].to_owned()),
        other => PartitionKeyParseError::UnknownFamilyPrefix(other.to_owned()),
    }
}
