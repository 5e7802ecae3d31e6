//! A file of a volume as a stream, through [`Volume::read_at`], with one window in memory.

use std::io::{self, Read, Seek, SeekFrom};

use crate::volume::{VolPath, Volume};

/// The bytes that are read at once.
pub(super) const WINDOW: usize = 1 << 20;

/// Where files are read from, and who is told how far that is.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) volume: &'a dyn Volume,
    pub(super) progress: &'a dyn Fn(&str),
}

/// A file of a volume; seeking costs nothing.
pub(super) struct VolumeReader<'a> {
    from: Reading<'a>,
    path: &'a VolPath,
    len: u64,
    at: u64,
    /// Where reading began.
    start: u64,
    window: Vec<u8>,
    window_at: u64,
}

impl<'a> VolumeReader<'a> {
    /// The file at `path`, which is `len` bytes long, from `at` on.
    pub(super) fn new(from: Reading<'a>, path: &'a VolPath, len: u64, at: u64) -> Self {
        VolumeReader { from, path, len, at, start: at, window: Vec::new(), window_at: 0 }
    }

    /// Reads at the present place.
    fn read_volume(&self, buf: &mut [u8]) -> io::Result<usize> {
        let megabytes = |bytes: u64| bytes >> 20;
        let (done, all) = (self.at.saturating_sub(self.start), self.len.saturating_sub(self.start));
        if megabytes(done) > 0 {
            let path = self.path.display_escaped();
            (self.from.progress)(&format!("reading {path} ({} of {} MB)", megabytes(done), megabytes(all)));
        }
        self.from.volume.read_at(self.path, self.at, buf).map_err(|e| io::Error::other(e.to_string()))
    }

    fn in_window(&self) -> Option<&[u8]> {
        let from = usize::try_from(self.at.checked_sub(self.window_at)?).ok()?;
        self.window.get(from..).filter(|rest| !rest.is_empty())
    }
}

impl Read for VolumeReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.len || buf.is_empty() {
            return Ok(0);
        }
        if self.in_window().is_none() && buf.len() >= WINDOW {
            let got = self.read_volume(buf)?;
            self.at = self.at.saturating_add(got as u64);
            return Ok(got);
        }
        if self.in_window().is_none() {
            // A small log needs no large window.
            let left = usize::try_from(self.len.saturating_sub(self.at)).unwrap_or(WINDOW);
            let mut window = std::mem::take(&mut self.window);
            window.resize(WINDOW.min(left), 0);
            let got = self.read_volume(&mut window)?;
            window.truncate(got);
            (self.window, self.window_at) = (window, self.at);
        }
        let Some(rest) = self.in_window() else { return Ok(0) };
        let n = rest.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        self.at = self.at.saturating_add(n as u64);
        Ok(n)
    }
}

impl Seek for VolumeReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let wanted = match to {
            SeekFrom::Start(n) => Some(n),
            SeekFrom::Current(n) => self.at.checked_add_signed(n),
            SeekFrom::End(n) => self.len.checked_add_signed(n),
        };
        self.at = wanted.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
