//! `coldmend.exe` under Wine, as a user runs it: paths of this machine are taken as they are, since Wine's drive Z: is its root.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::Run;

/// The executable, the Wine that runs it, and the folder that Wine keeps its registry and drive C: in.
#[derive(Debug)]
pub struct Wine {
    exe: PathBuf,
    wine: PathBuf,
    prefix: PathBuf,
}

impl Wine {
    /// What this machine has; says why `test` is left out where something is missing.
    pub fn present(test: &str) -> Option<&'static Wine> {
        static WINE: OnceLock<Result<Wine, String>> = OnceLock::new();
        match WINE.get_or_init(Wine::set_up) {
            Ok(wine) => Some(wine),
            Err(why) => {
                super::skip(test, why);
                None
            }
        }
    }

    fn set_up() -> Result<Wine, String> {
        let exe = std::env::var_os("COLDMEND_WINDOWS_EXE").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("dist/windows-x86_64/coldmend.exe"),
            PathBuf::from,
        );
        if !exe.is_file() {
            return Err(format!("there is no {}: scripts/build-windows makes it", exe.display()));
        }
        let runs = |name: &&str| Command::new(name).arg("--version").stdin(Stdio::null()).output().is_ok();
        let wine = ["wine64", "/usr/lib/wine/wine64", "wine"].into_iter().find(runs);
        let wine = PathBuf::from(wine.ok_or("Wine is not installed (Debian's package wine64)")?);
        // One for each test program: they run one after the other, and a left-over server of another would be in the way.
        let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("wine-{}", env!("CARGO_CRATE_NAME")));
        std::fs::create_dir_all(&prefix).map_err(|e| format!("{}: {e}", prefix.display()))?;
        let wine = Wine { exe, wine, prefix };
        let boot = wine.plain(&["wineboot", "-i"]).output().map_err(|e| format!("wineboot: {e}"))?;
        if !boot.status.success() {
            return Err(format!("wineboot: {}: {}", boot.status, String::from_utf8_lossy(&boot.stderr)));
        }
        Ok(wine)
    }

    fn plain<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(&self.wine);
        command.args(arguments).stdin(Stdio::null()).current_dir("/");
        command.env("WINEPREFIX", &self.prefix).env("WINEDEBUG", "-all").env("WINEDLLOVERRIDES", "mscoree,mshtml=");
        command.env_remove("NO_COLOR").env_remove("COLUMNS").env_remove("DISPLAY");
        command
    }

    /// `coldmend.exe` with arguments, without a terminal.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut all = vec![self.exe.as_os_str()];
        all.extend(arguments.iter().map(AsRef::as_ref));
        self.plain(&all)
    }

    /// Runs `coldmend.exe`.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Run {
        Run::of(self.command(arguments).output().unwrap())
    }

    /// Runs `coldmend.exe WORDS… PATH` (the words split at spaces).
    pub fn coldmend(&self, words: &str, path: &Path) -> Run {
        let mut all: Vec<&OsStr> = words.split_whitespace().map(OsStr::new).collect();
        all.push(path.as_os_str());
        self.run(&all)
    }

    /// Ends everything that runs in this Wine, its server included; the next program starts it anew.
    pub fn stop(&self) {
        let _ = self.plain(&["wineboot", "-k"]).output();
        std::thread::sleep(std::time::Duration::from_secs(2));
    }

    /// Another program of Wine's, such as `reg`.
    pub fn other<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        self.plain(arguments)
    }

    /// The beginning of a command line for a shell that runs `coldmend.exe`.
    pub fn shell(&self) -> String {
        format!("'{}' '{}'", self.wine.display(), self.exe.display())
    }

    /// What a command line needs that [`Wine::shell`] begins.
    pub fn environment(&self) -> [(&'static str, std::ffi::OsString); 2] {
        [("WINEPREFIX", self.prefix.clone().into()), ("WINEDEBUG", "-all".into())]
    }

    /// The folder that Wine's drive letters are links in.
    pub fn drives(&self) -> PathBuf {
        self.prefix.join("dosdevices")
    }
}
