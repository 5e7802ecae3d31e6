//! Lines in every encoding, cut, with zero bytes, and longer than memory should hold.
#![allow(clippy::unwrap_used)]

use super::*;

fn all(bytes: &[u8]) -> Vec<(u64, u64, String)> {
    let (encoding, mark) = Encoding::of(&bytes[..bytes.len().min(4096)]);
    let mut lines = Lines::new(&bytes[mark..], encoding, u64::MAX);
    let mut found = Vec::new();
    while let Some(line) = lines.next().unwrap() {
        found.push((line.number, line.offset, decode(line.bytes).0.into_owned()));
    }
    found
}

fn texts(bytes: &[u8]) -> Vec<String> {
    all(bytes).into_iter().map(|(_, _, text)| text).collect()
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn encodings() {
    let text = "first\r\nzweite Zeile: Ä€\r\n\r\nlast";
    let wanted = ["first", "zweite Zeile: Ä€", "", "last"];
    assert_eq!(texts(text.as_bytes()), wanted);
    assert_eq!(texts(&[b"\xef\xbb\xbf", text.as_bytes()].concat()), wanted);
    assert_eq!(texts(&wide(text)), wanted);
    assert_eq!(texts(&[&[0xff, 0xfe][..], &wide(text)].concat()), wanted);
    assert_eq!(texts(text.replace("\r\n", "\n").as_bytes()), wanted);
    assert_eq!(texts(b"Z\xe4hler \x80\n"), ["Zähler €"]);
    assert!(!decode(b"Z\xe4hler").1 && decode("Zähler".as_bytes()).1);
    assert_eq!(texts(b""), Vec::<String>::new());
    assert_eq!(texts(b"\n"), [""]);
}

#[test]
fn numbers_and_offsets() {
    assert_eq!(all(b"ab\r\nc\n"), [(1, 0, "ab".into()), (2, 4, "c".into())]);
    assert_eq!(all(&wide("abcdefgh\nc")), [(1, 0, "abcdefgh".into()), (2, 18, "c".into())]);
}

#[test]
fn what_a_crash_leaves() {
    // Zero bytes in the middle, also more of them than a window holds.
    assert_eq!(texts(b"a\0\0b\nc"), ["ab", "c"]);
    let mut bytes = b"before\n".to_vec();
    bytes.resize(5 * WINDOW / 2, 0);
    bytes.extend_from_slice(b"after\r\nlast\r\n");
    assert_eq!(texts(&bytes), ["before", "after", "last"]);
    // An odd byte at the end of UTF-16, and half a character.
    let mut bytes = wide("line one\nline two");
    bytes.push(0x41);
    assert_eq!(texts(&bytes)[0], "line one");
    assert_eq!(texts(&[wide("line one\n"), vec![0x3d, 0xd8]].concat()), ["line one", "\u{fffd}"]);
}

#[test]
fn enormous_lines_are_cut() {
    let mut bytes = vec![b'x'; 3 * WINDOW];
    bytes.extend_from_slice(b"\nnext\n");
    let found = all(&bytes);
    assert_eq!(found[0].2.len(), MAX_LINE);
    assert_eq!(found[1], (2, 3 * WINDOW as u64 + 1, "next".into()));
    // Lines that lie across windows.
    let line = "y".repeat(1000) + "\n";
    let many = line.repeat(3000);
    let found = all(many.as_bytes());
    assert_eq!(found.len(), 3000);
    assert!(found.iter().all(|(n, at, text)| text.len() == 1000 && *at == (n - 1) * 1001));
    let found = all(&wide(&many));
    assert_eq!(found.len(), 3000);
    assert!(found.iter().all(|(n, at, text)| text.len() == 1000 && *at == (n - 1) * 2002));
}

#[test]
fn a_limit_ends_it() {
    let mut lines = Lines::new(&b"one\ntwo\nthree\n"[..], Encoding::Bytes, 8);
    assert_eq!(lines.next().unwrap().unwrap().bytes, b"one");
    assert_eq!(lines.next().unwrap().unwrap().bytes, b"two");
    assert!(lines.next().unwrap().is_none());
}

#[test]
fn newlines_are_counted() {
    assert_eq!(count(b"a\nb\r\nc", Encoding::Bytes), 2);
    assert_eq!(count(&wide("a\nb\u{0a0a}\r\nc"), Encoding::Utf16), 2);
}
