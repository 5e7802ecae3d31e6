//! Two descriptors of a service, compared by what they let whom do, not by their bytes.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::RegValue;
use crate::security::{
    account_name, account_sid, describe_rights, judge, map_generic, service_sid, Ace, AclSlot, Descriptor, Sid,
};

/// `INHERIT_ONLY_ACE`: the entry does not apply to the service itself.
const INHERIT_ONLY: u8 = 0x08;
/// `ACCESS_ALLOWED_ACE_TYPE` and its object variant; the denials are the next.
const ALLOWS: [u8; 2] = [0, 5];
const DENIES: [u8; 2] = [1, 6];

/// What the comparison says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Same,
    /// Both can be lived with; in words, what differs.
    Differs(Vec<String>),
    /// The target's is broken and the reference's is not; in words, how.
    Broken(Vec<String>),
}

/// Compares the `Security` values of `service`, which runs under `account` in the target.
pub(super) fn compare(
    service: &str,
    account: Option<&str>,
    target: Option<&RegValue>,
    reference: Option<&RegValue>,
) -> Verdict {
    let (target, reference) = match (target, reference) {
        (None, None) => return Verdict::Same,
        (Some(target), Some(reference)) if target == reference => return Verdict::Same,
        // Windows' built-in descriptor stands in: healthy.
        (None, Some(_)) => return Verdict::Differs(vec!["it has none of its own".into()]),
        (Some(target), reference) => (target, reference),
    };
    let target = Descriptor::parse(&target.data);
    let reference = reference.map(|value| Descriptor::parse(&value.data));
    match (target, reference) {
        (Err(_), Some(Err(_))) => Verdict::Differs(vec!["neither is a descriptor".into()]),
        (Err(why), _) => Verdict::Broken(vec![format!("it does not parse ({why})")]),
        (Ok(target), reference) => {
            let faults = faults(service, account, &target);
            let sound = match &reference {
                Some(Ok(reference)) => self::faults(service, account, reference).is_empty(),
                Some(Err(_)) => false,
                None => true,
            };
            if !faults.is_empty() && sound {
                return Verdict::Broken(faults);
            }
            match reference {
                None => Verdict::Differs(vec!["the reference has none of its own".into()]),
                Some(Err(_)) => Verdict::Differs(vec!["the reference's is no descriptor".into()]),
                Some(Ok(reference)) if reference.same_meaning(&target) => Verdict::Same,
                Some(Ok(reference)) => Verdict::Differs(differences(&target, &reference)),
            }
        }
    }
}

fn faults(service: &str, account: Option<&str>, descriptor: &Descriptor) -> Vec<String> {
    let mut all = Vec::new();
    for sid in [account.and_then(account_sid), Some(service_sid(service))].into_iter().flatten() {
        for fault in judge(descriptor, Some(&sid)) {
            let text = fault.to_string();
            if !all.contains(&text) {
                all.push(text);
            }
        }
    }
    all
}

/// Who may do what: allowed and denied rights, by account.
fn rights(descriptor: &Descriptor) -> BTreeMap<&Sid, (u32, u32)> {
    let mut all: BTreeMap<&Sid, (u32, u32)> = BTreeMap::new();
    let entries = descriptor.dacl().acl().map(|acl| acl.aces()).unwrap_or_default();
    for ace in entries.iter().filter(|ace| ace.flags() & INHERIT_ONLY == 0) {
        let (Some(mask), Some(sid)) = (ace.mask(), Ace::sid(ace)) else { continue };
        let (allowed, denied) = all.entry(sid).or_default();
        if ALLOWS.contains(&ace.ace_type()) {
            *allowed |= map_generic(mask);
        } else if DENIES.contains(&ace.ace_type()) {
            *denied |= map_generic(mask);
        }
    }
    all
}

fn differences(target: &Descriptor, reference: &Descriptor) -> Vec<String> {
    let (here, there) = (rights(target), rights(reference));
    let mut words = Vec::new();
    for who in here.keys().chain(there.keys()).collect::<BTreeSet<_>>() {
        let (allowed, denied) = here.get(*who).copied().unwrap_or_default();
        let (should, should_not) = there.get(*who).copied().unwrap_or_default();
        let name = account_name(who);
        for (rights, what) in [
            (should & !allowed, "lacks"),
            (allowed & !should, "has besides"),
            (denied & !should_not, "is denied"),
            (should_not & !denied, "is no longer denied"),
        ] {
            if rights != 0 {
                words.push(format!("{name} {what}: {}", describe_rights(rights)));
            }
        }
    }
    if words.is_empty() {
        let slots = matches!((target.dacl(), reference.dacl()), (AclSlot::Present(_), AclSlot::Present(_)));
        words.push(if !slots {
            "one of the two has no list of rights".into()
        } else if target.owner() != reference.owner() || target.group() != reference.group() {
            "another owner or group".into()
        } else if !target.same_dacl(reference) {
            "the same rights in another order".into()
        } else {
            "other auditing".into()
        });
    }
    words
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SOUND: &str = "O:SYG:SYD:(A;;CCLCSWRPLORC;;;AU)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;SY)S:(AU;FA;CCDCLCSWRPWPDTLOSDRCWDWO;;;WD)";

    fn value(sddl: &str) -> RegValue {
        RegValue::binary(Descriptor::from_sddl(sddl).unwrap().to_bytes())
    }

    fn verdict(target: &str, reference: &str) -> Verdict {
        compare("wuauserv", Some("LocalSystem"), Some(&value(target)), Some(&value(reference)))
    }

    #[test]
    fn trustees_are_named() {
        let more = SOUND.replace("D:", "D:(A;;RPWP;;;PU)").replace("CCLCSWRPLORC", "CCLCSWLORC");
        let Verdict::Differs(words) = verdict(&more, SOUND) else { panic!() };
        assert_eq!(words, ["Authenticated Users lacks: start", "Power Users has besides: start, stop"]);
        let service = SOUND.replace("D:", &format!("D:(A;;LC;;;{})", service_sid("DoSvc")));
        let Verdict::Differs(words) = verdict(SOUND, &service) else { panic!() };
        assert_eq!(words, ["NT SERVICE\\DoSvc lacks: query status"]);
    }

    #[test]
    fn what_means_the_same_is_the_same() {
        assert_eq!(verdict(SOUND, SOUND), Verdict::Same);
        let padded = RegValue::binary([value(SOUND).data, vec![0; 8]].concat());
        assert_eq!(compare("wuauserv", None, Some(&padded), Some(&value(SOUND))), Verdict::Same);
        assert_eq!(
            verdict(&SOUND.replace("O:SY", "O:BA"), SOUND),
            Verdict::Differs(vec!["another owner or group".into()])
        );
        assert_eq!(verdict(SOUND.split_once("S:(").unwrap().0, SOUND), Verdict::Differs(vec!["other auditing".into()]));
    }

    #[test]
    fn only_the_targets_own_fault_is_broken() {
        let denying = SOUND.replace("D:", "D:(D;;RP;;;SY)");
        assert_eq!(verdict(&denying, SOUND), Verdict::Broken(vec!["SYSTEM is denied: start".into()]));
        assert!(matches!(verdict(SOUND, &denying), Verdict::Differs(_)));
        assert!(matches!(verdict(&denying, &denying.replace("LOCR", "LO")), Verdict::Differs(_)));
        let garbage = RegValue::binary(vec![7; 30]);
        let sound = value(SOUND);
        assert!(matches!(compare("x", None, Some(&garbage), Some(&sound)), Verdict::Broken(_)));
        assert!(matches!(compare("x", None, Some(&sound), Some(&garbage)), Verdict::Differs(_)));
        assert!(matches!(compare("x", None, Some(&garbage), None), Verdict::Broken(_)));
        // CryptSvc's five bytes on XP and 7 are none, and normal: a reference that has some says that.
        assert!(matches!(compare("x", None, Some(&garbage), Some(&RegValue::binary(vec![1]))), Verdict::Differs(_)));
        assert!(matches!(compare("x", None, None, Some(&sound)), Verdict::Differs(_)));
        assert_eq!(compare("x", None, None, None), Verdict::Same);
    }
}
