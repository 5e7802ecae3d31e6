//! Paths, escapes, and comparing names.

use std::ffi::OsStr;

use super::super::escape::{decode_name, encode_name, escape_name};
use super::super::fold::{same_name, upcase_unit};
use super::*;

#[test]
fn parse_and_print() {
    let path = p("Windows/System32\\config");
    assert_eq!(path.to_string(), "Windows\\System32\\config");
    assert_eq!(path.file_name(), Some(OsStr::new("config")));
    assert_eq!(path.parent(), Some(p("Windows\\System32")));
    assert_eq!(path, p("Windows//System32/./config/"));
    assert_eq!(p(""), VolPath::root());
    assert_eq!(VolPath::root().to_string(), "\\");
    assert_eq!(VolPath::root().parent(), None);
    assert_eq!(path.join("a/b").unwrap(), p("Windows/System32/config/a/b"));
    assert_eq!(path.with_file_name("x").unwrap(), p("Windows/System32/x"));
    assert_eq!(VolPath::literal("A/b"), p("A\\b"));
}

#[test]
fn what_leads_out_is_no_path() {
    for bad in
        ["..", "a/../b", "a\\..\\..", "/a", "\\a", "\\\\server\\share", "C:", "C:\\Windows", "file:stream", "a\0b"]
    {
        assert!(VolPath::parse(bad).is_err(), "{bad:?}");
    }
    for bad in ["", ".", "..", "a/b", "a\0"] {
        assert!(p("x").child(bad).is_err(), "{bad:?}");
        assert!(VolPath::root().with_file_name("x").is_err());
    }
    for bad in ["..", "a\\..", "\\a", "a\\", "a\\\\b", "%2e%2E", "a%2fb", "%00"] {
        assert!(VolPath::decode(bad).is_err(), "{bad:?}");
    }
    let long = "a/".repeat(5000);
    assert!(VolPath::parse(&long).is_err());
}

#[test]
fn starts_with_ignores_case_and_goes_by_whole_names() {
    let path = p("Windows/System32/config");
    assert!(path.starts_with(&p("WINDOWS/system32")));
    assert!(path.starts_with(&VolPath::root()));
    assert!(!path.starts_with(&p("Windows/System")));
    assert!(!p("Windows").starts_with(&path));
    assert!(path.same_place(&p("windows/SYSTEM32/CONFIG")));
    assert_ne!(path, p("windows/SYSTEM32/CONFIG"));
}

#[test]
fn hostile_names_are_shown_harmless() {
    let shown = |name: &str| escape_name(OsStr::new(name));
    assert_eq!(shown("Überraschung – 更新"), "Überraschung – 更新");
    assert_eq!(shown("a\u{202e}txt.exe"), "a<U+202E>txt.exe");
    assert_eq!(shown("a\nb\u{1b}[31m"), "a<U+000A>b<U+001B>[31m");
    assert_eq!(shown("SYS\u{200b}TEM"), "SYS<U+200B>TEM");
    assert_eq!(shown("a\\b"), "a<U+005C>b");
    assert_eq!(shown("\u{9b}31m\u{2066}x"), "<U+009B>31m<U+2066>x");
    let path = VolPath::root().child("x\ny").unwrap();
    assert_eq!(format!("{path}"), "x<U+000A>y");
    let error = VolPath::parse("../\n\u{202e}\u{1b}C:").unwrap_err();
    assert_eq!(error.to_string(), "\"../<U+000A><U+202E><U+001B>C:\" is not a path inside a volume: it holds a colon");
    assert_eq!(format!("{path:?}"), r#"VolPath("x\ny")"#);
}

#[test]
fn text_form_is_exact() {
    for (name, text) in [
        ("SYSTEM", "SYSTEM"),
        ("100%", "100%"),
        ("%TEMP%", "%TEMP%"),
        ("%ad", "%25ad"),
        ("%%41", "%%2541"),
        ("%25", "%2525"),
        ("a\nb", "a\nb"),
        ("Ünï\u{202e}", "Ünï\u{202e}"),
    ] {
        assert_eq!(encode_name(OsStr::new(name)), text);
        assert_eq!(decode_name(text).unwrap(), OsStr::new(name));
    }
    let path = p("Windows/%ad/x");
    let json = serde_json::to_string(&path).unwrap();
    assert_eq!(json, r#""Windows\\%25ad\\x""#);
    assert_eq!(serde_json::from_str::<VolPath>(&json).unwrap(), path);
    assert!(serde_json::from_str::<VolPath>(r#""a\\..\\b""#).is_err());
    assert_eq!(serde_json::to_string(&VolPath::root()).unwrap(), r#""""#);
}

#[cfg(unix)]
#[test]
fn bytes_that_are_no_unicode_survive() {
    use std::os::unix::ffi::OsStrExt as _;
    // An unpaired surrogate as ntfs-3g shows it, plain garbage, a percent sign before it.
    for bytes in [&b"a\xed\xa0\x80b"[..], b"\xff\xfe", b"%\xff", b"%4\xff1", b"\\"] {
        let name = OsStr::from_bytes(bytes);
        let text = encode_name(name);
        assert_eq!(decode_name(&text).unwrap(), name, "{text}");
        let path = p("x").child(name).unwrap();
        let json = serde_json::to_string(&path).unwrap();
        assert_eq!(serde_json::from_str::<VolPath>(&json).unwrap(), path);
    }
    let name = OsStr::from_bytes(b"a\xed\xa0\x80b");
    assert_eq!(encode_name(name), "a%ED%A0%80b");
    assert_eq!(escape_name(name), "a<0xED><0xA0><0x80>b");
    assert!(same_name(OsStr::from_bytes(b"a\xffB"), OsStr::from_bytes(b"A\xffb")));
    assert!(!same_name(OsStr::from_bytes(b"a\xff"), OsStr::from_bytes(b"a\xfe")));
}

#[test]
fn random_names_survive_the_text_form() {
    let mut random = super::overlay::Random(1);
    for _ in 0..5000 {
        let name: String = (0..random.below(8))
            .map(|_| ['%', '2', '5', 'a', 'F', 'é', '\u{202e}', 'z', '.'][random.below(9)])
            .collect();
        if let Ok(path) = p("x").child(&name) {
            assert_eq!(VolPath::decode(&path.encode()).unwrap(), path, "{name}");
        }
    }
}

#[test]
fn names_are_compared_as_ntfs_does() {
    let same = |a: &str, b: &str| same_name(OsStr::new(a), OsStr::new(b));
    assert!(same("SoftwareDistribution", "SOFTWAREDISTRIBUTION"));
    assert!(same("straße", "STRAßE"));
    assert!(!same("straße", "STRASSE"));
    assert!(same("ωμέγα", "ΩΜΈΓΑ"));
    assert!(same("ÿ", "Ÿ"));
    // The Turkish and the long letters are letters of their own.
    assert!(!same("wındows", "WINDOWS"));
    assert!(!same("ſystem", "SYSTEM"));
    assert!(!same("K", "\u{212a}"), "the Kelvin sign has no lower case in the table");
    // Outside of the basic plane nothing is mapped.
    assert!(!same("𐐨", "𐐀"));
    // Composed and decomposed are different names.
    assert!(!same("é", "e\u{301}"));
}

#[test]
fn upper_case_is_stable() {
    for unit in 0..=u16::MAX {
        let upper = upcase_unit(unit);
        assert_eq!(upcase_unit(upper), upper, "{unit:04x}");
        if (0xd800..0xe000).contains(&unit) {
            assert_eq!(upper, unit);
        }
    }
}
