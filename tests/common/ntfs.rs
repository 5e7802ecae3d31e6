//! An NTFS of its own, made with `mkntfs` and mounted with `ntfs-3g`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// An NTFS that is mounted until this is dropped.
pub struct Ntfs {
    dir: TempDir,
    root: PathBuf,
}

impl Ntfs {
    /// One of this many MiB; where nothing is written to it, a large one takes no room.
    ///
    /// # Errors
    /// Why there can be none here.
    pub fn mounted(mib: u64) -> Result<Ntfs, String> {
        if !super::is_root() {
            return Err("only root can mount".into());
        }
        let dir = super::scratch();
        // A path with a blank in it.
        let root = dir.path().join("my disk");
        let ntfs = Ntfs { dir, root };
        let (image, root) = (ntfs.image(), ntfs.root());
        fs::create_dir(root).unwrap();
        fs::File::create(&image).unwrap().set_len(mib << 20).unwrap();
        let run = |program: &str, arguments: &[&OsStr]| {
            let output = Command::new(program).args(arguments).output().map_err(|e| format!("{program}: {e}"))?;
            let error = String::from_utf8_lossy(&output.stderr).trim().to_string();
            output.status.success().then_some(()).ok_or(format!("{program}: {error}"))
        };
        run("mkntfs", &["-F".as_ref(), "-q".as_ref(), "-Q".as_ref(), image.as_os_str()])?;
        run("ntfs-3g", &[image.as_os_str(), root.as_os_str()])?;
        Ok(ntfs)
    }

    /// The file that holds it.
    pub fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    /// Where it is mounted.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

impl Drop for Ntfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.root).stderr(Stdio::null()).status();
    }
}
