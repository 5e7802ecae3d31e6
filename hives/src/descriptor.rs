//! Self-relative security descriptors: only whether Windows would accept one in a hive.
//!
//! Layout from MS-DTYP 2.4.6 (descriptor), 2.4.5 (ACL), 2.4.4 (ACE), 2.4.2 (SID). What is looked at is what `SeValidSecurityDescriptor`
//! looks at: revision, self-relative, offsets inside, SIDs and ACLs well formed.

use crate::bytes::{index, slice, u16_at, u32_at};

const SELF_RELATIVE: u16 = 0x8000;
const DACL_PRESENT: u16 = 0x0004;
const SACL_PRESENT: u16 = 0x0010;
const HEADER: usize = 20;

/// Checks a descriptor that is in a hive, where an owner or group may be missing.
pub(crate) fn check(descriptor: &[u8]) -> Result<(), &'static str> {
    let word = |at| u16_at(descriptor, at);
    let long = |at| u32_at(descriptor, at).map(index);
    if descriptor.len() < HEADER {
        return Err("shorter than its header");
    }
    if descriptor.first() != Some(&1) {
        return Err("revision is not 1");
    }
    let control = word(2).unwrap_or(0);
    if control & SELF_RELATIVE == 0 {
        return Err("not self-relative");
    }
    for at in [4, 8] {
        match long(at) {
            Some(0) | None => {}
            Some(sid) => sid_at(descriptor, sid)?,
        }
    }
    for (at, present) in [(12, SACL_PRESENT), (16, DACL_PRESENT)] {
        match long(at) {
            Some(acl) if acl != 0 && control & present != 0 => acl_at(descriptor, acl)?,
            _ => {}
        }
    }
    Ok(())
}

/// Checks a descriptor that is to be written: owner and group as well.
pub(crate) fn check_new(descriptor: &[u8]) -> Result<(), &'static str> {
    check(descriptor)?;
    if u32_at(descriptor, 4) == Some(0) {
        return Err("no owner");
    }
    if u32_at(descriptor, 8) == Some(0) {
        return Err("no group");
    }
    Ok(())
}

fn sid_at(descriptor: &[u8], at: usize) -> Result<(), &'static str> {
    if at & 3 != 0 || at < HEADER {
        return Err("a SID is misplaced");
    }
    let header = slice(descriptor, at, 8).ok_or("a SID lies outside")?;
    let (revision, count) = match header {
        [revision, count, ..] => (*revision, usize::from(*count)),
        _ => return Err("a SID lies outside"),
    };
    if revision != 1 || count > 15 {
        return Err("a SID is malformed");
    }
    let size = count.saturating_mul(4).saturating_add(8);
    slice(descriptor, at, size).map(|_| ()).ok_or("a SID lies outside")
}

fn acl_at(descriptor: &[u8], at: usize) -> Result<(), &'static str> {
    if at & 3 != 0 || at < HEADER {
        return Err("an ACL is misplaced");
    }
    let header = slice(descriptor, at, 8).ok_or("an ACL lies outside")?;
    let revision = header.first().copied().unwrap_or(0);
    if !(2..=4).contains(&revision) {
        return Err("an ACL has an unknown revision");
    }
    let size = usize::from(u16_at(header, 2).unwrap_or(0));
    let count = u16_at(header, 4).unwrap_or(0);
    let acl = slice(descriptor, at, size).ok_or("an ACL lies outside")?;
    let mut next = 8usize;
    for _ in 0..count {
        let entry = usize::from(u16_at(acl, next.saturating_add(2)).ok_or("an ACL is too small for its entries")?);
        if entry < 4 || entry & 3 != 0 {
            return Err("an entry of an ACL has a wrong size");
        }
        next = next.saturating_add(entry);
        if next > acl.len() {
            return Err("an ACL is too small for its entries");
        }
    }
    if acl.len() < 8 {
        return Err("an ACL is too small");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    /// Owner and group SYSTEM, one entry: SYSTEM full control.
    fn system_only() -> Vec<u8> {
        let mut sd = vec![1, 0, 4, 0x80];
        for offset in [20u32, 32, 0, 44] {
            sd.extend_from_slice(&offset.to_le_bytes());
        }
        let sid = [1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0];
        sd.extend_from_slice(&sid);
        sd.extend_from_slice(&sid);
        sd.extend_from_slice(&[2, 0, 28, 0, 1, 0, 0, 0, 0, 0, 20, 0, 0x3F, 0, 0x0F, 0]);
        sd.extend_from_slice(&sid);
        sd
    }

    #[test]
    fn accepts_a_sound_one() {
        assert_eq!(check_new(&system_only()), Ok(()));
    }

    #[test]
    fn refuses_each_kind_of_damage() {
        let broken = |at: usize, byte: u8| {
            let mut sd = system_only();
            sd[at] = byte;
            check_new(&sd)
        };
        assert_eq!(broken(0, 2), Err("revision is not 1"));
        assert_eq!(broken(3, 0), Err("not self-relative"));
        assert_eq!(broken(4, 0), Err("no owner"));
        assert_eq!(broken(8, 33), Err("a SID is misplaced"));
        assert_eq!(broken(21, 16), Err("a SID is malformed"));
        assert_eq!(broken(46, 200), Err("an ACL lies outside"));
        assert_eq!(broken(48, 2), Err("an ACL is too small for its entries"));
        assert_eq!(check_new(&system_only()[..19]), Err("shorter than its header"));
        assert_eq!(check_new(&[]), Err("shorter than its header"));
    }
}
