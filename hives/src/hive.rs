//! A hive in memory.

use crate::allocator::CellIndex;
use crate::base_block::{field, BaseBlock, FileType, BASE_BLOCK};
use crate::bytes::{index, u32_at};
use crate::check::Trust;
use crate::error::HiveError;
use crate::fault::{Effect, Fault, Rule};
use crate::image::Image;
use crate::key_ref::KeyRef;
use crate::view::{absolute, View};

/// Highest length of all bins together, in bytes: Windows maps the stable part of a hive below 2 GiB.
pub(crate) const LENGTH_MAX: u32 = 0x7FFF_E000;

/// A hive: the whole file in memory, and the original bytes of the 4 KiB pages that were changed.
///
/// Reading never fails on a sound hive; on a damaged one it answers with [`HiveError::Damaged`] where it meets the
/// damage. An edit that fails changes nothing.
#[derive(Debug, Clone)]
pub struct Hive {
    pub(crate) image: Image,
    /// Free cells by place and size; made at the first edit that needs one.
    pub(crate) cells: Option<CellIndex>,
    /// What the last whole check found out, and what was touched since; `None` without one.
    pub(crate) trust: Option<Trust>,
}

impl Hive {
    /// Takes a primary file's bytes. Looks at the base block and the headers of all bins; [`Hive::check`] looks at the rest.
    ///
    /// # Errors
    /// [`HiveError::Dirty`] when checksum or sequence numbers say that logs have to be replayed first, and
    /// [`HiveError::Damaged`] when Windows would refuse the file or replace a bin.
    pub fn open(bytes: Vec<u8>) -> Result<Self, HiveError> {
        let base = primary_base_block(&bytes)?;
        if !base.is_clean() {
            return Err(HiveError::Dirty {
                primary_sequence: base.primary_sequence,
                secondary_sequence: base.secondary_sequence,
                checksum_valid: base.checksum_valid(),
            });
        }
        Self::from_image(Image::new(bytes))
    }

    /// A file whose sequence numbers and checksum have been dealt with.
    pub(crate) fn from_image(image: Image) -> Result<Self, HiveError> {
        let base = primary_base_block(image.bytes())?;
        if let Some(fault) = base_block_faults(&base, image.bytes().len()).into_iter().next() {
            return Err(HiveError::Damaged(fault));
        }
        let hive = Self { image, cells: None, trust: None };
        hive.check_bin_headers()?;
        Ok(hive)
    }

    fn check_bin_headers(&self) -> Result<(), HiveError> {
        let view = self.view();
        let mut at = 0u32;
        while index(at) < view.bins.len() {
            match view.bin(at) {
                Ok(size) => at = at.saturating_add(size),
                Err((field, found, expected)) => {
                    return Err(HiveError::Damaged(Fault {
                        rule: Rule::V2,
                        offset: absolute(at, field),
                        found,
                        expected,
                        effect: Effect::ReplaceBin,
                        path: None,
                    }))
                }
            }
        }
        Ok(())
    }

    /// The whole file as it is now, base block included.
    pub fn bytes(&self) -> &[u8] {
        self.image.bytes()
    }

    /// The fields of the base block.
    pub fn base_block(&self) -> BaseBlock {
        // The signature was checked on opening and is never written.
        BaseBlock::parse(self.image.bytes()).unwrap_or_default()
    }

    /// Whether any byte differs from the file as opened.
    pub fn is_changed(&self) -> bool {
        !self.image.changed_pages().is_empty()
    }

    /// Absolute offsets (multiples of 4096) of the pages that differ from the file as opened.
    pub fn changed_pages(&self) -> Vec<u64> {
        self.image.changed_pages().into_iter().map(|p| (p as u64).saturating_mul(4096)).collect()
    }

    /// The bytes of the page at an absolute offset (a multiple of 4096) as they were when the file was opened;
    /// empty past its end.
    pub fn original_page(&self, offset: u64) -> &[u8] {
        usize::try_from(offset / 4096).map_or(&[], |page| self.image.original_page(page))
    }

    /// Length of the file as opened.
    pub fn original_len(&self) -> u64 {
        self.image.original_len() as u64
    }

    /// The root key.
    ///
    /// # Errors
    /// [`HiveError::Damaged`] when it is not a key node.
    pub fn root(&self) -> Result<KeyRef<'_>, HiveError> {
        let view = self.view();
        KeyRef::new(view, view.root)
    }

    /// The key at a path from the root: names separated by single backslashes, compared as Windows does without
    /// regard to case; a leading backslash and the empty path (the root) are fine. Symbolic links are not followed, so
    /// `CurrentControlSet` is for the caller to resolve.
    ///
    /// # Errors
    /// [`HiveError::Damaged`] where the structures on the way can't be read.
    pub fn find_key(&self, path: &str) -> Result<Option<KeyRef<'_>>, HiveError> {
        let mut key = self.root()?;
        for part in components(path) {
            match key.subkey(part)? {
                Some(child) => key = child,
                None => return Ok(None),
            }
        }
        Ok(Some(key))
    }

    pub(crate) fn view(&self) -> View<'_> {
        view_of(self.image.bytes())
    }
}

/// The bins of a file image, as far as they are there.
pub(crate) fn view_of(bytes: &[u8]) -> View<'_> {
    let length = index(u32_at(bytes, field::LENGTH).unwrap_or(0));
    let bins = bytes.get(BASE_BLOCK..).unwrap_or(&[]);
    View {
        bins: bins.get(..length).unwrap_or(bins),
        minor: u32_at(bytes, field::MINOR).unwrap_or(0),
        root: u32_at(bytes, field::ROOT).unwrap_or(u32::MAX),
    }
}

/// The names in a path.
pub(crate) fn components(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('\\').unwrap_or(path).split('\\').filter(|p| !p.is_empty())
}

fn primary_base_block(bytes: &[u8]) -> Result<BaseBlock, HiveError> {
    let fault = |found: String, expected: &str| {
        HiveError::Damaged(Fault {
            rule: Rule::V1,
            offset: 0,
            found,
            expected: expected.into(),
            effect: Effect::RefuseHive,
            path: None,
        })
    };
    if bytes.len() < BASE_BLOCK {
        return Err(fault(format!("a file of {} bytes", bytes.len()), "a base block of 4096 bytes"));
    }
    BaseBlock::parse(bytes)
        .ok_or_else(|| fault(format!("signature {:02x?}", bytes.get(..4).unwrap_or(&[])), "\"regf\""))
}

/// What is wrong with a base block but for checksum and sequence numbers.
pub(crate) fn base_block_faults(base: &BaseBlock, file_len: usize) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut expect = |good: bool, at: usize, found: String, expected: &str| {
        if !good {
            faults.push(Fault {
                rule: Rule::V1,
                offset: at as u64,
                found,
                expected: expected.into(),
                effect: Effect::RefuseHive,
                path: None,
            });
        }
    };
    expect(base.major == 1, field::MAJOR, format!("major version {}", base.major), "1");
    expect((3..=6).contains(&base.minor), field::MINOR, format!("minor version {}", base.minor), "3 to 6");
    expect(
        base.file_type == FileType::Primary,
        field::TYPE,
        format!("file type {:?}", base.file_type),
        "a primary file",
    );
    expect(base.format == 1, field::FORMAT, format!("format {}", base.format), "1");
    expect(base.cluster == 1, field::CLUSTER, format!("clustering factor {}", base.cluster), "1");
    let length = base.length;
    expect(
        length > 0 && length & 4095 == 0 && length <= LENGTH_MAX,
        field::LENGTH,
        format!("bins of {length:#x} bytes"),
        "a multiple of 0x1000, not 0",
    );
    let end = index(length).saturating_add(BASE_BLOCK);
    expect(
        file_len >= end,
        field::LENGTH,
        format!("a file of {file_len:#x} bytes"),
        &format!("at least {end:#x} (base block and bins)"),
    );
    expect(base.root < length, field::ROOT, format!("root key at {:#x}", base.root), "an offset in the bins");
    faults
}
