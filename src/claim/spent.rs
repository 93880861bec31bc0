//! What a claim has spent so far.

use redis::Value;

use crate::valkey::{reply_len, request_len};
use reclaim_analysis::record::{StepTimes, WireCost};

/// Counts and times of the round trips that one claim has made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Exact counts.
    pub cost: WireCost,
    /// How long each round trip took that brought a reply.
    pub steps: StepTimes,
}

impl Spent {
    /// Adds what requests behind so many ASKING cost, without these: they are the redirect's, and no variant
    /// sends any.
    pub(super) fn add_without_asking(&mut self, cost: WireCost, asked: u32) {
        if asked == 0 {
            self.cost += cost;
            return;
        }
        let (out, back) = (request_len(&redis::cmd("ASKING")) as u32, reply_len(&Value::Okay) as u32);
        self.cost += WireCost {
            commands: cost.commands.saturating_sub(asked),
            bytes_out: cost.bytes_out.saturating_sub(asked * out),
            bytes_in: cost.bytes_in.saturating_sub(asked * back),
            ..cost
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asking_is_no_part_of_what_a_claim_costs() {
        let mut spent = Spent::default();
        let cost = WireCost { round_trips: 1, commands: 4, bytes_out: 232, bytes_in: 110 };
        spent.add_without_asking(cost, 2);
        // *1 $6 ASKING is 16 bytes, +OK is 5.
        let wanted = WireCost { round_trips: 1, commands: 2, bytes_out: 200, bytes_in: 100 };
        assert_eq!(spent.cost, wanted);
        // Without a reply nothing came back.
        spent.add_without_asking(WireCost { bytes_in: 0, ..cost }, 2);
        assert_eq!((spent.cost.round_trips, spent.cost.bytes_in), (2, 100));
    }
}
