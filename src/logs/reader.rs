//! A file of a volume as a stream, through [`Volume::read_at`], with one window in memory.

use std::io::{self, Read, Seek, SeekFrom};

use crate::volume::{VolPath, Volume};

/// The bytes that are read at once.
pub(super) const WINDOW: usize = 1 << 20;

/// A file of a volume; seeking costs nothing.
pub(super) struct VolumeReader<'a> {
    volume: &'a dyn Volume,
    path: &'a VolPath,
    len: u64,
    at: u64,
    window: Vec<u8>,
    window_at: u64,
}

impl<'a> VolumeReader<'a> {
    /// The file at `path`, which is `len` bytes long, from `at` on.
    pub(super) fn new(volume: &'a dyn Volume, path: &'a VolPath, len: u64, at: u64) -> Self {
        VolumeReader { volume, path, len, at, window: Vec::new(), window_at: 0 }
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
        if self.in_window().is_none() {
            // A small log needs no large window.
            let left = usize::try_from(self.len.saturating_sub(self.at)).unwrap_or(WINDOW);
            self.window.resize(WINDOW.min(left), 0);
            self.window_at = self.at;
            match self.volume.read_at(self.path, self.at, &mut self.window) {
                Ok(got) => self.window.truncate(got),
                Err(e) => {
                    self.window.clear();
                    return Err(io::Error::other(e.to_string()));
                }
            }
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
