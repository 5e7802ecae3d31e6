//! Bins and cells, read from a file image: the layer below every structure.
//!
//! Cell offsets are relative to the first bin (file offset 4096), as stored. A cell is a signed size
//! (negative: allocated), which counts its own four bytes, and a payload.

use crate::bytes::{i32_at, index, slice, u32_at};
use crate::error::HiveError;
use crate::fault::{Effect, Fault, Rule};

/// No cell.
pub(crate) const NIL: u32 = u32::MAX;
/// Size of a bin's header, in bytes; cells start behind it.
pub(crate) const BIN_HEADER: u32 = 32;

/// The bins of a hive.
#[derive(Clone, Copy)]
pub(crate) struct View<'h> {
    /// The bins: file offset 4096 to 4096 + length.
    pub(crate) bins: &'h [u8],
    /// Minor version of the format.
    pub(crate) minor: u32,
    /// Cell offset of the root key.
    pub(crate) root: u32,
}

/// One cell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell<'h> {
    pub(crate) payload: &'h [u8],
    pub(crate) allocated: bool,
}

/// Absolute file offset of a cell offset plus a field offset.
pub(crate) fn absolute(cell: u32, field: usize) -> u64 {
    (index(cell) as u64).saturating_add(4096).saturating_add(field as u64)
}

/// A fault in a structure that a reader or editor needs.
#[cold]
pub(crate) fn damaged(
    rule: Rule,
    cell: u32,
    found: impl Into<String>,
    expected: impl Into<String>,
    effect: Effect,
) -> HiveError {
    HiveError::Damaged(Fault {
        rule,
        offset: absolute(cell, 0),
        found: found.into(),
        expected: expected.into(),
        effect,
        path: None,
    })
}

/// The error is made out of the way of the readers, which are short without it.
#[cold]
fn no_payload(offset: u32, is_free: bool) -> HiveError {
    let found = if is_free { "a free cell" } else { "no cell" };
    damaged(Rule::V3, offset, found, "an allocated cell", Effect::RefuseHive)
}

impl<'h> View<'h> {
    /// The cell at an offset, whatever its state; `None` when it does not fit in the bins.
    #[inline]
    pub(crate) fn cell(&self, offset: u32) -> Option<Cell<'h>> {
        if offset < BIN_HEADER || offset & 7 != 0 {
            return None;
        }
        let at = index(offset);
        let raw = i32_at(self.bins, at)?;
        let size = index(raw.unsigned_abs());
        if size < 8 || size & 7 != 0 {
            return None;
        }
        let payload = slice(self.bins, at.checked_add(4)?, size.checked_sub(4)?)?;
        Some(Cell { payload, allocated: raw < 0 })
    }

    /// The payload of an allocated cell.
    #[inline]
    pub(crate) fn payload(&self, offset: u32) -> Result<&'h [u8], HiveError> {
        match self.cell(offset) {
            Some(Cell { payload, allocated: true }) => Ok(payload),
            other => Err(no_payload(offset, other.is_some())),
        }
    }

    /// The bin header at an offset: its size, or what is wrong with it (field offset, found, expected).
    pub(crate) fn bin(&self, offset: u32) -> Result<u32, (usize, String, String)> {
        let at = index(offset);
        let header = slice(self.bins, at, index(BIN_HEADER));
        let Some(header) = header else {
            return Err((0, "the end of the bins".into(), "a bin".into()));
        };
        if !header.starts_with(b"hbin") {
            return Err((0, format!("signature {:02x?}", header.get(..4).unwrap_or(&[])), "\"hbin\"".into()));
        }
        let own = u32_at(header, 4).unwrap_or(0);
        if own != offset {
            return Err((4, format!("bin offset {own:#x}"), format!("{offset:#x}")));
        }
        let size = u32_at(header, 8).unwrap_or(0);
        if size == 0 || size & 4095 != 0 {
            return Err((8, format!("bin size {size:#x}"), "a multiple of 0x1000".into()));
        }
        let end = at.checked_add(index(size));
        if end.is_none_or(|end| end > self.bins.len()) {
            let room = self.bins.len().saturating_sub(at);
            return Err((8, format!("bin size {size:#x}"), format!("at most {room:#x}, where the bins end")));
        }
        Ok(size)
    }
}
