//! Real file systems for tests: a tmpfs, a bind mount, an NTFS image through ntfs-3g. They need
//! root (and ntfs-3g, and `/dev/fuse`); where that is missing, a test says that it is skipped.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use super::super::HostVolume;

/// Runs a command; whether it went well.
fn run(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).output().is_ok_and(|out| out.status.success())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Something mounted, until dropped.
pub(super) struct Mount {
    at: PathBuf,
}

impl Mount {
    /// `mount ARGS… AT`; `None`, and a line that says so, if that is not possible here.
    pub(super) fn new(args: &[&str], at: &Path) -> Option<Mount> {
        let mut all = args.to_vec();
        all.push(text(at));
        if run("mount", &all) {
            return Some(Mount { at: at.to_owned() });
        }
        eprintln!("skipped: `mount {}` is not possible here", args.join(" "));
        None
    }

    pub(super) fn remount_read_only(&self) {
        assert!(run("mount", &["-o", "remount,ro", text(&self.at)]));
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if !run("umount", &[text(&self.at)]) {
            run("umount", &["-l", text(&self.at)]);
        }
    }
}

/// A fresh NTFS in an image file, mounted through ntfs-3g.
pub(super) struct Ntfs {
    dir: TempDir,
    mount: Option<Mount>,
}

/// An empty NTFS, made once; `None` if that is not possible here.
fn empty_image() -> Option<&'static [u8]> {
    static IMAGE: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    let make = || {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("image");
        let file = std::fs::File::create(&image).unwrap();
        file.set_len(6 << 20).unwrap();
        let possible = rustix::process::geteuid().is_root()
            && Path::new("/dev/fuse").exists()
            && run("mkntfs", &["-F", "-q", "-Q", text(&image)])
            && run("ntfs-3g", &["--version"]);
        if !possible {
            eprintln!("skipped: no root, /dev/fuse, mkntfs or ntfs-3g here");
            return None;
        }
        Some(std::fs::read(&image).unwrap())
    };
    IMAGE.get_or_init(make).as_deref()
}

impl Ntfs {
    /// A fresh, empty one.
    pub(super) fn mounted() -> Option<Ntfs> {
        let image = empty_image()?;
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("image"), image).unwrap();
        std::fs::create_dir(dir.path().join("volume")).unwrap();
        let mut ntfs = Ntfs { dir, mount: None };
        if !ntfs.mount("") {
            eprintln!("skipped: ntfs-3g can't mount here");
            return None;
        }
        Some(ntfs)
    }

    /// Mounts it (again), with further options (`,ro`).
    pub(super) fn mount(&mut self, options: &str) -> bool {
        self.mount = None;
        let options = format!("rw{options}");
        let root = self.root().to_owned();
        let done = run("ntfs-3g", &["-o", &options, text(&self.image()), text(&root)]);
        // Even if it says that it failed: it may have fallen back to read-only.
        self.mount = Some(Mount { at: root });
        done
    }

    pub(super) fn unmount(&mut self) {
        self.mount = None;
    }

    pub(super) fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    pub(super) fn root(&self) -> &Path {
        // Leaked for the length of a test run: a handful of short strings.
        Box::leak(self.dir.path().join("volume").into_boxed_path())
    }

    pub(super) fn open(&self) -> HostVolume {
        HostVolume::open(self.root()).unwrap()
    }
}
