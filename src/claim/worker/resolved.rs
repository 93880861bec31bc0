//! What cargo chose to build a worker from, as `cargo metadata` tells it: versions, directories, features.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::manifest::{BESIDE, SDK};

/// The worker's own package, and its binary.
pub(super) const NAME: &str = "reclaim-sdk-worker";

/// What cargo chose.
pub(super) struct Resolved {
    /// Version of the SDK.
    pub(super) version: String,
    /// Crates that lie in directories, by name, with these.
    pub(super) dirs: Vec<(String, PathBuf)>,
    /// Edition and features of every crate. The manifest of a workspace may decide both for its members, and
    /// lies above their directories.
    pub(super) shapes: Vec<String>,
}

impl Resolved {
    /// Reads `cargo metadata`.
    pub(super) fn read(metadata: &Value) -> Result<Self, String> {
        let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let text = |package: &Value, key: &str| package[key].as_str().unwrap_or_default().to_owned();
        for name in [SDK].iter().chain(&BESIDE) {
            let found: Vec<String> = packages
                .iter()
                .filter(|package| package["name"] == *name)
                .map(|package| format!("{} ({})", text(package, "version"), text(package, "manifest_path")))
                .collect();
            if found.len() != 1 {
                return Err(format!(
                    "{} of {name} would be linked, and a worker speaks through one: {}",
                    found.len(),
                    found.join(", ")
                ));
            }
        }
        let local = packages.iter().filter(|package| package["source"].is_null() && package["name"] != NAME);
        let mut dirs: Vec<(String, PathBuf)> = local
            .map(|package| {
                let manifest = PathBuf::from(text(package, "manifest_path"));
                (text(package, "name"), manifest.parent().map(Path::to_owned).unwrap_or_default())
            })
            .collect();
        dirs.sort();
        let sdk = packages.iter().find(|package| package["name"] == SDK);
        let shapes = shapes(packages, &metadata["resolve"]["nodes"]);
        Ok(Self { version: sdk.map(|sdk| text(sdk, "version")).unwrap_or_default(), dirs, shapes })
    }
}

/// A line for each crate of `cargo metadata`, by name and version: an id has the path in it.
fn shapes(packages: &[Value], nodes: &Value) -> Vec<String> {
    let shape = |package: &Value| {
        let of_it = |node: &&Value| node["id"] == package["id"];
        let node = nodes.as_array().into_iter().flatten().find(of_it);
        let features = node.map(|node| node["features"].to_string()).unwrap_or_default();
        format!("{} {} {} {features}", package["name"], package["version"], package["edition"])
    };
    let mut shapes: Vec<String> = packages.iter().map(shape).collect();
    shapes.sort();
    shapes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, source: Option<&str>, dir: &str) -> Value {
        serde_json::json!({
            "name": name, "version": "0.15.0", "source": source, "manifest_path": format!("{dir}/Cargo.toml"),
        })
    }

    #[test]
    fn crates_in_directories_are_found_and_two_of_one_are_refused() {
        let registry = Some("registry+x");
        let all = |more: Option<Value>| {
            let mut packages = vec![
                package(NAME, None, "/cache/build"),
                package("ff-sdk", None, "/ff/sdk"),
                package("ff-core", registry, "/registry/core"),
                package("ff-backend-valkey", registry, "/registry/backend"),
                package("ferriskey", registry, "/registry/ferriskey"),
            ];
            packages.extend(more);
            Resolved::read(&serde_json::json!({ "packages": packages }))
        };
        let resolved = all(None).unwrap_or_else(|said| panic!("{said}"));
        assert_eq!(resolved.version, "0.15.0");
        assert_eq!(resolved.dirs, [("ff-sdk".to_owned(), PathBuf::from("/ff/sdk"))]);
        let said = all(Some(package("ff-core", None, "/ff/core"))).err().unwrap();
        assert!(
            said.contains("2 of ff-core would be linked") && said.contains("/ff/core/Cargo.toml"),
            "{said}"
        );
        assert!(Resolved::read(&Value::Null).is_err());
    }

    /// The manifest of a workspace decides features and editions of its members, and lies above all of them.
    #[test]
    fn features_and_editions_that_a_workspace_decides_are_part_of_what_a_worker_is() {
        let of = |edition: &str, features: &[&str], place: &str| {
            let id = format!("path+file://{place}#ff-sdk@0.15.0");
            let package =
                serde_json::json!({ "name": "ff-sdk", "version": "0.15.0", "id": id, "edition": edition });
            let nodes = serde_json::json!([{ "id": id, "features": features }]);
            shapes(&[package], &nodes)
        };
        let one = of("2021", &["default"], "/base/crates/ff-sdk");
        assert_eq!(one, of("2021", &["default"], "/candidate/crates/ff-sdk"));
        assert_ne!(one, of("2024", &["default"], "/base/crates/ff-sdk"));
        assert_ne!(one, of("2021", &["default", "more"], "/base/crates/ff-sdk"));
    }
}
