//! The files in which Linux says what a process may use, read below a root that tests replace.

use std::path::{Path, PathBuf};

/// `/`, or a directory with made-up files.
#[derive(Clone, Debug)]
pub(super) struct Files {
    root: PathBuf,
}

impl Files {
    /// Those of this machine.
    pub fn here() -> Self {
        Self { root: PathBuf::from("/") }
    }

    /// Made-up ones.
    #[cfg(test)]
    pub fn below(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The text of an absolute path; empty where there is none.
    pub fn read(&self, path: impl AsRef<Path>) -> String {
        let path = path.as_ref();
        let below = path.strip_prefix("/").unwrap_or(path);
        std::fs::read_to_string(self.root.join(below)).unwrap_or_default()
    }
}

/// The number after a name, in a file with a name and a number per line.
pub(super) fn number(text: &str, name: &str) -> Option<u64> {
    let mut words = text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace();
    words.next()?.parse().ok()
}
