//! The `coldmend` command: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(coldmend::cli::run(std::env::args_os()))
}
