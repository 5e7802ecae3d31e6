//! Evidence: what is on the volume, read-only. Hives through `nt-hive`, files through `volume`.
//!
//! Nothing here judges (that is `checks`) and nothing here writes.

mod ese;
mod hive;
mod installation;
mod pending_xml;
pub mod preg;
mod program;
mod registry;
mod side_hive;

pub use ese::{EseHeader, EseState, HEADER_BYTES as ESE_HEADER_BYTES};
pub use hive::{date_and_time, log_regime, now, open_image, sha256_hex, HiveFile, LoadedHive, Recovery, LOG_SUFFIXES};
pub(crate) use hive::{describe_recovery, recover_image, refuse_faults, Opened};
pub(crate) use installation::{build_number, control_sets, product_type};
pub use installation::{hive_failure, hive_failure_for, ControlSet, Installation, WindowsVersion};
pub use pending_xml::{Operation, PendingXml};
pub use program::{has_short_name, look, Named, Program, ProgramPaths};
pub use registry::{Registry, RegistryError, Subkey};
pub use side_hive::SideHive;
