//! The worker's manifest: the template with the SDK in it, and with the crates that the SDK itself is built
//! with.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::error::WorkerError;

const TEMPLATE: &str = include_str!("../../../sdk-worker/Cargo.toml.in");

/// The crate that is compared.
pub(super) const SDK: &str = "ff-sdk";

/// What the worker names beside it, and so must be what the SDK is built with: one of each is linked.
pub(super) const BESIDE: [&str; 3] = ["ff-core", "ff-backend-valkey", "ferriskey"];

/// The sources of an SDK where cargo finds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Located {
    /// In the registry.
    Release(String),
    /// In a directory; absolute.
    Dir(PathBuf),
}

/// The manifest of a worker for this SDK.
pub(super) fn manifest(sdk: &Located) -> Result<String, WorkerError> {
    let mut crates: Vec<(String, Table)> = Vec::new();
    let mut patch = Table::new();
    match sdk {
        // FlowFabric's crates are released together.
        Located::Release(version) => {
            for name in [SDK].iter().chain(&BESIDE) {
                crates.push(((*name).to_owned(), source_by("version", format!("={version}"))));
            }
        }
        Located::Dir(dir) => {
            let own = Manifest::read(dir)?;
            own.is_of(SDK)?;
            crates.push((SDK.to_owned(), at(dir)));
            let workspace = Manifest::workspace_of(dir)?;
            for name in BESIDE {
                crates.push((name.to_owned(), own.source_of(name, workspace.as_ref())?));
            }
            if let Some(workspace) = workspace {
                patch = workspace.patches();
            }
        }
    }
    let mut wrapped = Table::new();
    if !patch.is_empty() {
        wrapped.insert("patch".to_owned(), Value::Table(patch));
    }
    let text = |table: &Table| toml::to_string(table).unwrap_or_default();
    let dependency = |(name, source): (String, Table)| format!("[dependencies.{name}]\n{}", text(&source));
    let crates: Vec<String> = crates.into_iter().map(dependency).collect();
    Ok(TEMPLATE.replace("@SDK@", &crates.join("\n")).replace("@PATCH@", &text(&wrapped)))
}

/// A dependency on a directory.
fn at(dir: &Path) -> Table {
    source_by("path", dir.display().to_string())
}

fn source_by(key: &str, value: String) -> Table {
    Table::from_iter([(key.to_owned(), Value::String(value))])
}

/// A manifest of somebody else's.
struct Manifest {
    dir: PathBuf,
    table: Table,
}

impl Manifest {
    fn read(dir: &Path) -> Result<Self, WorkerError> {
        let path = dir.join("Cargo.toml");
        let refused = |detail: String| WorkerError::Sources { path: path.clone(), detail };
        let text = std::fs::read_to_string(&path)
            .map_err(|error| refused(format!("{error}; give the directory of the crate {SDK}")))?;
        let table = text.parse().map_err(|error: toml::de::Error| refused(error.message().to_owned()))?;
        Ok(Self { dir: dir.to_owned(), table })
    }

    /// The manifest of the workspace that a crate is in: its own, or the next one above that has members.
    fn workspace_of(dir: &Path) -> Result<Option<Self>, WorkerError> {
        for above in dir.ancestors().filter(|above| above.join("Cargo.toml").is_file()) {
            let manifest = Self::read(above)?;
            if manifest.table.contains_key("workspace") {
                return Ok(Some(manifest));
            }
        }
        Ok(None)
    }

    fn refused(&self, detail: String) -> WorkerError {
        WorkerError::Sources { path: self.dir.join("Cargo.toml"), detail }
    }

    fn is_of(&self, name: &str) -> Result<(), WorkerError> {
        let package = self.table.get("package").and_then(|package| package.get("name"));
        match package.and_then(Value::as_str) {
            Some(found) if found == name => Ok(()),
            Some(found) => {
                Err(self.refused(format!("it is the manifest of {found}; give the directory of {name}")))
            }
            None => {
                Err(self.refused(format!("it is the manifest of no crate; give the directory of {name}")))
            }
        }
    }

    /// Where a dependency comes from: a directory or a version, as this manifest or its workspace's says.
    fn source_of(&self, name: &str, workspace: Option<&Self>) -> Result<Table, WorkerError> {
        let found = self.table.get("dependencies").and_then(|all| all.get(name));
        let Some(found) = found else {
            return Err(
                self.refused(format!("no {name} among its dependencies, which a worker is built with"))
            );
        };
        if found.get("workspace").and_then(Value::as_bool) != Some(true) {
            return self.source(name, found);
        }
        let shared = workspace.and_then(|workspace| {
            Some((workspace, workspace.table.get("workspace")?.get("dependencies")?.get(name)?))
        });
        match shared {
            Some((workspace, found)) => workspace.source(name, found),
            None => Err(self.refused(format!("{name} is the workspace's, and there is none that names it"))),
        }
    }

    fn source(&self, name: &str, found: &Value) -> Result<Table, WorkerError> {
        if let Some(path) = found.get("path").and_then(Value::as_str) {
            return Ok(at(&self.dir.join(path)));
        }
        if let Some(version) = found.as_str() {
            return Ok(source_by("version", version.to_owned()));
        }
        let kept: Table = ["version", "git", "branch", "tag", "rev", "registry"]
            .into_iter()
            .filter_map(|key| Some((key.to_owned(), found.get(key)?.clone())))
            .collect();
        if kept.is_empty() {
            return Err(self.refused(format!("{name} has neither a path nor a version")));
        }
        Ok(kept)
    }

    /// What a workspace builds in place of published crates: only the outermost manifest's patches count.
    fn patches(&self) -> Table {
        let mut all = self.table.get("patch").and_then(Value::as_table).cloned().unwrap_or_default();
        for patch in all.iter_mut().filter_map(|(_, of_source)| of_source.as_table_mut()) {
            for dependency in patch.iter_mut().filter_map(|(_, dependency)| dependency.as_table_mut()) {
                if let Some(Value::String(path)) = dependency.get_mut("path") {
                    *path = self.dir.join(&*path).display().to_string();
                }
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Table {
        text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    fn write(dir: &Path, file: &str, text: &str) {
        let path = dir.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn a_release_names_all_crates_of_it() {
        let table = parsed(&manifest(&Located::Release("0.15.0".into())).unwrap());
        for name in ["ff-sdk", "ff-core", "ff-backend-valkey", "ferriskey"] {
            assert_eq!(table["dependencies"][name]["version"].as_str(), Some("=0.15.0"), "{name}");
        }
        assert!(table["workspace"].as_table().unwrap().is_empty(), "it is in no workspace but its own");
    }

    #[test]
    fn a_directory_brings_the_crates_that_its_manifest_or_workspace_names() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        write(
            root,
            "Cargo.toml",
            "[workspace]\nmembers = []\n[workspace.dependencies]\nferriskey = { version = \"1\", path = \"ferriskey\" }\n\
             [patch.crates-io]\nother = { path = \"vendor/other\" }\n",
        );
        write(
            root,
            "crates/ff-sdk/Cargo.toml",
            "[package]\nname = \"ff-sdk\"\n[dependencies]\nff-core = { version = \"0.15.0\", path = \"../ff-core\" }\n\
             ferriskey = { workspace = true, optional = true }\n[dependencies.ff-backend-valkey]\nversion = \"0.15.0\"\n\
             optional = true\n",
        );
        let sdk = root.join("crates/ff-sdk");
        let table = parsed(&manifest(&Located::Dir(sdk.clone())).unwrap());
        let of = |name: &str, key: &str| table["dependencies"][name][key].as_str().unwrap().to_owned();
        assert_eq!(of("ff-sdk", "path"), sdk.display().to_string());
        assert_eq!(of("ff-core", "path"), sdk.join("../ff-core").display().to_string());
        assert_eq!(of("ferriskey", "path"), root.join("ferriskey").display().to_string());
        assert_eq!(of("ff-backend-valkey", "version"), "0.15.0");
        let patched = table["patch"]["crates-io"]["other"]["path"].as_str().unwrap();
        assert_eq!(patched, root.join("vendor/other").display().to_string());
    }

    #[test]
    fn what_is_no_sdk_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let said = |dir: &Path| manifest(&Located::Dir(dir.to_owned())).unwrap_err().to_string();
        assert!(said(&dir.path().join("nowhere")).contains("nowhere/Cargo.toml: "));
        write(dir.path(), "Cargo.toml", "[package]\nname = \"ff-core\"\n");
        assert!(said(dir.path()).contains("the manifest of ff-core; give the directory of ff-sdk"));
        write(dir.path(), "Cargo.toml", "[package]\nname = \"ff-sdk\"\n[dependencies]\n");
        assert!(said(dir.path()).contains("no ff-core among its dependencies"));
    }
}
