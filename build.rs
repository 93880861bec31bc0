//! Tells the crate which commit it is built from, and which release of the function library is in it.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/index");
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=Cargo.lock");
    println!("cargo:rustc-env=RECLAIM_BENCH_COMMIT={}", commit().unwrap_or_else(|| "unknown".to_owned()));
    println!(
        "cargo:rustc-env=FF_SCRIPT_VERSION={}",
        locked("ff-script").unwrap_or_else(|| "unknown".to_owned())
    );
}

/// The checked-out commit, marked where tracked files differ from it; `None` outside a checkout.
fn commit() -> Option<String> {
    let hash = git(&["rev-parse", "--short=12", "HEAD"])?;
    let dirty = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(if dirty { format!("{hash}-dirty") } else { hash })
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The version of a dependency in the lock file.
fn locked(name: &str) -> Option<String> {
    let lock = std::fs::read_to_string("Cargo.lock").ok()?;
    let (_, package) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    package.split('"').next().map(str::to_owned)
}
