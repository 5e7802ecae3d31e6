//! Making a hive that has a root key and nothing else.

use crate::base_block::{self, field, BASE_BLOCK, HEADER};
use crate::descriptor;
use crate::error::HiveError;
use crate::filetime::FileTime;
use crate::hive::Hive;
use crate::image::Image;
use crate::key_node::{self, flag, new_key_node};
use crate::name::encode;
use crate::recover::BIN_TIMESTAMP;
use crate::security::new_security;
use crate::view::{BIN_HEADER, NIL};

/// Length of the one bin of a new hive.
const LENGTH: u32 = 4096;

/// What a new hive is to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHive {
    /// Minor version, 3 to 6: SYSTEM and SOFTWARE have 5, user hives mostly 3.
    pub minor: u32,
    /// Name of the root key; Windows shows another in its place.
    pub root_name: String,
    /// Self-relative security descriptor of the root key.
    pub descriptor: Vec<u8>,
}

impl Default for NewHive {
    /// Version 1.5; SYSTEM and Administrators have full control.
    fn default() -> Self {
        // Owner Administrators, group SYSTEM, two inheritable entries of KEY_ALL_ACCESS.
        let administrators: &[u8] = &[1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0];
        let system: &[u8] = &[1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0];
        let mut descriptor = vec![1, 0, 4, 0x80];
        for offset in [20u32, 36, 0, 48] {
            descriptor.extend_from_slice(&offset.to_le_bytes());
        }
        descriptor.extend_from_slice(administrators);
        descriptor.extend_from_slice(system);
        descriptor.extend_from_slice(&[2, 0, 52, 0, 2, 0, 0, 0]);
        for (size, sid) in [(20u8, system), (24, administrators)] {
            descriptor.extend_from_slice(&[0, 2, size, 0, 0x3F, 0, 0x0F, 0]);
            descriptor.extend_from_slice(sid);
        }
        Self { minor: 5, root_name: "ROOT".into(), descriptor }
    }
}

impl Hive {
    /// Makes a hive with an empty root key.
    ///
    /// # Errors
    /// [`HiveError::InvalidDescriptor`]; [`HiveError::InvalidName`]; [`HiveError::TooLarge`] when name and descriptor do not fit in a bin.
    pub fn create(new: &NewHive, now: FileTime) -> Result<Self, HiveError> {
        descriptor::check_new(&new.descriptor).map_err(|reason| HiveError::InvalidDescriptor { reason })?;
        let (name, compressed) = encode(&new.root_name);
        if name.is_empty() || new.root_name.encode_utf16().count() > key_node::KEY_NAME_MAX {
            let reason = "empty, or longer than 255 UTF-16 units";
            return Err(HiveError::InvalidName { name: new.root_name.clone(), reason });
        }
        let mut header = [0; HEADER];
        if let Some(signature) = header.first_chunk_mut::<4>() {
            *signature = *b"regf";
        }
        for (at, value) in [
            (field::MAJOR, 1),
            (field::MINOR, new.minor.clamp(3, 6)),
            (field::FORMAT, 1),
            (field::ROOT, BIN_HEADER),
            (field::LENGTH, LENGTH),
            (field::CLUSTER, 1),
        ] {
            base_block::put(&mut header, at, value);
        }
        base_block::put_timestamp(&mut header, now.0);
        base_block::seal(&mut header, 1, 1);

        let mut bytes = header.to_vec();
        bytes.resize(BASE_BLOCK, 0);
        bytes.extend_from_slice(b"hbin");
        bytes.extend_from_slice(&0u32.to_le_bytes());
        bytes.extend_from_slice(&LENGTH.to_le_bytes());
        bytes.resize(BASE_BLOCK.saturating_add(BIN_TIMESTAMP), 0);
        bytes.extend_from_slice(&now.0.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&LENGTH.saturating_sub(BIN_HEADER).to_le_bytes());
        bytes.resize(BASE_BLOCK.saturating_mul(2), 0);

        let mut hive = Self { image: Image::new(bytes), cells: None, trust: None };
        let mut root_node = new_key_node(&name, compressed, NIL, NIL, now.0);
        let flags = flag::ROOT | flag::NO_DELETE | if compressed { flag::COMPRESSED } else { 0 };
        if let Some(slot) = root_node.get_mut(key_node::field::FLAGS..key_node::field::TIMESTAMP) {
            slot.copy_from_slice(&flags.to_le_bytes());
        }
        // In an empty bin cells follow each other from its start: the root is where the base block says.
        let root = hive.allocate(&root_node, 0)?;
        let security = hive.allocate(&new_security(NIL, NIL, 1, &new.descriptor), 0)?;
        hive.put_u32(security, crate::security::field::FLINK, security)?;
        hive.put_u32(security, crate::security::field::BLINK, security)?;
        hive.put_u32(root, key_node::field::SECURITY, security)?;
        let mut bytes = hive.image.bytes().to_vec();
        // A large descriptor may have asked for another bin.
        let mut header: [u8; HEADER] = crate::bytes::array(&bytes, 0).unwrap_or(header);
        base_block::seal(&mut header, 1, 1);
        if let Some(start) = bytes.first_chunk_mut::<HEADER>() {
            *start = header;
        }
        Self::open(bytes)
    }
}
