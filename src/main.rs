//! The command `gpoctl`: parse, run, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(gpoctl::cli::main())
}
