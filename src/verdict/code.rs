//! An error code as people have it: `0x80070002`, `80070002`, `-2147024894`, `2`, or Microsoft's name for it.
//!
//! Win32 codes below 65536 become HRESULTs of facility Win32, as Windows shows them (`HRESULT_FROM_WIN32`).

use std::fmt;

use serde::{Serialize, Serializer};

use crate::error::{Failure, Result};
use crate::knowledge::{ErrorRow, Knowledge};

/// `FACILITY_WIN32` of an HRESULT that is an error.
const FROM_WIN32: u32 = 0x8007_0000;

/// An HRESULT, or an NTSTATUS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCode(pub u32);

impl ErrorCode {
    /// Reads what was typed.
    ///
    /// # Errors
    /// No number and no known name.
    pub fn parse(text: &str) -> Result<ErrorCode> {
        let bare = text.trim().trim_matches(|c| matches!(c, '(' | ')' | '"' | '\'' | ',' | '.' | ':'));
        let number = if let Some(hex) = bare.strip_prefix("0x").or_else(|| bare.strip_prefix("0X")) {
            u32::from_str_radix(hex, 16).ok()
        } else if bare.starts_with('-') {
            // An HRESULT as the signed number that some programs show.
            bare.parse::<i32>().ok().map(|signed| u32::from_ne_bytes(signed.to_ne_bytes()))
        } else if bare.len() == 8 && bare.bytes().all(|b| b.is_ascii_hexdigit()) {
            u32::from_str_radix(bare, 16).ok()
        } else {
            bare.parse::<u32>().ok()
        };
        let named = || Knowledge::builtin().errors().iter().find(|row| row.name.eq_ignore_ascii_case(bare));
        match (number, named()) {
            (Some(0), _) => Err(Failure::usage("the error code 0 means success")),
            (Some(code @ 1..=0xFFFF), _) => Ok(ErrorCode(FROM_WIN32 | code)),
            (Some(code), _) => Ok(ErrorCode(code)),
            (None, Some(row)) => Ok(ErrorCode(row.code)),
            (None, None) => Err(Failure::usage(format!("{text:?} is no error code"))
                .hint("Give it as Windows shows it, such as 0x80070002.")),
        }
    }

    /// What the tables know of it.
    #[must_use]
    pub fn row(self) -> Option<&'static ErrorRow> {
        let errors = Knowledge::builtin().errors();
        errors.iter().find(|row| row.code == self.0).or_else(|| errors.iter().find(|row| row.is(self.0)))
    }

    /// Whether a code in a log is this one.
    #[must_use]
    pub fn is(self, code: u32) -> bool {
        code == self.0 || self.row().is_some_and(|row| row.is(code))
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08X}", self.0)
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn codes_in_every_form_that_people_have() {
        for text in [
            "0x80070002",
            "0X80070002",
            "80070002",
            "-2147024894",
            "2147942402",
            "2",
            " (0x80070002) ",
            "error_file_not_found",
        ] {
            assert_eq!(ErrorCode::parse(text).unwrap(), ErrorCode(0x8007_0002), "{text}");
        }
        assert_eq!(ErrorCode::parse("1060").unwrap(), ErrorCode(0x8007_0424));
        assert_eq!(ErrorCode::parse("0xc0000034").unwrap().to_string(), "0xC0000034");
        for text in ["", "0", "0x0", "0x", "-", "-1x", "0x1234567890", "99999999999", "nonsense", "80070002h"] {
            assert!(ErrorCode::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn another_code_for_the_same_is_understood() {
        let code = ErrorCode::parse("0xC0000034").unwrap();
        assert_eq!(code.row().unwrap().code, 0x8007_0002);
        assert!(code.is(0x8007_0002) && !code.is(0x8007_0003));
        assert!(ErrorCode(0x8765_4321).row().is_none());
    }
}
