//! The line that says what is being done, once it takes long; on a terminal only.
//!
//! A thread of its own shows it, since the work itself may be in the middle of one long read: half a second after work began,
//! and from then on no more than ten times a second. Everything else that is written to the terminal blanks the line first.

use std::io::{self, Write as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::console::Stream;
use super::sanitized;

/// Work that is done sooner shows nothing.
const PATIENCE: Duration = Duration::from_millis(500);
/// The time between two changes of the line.
const PACE: Duration = Duration::from_millis(100);

/// The line; copies are the same line.
#[derive(Clone)]
pub(super) struct Progress {
    /// `None` where nothing is shown.
    shared: Option<Arc<Shared>>,
}

struct Shared {
    stream: Stream,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What is being done, and whether the line says so already.
    text: Option<String>,
    is_shown: bool,
    /// When work began.
    since: Option<Instant>,
    /// Columns that the line takes; it is blanked with spaces, which every console understands.
    columns: usize,
    /// Whether the thread runs.
    runs: bool,
}

impl Progress {
    /// A line on this stream, if somebody sees it.
    pub(super) fn new(stream: Stream, quiet: bool) -> Self {
        let shown = !quiet && stream.is_terminal();
        let shared = Shared { stream, state: Mutex::default(), changed: Condvar::new() };
        Progress { shared: shown.then(|| Arc::new(shared)) }
    }

    /// Says what is being done now.
    pub(super) fn set(&self, text: &str) {
        let Some(shared) = &self.shared else { return };
        let mut state = shared.lock();
        state.text = Some(text.to_owned());
        state.is_shown = false;
        let began = *state.since.get_or_insert_with(Instant::now) + PATIENCE;
        if !state.runs {
            let thread = Arc::clone(shared);
            // Where there can be no thread, there is no line.
            state.runs = std::thread::Builder::new().name("progress".into()).spawn(move || thread.run()).is_ok();
        } else if began <= Instant::now() {
            shared.changed.notify_one();
        }
    }

    /// Takes the line away: something else is written, or the work is done.
    pub(super) fn clear(&self) {
        let Some(shared) = &self.shared else { return };
        let mut state = shared.lock();
        let columns = std::mem::take(&mut state.columns);
        (state.text, state.since) = (None, None);
        if columns > 0 {
            let _ = write!(io::stderr(), "\r{:columns$}\r", "");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows what `state` says, as long as the program runs.
    fn run(&self) {
        let mut state = self.lock();
        loop {
            let due = state.since.filter(|_| state.text.is_some() && !state.is_shown).map(|since| since + PATIENCE);
            let left = due.map(|due| due.saturating_duration_since(Instant::now()));
            let wait = match left {
                // Until there is something to show.
                None => Duration::MAX,
                Some(left) if left.is_zero() => {
                    self.show(&mut state);
                    drop(state);
                    std::thread::sleep(PACE);
                    state = self.lock();
                    continue;
                }
                Some(left) => left,
            };
            state = match wait {
                Duration::MAX => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                wait => self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }

    fn show(&self, state: &mut State) {
        let Some(text) = &state.text else { return };
        let width = self.stream.width().unwrap_or_default();
        // One line: what is longer could not be blanked again.
        let line = self.stream.characters(&format!("{}…", sanitized(text)));
        let line: String = line.chars().take(width).collect();
        let (before, columns) = (state.columns, line.chars().count());
        let mut stderr = io::stderr().lock();
        let _ = write!(stderr, "\r{line}{:1$}", "", before.saturating_sub(columns));
        let _ = stderr.flush();
        // What was blanked is under the cursor's way, too.
        state.columns = columns.max(before);
        state.is_shown = true;
    }
}
