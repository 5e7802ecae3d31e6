//! `--report FILE.html`: the page, written to a file that is not there yet, and never onto the volume that it is about.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::error::{Context as _, Failure, Kind, Result};
use crate::evidence::{date_and_time, now};
use crate::target::Target;
use crate::volume::hostpath;

use super::new_file::new_file;

/// The flag.
#[derive(Args, Debug, Default)]
pub(super) struct ReportArguments {
    /// Also write what is said as one HTML page; the file must not be there yet, nor lie on the Windows volume
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
}

impl ReportArguments {
    /// Refuses a file that can't be the report, before anything is done.
    ///
    /// # Errors
    /// It is there already, its folder is not, or it lies on the target's volume.
    pub fn check(&self, target: &Target) -> Result<()> {
        let Some(file) = &self.report else { return Ok(()) };
        let doing = || format!("writing a report to {}", file.display());
        let folder = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let folder = hostpath::real(folder).map_err(|e| Failure::from_error(Kind::Usage, e)).doing(doing)?;
        let volume = hostpath::real(target.volume.host_path()).map_err(|e| Failure::from_error(Kind::Usage, e))?;
        if folder.starts_with(&volume) {
            return Err(Failure::usage(
                "the report would lie on the volume that it is about, and nothing else is written there",
            ))
            .doing(doing)
            .map_err(|failure| failure.hint("Name a file on another volume."));
        }
        if std::fs::symlink_metadata(file).is_ok() {
            return Err(Failure::usage("the file is there already"))
                .doing(doing)
                .map_err(|failure| failure.hint("Name a file that is not there yet."));
        }
        Ok(())
    }

    /// Writes the page, if one is wanted. Returns what to say about it.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write(&self, page: impl FnOnce(&str) -> String) -> Result<Option<String>> {
        let Some(file) = &self.report else { return Ok(None) };
        let made = date_and_time(now()).map_or_else(|| "at an unknown time".into(), |time| format!("{time} UTC"));
        let page = page(&format!("{made} by this machine's clock"));
        new_file(file, |out| out.write_all(page.as_bytes()).map_err(|e| Failure::from_error(Kind::Partial, e)))
            // What the report is about is done already, and stays.
            .map_err(|failure| Failure { kind: Kind::Partial, ..failure })
            .doing(|| format!("writing the report {}; the rest was done", file.display()))?;
        Ok(Some(format!("The report is in {}.", file.display())))
    }
}
