//! What only Windows has: calls of the system itself, wrapped so that the rest of the crate can use them.
//!
//! [`calls`] is the only module of the crate with `unsafe` in it; what is built on it here has none. Nothing in this
//! folder decides what is right for an installation: it opens, asks, names and renames, and says what Windows answered.
//! Written for Windows 7 (WinPE 3.0) and later; what Windows 7 may lack is loaded when it is needed, not imported.

pub mod calls;
pub mod hives;
pub mod privileges;

/// Whether this is Windows PE (or the recovery environment, which is one): the key that only Windows PE has.
pub fn is_winpe() -> bool {
    calls::registry::machine_key_exists(r"SYSTEM\CurrentControlSet\Control\MiniNT")
}

/// What comes before everything else: errors of drives open no window, and the privileges that are held are enabled.
pub fn prepare() {
    calls::token::no_error_dialogs();
    privileges::enabled();
}
