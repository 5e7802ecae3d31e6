//! `coldmend demo`: makes a small Windows-like volume with a broken update stack, out of hives that the project generates
//! itself, and runs the real commands on it: diagnose, plan, repair, diagnose again. Asks nothing.

use std::path::{Path, PathBuf};

use clap::Args;
use coldmend_fixtures::{build_volume, Damage, Version, VolumeSpec};
use serde_json::json;

use crate::error::{Context as _, Failure, Kind, Result};
use crate::ui::Ui;

use super::{diagnose, repair, Status};

/// Arguments of `demo`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The folder that becomes the root of the demo volume; it must be new or empty. Without it: coldmend-demo, or
    /// coldmend-demo-2 and so on where an earlier demo is in the way
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn run(ui: &Ui, arguments: &Arguments) -> Status {
    let root = &arguments.dir.clone().unwrap_or_else(free_folder);
    make_room(root)?;
    let spec = VolumeSpec::new(Version::Ten22H2)
        .damaged(Damage::DisableService("wuauserv".into()))
        .damaged(Damage::DisableService("BITS".into()))
        .damaged(Damage::WrongAccount("UsoSvc".into()))
        .damaged(Damage::BogusDependency("TrustedInstaller".into()))
        .damaged(Damage::DenyEntry("wuauserv".into()))
        .damaged(Damage::DropFromSvchostGroup("BITS".into()))
        .damaged(Damage::ZeroLengthDataStore)
        .damaged(Damage::PoisonedCatroot2)
        .damaged(Damage::QmgrDbGarbage);
    build_volume(root, &spec)
        .map_err(|e| Failure::from_error(Kind::Unreadable, e))
        .doing(|| format!("making the demo volume in {}", root.display()))?;

    let inner = ui.inner();
    let shown = root.display();
    let heading = |text: &str| inner.out(&format!("\n{}\n", ui.style.bold(&format!("── {text}"))));
    inner.out(&format!("A small Windows 10 volume with a broken update stack was made in {shown}.\n"));

    heading(&format!("coldmend diagnose {shown}"));
    let before = diagnose::run(&inner, &diagnose::Arguments::of(root))?;
    heading(&format!("coldmend repair --yes {shown}"));
    let repaired = repair::run(&inner, &repair::Arguments::of(root))?;
    heading(&format!("coldmend diagnose {shown}"));
    let after = diagnose::run(&inner, &diagnose::Arguments::of(root))?;
    heading("what you can do now");
    inner.out(&format!(
        "coldmend history {shown}     shows the repair\ncoldmend undo {shown}        takes it back\n\
         The volume is only files in {shown}; delete the folder when you are done.\n"
    ));
    if before != 1 || repaired != 0 || after != 0 {
        return Err(Failure::partial(format!(
            "the demo did not go as it should: diagnose {before} (1 expected), repair {repaired} (0), diagnose again {after} (0)"
        )));
    }
    ui.json(&json!({
        "schema": "coldmend.demo/1",
        "tool": env!("CARGO_PKG_VERSION"),
        "root": root.display().to_string(),
        "exit_statuses": {"diagnose": before, "repair": repaired, "diagnose_again": after},
    }))?;
    Ok(0)
}

/// The first of `coldmend-demo`, `coldmend-demo-2`, … that is not there, so that a second demo needs no cleaning up.
fn free_folder() -> PathBuf {
    let name = |n: u32| PathBuf::from(if n == 1 { "coldmend-demo".into() } else { format!("coldmend-demo-{n}") });
    (1..1000).map(name).find(|dir| dir.symlink_metadata().is_err()).unwrap_or_else(|| name(1))
}

fn make_room(root: &Path) -> Result<()> {
    let doing = || format!("making the demo's folder {}", root.display());
    match std::fs::read_dir(root) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => {
                Err(Failure::refused(format!("{} is not empty, and the demo overwrites nothing", root.display()))
                    .hint("Name a new folder: coldmend demo DIR"))
            }
        },
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            std::fs::create_dir_all(root).map_err(|e| Failure::from_error(Kind::Unreadable, e)).doing(doing)
        }
        Err(e) => Err(Failure::from_error(Kind::Unreadable, e)).doing(doing),
    }
}
