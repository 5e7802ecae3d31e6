//! Tests of descriptors: bytes, SDDL, judgement.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::knowledge::Knowledge;

/// Descriptors as real hives hold them, with their SDDL.
const MEASURED: &[(&str, &str)] = &[
    // BITS, 7 to 10.
    (
        "0100148090000000A00000001400000034000000020020000100000002C0180000000C000102000000000005200000002002000002005C000400000000021400FF010F0001010000000000051200000000001800FF010F0001020000000000052000000020020000000014008D010200010100000000000504000000000014008D0102000101000000000005060000000102000000000005200000002002000001020000000000052000000020020000",
        "O:BAG:BAD:(A;CI;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCLCSWLOCRRC;;;IU)(A;;CCLCSWLOCRRC;;;SU)S:(AU;SAFA;WDWO;;;BA)",
    ),
    // wuauserv, XP SP3 to 10.
    (
        "010014807800000084000000140000003000000002001C000100000002801400FF000F000101000000000001000000000200480003000000000014009D00020001010000000000050B00000000001800FF010F000102000000000005200000002002000000001400FF010F00010100000000000512000000010100000000000512000000010100000000000512000000",
        "O:SYG:SYD:(A;;CCLCSWRPLORC;;;AU)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;SY)S:(AU;FA;CCDCLCSWRPWPDTLOSDRCWDWO;;;WD)",
    ),
    // CryptSvc, 10 21H2: no SACL, a capability SID.
    (
        "01000480d8000000e400000000000000140000000200c4000700000000001400fd01020001010000000000051200000000001800ff010f0001020000000000052000000020020000000014008d010200010100000000000504000000000014008d01020001010000000000050600000000001800fd01020001020000000000052000000025020000000018008d000200010200000000000f0200000001000000000038008d000200010a00000000000f03000000000400008543efbe8867637e4d7a39abdefa60729ff69fa85772dbfe9e1ca32d96ba04a4010100000000000512000000010100000000000512000000",
        "O:SYG:SYD:(A;;CCLCSWRPWPDTLOCRRC;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCLCSWLOCRRC;;;IU)(A;;CCLCSWLOCRRC;;;SU)(A;;CCLCSWRPWPDTLOCRRC;;;SO)(A;;CCLCSWLORC;;;AC)(A;;CCLCSWLORC;;;S-1-15-3-1024-3203351429-2120443784-2872670797-1918958302-2829055647-4275794519-765664414-2751773334)",
    ),
    // RpcSs, 7 and 10: SYSTEM has less than full control.
    (
        "01001480900000009c000000140000003000000002001c000100000002801400ff000f000101000000000001000000000200600004000000000014008500020001010000000000050b00000000001400ff000e0001010000000000051200000000001800fd000e0001020000000000052000000020020000000018008500000001020000000000052000000021020000010100000000000512000000010100000000000512000000",
        "O:SYG:SYD:(A;;CCLCLORC;;;AU)(A;;CCDCLCSWRPWPDTLORCWDWO;;;SY)(A;;CCLCSWRPWPDTLORCWDWO;;;BA)(A;;CCLCLO;;;BU)S:(AU;FA;CCDCLCSWRPWPDTLOSDRCWDWO;;;WD)",
    ),
];

/// DcomLaunch of XP: entries with four bytes to spare.
const XP_DCOM: &str = "01001480b4000000c00000001400000034000000020020000100000002801800ff010f00010100000000000100000000200200000200800005000000000318008d0002000101000000000001000000000000000000031800ff010f0001020000000000052000000020020000000318008f00020001020000000000052000000023020000000318009d00000001010000000000050400000023020000000318009d00000001020000000000052000000021020000010100000000000512000000010100000000000512000000";

const SEED_BITS: &str =
    "D:(A;;CCLCSWRPWPDTLO;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCLCSWLOCRRC;;;AU)(A;;CCLCSWRPWPDTLO;;;PU)";

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn sddl(text: &str) -> Descriptor {
    Descriptor::from_sddl(text).unwrap()
}

#[test]
fn measured_bytes_and_sddl_are_one() {
    for (hex, text) in MEASURED {
        let bytes = unhex(hex);
        let descriptor = Descriptor::parse(&bytes).unwrap();
        assert_eq!(descriptor.to_sddl(), *text);
        assert_eq!(descriptor.to_bytes(), bytes, "{text}");
        assert_eq!(sddl(text).to_bytes(), bytes, "{text}");
        assert_eq!(judge(&descriptor, None), []);
    }
}

#[test]
fn padding_in_entries_survives_bytes_but_not_sddl() {
    let bytes = unhex(XP_DCOM);
    let descriptor = Descriptor::parse(&bytes).unwrap();
    assert_eq!(descriptor.to_bytes(), bytes);
    let text = descriptor.to_sddl();
    assert!(text.starts_with("O:SYG:SYD:(A;OICI;CCLCSWLORC;;;WD)"), "{text}");
    let again = sddl(&text);
    assert_ne!(again, descriptor);
    assert!(again.same_meaning(&descriptor));
    assert_eq!(judge(&descriptor, None), []);
}

#[test]
fn every_cut_is_an_error_or_the_same() {
    for (hex, _) in MEASURED.iter().chain([&(XP_DCOM, "")]) {
        let bytes = unhex(hex);
        for len in 0..bytes.len() {
            assert!(Descriptor::parse(&bytes[..len]).is_err(), "{len} of {hex}");
        }
        let mut longer = bytes.clone();
        longer.extend_from_slice(&[0xAA; 7]);
        assert_eq!(Descriptor::parse(&longer).unwrap(), Descriptor::parse(&bytes).unwrap());
    }
}

/// Every byte set to several values: no panic, and what parses is written back to something that
/// parses to the same.
#[test]
fn hostile_bytes() {
    for (hex, _) in MEASURED.iter().chain([&(XP_DCOM, "")]) {
        let bytes = unhex(hex);
        for at in 0..bytes.len() {
            for value in [0u8, 1, 2, 5, 8, 9, 0x11, 0x14, 0x7F, 0x80, 0xFE, 0xFF] {
                let mut changed = bytes.clone();
                changed[at] = value;
                let Ok(descriptor) = Descriptor::parse(&changed) else {
                    continue;
                };
                let again = Descriptor::parse(&descriptor.to_bytes()).unwrap();
                assert_eq!(again, descriptor);
                let text = descriptor.to_sddl();
                let from_text = Descriptor::from_sddl(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
                assert!(from_text.same_meaning(&descriptor), "{text}");
                let _ = judge(&descriptor, Some(&Sid::local_service()));
            }
        }
    }
}

#[test]
fn errors_say_where() {
    assert_eq!(
        Descriptor::parse(&unhex("00000e0001")),
        Err(DescriptorError::Truncated { what: "security descriptor", offset: 0, needed: 20, found: 5 })
    );
    let mut bytes = unhex(MEASURED[1].0);
    bytes[3] = 0;
    assert_eq!(Descriptor::parse(&bytes), Err(DescriptorError::NotSelfRelative { found: 0x0014 }));
    let mut bytes = unhex(MEASURED[1].0);
    bytes[16..20].copy_from_slice(&0x7FFF_FFFFu32.to_le_bytes());
    assert_eq!(
        Descriptor::parse(&bytes),
        Err(DescriptorError::Offset { what: "DACL", offset: 16, found: 0x7FFF_FFFF, len: bytes.len() })
    );
    // The DACL begins at 0x30, its first entry at 0x38.
    let mut bytes = unhex(MEASURED[1].0);
    bytes[0x3A] = 3;
    assert_eq!(
        Descriptor::parse(&bytes),
        Err(DescriptorError::Truncated { what: "ACE", offset: 0x38, needed: 4, found: 0x40 })
    );
    let mut bytes = unhex(MEASURED[1].0);
    bytes[0x41] = 200;
    assert_eq!(Descriptor::parse(&bytes), Err(DescriptorError::SubAuthorities { offset: 0x41, found: 200 }));
}

fn fault(text: &str) -> (usize, String, String) {
    let e = Descriptor::from_sddl(text).unwrap_err();
    (e.position, e.found, e.expected)
}

#[test]
fn malformed_strings_say_where() {
    // The string in wide circulation with five fields.
    let text = "D:(A;;CCLCSWRPLORC;;;AU)S:(AU;FA;CCDCLCSWRPWPDTLOCRSDRCWDWO;;WD)";
    let (position, found, expected) = fault(text);
    assert_eq!(position, text.len());
    assert_eq!(found, "`)`");
    assert!(expected.contains("six fields"), "{expected}");
    assert!(expected.contains("has 5"), "{expected}");

    // LO cut in half: the letters no longer pair up, and `RS` is no right.
    let (position, found, _) = fault("D:(A;;CCDCLCSWRPWPDTLCRSDRCWDWO;;;SO)");
    assert_eq!((position, found.as_str()), (23, "`RS`"));
    // LO left out altogether is legal.
    assert_eq!(sddl("D:(A;;CCDCLCSWRPWPDTCRSDRCWDWO;;;SO)").to_sddl(), "D:(A;;CCDCLCSWRPWPDTCRSDRCWDWO;;;SO)");

    for (text, position, found) in [
        ("", 1, "the end"),
        ("X", 1, "`X`"),
        ("D", 2, "the end"),
        ("D(A;;CC;;;SY)", 2, "`(`"),
        ("D:(A;;CC;;;SY", 14, "the end"),
        ("D:(A;;CC;;;SY))", 15, "`)`"),
        ("D:(A;;CC;;;SY)D:(A;;CC;;;SY)", 15, "`D`"),
        ("D:(Q;;CC;;;SY)", 4, "`Q`"),
        ("D:(A;XX;CC;;;SY)", 6, "`XX`"),
        ("D:(A;C;CC;;;SY)", 6, "`C`"),
        ("D:(A;;CCL;;;SY)", 9, "`L`"),
        ("D:(A;;;;;SY)", 7, "nothing"),
        ("D:(A;;0x1FFFFFFFF;;;SY)", 7, "`0x1FFFFFFFF`"),
        ("D:(A;;017;;;SY)", 7, "`017`"),
        ("D:(A;;CC;;;)", 12, "nothing"),
        ("D:(A;;CC;;;ZZ)", 12, "`ZZ`"),
        ("D:(A;;CC;;;DA)", 12, "`DA`"),
        ("D:(A;;CC;;;S-1-5-)", 12, "`S-1-5-`"),
        ("D:(A;;CC;;;S-1-5-99999999999)", 12, "`S-1-5-99999999999`"),
        ("D:(A;;CC;BA;;SY)", 10, "`BA`"),
        ("D:(OA;;CC;1234;;SY)", 11, "`1234`"),
        ("D:(A;;CC;;;SY;x)", 14, "`;`"),
        ("D:PP(A;;CC;;;SY)", 4, "`P`"),
        ("D:Q(A;;CC;;;SY)", 3, "`Q`"),
        ("O:QQD:(A;;CC;;;SY)", 3, "`QQ`"),
        ("O:SYG:", 7, "nothing"),
        ("D:NO_ACCESS_CONTROL(A;;CC;;;SY)", 20, "`(`"),
        ("D:(XA;;CC;;;SY;(@User.x==1))", 15, "`;`"),
        ("D:(0x09;0x00;0x0;;;)", 14, "`0x0`"),
        ("D:(0x00;0x00;0x0100;;;)", 14, "`0x0100`"),
        ("D:(Ä;;CC;;;SY)", 4, "`Ä`"),
    ] {
        let (at, what, _) = fault(text);
        assert_eq!((at, what.as_str()), (position, found), "{text}");
    }
}

#[test]
fn spellings() {
    // Any order of sections, any case, numbers, long SIDs.
    let a = sddl("S:(AU;FA;WDWO;;;WD)D:PAI(A;;0x201fd;;;S-1-5-18)G:baO:sy");
    assert_eq!(a.to_sddl(), "O:SYG:BAD:PAI(A;;CCLCSWRPWPDTLOCRRC;;;SY)S:(AU;FA;WDWO;;;WD)");
    assert_eq!(a.control(), 0x8000 | 0x4 | 0x10 | 0x1000 | 0x400);
    // A hexadecimal digit that begins the next section is not part of the SID before it.
    let b = sddl("O:S-1-5-80-1-2D:(A;;CC;;;BA)");
    assert_eq!(b.owner().unwrap().to_string(), "S-1-5-80-1-2");
    assert_eq!(sddl("O:S-1-0x10000000000-7G:SYD:").to_sddl(), "O:S-1-0x010000000000-7G:SYD:");
    // As Windows prints them: names for whole sets, numbers for what has no letters.
    for text in [
        "D:(A;;KA;;;BA)(A;;CC;;;AC)S:(AU;FA;KA;;;WD)(AU;OIIOFA;GA;;;WD)",
        "D:(A;;0x1200000;;;BA)",
        "D:(A;;0x0;;;BA)",
        "D:P",
        "D:",
        "S:",
        "D:NO_ACCESS_CONTROL",
        "D:PARAINO_ACCESS_CONTROL",
        "S:(ML;;NW;;;HI)",
        "S:(ML;;NWNRNX;;;S-1-16-4097)",
        "S:(TL;;CC;;;S-1-19-512-4096)",
        "D:(OA;CIIO;CC;bf967aba-0de6-11d0-a285-00aa003049e2;;SY)",
        "D:(OD;;CC;;bf967aba-0de6-11d0-a285-00aa003049e2;SY)",
        "D:(0x09;0x00;0x010000000101000000000005120000006172747800;;;)",
        "D:(D;CRSA;GRGWGX;;;LS)",
    ] {
        let d = sddl(text);
        assert_eq!(d.to_sddl(), text);
        assert_eq!(Descriptor::parse(&d.to_bytes()).unwrap(), d, "{text}");
    }
    assert_eq!(sddl("D:(OA;;CC;;;SY)").dacl().acl().unwrap().revision(), 4);
    assert_eq!(sddl("D:(A;;CC;;;SY)").dacl().acl().unwrap().revision(), 2);
}

#[test]
fn a_list_that_is_too_long_is_refused() {
    let text = format!("D:{}", "(A;;CC;;;SY)".repeat(4000));
    let e = Descriptor::from_sddl(&text).unwrap_err();
    assert_eq!(e.position, 3);
    let text = format!("D:{}", "(A;;CC;;;SY)".repeat(3000));
    assert_eq!(sddl(&text).dacl().acl().unwrap().aces().len(), 3000);
}

#[test]
fn every_alias_round_trips() {
    for first in b'A'..=b'Z' {
        for second in b'A'..=b'Z' {
            let alias = String::from_utf8(vec![first, second]).unwrap();
            if let Some(sid) = Sid::from_alias(&alias) {
                assert_eq!(sid.alias(), Some(alias.as_str()));
                assert_eq!(Sid::from_text(&sid.to_string()), Some(sid.clone()));
                assert!(!Sid::is_relative_alias(&alias), "{alias}");
            }
        }
    }
    assert_eq!(Sid::from_alias("SO").unwrap().to_string(), "S-1-5-32-549");
    assert_eq!(Sid::from_alias("AC").unwrap().to_string(), "S-1-15-2-1");
}

#[test]
fn accounts() {
    for name in ["LocalSystem", "localSystem", r".\LocalSystem", r"NT AUTHORITY\SYSTEM", ""] {
        assert_eq!(account_sid(name), Some(Sid::system()), "{name}");
    }
    for name in [
        r"NT Authority\NetworkService",
        r"NT AUTHORITY\NETWORK SERVICE",
        r"nt authority\networkservice",
        "NetworkService",
    ] {
        assert_eq!(account_sid(name), Some(Sid::network_service()), "{name}");
    }
    for name in [r"NT Authority\LocalService", r"NT AUTHORITY\Local Service"] {
        assert_eq!(account_sid(name), Some(Sid::local_service()), "{name}");
    }
    for name in [r".\guest", r"DOMAIN\LocalSystem", r"NT AUTHORITY\x", "Administrator", r"NT SERVICE\"] {
        assert_eq!(account_sid(name), None, "{name}");
    }
    // Known from the measured descriptors.
    for (name, sid) in [
        (r"NT SERVICE\TrustedInstaller", "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"),
        (r"nt service\dosvc", "S-1-5-80-3055155277-3816794035-3994065555-2874236192-2193176987"),
    ] {
        assert_eq!(account_sid(name).unwrap().to_string(), sid);
    }
}

#[test]
fn broken_descriptors() {
    let is_broken = |text: &str| !judge(&sddl(text), None).is_empty();
    assert_eq!(judge(&sddl("O:SY"), None), [DescriptorFault::NoDacl]);
    assert_eq!(judge(&sddl("D:NO_ACCESS_CONTROL"), None), [DescriptorFault::NoDacl]);
    assert_eq!(judge(&sddl("D:"), None), [DescriptorFault::EmptyDacl]);
    let wu = MEASURED[1].1;
    let with = |ace: &str| wu.replacen("D:", &format!("D:{ace}"), 1);
    assert!(!is_broken(wu));
    for ace in [
        "(D;;CC;;;SY)",
        "(D;;GA;;;BA)",
        "(D;;WD;;;WD)",
        "(D;;RP;;;AU)",
        "(OD;;RP;;;SY)",
        // A conditional deny entry for SYSTEM.
        "(0x0a;0x00;0x010000000101000000000005120000006172747800;;;)",
    ] {
        assert!(is_broken(&with(ace)), "{ace}");
    }
    for ace in ["(D;;CC;;;BG)", "(D;OIIO;CC;;;SY)", "(D;;0x0;;;SY)", "(D;;RP;;;NS)"] {
        assert!(!is_broken(&with(ace)), "{ace}");
    }
    // The service's own account.
    let denied = sddl(&with("(D;;RP;;;NS)"));
    assert_eq!(
        judge(&denied, Some(&Sid::network_service())),
        [DescriptorFault::Denies { who: Sid::network_service(), rights: 0x10 }]
    );
    assert_eq!(judge(&denied, Some(&Sid::local_service())), []);

    // SYSTEM may live on what Administrators have, not the other way round.
    assert!(!is_broken("D:(A;;CCLCRP;;;BA)"));
    assert_eq!(
        judge(&sddl("D:(A;;KA;;;SY)"), None),
        [DescriptorFault::Lacks { who: Sid::administrators(), rights: 0x15 }]
    );
    assert_eq!(
        judge(&sddl("D:(A;;CCRP;;;BA)(A;;LC;;;SY)"), None),
        [DescriptorFault::Lacks { who: Sid::administrators(), rights: 0x4 }]
    );
    assert_eq!(judge(&sddl("D:(A;;CCLC;;;BA)"), None).len(), 2);
    assert!(is_broken("D:(A;OIIO;KA;;;BA)(A;OIIO;KA;;;SY)"));
    assert!(!is_broken("D:(A;;GA;;;BA)"));
    assert!(is_broken("D:(A;;GW;;;BA)"));
}

/// Wrong, but not broken: they are never replaced by themselves.
#[test]
fn the_documents_strings() {
    let seed = sddl(SEED_BITS);
    assert_eq!(judge(&seed, Some(&Sid::system())), []);
    for service in ["bits", "WUAUSERV"] {
        assert!(known_wrong(service, &seed).is_some(), "{service}");
    }
    let kb = sddl("D:(A;;CCLCSWRPWPDTLOCRRC;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCLCSWLOCRRC;;;AU)(A;;CCLCSWRPWPDTLOCRRC;;;PU)");
    assert_eq!(judge(&kb, None), []);
    // What documents recommend for BITS to this day is what XP ships.
    assert!(known_wrong_on("BITS", 19045, &kb).is_some());
    assert_eq!(known_wrong_on("BITS", 2600, &kb), None);
    assert!(known_wrong_on("wuauserv", 2600, &kb).is_some());
    // Without the audit entry, owner and group, as `sc sdshow` prints it, it is still the default.
    assert_eq!(
        known_wrong(
            "wuauserv",
            &sddl("D:(A;;CCLCSWRPLORC;;;AU)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;SY)")
        ),
        None
    );
    assert!(known_wrong("CryptSvc", &sddl(MEASURED[1].1)).is_some());
    let msi = sddl("D:(A;;CCLCSWRPWPDTLOCRRC;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCLCSWLOCRRC;;;IU)");
    assert!(known_wrong_on("msiserver", 19045, &msi).unwrap().contains("TrustedInstaller"));
    assert_eq!(known_wrong_on("msiserver", 7601, &msi), None);
    // CVE-2019-1322.
    let open = sddl("D:(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;SY)(A;;KA;;;BA)(A;;DC;;;SU)");
    assert!(known_wrong("UsoSvc", &open).unwrap().contains("(SERVICE)"));
}

/// Windows' own descriptors are never called wrong or broken.
#[test]
fn defaults_are_healthy() {
    let mut seen = 0;
    for row in Knowledge::builtin().rows() {
        let account = row.accounts.as_ref().and_then(|accounts| account_sid(&accounts[0]));
        for text in row.descriptors.iter().flatten() {
            let descriptor = sddl(text);
            assert_eq!(descriptor.to_sddl(), *text);
            assert_eq!(Descriptor::parse(&descriptor.to_bytes()).unwrap(), descriptor);
            assert_eq!(judge(&descriptor, account.as_ref()), [], "{} {text}", row.service);
            for build in [row.builds.first, row.builds.last] {
                assert_eq!(known_wrong_on(&row.service, build, &descriptor), None, "{} {build}", row.service);
            }
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn mending_replaces_the_dacl_only() {
    let default = sddl(MEASURED[1].1);
    let broken = sddl("O:BAG:SYD:PAI(D;;GA;;;SY)S:(AU;FA;WD;;;WD)(ML;;NW;;;HI)");
    let mended = mend(&broken, &default);
    assert_eq!(
        mended.to_sddl(),
        "O:BAG:SYD:(A;;CCLCSWRPLORC;;;AU)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;SY)S:(AU;FA;WD;;;WD)(ML;;NW;;;HI)"
    );
    assert_eq!(judge(&mended, None), []);
    // Nothing but a DACL: owner and group come from the default, no SACL is made up.
    let mended = mend(&sddl("D:"), &default);
    assert_eq!(mended.owner(), default.owner());
    assert_eq!(mended.group(), default.group());
    assert_eq!(*mended.sacl(), AclSlot::Absent);
    assert_eq!(Descriptor::parse(&mended.to_bytes()).unwrap(), mended);
}

#[test]
fn faults_in_words() {
    let faults = judge(&sddl("D:(D;;GA;;;SY)(A;;CCLC;;;BA)"), None);
    let words: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(words, ["SYSTEM is denied: everything", "SYSTEM lacks: start", "Administrators lacks: start"]);
    assert_eq!(describe_rights(0x15), "query configuration, query status, start");
}
