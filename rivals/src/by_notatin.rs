//! notatin 1.0.1: reads hives, and replays HvLE logs in memory.

use std::io::Cursor;
use std::path::PathBuf;

use notatin::parser::{Parser, ParserIterator};
use notatin::parser_builder::ParserBuilder;

use crate::{Failure, Seen};

/// Opens a hive file with the logs named and replays them.
///
/// # Errors
/// Whatever notatin refuses.
pub fn open(hive: PathBuf, logs: Vec<PathBuf>) -> Result<Parser, Failure> {
    let mut builder = ParserBuilder::from_path(hive);
    for log in logs {
        builder.with_transaction_log(log);
    }
    Ok(builder.build()?)
}

/// As [`open`], from bytes.
///
/// # Errors
/// Whatever notatin refuses.
pub fn open_bytes(hive: Vec<u8>, logs: Vec<Vec<u8>>) -> Result<Parser, Failure> {
    let mut builder = ParserBuilder::from_file(Cursor::new(hive));
    for log in logs {
        builder.with_transaction_log(Cursor::new(log));
    }
    Ok(builder.build()?)
}

/// All keys, values and data. notatin leaves out what it cannot read and says nothing: compare what comes back.
pub fn walk(parser: &Parser) -> Seen {
    let mut seen = Seen::default();
    for key in ParserIterator::new(parser).iter() {
        seen.key();
        for value in key.value_iter() {
            seen.value();
            seen.data(&value.detail.value_bytes().unwrap_or_default());
        }
    }
    seen
}
