//! Archived logs: `CbsPersist_*.cab`, a cabinet with one file.
//!
//! The crate `cab` reads it, MSZIP and LZX. What it does with damaged cabinets is not believed: only a file at the very beginning
//! of its folder is read (for others it indexes past its tables), and a panic inside is a cabinet that can't be read.

use std::io::{self, Read};
use std::panic::{catch_unwind, AssertUnwindSafe};

use cab::Cabinet;

use super::reader::VolumeReader;

/// Reads the one file of a cabinet through `with`, which gets its length as the cabinet says it, and the stream.
pub(super) fn read<T>(
    reader: VolumeReader<'_>,
    with: impl FnOnce(u64, &mut dyn Read) -> io::Result<T>,
) -> io::Result<T> {
    let work = AssertUnwindSafe(move || {
        let mut cabinet = Cabinet::new(reader)?;
        let mut files = cabinet.folder_entries().filter(|folder| folder.num_data_blocks() > 0);
        let first = files.next().and_then(|folder| folder.file_entries().next());
        let Some(first) = first else { return Err(bad("it holds no file")) };
        let (name, len) = (first.name().to_owned(), u64::from(first.uncompressed_size()));
        let same_name = cabinet.folder_entries().flat_map(|folder| folder.file_entries()).filter(|f| f.name() == name);
        if same_name.count() != 1 {
            return Err(bad("it holds the same file twice"));
        }
        let mut file = cabinet.read_file(&name)?;
        with(len, &mut file)
    });
    catch_unwind(work).unwrap_or_else(|_| Err(bad("its compressed data are damaged")))
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
