//! The judges: each reads the bytes of a hive and lists what it finds, or says why it can't.

use std::process::Command;

use crate::listing::{
    data_text, export_line, hash, join, key_line, known_type, security_line, value_line, visible, Format, Listing,
};

type Found = Result<(), String>;

/// One judge, with what it can tell, the most first. `Names` is for hives where a program shows data in a way of its own.
pub struct Judge {
    pub name: &'static str,
    pub is_program: bool,
    pub formats: &'static [Format],
    pub list: fn(&[u8], Format, Option<&str>, &mut Listing) -> Found,
}

pub const JUDGES: [Judge; 4] = [
    Judge { name: "regf", is_program: false, formats: &[Format::Full], list: by_regf },
    Judge { name: "nt-hive", is_program: false, formats: &[Format::NoSecurity], list: by_nt_hive },
    Judge { name: "hivexml", is_program: true, formats: &[Format::Xml, Format::Names], list: by_hivexml },
    Judge { name: "regfexport", is_program: true, formats: &[Format::Export, Format::Names], list: by_regfexport },
];

impl Judge {
    /// What the judge lists; a panic of a judge counts as a refusal. With a key, it may list that key and what is below only.
    pub fn ask(
        &self,
        bytes: &[u8],
        format: Format,
        key: Option<&str>,
        mut listing: Listing,
    ) -> Result<Listing, String> {
        let list = self.list;
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            list(bytes, format, key, &mut listing).map(|()| listing)
        }));
        result.unwrap_or_else(|_| Err("it panics".into()))
    }
}

/// Our own reading, from scratch.
pub fn ours(bytes: &[u8], mut listing: Listing) -> Listing {
    let hive = coldmend_hives::Hive::open(bytes.to_vec()).unwrap();
    let mut path = Vec::<String>::new();
    for key in hive.walk().unwrap() {
        let (depth, key) = key.unwrap();
        path.truncate(depth.saturating_sub(1));
        if depth > 0 {
            path.push(key.name());
        }
        let path = path.join("\\");
        listing.add(&key_line(&path, key.class().unwrap().as_deref()));
        listing.add(&security_line(&path, key.security_descriptor().unwrap()));
        for value in key.values().unwrap() {
            let text = data_text(&value.data().unwrap());
            listing.add(&value_line(&path, &value.name(), &value.data_type().to_string(), &text));
        }
    }
    listing
}

fn by_regf(bytes: &[u8], _: Format, _: Option<&str>, listing: &mut Listing) -> Found {
    let why = |e: regf::Error| e.to_string();
    let hive = regf::RegistryHive::from_bytes(bytes.to_vec()).map_err(why)?;
    let mut stack = vec![(hive.root_key().map_err(why)?, String::new())];
    while let Some((key, path)) = stack.pop() {
        listing.add(&key_line(&path, key.class_name().map_err(why)?.as_deref()));
        let security =
            cell(bytes, key.raw_node().security_offset).and_then(|c| regf::structures::KeySecurity::parse(c).ok());
        listing.add(&security_line(&path, &security.ok_or("a security cell")?.security_descriptor));
        for value in key.values().map_err(why)? {
            let name = if value.is_default() { String::new() } else { value.name() };
            let text = data_text(&value.raw_data().map_err(why)?);
            listing.add(&value_line(&path, &name, &value.raw_data_type().to_string(), &text));
        }
        for subkey in key.subkeys().map_err(why)? {
            let path = join(&path, &subkey.name());
            stack.push((subkey, path));
        }
    }
    Ok(())
}

/// The payload of a cell: the crate keeps its own way to one private.
fn cell(bytes: &[u8], offset: u32) -> Option<&[u8]> {
    let at = 4096 + offset as usize;
    let size = i32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?);
    (size < 0).then(|| bytes.get(at + 4..at + size.unsigned_abs() as usize))?
}

fn by_nt_hive(bytes: &[u8], _: Format, _: Option<&str>, listing: &mut Listing) -> Found {
    let hive = nt_hive::Hive::new(bytes).map_err(|e| e.to_string())?;
    let root = hive.root_key_node().map_err(|e| e.to_string())?;
    nt_hive_key(&root, "", listing).map_err(|e| e.to_string())
}

fn nt_hive_key(
    key: &nt_hive::KeyNode<'_, &[u8]>,
    path: &str,
    listing: &mut Listing,
) -> Result<(), nt_hive::NtHiveError> {
    let class = key.class_name().transpose()?.map(|c| c.to_string_lossy());
    listing.add(&key_line(path, class.as_deref()));
    if let Some(values) = key.values() {
        for value in values? {
            let value = value?;
            let data = if value.data_size() == 0 { Vec::new() } else { value.data()?.into_vec()? };
            // It has no name for other types.
            let data_type = value.data_type().map_or(u32::MAX, |t| t as u32);
            let name = value.name()?.to_string_lossy();
            listing.add(&value_line(path, &name, &known_type(data_type), &data_text(&data)));
        }
    }
    if let Some(subkeys) = key.subkeys() {
        for subkey in subkeys? {
            let subkey = subkey?;
            nt_hive_key(&subkey, &join(path, &subkey.name()?.to_string_lossy()), listing)?;
        }
    }
    Ok(())
}

/// Runs a program on a copy of its own.
fn run(program: &str, arguments: &[&str], bytes: &[u8]) -> Result<String, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hive");
    std::fs::write(&path, bytes).unwrap();
    let mut command = Command::new(program);
    let output = command.args(arguments).arg(&path).env("LC_ALL", "C.UTF-8").output().map_err(|e| e.to_string())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {}", output.status, said.lines().next().unwrap_or_default()));
    }
    assert!(hash(&std::fs::read(&path).unwrap()) == hash(bytes), "{program} changed the hive");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn by_hivexml(bytes: &[u8], format: Format, _: Option<&str>, listing: &mut Listing) -> Found {
    let text = run("hivexml", &["-k"], bytes)?;
    let mut paths: Vec<String> = Vec::new();
    for tag in text.split('<').skip(1) {
        let attribute = |name: &str| {
            let from = tag.find(&format!(" {name}=\""))? + name.len() + 3;
            Some(unescape(tag[from..].split('"').next()?))
        };
        if tag.starts_with("node ") {
            let name = attribute("name").ok_or("a node without a name")?;
            let path = paths.last().map_or(String::new(), |parent| join(parent, &name));
            listing.add(&key_line(&path, None));
            if !tag.split('>').next().unwrap_or_default().ends_with('/') {
                paths.push(path);
            }
        } else if tag.starts_with("/node") {
            paths.pop();
        } else if tag.starts_with("value ") {
            let path = paths.last().ok_or("a value outside a node")?;
            let name = attribute("key").unwrap_or_default();
            let kind = attribute("type").unwrap_or_default();
            let data = match (kind.as_str(), attribute("encoding")) {
                ("int32" | "int64", _) => attribute("value").unwrap_or_default(),
                // In lines.
                ("binary" | "none", Some(_)) => visible(&attribute("value").unwrap_or_default()),
                ("string" | "expand" | "link", None) => visible(&attribute("value").unwrap_or_default()),
                _ => "?".into(),
            };
            if format == Format::Names {
                listing.add(&value_line(path, &name, "", ""));
            } else {
                listing.add(&value_line(path, &name, &kind, &data));
            }
        }
    }
    Ok(())
}

fn unescape(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let mut parts = text.split('&');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (entity, rest) = part.split_once(';').unwrap_or((part, ""));
        let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
        let c = match entity {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            _ => match entity.strip_prefix("#x") {
                Some(digits) => number(digits, 16),
                None => number(entity.trim_start_matches('#'), 10),
            },
        };
        whole.extend(c);
        whole.push_str(rest);
    }
    whole
}

fn by_regfexport(bytes: &[u8], format: Format, key: Option<&str>, listing: &mut Listing) -> Found {
    let text = match key {
        Some(key) => run("regfexport", &["-K", key], bytes)?,
        None => run("regfexport", &[], bytes)?,
    };
    let detailed = format == Format::Export;
    let mut path = String::new();
    let (mut class, mut key_open) = (String::new(), false);
    let mut value: Option<(String, String)> = None;
    for line in text.lines() {
        if let Some(found) = line.strip_prefix("Key path: ") {
            if key_open {
                listing.add(&key_line(&path, Some(&class)));
            }
            // The root's name, or with a key its path without the last name, once too often.
            let skip = key.map_or(1, |k| k.split('\\').count());
            path = found.splitn(skip + 1, '\\').nth(skip).unwrap_or_default().to_owned();
            (class, key_open) = (String::new(), true);
        } else if let Some(found) = line.strip_prefix("Class name: ").filter(|_| detailed) {
            class = found.to_owned();
        } else if let Some((number, name)) = line.strip_prefix("Value: ").and_then(|v| v.split_once(' ')) {
            if number.bytes().all(|b| b.is_ascii_digit()) {
                let name = if name == "(default)" { "" } else { name };
                if detailed {
                    value = Some((name.to_owned(), "?".into()));
                } else {
                    listing.add(&value_line(&path, name, "", ""));
                }
            }
        } else if let Some(found) = line.strip_prefix("Type: ") {
            if let Some((_, data_type)) = &mut value {
                let known = found.rsplit_once('(').and_then(|(_, t)| t.strip_suffix(')'));
                *data_type = known.filter(|t| t.starts_with("REG_")).unwrap_or("?").to_owned();
            }
        } else if let Some(size) = line.strip_prefix("Data size: ") {
            if let Some((name, data_type)) = value.take() {
                listing.add(&export_line(&path, &name, &data_type, size));
            }
        }
    }
    if key_open {
        listing.add(&key_line(&path, Some(&class)));
    }
    Ok(())
}
