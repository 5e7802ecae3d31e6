//! Values: the value list, the value node (`vk`) and where its data is.
//!
//! Up to four bytes of data are inside the node; up to 16344 (any size in version 1.3) in one cell;
//! more than that in big data (see `big_data`).

use std::borrow::Cow;

use crate::big_data::{read_big_data, BIG_DATA_ABOVE};
use crate::bytes::{array, index, slice, u32_at};
use crate::error::HiveError;
use crate::fault::{Effect, Rule};
use crate::name::Name;
use crate::view::{damaged, View, NIL};

/// Bytes before the name.
pub(crate) const VALUE_HEADER: usize = 20;
/// Longest name, in UTF-16 units.
pub(crate) const VALUE_NAME_MAX: usize = 16_383;
/// The bit of the length that says that the data is inside the node.
pub(crate) const INLINE: u32 = 0x8000_0000;
/// Flag: the name has one byte per character.
pub(crate) const VALUE_COMPRESSED: u16 = 1;
/// Flag: the value is marked as deleted in a layered (differencing) hive.
pub(crate) const VALUE_TOMBSTONE: u16 = 2;

/// Field offsets in the payload.
pub(crate) mod field {
    pub(crate) const LENGTH: usize = 4;
    pub(crate) const DATA: usize = 8;
    pub(crate) const TYPE: usize = 12;
}

/// The fixed part of a value node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyValue {
    pub(crate) name_length: u16,
    /// As stored, with [`INLINE`].
    pub(crate) raw_length: u32,
    /// Cell offset of the data, or the data itself.
    pub(crate) data: u32,
    pub(crate) data_type: u32,
    pub(crate) flags: u16,
}

impl KeyValue {
    /// Reads a payload; `None` when it is too short or not `vk`.
    #[inline]
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let h: [u8; VALUE_HEADER] = array(payload, 0)?;
        if !h.starts_with(b"vk") {
            return None;
        }
        Some(Self {
            name_length: u16::from_le_bytes([h[2], h[3]]),
            raw_length: u32::from_le_bytes([h[4], h[5], h[6], h[7]]),
            data: u32::from_le_bytes([h[8], h[9], h[10], h[11]]),
            data_type: u32::from_le_bytes([h[12], h[13], h[14], h[15]]),
            flags: u16::from_le_bytes([h[16], h[17]]),
        })
    }

    pub(crate) fn inline(&self) -> bool {
        self.raw_length & INLINE != 0
    }

    /// Length of the data in bytes.
    pub(crate) fn length(&self) -> u32 {
        self.raw_length & !INLINE
    }

    pub(crate) fn name<'h>(&self, payload: &'h [u8]) -> Option<Name<'h>> {
        let bytes = slice(payload, VALUE_HEADER, usize::from(self.name_length))?;
        // An empty name (the default value) has no flags; it reads the same either way.
        Some(Name::new(bytes, self.flags & VALUE_COMPRESSED != 0))
    }

    /// How the data is stored in a hive of that minor version.
    pub(crate) fn storage(&self, minor: u32) -> DataStorage {
        storage_for(self.length(), self.inline(), minor)
    }
}

/// How a value's data is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataStorage {
    /// Nothing is stored.
    Empty,
    /// In the value node.
    Inline,
    /// In one cell.
    Cell,
    /// In segments.
    Big,
}

fn storage_for(length: u32, inline: bool, minor: u32) -> DataStorage {
    if inline {
        DataStorage::Inline
    } else if length == 0 {
        DataStorage::Empty
    } else if minor >= 4 && length > BIG_DATA_ABOVE {
        DataStorage::Big
    } else {
        DataStorage::Cell
    }
}

/// How data of that length is to be stored.
pub(crate) fn storage_of_new(length: u32, minor: u32) -> DataStorage {
    storage_for(length, length <= 4, minor)
}

impl<'h> View<'h> {
    /// The cell offsets in a value list.
    #[inline]
    pub(crate) fn value_list(&self, list: u32, count: u32) -> Result<impl Iterator<Item = u32> + 'h, HiveError> {
        let bytes: &'h [u8] = if count == 0 {
            &[]
        } else if index(count) > self.bins.len() / VALUE_HEADER {
            // Every value has a cell of its own.
            let found = format!("{count} values");
            let expected = format!("at most the {} that the hive has room for", self.bins.len() / VALUE_HEADER);
            return Err(damaged(Rule::V7, list, found, expected, Effect::DropValues));
        } else {
            let payload = self.payload(list)?;
            let size = index(count).saturating_mul(4);
            payload.get(..size).ok_or_else(|| {
                damaged(
                    Rule::V7,
                    list,
                    format!("a value list of {} bytes", payload.len()),
                    format!("room for {count} values"),
                    Effect::DropValues,
                )
            })?
        };
        Ok(bytes.chunks_exact(4).filter_map(|c| u32_at(c, 0)))
    }

    /// A value node and its name.
    #[inline]
    pub(crate) fn key_value(&self, offset: u32) -> Result<(KeyValue, Name<'h>), HiveError> {
        let payload = self.payload(offset)?;
        let Some(value) = KeyValue::parse(payload) else {
            return Err(damaged(Rule::V7, offset, "no value", "signature \"vk\" and 20 bytes", Effect::DropValue));
        };
        let Some(name) = value.name(payload) else {
            return Err(damaged(
                Rule::V7,
                offset,
                format!("a name of {} bytes in a cell of {}", value.name_length, payload.len()),
                "a name that fits",
                Effect::DropValue,
            ));
        };
        Ok((value, name))
    }

    /// The cells that a value's data takes, added to `cells`.
    pub(crate) fn data_cells(&self, value: &KeyValue, cells: &mut Vec<u32>) -> Result<(), HiveError> {
        match value.storage(self.minor) {
            DataStorage::Empty | DataStorage::Inline => {}
            DataStorage::Cell => cells.push(value.data),
            DataStorage::Big => {
                let (header, segments) = self.big_data(value.data)?;
                cells.extend([value.data, header.list]);
                cells.extend(segments);
            }
        }
        Ok(())
    }

    /// The data of the value at `offset`.
    #[inline]
    pub(crate) fn value_data(&self, offset: u32, value: &KeyValue) -> Result<Cow<'h, [u8]>, HiveError> {
        let length = index(value.length());
        match value.storage(self.minor) {
            DataStorage::Empty => Ok(Cow::Borrowed(&[])),
            DataStorage::Inline => {
                let inside = slice(self.payload(offset)?, field::DATA, length.min(4)).unwrap_or(&[]);
                if length > 4 {
                    return Err(damaged(
                        Rule::V7,
                        offset,
                        format!("{length} bytes inside the node"),
                        "at most 4",
                        Effect::DropValue,
                    ));
                }
                Ok(Cow::Borrowed(inside))
            }
            DataStorage::Cell => {
                let payload = self.payload(value.data)?;
                payload.get(..length).map(Cow::Borrowed).ok_or_else(|| {
                    damaged(
                        Rule::V7,
                        value.data,
                        format!("a cell of {} bytes", payload.len()),
                        format!("{length} bytes of data"),
                        Effect::DropValue,
                    )
                })
            }
            DataStorage::Big => read_big_data(self, value.data, length).map(Cow::Owned),
        }
    }
}

/// The payload of a value node.
pub(crate) fn new_key_value(name: &[u8], compressed: bool, raw_length: u32, data: u32, data_type: u32) -> Vec<u8> {
    let mut p = Vec::with_capacity(VALUE_HEADER.saturating_add(name.len()));
    // The default value has an empty name and no flags: so in every real hive.
    let flags = if compressed && !name.is_empty() { VALUE_COMPRESSED } else { 0 };
    p.extend_from_slice(b"vk");
    p.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
    p.extend_from_slice(&raw_length.to_le_bytes());
    p.extend_from_slice(&data.to_le_bytes());
    p.extend_from_slice(&data_type.to_le_bytes());
    p.extend_from_slice(&flags.to_le_bytes());
    p.extend_from_slice(&[0; 2]);
    p.extend_from_slice(name);
    p
}

/// The data field for data inside the node: unused bytes are zero.
pub(crate) fn inline_data(data: &[u8]) -> u32 {
    let mut field = [0; 4];
    for (slot, byte) in field.iter_mut().zip(data) {
        *slot = *byte;
    }
    if data.is_empty() {
        return 0;
    }
    u32::from_le_bytes(field)
}

/// Whether a value's data field names a cell.
pub(crate) fn has_data_cell(value: &KeyValue, minor: u32) -> bool {
    value.data != NIL && matches!(value.storage(minor), DataStorage::Cell | DataStorage::Big)
}
