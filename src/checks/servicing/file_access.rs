//! `file-access`: whether the accounts that updating runs under may use the folders that it needs, by their NTFS descriptors; who owns
//! the component store; and whether the caches are encrypted.
//!
//! Healthy machines differ in who may do what: since Vista SYSTEM only reads in WinSxS, where TrustedInstaller writes, catroot2 belongs to
//! CryptSvc, and a folder that Windows made anew inherits. So an account is only held against what it must be able to do in that folder,
//! with every group that it is in and the list gone through in order ([`crate::security::granted`]); and against entries that deny it
//! reading, writing or passing through, which no healthy folder has.
//!
//! The owner of WinSxS is TrustedInstaller from Vista on. SYSTEM or Administrators in its place is what is left when somebody has taken
//! ownership to look or clean up there: as long as TrustedInstaller keeps its rights, updating works, so that is a note. Another owner is a
//! suspect: he may change the list at any time, and Microsoft's article has the owner set back.
//!
//! Relies on [`crate::volume::Volume::security`]; where the file system keeps no descriptors (a plain folder), there is nothing to look
//! at and nothing is said. Source: Microsoft, "Troubleshoot Windows Update error 0x80070005" (2026); [MS-FSCC] 2.6.

use super::shown;
use crate::checks::context::Context;
use crate::error::Result;
use crate::findings::{reported, Evidence, Finding, Findings, Severity};
use crate::security::{granted, service_sid, Account, Descriptor, ObjectKind, Sid};
use crate::volume::{FileSecurity, Kind, VolPath};

const ID: &str = "file-access";
const SOURCE: &str =
    "Microsoft, Troubleshoot Windows Update error 0x80070005 (2026): permissions on the folders of updating";
/// From Vista on TrustedInstaller owns the component store and servicing; before there was no such service.
const VISTA: u32 = 6000;

/// `FILE_ATTRIBUTE_COMPRESSED`.
const COMPRESSED: u32 = 0x0800;
/// `FILE_ATTRIBUTE_ENCRYPTED`.
const ENCRYPTED: u32 = 0x4000;

// Rights on a folder ([MS-DTYP] 2.4.3, file system objects).
const LIST: u32 = 0x01;
const ADD_FILE: u32 = 0x02;
const ADD_FOLDER: u32 = 0x04;
const TRAVERSE: u32 = 0x20;
const READ: u32 = LIST | TRAVERSE;
const WRITE: u32 = READ | ADD_FILE | ADD_FOLDER;

/// What somebody must be able to do in a folder. Several accounts: one of them is enough.
struct Need {
    who: &'static str,
    accounts: Vec<Account>,
    rights: u32,
}

/// A folder that is looked at.
struct Folder {
    path: &'static str,
    needs: Vec<Need>,
    severity: Severity,
    /// Whether TrustedInstaller owns it.
    owned: bool,
    /// Whether it is a cache, whose attributes matter, and what makes it anew.
    cache: Option<&'static str>,
}

fn folders(build: u32) -> Vec<Folder> {
    let system = |rights| Need { who: "SYSTEM", accounts: vec![Account::system()], rights };
    let installer =
        || Need { who: "TrustedInstaller", accounts: vec![Account::system_service("TrustedInstaller")], rights: WRITE };
    let crypt = Need {
        who: "CryptSvc",
        accounts: vec![Account::system(), Account::network_service("CryptSvc"), Account::system_service("CryptSvc")],
        rights: WRITE,
    };
    let plain = |path, needs, severity| Folder { path, needs, severity, owned: false, cache: None };
    let mut all = vec![
        plain("", vec![system(WRITE)], Severity::Problem),
        plain("System32", vec![system(WRITE)], Severity::Problem),
        Folder { cache: Some("update-cache"), ..plain("SoftwareDistribution", vec![system(WRITE)], Severity::Problem) },
        Folder {
            cache: Some("catalog-cache"),
            ..plain("System32\\catroot2", vec![system(READ), crypt], Severity::Problem)
        },
    ];
    if build >= VISTA {
        all.extend([
            Folder { owned: true, ..plain("WinSxS", vec![system(READ), installer()], Severity::Problem) },
            plain("servicing", vec![system(READ), installer()], Severity::Problem),
        ]);
        for path in ["UpdateOrchestrator", "WindowsUpdate", "WaaSMedic"] {
            all.push(plain(path, vec![system(READ)], Severity::Suspect));
        }
    }
    all
}

/// The folder of the scheduled tasks of Windows itself.
const TASKS: &str = "System32\\Tasks\\Microsoft\\Windows";

pub(in crate::checks) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    for folder in folders(context.installation.version.build) {
        let is_task = folder.severity == Severity::Suspect;
        let path = match (folder.path, is_task) {
            ("", _) => context.installation.windows.clone(),
            (path, false) => context.in_windows(path)?,
            (path, true) => context.in_windows(TASKS)?.join(path)?,
        };
        // One folder behind a link, or that can't be read, keeps no other from being looked at.
        let (path, security) = match look(context, &path) {
            Ok(Some(found)) => found,
            Ok(None) => continue,
            Err(failure) => {
                findings.could_not(ID, failure.to_string());
                continue;
            }
        };
        findings.made += 1;
        let place = path.display_escaped();
        match Descriptor::parse(&security.descriptor) {
            Ok(descriptor) => findings.findings.extend(judge(&folder, &place, &descriptor)),
            Err(e) => findings.could_not(ID, format!("the descriptor of {place} is not understood: {e}")),
        }
        findings.findings.extend(attributes(&folder, &place, &security));
    }
    Ok(())
}

/// The folder as it is spelled, and its descriptor; `None` where there is no folder, or no descriptors are kept.
fn look(context: &Context<'_>, path: &VolPath) -> Result<Option<(VolPath, FileSecurity)>> {
    // Files and links in a folder's place are told by the checks of those folders.
    let Some(found) = context.volume.find(path)?.filter(|found| found.kind == Kind::Dir) else { return Ok(None) };
    let security = context.volume.security(&found.path)?;
    Ok(security.map(|security| (found.path, security)))
}

fn finding(severity: Severity, folder: &Folder, title: String, evidence: Vec<Evidence>) -> Finding {
    let name = folder.path.rsplit('\\').next().filter(|name| !name.is_empty());
    reported(ID, severity, name.unwrap_or("Windows"), title, evidence, SOURCE)
}

/// What is wrong with a folder's descriptor: one finding, the worst.
fn judge(folder: &Folder, place: &str, descriptor: &Descriptor) -> Option<Finding> {
    let whole = || Evidence::seen(format!("{place}, descriptor"), shown(&descriptor.to_sddl()));
    let mut evidence = Vec::new();
    let mut who = Vec::new();
    for need in &folder.needs {
        let all = need.accounts.iter().map(|account| granted(descriptor, ObjectKind::File, account));
        let best = all.min_by_key(|g| (need.rights & !g.granted).count_ones()).unwrap_or_default();
        let lacks = need.rights & !best.granted;
        // What an entry denies counts also where it would not be missed here.
        let denied = best.denied & WRITE;
        if lacks | denied == 0 {
            continue;
        }
        let said = |verb: &str, rights: u32| (rights != 0).then(|| format!("{verb}: {}", words(rights)));
        let found = [said("denied", denied), said("not granted", lacks & !denied)].into_iter().flatten();
        let found = found.collect::<Vec<_>>().join("; ");
        evidence.push(Evidence::new(format!("{place}, {}", need.who), found, words(need.rights)));
        who.push(need.who);
    }
    if !evidence.is_empty() {
        evidence.push(whole());
        let mends = match folder.cache {
            Some(remedy) => format!("repair --with {remedy} puts a new one in its place"),
            None => "icacls FOLDER /reset, run from Windows or WinPE, gives it the rights of the folder above".into(),
        };
        let title = format!("{} can't use the folder as it must (0x80070005); {mends}", who.join(" and "));
        return Some(finding(folder.severity, folder, title, evidence));
    }
    let owner = descriptor.owner().filter(|owner| folder.owned && **owner != service_sid("TrustedInstaller"))?;
    let usual = [Sid::system(), Sid::administrators()].contains(owner);
    let severity = if usual { Severity::Note } else { Severity::Suspect };
    let title = if usual {
        "the component store does not belong to TrustedInstaller, which still has its rights there"
    } else {
        "the component store belongs to somebody else than TrustedInstaller (0x80070005); icacls FOLDER /setowner \"NT SERVICE\\TrustedInstaller\" gives it back"
    };
    let evidence = vec![Evidence::new(format!("{place}, owner"), owner.to_string(), "TrustedInstaller"), whole()];
    Some(finding(severity, folder, title.into(), evidence))
}

fn words(rights: u32) -> String {
    let all = [(LIST, "list"), (TRAVERSE, "pass through"), (ADD_FILE, "make files"), (ADD_FOLDER, "make folders")];
    let named: Vec<&str> = all.iter().filter(|(bit, _)| rights & bit != 0).map(|(_, word)| *word).collect();
    named.join(", ")
}

/// Encrypted: what SYSTEM makes there only SYSTEM can read, and CryptSvc is not SYSTEM; what somebody else has encrypted, nobody but he.
/// Compressed: slower, and healthy.
fn attributes(folder: &Folder, place: &str, security: &FileSecurity) -> Option<Finding> {
    let remedy = folder.cache?;
    let attributes = security.attributes?;
    let evidence = |word: &str| {
        vec![Evidence::new(format!("{place}, attributes"), format!("{attributes:#x} ({word})"), "neither")]
    };
    if attributes & ENCRYPTED != 0 {
        let title = format!("the folder is encrypted (EFS): what one account makes there, another can't read (0x80070005); repair --with {remedy} puts a new one in its place");
        return Some(finding(Severity::Suspect, folder, title, evidence("encrypted")));
    }
    if attributes & COMPRESSED != 0 {
        let title = "the folder is compressed: slower, and no fault";
        return Some(finding(Severity::Note, folder, title.into(), evidence("compressed")));
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// ntfs-3g lets nobody set the bit for EFS, so this is told from the bits alone.
    #[test]
    fn encrypted_caches_are_suspects_and_other_folders_nobodys_business() {
        for build in [2600, 7601, 19045] {
            for folder in folders(build) {
                let of = |bits: Option<u32>| {
                    let security = FileSecurity { descriptor: Vec::new(), attributes: bits };
                    attributes(&folder, "x", &security).map(|finding| finding.severity)
                };
                let cache = folder.cache.is_some();
                assert_eq!(of(Some(0x10 | ENCRYPTED)), cache.then_some(Severity::Suspect), "{}", folder.path);
                assert_eq!(of(Some(0x10 | ENCRYPTED | COMPRESSED)), cache.then_some(Severity::Suspect));
                assert_eq!(of(Some(0x10 | COMPRESSED)), cache.then_some(Severity::Note));
                assert_eq!(of(Some(0x2016)), None, "a hidden system folder that is not indexed");
                assert_eq!(of(None), None);
            }
        }
    }
}
