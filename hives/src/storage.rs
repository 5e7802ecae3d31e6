//! What the engine asks of a file: it opens none itself.
//!
//! A commit relies on two promises of the caller's storage: what was written before [`Storage::flush`]
//! returned survives a power cut, and one aligned 512-byte sector is written whole or not at all
//! (what disks promise, and what Windows relies on for the base block).

use std::io;

/// One file: a hive's primary file or one of its logs. Offsets and lengths are in bytes.
pub trait Storage {
    /// The file's length.
    fn len(&self) -> io::Result<u64>;
    /// Whether the file is empty (logs of zero bytes are normal).
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Fills `buf` from `offset`, or fails (`UnexpectedEof` past the end).
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;
    /// Writes all of `data` at `offset`, extending the file with zeros if it starts past the end.
    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()>;
    /// Makes the file `len` bytes long; new bytes read as zero.
    fn set_len(&mut self, len: u64) -> io::Result<()>;
    /// Returns when everything written so far is durable (`fsync`, `FlushFileBuffers`).
    fn flush(&mut self) -> io::Result<()>;
}

impl<S: Storage + ?Sized> Storage for Box<S> {
    fn len(&self) -> io::Result<u64> {
        (**self).len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        (**self).read_at(offset, buf)
    }

    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        (**self).write_at(offset, data)
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        (**self).set_len(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        (**self).flush()
    }
}

/// A file in memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemoryStorage(pub Vec<u8>);

impl Storage for MemoryStorage {
    fn len(&self) -> io::Result<u64> {
        u64::try_from(self.0.len()).map_err(|_| io::ErrorKind::InvalidInput.into())
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let from = to_index(offset)?;
        let end = from.checked_add(buf.len()).ok_or(io::ErrorKind::InvalidInput)?;
        let found = self.0.get(from..end).ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(found);
        Ok(())
    }

    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        let from = to_index(offset)?;
        let end = from.checked_add(data.len()).ok_or(io::ErrorKind::InvalidInput)?;
        if self.0.len() < end {
            self.0.resize(end, 0);
        }
        let target = self.0.get_mut(from..end).ok_or(io::ErrorKind::InvalidInput)?;
        target.copy_from_slice(data);
        Ok(())
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.0.resize(to_index(len)?, 0);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn to_index(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn memory_behaves_like_a_file() {
        let mut s = MemoryStorage::default();
        s.write_at(4, b"abc").unwrap();
        assert_eq!(s.0, b"\0\0\0\0abc");
        let mut buf = [0; 3];
        s.read_at(4, &mut buf).unwrap();
        assert_eq!(&buf, b"abc");
        assert_eq!(s.read_at(5, &mut buf).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        s.set_len(5).unwrap();
        assert_eq!(s.len().unwrap(), 5);
    }
}
