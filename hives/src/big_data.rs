//! Big data (`db`): value data of more than 16344 bytes, in segments, from version 1.4 on.
//!
//! The header names a list cell; the list names the segments. Every segment holds 16344 bytes but the last.

use crate::bytes::{array, u16_at, u32_at};
use crate::error::HiveError;
use crate::fault::{Effect, Rule};
use crate::view::{damaged, View};

/// Longest data that is stored in one cell, and the size of a segment, in bytes.
pub(crate) const BIG_DATA_ABOVE: u32 = 16_344;
/// Size of a segment as `usize`.
pub(crate) const SEGMENT: usize = 16_344;
/// Most segments (the count has 16 bits).
pub(crate) const SEGMENTS_MAX: usize = 0xFFFF;

/// The big data header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BigData {
    pub(crate) segments: u16,
    pub(crate) list: u32,
}

impl BigData {
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        if array::<2>(payload, 0)? != *b"db" {
            return None;
        }
        Some(Self { segments: u16_at(payload, 2)?, list: u32_at(payload, 4)? })
    }
}

impl<'h> View<'h> {
    /// The big data header at an offset and the cell offsets of its segments.
    pub(crate) fn big_data(&self, offset: u32) -> Result<(BigData, Vec<u32>), HiveError> {
        let Some(header) = BigData::parse(self.payload(offset)?) else {
            return Err(damaged(Rule::V7, offset, "no big data", "signature \"db\"", Effect::DropValue));
        };
        let count = usize::from(header.segments);
        let list = self.payload(header.list)?;
        let Some(elements) = list.get(..count.saturating_mul(4)) else {
            return Err(damaged(
                Rule::V7,
                header.list,
                format!("a segment list of {} bytes", list.len()),
                format!("room for {count} segments"),
                Effect::DropValue,
            ));
        };
        Ok((header, elements.chunks_exact(4).filter_map(|c| u32_at(c, 0)).collect()))
    }
}

/// How many segments data of that length takes.
pub(crate) fn segments_for(length: usize) -> usize {
    length.div_ceil(SEGMENT)
}

pub(crate) fn read_big_data(view: &View<'_>, offset: u32, length: usize) -> Result<Vec<u8>, HiveError> {
    let (header, segments) = view.big_data(offset)?;
    if segments.len() != segments_for(length) {
        return Err(damaged(
            Rule::V7,
            offset,
            format!("{} segments", header.segments),
            format!("{} for {length} bytes", segments_for(length)),
            Effect::DropValue,
        ));
    }
    // At most as much as the segments really hold: bounded by the file.
    let mut data = Vec::with_capacity(length.min(view.bins.len()));
    for segment in segments {
        let payload = view.payload(segment)?;
        let want = length.saturating_sub(data.len()).min(SEGMENT);
        let Some(part) = payload.get(..want) else {
            return Err(damaged(
                Rule::V7,
                segment,
                format!("a segment of {} bytes", payload.len()),
                format!("{want}"),
                Effect::DropValue,
            ));
        };
        // A segment may be named again and again: never more than the bins hold.
        if data.len().saturating_add(want) > view.bins.len() {
            return Err(damaged(Rule::V7, offset, "segments used twice", "different segments", Effect::DropValue));
        }
        data.extend_from_slice(part);
    }
    Ok(data)
}

/// The payload of a header.
pub(crate) fn new_big_data(segments: usize, list: u32) -> Vec<u8> {
    let mut p = b"db".to_vec();
    p.extend_from_slice(&u16::try_from(segments).unwrap_or(u16::MAX).to_le_bytes());
    p.extend_from_slice(&list.to_le_bytes());
    p
}
