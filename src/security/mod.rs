//! Windows security descriptors, as services keep them in `Services\NAME\Security`.
//!
//! What it does: reads and writes the self-relative binary form ([`Descriptor::parse`],
//! [`Descriptor::to_bytes`]) and the Security Descriptor Definition Language
//! ([`Descriptor::from_sddl`], [`Descriptor::to_sddl`]), says whether a service's descriptor is
//! broken ([`judge`]), mends one ([`mend`]), and knows which strings of how-to documents are wrong
//! ([`known_wrong`]). It also turns account names into SIDs ([`account_sid`]).
//!
//! What it relies on: nothing but bytes and the table of known-wrong strings in
//! [`crate::knowledge`]. It touches no file and no registry.
//!
//! Where the format comes from: [MS-DTYP] 2.4.2 (SID), 2.4.4 (ACE), 2.4.5 (ACL), 2.4.6
//! (SECURITY_DESCRIPTOR) and 2.5.1 (SDDL); the order of the parts in the self-relative form was
//! measured in the hives of Windows XP, 7 and 10.

mod access;
mod account;
mod acl;
mod complete;
mod descriptor;
mod judge;
mod rights;
mod sddl_parse;
mod sddl_print;
mod sid;

#[cfg(test)]
mod tests;

pub use access::{granted, Account, Granted, ObjectKind};
pub use account::{account_sid, service_sid};
pub use acl::{Ace, AceBody, Acl};
pub use descriptor::{AclSlot, Descriptor, DescriptorError};
pub use judge::{account_name, judge, known_wrong, known_wrong_on, mend, DescriptorFault};
pub use rights::{describe_rights, map_generic, SERVICE_ALL_ACCESS};
pub use sddl_parse::SddlError;
pub use sid::Sid;
