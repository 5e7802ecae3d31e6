//! A descriptor that somebody gave in part, completed from the one that is there.

use super::descriptor::{AclSlot, Descriptor};

impl Descriptor {
    /// This descriptor with the parts that it leaves out (owner, group, DACL, SACL, each with the control bits about it)
    /// taken from `base`: what `sc sdset` does with a string that names only some of them.
    #[must_use]
    pub fn completed_from(&self, base: &Descriptor) -> Descriptor {
        /// Defaulted, auto-inherited, inherit-required, protected: the control bits about the DACL.
        const DACL_BITS: u16 = 0x0008 | 0x0100 | 0x0400 | 0x1000;
        /// The same about the SACL.
        const SACL_BITS: u16 = 0x0020 | 0x0200 | 0x0800 | 0x2000;
        let mut whole = self.clone();
        if whole.owner.is_none() {
            whole.owner.clone_from(&base.owner);
        }
        if whole.group.is_none() {
            whole.group.clone_from(&base.group);
        }
        if whole.dacl == AclSlot::Absent {
            whole.dacl.clone_from(&base.dacl);
            whole.control = (whole.control & !DACL_BITS) | (base.control & DACL_BITS);
        }
        if whole.sacl == AclSlot::Absent {
            whole.sacl.clone_from(&base.sacl);
            whole.control = (whole.control & !SACL_BITS) | (base.control & SACL_BITS);
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_left_out_comes_from_the_base() {
        let base = Descriptor::from_sddl("O:SYG:SYD:(A;;CC;;;SY)S:(AU;FA;CC;;;WD)").unwrap();
        let given = Descriptor::from_sddl("D:(A;;LC;;;BA)").unwrap();
        assert_eq!(given.completed_from(&base).to_sddl(), "O:SYG:SYD:(A;;LC;;;BA)S:(AU;FA;CC;;;WD)");
        let owned = Descriptor::from_sddl("O:BAD:(A;;LC;;;BA)").unwrap();
        assert_eq!(owned.completed_from(&base).to_sddl(), "O:BAG:SYD:(A;;LC;;;BA)S:(AU;FA;CC;;;WD)");
        assert_eq!(base.completed_from(&given), base);
    }
}
