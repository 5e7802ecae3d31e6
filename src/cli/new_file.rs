//! A new file of a user's choosing: whole, or not there; nothing is overwritten.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::error::{Context as _, Failure, Kind, Result};
use crate::transaction::{check_interrupted, writing};
use crate::volume::escape::escape_text;

/// Written at once to a file, so that Ctrl-C is obeyed in between.
const PIECE: usize = 4 << 20;

/// A new file that asks before every piece whether to go on.
struct NewFile(File);

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        check_interrupted().map_err(|_| io::Error::other("interrupted"))?;
        self.0.write(bytes.get(..PIECE).unwrap_or(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Makes a new file and has it written and flushed; when that fails, the file is gone again.
pub(super) fn new_file<T>(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<T> {
    let shown = escape_text(path.as_os_str());
    let waits = writing();
    let made = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    let file = made
        .map_err(|e| {
            let hint = match e.kind() {
                io::ErrorKind::AlreadyExists => "Nothing is overwritten. Name a file that is not there yet.",
                io::ErrorKind::NotFound => "Make the folder first.",
                _ => "Name a file in a folder that you may write to.",
            };
            Failure::from_error(Kind::Refused, e).hint(hint)
        })
        .doing(|| format!("creating {shown}"))?;
    let mut file = NewFile(file);
    let written = write(&mut file).and_then(|value| {
        file.0.sync_all().map_err(|e| Failure::from_error(Kind::Partial, e))?;
        Ok(value)
    });
    if written.is_ok() {
        // To the program's end: Ctrl-C would say that nothing was written.
        std::mem::forget(waits);
    }
    written.map_err(|failure| {
        let removed = std::fs::remove_file(path).is_ok();
        if check_interrupted().is_err() && removed {
            return Failure::new(Kind::Interrupted, format!("interrupted; {shown} was removed again"));
        }
        if failure.kind != Kind::Partial && removed {
            return failure;
        }
        let what = if removed { "it was removed again" } else { "what is there of it is not whole" };
        failure.context(format!("writing {shown}; {what}")).hint("Mend the cause, such as a full disk, and try again.")
    })
}
