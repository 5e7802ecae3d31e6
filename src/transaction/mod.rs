//! The transaction: the only thing that writes to a volume.
//!
//! Order (design, section 7): everything is prepared and checked in memory → the plan and backups of hives and logs as
//! found, with hashes, are written and flushed → hives are committed one after another → files are renamed → everything
//! is read back through the independent reader → done. Each step stands in a journal before and after it happens.
//!
//! A step that fails stops the run and everything done so far is taken back. A run that is killed is found by its
//! journal: `repair` finishes it, `undo` takes it back. A dry run is the same code over [`crate::volume::Overlay`].

mod apply;
mod files;
mod hives;
mod interrupt;
mod journal;
mod load;
mod resume;
mod state;
mod undo;
mod verify;

pub use apply::{apply, check_binding, check_place, Applied};
pub(crate) use files::object_kind;
pub use interrupt::{
    check as check_interrupted, install as install_interrupt_handler, writing, OutputFormat as InterruptFormat,
};
pub use journal::{Line, StepState};
pub use load::{load_installation, unfinished};
pub use resume::{close, no_plan, position_of, resume, take_back, Position};
pub use state::{parse_plan, Record, RecordState, StateDir};
pub use undo::{free_name, undo_plan, Conflict, UndoPlan};
