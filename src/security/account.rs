//! The SIDs behind the account names that services run under.
//!
//! Facts: the well-known accounts of [MS-DTYP] 2.4.2.4; a service's own SID is `S-1-5-80-` and the
//! five little-endian words of the SHA-1 of its upper-case name in UTF-16 ([MS-DTYP] 2.4.2.4,
//! `NT_SERVICE`; checked against TrustedInstaller's and DoSvc's in the measured descriptors).

use sha1::{Digest, Sha1};

use super::sid::Sid;

/// The SID of a service's `ObjectName`, for the accounts that are the same on every machine:
/// LocalSystem, LocalService, NetworkService in any spelling, and `NT SERVICE\NAME`. `None` for
/// every other account: only the running system could say.
///
/// An empty name is LocalSystem, as for the service control manager.
#[must_use]
pub fn account_sid(object_name: &str) -> Option<Sid> {
    let name = object_name.trim();
    if name.is_empty() {
        return Some(Sid::system());
    }
    let (domain, account) = match name.split_once('\\') {
        Some((domain, account)) => (domain.trim().to_lowercase(), account.trim()),
        None => (String::new(), name),
    };
    let plain = account.to_lowercase().replace(' ', "");
    match domain.as_str() {
        "nt service" if !account.is_empty() && !account.contains('\\') => Some(service_sid(account)),
        "" | "." if plain == "localsystem" => Some(Sid::system()),
        "" | "nt authority" | "ntauthority" => match plain.as_str() {
            "system" | "localsystem" => Some(Sid::system()),
            "localservice" => Some(Sid::local_service()),
            "networkservice" => Some(Sid::network_service()),
            _ => None,
        },
        _ => None,
    }
}

/// The SID of the service's own account, `NT SERVICE\name`.
#[must_use]
pub fn service_sid(name: &str) -> Sid {
    let mut bytes = Vec::with_capacity(name.len() * 2);
    for character in name.chars() {
        let mut upper = character.to_uppercase();
        // Windows upper-cases code unit by code unit: a character whose capital is longer stays.
        let character = match (upper.next(), upper.next()) {
            (Some(single), None) => single,
            _ => character,
        };
        for unit in character.encode_utf16(&mut [0; 2]) {
            bytes.extend_from_slice(&unit.to_le_bytes());
        }
    }
    let digest = Sha1::digest(&bytes);
    let mut sub = vec![80];
    sub.extend(digest.chunks_exact(4).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]])));
    // Six numbers and authority 5 are always a legal SID.
    Sid::new(5, &sub).unwrap_or_else(Sid::system)
}
