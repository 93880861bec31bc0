//! Which release of FlowFabric's SDK an arm's worker is built against, and how a scenario or an option names
//! it.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use super::revision::{is_revision, revision_and_path, seen_from};

/// Where the SDK's sources come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SdkSource {
    /// A version that is published: `0.15.0`.
    Release(String),
    /// The directory of the crate `ff-sdk`; its sibling crates are those that its manifest names.
    Dir(PathBuf),
    /// The same directory as it is in a git revision: `<rev>:<path>`, read with git where the command runs.
    Git {
        /// Branch, tag, commit or any other name that git resolves.
        revision: String,
        /// From the top of the repository.
        path: String,
    },
}

impl SdkSource {
    /// Reads a name. What begins with `.` or `/` is a path, whatever else is in it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err(
                "empty; write a version such as 0.15.0, the directory of the crate ff-sdk, or <rev>:<path>"
                    .into(),
            );
        }
        if is_version(text) {
            return Ok(Self::Release(text.to_owned()));
        }
        if let Some((revision, path)) = revision_and_path(text) {
            let plain = !path.is_empty()
                && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
            return if is_revision(revision) && plain {
                Ok(Self::Git { revision: revision.to_owned(), path: path.to_owned() })
            } else {
                Err(format!(
                    "`{text}` is not <rev>:<path>, such as origin/main:crates/ff-sdk, from the repository's top"
                ))
            };
        }
        if text.starts_with(|first: char| first.is_ascii_digit()) && !text.contains('/') {
            return Err(format!(
                "`{text}` is not a whole version, such as 0.15.0; write ./{text} for a directory"
            ));
        }
        Ok(Self::Dir(PathBuf::from(text)))
    }

    /// A directory in `text` seen from `dir`; everything else as it is. For paths that stand in a file of
    /// that directory.
    pub fn rebase(text: &str, dir: &Path) -> String {
        match Self::parse(text) {
            Ok(Self::Dir(path)) if path.is_relative() => seen_from(dir, &path),
            _ => text.to_owned(),
        }
    }
}

/// Three numbers, and what may follow them in a pre-release.
fn is_version(text: &str) -> bool {
    let (numbers, more) = text.split_once('-').unwrap_or((text, "0"));
    let parts: Vec<&str> = numbers.split('.').collect();
    let number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.len() == 3
        && parts.iter().all(number)
        && !more.is_empty()
        && more.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-')
}

impl fmt::Display for SdkSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release(version) => f.write_str(version),
            Self::Dir(path) => path.display().fmt(f),
            Self::Git { revision, path } => write!(f, "{revision}:{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_directories_and_revisions_are_told_apart() {
        let git =
            |revision: &str, path: &str| SdkSource::Git { revision: revision.into(), path: path.into() };
        let dir = |path: &str| SdkSource::Dir(path.into());
        let release = |version: &str| SdkSource::Release(version.into());
        for (text, expected) in [
            ("0.15.0", release("0.15.0")),
            ("0.16.0-rc.1", release("0.16.0-rc.1")),
            ("../FlowFabric/crates/ff-sdk", dir("../FlowFabric/crates/ff-sdk")),
            ("crates/ff-sdk", dir("crates/ff-sdk")),
            ("./0.15.0", dir("./0.15.0")),
            ("/a:b/ff-sdk", dir("/a:b/ff-sdk")),
            ("origin/main:crates/ff-sdk", git("origin/main", "crates/ff-sdk")),
            ("v0.15.0:crates/ff-sdk", git("v0.15.0", "crates/ff-sdk")),
        ] {
            assert_eq!(SdkSource::parse(text), Ok(expected), "{text}");
        }
        for (text, word) in [
            ("", "empty"),
            ("0.15", "./0.15"),
            ("0.15.x", "whole version"),
            (":x", "<rev>:<path>"),
            ("main:", "<rev>:<path>"),
            ("main:../x", "from the repository's top"),
            ("--output=x:y", "<rev>"),
        ] {
            assert!(SdkSource::parse(text).unwrap_err().contains(word), "{text}");
        }
    }

    #[test]
    fn only_relative_directories_are_seen_from_another_directory() {
        let rebase = |text| SdkSource::rebase(text, Path::new("scenarios"));
        assert_eq!(rebase("../ff-sdk"), "./scenarios/../ff-sdk");
        for text in ["/ff-sdk", "0.15.0", "main:crates/ff-sdk"] {
            assert_eq!(rebase(text), text);
        }
    }
}
