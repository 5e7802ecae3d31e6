//! `hibernation`: a hibernated Windows (or one that used Fast Startup) holds the registry and the file system in memory, and
//! writes them back over every repair.

use super::context::Context;
use crate::error::Result;
use crate::findings::{Evidence, Finding, Findings, Severity};
use crate::volume::{Kind, VolPath, Volume};

/// What `hiberfil.sys` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HiberState {
    /// No file, or one without a memory image.
    None,
    /// A memory image that the next boot resumes from.
    Active(VolPath),
}

/// Looks at `hiberfil.sys` in the volume's root. `WAKE` and `RSTR` are images that were resumed from already.
///
/// # Errors
/// The volume can't be read.
pub fn is_hibernated(volume: &dyn Volume) -> Result<HiberState> {
    let Some(found) = volume.find(&VolPath::literal("hiberfil.sys"))? else { return Ok(HiberState::None) };
    if found.kind != Kind::File {
        return Ok(HiberState::None);
    }
    let head = volume.read_head(&found.path, 4)?;
    Ok(if head == b"HIBR" || head == b"hibr" { HiberState::Active(found.path) } else { HiberState::None })
}

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    if let HiberState::Active(path) = is_hibernated(context.volume)? {
        findings.push(Finding {
            id: "hibernation",
            severity: Severity::Note,
            subject: "hiberfil.sys".into(),
            title: "Windows is hibernated (or was shut down with Fast Startup); it is not repaired in this state"
                .into(),
            evidence: vec![Evidence::new(path.display_escaped(), "begins with HIBR", "no active memory image")],
            remedy: None,
            source: "header of the hibernation file".into(),
            defect: None,
        });
    }
    Ok(())
}
