//! What a judge lists, and what it should: lines, compared as multisets by their hashes, and in full when those differ.

use std::collections::hash_map::DefaultHasher;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use crate::common::Tree;

/// How much of a tree a listing tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Paths, classes, descriptors; values with name, type and data.
    Full,
    /// The same without descriptors, and types above 11 as one.
    NoSecurity,
    /// hivexml: paths; values with name, type, and data where it is shown as it is.
    Xml,
    /// Paths and names of values.
    Names,
    /// regfexport: paths, classes; values with name, type and, but for strings, size.
    Export,
}

pub const FORMATS: [Format; 5] = [Format::Full, Format::NoSecurity, Format::Xml, Format::Names, Format::Export];

/// A multiset of lines.
#[derive(Debug, Default, Clone)]
pub struct Listing {
    count: u64,
    sum: u64,
    /// The lines themselves, where they are wanted.
    lines: Option<BTreeMap<String, usize>>,
}

impl Listing {
    pub fn in_full() -> Self {
        Self { lines: Some(BTreeMap::new()), ..Self::default() }
    }

    pub fn add(&mut self, line: &str) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(hash(line.as_bytes()));
        if let Some(lines) = &mut self.lines {
            *lines.entry(line.to_owned()).or_default() += 1;
        }
    }

    pub fn equals(&self, other: &Self) -> bool {
        (self.count, self.sum) == (other.count, other.sum)
    }

    /// Up to three lines that the other lacks.
    pub fn beyond(&self, other: &Self) -> Vec<String> {
        let (Some(ours), Some(theirs)) = (&self.lines, &other.lines) else { return Vec::new() };
        let more = ours.iter().filter(|(line, count)| theirs.get(*line) != Some(count));
        more.map(|(line, count)| format!("{count} * {}", line.chars().take(300).collect::<String>())).take(3).collect()
    }
}

pub fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

pub fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}\\{name}")
    }
}

pub fn key_line(path: &str, class: Option<&str>) -> String {
    format!("key {path}|{}", class.unwrap_or_default())
}

pub fn security_line(path: &str, descriptor: &[u8]) -> String {
    format!("security {path}|{:x}", hash(descriptor))
}

pub fn value_line(path: &str, name: &str, data_type: &str, data: &str) -> String {
    if data.len() > 200 {
        let start: String = data.chars().take(40).collect();
        return format!("value {path}|{name}|{data_type}|{start}... {} {:x}", data.len(), hash(data.as_bytes()));
    }
    format!("value {path}|{name}|{data_type}|{data}")
}

/// A value as regfexport has it: of strings it gives the size of the text, not of the data.
pub fn export_line(path: &str, name: &str, data_type: &str, size: &str) -> String {
    let is_text = ["REG_SZ", "REG_EXPAND_SZ", "REG_LINK"].contains(&data_type);
    value_line(path, name, data_type, if is_text { "?" } else { size })
}

pub fn data_text(data: &[u8]) -> String {
    format!("{} bytes {:x}", data.len(), hash(data))
}

/// The type where the judge knows it.
pub fn known_type(data_type: u32) -> String {
    if data_type <= 11 {
        data_type.to_string()
    } else {
        "?".to_owned()
    }
}

/// What a judge should list of the tree, in each format asked for. `prefix` is the path of the tree's own key; one key below it may be
/// left out.
pub fn expect(tree: &Tree, prefix: &str, without: Option<&str>, listings: &mut [(Format, Listing)]) {
    for (format, listing) in listings.iter_mut() {
        let class = tree.class.as_deref();
        match format {
            Format::Full => {
                listing.add(&key_line(prefix, class));
                listing.add(&security_line(prefix, &tree.security));
            }
            Format::NoSecurity | Format::Export => listing.add(&key_line(prefix, class)),
            Format::Xml | Format::Names => listing.add(&key_line(prefix, None)),
        }
    }
    for (name, data_type, data) in tree.values.values() {
        let text = data_text(data);
        for (format, listing) in listings.iter_mut() {
            let line = match format {
                Format::Full => value_line(prefix, name, &data_type.to_string(), &text),
                Format::NoSecurity => value_line(prefix, name, &known_type(*data_type), &text),
                Format::Xml => value_line(prefix, name, xml_type(*data_type), &xml_data(*data_type, data)),
                Format::Names => value_line(prefix, name, "", ""),
                Format::Export => export_line(prefix, name, &export_type(*data_type), &data.len().to_string()),
            };
            listing.add(&line);
        }
    }
    for (name, key) in &tree.keys {
        if without != Some(name.as_str()) {
            expect(key, &join(prefix, &key.name), None, listings);
        }
    }
}

/// One format.
pub fn expect_one(tree: &Tree, prefix: &str, format: Format, listing: Listing) -> Listing {
    let mut listings = [(format, listing)];
    expect(tree, prefix, None, &mut listings);
    let [(_, listing)] = listings;
    listing
}

fn xml_type(data_type: u32) -> &'static str {
    const TYPES: [&str; 12] = [
        "none",
        "string",
        "expand",
        "binary",
        "int32",
        "int32",
        "link",
        "string-list",
        "resource-list",
        "resource-description",
        "resource-requirements",
        "int64",
    ];
    TYPES.get(data_type as usize).copied().unwrap_or("unknown")
}

/// The data as hivexml shows it, if that is simple: numbers, text, base64.
fn xml_data(data_type: u32, data: &[u8]) -> String {
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |n, &b| (n << 8) | u64::from(b));
    match data_type {
        4 if data.len() >= 4 => (number(&data[..4]) as u32 as i32).to_string(),
        5 if data.len() >= 4 => i32::from_be_bytes([data[0], data[1], data[2], data[3]]).to_string(),
        11 if data.len() >= 8 => (number(&data[..8]) as i64).to_string(),
        1 | 2 | 6 => {
            let units = data.chunks_exact(2).map(|u| u16::from_le_bytes([u[0], u[1]])).take_while(|&u| u != 0);
            String::from_utf16(&units.collect::<Vec<_>>()).map_or("?".into(), |text| visible(&text))
        }
        0 | 3 => base64(data),
        _ => "?".into(),
    }
}

/// Text without what XML can't tell.
pub fn visible(text: &str) -> String {
    text.chars().filter(|&c| c >= ' ' && c != '\u{FFFE}' && c != '\u{FFFF}').collect()
}

fn base64(data: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(data.len().div_ceil(3) * 4);
    for three in data.chunks(3) {
        let bits = three.iter().fold(0u32, |n, &b| (n << 8) | u32::from(b)) << (8 * (3 - three.len()));
        for digit in 0..4 {
            let at = (bits >> (18 - 6 * digit)) & 63;
            text.push(if digit <= three.len() { char::from(DIGITS[at as usize]) } else { '=' });
        }
    }
    text
}

fn export_type(data_type: u32) -> String {
    const TYPES: [&str; 12] = [
        "REG_NONE",
        "REG_SZ",
        "REG_EXPAND_SZ",
        "REG_BINARY",
        "REG_DWORD_LITTLE_ENDIAN",
        "REG_DWORD_BIG_ENDIAN",
        "REG_LINK",
        "REG_MULTI_SZ",
        "REG_RESOURCE_LIST",
        "REG_FULL_RESOURCE_DESCRIPTOR",
        "REG_RESOURCE_REQUIREMENTS_LIST",
        "REG_QWORD_LITTLE_ENDIAN",
    ];
    TYPES.get(data_type as usize).map_or("?".to_owned(), |t| (*t).to_owned())
}
