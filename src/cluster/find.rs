//! Finding a `valkey-server`: as told, on PATH, in the user's cache, or fetched once into it.

use std::path::{Path, PathBuf};

use super::error::ClusterError;
use super::fetch;

const NAME: &str = "valkey-server";

/// A server binary to run: the given one, else from PATH, from the user's cache, or fetched. Each place that has none
/// adds a line to the error.
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
    // Servers run in directories of their own, so a relative path would lead nowhere.
    found.or_else(|| path.canonicalize().ok().filter(|path| path.is_file())).ok_or_else(|| {
        ClusterError::NoServerBinary {
            attempts: vec![format!("{} (--valkey-server or VALKEY_SERVER) is no file", path.display())],
        }
    })
}

fn on_path(name: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())?.canonicalize().ok()
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
}
