//! Allocating and freeing cells.
//!
//! Windows' rules: a request takes a free cell that is large enough and splits it when 8 bytes or more are left; freeing
//! joins the cell with its free neighbours in the same bin; when nothing fits, a new bin is added where the
//! last one ends (never at the end of the file: what lies behind the bins is remnant data) and is as large as the one
//! request needs. Bins are never taken away. We take the smallest cell that fits, found in an index by size: first among
//! those that edits made or split, whose pages are written in any case; and where a small request has to go to another page, to one with room for more.

use std::collections::BTreeSet;

use crate::base_block::{field, BASE_BLOCK};
use crate::bytes::{as_u32, index, round_up};
use crate::error::HiveError;
use crate::fault::{Effect, Rule};
use crate::hive::{Hive, LENGTH_MAX};
use crate::view::{damaged, View, BIN_HEADER};

/// Where the free cells are.
#[derive(Debug, Clone, Default)]
pub(crate) struct CellIndex {
    /// Offsets. The sizes are in the cells.
    by_place: BTreeSet<u32>,
    /// Size and offset, where no edit was.
    by_size: BTreeSet<(u32, u32)>,
    /// Size and offset of those that edits left.
    left: BTreeSet<(u32, u32)>,
    /// Offsets of all bins, ascending.
    bins: Vec<u32>,
}

/// Requests up to this many bytes are small: keys, values, short lists.
const SMALL: u32 = 256;
/// What is room for more, in bytes.
const ROOMY: u32 = 1024;

impl CellIndex {
    /// The index of free cells that are known already, in ascending order.
    pub(crate) fn new(free: &[(u32, u32)], bins: Vec<u32>) -> Self {
        Self {
            by_place: free.iter().map(|&(offset, _)| offset).collect(),
            by_size: free.iter().map(|&(offset, size)| (size, offset)).collect(),
            left: BTreeSet::new(),
            bins,
        }
    }

    fn build(view: &View<'_>) -> Result<Self, HiveError> {
        let mut cells = Self::default();
        let mut at = 0u32;
        while index(at) < view.bins.len() {
            let size = view
                .bin(at)
                .map_err(|(_, found, expected)| damaged(Rule::V2, at, found, expected, Effect::ReplaceBin))?;
            cells.bins.push(at);
            let end = at.saturating_add(size);
            let mut cell = at.saturating_add(BIN_HEADER);
            while cell < end {
                let found = view.cell(cell);
                let (length, allocated) =
                    found.map_or((0, false), |c| (as_u32(c.payload.len()).saturating_add(4), c.allocated));
                let next = cell.saturating_add(length);
                if length == 0 || next > end {
                    return Err(damaged(
                        Rule::V2,
                        cell,
                        "a cell that does not fit",
                        "cells that tile the bin",
                        Effect::ReplaceBin,
                    ));
                }
                if !allocated {
                    cells.by_place.insert(cell);
                    cells.by_size.insert((length, cell));
                }
                cell = next;
            }
            at = end;
        }
        Ok(cells)
    }

    fn insert(&mut self, offset: u32, size: u32) {
        self.by_place.insert(offset);
        self.left.insert((size, offset));
    }

    fn remove(&mut self, offset: u32, size: u32) {
        self.by_place.remove(&offset);
        if !self.left.remove(&(size, offset)) {
            self.by_size.remove(&(size, offset));
        }
    }

    /// Offset and size of the cell to take.
    fn best_fit(&self, need: u32) -> Option<(u32, u32)> {
        let at_least = |size: u32| self.by_size.range((size, 0)..).next();
        let roomy = || if need <= SMALL { at_least(ROOMY) } else { None };
        let found = self.left.range((need, 0)..).next().or_else(roomy).or_else(|| at_least(need));
        found.map(|&(size, offset)| (offset, size))
    }

    /// Number of the bin a cell lies in.
    fn bin_of(&self, offset: u32) -> usize {
        self.bins.partition_point(|&start| start <= offset)
    }
}

impl Hive {
    fn cells(&mut self) -> Result<&mut CellIndex, HiveError> {
        if self.cells.is_none() {
            self.cells = Some(match self.known_free_cells() {
                Some(cells) => cells,
                None => CellIndex::build(&self.view())?,
            });
        }
        Ok(self.cells.get_or_insert_with(CellIndex::default))
    }

    /// A new cell with that payload, zero to its end, with room for at least `capacity` bytes. Answers its offset.
    pub(crate) fn allocate(&mut self, payload: &[u8], capacity: usize) -> Result<u32, HiveError> {
        let wanted = payload.len().max(capacity);
        let need = as_u32(wanted).checked_add(4).and_then(|n| round_up(n, 8)).filter(|&n| n < LENGTH_MAX);
        let Some(need) = need else {
            return Err(HiveError::TooLarge { what: "a cell", size: wanted as u64, limit: u64::from(LENGTH_MAX) });
        };
        self.cells()?;
        let found = self.cells.as_ref().and_then(|cells| cells.best_fit(need));
        let (offset, size) = match found {
            Some(found) => found,
            None => self.add_bin(need)?,
        };
        let there = self.view().cell(offset);
        if there.is_none_or(|c| c.allocated || as_u32(c.payload.len()).saturating_add(4) != size) {
            // Never over something that is there, whatever the index says.
            return Err(damaged(Rule::V3, offset, "another cell than the index has", "a free cell", Effect::Misread));
        }
        let cells = self.cells()?;
        cells.remove(offset, size);
        let rest = size.saturating_sub(need);
        let taken = if rest >= 8 {
            let free = offset.saturating_add(need);
            cells.insert(free, rest);
            self.write_cell_size(free, rest, false)?;
            need
        } else {
            size
        };
        self.write_cell_size(offset, taken, true)?;
        let mut content = payload.to_vec();
        content.resize(index(taken).saturating_sub(4), 0);
        self.put(offset, 0, &content)?;
        Ok(offset)
    }

    /// Frees a cell. One that is not allocated is a sign of damage.
    pub(crate) fn free(&mut self, offset: u32) -> Result<(), HiveError> {
        let size = as_u32(self.view().payload(offset)?.len()).saturating_add(4);
        self.cells()?;
        let (mut start, mut length) = (offset, size);
        let next = offset.saturating_add(size);
        let (before, after) = self.free_neighbours(offset, next);
        let cells = self.cells()?;
        if let Some(after) = after {
            cells.remove(next, after);
            length = length.saturating_add(after);
        }
        if let Some((before, before_size)) = before {
            cells.remove(before, before_size);
            start = before;
            length = length.saturating_add(before_size);
        }
        cells.insert(start, length);
        self.write_cell_size(start, length, false)
    }

    /// The free cells beside one in the same bin: offset and size of that before, size of that at `next`.
    fn free_neighbours(&self, offset: u32, next: u32) -> (Option<(u32, u32)>, Option<u32>) {
        let Some(cells) = &self.cells else { return (None, None) };
        let view = self.view();
        let size_of = |cell: u32| view.cell(cell).map(|c| as_u32(c.payload.len()).saturating_add(4));
        let bin = cells.bin_of(offset);
        let after = (cells.by_place.contains(&next) && cells.bin_of(next) == bin).then(|| size_of(next)).flatten();
        let before = cells.by_place.range(..offset).next_back().and_then(|&before| {
            let size = size_of(before)?;
            (before.checked_add(size)? == offset && cells.bin_of(before) == bin).then_some((before, size))
        });
        (before, after)
    }

    fn add_bin(&mut self, need: u32) -> Result<(u32, u32), HiveError> {
        let length = self.base_block().length;
        let too_large = || HiveError::TooLarge {
            what: "the hive",
            size: u64::from(length).saturating_add(u64::from(need)),
            limit: u64::from(LENGTH_MAX),
        };
        let size = need.checked_add(BIN_HEADER).and_then(|n| round_up(n, 4096)).ok_or_else(too_large)?;
        let new_length = length.checked_add(size).filter(|&l| l <= LENGTH_MAX).ok_or_else(too_large)?;
        let start = index(length).saturating_add(BASE_BLOCK);
        self.image.grow(start.saturating_add(index(size)));
        let mut bin = vec![0; index(size)];
        let free = size.saturating_sub(BIN_HEADER);
        let mut head = b"hbin".to_vec();
        head.extend_from_slice(&length.to_le_bytes());
        head.extend_from_slice(&size.to_le_bytes());
        head.resize(index(BIN_HEADER), 0);
        head.extend_from_slice(&free.to_le_bytes());
        for (slot, byte) in bin.iter_mut().zip(head) {
            *slot = byte;
        }
        self.image.write(start, &bin)?;
        self.image.write(field::LENGTH, &new_length.to_le_bytes())?;
        // Other readers look at the image between edits, and mind the checksum.
        let sum = self.base_block().computed_checksum;
        self.image.write(field::CHECKSUM, &sum.to_le_bytes())?;
        let offset = length.saturating_add(BIN_HEADER);
        let cells = self.cells()?;
        // The index may have been made just now, from the bins with the new one among them.
        if cells.bins.last() != Some(&length) {
            cells.bins.push(length);
        }
        cells.insert(offset, free);
        Ok((offset, free))
    }

    fn write_cell_size(&mut self, offset: u32, size: u32, allocated: bool) -> Result<(), HiveError> {
        let raw = if allocated { size.wrapping_neg() } else { size };
        self.image.write(index(offset).saturating_add(BASE_BLOCK), &raw.to_le_bytes())
    }

    /// Writes into the payload of a cell.
    pub(crate) fn put(&mut self, cell: u32, field: usize, data: &[u8]) -> Result<(), HiveError> {
        let payload = self.view().cell(cell).map_or(0, |c| c.payload.len());
        if field.saturating_add(data.len()) > payload {
            let found = format!("a cell of {payload} bytes");
            return Err(damaged(Rule::V3, cell, found, "a larger one", Effect::Misread));
        }
        let at = index(cell).saturating_add(BASE_BLOCK).saturating_add(4).saturating_add(field);
        self.image.write(at, data)
    }

    /// Writes a dword into the payload of a cell.
    pub(crate) fn put_u32(&mut self, cell: u32, field: usize, value: u32) -> Result<(), HiveError> {
        self.put(cell, field, &value.to_le_bytes())
    }
}
