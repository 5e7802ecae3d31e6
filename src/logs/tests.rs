//! Logs on a volume in memory and on a disk: every form, cut, packed, hostile; real ones.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use super::*;
use crate::volume::HostVolume;

struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        Machine(tempfile::tempdir().unwrap())
    }

    fn with(self, path: &str, bytes: &[u8]) -> Self {
        let path = self.0.path().join(path.replace('\\', "/"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        self
    }

    fn logs(&self, installed: Option<u32>) -> Logs {
        let volume = HostVolume::open(self.0.path()).unwrap();
        gather_from(&volume, &VolPath::literal("Windows"), installed, &|_| {})
    }
}

fn cbs(bytes: &[u8]) -> Logs {
    Machine::new().with("Windows\\Logs\\CBS\\CBS.log", bytes).logs(None)
}

/// What was found, newest first: object or nothing, code, count, whether it is over.
fn short(logs: &Logs) -> Vec<(String, Option<u32>, u64, bool)> {
    let object = |event: &Event| event.object.as_ref().map(ToString::to_string).unwrap_or_default();
    logs.events.iter().map(|event| (object(event), event.code, event.count, event.settled.is_some())).collect()
}

const SERVICE: &str = "2018-09-29 08:45:29, Error                 CSI    000000fc@2018/9/29:08:45:29.414 (F) Failed in StartService for [30]\"clr_optimization_v4.0.30319_32\" with error code 2[gle=0x80004005]";
const INSTALLED: &str = "2018-09-30 10:00:00, Info                  CBS    Reporting package change completion for package: Package_for_RollupFix~31bf3856ad364e35~amd64~~17763.253.1.5, current: Installed, original: Absent, target: Installed, status: 0x0, failure source: Not Applicable";
const DAILY: &str = "2018-09-30 09:00:00, Info                  CBS    Failed to internally open package. [HRESULT = 0x800f0805 - CBS_E_INVALID_PACKAGE]";

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Lines that say nothing are passed over many at a time, but not in UTF-16, where each is looked at: both must see the same.
#[test]
fn what_is_passed_over_is_counted() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut text = String::new();
    while text.len() < 3 << 20 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let second = state >> 8 & 31;
        match state % 40 {
            0 => text.push_str(&format!(
                "2018-09-29 08:46:{second:02}, Error                 CBS    Failed {} [HRESULT = 0x80070005]\r\n",
                second % 4
            )),
            1 => text.push_str("  (F) a line without a time, Error of the one before 0x80070002\n"),
            2 => text.push_str("  a line without a time\r\n\r\n"),
            3 if state.is_multiple_of(37) => text.push_str(&format!("{}\r\n", "long ".repeat(20_000))),
            _ => text.push_str(&format!(
                "2018-09-29 08:45:{second:02}, Info                  CBS    {:width$}\r\n",
                "",
                width = (state >> 20) as usize % 200
            )),
        }
    }
    let seen = |bytes: &[u8], width: u64| -> Vec<_> {
        let line = |event: &Event| {
            (event.line, event.offset / width, event.first, event.time, event.code, event.count, event.text.clone())
        };
        cbs(bytes).events.iter().map(line).collect()
    };
    let narrow = seen(text.as_bytes(), 1);
    assert_eq!(narrow.len(), 2, "{narrow:?}");
    assert_eq!(narrow, seen(&wide(&text), 2));
}

#[test]
fn every_encoding_says_the_same() {
    let text = format!("{DAILY}\r\n{SERVICE}\r\n{DAILY}\r\n");
    for bytes in [
        text.clone().into_bytes(),
        [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        wide(&text),
        [vec![0xff, 0xfe], wide(&text)].concat(),
        text.replace("\r\n", "\n").into_bytes(),
        text.trim_end().as_bytes().to_vec(),
        [text.as_bytes(), &[0; 5000], b"cut in the mid"].concat(),
        [&[0; 5000], text.as_bytes()].concat(),
    ] {
        let logs = cbs(&bytes);
        let found = short(&logs);
        assert_eq!(found, [("clr_optimization_v4.0.30319_32".into(), Some(0x8007_0002), 1, false)]);
        let event = &logs.events[0];
        assert_eq!(event.line, Some(2));
        assert_eq!(event.place(), "Windows\\Logs\\CBS\\CBS.log, line 2");
        assert_eq!(event.time.unwrap().to_string(), "2018-09-29 08:45:29");
        assert!(logs.could_not.is_empty());
    }
}

#[test]
fn repeated_failures_are_one() {
    let later = SERVICE.replace("2018-09-29", "2018-10-02");
    let logs = cbs(format!("{SERVICE}\n{DAILY}\n{later}\n").as_bytes());
    assert_eq!(logs.events.len(), 1);
    let event = &logs.events[0];
    assert_eq!((event.count, event.line), (2, Some(3)));
    assert_eq!(event.first.unwrap().to_string(), "2018-09-29 08:45:29");
    assert_eq!(event.time.unwrap().to_string(), "2018-10-02 08:45:29");
}

#[test]
fn later_success_settles() {
    assert!(cbs(format!("{SERVICE}\n{INSTALLED}\n").as_bytes()).events[0].settled.is_some());
    assert!(cbs(format!("{INSTALLED}\n{SERVICE}\n").as_bytes()).events[0].settled.is_none());
    // In the archive it failed, in the current log it succeeded.
    let machine = Machine::new()
        .with("Windows\\Logs\\CBS\\CbsPersist_20180929100000.log", SERVICE.as_bytes())
        .with("Windows\\Logs\\CBS\\CBS.log", INSTALLED.as_bytes());
    let logs = machine.logs(None);
    assert_eq!(logs.read, 2);
    assert_eq!(logs.events[0].settled, Some(Settled::InstalledSince));
    // Before this Windows was installed.
    let machine = Machine::new().with("Windows\\Logs\\CBS\\CBS.log", SERVICE.as_bytes());
    assert_eq!(machine.logs(Some(1_600_000_000)).events[0].settled, Some(Settled::BeforeThisWindows));
    assert_eq!(machine.logs(Some(1_500_000_000)).events[0].settled, None);
}

#[test]
fn scans_settle_what_they_no_longer_find() {
    let comp = "amd64_prncacla.inf_31bf3856ad364e35_6.2.9200.16384_none_fd9c01be8b864efc";
    let scan = |found: &[&str], result: &str, total: u32, repaired: u32| {
        let mut text = "=====\r\nChecking System Update Readiness.\r\n".to_owned();
        for file in found {
            text += &format!("(p)\tCSI Payload Corrupt\t(n)\t\t\t{comp}\\{file}\r\n");
        }
        text + &format!("Summary:\r\nOperation result: {result}\r\nTotal Detected Corruption:\t{total}\r\n\tCSI Payload Corruption:\t{total}\r\nTotal Repaired Corruption:\t{repaired}\r\n")
    };
    let over = |text: String| -> Vec<bool> { short(&cbs(text.as_bytes())).into_iter().map(|found| found.3).collect() };
    let first = || scan(&["a", "b"], "0x800f081f", 2, 0);
    assert_eq!(over(first()), [false, false]);
    assert_eq!(over(first() + &scan(&["b"], "0x0", 1, 0)), [false, true]);
    assert_eq!(over(first() + &scan(&[], "0x0", 0, 0)), [true, true]);
    // Cancelled: says nothing.
    assert_eq!(over(first() + &scan(&[], "0x800f0820", 0, 0)), [false, false]);
    assert_eq!(over(scan(&["a"], "0x0", 1, 1)), [true]);
    let fixed = format!("(p)\tCSI Payload Corrupt\t(w)\t(Fixed)\t{comp}\\a\r\n");
    assert_eq!(over(first() + &fixed), [false, true]);
}

#[test]
fn reports_of_updates() {
    let line = |event: &str, code: &str, status: &str, message: &str| {
        format!("{{2C3C39FA-FC0F-4F44-9049-D2AA53B27FFB}}\t2017-12-12 19:46:19:636+0900\t1\t{event}\t101\t{{BFC8A103-FD5F-4458-9935-231D9F79E2C1}}\t203\t{code}\tUpdateOrchestrator\t{status}\tContent Install\t{message}\tcv\r\n")
    };
    let failed = line("182 [AGENT_INSTALLING_FAILED]", "80242015", "Failure", "Installation Failure: Windows failed to install the following update with error 0x80242015: Cumulative Update (KB4051033)");
    let good = line("183 [AGENT_INSTALLING_SUCCEEDED]", "0", "Success", "Installation Successful: Windows successfully installed the following update: Cumulative Update, again (KB4051033)");
    let report = |text: &str| {
        let bytes = [vec![0xff, 0xfe], wide(text)].concat();
        Machine::new().with("Windows\\SoftwareDistribution\\ReportingEvents.log", &bytes).logs(None)
    };
    let logs = report(&failed);
    assert_eq!(short(&logs), [("Cumulative Update (KB4051033)".into(), Some(0x8024_2015), 1, false)]);
    assert_eq!(logs.events[0].object.as_ref().unwrap().kb().as_deref(), Some("KB4051033"));
    assert_eq!(report(&(failed + &good)).events[0].settled, Some(Settled::SameUpdateSince));
}

#[test]
fn device_installations() {
    let failed = "[Device Install Log]\r\n\r\n>>>  [Import Driver Package - C:\\windows\\inf\\x.inf]\r\n>>>  Section start 2015/05/06 05:31:17.934\r\n!!!  flq: Error installing file (0x00000002)\r\n!!!  cpy: Failed to copy file 'C:\\windows\\inf\\BTHUSB.SYS' to 'C:\\Temp\\BTHUSB.SYS'. Error = 0x00000002\r\n<<<  Section end 2015/05/06 05:31:18.216\r\n<<<  [Exit status: FAILURE(0x00000002)]\r\n\r\n";
    let good = ">>>  [Import Driver Package - C:\\windows\\inf\\x.inf]\r\n>>>  Section start 2015/05/07 05:31:17.934\r\n<<<  [Exit status: SUCCESS]\r\n";
    let install = |text: &str| Machine::new().with("Windows\\inf\\setupapi.dev.log", text.as_bytes()).logs(None);
    let logs = install(failed);
    let copy = logs.events.iter().find(|event| event.object.is_some()).unwrap();
    assert_eq!(copy.object, Some(Object::File("C:\\windows\\inf\\BTHUSB.SYS".into())));
    assert_eq!(copy.code, Some(0x8007_0002));
    assert_eq!(copy.time.unwrap().to_string(), "2015-05-06 05:31:17");
    assert!(install(&(failed.to_owned() + good)).events.iter().all(|event| event.settled.is_some()));
    let xp = "[SetupAPI Log]\r\nOS Version = 5.1.2600 Service Pack 3\r\n[2005/07/08 10:47:27 1076.1]\r\n#-198 Command line processed: x\r\n#E033 Error 2: The system cannot find the file specified.\r\n";
    let logs = Machine::new().with("WINDOWS\\setupapi.log", xp.as_bytes()).logs(None);
    assert_eq!(short(&logs), [(String::new(), Some(0x8007_0002), 1, false)]);
    assert_eq!(logs.events[0].time.unwrap().to_string(), "2005-07-08 10:47:27");
}

fn cabinet(compression: cab::CompressionType, content: &[u8]) -> Vec<u8> {
    let mut builder = cab::CabinetBuilder::new();
    builder.add_folder(compression).add_file("CbsPersist_20180929100000.log");
    let mut writer = builder.build(std::io::Cursor::new(Vec::new())).unwrap();
    while let Some(mut file) = writer.next_file().unwrap() {
        file.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

const CAB: &str = "Windows\\Logs\\CBS\\CbsPersist_20180929100000.cab";

#[test]
fn archives_are_unpacked() {
    let text = format!("{}{SERVICE}\r\n{}", format!("{DAILY}\r\n").repeat(1000), format!("{DAILY}\r\n").repeat(1000));
    for compression in [cab::CompressionType::MsZip, cab::CompressionType::None] {
        let logs = Machine::new().with(CAB, &cabinet(compression, text.as_bytes())).logs(None);
        assert_eq!(short(&logs), [("clr_optimization_v4.0.30319_32".into(), Some(0x8007_0002), 1, false)]);
        assert_eq!(logs.events[0].line, Some(1001));
    }
    let logs = Machine::new().with(CAB, b"MSCF and nothing more").logs(None);
    assert!(logs.events.is_empty() && logs.could_not.len() == 1, "{:?}", logs.could_not);
}

/// A cabinet with one file in one LZX block that is stored: no writer of LZX is at hand.
fn lzx(content: &[u8]) -> Vec<u8> {
    let len = u32::try_from(content.len()).unwrap();
    let name = b"CBS.log\0";
    let mut data = Vec::new();
    // No translation of calls (one bit), a stored block (011), its length in 24 bits, the rest of the word; the last three offsets.
    for word in [0x3000 | (len >> 12), (len & 0xfff) << 4] {
        data.extend_from_slice(&u16::try_from(word).unwrap().to_le_bytes());
    }
    for _ in 0..3 {
        data.extend_from_slice(&1_u32.to_le_bytes());
    }
    data.extend_from_slice(content);
    let entries = 36 + 8;
    let block = entries + 16 + name.len();
    let mut out = b"MSCF".to_vec();
    for word in [0, u32::try_from(block + 8 + data.len()).unwrap(), 0, u32::try_from(entries).unwrap(), 0] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    for half in [0x0103_u16, 1, 1, 0, 0, 0] {
        out.extend_from_slice(&half.to_le_bytes());
    }
    // The folder: its block, one of them, LZX with a window of 2^19.
    out.extend_from_slice(&u32::try_from(block).unwrap().to_le_bytes());
    out.extend_from_slice(&[1, 0, 3, 19]);
    // The file: length, place, folder, date, time, attributes, name.
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&[0; 12]);
    out.extend_from_slice(name);
    out.extend_from_slice(&0_u32.to_le_bytes());
    for half in [data.len(), content.len()] {
        out.extend_from_slice(&u16::try_from(half).unwrap().to_le_bytes());
    }
    [out, data].concat()
}

#[test]
fn lzx_is_unpacked() {
    let logs = Machine::new().with(CAB, &lzx(format!("{DAILY}\r\n{SERVICE}\r\n").as_bytes())).logs(None);
    assert_eq!(logs.could_not, Vec::<String>::new());
    assert_eq!(short(&logs), [("clr_optimization_v4.0.30319_32".into(), Some(0x8007_0002), 1, false)]);
}

/// A small generator of numbers, so that every run is the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n.max(1) as u64).unwrap()
    }
}

#[test]
fn hostile_bytes_never_panic() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let examples: Vec<&str> =
        crate::knowledge::Knowledge::builtin().logs().patterns.iter().map(|row| row.example.as_str()).collect();
    let all = examples.join("\r\n");
    let stored = lzx(&all.as_bytes()[..all.len().min(20_000)]);
    let packed = cabinet(cab::CompressionType::MsZip, all.repeat(3).as_bytes());
    let names = [
        "Windows\\Logs\\CBS\\CBS.log",
        "Windows\\Logs\\DISM\\dism.log",
        "Windows\\inf\\setupapi.dev.log",
        "Windows\\WindowsUpdate.log",
        "Windows\\SoftwareDistribution\\ReportingEvents.log",
        "Windows\\Panther\\setupact.log",
    ];
    let started = Instant::now();
    for round in 0..40 {
        let mut machine = Machine::new();
        for name in names {
            let mut bytes = match round % 4 {
                0 => (0..random.below(9000)).map(|_| random.next() as u8).collect(),
                1 => wide(&all),
                _ => all.clone().into_bytes(),
            };
            for _ in 0..random.below(40) {
                let at = random.below(bytes.len());
                match random.below(4) {
                    0 => bytes.truncate(at.max(1)),
                    1 if !bytes.is_empty() => bytes[at] = random.next() as u8,
                    2 => drop(bytes.splice(at..at, [0; 7])),
                    _ => drop(bytes.splice(at..at, *b"\n[\"'")),
                }
            }
            machine = machine.with(name, &bytes);
        }
        for (number, source) in [&packed, &stored, &stored, &packed, &stored].into_iter().enumerate() {
            let mut bytes = source.clone();
            for _ in 0..=random.below(6) {
                let at = if random.below(2) == 0 { random.below(120) } else { random.below(bytes.len()) };
                bytes[at] = random.next() as u8;
            }
            machine = machine.with(&format!("Windows\\Logs\\CBS\\CbsPersist_2018{number}.cab"), &bytes);
        }
        let logs = machine.logs(Some(1));
        assert!(logs.events.len() <= 6 * (family::MAX_NAMED + family::MAX_OTHERS));
        for event in &logs.events {
            assert!(event.text.chars().all(|c| !c.is_control()), "{:?}", event.text);
        }
    }
    assert!(started.elapsed().as_secs() < 120, "{:?}", started.elapsed());
}

#[test]
fn many_different_failures_are_bounded() {
    let mut text = String::new();
    for n in 0..5000 {
        text +=
            &format!("2018-09-29 08:45:29, Error CSI (F) Failed in StartService for [5]\"svc{n}\" with error code 2\n");
        text += &format!(
            "2018-09-29 08:45:30, Error CBS other {}\n",
            char::from(b'a' + (n % 26) as u8).to_string().repeat(1 + n / 26)
        );
    }
    let logs = cbs(text.as_bytes());
    assert_eq!(logs.events.len(), family::MAX_NAMED + family::MAX_OTHERS);
    assert_eq!(logs.events.iter().find_map(|event| event.object.clone()), Some(Object::Service("svc4999".into())));
    assert_eq!(logs.could_not.len(), 1);
}

/// Writes a log of `megabytes`: the failure at its end, another at its beginning.
fn write_large(path: &Path, megabytes: usize) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = std::io::BufWriter::new(fs::File::create(path).unwrap());
    writeln!(file, "{}\r", SERVICE.replace("clr_optimization", "too_old")).unwrap();
    let block = format!("{DAILY}\r\n2018-09-30 09:00:00, Info                  CBS    Appl: DetectUpdate, Package: x, Local Parent: y, Intended State: Staged\r\n").repeat(4096);
    for _ in 0..(megabytes << 20) / block.len() {
        file.write_all(block.as_bytes()).unwrap();
    }
    writeln!(file, "{SERVICE}\r").unwrap();
    file.flush().unwrap();
}

fn large(megabytes: usize) {
    let machine = Machine::new();
    let path = machine.0.path().join("Windows/Logs/CBS/CBS.log");
    write_large(&path, megabytes);
    let started = Instant::now();
    let logs = machine.logs(None);
    eprintln!("{megabytes} MB: {:?}", started.elapsed());
    assert_eq!(logs.events.len(), 1, "{:?}", short(&logs));
    assert_eq!(logs.events[0].object, Some(Object::Service("clr_optimization_v4.0.30319_32".into())));
    let lines = memchr::memchr_iter(b'\n', &fs::read(&path).unwrap()).count() as u64;
    assert_eq!(logs.events[0].line, Some(lines));
    assert_eq!(logs.could_not.len(), 1, "{:?}", logs.could_not);
}

#[test]
fn only_the_newest_part_of_a_large_log_is_read() {
    large(80);
}

#[test]
fn a_log_of_300_mb() {
    large(300);
}
