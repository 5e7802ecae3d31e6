//! Access masks of services, and how SDDL writes them.
//!
//! Facts: [MS-DTYP] 2.5.1.1 (`text-rights-string`); the service rights behind the letters are those
//! of "Service Security and Access Rights" in the Windows SDK. `sc sdshow` prints a mask by the
//! directory-service letters, and names a mask that is exactly a file's or key's set (`KA`, `FR`).

/// Query configuration.
pub(super) const QUERY_CONFIG: u32 = 0x0001;
/// Query status.
pub(super) const QUERY_STATUS: u32 = 0x0004;
/// Start.
pub(super) const START: u32 = 0x0010;

/// All rights that a service knows, standard rights included.
pub const SERVICE_ALL_ACCESS: u32 = 0x000F_01FF;

const GENERIC_ALL: u32 = 0x1000_0000;
const GENERIC_EXECUTE: u32 = 0x2000_0000;
const GENERIC_WRITE: u32 = 0x4000_0000;
const GENERIC_READ: u32 = 0x8000_0000;

/// One letter pair, its mask, and what it means for a service (empty: nothing of its own).
type Right = (&'static str, u32, &'static str);

/// Single rights in the order in which Windows prints them.
pub(super) const RIGHTS: &[Right] = &[
    ("GA", GENERIC_ALL, "everything"),
    ("GR", GENERIC_READ, "generic read"),
    ("GW", GENERIC_WRITE, "generic write"),
    ("GX", GENERIC_EXECUTE, "generic execute"),
    ("CC", QUERY_CONFIG, "query configuration"),
    ("DC", 0x0002, "change configuration"),
    ("LC", QUERY_STATUS, "query status"),
    ("SW", 0x0008, "enumerate dependents"),
    ("RP", START, "start"),
    ("WP", 0x0020, "stop"),
    ("DT", 0x0040, "pause and continue"),
    ("LO", 0x0080, "interrogate"),
    ("CR", 0x0100, "user-defined control"),
    ("SD", 0x0001_0000, "delete"),
    ("RC", 0x0002_0000, "read descriptor"),
    ("WD", 0x0004_0000, "change permissions"),
    ("WO", 0x0008_0000, "take ownership"),
];

/// Sets with a name of their own; the first with an equal mask is the one printed.
pub(super) const SETS: &[(&str, u32)] = &[
    ("FA", 0x001F_01FF),
    ("FR", 0x0012_0089),
    ("FW", 0x0012_0116),
    ("FX", 0x0012_00A0),
    ("KA", 0x000F_003F),
    ("KR", 0x0002_0019),
    ("KW", 0x0002_0006),
    ("KX", 0x0002_0019),
];

/// Rights of a mandatory label, which are policies rather than rights.
pub(super) const LABEL_RIGHTS: &[(&str, u32)] = &[("NW", 1), ("NR", 2), ("NX", 4)];

/// What the service control manager makes of generic rights (its `GENERIC_MAPPING`); specific and
/// standard rights stay.
#[must_use]
pub fn map_generic(mask: u32) -> u32 {
    let mut out = mask & 0x0FFF_FFFF;
    if mask & GENERIC_ALL != 0 {
        out |= SERVICE_ALL_ACCESS;
    }
    if mask & GENERIC_READ != 0 {
        out |= 0x0002_008D; // read descriptor, CC, LC, SW, LO
    }
    if mask & GENERIC_WRITE != 0 {
        out |= 0x0002_0002; // read descriptor, DC
    }
    if mask & GENERIC_EXECUTE != 0 {
        out |= 0x0002_0170; // read descriptor, RP, WP, DT, CR
    }
    out
}

/// A mask in words, for messages: `query configuration, start`.
#[must_use]
pub fn describe_rights(mask: u32) -> String {
    let mut rest = mask;
    let mut words: Vec<String> = Vec::new();
    if map_generic(mask) & SERVICE_ALL_ACCESS == SERVICE_ALL_ACCESS {
        return "everything".to_owned();
    }
    for (_, bit, word) in RIGHTS {
        if rest & bit != 0 {
            words.push((*word).to_owned());
            rest &= !bit;
        }
    }
    if rest != 0 {
        words.push(format!("{rest:#x}"));
    }
    words.join(", ")
}
