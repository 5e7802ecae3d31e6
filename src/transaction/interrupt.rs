//! Ctrl-C: before the first write it ends the program with nothing written (exit status 130); after it, the run stops
//! at the next step and takes back what it did. A signal that comes after the last step changes nothing: the handler runs in a
//! thread of its own, and may come late.

use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Failure, Kind};

#[derive(Default)]
struct State {
    writing: u32,
    /// Writing has begun at some time: "nothing was written" would not be true any more.
    begun: bool,
    requested: bool,
}

static STATE: Mutex<State> = Mutex::new(State { writing: 0, begun: false, requested: false });

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How the handler says goodbye when nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// A line on stderr.
    Text,
    /// An error document on stdout as well.
    Json,
}

/// Installs the handler for Ctrl-C, SIGTERM and SIGHUP. Does nothing where signals can't be handled.
pub fn install(format: OutputFormat) {
    let _ = ctrlc::set_handler(move || {
        let mut state = state();
        if state.writing > 0 || state.begun {
            // A step that writes stops at its next point; what is done already says so itself, in a moment.
            state.requested = true;
            return;
        }
        if format == OutputFormat::Json {
            let _ = writeln!(
                std::io::stdout(),
                r#"{{"schema":"coldmend.error/1","error":{{"kind":"interrupted","message":"interrupted; nothing was written","causes":[],"hint":null}}}}"#
            );
        }
        let _ = writeln!(std::io::stderr(), "\ncoldmend: interrupted; nothing was written");
        std::process::exit(i32::from(Kind::Interrupted.exit_status()));
    });
}

/// Says that writing begins; from here on an interruption is obeyed between steps only. Ends with the guard.
#[must_use]
pub fn writing() -> Writing {
    let mut state = state();
    state.writing = state.writing.saturating_add(1);
    state.begun = true;
    Writing
}

/// Writing is going on as long as this lives.
pub struct Writing;

impl Drop for Writing {
    fn drop(&mut self) {
        let mut state = state();
        state.writing = state.writing.saturating_sub(1);
    }
}

/// Fails when the user asked to stop.
///
/// # Errors
/// That.
pub fn check() -> Result<(), Failure> {
    if state().requested {
        return Err(Failure::new(Kind::Partial, "interrupted by the user"));
    }
    Ok(())
}
