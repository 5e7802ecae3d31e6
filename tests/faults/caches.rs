//! Faults of the three caches, and what earlier resets leave.

use std::fs;
use std::process::Command;

use coldmend_fixtures::Version::{self, *};

use crate::common::{find, inject};
use crate::table::{row, Row, Tool, ALL, SINCE_VISTA};

const SD: &str = "Windows/SoftwareDistribution";
const CATROOT2: &str = "Windows/System32/catroot2";
const CATDB: &str = "Windows/System32/catroot2/{F750E6C3-38EE-11D1-85E5-00C04FC295EE}/catdb";
const STORE: &str = "Windows/SoftwareDistribution/DataStore/DataStore.edb";
const DBERR: &str = "Windows/System32/catroot2/dberr.txt";
const ERROR: &str = "CatalogDB: 3:05:00 AM 1/2/2024: File #2 at line #2180 encountered error 0xc8000206";
/// Where the queue of BITS lies.
const QUEUE: &str = "ProgramData/Microsoft/Network/Downloader";
const QUEUE_OF_XP: &str = "Documents and Settings/All Users/Application Data/Microsoft/Network/Downloader";
/// Versions with `qmgr0.dat` and `qmgr1.dat`, and with `qmgr.db`.
const OLD_QUEUE: &[Version] = &[Vista, Seven, EightOne, Ten1607, Server2016];
const NEW_QUEUE: &[Version] = &[Ten1709, Ten22H2, Eleven24H2, Server2022];

/// Sets the state in a database's header to "dirty shutdown", and takes its logs away.
fn unclean(row: Row, database: &'static str, logs: &'static str) -> Row {
    row.make(Tool::Files, move |root, _| {
        let path = find(root, database);
        let mut bytes = fs::read(&path).unwrap();
        bytes[0x34..0x38].copy_from_slice(&2_u32.to_le_bytes());
        fs::write(path, bytes).unwrap();
        for entry in fs::read_dir(find(root, logs)).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.extension().is_some_and(|ending| ending == "log") {
                fs::remove_file(entry).unwrap();
            }
        }
    })
}

pub fn rows() -> Vec<Row> {
    let mut rows = update_cache();
    rows.extend(catalog_cache());
    rows.extend(queue());
    rows.push(
        row("earlier-reset", "SoftwareDistribution.old, SDTemp and catroot2.bak stand there")
            .on(ALL)
            .folder("Windows/SoftwareDistribution.old/Download")
            .folder("Windows/SDTemp")
            .folder("Windows/System32/catroot2.bak")
            .note("earlier resets")
            .says("\\SDTemp"),
    );
    rows.push(
        row("earlier-reset", "SoftwareDistributionOld stands there")
            .folder("Windows/SoftwareDistributionOld")
            .note("earlier resets"),
    );
    rows
}

fn update_cache() -> Vec<Row> {
    let cache = |what: &str| row("update-cache", what);
    let damaged = |row: Row| row.problem("SoftwareDistribution").remedy("update-cache");
    vec![
        damaged(cache("SoftwareDistribution is a file").gone(SD).file(SD, b"blocked")),
        damaged(cache("SoftwareDistribution is a link to nowhere").link(SD, "/no/such/volume/SoftwareDistribution")),
        cache("SoftwareDistribution is a link to another drive")
            .link(SD, "/??/D:/SoftwareDistribution")
            .note("SoftwareDistribution"),
        damaged(cache("DataStore.edb has no bytes").file(STORE, b"")),
        damaged(cache("DataStore.edb is no database").file(STORE, vec![0x5A; 65536])),
        damaged(unclean(
            cache("DataStore.edb was not closed, and its logs are gone").on(ALL),
            STORE,
            "Windows/SoftwareDistribution/DataStore/Logs",
        )),
        damaged(
            cache("Download is a file")
                .gone("Windows/SoftwareDistribution/Download")
                .file("Windows/SoftwareDistribution/Download", b"blocked"),
        ),
    ]
}

fn catalog_cache() -> Vec<Row> {
    let cache = |what: &str| row("catalog-cache", what);
    let damaged = |row: Row| row.problem("catroot2").remedy("catalog-cache");
    vec![
        damaged(cache("catroot2 is a file").gone(CATROOT2).file(CATROOT2, b"blocked")),
        damaged(cache("catroot2 is a link to nowhere").link(CATROOT2, "nothing-of-that-name")),
        cache("catroot2 is a link to another drive").link(CATROOT2, "/??/D:/catroot2").note("catroot2"),
        damaged(cache("catdb has no bytes").file(CATDB, b"")),
        damaged(cache("catdb is no database").on(ALL).file(CATDB, vec![0x5A; 65536])),
        damaged(unclean(cache("catdb was not closed, and its logs are gone"), CATDB, CATROOT2)),
        damaged(cache("dberr.txt ends with an error").log(DBERR, &[ERROR])).says("0xc8000206"),
        cache("dberr.txt ends with an error of long ago")
            .log(DBERR, &[ERROR])
            .make(Tool::Files, |root, _| {
                let old = Command::new("touch").args(["-d", "2020-01-01"]).arg(find(root, DBERR)).status().unwrap();
                assert!(old.success());
            })
            .note("catroot2"),
    ]
}

fn queue() -> Vec<Row> {
    let queue = |what: &str| row("bits-queue", what);
    let damaged = |row: Row| row.problem("Downloader").remedy("bits-queue");
    let on_xp = |path: &'static str, bytes: &'static [u8]| {
        move |root: &std::path::Path, _: Version| inject::put(root, &format!("{QUEUE_OF_XP}/{path}"), bytes)
    };
    vec![
        damaged(
            queue("qmgr0.dat is something else")
                .on(OLD_QUEUE)
                .file("ProgramData/Microsoft/Network/Downloader/qmgr0.dat", b"something else!!"),
        ),
        damaged(
            queue("qmgr0.dat of XP is something else")
                .on(&[Xp, Server2003])
                .make(Tool::Files, on_xp("qmgr0.dat", b"something else!!")),
        ),
        damaged(queue("qmgr1.dat of XP has no bytes").on(&[Xp, Server2003]).make(Tool::Files, on_xp("qmgr1.dat", b""))),
        damaged(
            queue("qmgr1.dat has no bytes")
                .on(OLD_QUEUE)
                .file("ProgramData/Microsoft/Network/Downloader/qmgr1.dat", b""),
        ),
        damaged(
            queue("qmgr.db has no bytes").on(NEW_QUEUE).file("ProgramData/Microsoft/Network/Downloader/qmgr.db", b""),
        ),
        damaged(
            queue("qmgr.db is no database")
                .on(NEW_QUEUE)
                .file("ProgramData/Microsoft/Network/Downloader/qmgr.db", vec![0x5A; 65536]),
        ),
        damaged(unclean(
            queue("qmgr.db was not closed, and its logs are gone").on(NEW_QUEUE),
            "ProgramData/Microsoft/Network/Downloader/qmgr.db",
            QUEUE,
        )),
        damaged(queue("Downloader is a file").on(SINCE_VISTA).gone(QUEUE).file(QUEUE, b"blocked")),
        queue("Downloader is a link to another drive")
            .on(&[Ten22H2])
            .link(QUEUE, "/??/D:/Downloader")
            .note("Downloader"),
    ]
}
