//! Calls of Windows, each wrapped in a safe function: the only `unsafe` of this crate.
//!
//! One file per concern. Every function checks its buffers' lengths, closes what it opened, and returns the system's own
//! error. Bindings come from `windows-sys`; constants and structures are Microsoft's documented ones.
#![allow(unsafe_code)]

pub mod file;
pub mod registry;
pub mod security;
pub mod text;
pub mod token;
pub mod vhd;
pub mod volume_info;
pub mod volumes;
