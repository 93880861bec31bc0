//! Finding a `valkey-server`: as told, on PATH, in the user's cache, or fetched once into it.

use std::path::{Path, PathBuf};

use super::error::ClusterError;

/// A server binary to run.
pub(super) async fn server_binary(
    given: Option<&Path>,
    _notify: &dyn Fn(&str),
) -> Result<PathBuf, ClusterError> {
    if let Some(path) = given {
        return Ok(path.to_owned());
    }
    on_path("valkey-server").ok_or_else(|| ClusterError::NoServerBinary { attempts: vec![] })
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}
