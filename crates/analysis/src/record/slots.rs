//! Hash slots: which of a cluster's 16,384 a key belongs to.

/// Number of hash slots of a Valkey cluster.
pub const SLOTS: usize = 16_384;

/// Slot of a hash tag given with or without braces: CRC16 (XMODEM) of what is inside, modulo 16384
/// (the Valkey cluster specification, "Hash tags").
pub fn slot_of_tag(tag: &str) -> u16 {
    let inner = tag.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(tag);
    crc16(inner.as_bytes()) % SLOTS as u16
}

/// By the crate that FlowFabric computes its own partitions with.
fn crc16(bytes: &[u8]) -> u16 {
    crc16::State::<crc16::XMODEM>::calculate(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slot_matches_the_cluster_specification() {
        // The specification's own check value, and slots that `CLUSTER KEYSLOT` answers.
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(slot_of_tag("{foo}"), 12182);
        assert_eq!(slot_of_tag("foo"), 12182);
    }
}
