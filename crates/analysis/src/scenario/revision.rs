//! What `<rev>:<path>` and a path have in common wherever a scenario or an option may name either.

use std::path::Path;

/// Characters with which only paths begin, whatever else is in them.
const OF_PATHS: [char; 2] = ['.', '/'];

/// The two halves of `<rev>:<path>`, not yet looked at; `None` for a path.
pub(super) fn revision_and_path(text: &str) -> Option<(&str, &str)> {
    if text.starts_with(OF_PATHS) { None } else { text.split_once(':') }
}

/// Whether git would take it for a revision: an option to git is none.
pub(super) fn is_revision(revision: &str) -> bool {
    !revision.is_empty() && !revision.starts_with('-')
}

/// A path that stands in a file of `dir`, as it is called from where the command runs.
pub(super) fn seen_from(dir: &Path, path: &Path) -> String {
    let path = dir.join(path).display().to_string();
    // Without its dot, `./a:b` would become a revision.
    if path.starts_with(OF_PATHS) { path } else { format!("./{path}") }
}
