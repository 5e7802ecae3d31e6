//! The key node (`nk`): one registry key.

use crate::bytes::{array, slice};
use crate::error::HiveError;
use crate::fault::{Effect, Rule};
use crate::name::Name;
use crate::view::{damaged, View, NIL};

/// Bytes before the name.
pub(crate) const KEY_HEADER: usize = 76;
/// Largest payload of a key node's cell that Windows accepts.
pub(crate) const KEY_MAX: usize = 0x45C;
/// Smallest size of a key node's cell, in bytes.
pub(crate) const KEY_MIN: usize = 80;
/// Longest name, in UTF-16 units.
pub(crate) const KEY_NAME_MAX: usize = 255;
/// A path in a message is cut off at the front when it is longer than this, in UTF-16 units: a damaged hive may have a thousand faults under a path of 100,000.
const PATH_SHOWN: usize = 512;
/// Deepest tree, in keys below the root.
pub(crate) const DEPTH_MAX: usize = 512;

/// Field offsets in the payload.
pub(crate) mod field {
    pub(crate) const FLAGS: usize = 2;
    pub(crate) const TIMESTAMP: usize = 4;
    pub(crate) const PARENT: usize = 16;
    pub(crate) const SUBKEYS: usize = 20;
    pub(crate) const SUBKEY_LIST: usize = 28;
    pub(crate) const VALUES: usize = 36;
    pub(crate) const VALUE_LIST: usize = 40;
    pub(crate) const SECURITY: usize = 44;
    pub(crate) const CLASS: usize = 48;
    pub(crate) const MAX_NAME: usize = 52;
    pub(crate) const MAX_CLASS: usize = 56;
    pub(crate) const MAX_VALUE_NAME: usize = 60;
    pub(crate) const MAX_VALUE_DATA: usize = 64;
    pub(crate) const NAME_LENGTH: usize = 72;
    pub(crate) const CLASS_LENGTH: usize = 74;
}

/// Flags of a key node.
pub(crate) mod flag {
    pub(crate) const ROOT: u16 = 0x04;
    pub(crate) const NO_DELETE: u16 = 0x08;
    pub(crate) const SYMLINK: u16 = 0x10;
    pub(crate) const COMPRESSED: u16 = 0x20;
    pub(crate) const PREDEFINED: u16 = 0x40;
}

/// The fixed part of a key node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyNode {
    pub(crate) flags: u16,
    pub(crate) timestamp: u64,
    /// Layered-key semantics (byte 13): nonzero only in differencing hives.
    pub(crate) layer: u8,
    pub(crate) parent: u32,
    pub(crate) subkeys: u32,
    pub(crate) volatile_subkeys: u32,
    pub(crate) subkey_list: u32,
    pub(crate) values: u32,
    pub(crate) value_list: u32,
    pub(crate) security: u32,
    pub(crate) class: u32,
    pub(crate) max_name: u16,
    pub(crate) max_class: u32,
    pub(crate) max_value_name: u32,
    pub(crate) max_value_data: u32,
    pub(crate) name_length: u16,
    pub(crate) class_length: u16,
}

impl KeyNode {
    /// Reads a payload; `None` when it is too short or not `nk`.
    #[inline]
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let h: [u8; KEY_HEADER] = array(payload, 0)?;
        if !h.starts_with(b"nk") {
            return None;
        }
        let word = |a: u8, b: u8| u16::from_le_bytes([a, b]);
        let long = |b: [u8; 4]| u32::from_le_bytes(b);
        Some(Self {
            flags: word(h[2], h[3]),
            timestamp: u64::from_le_bytes([h[4], h[5], h[6], h[7], h[8], h[9], h[10], h[11]]),
            layer: h[13],
            parent: long([h[16], h[17], h[18], h[19]]),
            subkeys: long([h[20], h[21], h[22], h[23]]),
            volatile_subkeys: long([h[24], h[25], h[26], h[27]]),
            subkey_list: long([h[28], h[29], h[30], h[31]]),
            values: long([h[36], h[37], h[38], h[39]]),
            value_list: long([h[40], h[41], h[42], h[43]]),
            security: long([h[44], h[45], h[46], h[47]]),
            class: long([h[48], h[49], h[50], h[51]]),
            max_name: word(h[52], h[53]),
            max_class: long([h[56], h[57], h[58], h[59]]),
            max_value_name: long([h[60], h[61], h[62], h[63]]),
            max_value_data: long([h[64], h[65], h[66], h[67]]),
            name_length: word(h[72], h[73]),
            class_length: word(h[74], h[75]),
        })
    }

    pub(crate) fn compressed(&self) -> bool {
        self.flags & flag::COMPRESSED != 0
    }

    /// The name in this node's payload; `None` when it does not fit.
    pub(crate) fn name<'h>(&self, payload: &'h [u8]) -> Option<Name<'h>> {
        let bytes = slice(payload, KEY_HEADER, usize::from(self.name_length))?;
        Some(Name::new(bytes, self.compressed()))
    }
}

impl<'h> View<'h> {
    /// A key node and its name.
    #[inline]
    pub(crate) fn key_node(&self, offset: u32) -> Result<(KeyNode, Name<'h>), HiveError> {
        let payload = self.payload(offset)?;
        let Some(node) = KeyNode::parse(payload) else {
            return Err(damaged(Rule::V5, offset, "no key node", "signature \"nk\" and 76 bytes", Effect::DropSubtree));
        };
        let Some(name) = node.name(payload) else {
            return Err(damaged(
                Rule::V5,
                offset,
                format!("a name of {} bytes in a cell of {}", node.name_length, payload.len()),
                "a name that fits",
                Effect::DropSubtree,
            ));
        };
        Ok((node, name))
    }

    /// The path of a key (root: empty), by following parents; as far as it can be told.
    pub(crate) fn path_of(&self, offset: u32) -> Option<String> {
        let mut names = Vec::new();
        let mut at = offset;
        while at != self.root {
            let (node, name) = self.key_node(at).ok()?;
            names.push(name.to_text());
            if names.len() > DEPTH_MAX.saturating_add(1) {
                return None;
            }
            at = node.parent;
        }
        names.reverse();
        Some(names.join("\\"))
    }

    /// As [`View::path_of`], for messages: of a very long path only the end, behind "…".
    pub(crate) fn short_path_of(&self, offset: u32) -> Option<String> {
        let mut names = Vec::new();
        let mut length = 0usize;
        let mut at = offset;
        while at != self.root {
            if length > PATH_SHOWN {
                names.push("…".to_owned());
                break;
            }
            let (node, name) = self.key_node(at).ok()?;
            length = length.saturating_add(name.len()).saturating_add(1);
            names.push(name.to_text());
            at = node.parent;
        }
        names.reverse();
        Some(names.join("\\"))
    }
}

/// The payload of a new key node.
pub(crate) fn new_key_node(name: &[u8], compressed: bool, parent: u32, security: u32, timestamp: u64) -> Vec<u8> {
    let mut p = Vec::with_capacity(KEY_HEADER.saturating_add(name.len()));
    let flags = if compressed { flag::COMPRESSED } else { 0 };
    p.extend_from_slice(b"nk");
    p.extend_from_slice(&flags.to_le_bytes());
    p.extend_from_slice(&timestamp.to_le_bytes());
    p.extend_from_slice(&[0; 4]); // access bits
    p.extend_from_slice(&parent.to_le_bytes());
    p.extend_from_slice(&[0; 8]); // stable and volatile subkey counts
    p.extend_from_slice(&NIL.to_le_bytes()); // stable list
    p.extend_from_slice(&NIL.to_le_bytes()); // volatile list
    p.extend_from_slice(&[0; 4]); // value count
    p.extend_from_slice(&NIL.to_le_bytes()); // value list
    p.extend_from_slice(&security.to_le_bytes());
    p.extend_from_slice(&NIL.to_le_bytes()); // class
    p.extend_from_slice(&[0; 20]); // maxima, WorkVar
    p.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
    p.extend_from_slice(&[0; 2]); // class length
    p.extend_from_slice(name);
    p
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_new_node_reads_back() {
        let p = new_key_node(b"Start", true, 0x20, 0x98, 77);
        let node = KeyNode::parse(&p).unwrap();
        assert_eq!(p.len(), KEY_HEADER + 5);
        assert_eq!((node.flags, node.parent, node.security, node.timestamp), (0x20, 0x20, 0x98, 77));
        assert_eq!((node.subkey_list, node.value_list, node.class), (NIL, NIL, NIL));
        assert_eq!((node.subkeys, node.values, node.class_length, node.max_name), (0, 0, 0, 0));
        assert_eq!(node.name(&p).unwrap().to_text(), "Start");
        assert_eq!(KeyNode::parse(&p[..75]), None);
    }
}
