//! `--report FILE.html`: the page, written to a file that is not there yet, and never onto the volume that it is about.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::error::{Context as _, Failure, Kind, Result};
use crate::target::Target;
use crate::volume::hostpath;

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
        let page = page(&made());
        let write = || -> std::io::Result<()> {
            let mut out = std::fs::OpenOptions::new().write(true).create_new(true).open(file)?;
            out.write_all(page.as_bytes())?;
            out.sync_all()
        };
        write()
            .map_err(|e| Failure::from_error(Kind::Partial, e))
            .doing(|| format!("writing the report {}; the rest was done", file.display()))?;
        Ok(Some(format!("The report is in {}.", file.display())))
    }
}

/// This machine's time in UTC, which in WinPE may be wrong.
fn made() -> String {
    let now = time::OffsetDateTime::now_utc();
    let (hour, minute, _) = now.to_hms();
    format!(
        "{:04}-{:02}-{:02} {hour:02}:{minute:02} UTC by this machine's clock",
        now.year(),
        u8::from(now.month()),
        now.day()
    )
}
