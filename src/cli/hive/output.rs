//! Where `.reg` text and recovered hives go: into a new file that is whole or not there, or to stdout.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{sync_channel, SyncSender};

use crate::error::{Context as _, Failure, Kind, Result};
use crate::regfile::{Encoding, ExportError, RegWriter};
use crate::transaction::{check_interrupted, writing};
use crate::ui::{Format, Ui};
use crate::volume::escape::escape_text;

use super::engine;

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

/// What became of `.reg` text.
pub(super) struct Written {
    /// The text, in JSON mode without a file.
    pub text: Option<String>,
    /// Whether there was any.
    pub is_empty: bool,
    /// Keys and values that it can't tell.
    pub left_out: u64,
}

/// Text on its way from the thread that makes it to the one that writes it.
struct Pieces(SyncSender<Vec<u8>>);

impl Write for Pieces {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.0.send(piece.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes text in a thread of its own, and meanwhile judges, and then writes it here. What waits is bounded by a share of `size`.
fn piped(
    out: &mut dyn Write,
    encoding: Encoding,
    size: usize,
    judge: &dyn Fn() -> Result<()>,
    make: impl FnOnce(&mut RegWriter<'_>) -> Result<(), ExportError> + Send,
) -> Result<Result<(bool, u64), ExportError>> {
    /// About the size of a piece, in bytes.
    const PIECE: usize = 128 << 10;
    let (send, receive) = sync_channel((size / 16 / PIECE).clamp(16, 256));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let stop = &stop;
        let maker = scope.spawn(move || -> Result<(bool, u64), ExportError> {
            let mut pieces = Pieces(send);
            let mut writer = RegWriter::new(&mut pieces, encoding).stopped_by(stop);
            make(&mut writer)?;
            Ok((writer.is_empty(), writer.finish()?))
        });
        judge().inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
        let mut written = Ok(());
        for piece in receive {
            written = out.write_all(&piece);
            if written.is_err() {
                // Nothing more is taken, so the maker ends, and need not find something to send for that.
                stop.store(true, Ordering::Relaxed);
                break;
            }
        }
        let made = maker.join().map_err(|_| Failure::new(Kind::Partial, "the thread that makes the text has died"))?;
        Ok(written.and_then(|()| out.flush()).map_err(ExportError::from).and(made))
    })
}

/// Has `.reg` text written: to a new file in UTF-16, to stdout in UTF-8, or kept for the JSON document; nothing before `judge` has agreed.
pub(super) fn reg(
    ui: &Ui,
    output: Option<&Path>,
    doing: &str,
    size: usize,
    judge: &dyn Fn() -> Result<()>,
    make: impl FnOnce(&mut RegWriter<'_>) -> Result<(), ExportError> + Send,
) -> Result<Written> {
    let failed = |e: ExportError| match e {
        ExportError::Hive(e) => engine(doing)(e),
        ExportError::Io(e) => Failure::from_error(Kind::Partial, e),
    };
    let mut text = None;
    let (is_empty, left_out) = match output {
        Some(path) => new_file(path, |out| piped(out, Encoding::Utf16, size, judge, make)?.map_err(failed))?,
        None if ui.format == Format::Json => {
            let mut bytes = Vec::new();
            let written = piped(&mut bytes, Encoding::Utf8, size, judge, make)?.map_err(failed)?;
            text = Some(String::from_utf8_lossy(&bytes).into_owned());
            written
        }
        None => match piped(&mut ui.pipe(), Encoding::Utf8, size, judge, make)? {
            // A closed pipe (`| head`) is the reader's wish, not an error.
            Err(ExportError::Io(e)) if e.kind() == io::ErrorKind::BrokenPipe => (false, 0),
            result => result
                .map_err(failed)
                .doing(|| "writing to standard output".into())
                .map_err(|f| f.hint("Look at what takes the output: a full disk, perhaps."))?,
        },
    };
    Ok(Written { text, is_empty, left_out })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::regfile::{diff, Naming};
    use coldmend_hives::{FileTime, Hive, NewHive};

    /// A comparison that never ends, and never sends anything by which it would see that nobody takes it.
    #[test]
    fn what_is_refused_is_not_made_to_the_end() {
        let now = FileTime(133_500_000_000_000_000);
        let mut hive = Hive::create(&NewHive::default(), now).unwrap();
        hive.set_value("", "x", 3, &[1], now).unwrap();
        let root = hive.root().unwrap();
        let judge = || Err(Failure::unreadable("refused"));
        let ended = piped(&mut io::sink(), Encoding::Utf8, 0, &judge, |out| loop {
            diff(out, &root, &root, &Naming::FromRoot)?;
        });
        assert!(ended.is_err_and(|failure| failure.kind == Kind::Unreadable));
    }
}
