//! Setting a key's security descriptor: cells are shared, counted and linked in a ring.

use crate::bytes::as_u32;
use crate::check::Part;
use crate::descriptor;
use crate::error::HiveError;
use crate::fault::{Effect, Rule};
use crate::filetime::FileTime;
use crate::hive::Hive;
use crate::key_node;
use crate::security::{field, new_security, SECURITY_HEADER};
use crate::view::damaged;

impl Hive {
    /// Gives a key (it alone, not the keys under it) a security descriptor: self-relative, with owner and group. A cell with the same bytes is
    /// shared; a cell that other keys use is never changed.
    ///
    /// # Errors
    /// [`HiveError::InvalidDescriptor`], [`HiveError::KeyNotFound`], [`HiveError::Refused`] for layered keys, [`HiveError::Damaged`].
    pub fn set_key_security(&mut self, path: &str, descriptor: &[u8], now: FileTime) -> Result<(), HiveError> {
        descriptor::check_new(descriptor).map_err(|reason| HiveError::InvalidDescriptor { reason })?;
        // The cell limit is far above what Windows takes: an ACL has a 16-bit size, SIDs 68 bytes.
        let limit = 2 * 0xFFFF + 1024;
        if descriptor.len() > limit {
            let size = descriptor.len() as u64;
            return Err(HiveError::TooLarge { what: "the security descriptor", size, limit: limit as u64 });
        }
        let key = self.cell_of(path)?;
        let (node, _) = self.view().key_node(key)?;
        let old = node.security;
        if self.view().security(old)?.descriptor == descriptor {
            return Ok(());
        }
        let shared = self.find_descriptor(descriptor)?;
        self.edit(|hive| {
            hive.note(key, Part::Node);
            let view = hive.view();
            let present = view.security(old)?;
            let room = view.payload(old)?.len().saturating_sub(SECURITY_HEADER);
            match shared {
                None if present.references == 1 && descriptor.len() <= room => {
                    // Only this key uses the cell.
                    let mut bytes = descriptor.to_vec();
                    bytes.resize(room, 0);
                    hive.put_u32(old, field::LENGTH, as_u32(descriptor.len()))?;
                    hive.put(old, SECURITY_HEADER, &bytes)?;
                }
                found => {
                    let new = match found {
                        Some(cell) => {
                            hive.add_security_reference(cell)?;
                            cell
                        }
                        None => hive.add_security(descriptor)?,
                    };
                    hive.put_u32(key, key_node::field::SECURITY, new)?;
                    hive.drop_security_reference(old)?;
                }
            }
            hive.touch(key, now)
        })
    }

    /// The cell in the ring that has exactly this descriptor.
    fn find_descriptor(&self, descriptor: &[u8]) -> Result<Option<u32>, HiveError> {
        let view = self.view();
        let start = view.key_node(view.root)?.0.security;
        let mut at = start;
        // A cell takes 24 bytes at least: a ring longer than that is none.
        for _ in 0..=view.bins.len() / 24 {
            let cell = view.security(at)?;
            if cell.descriptor == descriptor {
                return Ok(Some(at));
            }
            at = cell.flink;
            if at == start {
                return Ok(None);
            }
        }
        Err(damaged(Rule::V8, start, "a security ring that does not close", "a ring", Effect::ResetSecurity))
    }

    /// A new cell with one reference, linked behind the root's.
    fn add_security(&mut self, descriptor: &[u8]) -> Result<u32, HiveError> {
        let view = self.view();
        let root = view.key_node(view.root)?.0.security;
        let next = view.security(root)?.flink;
        view.security(next)?;
        let new = self.allocate(&new_security(next, root, 1, descriptor), 0)?;
        self.put_u32(next, field::BLINK, new)?;
        self.put_u32(root, field::FLINK, new)?;
        Ok(new)
    }

    pub(super) fn add_security_reference(&mut self, cell: u32) -> Result<(), HiveError> {
        let references = self.view().security(cell)?.references;
        let Some(more) = references.checked_add(1) else {
            return Err(damaged(Rule::V8, cell, "all references taken", "fewer", Effect::ResetSecurity));
        };
        self.put_u32(cell, field::REFERENCES, more)
    }

    /// One key less uses the cell; unlinked and freed with the last.
    pub(super) fn drop_security_reference(&mut self, cell: u32) -> Result<(), HiveError> {
        let security = self.view().security(cell)?;
        let (flink, blink) = (security.flink, security.blink);
        match security.references {
            0 => Err(damaged(Rule::V8, cell, "no references", "at least one", Effect::ResetSecurity)),
            1 => {
                self.view().security(flink)?;
                self.view().security(blink)?;
                self.put_u32(blink, field::FLINK, flink)?;
                self.put_u32(flink, field::BLINK, blink)?;
                self.free(cell)
            }
            more => self.put_u32(cell, field::REFERENCES, more.saturating_sub(1)),
        }
    }
}
