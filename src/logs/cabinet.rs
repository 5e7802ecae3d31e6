//! Archived logs: `CbsPersist_*.cab`, a cabinet with one file.
//!
//! The crate `cab` reads it, MSZIP and LZX. What it does with damaged cabinets is not believed: for a file that does not begin at
//! the beginning of its folder it may index past its tables, so such a file is not read, and a panic inside is a
//! cabinet that can't be read.

use std::io::{self, Read, Seek, SeekFrom};
use std::panic::{catch_unwind, AssertUnwindSafe};

use cab::Cabinet;

use super::reader::VolumeReader;

/// Reads the one file of a cabinet through `with`, which gets its length as the cabinet says it, and the stream.
pub(super) fn read<T>(
    mut reader: VolumeReader<'_>,
    with: impl FnOnce(u64, &mut dyn Read) -> io::Result<T>,
) -> io::Result<T> {
    let work = AssertUnwindSafe(move || {
        if !begins_at_zero(&mut reader)? {
            return Err(bad("its first file is not where it should be"));
        }
        let mut cabinet = Cabinet::new(reader)?;
        let folder = cabinet.folder_entries().next().filter(|folder| folder.num_data_blocks() > 0);
        let first = folder.and_then(|folder| folder.file_entries().next());
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

/// Whether the first file is the first of the first folder, and begins with it: by the header's place of the file entries
/// (16..20), and by the entry's own place in its folder (4..8) and folder (8..10).
fn begins_at_zero(reader: &mut VolumeReader<'_>) -> io::Result<bool> {
    let mut head = [0; 20];
    reader.read_exact(&mut head)?;
    let [.., a, b, c, d] = head;
    reader.seek(SeekFrom::Start(u64::from(u32::from_le_bytes([a, b, c, d]))))?;
    let mut entry = [0; 10];
    reader.read_exact(&mut entry)?;
    reader.seek(SeekFrom::Start(0))?;
    Ok(entry.get(4..).is_some_and(|place| place.iter().all(|&b| b == 0)))
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
