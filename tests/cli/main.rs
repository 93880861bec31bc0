//! The tool as its users meet it: arguments in, output, files and exit code out. Needs no Valkey.

mod calibrate;
mod capacity;
mod compare;
mod documents;
mod fixture;
mod hostile;
#[cfg(target_os = "linux")]
mod keep_awake;
mod merge;
mod profile;
mod report;
mod report_of_several;
mod run;
mod scenarios;
mod schema;
mod shells;

/// The built tool, without anything of the developer's environment that it would read.
fn tool() -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_reclaim-bench"));
    for variable in [
        "RECLAIM_BENCH_NODES",
        "RECLAIM_BENCH_PASSWORD",
        "VALKEY_SERVER",
        "NO_COLOR",
        "GITHUB_STEP_SUMMARY",
        "COLUMNS",
        "RECLAIM_BENCH_COMPLETE",
    ] {
        command.env_remove(variable);
    }
    command
}
