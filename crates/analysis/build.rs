//! Tells the crate which release of the function library the tool has in it.

fn main() {
    const LOCK: &str = "../../Cargo.lock";
    println!("cargo:rerun-if-changed={LOCK}");
    let lock = std::fs::read_to_string(LOCK).unwrap_or_default();
    let version = lock
        .split_once("name = \"ff-script\"\nversion = \"")
        .and_then(|(_, package)| package.split('"').next())
        .unwrap_or("unknown");
    println!("cargo:rustc-env=FF_SCRIPT_VERSION={version}");
}
