//! Finding a `valkey-server`: as told, on PATH, in the user's cache, or fetched once into it.

use std::path::{Path, PathBuf};

use super::error::ClusterError;
use super::fetch;

const NAME: &str = "valkey-server";

/// A server binary to run: the given one, else from PATH, from the user's cache, or fetched. Each place that
/// has none adds a line to the error.
pub async fn server_binary(given: Option<&Path>, notify: &dyn Fn(&str)) -> Result<PathBuf, ClusterError> {
    if let Some(path) = given {
        return as_given(path);
    }
    if let Some(binary) = on_path(Path::new(NAME)) {
        return Ok(binary);
    }
    let mut attempts = vec![format!("no {NAME} on PATH")];
    match fetch::cached_or_fetched(notify).await {
        Ok(binary) => return Ok(binary),
        Err(reason) => attempts.push(reason),
    }
    Err(ClusterError::NoServerBinary { attempts })
}

/// A path, or a bare name to look up as a shell would.
fn as_given(path: &Path) -> Result<PathBuf, ClusterError> {
    let bare = path.components().count() == 1;
    let found = if bare { on_path(path) } else { None };
    // Servers run in directories of their own, so a relative path would lead nowhere. A link stays one:
    // Debian's valkey-server is a link to a program that does what its name says.
    found.or_else(|| std::path::absolute(path).ok().filter(|path| path.is_file())).ok_or_else(|| {
        ClusterError::NoServerBinary {
            attempts: vec![format!("{} (--valkey-server or VALKEY_SERVER) is no file", path.display())],
        }
    })
}

fn on_path(name: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
        .and_then(|file| std::path::absolute(file).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn a_path_that_leads_nowhere_is_named() {
        let error = server_binary(Some(Path::new("no/such/valkey-server")), &|_| ()).await.unwrap_err();
        assert!(error.to_string().contains("no/such/valkey-server"), "{error}");
        assert!(error.to_string().contains("--provider container"), "{error}");
    }

    /// Debian's valkey-server is a link to valkey-check-rdb, which looks at the name that it was started by.
    #[cfg(unix)]
    #[tokio::test(flavor = "current_thread")]
    async fn a_link_is_started_by_its_own_name() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("valkey-check-rdb"), "").unwrap();
        let link = dir.path().join("valkey-server");
        std::os::unix::fs::symlink("valkey-check-rdb", &link).unwrap();
        assert_eq!(server_binary(Some(&link), &|_| ()).await.unwrap(), link);
    }
}
