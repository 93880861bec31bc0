//! The function library: its source, loading it on a primary, and the proof that exactly this source runs
//! there.

use std::time::Duration;

use redis::Value;
use sha2::{Digest as _, Sha256};

use super::error::ClusterError;
use crate::flowfabric::{
    FUNCTIONS, LIBRARY_NAME, LibraryAlias, LibraryCalls, instrument_library, rename_library,
};
use crate::machine::read_text;
use crate::valkey::{ValkeyError, Wire, WireError, ask, text, unexpected};
use reclaim_analysis::record::LibraryInfo;
use reclaim_analysis::scenario::LibrarySource;

/// A just formed cluster, or one that has failed over, may answer READONLY or CLUSTERDOWN for a moment.
const ATTEMPTS: u32 = 30;
const PAUSE: Duration = Duration::from_millis(100);

/// The source of the library under test.
#[derive(Clone, Debug)]
pub struct Library {
    /// For messages: where it comes from.
    pub(super) origin: String,
    code: String,
    /// SHA-256 of the source.
    pub(super) sha256: String,
    /// Functions that it must have.
    needed: Vec<&'static str>,
}

/// What a primary ran before a run came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// The very library that the run wants.
    Same,
    /// None.
    Nothing,
    /// Another one: its source.
    Other(String),
}

impl Library {
    /// Reads the source, once: what a run loads cannot change while it runs.
    pub fn read(source: &LibrarySource) -> Result<Self, ClusterError> {
        let code = match source {
            LibrarySource::Published => ff_script::LIBRARY_SOURCE.to_owned(),
            LibrarySource::File(path) => read_text(path).map_err(|source| ClusterError::File {
                what: "the function library",
                path: path.clone(),
                source,
            })?,
            LibrarySource::Git { revision, path } => from_git(revision, path)?,
        };
        let sha256 = sha256_hex(code.as_bytes());
        Ok(Self { origin: source.to_string(), code, sha256, needed: FUNCTIONS.to_vec() })
    }

    /// The same, of which only these functions must be there: older releases have fewer.
    #[must_use]
    pub fn needing(self, functions: &[&'static str]) -> Self {
        Self { needed: functions.to_vec(), ..self }
    }

    /// What its functions run.
    pub(super) fn calls(&self) -> LibraryCalls {
        LibraryCalls::parse(&self.code)
    }

    /// SHA-256 of the source, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What a run says of it that finds it loaded: by the version that the source states.
    pub fn info(&self) -> LibraryInfo {
        LibraryInfo {
            name: LIBRARY_NAME.to_owned(),
            version: self.stated_version().unwrap_or("unknown").to_owned(),
            sha256: self.sha256.clone(),
        }
    }

    /// Loads this library beside the one that `wire`'s primary runs, under other names, and checks that it is
    /// there. Returns its version.
    pub(super) async fn load_as(
        &self,
        wire: &Wire,
        alias: LibraryAlias,
        instrumented: bool,
    ) -> Result<String, ClusterError> {
        let form = if instrumented { instrument_library } else { rename_library };
        let code = form(alias, &self.code).map_err(|detail| ClusterError::LibraryRefused {
            addr: wire.addr().clone(),
            library: self.origin.clone(),
            detail,
        })?;
        self.load(wire, &code, true).await?;
        self.verify_as(wire, alias, &code).await
    }

    /// What `wire`'s primary runs; writes nothing. Another version is an error unless `may_replace`.
    pub(super) async fn look(&self, wire: &Wire, may_replace: bool) -> Result<Before, ClusterError> {
        match Held::read(wire, LibraryAlias::OWN).await? {
            None => Ok(Before::Nothing),
            Some(held) if held.code == self.code => Ok(Before::Same),
            Some(held) if !may_replace => Err(self.differs(wire, &held).await),
            Some(held) => Ok(Before::Other(held.code)),
        }
    }

    /// Makes `wire`'s primary run this library and checks that it does; returns its version. Where the
    /// library turns out to be unusable, what was there `before` is put back.
    pub(super) async fn install(&self, wire: &Wire, before: &Before) -> Result<String, ClusterError> {
        if *before != Before::Same {
            self.load(wire, &self.code, matches!(before, Before::Other(_))).await?;
        }
        match self.verify(wire).await {
            Ok(version) => Ok(version),
            Err(error) => {
                match before {
                    Before::Nothing => delete(wire).await?,
                    Before::Other(code) => self.load(wire, code, true).await?,
                    Before::Same => {}
                }
                Err(error)
            }
        }
    }

    /// A library that a server held and is to hold again.
    pub(super) fn put_back(code: &str) -> Self {
        Self {
            origin: "the library that was there before".to_owned(),
            code: code.to_owned(),
            sha256: sha256_hex(code.as_bytes()),
            needed: Vec::new(),
        }
    }

    /// Reads back what the primary holds: the same source, every function that we call, and its version.
    pub(super) async fn verify(&self, wire: &Wire) -> Result<String, ClusterError> {
        self.verify_as(wire, LibraryAlias::OWN, &self.code).await
    }

    async fn verify_as(&self, wire: &Wire, alias: LibraryAlias, code: &str) -> Result<String, ClusterError> {
        let refused = |detail: &str| ClusterError::LibraryRefused {
            addr: wire.addr().clone(),
            library: self.origin.clone(),
            detail: detail.to_owned(),
        };
        let held = Held::read(wire, alias).await?.ok_or_else(|| {
            refused("it was loaded under another name; its first line must be `#!lua name=flowfabric`")
        })?;
        if held.code != code {
            return Err(refused(
                "the server holds another source than the one just loaded; is somebody else loading?",
            ));
        }
        let missing: Vec<String> = self
            .needed
            .iter()
            .filter(|name| !held.functions.iter().any(|held| *held == alias.function(name)))
            .map(|name| (*name).to_owned())
            .collect();
        if !missing.is_empty() {
            return Err(ClusterError::LibraryIncomplete { library: self.origin.clone(), missing });
        }
        version(wire, alias).await
    }

    pub(super) async fn load(&self, wire: &Wire, code: &str, replace: bool) -> Result<(), ClusterError> {
        let mut cmd = redis::cmd("FUNCTION");
        cmd.arg("LOAD");
        if replace {
            cmd.arg("REPLACE");
        }
        cmd.arg(code);
        let mut attempt = 1;
        loop {
            match ask(wire, "FUNCTION LOAD", &cmd, "function|load").await {
                Ok(_) => return Ok(()),
                Err(ValkeyError::Server { source: WireError::Server { code, .. }, .. })
                    if matches!(code.as_str(), "READONLY" | "CLUSTERDOWN" | "LOADING" | "BUSY")
                        && attempt < ATTEMPTS =>
                {
                    attempt += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                // Somebody else was faster; `verify` tells whether it is the same library.
                Err(ValkeyError::Server { source: WireError::Server { detail, .. }, .. })
                    if !replace && detail.contains("already exists") && detail.starts_with("Library") =>
                {
                    return Ok(());
                }
                Err(ValkeyError::Server { addr, source: WireError::Server { code, detail }, .. }) => {
                    return Err(ClusterError::LibraryRefused {
                        addr,
                        library: self.origin.clone(),
                        detail: format!("{code} {detail}"),
                    });
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn differs(&self, wire: &Wire, held: &Held) -> ClusterError {
        let info = |version: &str, sha256: &str| {
            Box::new(LibraryInfo {
                name: LIBRARY_NAME.to_owned(),
                version: version.to_owned(),
                sha256: sha256.to_owned(),
            })
        };
        let loaded_version = version(wire, LibraryAlias::OWN).await.unwrap_or_else(|_| "unknown".to_owned());
        ClusterError::LibraryDiffers {
            addr: wire.addr().clone(),
            loaded: info(&loaded_version, &sha256_hex(held.code.as_bytes())),
            wanted: info(self.stated_version().unwrap_or("unknown"), &self.sha256),
        }
    }

    /// The version as the source states it: what `ff_version` would return.
    fn stated_version(&self) -> Option<&str> {
        let (_, body) = self.code.split_once("register_function('ff_version'")?;
        body.split_once("return '")?.1.split('\'').next()
    }
}

/// Removes the library from one primary.
pub(super) async fn delete(wire: &Wire) -> Result<(), ClusterError> {
    let mut cmd = redis::cmd("FUNCTION");
    cmd.arg("DELETE").arg(LIBRARY_NAME);
    ask(wire, "FUNCTION DELETE", &cmd, "function|delete").await?;
    Ok(())
}

/// A file as a revision has it, seen from the current directory.
fn from_git(revision: &str, path: &str) -> Result<String, ClusterError> {
    let object = format!("{revision}:{path}");
    let refused = |detail: String| ClusterError::Revision { object: object.clone(), detail };
    let output = std::process::Command::new("git")
        // Plumbing: the bytes as stored, whatever the user has configured for `git show`. A revision that
        // looks like an option has been refused when its name was read.
        .args(["cat-file", "blob", &object])
        .output()
        .map_err(|error| refused(format!("cannot run git: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(refused(said.trim().trim_start_matches("fatal: ").trim_end_matches('.').to_owned()));
    }
    String::from_utf8(output.stdout).map_err(|_| refused("it is not text".to_owned()))
}

async fn version(wire: &Wire, alias: LibraryAlias) -> Result<String, ClusterError> {
    let mut cmd = redis::cmd("FCALL");
    cmd.arg(&*alias.function("ff_version")).arg(0);
    Ok(text(wire, "FCALL ff_version", &cmd, "fcall").await?)
}

pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// The library as a server holds it.
pub(super) struct Held {
    pub(super) code: String,
    functions: Vec<String>,
}

impl Held {
    pub(super) async fn read(wire: &Wire, alias: LibraryAlias) -> Result<Option<Self>, ClusterError> {
        let mut cmd = redis::cmd("FUNCTION");
        cmd.arg("LIST").arg("LIBRARYNAME").arg(alias.library()).arg("WITHCODE");
        let reply = ask(wire, "FUNCTION LIST", &cmd, "function|list").await?;
        let Value::Array(libraries) = &reply else {
            return Err(unexpected(wire, "FUNCTION LIST", &reply).into());
        };
        let Some(library) = libraries.first() else { return Ok(None) };
        let (Some(Value::BulkString(code)), Some(Value::Array(functions))) =
            (field(library, "library_code"), field(library, "functions"))
        else {
            return Err(unexpected(wire, "FUNCTION LIST", library).into());
        };
        let functions = functions
            .iter()
            .filter_map(|function| match field(function, "name") {
                Some(Value::BulkString(name)) => Some(String::from_utf8_lossy(name).into_owned()),
                _ => None,
            })
            .collect();
        Ok(Some(Self { code: String::from_utf8_lossy(code).into_owned(), functions }))
    }
}

/// A value of a RESP2 map, which is a flat array of names and values.
fn field<'a>(map: &'a Value, name: &str) -> Option<&'a Value> {
    let Value::Array(items) = map else { return None };
    items.chunks_exact(2).find_map(|pair| match &pair[0] {
        Value::BulkString(key) if key.as_slice() == name.as_bytes() => Some(&pair[1]),
        Value::SimpleString(key) if key == name => Some(&pair[1]),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_library_states_its_version() {
        let library = Library::read(&LibrarySource::Published).unwrap();
        assert_eq!(library.stated_version(), Some(ff_script::LIBRARY_VERSION.trim()));
    }
}
