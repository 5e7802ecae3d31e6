//! A disk image that Windows itself attaches: from the file to the volume on it that holds a Windows, and back off again.
//!
//! Read-only and without drive letters for looking. For writing it is first looked at read-only: an image without a Windows, one that
//! is hibernated, or one where several have to be chosen from is never mounted for writing. Detached when [`Attached`] is
//! dropped; and by Windows when this process ends in whatever way, since the disk lives as long as its handle. Relies on
//! `windows::calls::vhd` and `windows::calls::volumes`.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_CALL_NOT_IMPLEMENTED, ERROR_INVALID_PARAMETER, ERROR_LOCK_VIOLATION,
    ERROR_NOT_SUPPORTED, ERROR_PRIVILEGE_NOT_HELD, ERROR_SHARING_VIOLATION, ERROR_VHD_PARENT_VHD_NOT_FOUND,
    ERROR_VIRTDISK_PROVIDER_NOT_FOUND, ERROR_VIRTUAL_DISK_LIMITATION,
};

use super::format::{recognise, Format, Recognised};
use super::layout::expected_volumes;
use super::{chosen_folder, installations, only_installation, several, Choice, Image, Target};
use crate::attached::{volume_of, AttachedState};
use crate::error::{Context as _, Failure, Kind, Result};
use crate::safety::refuse_hibernated;
use crate::safety::rights::{refuse_without, Access, Place, Rights, HOW};
use crate::volume::escape::escape_text;
use crate::volume::{HostVolume, VolPath};
use crate::windows::calls::vhd::{self, VhdError, VirtualDisk};
use crate::windows::calls::volumes as calls;

/// How long the volumes of a disk may take to appear.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(100);
/// How often taking a file system off is tried, while a virus scanner looks at it.
const ATTEMPTS: usize = 20;

/// An attached image, until it is dropped.
pub(super) struct Attached {
    partitions: Vec<Partition>,
    writable: bool,
    _disk: VirtualDisk,
}

/// One volume of an attached image.
struct Partition {
    number: Option<u32>,
    /// `\\?\Volume{…}\`.
    name: OsString,
}

impl Partition {
    fn shown(&self) -> String {
        self.number.map_or_else(|| "the whole disk".into(), |number| format!("partition {number}"))
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        if !self.writable {
            return;
        }
        // Everything of ours is flushed already; this is for what the file system itself still holds.
        for partition in &self.partitions {
            for _ in 0..ATTEMPTS {
                if calls::flush_and_dismount(&partition.name).is_ok() {
                    break;
                }
                std::thread::sleep(PAUSE);
            }
        }
    }
}

/// The target that is the Windows on the disk image `given`; `None` when it is no image that Windows can attach.
pub(super) fn target(given: &Path, choice: Choice<'_>, access: Access) -> Result<Option<Target>> {
    let shown = escape_text(given.as_os_str());
    let recognised = {
        let told = File::open(given).and_then(|mut file| recognise(&mut file));
        told.map_err(|e| failure(&shown, None, e)).doing(|| format!("opening the target {shown}"))?
    };
    let Some(Recognised { format, differencing }) = recognised else { return Ok(None) };
    refuse_without(Rights::current(), Place::Image, access, given)?;
    if access == Access::Write && differencing {
        return Err(Failure::refused(format!(
            "{shown} holds only what differs from another disk (a checkpoint, AVHD); it is never written"
        ))
        .hint("Remove the virtual machine's checkpoints in its own manager, which merges them into one disk, and mend that. To look at it, use diagnose."));
    }
    // virtdisk takes no relative path.
    let file = std::path::absolute(given)
        .map_err(|e| Failure::from_error(Kind::Unreadable, e))
        .doing(|| format!("resolving the target {shown}"))?;
    if access == Access::Write {
        let attached = attach(&file, &shown, format, true)?;
        let (volume, _, _) = attached.choose(&shown, choice)?;
        refuse_hibernated(&volume)?;
    }
    let attached = attach(&file, &shown, format, access == Access::Look)?;
    let (volume, windows, partition) = attached.choose(&shown, choice)?;
    Ok(Some(Target {
        given: given.to_path_buf(),
        place: Place::Image,
        volume,
        windows,
        image: Some(Image { file, format, partition }),
        _attached: Some(attached),
    }))
}

fn attach(file: &Path, shown: &str, format: Format, read_only: bool) -> Result<Attached> {
    let kind = match format {
        Format::Vhd => vhd::Format::Vhd,
        Format::Vhdx => vhd::Format::Vhdx,
    };
    let disk = VirtualDisk::attach(file, kind, read_only).map_err(|error| match error {
        VhdError::NoLibrary(e) => cant_attach(e),
        VhdError::Open(e) if e.raw_os_error() == Some(ERROR_CALL_NOT_IMPLEMENTED as i32) => cant_attach(e),
        VhdError::Open(e) => failure(shown, Some(format), e).context(format!("opening the disk image {shown}")),
        VhdError::Attach(e) => failure(shown, Some(format), e).context(format!("attaching the disk image {shown}")),
    })?;
    let number = disk
        .physical_path()
        .map_err(|e| Failure::from_error(Kind::Unreadable, e))
        .and_then(|path| {
            disk_number(&path).ok_or_else(|| Failure::unreadable(format!("it is called {}", escape_text(&path))))
        })
        .doing(|| format!("finding the disk that {shown} became"))?;
    let partitions = wait_for_volumes(number).ok_or_else(|| {
        Failure::unreadable(format!("{shown} was attached as disk {number}, and no volume of it appeared")).hint(
            "The image may have no partitions, or this system keeps new disks offline (diskpart: san). Attach it with diskpart, bring it online, and name its drive letter.",
        )
    })?;
    Ok(Attached { partitions, writable: !read_only, _disk: disk })
}

/// There is no `virtdisk.dll`, or one that only fills its place.
fn cant_attach(error: io::Error) -> Failure {
    Failure::from_error(Kind::Unreadable, error)
        .context("this system can't attach disk images: it has no virtdisk.dll that works")
        .hint("Use Windows 7 or later, or a larger Windows PE; or attach the image on another machine and name its drive letter there.")
}

/// The number in `\\.\PhysicalDrive3`.
fn disk_number(path: &OsStr) -> Option<u32> {
    path.to_str()?.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The volumes on a disk, once as many as its partition table promises are there; fewer when patience ends.
fn wait_for_volumes(disk: u32) -> Option<Vec<Partition>> {
    let begin = Instant::now();
    loop {
        let wanted = calls::drive_layout(disk).ok().and_then(|layout| expected_volumes(&layout));
        let names = calls::names().unwrap_or_default();
        let mut found: Vec<Partition> = names
            .into_iter()
            .filter(|name| calls::disks(name).is_ok_and(|disks| disks.contains(&disk)))
            .map(|name| Partition { number: calls::partition_number(&name).ok().flatten(), name })
            .collect();
        let late = begin.elapsed() > PATIENCE;
        if !found.is_empty() && (late || wanted.is_some_and(|wanted| found.len() >= wanted.max(1))) {
            found.sort_by_key(|partition| partition.number);
            return Some(found);
        }
        if late {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}

impl Attached {
    /// The volume with the Windows that is meant.
    fn choose(&self, shown: &str, choice: Choice<'_>) -> Result<(HostVolume, VolPath, Option<u32>)> {
        let list = || self.partitions.iter().map(Partition::shown).collect::<Vec<_>>().join(", ");
        if let Some(wanted) = choice.partition {
            let partition = self.partitions.iter().find(|p| p.number == Some(wanted)).ok_or_else(|| {
                Failure::usage(format!(
                    "there is no partition {wanted} with a volume on {shown}; there are: {}",
                    list()
                ))
            })?;
            let volume = open(partition).doing(|| format!("opening partition {wanted} of {shown}"))?;
            let place = PathBuf::from(format!("partition {wanted} of {shown}"));
            let windows = match choice.windows {
                Some(chosen) => chosen_folder(&volume, &place, chosen)?,
                None => only_installation(&volume, &place)?,
            };
            return Ok((volume, windows, Some(wanted)));
        }
        let mut found: Vec<(HostVolume, Vec<VolPath>, &Partition)> = Vec::new();
        let mut unreadable = Vec::new();
        for partition in &self.partitions {
            let looked = open(partition).and_then(|volume| {
                let windows = match choice.windows {
                    Some(chosen) => chosen_folder(&volume, Path::new(shown), chosen).into_iter().collect(),
                    None => installations(&volume)?,
                };
                Ok((volume, windows))
            });
            match looked {
                Ok((_, windows)) if windows.is_empty() => {}
                Ok((volume, windows)) => found.push((volume, windows, partition)),
                Err(failure) => unreadable.push((partition, failure)),
            }
        }
        if found.len() > 1 {
            let list: Vec<String> = found.iter().map(|(_, _, partition)| partition.shown()).collect();
            let first = found.first().and_then(|(_, _, partition)| partition.number).unwrap_or(1);
            return Err(Failure::usage(format!("there is a Windows on {} of {shown}", list.join(" and on ")))
                .hint(format!("Choose one with --partition, for example: --partition {first}")));
        }
        let Some((volume, mut windows, partition)) = found.pop() else {
            return Err(nothing(shown, &list(), unreadable));
        };
        if windows.len() > 1 {
            return Err(several(&windows, Path::new(shown)));
        }
        match windows.pop() {
            Some(windows) => Ok((volume, windows, partition.number)),
            None => Err(nothing(shown, &list(), Vec::new())),
        }
    }
}

/// No Windows was found: with what could not be looked into, which is where it may be.
fn nothing(shown: &str, list: &str, unreadable: Vec<(&Partition, Failure)>) -> Failure {
    let failure = Failure::unreadable(format!("no Windows was found on {shown} ({list})"));
    match unreadable.into_iter().next() {
        None => failure.hint("Choose another image, or attach it with diskpart and look at its volumes."),
        Some((partition, cause)) => {
            let hint = cause.hint.clone();
            let failure = Failure::new(
                cause.kind,
                format!("no Windows was found on {shown}; {} can't be looked into: {cause}", partition.shown()),
            );
            match hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        }
    }
}

fn open(partition: &Partition) -> Result<HostVolume> {
    let path = Path::new(&partition.name);
    HostVolume::open(path).map_err(|error| explain(path).unwrap_or_else(|| error.into()))
}

/// Why a volume of this machine can't be looked into, where Windows knows: locked by BitLocker, no medium, no file system.
pub(super) fn explain(path: &Path) -> Option<Failure> {
    let volume = volume_of(path)?;
    let shown = escape_text(volume.path.as_os_str());
    match volume.state {
        AttachedState::Readable | AttachedState::RunningSystem => None,
        AttachedState::Locked { unlock } => {
            Some(Failure::refused(format!("{shown} is locked by BitLocker")).hint(format!("Unlock it: {unlock}")))
        }
        AttachedState::Unreadable { why } => Some(
            Failure::unreadable(format!("{shown} can't be looked into: {why}"))
                .hint("`coldmend scan` lists the volumes of this machine."),
        ),
    }
}

/// What Windows said about an image, in words that help.
fn failure(shown: &str, format: Option<Format>, error: io::Error) -> Failure {
    let code = error.raw_os_error().unwrap_or(0) as u32;
    match code {
        ERROR_SHARING_VIOLATION | ERROR_LOCK_VIOLATION => Failure::refused(format!(
            "{shown} is in use: it is attached, or a virtual machine runs from it"
        ))
        .hint("Shut the virtual machine down, or detach the image (diskpart: select vdisk, detach vdisk; or Eject in Explorer), and try again."),
        ERROR_ACCESS_DENIED | ERROR_PRIVILEGE_NOT_HELD => {
            Failure::from_error(Kind::Refused, error).hint(HOW)
        }
        ERROR_VIRTUAL_DISK_LIMITATION => Failure::refused(format!(
            "Windows can't attach {shown}: an image must not be compressed, encrypted or sparse, nor on a network share that does not allow it"
        ))
        .hint("Copy the image to another NTFS folder that is not compressed, and name the copy."),
        ERROR_VHD_PARENT_VHD_NOT_FOUND => Failure::from_error(Kind::Unreadable, error)
            .hint("It holds only what differs from another disk, which must lie where it says."),
        ERROR_VIRTDISK_PROVIDER_NOT_FOUND | ERROR_INVALID_PARAMETER | ERROR_NOT_SUPPORTED
            if format == Some(Format::Vhdx) =>
        {
            Failure::from_error(Kind::Unreadable, error)
                .hint("VHDX needs Windows 8, Windows PE 4.0 or later; Windows 7 attaches VHD only.")
        }
        _ => Failure::from_error(Kind::Unreadable, error)
            .hint("Look whether diskpart can attach it (select vdisk, attach vdisk readonly)."),
    }
}
