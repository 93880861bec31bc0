//! `ff_version`: which function library a server runs.

use redis::{Cmd, Value};

use crate::flowfabric::encode::fcall_of;
use crate::flowfabric::library_alias::LibraryAlias;
use crate::flowfabric::reply::{ReplyError, text_of};
use crate::flowfabric::request::Request;

/// Asks for the library's version, a small number as text. Any node answers, whatever slots it owns.
pub struct LibraryVersion;

impl Request for LibraryVersion {
    const COMMAND: &'static str = "fcall";
    const WHAT: &'static str = "ff_version";
    type Reply = String;

    fn command(&self) -> Cmd {
        self.command_of(LibraryAlias::OWN)
    }

    fn command_of(&self, library: LibraryAlias) -> Cmd {
        fcall_of(library, Self::WHAT, [], [])
    }

    fn parse(reply: &Value) -> Result<String, ReplyError> {
        // The only function that does not answer with an array.
        text_of(Self::WHAT, reply)?
            .map(str::to_owned)
            .ok_or_else(|| ReplyError::Malformed { what: Self::WHAT, problem: "nil".into() })
    }
}
