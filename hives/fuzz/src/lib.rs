//! What the fuzz targets share.

#[path = "../../tests/common/seal.rs"]
mod sums;

pub use sums::{checksum, entry_hashes, seal};
