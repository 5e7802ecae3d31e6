//! `/proc/self/mountinfo` (proc_pid_mountinfo(5)): one line per mount,
//!
//! ```text
//! 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
//! id parent major:minor root mount-point options optional-fields - type source super-options
//! ```
//!
//! Spaces, tabs, line feeds and backslashes in the fields are `\040`, `\011`, `\012`, `\134`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    pub id: u64,
    pub device: (u32, u32),
    pub root: PathBuf,
    pub mount_point: PathBuf,
    pub fs_type: String,
    pub source: PathBuf,
    pub options: String,
}

/// Undoes the octal escapes.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        if let [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] = rest {
            out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
            rest = after;
        } else {
            out.push(first);
            rest = tail;
        }
    }
    out
}

fn path(field: &[u8]) -> PathBuf {
    OsString::from_vec(unescape(field)).into()
}

fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(&unescape(field)).into_owned()
}

fn number<T: std::str::FromStr>(field: &[u8]) -> Option<T> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// The whole table; lines of another form are left out.
pub(crate) fn parse(table: &[u8]) -> impl Iterator<Item = Mount> + '_ {
    table.split(|b| *b == b'\n').filter_map(parse_line)
}

/// Reads one line; `None` if it is not of that form.
pub(crate) fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|b| *b == b' ');
    let id = number(fields.next()?)?;
    fields.next()?;
    let mut device = fields.next()?.split(|b| *b == b':');
    let device = (number(device.next()?)?, number(device.next()?)?);
    let root = path(fields.next()?);
    let mount_point = path(fields.next()?);
    let options = text(fields.next()?);
    fields.find(|f| *f == b"-")?;
    let fs_type = text(fields.next()?);
    let source = path(fields.next()?);
    let super_options = fields.next().map(text).unwrap_or_default();
    Some(Mount { id, device, root, mount_point, fs_type, source, options: format!("{options},{super_options}") })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_line_with_escapes() {
        let line =
            b"93 1 8:1 / /media/My\\040Disk\\134x rw,relatime shared:5 master:2 - fuseblk /dev/sda\\0111 rw,user_id=0";
        let mount = parse_line(line).unwrap();
        assert_eq!(mount.id, 93);
        assert_eq!(mount.device, (8, 1));
        assert_eq!(mount.mount_point, PathBuf::from("/media/My Disk\\x"));
        assert_eq!(mount.source, PathBuf::from("/dev/sda\t1"));
        assert_eq!(mount.fs_type, "fuseblk");
        assert_eq!(mount.options, "rw,relatime,rw,user_id=0");
    }

    #[test]
    fn other_lines_are_refused() {
        for line in [&b""[..], b"93", b"x 1 8:1 / / rw - ext4 /dev/x rw", b"93 1 8:1 / / rw ext4 /dev/x rw"] {
            assert_eq!(parse_line(line), None);
        }
    }
}
