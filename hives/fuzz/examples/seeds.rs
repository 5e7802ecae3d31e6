//! Writes the seeds of all targets: `seeds CORPUS FOLDER`. Generated hives of each version, and small real ones of the corpus with their logs, if it is there.
//! What lies behind the bins is cut off.

use std::fs;
use std::path::{Path, PathBuf};

use coldmend_hives::{FileTime, Hive, NewHive};

/// Longest hive and longest log taken, in bytes.
const LONGEST: usize = 40_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(corpus), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("usage: seeds CORPUS FOLDER".into());
    };
    for target in ["open", "check", "recover", "edit"] {
        fs::create_dir_all(folder.join(target))?;
    }
    let mut number = 0usize;
    let mut write = |hive: &[u8], log1: &[u8], log2: &[u8]| -> std::io::Result<()> {
        number += 1;
        let name = format!("seed-{number:03}");
        for target in ["open", "check"] {
            fs::write(folder.join(target).join(&name), hive)?;
        }
        for (turn, choice) in [0x10u8, 0x83].into_iter().enumerate() {
            let choices: Vec<u8> = (0..16).map(|i| (choice ^ (i * 0x11)).wrapping_mul(7)).collect();
            fs::write(folder.join("edit").join(format!("{name}-{turn}")), [hive, &choices].concat())?;
        }
        let lengths = [hive.len() as u32, log1.len() as u32].map(u32::to_le_bytes).concat();
        fs::write(folder.join("recover").join(&name), [&lengths, hive, log1, log2].concat())
    };
    for minor in 3..=6 {
        write(&generated(minor)?, &[], &[])?;
    }
    let root = corpus.join("hives");
    let mut files = Vec::new();
    for dir in fs::read_dir(&root).into_iter().flatten() {
        for file in fs::read_dir(dir?.path())? {
            files.push(file?.path());
        }
    }
    files.sort();
    for path in files.iter().filter(|p| !p.to_string_lossy().contains(".LOG")) {
        let mut hive = fs::read(path)?;
        let length = hive.get(40..44).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize);
        hive.truncate(length.saturating_add(4096));
        let (log1, log2) = (log(path, "LOG1"), log(path, "LOG2"));
        if hive.len() <= LONGEST && log1.len() <= LONGEST && log2.len() <= LONGEST {
            write(&hive, &log1, &log2)?;
        }
    }
    println!("{number} seeds");
    Ok(())
}

fn log(path: &Path, extension: &str) -> Vec<u8> {
    fs::read(format!("{}.{extension}", path.display())).unwrap_or_default()
}

/// A hive with one of everything.
fn generated(minor: u32) -> Result<Vec<u8>, coldmend_hives::HiveError> {
    let now = FileTime(133_800_000_000_000_000);
    let mut hive = Hive::create(&NewHive { minor, ..NewHive::default() }, now)?;
    for i in 0..6u8 {
        hive.create_key(&format!("A\\B{i}\\C"), now)?;
        hive.set_value(&format!("A\\B{i}"), "V", 3, &vec![i; usize::from(i) * 3], now)?;
    }
    hive.set_class("A\\B4", Some("Class"), now)?;
    hive.set_value("A", "", 1, &[65, 0, 0, 0], now)?;
    hive.set_value("A", "Big", 3, &[5; 17_000], now)?;
    let mut bytes = hive.bytes().to_vec();
    coldmend_hives_fuzz::seal(&mut bytes);
    Ok(bytes)
}
