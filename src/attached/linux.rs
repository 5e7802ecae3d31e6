//! Mounted volumes, from `/proc/self/mountinfo`.
//!
//! What counts is what could hold a Windows: file systems on a disk, and NTFS drivers in user space. The disk that this
//! system itself runs from, pseudo file systems, the network, overlays and optical disks are left out.

use std::io;
use std::path::{Path, PathBuf};

use super::{AttachedState, AttachedVolume};
use crate::volume::mountinfo::{self, Mount};

/// File systems that are mounted from a device and hold no installation.
const READ_ONLY_MEDIA: &[&str] = &["squashfs", "iso9660", "udf", "erofs", "cramfs", "romfs"];
/// Drivers in user space that show a disk's file system, whatever they are mounted from.
const DISK_DRIVERS: &[&str] = &["fuseblk", "fuse", "fuse.ntfs-3g", "fuse.lowntfs-3g", "fuse.exfat", "ntfs", "ntfs3"];

pub(super) fn volumes() -> io::Result<Vec<AttachedVolume>> {
    let table = std::fs::read("/proc/self/mountinfo")?;
    Ok(of_table(&table, |mount_point| mount_point.is_dir()).into_iter().map(described).collect())
}

/// A mount and the further places where the same file system is mounted.
struct Group {
    main: Mount,
    more: Vec<PathBuf>,
}

/// The file systems to look at. `is_folder` tells a mounted folder from a mounted file.
fn of_table(table: &[u8], is_folder: impl Fn(&Path) -> bool) -> Vec<Group> {
    let running: Vec<(u32, u32)> =
        mountinfo::parse(table).filter(|m| m.mount_point == Path::new("/")).map(|m| m.device).collect();
    let mut groups: Vec<Group> = Vec::new();
    for mount in mountinfo::parse(table) {
        if running.contains(&mount.device) || !can_hold_windows(&mount) || !is_folder(&mount.mount_point) {
            continue;
        }
        match groups.iter_mut().find(|g| g.main.device == mount.device) {
            None => groups.push(Group { main: mount, more: Vec::new() }),
            // The whole file system is better than a folder of it that is mounted elsewhere.
            Some(group) if mount.root == Path::new("/") && group.main.root != Path::new("/") => {
                let part = std::mem::replace(&mut group.main, mount);
                group.more.push(part.mount_point);
            }
            Some(group) => group.more.push(mount.mount_point),
        }
    }
    groups
}

fn can_hold_windows(mount: &Mount) -> bool {
    // A file system whose source is a path is on a device or in an image; a server, `tmpfs` or `overlay` is none.
    let is_local = mount.source.is_absolute();
    let kind = mount.fs_type.as_str();
    let is_disk = mount.source.starts_with("/dev") && !kind.starts_with("fuse.") && !READ_ONLY_MEDIA.contains(&kind);
    is_local && (is_disk || DISK_DRIVERS.contains(&kind))
}

fn described(group: Group) -> AttachedVolume {
    let Group { main, more } = group;
    let source = main.source.display().to_string();
    let also = std::iter::once(source).chain(more.iter().map(|path| path.display().to_string())).collect();
    AttachedVolume {
        also,
        label: label(&main.source),
        size: size(&main.mount_point),
        file_system: Some(main.fs_type),
        path: main.mount_point,
        state: AttachedState::Readable,
    }
}

fn size(mount_point: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(mount_point).ok()?;
    stat.f_blocks.checked_mul(stat.f_frsize)
}

/// The label as udev knows it: a link in `/dev/disk/by-label` whose name is the label, with `\x20` for a space.
fn label(source: &Path) -> Option<String> {
    let device = source.canonicalize().ok()?;
    let links = std::fs::read_dir("/dev/disk/by-label").ok()?.flatten();
    let link = links.into_iter().find(|link| link.path().canonicalize().is_ok_and(|target| target == device))?;
    Some(unescaped(&link.file_name().to_string_lossy()))
}

fn unescaped(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once("\\x") {
        bytes.extend_from_slice(before.as_bytes());
        match after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.extend_from_slice(b"\\x");
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"\
1 0 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw
2 1 0:21 / /proc rw - proc proc rw
3 1 0:30 / /dev/shm rw - tmpfs tmpfs rw
4 1 8:17 / /mnt/my\\040win rw - fuseblk /dev/sdb1 rw
5 1 8:17 / /media/again rw - fuseblk /dev/sdb1 rw
6 1 8:18 /part /mnt/part rw - ntfs3 /dev/sdb2 rw
7 1 8:18 / /mnt/whole rw - ntfs3 /dev/sdb2 rw
8 1 0:40 / /mnt/net rw - nfs4 server:/export rw
9 1 0:41 / /mnt/ssh rw - fuse.sshfs user@host:/ rw
10 1 0:42 / /mnt/image rw - fuse /images/windows.raw rw
11 1 7:0 / /snap/x ro - squashfs /dev/loop0 ro
12 1 0:43 / /mnt/over rw - overlay overlay rw
13 1 8:2 /var/etc /srv/bind rw - ext4 /dev/sda2 rw
14 1 8:3 / /boot/efi rw - vfat /dev/sda3 rw
15 1 8:4 /hosts /etc/hosts rw - ext4 /dev/sda4 rw
";

    #[test]
    fn disks_once_each_and_nothing_else() {
        let found = of_table(TABLE, |path| path != Path::new("/etc/hosts"));
        let places: Vec<(&str, usize)> =
            found.iter().map(|g| (g.main.mount_point.to_str().unwrap_or_default(), g.more.len())).collect();
        assert_eq!(places, [("/mnt/my win", 1), ("/mnt/whole", 1), ("/mnt/image", 0), ("/boot/efi", 0)]);
    }

    #[test]
    fn labels_are_unescaped() {
        assert_eq!(unescaped("My\\x20Disk"), "My Disk");
        assert_eq!(unescaped("\\x\\xzz\\x41"), "\\x\\xzzA");
    }
}
