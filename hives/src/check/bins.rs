//! V2: bins follow each other without a gap, and cells tile each bin.

use super::{finding, Checker};
use crate::bytes::{i32_at, index};
use crate::fault::{Effect, Rule};
use crate::view::{absolute, BIN_HEADER};

/// More free cells than one in so many bytes are not kept.
const BYTES_PER_FREE_CELL: usize = 512;
/// Bins are multiples of this.
const UNIT: u32 = 4096;

impl Checker<'_> {
    pub(super) fn bins(&mut self) {
        let length = self.view.bins.len();
        self.report.stats.bins_length = length as u64;
        let mut at = 0u32;
        while index(at) < length {
            match self.view.bin(at) {
                Ok(size) => {
                    let end = at.saturating_add(size);
                    self.cells(at, end);
                    self.bins.push(at);
                    at = end;
                    self.report.stats.bins = self.report.stats.bins.saturating_add(1);
                }
                Err((field, found, expected)) => {
                    let finding = finding(Rule::V2, Effect::ReplaceBin, found, expected);
                    self.report_at(absolute(at, field), None, finding);
                    at = at.saturating_add(UNIT);
                }
            }
        }
    }

    /// Keeps a free cell for the editor, as long as there are not too many.
    fn note_free(&mut self, cell: u32, size: u32) {
        let Some(free) = &mut self.free else { return };
        if free.len() < self.view.bins.len() / BYTES_PER_FREE_CELL {
            free.push((cell, size));
        } else {
            self.free = None;
        }
    }

    fn cells(&mut self, bin: u32, end: u32) {
        let (mut allocated, mut free, mut free_bytes) = (0u64, 0u64, 0u64);
        let mut cell = bin.saturating_add(BIN_HEADER);
        while cell < end {
            let raw = i32_at(self.view.bins, index(cell)).unwrap_or(0);
            let size = raw.unsigned_abs();
            let next = cell.saturating_add(size);
            if size < 8 || size & 7 != 0 || next > end {
                let found = format!("cell size {raw:#x}");
                let room = end.saturating_sub(cell);
                let expected = format!("a multiple of 8 from 8 to {room:#x}, where the bin ends");
                self.report_at(absolute(cell, 0), None, finding(Rule::V2, Effect::ReplaceBin, found, expected));
                break;
            }
            if raw < 0 {
                if let Some(starts) = &mut self.starts {
                    starts.insert(index(cell / 8));
                }
                allocated = allocated.saturating_add(1);
            } else {
                free = free.saturating_add(1);
                self.note_free(cell, size);
                free_bytes = free_bytes.saturating_add(u64::from(size));
            }
            cell = next;
        }
        let stats = &mut self.report.stats;
        stats.allocated_cells = stats.allocated_cells.saturating_add(allocated);
        stats.free_cells = stats.free_cells.saturating_add(free);
        stats.free_bytes = stats.free_bytes.saturating_add(free_bytes);
    }
}
