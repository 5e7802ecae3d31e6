//! Paths inside a volume.
//!
//! A [`VolPath`] can't name anything outside: it is a list of names, without a root, a drive, `.`
//! or `..`. It is compared exactly (`==`); only looking a path up on a volume ignores case.

use std::ffi::{OsStr, OsString};
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::escape::{decode_name, encode_name, escape_name, escape_text};
use super::fold::same_name;

/// More components than any real path has; a longer one is refused.
const MAX_COMPONENTS: usize = 1024;

/// Why a text is not a path inside a volume.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a path inside a volume: {why}")]
pub struct BadPath {
    /// What was given, made harmless for a terminal.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl BadPath {
    fn new(text: impl AsRef<OsStr>, why: &'static str) -> Self {
        BadPath { text: escape_text(text.as_ref()), why }
    }
}

/// A path inside a volume, relative to the volume's root; the root itself has no components.
///
/// * `Display` is for people: backslashes between the names, hostile characters escaped
///   (see [`VolPath::display_escaped`]); the root is `\`.
/// * serde is for machines: a string, backslashes between the names, exact and reversible: bytes
///   that are not Unicode are `%XX`, and a `%` followed by two hexadecimal digits is `%25`
///   (see [`super::escape`]); the root is the empty string.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct VolPath {
    names: Vec<OsString>,
}

/// Refuses what can't be one name in a directory.
fn check_name(name: &OsStr) -> Result<(), &'static str> {
    let bytes = name.as_encoded_bytes();
    if bytes.is_empty() {
        return Err("a name is empty");
    }
    if bytes == b"." || bytes == b".." {
        return Err("`.` and `..` are not names");
    }
    if bytes.contains(&0) {
        return Err("a name holds a zero character");
    }
    if bytes.contains(&b'/') {
        return Err("a name holds a slash");
    }
    // On Windows these would be a separator, a drive or an alternate stream; on other systems
    // they are legal (if odd) characters of a name that a listing can hand out.
    if cfg!(windows) && bytes.iter().any(|b| matches!(b, b'\\' | b':')) {
        return Err("a name holds a backslash or a colon");
    }
    Ok(())
}

impl VolPath {
    /// The volume's root.
    #[must_use]
    pub const fn root() -> Self {
        VolPath { names: Vec::new() }
    }

    /// Reads a path as people and tables write it: names separated by `\` or `/`; separators
    /// may be doubled or trail, `.` is left out. Nothing is unescaped.
    ///
    /// # Errors
    /// [`BadPath`] for `..`, a leading separator, a colon (a drive or a stream), a zero character.
    /// The empty text is the root.
    pub fn parse(text: &str) -> Result<Self, BadPath> {
        if text.starts_with(['\\', '/']) {
            return Err(BadPath::new(text, "it begins at a root"));
        }
        if text.contains(':') {
            return Err(BadPath::new(text, "it holds a colon"));
        }
        let mut path = VolPath::root();
        for name in text.split(['\\', '/']) {
            if name.is_empty() || name == "." {
                continue;
            }
            path.push(OsStr::new(name)).map_err(|why| BadPath::new(text, why))?;
        }
        Ok(path)
    }

    /// A path written in the program itself, such as `VolPath::literal("Windows/System32")`.
    ///
    /// # Panics
    /// On a text that [`VolPath::parse`] refuses: only for text that is in the source. Anything
    /// read from a disk, a table or the command line goes through `parse`.
    #[must_use]
    pub fn literal(text: &'static str) -> Self {
        match VolPath::parse(text) {
            Ok(path) => path,
            Err(e) => panic!("{e}"),
        }
    }

    fn push(&mut self, name: &OsStr) -> Result<(), &'static str> {
        check_name(name)?;
        if self.names.len() >= MAX_COMPONENTS {
            return Err("it has too many components");
        }
        self.names.push(name.to_owned());
        Ok(())
    }

    /// This path with further names, given as text that [`VolPath::parse`] takes.
    ///
    /// # Errors
    /// [`BadPath`] as for `parse`.
    pub fn join(&self, relative: &str) -> Result<Self, BadPath> {
        let relative = VolPath::parse(relative)?;
        let mut path = self.clone();
        for name in relative.names {
            path.push(&name).map_err(|why| BadPath::new(&name, why))?;
        }
        Ok(path)
    }

    /// This path with one more name, taken as it is (for names that a listing returned).
    ///
    /// # Errors
    /// [`BadPath`] if it is empty, `.`, `..`, or holds a separator of the host's.
    pub fn child(&self, name: impl AsRef<OsStr>) -> Result<Self, BadPath> {
        let name = name.as_ref();
        let mut path = self.clone();
        path.push(name).map_err(|why| BadPath::new(name, why))?;
        Ok(path)
    }

    /// The same folder, another last name: `with_file_name("SoftwareDistribution.old")`.
    ///
    /// # Errors
    /// [`BadPath`] if this is the root, or as for [`VolPath::child`].
    pub fn with_file_name(&self, name: impl AsRef<OsStr>) -> Result<Self, BadPath> {
        match self.parent() {
            Some(parent) => parent.child(name),
            None => Err(BadPath::new(name, "the root has no name")),
        }
    }

    /// The folder that holds it; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (_, names) = self.names.split_last()?;
        Some(VolPath { names: names.to_vec() })
    }

    /// The last name; `None` for the root.
    #[must_use]
    pub fn file_name(&self) -> Option<&OsStr> {
        self.names.last().map(OsString::as_os_str)
    }

    /// The names, outermost first.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &OsStr> + ExactSizeIterator {
        self.names.iter().map(OsString::as_os_str)
    }

    /// Whether this is the volume's root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether `prefix` is this path or one of the folders above it; case is ignored, as on NTFS.
    #[must_use]
    pub fn starts_with(&self, prefix: &VolPath) -> bool {
        self.names.len() >= prefix.names.len() && self.names.iter().zip(&prefix.names).all(|(a, b)| same_name(a, b))
    }

    /// Whether both name the same place on NTFS, which ignores case.
    #[must_use]
    pub fn same_place(&self, other: &VolPath) -> bool {
        self.names.len() == other.names.len() && self.starts_with(other)
    }

    /// This path if `from` were called `to`; paths that are not inside `from` (as spelled) stay.
    pub(super) fn moved(&self, from: &VolPath, to: &VolPath) -> VolPath {
        match self.names.strip_prefix(from.names.as_slice()) {
            Some(rest) => VolPath { names: [to.names.as_slice(), rest].concat() },
            None => self.clone(),
        }
    }

    /// The path for people: names separated by backslashes, control characters, invisible ones,
    /// changes of writing direction and foreign separators as `<U+202E>`, bytes that are no
    /// Unicode as `<0xFF>`. The root is `\`. Not reversible: see [`VolPath::encode`].
    #[must_use]
    pub fn display_escaped(&self) -> String {
        if self.is_root() {
            return "\\".into();
        }
        let names: Vec<String> = self.components().map(escape_name).collect();
        names.join("\\")
    }

    /// The path as exact text, which [`VolPath::decode`] reads back; what serde stores.
    #[must_use]
    pub fn encode(&self) -> String {
        let names: Vec<String> = self.components().map(encode_name).collect();
        names.join("\\")
    }

    /// Reads what [`VolPath::encode`] wrote.
    ///
    /// # Errors
    /// [`BadPath`] for anything `encode` does not write: `..`, empty names, a leading separator.
    pub fn decode(text: &str) -> Result<Self, BadPath> {
        let mut path = VolPath::root();
        if text.is_empty() {
            return Ok(path);
        }
        for encoded in text.split('\\') {
            let name = decode_name(encoded).ok_or_else(|| BadPath::new(text, "a name can't be one on this system"))?;
            path.push(&name).map_err(|why| BadPath::new(text, why))?;
        }
        Ok(path)
    }
}

impl fmt::Display for VolPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.display_escaped())
    }
}

impl fmt::Debug for VolPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VolPath({:?})", self.encode())
    }
}

impl Serialize for VolPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.encode())
    }
}

impl<'de> Deserialize<'de> for VolPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        VolPath::decode(&text).map_err(serde::de::Error::custom)
    }
}
