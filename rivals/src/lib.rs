//! Other registry engines beside coldmend's, each behind the same few operations.
//!
//! Two things use this: `scripts/bench`, which runs one operation of one engine as a whole process (see `main.rs`), and
//! `tests/notatin.rs`, where notatin judges what our power cuts leave behind. An engine is its published crate, called
//! the way its own documentation shows, and given whole files: nothing here makes one slower or faster.

pub mod by_notatin;
pub mod by_nt_hive;
pub mod by_regf;
pub mod ours;

use std::fmt;

/// What can go wrong in any of the engines; only shown.
pub type Failure = Box<dyn std::error::Error>;

/// What a walk has come across: enough to see that two engines read the same, and to make sure that both really read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// Keys, the root among them.
    pub keys: u64,
    /// Values.
    pub values: u64,
    /// Bytes of all values' data.
    pub data: u64,
    /// Sum of all these bytes.
    pub sum: u64,
}

impl Seen {
    /// Counts one key.
    pub fn key(&mut self) {
        self.keys += 1;
    }

    /// Counts a value.
    pub fn value(&mut self) {
        self.values += 1;
    }

    /// Reads data; a value's may come in parts.
    pub fn data(&mut self, data: &[u8]) {
        self.data += data.len() as u64;
        // In chunks, so that a byte costs next to nothing and no engine's time drowns in ours.
        self.sum += data.chunks(4096).map(|c| u64::from(c.iter().map(|&b| u32::from(b)).sum::<u32>())).sum::<u64>();
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys, {} values, {} bytes of data, sum {:x}", self.keys, self.values, self.data, self.sum)
    }
}
