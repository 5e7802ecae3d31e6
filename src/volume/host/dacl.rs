//! The security descriptors that coldmend writes on NTFS: for its own folder, and for what it
//! creates elsewhere.
//!
//! Its own folder is for administrators only:
//! `O:BAG:SYD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)`: owned by Administrators, full access for SYSTEM
//! and Administrators, inherited by what is created inside, nothing inherited from above. As the
//! self-relative bytes of [MS-DTYP] 2.4.6 (`SECURITY_DESCRIPTOR`), 2.4.5 (`ACL`) and 2.4.4.2
//! (`ACCESS_ALLOWED_ACE`).
//!
//! What is created anywhere else gets what Windows would give it: the inheritable entries of its
//! folder ([MS-DTYP] 2.5.3.4.1, `ComputeACL`), see [`inherited`].
//!
//! On Windows it is given to the system with the call that creates the folder, and Windows itself passes it on. On Linux
//! it reaches an NTFS volume through an extended attribute: `system.ntfs_acl` of ntfs-3g,
//! `system.ntfs_security` of the kernel's ntfs3. ntfs-3g lets a new file or folder inherit nothing
//! unless it is mounted with `inherit`, but gives everybody full access; and on Windows everybody may
//! pass through a folder that he can't list ("bypass traverse checking"): so each file that is created
//! gets a descriptor of its own.
#![cfg_attr(windows, allow(dead_code))] // what Windows does by itself

use std::ops::Range;

/// S-1-5-18, SYSTEM.
const SYSTEM: [u8; 12] = [1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0];
/// S-1-5-32-544, Administrators.
const ADMINISTRATORS: [u8; 16] = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0];

/// FILE_ALL_ACCESS.
const FULL_ACCESS: u32 = 0x001f_01ff;
/// S-1-3-0, CREATOR OWNER, and S-1-3-1, CREATOR GROUP: stand for whoever creates something.
const CREATOR_OWNER: [u8; 12] = [1, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0];
const CREATOR_GROUP: [u8; 12] = [1, 1, 0, 0, 0, 0, 0, 3, 1, 0, 0, 0];

const OBJECT_INHERIT: u8 = 0x01;
const CONTAINER_INHERIT: u8 = 0x02;
const NO_PROPAGATE: u8 = 0x04;
const INHERIT_ONLY: u8 = 0x08;
const INHERITED: u8 = 0x10;

/// Generic rights and what they mean for files and folders.
const GENERIC: [(u32, u32); 4] = [
    (0x8000_0000, 0x0012_0089), // read
    (0x4000_0000, 0x0012_0116), // write
    (0x2000_0000, 0x0012_00a0), // execute
    (0x1000_0000, FULL_ACCESS), // all
];

const SE_DACL_AUTO_INHERITED: u16 = 0x0400;
const SE_DACL_PRESENT: u16 = 0x0004;
const SE_DACL_PROTECTED: u16 = 0x1000;
const SE_SELF_RELATIVE: u16 = 0x8000;

const HEADER: usize = 20;

fn ace(kind: u8, flags: u8, mask: u32, sid: &[u8]) -> Vec<u8> {
    let mut ace = vec![kind, flags];
    let size = u16::try_from(8 + sid.len()).unwrap_or(u16::MAX);
    ace.extend(size.to_le_bytes());
    ace.extend(mask.to_le_bytes());
    ace.extend(sid);
    ace
}

/// A descriptor of these entries, owned by Administrators, group SYSTEM; `None` if it is too large.
fn descriptor(control: u16, revision: u8, aces: &[Vec<u8>]) -> Option<Vec<u8>> {
    owned_by(&ADMINISTRATORS, control, revision, aces)
}

fn owned_by(owner: &[u8], control: u16, revision: u8, aces: &[Vec<u8>]) -> Option<Vec<u8>> {
    let entries = aces.concat();
    let mut acl = vec![revision, 0];
    acl.extend(u16::try_from(8 + entries.len()).ok()?.to_le_bytes());
    acl.extend(u16::try_from(aces.len()).ok()?.to_le_bytes());
    acl.extend([0, 0]);
    acl.extend(entries);

    let place = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
    let owner_at = HEADER + acl.len();
    let group_at = owner_at + owner.len();
    let mut sd = vec![1, 0]; // SECURITY_DESCRIPTOR_REVISION
    sd.extend((SE_SELF_RELATIVE | SE_DACL_PRESENT | control).to_le_bytes());
    sd.extend(place(owner_at));
    sd.extend(place(group_at));
    sd.extend(place(0)); // no SACL
    sd.extend(place(HEADER));
    sd.extend(acl);
    sd.extend(owner);
    sd.extend(SYSTEM);
    Some(sd)
}

/// The descriptor of coldmend's own folder (inherited by what is inside) or of a file in it.
pub fn administrators_only(folder: bool) -> Vec<u8> {
    let flags = if folder { OBJECT_INHERIT | CONTAINER_INHERIT } else { 0 };
    let aces = [ace(0, flags, FULL_ACCESS, &SYSTEM), ace(0, flags, FULL_ACCESS, &ADMINISTRATORS)];
    descriptor(SE_DACL_PROTECTED, 2, &aces).unwrap_or_default() // two entries are not too large
}

/// The same for a user who may not give it to Administrators: it is his, and he gets in, too.
#[cfg(any(windows, test))]
pub fn administrators_and(user: &[u8], folder: bool) -> Vec<u8> {
    let flags = if folder { OBJECT_INHERIT | CONTAINER_INHERIT } else { 0 };
    let aces = [SYSTEM.as_slice(), &ADMINISTRATORS, user].map(|sid| ace(0, flags, FULL_ACCESS, sid));
    owned_by(user, SE_DACL_PROTECTED, 2, &aces).unwrap_or_default() // three entries are not too large
}

/// What a file or folder that is created in a folder with the descriptor `parent` inherits; `None`
/// if there is nothing to inherit, or if `parent` is not understood.
pub fn inherited(parent: &[u8], folder: bool) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for (kind, flags, place) in aces(parent)? {
        let raw = parent.get(place)?;
        let again = flags & (OBJECT_INHERIT | CONTAINER_INHERIT);
        let applies = if folder { flags & CONTAINER_INHERIT != 0 } else { flags & OBJECT_INHERIT != 0 };
        let goes_on = folder && again != 0 && flags & NO_PROPAGATE == 0;
        let with_flags = |flags: u8| {
            let mut copy = raw.to_vec();
            if let Some(place) = copy.get_mut(1) {
                *place = flags;
            }
            copy
        };
        if !applies {
            if goes_on {
                out.push(with_flags(INHERITED | INHERIT_ONLY | again));
            }
            continue;
        }
        let passed_on = if goes_on { again } else { 0 };
        if kind > 1 {
            // Of another sort than allowing or denying; passed on as it is.
            out.push(with_flags(INHERITED | passed_on));
            continue;
        }
        let mask = u32::from_le_bytes(raw.get(4..8)?.try_into().ok()?);
        let sid = sid_at(raw, 8)?;
        let meant = GENERIC
            .iter()
            .filter(|(generic, _)| mask & generic != 0)
            .fold(mask & 0x0fff_ffff, |mask, (_, rights)| mask | rights);
        let who: &[u8] = if sid == CREATOR_OWNER {
            &ADMINISTRATORS
        } else if sid == CREATOR_GROUP {
            &SYSTEM
        } else {
            sid
        };
        if meant == mask && who == sid {
            out.push(ace(kind, INHERITED | passed_on, mask, sid));
        } else {
            // One entry for this, with what is meant; one for what is created in it.
            out.push(ace(kind, INHERITED, meant, who));
            if goes_on {
                out.push(with_flags(INHERITED | INHERIT_ONLY | again));
            }
        }
    }
    let revision = *parent.get(u32_at(parent, 16)?)?;
    if out.is_empty() {
        return None;
    }
    descriptor(SE_DACL_AUTO_INHERITED, revision, &out)
}

fn u16_at(sd: &[u8], at: usize) -> Option<u16> {
    let bytes = sd.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

fn u32_at(sd: &[u8], at: usize) -> Option<usize> {
    let bytes = sd.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
}

/// The bytes of the SID that begins at `at`.
fn sid_at(sd: &[u8], at: usize) -> Option<&[u8]> {
    let count = usize::from(*sd.get(at.checked_add(1)?)?);
    sd.get(at..at.checked_add(8)?.checked_add(count.checked_mul(4)?)?)
}

fn is_trusted(sid: &[u8]) -> bool {
    sid == SYSTEM || sid == ADMINISTRATORS
}

/// The entries of the DACL as (type, flags, mask and what follows it).
fn aces(sd: &[u8]) -> Option<Vec<(u8, u8, Range<usize>)>> {
    let control = u16_at(sd, 2)?;
    let dacl = u32_at(sd, 16)?;
    if control & SE_DACL_PRESENT == 0 || dacl == 0 {
        return None; // no DACL: everybody may do everything
    }
    let end = dacl.checked_add(usize::from(u16_at(sd, dacl.checked_add(2)?)?))?;
    let count = u16_at(sd, dacl.checked_add(4)?)?;
    let mut at = dacl.checked_add(8)?;
    let mut found = Vec::new();
    for _ in 0..count {
        let size = usize::from(u16_at(sd, at.checked_add(2)?)?);
        let next = at.checked_add(size)?;
        if size < 8 || next > end || next > sd.len() {
            return None;
        }
        found.push((*sd.get(at)?, *sd.get(at.checked_add(1)?)?, at..next));
        at = next;
    }
    Some(found)
}

/// Whether a descriptor lets nobody in but SYSTEM and Administrators: its owner (who may always
/// change it) and everybody whom its DACL allows anything.
pub fn lets_only_administrators_in(sd: &[u8]) -> bool {
    lets_in_only(is_trusted, sd)
}

/// The same, but `user` may get in and own it.
#[cfg(any(windows, test))]
pub fn lets_only_administrators_in_and(user: &[u8], sd: &[u8]) -> bool {
    lets_in_only(|sid| is_trusted(sid) || sid == user, sd)
}

fn lets_in_only(is_trusted: impl Fn(&[u8]) -> bool, sd: &[u8]) -> bool {
    let judge = || -> Option<bool> {
        let owner = u32_at(sd, 4)?;
        if owner == 0 || !is_trusted(sid_at(sd, owner)?) {
            return Some(false);
        }
        for (kind, _, place) in aces(sd)? {
            let sid = sid_at(sd, place.start.checked_add(8)?)?;
            match kind {
                0 if is_trusted(sid) => {} // allowed
                1 => {}                    // denied
                _ => return Some(false),   // allowed to somebody else, or not understood
            }
        }
        Some(true)
    };
    judge().unwrap_or(false)
}

/// Whether a folder's descriptor is the one of [`administrators_only`], so that what is created
/// inside is to have it too: the DACL is compared, owner and group are not.
pub fn is_ours(sd: &[u8]) -> bool {
    let ours = administrators_only(true);
    let entries = |sd: &[u8]| -> Option<Vec<Vec<u8>>> {
        let protected = u16_at(sd, 2)? & SE_DACL_PROTECTED != 0;
        if !protected {
            return None;
        }
        let mut entries = Vec::new();
        for (_, _, place) in aces(sd)? {
            entries.push(sd.get(place)?.to_vec());
        }
        Some(entries)
    };
    entries(sd).is_some_and(|found| Some(found) == entries(&ours))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_sddl() {
        // D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA) with owner BA and group SY, assembled by hand.
        let expected = "0100 0490 48000000 58000000 00000000 14000000 \
             0200 3400 0200 0000 \
             0003 1400 ff011f00 010100000000000512000000 \
             0003 1800 ff011f00 01020000000000052000000020020000 \
             01020000000000052000000020020000 010100000000000512000000";
        let hex: String = expected.split_whitespace().collect();
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
        assert_eq!(administrators_only(true), bytes);
    }

    #[test]
    fn ours_is_recognised_and_strict() {
        let folder = administrators_only(true);
        assert!(is_ours(&folder) && lets_only_administrators_in(&folder));
        let file = administrators_only(false);
        assert!(!is_ours(&file) && lets_only_administrators_in(&file));
    }

    #[test]
    fn a_user_beside_administrators() {
        let user = [1, 1, 0, 0, 0, 0, 0, 5, 99, 0, 0, 0];
        let theirs = administrators_and(&user, true);
        assert!(lets_only_administrators_in_and(&user, &theirs) && !lets_only_administrators_in(&theirs));
        assert!(!lets_only_administrators_in_and(&[1, 1, 0, 0, 0, 0, 0, 5, 98, 0, 0, 0], &theirs));
        assert!(lets_only_administrators_in_and(&user, &administrators_only(true)));
    }

    #[test]
    fn others_are_not() {
        let ours = administrators_only(true);
        // Everybody (S-1-1-0) instead of SYSTEM in the first entry.
        let mut everybody = ours.clone();
        everybody[36..48].copy_from_slice(&[1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
        assert!(!lets_only_administrators_in(&everybody) && !is_ours(&everybody));
        // Owned by somebody else.
        let mut owner = ours.clone();
        owner[0x48 + 12] = 0x21;
        assert!(!lets_only_administrators_in(&owner));
        // No DACL at all.
        let mut none = ours.clone();
        none[2] &= !4;
        assert!(!lets_only_administrators_in(&none) && !is_ours(&none));
        let mut null = ours.clone();
        null[16..20].fill(0);
        assert!(!lets_only_administrators_in(&null) && !is_ours(&null));
        // Not protected: it may inherit more.
        let mut open = ours.clone();
        open[3] &= !0x10;
        assert!(!is_ours(&open));
    }

    #[test]
    fn inheritance_is_that_of_windows() {
        let users: [u8; 16] = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x21, 2, 0, 0];
        let parent = descriptor(
            0,
            2,
            &[
                ace(0, 0, FULL_ACCESS, &users),            // for the folder only
                ace(0, 0x03, 0x0012_00a9, &users),         // OICI
                ace(0, 0x0b, 0x1000_0000, &CREATOR_OWNER), // OICIIO, generic all
                ace(1, 0x01, 0x0001_0000, &users),         // deny, OI
                ace(0, 0x06, 0x0000_0004, &users),         // CI, not further
            ],
        )
        .unwrap();
        let entries = |sd: &[u8]| -> Vec<Vec<u8>> {
            aces(sd).unwrap().into_iter().map(|(_, _, place)| sd[place].to_vec()).collect()
        };
        let file = inherited(&parent, false).unwrap();
        assert_eq!(
            entries(&file),
            [
                ace(0, 0x10, 0x0012_00a9, &users),
                ace(0, 0x10, FULL_ACCESS, &ADMINISTRATORS),
                ace(1, 0x10, 0x0001_0000, &users),
            ]
        );
        let folder = inherited(&parent, true).unwrap();
        assert_eq!(
            entries(&folder),
            [
                ace(0, 0x13, 0x0012_00a9, &users),
                ace(0, 0x10, FULL_ACCESS, &ADMINISTRATORS),
                ace(0, 0x1b, 0x1000_0000, &CREATOR_OWNER),
                ace(1, 0x19, 0x0001_0000, &users),
                ace(0, 0x10, 0x0000_0004, &users),
            ]
        );
        let plain = descriptor(0, 2, &[ace(0, 0, FULL_ACCESS, &users)]).unwrap();
        assert_eq!(inherited(&plain, true), None);
    }

    #[test]
    fn garbage_is_survived() {
        let ours = administrators_only(true);
        for cut in 0..ours.len() {
            assert!(!is_ours(&ours[..cut]) || cut >= 72);
            let _ = lets_only_administrators_in(&ours[..cut]);
            let _ = inherited(&ours[..cut], true);
        }
        for at in 0..ours.len() {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut bad = ours.clone();
                bad[at] = byte;
                let _ = (is_ours(&bad), lets_only_administrators_in(&bad));
                let _ = (inherited(&bad, true), inherited(&bad, false));
            }
        }
    }
}
