//! Reading values.

use std::borrow::Cow;

use crate::error::HiveError;
use crate::key_value::KeyValue;
use crate::name::Name;
use crate::view::{absolute, View};

/// A value of a key.
#[derive(Clone, Copy)]
pub struct ValueRef<'h> {
    pub(crate) view: View<'h>,
    pub(crate) cell: u32,
    pub(crate) value: KeyValue,
    pub(crate) name: Name<'h>,
}

impl std::fmt::Debug for ValueRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValueRef").field("name", &self.name()).field("offset", &self.file_offset()).finish()
    }
}

impl<'h> ValueRef<'h> {
    #[inline]
    pub(crate) fn new(view: View<'h>, cell: u32) -> Result<Self, HiveError> {
        let (value, name) = view.key_value(cell)?;
        Ok(Self { view, cell, value, name })
    }

    /// Absolute offset of the value's cell in the file, in bytes.
    pub fn file_offset(&self) -> u64 {
        absolute(self.cell, 0)
    }

    /// The name; empty for the default value. Unpaired surrogates read as U+FFFD.
    pub fn name(&self) -> String {
        self.name.to_text()
    }

    /// As [`ValueRef::name`], borrowed from the hive where it is ASCII.
    pub fn name_text(&self) -> Cow<'h, str> {
        self.name.text()
    }

    /// The name's UTF-16 units as stored.
    pub fn name_units(&self) -> Vec<u16> {
        self.name.units().collect()
    }

    /// The type: 1 REG_SZ, 3 REG_BINARY, 4 REG_DWORD, 7 REG_MULTI_SZ and so on; any number is possible.
    pub fn data_type(&self) -> u32 {
        self.value.data_type
    }

    /// Length of the data in bytes as stated in the value.
    pub fn data_len(&self) -> u32 {
        self.value.length()
    }

    /// The data.
    ///
    /// # Errors
    /// [`HiveError::Damaged`] when its cells can't be read or are too small.
    #[inline]
    pub fn data(&self) -> Result<Cow<'h, [u8]>, HiveError> {
        self.view.value_data(self.cell, &self.value)
    }
}
