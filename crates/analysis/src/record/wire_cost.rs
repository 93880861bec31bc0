//! What a claim cost on the wire.

/// What one operation cost on the wire. Exact: counted where the bytes are made and read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WireCost {
    /// Times the caller waited for an answer.
    pub round_trips: u32,
    /// Commands sent; a pipeline counts each of its commands.
    pub commands: u32,
    /// Request bytes as encoded (RESP).
    pub bytes_out: u32,
    /// Reply bytes as encoded (RESP2).
    pub bytes_in: u32,
}

impl std::ops::AddAssign for WireCost {
    fn add_assign(&mut self, other: Self) {
        self.round_trips += other.round_trips;
        self.commands += other.commands;
        self.bytes_out += other.bytes_out;
        self.bytes_in += other.bytes_in;
    }
}
