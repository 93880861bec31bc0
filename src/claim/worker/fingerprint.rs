//! What a worker's binary depends on, as one number: two that agree in it are the same program.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::resolved::Resolved;
use super::sources::hash_dir;

/// Of all that the binary depends on.
pub(super) fn fingerprint(project: &Path, resolved: &Resolved, compiler: &str) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    let mut part = |name: &str, content: &[u8]| {
        hash.update(name);
        hash.update((content.len() as u64).to_le_bytes());
        hash.update(content);
    };
    part("template", include_bytes!("../../../sdk-worker/Cargo.toml.in"));
    part("main", &std::fs::read(project.join("src/main.rs"))?);
    part("lock", &std::fs::read(project.join("Cargo.lock"))?);
    part("compiler", compiler.as_bytes());
    for (name, value) in
        flags(std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        }))
    {
        part(&name, value.as_bytes());
    }
    part("features and editions", resolved.shapes.join("\n").as_bytes());
    for file in configurations(project) {
        part("configuration", settings(&std::fs::read_to_string(file)?).as_bytes());
    }
    for (name, dir) in &resolved.dirs {
        hash.update(name);
        hash_dir(&mut hash, dir)?;
    }
    Ok(format!("{:x}", hash.finalize()))
}

/// Settings of the environment that change what cargo builds: cargo's own, and those of compilers, which may
/// have a target behind them.
fn flags(environment: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    const COMPILERS: [&str; 5] = ["CC", "CXX", "AR", "CFLAGS", "CXXFLAGS"];
    // Where and how quickly it is built.
    const NO_MATTER: [&str; 4] =
        ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR", "CARGO_BUILD_BUILD_DIR", "CARGO_BUILD_JOBS"];
    let counts = |name: &str| {
        let of_cargo = ["CARGO_PROFILE_RELEASE_", "CARGO_TARGET_", "CARGO_BUILD_"]
            .iter()
            .any(|prefix| name.starts_with(prefix));
        let of_rustc = ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"].contains(&name) || name.starts_with("RUSTC");
        let of_either = name.strip_prefix("HOST_").or_else(|| name.strip_prefix("TARGET_")).unwrap_or(name);
        let first = of_either.split('_').next().unwrap_or_default();
        (of_cargo || of_rustc || COMPILERS.contains(&first)) && !NO_MATTER.contains(&name)
    };
    let mut flags: Vec<_> = environment.filter(|(name, _)| counts(name)).collect();
    flags.sort();
    flags
}

/// Files of settings that cargo reads in a folder: of each one above it, and the user's.
fn configurations(project: &Path) -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let places = project.ancestors().map(|dir| dir.join(".cargo")).chain(home);
    let mut found: Vec<PathBuf> = places
        .flat_map(|place| [place.join("config.toml"), place.join("config")])
        .filter(|file| file.is_file())
        .collect();
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|file| seen.insert(file.clone()));
    found
}

/// What of such a file changes a binary; what cannot be read is taken whole, and cargo will say what is wrong.
fn settings(text: &str) -> String {
    let Ok(mut table) = text.parse::<toml::Table>() else { return text.to_owned() };
    table.retain(|name, _| ["build", "env", "patch", "profile", "source", "target"].contains(&name));
    if let Some(build) = table.get_mut("build").and_then(toml::Value::as_table_mut) {
        build.retain(|name, _| !["jobs", "target-dir", "build-dir"].contains(&name));
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_that_change_the_binary_are_part_of_what_it_is() {
        let counting = [
            "CARGO_PROFILE_RELEASE_OPT_LEVEL",
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS",
            "CC_x86_64-unknown-linux-gnu",
            "CFLAGS",
            "RUSTC_WRAPPER",
            "RUSTFLAGS",
            "TARGET_CFLAGS",
        ];
        let others = ["HOME", "CARGO_TARGET_DIR", "CARGO_TERM_COLOR", "CCACHE_DIR", "CARGO_BUILD_JOBS"];
        let all = counting.into_iter().chain(others).map(|name| (name.to_owned(), "x".to_owned()));
        let names: Vec<String> = flags(all).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, counting);
    }

    #[test]
    fn settings_that_change_the_binary_are_part_of_what_it_is() {
        let native =
            settings("[build]\nrustflags = [\"-C\", \"target-cpu=native\"]\njobs = 2\n[term]\nquiet = true");
        assert!(
            native.contains("native") && !native.contains("jobs") && !native.contains("quiet"),
            "{native}"
        );
        assert_eq!(settings("[term]\nquiet = true\n[net]\nretry = 3"), settings(""));
        assert_eq!(settings("[build"), "[build");
        let dir = tempfile::tempdir().unwrap();
        let project = dir.path().join("a/b");
        std::fs::create_dir_all(dir.path().join("a/.cargo")).unwrap();
        std::fs::create_dir_all(&project).unwrap();
        let file = dir.path().join("a/.cargo/config.toml");
        std::fs::write(&file, "[build]").unwrap();
        assert!(configurations(&project).contains(&file));
    }
}
