//! `free-space`: too little room for updates. Only where the volume is an NTFS that is mounted whole: the free space of the folder of a
//! test or a copy says nothing. Source: Microsoft, error 0x80070070: a feature update wants 6 to 11 GB, a monthly one a few.

use crate::checks::context::Context;
use crate::error::Result;
use crate::findings::{Evidence, Finding, Findings, Severity};

const GIB: u64 = 1 << 30;

pub(in crate::checks) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    let is_volume = context.volume.mount_info().is_some_and(|m| m.is_ntfs && m.target_is_mount_root);
    if !is_volume {
        findings.does_not_apply("free-space");
        return Ok(());
    }
    findings.made += 1;
    let free = context.volume.free_space()?;
    let Some((severity, wanted, title)) = judge(free, context.installation.version.build) else { return Ok(()) };
    findings.push(Finding {
        id: "free-space",
        severity,
        subject: "volume".into(),
        title: title.into(),
        evidence: vec![Evidence::new("free space", format!("{} MiB", free >> 20), wanted)],
        remedy: None,
        source: "Microsoft, Windows Update error 0x80070070".into(),
        defect: None,
    });
    Ok(())
}

fn judge(free: u64, build: u32) -> Option<(Severity, &'static str, &'static str)> {
    if free < GIB {
        Some((Severity::Suspect, "some GiB", "the volume is nearly full: updates can't be unpacked (0x80070070)"))
    } else if free < 10 * GIB && build >= 10240 {
        Some((Severity::Note, "10 GiB for a feature update", "there is little room for a feature update"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_room_is_told() {
        assert_eq!(judge(GIB - 1, 7601).map(|j| j.0), Some(Severity::Suspect));
        assert_eq!(judge(GIB, 7601), None);
        assert_eq!(judge(9 * GIB, 19045).map(|j| j.0), Some(Severity::Note));
        assert_eq!(judge(10 * GIB, 19045), None);
    }
}
