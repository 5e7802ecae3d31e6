//! Setting, deleting and renaming values.

use crate::big_data::{new_big_data, segments_for, SEGMENT, SEGMENTS_MAX};
use crate::bytes::{as_u32, index, u32_at};
use crate::check::Part;
use crate::error::HiveError;
use crate::filetime::FileTime;
use crate::hive::Hive;
use crate::key_node::{self, KeyNode};
use crate::key_value::{
    field, has_data_cell, inline_data, new_key_value, storage_of_new, DataStorage, KeyValue, INLINE, VALUE_HEADER,
    VALUE_NAME_MAX, VALUE_TOMBSTONE,
};
use crate::name::{encode, upper_units};
use crate::view::NIL;

/// Longest data in version 1.3, which has no big data: one cell of a megabyte.
const PLAIN_MAX: usize = 1 << 20;

/// A value found in a key.
struct Found {
    /// Place in the list.
    at: usize,
    cell: u32,
    value: KeyValue,
}

impl Hive {
    /// Sets a value, or makes it; the empty name is the default value. `data` is stored as it is: strings are UTF-16 with their terminating NUL.
    /// A value that has this type and data already is left alone, time stamp included.
    ///
    /// # Errors
    /// [`HiveError::KeyNotFound`], [`HiveError::TooLarge`] (data: 1 MiB in version 1.3, about 1 GiB else),
    /// [`HiveError::InvalidName`], [`HiveError::Refused`] for layered keys, [`HiveError::Damaged`].
    pub fn set_value(
        &mut self,
        key: &str,
        name: &str,
        data_type: u32,
        data: &[u8],
        now: FileTime,
    ) -> Result<(), HiveError> {
        let cell = self.cell_of(key)?;
        let minor = self.view().minor;
        let limit = if minor >= 4 { SEGMENT.saturating_mul(SEGMENTS_MAX) } else { PLAIN_MAX };
        if data.len() > limit {
            return Err(HiveError::TooLarge { what: "the data", size: data.len() as u64, limit: limit as u64 });
        }
        let found = self.find_value(cell, key, name)?;
        if let Some(found) = &found {
            let same = found.value.data_type == data_type
                && self.view().value_data(found.cell, &found.value).is_ok_and(|old| *old == *data);
            if same {
                return Ok(());
            }
        }
        self.edit(|hive| {
            hive.note(cell, Part::Values);
            match found {
                Some(found) => hive.replace_data(&found, data_type, data)?,
                None => hive.add_value(cell, name, data_type, data)?,
            }
            let (node, _) = hive.view().key_node(cell)?;
            hive.raise(cell, key_node::field::MAX_VALUE_DATA, node.max_value_data, data.len())?;
            hive.touch(cell, now)
        })
    }

    /// Deletes a value and everything it occupies.
    ///
    /// # Errors
    /// [`HiveError::KeyNotFound`], [`HiveError::ValueNotFound`], [`HiveError::Refused`] for layered keys, [`HiveError::Damaged`].
    pub fn delete_value(&mut self, key: &str, name: &str, now: FileTime) -> Result<(), HiveError> {
        let cell = self.cell_of(key)?;
        let Some(found) = self.find_value(cell, key, name)? else {
            return Err(HiveError::ValueNotFound { key: key.into(), name: name.into() });
        };
        self.edit(|hive| {
            hive.note(cell, Part::Values);
            let (node, _) = hive.view().key_node(cell)?;
            let left = node.values.saturating_sub(1);
            hive.put_u32(cell, key_node::field::VALUES, left)?;
            if left == 0 {
                hive.put_u32(cell, key_node::field::VALUE_LIST, NIL)?;
                hive.free(node.value_list)?;
            } else {
                let list: Vec<u32> = hive.view().value_list(node.value_list, node.values)?.collect();
                let rest = list.get(found.at.saturating_add(1)..).unwrap_or(&[]);
                let bytes: Vec<u8> = rest.iter().flat_map(|v| v.to_le_bytes()).collect();
                hive.put(node.value_list, found.at.saturating_mul(4), &bytes)?;
            }
            hive.free_data(&found.value)?;
            hive.free(found.cell)?;
            hive.touch(cell, now)
        })
    }

    /// Renames a value; a change of case only is fine.
    ///
    /// # Errors
    /// As [`Hive::delete_value`], and [`HiveError::Exists`] when another value has the new name.
    pub fn rename_value(&mut self, key: &str, name: &str, new_name: &str, now: FileTime) -> Result<(), HiveError> {
        let cell = self.cell_of(key)?;
        let Some(found) = self.find_value(cell, key, name)? else {
            return Err(HiveError::ValueNotFound { key: key.into(), name: name.into() });
        };
        check_value_name(new_name)?;
        if self.find_value(cell, key, new_name)?.is_some_and(|other| other.cell != found.cell) {
            return Err(HiveError::Exists { key: key.into(), name: new_name.into() });
        }
        let (bytes, compressed) = encode(new_name);
        let payload = self.view().payload(found.cell)?;
        let room = payload.len().saturating_sub(VALUE_HEADER);
        let v = found.value;
        let new = new_key_value(&bytes, compressed, v.raw_length, v.data, v.data_type);
        if payload.starts_with(&new) && v.name_length == u16::try_from(bytes.len()).unwrap_or(u16::MAX) {
            return Ok(());
        }
        self.edit(|hive| {
            hive.note(cell, Part::Values);
            let (node, _) = hive.view().key_node(cell)?;
            if bytes.len() <= room {
                hive.put(found.cell, 0, &new)?;
            } else {
                let moved = hive.allocate(&new, 0)?;
                hive.put_u32(node.value_list, found.at.saturating_mul(4), moved)?;
                hive.free(found.cell)?;
            }
            let units = new_name.encode_utf16().count();
            hive.raise(cell, key_node::field::MAX_VALUE_NAME, node.max_value_name, units.saturating_mul(2))?;
            hive.touch(cell, now)
        })
    }

    fn find_value(&self, key: u32, path: &str, name: &str) -> Result<Option<Found>, HiveError> {
        let view = self.view();
        let (node, _) = view.key_node(key)?;
        let upper = upper_units(name);
        for (at, cell) in view.value_list(node.value_list, node.values)?.enumerate() {
            let (value, stored) = view.key_value(cell)?;
            if stored.is(&upper) {
                if value.flags & VALUE_TOMBSTONE != 0 {
                    let reason = "the value is a mark of a layered (differencing) hive";
                    return Err(HiveError::Refused { path: path.to_owned(), reason });
                }
                return Ok(Some(Found { at, cell, value }));
            }
        }
        Ok(None)
    }

    fn add_value(&mut self, key: u32, name: &str, data_type: u32, data: &[u8]) -> Result<(), HiveError> {
        check_value_name(name)?;
        let (bytes, compressed) = encode(name);
        let (raw_length, field) = self.store_data(data)?;
        let vk = self.allocate(&new_key_value(&bytes, compressed, raw_length, field, data_type), 0)?;
        let (node, _) = self.view().key_node(key)?;
        self.append_to_list(key, &node, vk)?;
        let units = name.encode_utf16().count();
        self.raise(key, key_node::field::MAX_VALUE_NAME, node.max_value_name, units.saturating_mul(2))
    }

    fn append_to_list(&mut self, key: u32, node: &KeyNode, vk: u32) -> Result<(), HiveError> {
        let count = index(node.values);
        let more = node.values.saturating_add(1);
        let used = count.saturating_mul(4);
        let needed = used.saturating_add(4);
        if count == 0 {
            let list = self.allocate(&vk.to_le_bytes(), 0)?;
            self.put_u32(key, key_node::field::VALUE_LIST, list)?;
        } else {
            let payload = self.view().payload(node.value_list)?;
            if payload.len() >= needed {
                self.put_u32(node.value_list, used, vk)?;
            } else {
                let mut list = payload.get(..used).unwrap_or(&[]).to_vec();
                list.extend_from_slice(&vk.to_le_bytes());
                // Room for a few more, so that many values do not copy the list each time.
                let roomy = needed.saturating_add(used / 4);
                let moved = self.allocate(&list, roomy)?;
                self.put_u32(key, key_node::field::VALUE_LIST, moved)?;
                self.free(node.value_list)?;
            }
        }
        self.put_u32(key, key_node::field::VALUES, more)
    }

    /// Stores data; answers the length field and the data field of the value node.
    fn store_data(&mut self, data: &[u8]) -> Result<(u32, u32), HiveError> {
        let length = as_u32(data.len());
        match storage_of_new(length, self.view().minor) {
            DataStorage::Inline | DataStorage::Empty => Ok((length | INLINE, inline_data(data))),
            DataStorage::Cell => Ok((length, self.allocate(data, 0)?)),
            DataStorage::Big => {
                let mut list = Vec::with_capacity(segments_for(data.len()).saturating_mul(4));
                for segment in data.chunks(SEGMENT) {
                    // Every segment's cell has the full size and 4 bytes, the last one's too, as in all hives that Windows wrote: hivex cuts data short else.
                    let room = SEGMENT.saturating_add(4);
                    list.extend_from_slice(&self.allocate(segment, room)?.to_le_bytes());
                }
                let list_cell = self.allocate(&list, 0)?;
                Ok((length, self.allocate(&new_big_data(list.len() / 4, list_cell), 0)?))
            }
        }
    }

    fn replace_data(&mut self, found: &Found, data_type: u32, data: &[u8]) -> Result<(), HiveError> {
        let minor = self.view().minor;
        let length = as_u32(data.len());
        let old = &found.value;
        let new_storage = storage_of_new(length, minor);
        let in_place = match (old.storage(minor), new_storage) {
            (DataStorage::Inline | DataStorage::Empty, DataStorage::Inline) => {
                self.put_u32(found.cell, field::DATA, inline_data(data))?;
                self.put_u32(found.cell, field::LENGTH, length | INLINE)?;
                true
            }
            (DataStorage::Cell, DataStorage::Cell)
                if self.view().payload(old.data).is_ok_and(|p| p.len() >= data.len()) =>
            {
                self.put(old.data, 0, data)?;
                self.put_u32(found.cell, field::LENGTH, length)?;
                true
            }
            (DataStorage::Big, DataStorage::Big) => {
                self.overwrite_big(old, data)? && {
                    self.put_u32(found.cell, field::LENGTH, length)?;
                    true
                }
            }
            _ => false,
        };
        if !in_place {
            let (raw_length, data_field) = self.store_data(data)?;
            self.put_u32(found.cell, field::LENGTH, raw_length)?;
            self.put_u32(found.cell, field::DATA, data_field)?;
            self.free_data(old)?;
        }
        self.put_u32(found.cell, field::TYPE, data_type)
    }

    /// Writes big data over big data when it takes as many segments and they are large enough.
    fn overwrite_big(&mut self, old: &KeyValue, data: &[u8]) -> Result<bool, HiveError> {
        let (_, segments) = self.view().big_data(old.data)?;
        let fits = |(cell, part): (&u32, &[u8])| self.view().payload(*cell).is_ok_and(|p| p.len() >= part.len());
        if segments.len() != segments_for(data.len()) || !segments.iter().zip(data.chunks(SEGMENT)).all(fits) {
            return Ok(false);
        }
        for (cell, part) in segments.iter().zip(data.chunks(SEGMENT)) {
            self.put(*cell, 0, part)?;
        }
        Ok(true)
    }

    /// Frees what a value's data occupies.
    pub(super) fn free_data(&mut self, value: &KeyValue) -> Result<(), HiveError> {
        let minor = self.view().minor;
        if !has_data_cell(value, minor) {
            return Ok(());
        }
        if value.storage(minor) == DataStorage::Big {
            let (header, segments) = self.view().big_data(value.data)?;
            for segment in segments {
                self.free(segment)?;
            }
            self.free(header.list)?;
        }
        self.free(value.data)
    }

    /// Frees the values of a key that goes away.
    pub(super) fn free_values(&mut self, node: &KeyNode) -> Result<(), HiveError> {
        if node.values == 0 {
            return Ok(());
        }
        let list: Vec<u32> = self
            .view()
            .payload(node.value_list)?
            .chunks_exact(4)
            .take(index(node.values))
            .filter_map(|c| u32_at(c, 0))
            .collect();
        for cell in list {
            let (value, _) = self.view().key_value(cell)?;
            self.free_data(&value)?;
            self.free(cell)?;
        }
        self.free(node.value_list)
    }
}

fn check_value_name(name: &str) -> Result<(), HiveError> {
    if name.encode_utf16().count() > VALUE_NAME_MAX {
        return Err(HiveError::InvalidName { name: name.into(), reason: "longer than 16383 UTF-16 units" });
    }
    Ok(())
}
