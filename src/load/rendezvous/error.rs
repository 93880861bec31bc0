//! What ends a run of several generators: each error names who is missing, gone or different, and what to do.

use super::life::LIFE;
use crate::valkey::ValkeyError;

/// Why generators did not meet, or did not stay together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MeetingError {
    /// Some have not come.
    #[error(
        "rendezvous {name}: generators {} of {of} have not come within {waited_s} s: start them with --part K/{of} \
         --rendezvous {name} on the same cluster, or give more time (--rendezvous-wait)", numbers(.missing)
    )]
    Missing {
        /// The rendezvous.
        name: String,
        /// Who.
        missing: Vec<u32>,
        /// Of how many.
        of: u32,
        /// How long they were waited for.
        waited_s: u64,
    },
    /// Nobody leads.
    #[error(
        "rendezvous {name}: generator 1, which leads, has not come within {waited_s} s: start it with --part 1/N --rendezvous \
         {name} on the same cluster, or give more time (--rendezvous-wait)"
    )]
    NoLeader {
        /// The rendezvous.
        name: String,
        /// How long it was waited for.
        waited_s: u64,
    },
    /// A run of this name is under way.
    #[error(
        "rendezvous {name} is taken by {by}: give this run another name, or wait until that one has ended (a name is free some \
         {} s after its run was killed)", LIFE.as_secs()
    )]
    NameTaken {
        /// The rendezvous.
        name: String,
        /// Who has it.
        by: String,
    },
    /// Two have the same number.
    #[error(
        "rendezvous {name}: generator {part} is there already, as {by}: give each a number of its own, or --part auto/N"
    )]
    NumberTaken {
        /// The rendezvous.
        name: String,
        /// The number.
        part: u32,
        /// Who has it.
        by: String,
    },
    /// All numbers are given away.
    #[error("rendezvous {name}: all {of} generators are there: start no more than that many")]
    Full {
        /// The rendezvous.
        name: String,
        /// How many.
        of: u32,
    },
    /// One has another plan.
    #[error(
        "generator {part} ({place}) has another plan than generator 1: give all of them the same scenario, options and --seed"
    )]
    OtherPlan {
        /// Who.
        part: u32,
        /// Where.
        place: String,
    },
    /// One is another build of the tool.
    #[error(
        "generator {part} ({place}) is version {theirs}, generator 1 is {ours}: run the same build everywhere"
    )]
    OtherTool {
        /// Who.
        part: u32,
        /// Where.
        place: String,
        /// Its version.
        theirs: String,
        /// The leader's.
        ours: String,
    },
    /// One was told of another number of generators.
    #[error(
        "generator {part} ({place}) was started as one of {theirs}, generator 1 as one of {ours}: give all the same N"
    )]
    OtherCount {
        /// Who.
        part: u32,
        /// Where.
        place: String,
        /// How many it knows of.
        theirs: u32,
        /// How many the leader knows of.
        ours: u32,
    },
    /// The leader loaded another library.
    #[error(
        "generator 1 has loaded the function library {loaded}, here it is {wanted}: give all generators the same library"
    )]
    OtherLibrary {
        /// Name, version and checksum of the leader's.
        loaded: String,
        /// Those of this part's.
        wanted: String,
    },
    /// Somebody ended the run before it began.
    #[error("interrupted while the generators met")]
    Interrupted,
    /// One is gone.
    #[error(
        "generator {part}{place} was last heard of {silent_s} s ago: it was killed, is stuck, or lost its connection"
    )]
    Gone {
        /// Who.
        part: u32,
        /// Where, in parentheses; empty where that is not known.
        place: String,
        /// For how long.
        silent_s: u64,
    },
    /// A process that this one had started has ended.
    #[error("generator {part}: {said}")]
    Died {
        /// Who.
        part: u32,
        /// What it said, or how it ended.
        said: String,
    },
    /// One could not go on.
    #[error("generator {part} ({place}) failed: {reason}")]
    PartFailed {
        /// Who.
        part: u32,
        /// Where.
        place: String,
        /// In its words.
        reason: String,
    },
    /// The leader ended the run.
    #[error("generator 1 ended the run: {reason}")]
    Ended {
        /// In its words.
        reason: String,
    },
    /// What was said cannot be said now.
    #[error(
        "generator {part} said `{said}` where that cannot be ({when}): run the same build everywhere, and one run per rendezvous"
    )]
    Unexpected {
        /// Who.
        part: u32,
        /// What.
        said: String,
        /// What goes on.
        when: String,
    },
    /// Something that is no message.
    #[error(
        "rendezvous {name}: a message that is none came over its channel ({detail}): use a name that nobody else uses"
    )]
    NoMessage {
        /// The rendezvous.
        name: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A record does not arrive as it was sent.
    #[error(
        "the record of generator {part} cannot be read: {detail}; its server may have evicted it: give it more memory"
    )]
    Record {
        /// Whose.
        part: u32,
        /// Why.
        detail: String,
    },
    /// The server on which they meet.
    #[error("the server of the rendezvous: {0}")]
    Server(String),
    /// That server did not let this one lead: the others never hear of it.
    #[error("this generator cannot lead, by the server of the rendezvous: {0}")]
    CannotLead(String),
}

impl From<ValkeyError> for MeetingError {
    fn from(error: ValkeyError) -> Self {
        Self::Server(error.to_string())
    }
}

/// `2`, `2 and 3`, `2, 3 and 5`.
fn numbers(parts: &[u32]) -> String {
    let all: Vec<String> = parts.iter().map(ToString::to_string).collect();
    match all.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}
