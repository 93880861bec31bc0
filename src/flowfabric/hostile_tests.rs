//! Hostile replies to everything that is asked: a reply of another shape is an error that says so, never a
//! panic.

use redis::Value;

use super::*;
use crate::hostile::withstands;
use crate::valkey::hostile_tests::reply;

const WORDS: &[&str] = &[
    "*0\r\n",
    "*2\r\n",
    "*-1\r\n",
    ":1\r\n",
    ":0\r\n",
    ":-9223372036854775808\r\n",
    "$-1\r\n",
    "$2\r\nOK\r\n",
    "$9\r\nDUPLICATE\r\n",
    "$17\r\nALREADY_SATISFIED\r\n",
    "$5\r\nevent\r\n",
    "$8\r\nacquired\r\n",
    "$20\r\n18446744073709551616\r\n",
    "$2\r\n-1\r\n",
    "$3\r\nnan\r\n",
    "$0\r\n\r\n",
    "$3\r\n\u{20ac}\r\n",
    "+OK\r\n",
    "\r\n",
];

/// Reads the reply as one to `R`; an error says something.
fn read<R: Request>(reply: &Value) {
    if let Err(error) = R::parse(reply) {
        assert!(error.to_string().len() > R::WHAT.len(), "{error}");
    }
}

#[test]
fn a_hostile_reply_is_read_or_refused_by_every_request() {
    withstands("reply", Vec::new(), WORDS, |input| {
        let reply = reply(input);
        let readers: [fn(&Value); 38] = [
            read::<ReadAttemptIndex<'_>>,
            read::<ReadAttemptCount<'_>>,
            read::<ReadLane<'_>>,
            read::<ReadLaneAndAttempt<'_>>,
            read::<ReadPayload<'_>>,
            read::<ReadCore<'_>>,
            read::<ReadTags<'_>>,
            read::<ReadGrantExpiry<'_>>,
            read::<ReadForScan<'_>>,
            read::<ReadForAudit<'_>>,
            read::<ListEligible<'_>>,
            read::<CountEligible<'_>>,
            read::<ReadServerTime>,
            read::<ReadCurrentKid>,
            read::<WriteSecret<'_>>,
            read::<IssueClaimGrant<'_>>,
            read::<RevokeLease<'_>>,
            read::<RenewLease<'_>>,
            read::<MarkLeaseExpired<'_>>,
            read::<IssueReclaimGrant<'_>>,
            read::<ReclaimExecution<'_>>,
            read::<CreateExecution<'_>>,
            read::<LibraryVersion>,
            read::<DeliverSignal<'_>>,
            read::<DelayExecution<'_>>,
            read::<PromoteDelayed<'_>>,
            read::<ClaimResumedExecution<'_>>,
            read::<ClaimExecution<'_>>,
            read::<IssueGrantAndClaim<'_>>,
            read::<SuspendExecution<'_>>,
            read::<ExpireSuspension<'_>>,
            read::<ResumeExecution<'_>>,
            read::<ReadOwner<'_>>,
            read::<ReadLeaseRecord<'_>>,
            read::<ReadAttemptRecord<'_>>,
            read::<ReadScore<'_>>,
            read::<IsAmongLeases<'_>>,
            read::<ReadLastAcquired<'_>>,
        ];
        for reader in readers {
            reader(&reply);
        }
    });
}
