//! Which version of the function library an arm runs, and how a scenario or an option names it.

use std::fmt;
use std::path::{Path, PathBuf};

use super::revision::{is_revision, revision_and_path, seen_from};

/// Version of the ff-script crate whose library is built in.
const PUBLISHED_VERSION: &str = env!("FF_SCRIPT_VERSION");

/// Names of crate versions begin with this; a file of such a name is given as `./ff-script-...`.
const RELEASE_PREFIX: &str = "ff-script-";

/// Where the function library's source comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LibrarySource {
    /// `ff_script::LIBRARY_SOURCE`, as published: `published`, or the release's name, such as
    /// `ff-script-0.15.0`.
    Published,
    /// A file with another version of it.
    File(PathBuf),
    /// A file as it is in a git revision: `<rev>:<path>`, read with git where the command runs.
    Git {
        /// Branch, tag, commit or any other name that git resolves.
        revision: String,
        /// From the top of the repository, or from the current directory where it begins with `./`.
        path: String,
    },
}

impl LibrarySource {
    /// Reads a name. What begins with `.` or `/` is a path, whatever else is in it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "published" {
            return Ok(Self::Published);
        }
        if let Some(version) = text.strip_prefix(RELEASE_PREFIX) {
            return if version == PUBLISHED_VERSION {
                Ok(Self::Published)
            } else {
                Err(format!(
                    "the release `{text}` is not built in, only {RELEASE_PREFIX}{PUBLISHED_VERSION} is; give the file \
                     of another release by its path"
                ))
            };
        }
        if text.is_empty() {
            return Err("empty; write `published`, the path of a file, or <rev>:<path>".into());
        }
        if let Some((revision, path)) = revision_and_path(text) {
            return if is_revision(revision) && !path.is_empty() {
                Ok(Self::Git { revision: revision.to_owned(), path: path.to_owned() })
            } else {
                Err(format!(
                    "`{text}` is not <rev>:<path>, such as origin/main:crates/ff-script/src/flowfabric.lua"
                ))
            };
        }
        Ok(Self::File(PathBuf::from(text)))
    }

    /// A file in `text` seen from `dir`; everything else as it is. For paths that stand in a file of that
    /// directory.
    pub fn rebase(text: &str, dir: &Path) -> String {
        match Self::parse(text) {
            Ok(Self::File(path)) if path.is_relative() => seen_from(dir, &path),
            _ => text.to_owned(),
        }
    }
}

impl fmt::Display for LibrarySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Published => f.write_str("(published)"),
            Self::File(path) => path.display().fmt(f),
            Self::Git { revision, path } => write!(f, "{revision}:{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_paths_and_revisions_are_told_apart() {
        let git = |revision: &str, path: &str| {
            Ok(LibrarySource::Git { revision: revision.into(), path: path.into() })
        };
        let file = |path: &str| Ok(LibrarySource::File(path.into()));
        let cases = [
            ("published", Ok(LibrarySource::Published)),
            (concat!("ff-script-", env!("FF_SCRIPT_VERSION")), Ok(LibrarySource::Published)),
            ("crates/ff-script/src/flowfabric.lua", file("crates/ff-script/src/flowfabric.lua")),
            ("./published", file("./published")),
            ("./a:b.lua", file("./a:b.lua")),
            ("/a:b.lua", file("/a:b.lua")),
            (
                "origin/main:crates/ff-script/src/flowfabric.lua",
                git("origin/main", "crates/ff-script/src/flowfabric.lua"),
            ),
            ("HEAD~2:./x.lua", git("HEAD~2", "./x.lua")),
        ];
        for (text, expected) in cases {
            assert_eq!(LibrarySource::parse(text), expected, "{text}");
        }
        for (text, word) in [
            ("", "empty"),
            (":x", "<rev>:<path>"),
            ("x:", "<rev>:<path>"),
            ("--output=x:y", "<rev>"),
            ("ff-script-0.1.0", "not built in"),
        ] {
            assert!(LibrarySource::parse(text).unwrap_err().contains(word), "{text}");
        }
    }

    #[test]
    fn only_relative_files_are_seen_from_another_directory() {
        let rebase = |text| LibrarySource::rebase(text, Path::new("scenarios"));
        assert_eq!(rebase("a.lua"), "./scenarios/a.lua");
        assert_eq!(rebase("../a.lua"), "./scenarios/../a.lua");
        for text in ["/a.lua", "published", "main:a.lua"] {
            assert_eq!(rebase(text), text);
        }
    }
}
