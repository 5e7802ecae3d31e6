//! Reading and writing an open file at given places, interruptions retried.

use std::fs::File;
use std::io::{self, Read as _};

use coldmend_hives::Storage;

#[cfg(unix)]
use std::os::unix::fs::FileExt as _;

/// A file that is open for reading and writing in place, and locked until this is dropped.
#[derive(Debug)]
pub struct HostStorage {
    file: File,
}

impl HostStorage {
    pub(super) fn new(file: File) -> Self {
        HostStorage { file }
    }
}

/// One read at `offset`; may be short.
fn read_once(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    #[cfg(unix)]
    return file.read_at(buf, offset);
    #[cfg(windows)]
    return std::os::windows::fs::FileExt::seek_read(file, buf, offset);
}

/// One write at `offset`; may be short.
fn write_once(file: &File, offset: u64, data: &[u8]) -> io::Result<usize> {
    #[cfg(unix)]
    return file.write_at(data, offset);
    #[cfg(windows)]
    return std::os::windows::fs::FileExt::seek_write(file, data, offset);
}

fn too_far() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the offset is out of range")
}

/// Fills `buf` from `offset` on as far as the file goes; returns how much that was.
pub(super) fn read_some(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    let mut done = 0usize;
    while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let at = u64::try_from(done).ok().and_then(|d| offset.checked_add(d)).ok_or_else(too_far)?;
        match read_once(file, at, rest) {
            Ok(0) => break,
            Ok(n) => done = done.saturating_add(n),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

/// Reads from the beginning, at most `limit` bytes.
pub(super) fn read_up_to(file: &File, limit: u64) -> io::Result<Vec<u8>> {
    let mut data = Vec::new();
    // What the file claims was checked against the caller's limit; if memory is short, say so.
    let expected = usize::try_from(limit).map_err(|_| too_far())?;
    data.try_reserve_exact(expected).map_err(|e| io::Error::new(io::ErrorKind::OutOfMemory, e))?;
    file.take(limit).read_to_end(&mut data)?;
    Ok(data)
}

impl Storage for HostStorage {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let got = read_some(&self.file, offset, buf)?;
        if got == buf.len() {
            return Ok(());
        }
        Err(super::super::ends_early(offset, got, buf.len()))
    }

    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut done = 0usize;
        while let Some(rest) = data.get(done..).filter(|rest| !rest.is_empty()) {
            let at = u64::try_from(done).ok().and_then(|d| offset.checked_add(d)).ok_or_else(too_far)?;
            match write_once(&self.file, at, rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => done = done.saturating_add(n),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.sync_all()
    }
}
