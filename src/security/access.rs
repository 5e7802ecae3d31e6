//! What Windows' access check would grant to an account on a file or registry key, told from the descriptor alone.
//!
//! Facts: [MS-DTYP] 2.5.3.2 (the access check goes through the list in order; what an entry has granted, a later one does not take away,
//! and the other way round), 2.4.3 (generic rights); the generic mappings of files and keys from the Windows
//! SDK. Privileges are left out, and so are conditions: an entry that allows under a condition counts as allowing, one that denies under a
//! condition as nothing, since here a false alarm is the worse error.

use super::account::service_sid;
use super::acl::{self, Ace};
use super::descriptor::{AclSlot, Descriptor};
use super::sid::Sid;

/// On what sort of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// A file or folder.
    File,
    /// A registry key.
    Key,
}

impl ObjectKind {
    /// Read, write, execute, all: what this object's generic rights are.
    fn mapping(self) -> [u32; 4] {
        match self {
            ObjectKind::File => [0x0012_0089, 0x0012_0116, 0x0012_00A0, 0x001F_01FF],
            ObjectKind::Key => [0x0002_0019, 0x0002_0006, 0x0002_0019, 0x000F_003F],
        }
    }

    fn specific(self, mask: u32) -> u32 {
        let generic = [0x8000_0000, 0x4000_0000, 0x2000_0000, 0x1000_0000];
        let mapped = generic.iter().zip(self.mapping()).filter(|(bit, _)| mask & **bit != 0);
        mapped.fold(mask & 0x0FFF_FFFF, |all, (_, rights)| all | rights)
    }
}

/// An account with the groups that it is in wherever Windows runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account(Vec<Sid>);

impl Account {
    /// LocalSystem.
    #[must_use]
    pub fn system() -> Account {
        Account(vec![Sid::system(), Sid::administrators(), Sid::everyone(), Sid::authenticated_users()])
    }

    /// A service that runs as LocalSystem and has a SID of its own.
    #[must_use]
    pub fn system_service(name: &str) -> Account {
        let mut all = Account::system().0;
        all.extend(of_services(name));
        Account(all)
    }

    /// A service that runs as NetworkService and has a SID of its own.
    #[must_use]
    pub fn network_service(name: &str) -> Account {
        let mut all = vec![Sid::network_service(), Sid::everyone(), Sid::authenticated_users()];
        all.extend(Sid::from_alias("BU"));
        all.extend(of_services(name));
        Account(all)
    }

    /// Administrators, one of them.
    #[must_use]
    pub fn administrator() -> Account {
        let mut all = vec![Sid::administrators(), Sid::everyone(), Sid::authenticated_users()];
        all.extend(Sid::from_alias("BU"));
        Account(all)
    }
}

/// What the token of a service has beside its account: SERVICE, LOCAL, all services, itself.
fn of_services(name: &str) -> impl Iterator<Item = Sid> {
    let known = [Sid::from_alias("SU"), Sid::from_text("S-1-2-0"), Sid::from_text("S-1-5-80-0")];
    known.into_iter().flatten().chain([service_sid(name)])
}

/// What a descriptor says to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Granted {
    /// Rights that it gets.
    pub granted: u32,
    /// Rights that an entry denies before any grants them.
    pub denied: u32,
}

/// The access check, without privileges and without what an owner may always do (read and change the descriptor).
#[must_use]
pub fn granted(descriptor: &Descriptor, kind: ObjectKind, account: &Account) -> Granted {
    let acl = match &descriptor.dacl {
        // Everybody may do everything.
        AclSlot::Absent | AclSlot::Null => return Granted { granted: u32::MAX, denied: 0 },
        AclSlot::Present(acl) => acl,
    };
    let mut so_far = Granted::default();
    for ace in acl.aces.iter().filter(|ace| ace.flags & acl::INHERIT_ONLY == 0) {
        let Some((mask, sid)) = ace.mask_and_sid() else { continue };
        if !account.0.contains(&sid) {
            continue;
        }
        let rights = kind.specific(mask);
        if allows(ace) {
            so_far.granted |= rights & !so_far.denied;
        } else if matches!(ace.ace_type, acl::DENY | acl::DENY_OBJECT) {
            so_far.denied |= rights & !so_far.granted;
        }
    }
    so_far
}

fn allows(ace: &Ace) -> bool {
    matches!(ace.ace_type, acl::ALLOW | acl::ALLOW_OBJECT | acl::ALLOW_CALLBACK)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(sddl: &str, kind: ObjectKind, account: &Account) -> Granted {
        granted(&Descriptor::from_sddl(sddl).unwrap(), kind, account)
    }

    #[test]
    fn the_list_is_gone_through_in_order() {
        let system = Account::system();
        let of = |dacl: &str| check(&format!("O:BAG:SY{dacl}"), ObjectKind::File, &system);
        assert_eq!(of("D:(A;;FA;;;SY)"), Granted { granted: 0x1F_01FF, denied: 0 });
        assert_eq!(of("D:(D;;0x2;;;SY)(A;;FA;;;SY)"), Granted { granted: 0x1F_01FD, denied: 2 });
        // Too late.
        assert_eq!(of("D:(A;;FA;;;SY)(D;;0x2;;;SY)"), Granted { granted: 0x1F_01FF, denied: 0 });
        // Everyone is SYSTEM, too, and so are Administrators; users are not.
        assert_eq!(of("D:(D;;0x2;;;WD)(A;;FA;;;BA)"), Granted { granted: 0x1F_01FD, denied: 2 });
        assert_eq!(of("D:(D;;0x2;;;BU)(A;;FR;;;AU)"), Granted { granted: 0x12_0089, denied: 0 });
        // What is only for the things inside.
        assert_eq!(of("D:(D;OICIIO;FA;;;SY)(A;OICIIO;FA;;;SY)"), Granted::default());
        assert_eq!(of("D:"), Granted::default());
        assert_eq!(of("D:(A;;GA;;;SY)").granted, 0x1F_01FF);
        assert_eq!(of("D:(A;;GRGX;;;SY)").granted, 0x12_00A9);
        assert_eq!(of("").granted, u32::MAX);
    }

    #[test]
    fn a_condition_that_nobody_here_can_know_denies_nothing() {
        let mut descriptor = Descriptor::from_sddl("O:BAG:SYD:(A;;FR;;;SY)").unwrap();
        let conditional = |ace_type: u8, mask: u32| {
            let bytes = [mask.to_le_bytes().to_vec(), Sid::system().to_bytes(), b"artx".to_vec()].concat();
            Ace { ace_type, flags: 0, body: acl::AceBody::Opaque(bytes), trailing: Vec::new() }
        };
        let AclSlot::Present(list) = &mut descriptor.dacl else { panic!() };
        list.aces.insert(0, conditional(acl::DENY_CALLBACK, 1));
        list.aces.push(conditional(acl::ALLOW_CALLBACK, 2));
        let found = granted(&descriptor, ObjectKind::File, &Account::system());
        assert_eq!(found, Granted { granted: 0x12_008B, denied: 0 });
    }

    #[test]
    fn generic_rights_are_those_of_the_object() {
        let system = Account::system();
        assert_eq!(check("D:(A;;GR;;;SY)", ObjectKind::Key, &system).granted, 0x2_0019);
        assert_eq!(check("D:(A;;GW;;;SY)", ObjectKind::Key, &system).granted, 0x2_0006);
        assert_eq!(check("D:(A;;GA;;;SY)", ObjectKind::Key, &system).granted, 0xF_003F);
    }

    #[test]
    fn a_service_has_its_own_sid() {
        let installer = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";
        let sddl = format!("D:(A;;FA;;;{installer})(A;;0x1200a9;;;SY)");
        let of = |account: &Account| check(&sddl, ObjectKind::File, account).granted;
        assert_eq!(of(&Account::system_service("TrustedInstaller")), 0x1F_01FF);
        assert_eq!(of(&Account::system()), 0x12_00A9);
        assert_eq!(of(&Account::system_service("wuauserv")), 0x12_00A9);
        assert_eq!(of(&Account::network_service("CryptSvc")), 0);
        assert_eq!(of(&Account::administrator()), 0);
    }
}
