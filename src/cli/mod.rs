//! The command line: the only place that sees both sides of the record.

use std::process::ExitCode;

/// Parses the arguments, runs the command, returns its exit code.
pub fn main() -> ExitCode {
    ExitCode::from(2)
}
