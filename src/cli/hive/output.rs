//! Where `.reg` text goes: into a new file that is whole or not there, or to stdout.

use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{sync_channel, SyncSender};

use crate::error::{Context as _, Failure, Kind, Result};
use crate::regfile::{Encoding, ExportError, RegWriter};
use crate::ui::{Format, Ui};

use super::engine;
use crate::cli::new_file::new_file;

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
