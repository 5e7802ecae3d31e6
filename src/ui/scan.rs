//! What a scan found, as text for people.

use std::fmt::Write as _;

use crate::scan::{FoundWindows, ScannedVolume, VolumeState};
use crate::volume::escape::escape_text;

use super::text::{plural, short_headline, Style};
use super::wrap::whole;

/// The volumes that hold an installation, then the others, then how many there are.
pub fn render_scan(style: Style, volumes: &[ScannedVolume]) -> String {
    let mut out = String::new();
    let (with, without): (Vec<_>, Vec<_>) = volumes.iter().partition(|v| !v.installations.is_empty());
    for volume in with {
        let _ = writeln!(out, "{}", style.bold(&volume_line(volume)));
        for installation in &volume.installations {
            render_installation(&mut out, installation);
        }
        render_notes(&mut out, volume);
        out.push('\n');
    }
    for volume in without {
        let _ = writeln!(out, "{}", volume_line(volume));
        let _ = writeln!(out, "    {}", why_none(volume));
        if let Some(what) = &volume.what_to_do {
            let what = if volume.state == VolumeState::Locked { whole(what) } else { what.clone() };
            let _ = writeln!(out, "    {}  {what}", what_to_do_is_called(volume));
        }
        render_notes(&mut out, volume);
        out.push('\n');
    }
    let count = volumes.iter().map(|v| v.installations.len()).sum();
    let _ = match count {
        0 if volumes.is_empty() => writeln!(
            out,
            "No Windows was found: no volume of a disk is {}.",
            if cfg!(windows) { "attached" } else { "mounted here" }
        ),
        0 => writeln!(out, "No Windows was found on {}.", plural(volumes.len(), "volume")),
        _ => writeln!(out, "{} found.", plural(count, "Windows installation")),
    };
    out
}

/// Name, label, file system and size of a volume.
pub fn volume_line(volume: &ScannedVolume) -> String {
    let mut line = whole(&volume.path);
    if let Some(label) = volume.label.as_ref().filter(|l| !l.is_empty()) {
        let _ = write!(line, " “{label}”");
    }
    let size = volume.size.map(human_size);
    let facts: Vec<String> =
        volume.file_system.iter().cloned().chain(size).chain(volume.also.iter().map(|a| whole(a))).collect();
    if !facts.is_empty() {
        let _ = write!(line, " ({})", facts.join(", "));
    }
    line
}

/// Why a volume offers nothing.
pub fn why_none(volume: &ScannedVolume) -> String {
    volume.why.clone().unwrap_or_else(|| "no Windows on it".into())
}

/// What comes before the thing to do about a volume.
fn what_to_do_is_called(volume: &ScannedVolume) -> &'static str {
    if volume.state == VolumeState::Locked {
        "unlock it with"
    } else {
        "what to do"
    }
}

/// Product, build and folder of an installation, or why they are not known.
pub fn installation_line(installation: &FoundWindows) -> String {
    match (&installation.windows, &installation.version_unknown) {
        (Some(version), _) => short_headline(version),
        (None, why) => format!(
            "Windows in {}, version unknown: {}",
            whole(&installation.path.display_escaped()),
            escape_text(why.as_deref().unwrap_or("it was not looked at").as_ref())
        ),
    }
}

fn render_installation(out: &mut String, installation: &FoundWindows) {
    let _ = writeln!(out, "  {}", installation_line(installation));
    for state in &installation.states {
        let _ = writeln!(out, "    state       {}", state.what);
    }
    if let Some(command) = &installation.command {
        let _ = writeln!(out, "    go on with  {}", whole(command));
    }
}

fn render_notes(out: &mut String, volume: &ScannedVolume) {
    for note in &volume.notes {
        let _ = writeln!(out, "  {note}");
    }
}

/// `931 GB`, as Windows counts.
fn human_size(bytes: u64) -> String {
    let mut size = bytes;
    let mut unit = "bytes";
    for larger in ["KB", "MB", "GB", "TB"] {
        if size < 10_240 && (unit != "bytes" || size < 1024) {
            break;
        }
        size /= 1024;
        unit = larger;
    }
    format!("{size} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_in_few_digits() {
        assert_eq!(human_size(900), "900 bytes");
        assert_eq!(human_size(5 << 20), "5120 KB");
        assert_eq!(human_size(500 << 20), "500 MB");
        assert_eq!(human_size(931 << 30), "931 GB");
        assert_eq!(human_size(20 << 40), "20 TB");
    }
}
