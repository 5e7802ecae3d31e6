//! The command line: one file per command; this one holds the flags that all of them share.
//!
//! A command gathers its input, calls the stages of the pipeline, and hands one value to `ui` for text or JSON. It
//! decides nothing about Windows.

mod context;
mod demo;
mod diagnose;
mod explain;
mod guide;
mod history;
mod hive;
mod new_file;
mod repair;
mod report;
mod report_file;
mod scan;
mod service;
mod talk;
mod undo;
mod updates;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::error::Result;
use crate::transaction::{install_interrupt_handler, InterruptFormat};
use crate::ui::{self, Color, Format, Ui};

/// The widest that help gets.
const MAX_HELP_WIDTH: usize = 100;

/// Mends a Windows installation that is not running.
///
/// Exit status: 0 healthy, done, or nothing to do; 1 diagnose found a problem or suspect; 2 usage; 3 refused for
/// safety, nothing written; 4 input unreadable or damaged, nothing written; 5 failed or interrupted part-way; 130
/// interrupted with nothing written.
#[derive(Parser, Debug)]
#[command(name = "coldmend", version, max_term_width = MAX_HELP_WIDTH, help_expected = true)]
pub struct Cli {
    /// What to do; on a terminal, the guide if it is left out
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    global: Global,
}

#[derive(Args, Debug)]
struct Global {
    /// How results are written
    #[arg(long, global = true, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    format: Format,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    color: Color,
    /// Say more
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Say only results and errors
    #[arg(short, long, global = true)]
    quiet: bool,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Be led through it: what was found, what is wrong, what would be changed; asks before it writes
    Guide(guide::Arguments),
    /// List every Windows on the attached volumes, or on those named; exit status 4 if there is none
    Scan(scan::Arguments),
    /// Say what is wrong; writes nothing, ever
    Diagnose(diagnose::Arguments),
    /// Diagnose, show the plan, ask, apply, verify
    Repair(repair::Arguments),
    /// Take a repair back (the last one, or the one with this id)
    Undo(undo::Arguments),
    /// Show the repairs made, with their state
    History(history::Arguments),
    /// List, show or set service start types and security descriptors
    #[command(subcommand)]
    Service(service::Command),
    /// Look into a hive file, check, recover, edit, export and compare it
    #[command(subcommand)]
    Hive(hive::Command),
    /// List the packages that are installed, staged, pending or superseded
    Updates(updates::Arguments),
    /// Explain every check and remedy: what, why, which Windows, source
    Explain(explain::Arguments),
    /// Make a small broken Windows volume, and mend it before your eyes; asks nothing
    Demo(demo::Arguments),
}

/// Which volume, and which installation on it.
#[derive(Args, Debug)]
struct TargetArguments {
    /// A mounted Windows volume's root, or its Windows folder; on Windows also a volume without a letter, or a VHD or VHDX file
    #[arg(value_name = "TARGET")]
    target: PathBuf,
    /// The Windows folder on the volume, where there are several
    #[arg(long, value_name = "PATH")]
    windows: Option<String>,
    /// The partition of a disk image, counted from 1, where several hold a Windows
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    partition: Option<u32>,
}

impl TargetArguments {
    /// The command line for this target, to type.
    fn command(&self, command: &str) -> String {
        crate::scan::command_line(command, &self.target, self.windows.as_deref())
    }

    /// A target without further choice.
    fn of(dir: &std::path::Path) -> Self {
        TargetArguments { target: dir.to_path_buf(), windows: None, partition: None }
    }
}

/// Where plans, journals and backups are kept.
#[derive(Args, Debug, Default)]
struct StateArguments {
    /// Keep plan, journal and backups in this folder instead of \coldmend on the volume, or IMAGE.coldmend beside a disk image
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

impl StateArguments {
    /// The flag as the next command needs it again, with a space before it; empty for the default place.
    fn again(&self) -> String {
        self.state_dir.as_ref().map(|dir| format!(" --state-dir {}", dir.display())).unwrap_or_default()
    }
}

/// Runs the command line; returns the exit status.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match parse(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage_error(&arguments, &error),
    };
    #[cfg(windows)]
    crate::windows::prepare();
    let Global { format, color, verbose, quiet } = cli.global;
    let ui = Ui::new(format, color, verbose, quiet);
    install_interrupt_handler(match format {
        Format::Text => InterruptFormat::Text,
        Format::Json => InterruptFormat::Json,
    });
    let command = match cli.command {
        Some(command) => command,
        None if format == Format::Text && Ui::can_guide() => Command::Guide(guide::Arguments::default()),
        None => return no_command(&ui),
    };
    let result = match command {
        Command::Guide(arguments) => guide::run(&ui, &arguments),
        Command::Scan(arguments) => scan::run(&ui, &arguments),
        Command::Diagnose(arguments) => diagnose::run(&ui, &arguments),
        Command::Repair(arguments) => repair::run(&ui, &arguments),
        Command::Undo(arguments) => undo::run(&ui, &arguments),
        Command::History(arguments) => history::run(&ui, &arguments),
        Command::Service(command) => service::run(&ui, &command),
        Command::Hive(command) => hive::run(&ui, &command),
        Command::Updates(arguments) => updates::run(&ui, &arguments),
        Command::Explain(arguments) => explain::run(&ui, &arguments),
        Command::Demo(arguments) => demo::run(&ui, &arguments),
    };
    match result {
        Ok(status) => status,
        Err(failure) => {
            ui.failure(&failure);
            failure.kind.exit_status()
        }
    }
}

/// Nobody to guide, and nothing to do: help on stderr, and a usage error.
fn no_command(ui: &Ui) -> u8 {
    if ui.format == Format::Json {
        ui.failure(&crate::error::Failure::usage("a command is missing").hint("See coldmend --help."));
    } else {
        ui.error_text(&Cli::command().render_help().to_string());
    }
    2
}

fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let mut command = Cli::command();
    if let Some(width) = ui::help_width() {
        command = command.term_width(width.min(MAX_HELP_WIDTH));
    }
    Cli::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

/// Help and version go to stdout with status 0; a usage error is also a JSON document where JSON was asked for.
fn usage_error(arguments: &[OsString], error: &clap::Error) -> u8 {
    if !error.use_stderr() {
        ui::print_parser_message(error);
        return 0;
    }
    let words: Vec<&str> = arguments.iter().filter_map(|a| a.to_str()).collect();
    let json = words.contains(&"--format=json") || words.windows(2).any(|w| w == ["--format", "json"]);
    if json {
        let ui = Ui::new(Format::Json, Color::Never, false, true);
        let text = error.render().to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_string();
        ui.failure(&crate::error::Failure::usage(message).hint("See coldmend --help."));
    } else {
        ui::print_parser_message(error);
    }
    2
}

/// What every command returns: the exit status, or a failure.
type Status = Result<u8>;
