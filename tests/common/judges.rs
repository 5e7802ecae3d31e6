//! Readers of registry hives that are not ours, as judges: what each of them sees in a hive, without times and without places in the file.
//!
//! - the crate `regf` 0.2, which also checks the structure, and shows class names and the keys' security descriptors;
//! - `hivexml` (hivex, Debian's libhivex-bin);
//! - `regfexport` (libregf, Debian's libregf-utils).
//!
//! Each judge gets a copy of the file of its own.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Write};
use std::process::{Command, Stdio};

use regf::parser::HiveParser;
use sha2::{Digest, Sha256};

/// What a judge sees: by key path (without the root's own name), by value name (empty: the default value); [`KEY`] is the key itself.
pub type Seen = BTreeMap<String, BTreeMap<String, String>>;

/// The item that stands for the key itself: its name, class and descriptor.
pub const KEY: &str = "\u{0}key";

/// One of the readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    /// The crate `regf`.
    Regf,
    /// hivex.
    Hivexml,
    /// libregf.
    Regfexport,
}

impl Judge {
    /// The judges that are there. A missing program is said; where `CI` is `true` it is a failure.
    pub fn present() -> Vec<Judge> {
        let mut judges = vec![Judge::Regf];
        for (judge, program, package) in
            [(Judge::Hivexml, "hivexml", "libhivex-bin"), (Judge::Regfexport, "regfexport", "libregf-utils")]
        {
            let there = Command::new(program).arg("-V").stdin(Stdio::null()).output().is_ok();
            if there {
                judges.push(judge);
            } else {
                assert_ne!(
                    std::env::var("CI").as_deref(),
                    Ok("true"),
                    "{program} (package {package}) is not installed"
                );
                skipped(&format!("{program} (package {package}) is not installed, so it does not judge"));
            }
        }
        judges
    }

    /// What this judge sees in a hive, or why it refuses it.
    pub fn look(self, hive: &[u8]) -> Result<Seen, String> {
        match self {
            Judge::Regf => regf(hive),
            Judge::Hivexml => Ok(hivexml(&run("hivexml", hive)?)),
            Judge::Regfexport => Ok(regfexport(&run("regfexport", hive)?)),
        }
    }
}

/// Says what is not done, past the test harness, which keeps what `eprintln!` says in a test that passes.
pub fn skipped(what: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}");
}

/// The places (key path, item) where two hives differ, with what is seen at each.
pub fn difference(left: &Seen, right: &Seen) -> BTreeMap<(String, String), [Option<String>; 2]> {
    let mut found = BTreeMap::new();
    let empty = BTreeMap::new();
    let keys: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    for key in keys {
        let [l, r] = [left, right].map(|side| side.get(key).unwrap_or(&empty));
        if l == r {
            continue;
        }
        for item in l.keys().chain(r.keys()).collect::<BTreeSet<_>>() {
            if l.get(item) != r.get(item) {
                found.insert((key.clone(), item.clone()), [l.get(item).cloned(), r.get(item).cloned()]);
            }
        }
    }
    found
}

fn run(program: &str, hive: &[u8]) -> Result<String, String> {
    let memory = std::path::Path::new("/dev/shm");
    let there = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let folder = there.or_else(|_| tempfile::tempdir()).unwrap();
    let [file, out] = ["hive", "out"].map(|name| folder.path().join(name));
    std::fs::write(&file, hive).unwrap();
    // Into a file: regfexport writes piece by piece, which takes three times as long through a pipe.
    let output = Command::new(program)
        .arg(&file)
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&out).unwrap())
        .output()
        .map_err(|e| format!("{program}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{program}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&std::fs::read(&out).unwrap()).into_owned())
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}\\{name}")
    }
}

/// Adds an item; what comes twice under one name is kept twice.
fn add(seen: &mut Seen, path: &str, item: &str, what: &str) {
    // Long data is told apart by its hash.
    let what = if what.len() <= 400 {
        what.to_owned()
    } else {
        let start = (0..=80).rev().find(|&at| what.is_char_boundary(at)).unwrap_or(0);
        format!("{}… {} bytes, {}", &what[..start], what.len(), hex(what.as_bytes()))
    };
    if !seen.contains_key(path) {
        seen.insert(path.to_owned(), BTreeMap::new());
    }
    let items = seen.get_mut(path).unwrap();
    items.entry(item.to_owned()).and_modify(|old| *old = format!("{old}\n{what}")).or_insert(what);
}

/// Bytes in hexadecimal digits; long ones by their hash.
fn hex(bytes: &[u8]) -> String {
    if bytes.len() <= 64 {
        format!("{bytes:02x?}")
    } else {
        format!("sha256 {:02x?}", Sha256::digest(bytes).as_slice())
    }
}

fn regf(hive: &[u8]) -> Result<Seen, String> {
    let parser = HiveParser::new(Cursor::new(hive.to_vec())).map_err(|e| format!("regf: {e}"))?;
    walk_regf(&parser).map_err(|e| format!("regf: {e}"))
}

fn walk_regf(parser: &HiveParser<Cursor<Vec<u8>>>) -> regf::Result<Seen> {
    let mut seen = Seen::new();
    let root = parser.root_cell_offset();
    let mut todo = vec![(String::new(), root)];
    while let Some((path, offset)) = todo.pop() {
        let node = parser.read_key_node(offset)?;
        // The root's name is not part of a path.
        let path = if offset == root { path } else { join(&path, &node.name()) };
        let class = if node.has_class_name() {
            let cell = parser.read_cell(node.class_name_offset)?;
            hex(&cell.data[..usize::from(node.class_name_length)])
        } else {
            "none".to_owned()
        };
        let security = parser.read_key_security(node.security_offset)?.security_descriptor;
        let flags = node.flags;
        add(
            &mut seen,
            &path,
            KEY,
            &format!("{} flags {flags:#x} class {class} security {}", node.name(), hex(&security)),
        );
        if !node.is_predef_handle() {
            for offset in parser.get_value_offsets(&node)? {
                let value = parser.read_key_value(offset)?;
                let size = value.actual_data_size();
                let data = match value.get_resident_data() {
                    Some(data) if value.is_data_resident() => data,
                    _ if size == 0 => Vec::new(),
                    _ => parser.read_value_data(value.data_offset, size)?,
                };
                add(&mut seen, &path, &value.name(), &format!("type {} size {size} {}", value.data_type, hex(&data)));
            }
        }
        todo.extend(parser.get_subkey_offsets(&node)?.into_iter().map(|child| (path.clone(), child)));
    }
    Ok(seen)
}

/// What follows `name="` in a tag, as it is escaped there.
fn attribute<'t>(tag: &'t str, name: &str) -> Option<&'t str> {
    let from = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let length = tag[from..].find('"')?;
    Some(&tag[from..from + length])
}

/// hivexml writes no white space between its tags, and escapes `<` and `>` inside them: tags can be cut out.
fn hivexml(text: &str) -> Seen {
    let mut seen = Seen::new();
    // Lengths of the paths of the keys that are open; the root's is empty and not in front of others.
    let mut path = String::new();
    let mut lengths: Vec<usize> = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find('<').map(|found| at + found) {
        let end = start + text[start..].find('>').expect("a tag that ends");
        let tag = &text[start + 1..end];
        at = end + 1;
        let is_empty = tag.ends_with('/');
        if tag.starts_with("node ") {
            let name = attribute(tag, "name").unwrap_or_default();
            lengths.push(path.len());
            if lengths.len() > 1 {
                path = join(&path, name);
            }
            add(&mut seen, &path, KEY, tag);
            if is_empty {
                path.truncate(lengths.pop().unwrap());
            }
        } else if tag == "/node" {
            path.truncate(lengths.pop().unwrap());
        } else if tag.starts_with("value ") {
            let inner = if is_empty {
                ""
            } else {
                let length = text[at..].find("</value>").expect("a value that ends");
                &text[at..at + length]
            };
            at += inner.len();
            // Where the value lies in the file is not what it holds.
            let held = inner.find("<byte_runs").map_or(inner, |runs| &inner[..runs]);
            let name = attribute(tag, "key").unwrap_or_default();
            add(&mut seen, &path, name, &format!("{tag} {held}"));
        } else if let Some(skipped) = ["mtime", "byte_runs"].iter().find(|name| tag == **name) {
            let close = format!("</{skipped}>");
            at += text[at..].find(&close).expect("an element that ends") + close.len();
        }
    }
    assert!(lengths.is_empty(), "hivexml ended in the middle");
    seen
}

/// regfexport numbers a key's values; the order of a list is not what it holds, so the numbers go.
fn regfexport(text: &str) -> Seen {
    let mut seen = Seen::new();
    let mut path = String::new();
    let mut item = KEY.to_owned();
    let mut held = String::new();
    // The program's own name and version come first.
    for line in text.lines().skip_while(|line| !line.starts_with("Key path: ")).chain(["Key path: "]) {
        let is_key = line.starts_with("Key path: ");
        let value = line.strip_prefix("Value: ").and_then(|rest| rest.split_once(' ').or(Some((rest, ""))));
        let value = value.filter(|(number, _)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
        if !is_key && value.is_none() {
            if !line.is_empty() {
                held.push_str(line);
                held.push('\n');
            }
            continue;
        }
        if !held.is_empty() {
            add(&mut seen, &path, &item, &held);
            held.clear();
        }
        if let Some((_, name)) = value {
            item = if name == "(default)" { String::new() } else { name.to_owned() };
            continue;
        }
        let whole = &line["Key path: ".len()..];
        // The first name is the root's own.
        path = whole.split_once('\\').map_or(String::new(), |(_, below)| below.to_owned());
        item = KEY.to_owned();
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hivexml_is_cut_into_keys_and_values() {
        let seen = hivexml(
            "<?xml version=\"1.0\"?>\n<hive><node name=\"R\" root=\"1\"><mtime>x</mtime><byte_runs><byte_run a=\"1\"/></byte_runs>\
             <node name=\"A\"><value type=\"int32\" key=\"Start\" value=\"4\"><byte_runs><byte_run/></byte_runs></value></node>\
             <node name=\"B\"><value type=\"string-list\" default=\"1\"><string>x</string></value></node></node></hive>",
        );
        let what: Vec<(&str, &str, &str)> = seen
            .iter()
            .flat_map(|(key, items)| items.iter().map(move |(item, what)| (key.as_str(), item.as_str(), what.as_str())))
            .collect();
        assert_eq!(
            what,
            [
                ("", KEY, "node name=\"R\" root=\"1\""),
                ("A", KEY, "node name=\"A\""),
                ("A", "Start", "value type=\"int32\" key=\"Start\" value=\"4\" "),
                ("B", "", "value type=\"string-list\" default=\"1\" <string>x</string>"),
                ("B", KEY, "node name=\"B\""),
            ]
        );
    }

    #[test]
    fn regfexport_is_cut_into_keys_and_values() {
        let seen = regfexport(
            "regfexport 1\n\nKey path: ROOT\nKey: ROOT\n\nKey path: ROOT\\A\nKey: A\nValue: 0 (default)\nType: x\nData: 1\n\nValue: 1 Start\nData: 4\n\n",
        );
        assert_eq!(seen[""][KEY], "Key: ROOT\n");
        assert_eq!(seen["A"][""], "Type: x\nData: 1\n");
        assert_eq!(seen["A"]["Start"], "Data: 4\n");
        assert_eq!(seen["A"].len(), 3);
    }

    #[test]
    fn a_difference_names_the_place() {
        let one = regfexport("Key path: R\\A\nKey: A\nValue: 0 Start\nData: 4\n");
        let other = regfexport("Key path: R\\A\nKey: A\nValue: 3 Start\nData: 2\n");
        let places: Vec<_> = difference(&one, &other).into_keys().collect();
        assert_eq!(places, [("A".to_owned(), "Start".to_owned())]);
    }
}
