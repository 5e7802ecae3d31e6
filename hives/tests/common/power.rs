//! A machine whose power fails: files with a durable and a volatile copy, the ways in which a cut loses what was not flushed, and a commit
//! to cut. Also used by the test of the package `rivals`, where another engine judges what a cut leaves.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

use coldmend_hives::{Commit, Hive, LogFiles, LogRegime, LogSlot, LogStorages, MemoryStorage, NewHive, Storage};

use super::{Random, NOW};

#[derive(Clone, Debug)]
pub enum Op {
    Write(u64, Vec<u8>),
    Len(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Write(usize, u64),
    Flush(usize),
}

/// What all files of a machine share: when the power fails, and what happened.
#[derive(Default)]
pub struct Machine {
    /// Operations until the cut.
    pub left: Cell<usize>,
    pub done: Cell<usize>,
    pub trace: RefCell<Vec<Event>>,
}

pub struct Disk {
    pub machine: Rc<Machine>,
    pub number: usize,
    pub durable: Vec<u8>,
    pub pending: Vec<Op>,
    pub now: MemoryStorage,
}

impl Disk {
    pub fn new(machine: &Rc<Machine>, number: usize, bytes: &[u8]) -> Self {
        Self {
            machine: machine.clone(),
            number,
            durable: bytes.to_vec(),
            pending: Vec::new(),
            now: MemoryStorage(bytes.to_vec()),
        }
    }

    fn step(&self) -> io::Result<()> {
        let left = self.machine.left.get();
        self.machine.done.set(self.machine.done.get() + 1);
        if left == 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.machine.left.set(left - 1);
        Ok(())
    }

    /// What is on the platter after the cut.
    pub fn after_cut(&self, how: Loss, random: &mut Random) -> Vec<u8> {
        let mut disk = MemoryStorage(self.durable.clone());
        let mut sectors: Vec<Op> = Vec::new();
        for op in &self.pending {
            match op {
                Op::Write(at, data) => {
                    let mut from = 0;
                    while from < data.len() {
                        let to_boundary = 512 - ((*at as usize + from) % 512);
                        let end = (from + to_boundary).min(data.len());
                        sectors.push(Op::Write(at + from as u64, data[from..end].to_vec()));
                        from = end;
                    }
                }
                len => sectors.push(len.clone()),
            }
        }
        match how {
            Loss::Dropped => sectors.clear(),
            Loss::Kept => {}
            Loss::Torn => {
                let end = random.below(sectors.len() + 1);
                sectors.truncate(end);
            }
            Loss::Reordered => sectors.retain(|op| matches!(op, Op::Len(_)) || random.below(2) == 0),
        }
        for op in &sectors {
            match op {
                Op::Write(at, data) => disk.write_at(*at, data).unwrap(),
                Op::Len(len) => disk.set_len(*len).unwrap(),
            }
        }
        disk.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    Dropped,
    Kept,
    Torn,
    Reordered,
}

pub const LOSSES: [Loss; 6] = [Loss::Dropped, Loss::Kept, Loss::Torn, Loss::Torn, Loss::Reordered, Loss::Reordered];

impl Storage for Disk {
    fn len(&self) -> io::Result<u64> {
        self.now.len()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.now.read_at(offset, buf)
    }
    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        // A write that fails may have reached the disk in part.
        self.pending.push(Op::Write(offset, data.to_vec()));
        self.step()?;
        self.machine.trace.borrow_mut().push(Event::Write(self.number, offset));
        self.now.write_at(offset, data)
    }
    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.pending.push(Op::Len(len));
        self.step()?;
        self.now.set_len(len)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.step()?;
        self.machine.trace.borrow_mut().push(Event::Flush(self.number));
        self.durable = self.now.0.clone();
        self.pending.clear();
        Ok(())
    }
}

/// Primary file and logs.
#[derive(Clone)]
pub struct Files {
    pub primary: Vec<u8>,
    pub logs: LogFiles,
}

pub struct Machines {
    pub machine: Rc<Machine>,
    pub primary: Disk,
    pub logs: Vec<(LogSlot, Disk)>,
}

impl Machines {
    pub fn new(files: &Files, cut: usize) -> Self {
        let machine = Rc::new(Machine::default());
        machine.left.set(cut);
        let logs = LogSlot::ALL
            .iter()
            .enumerate()
            .filter_map(|(i, &slot)| Some((slot, Disk::new(&machine, i + 1, files.logs.get(slot)?))))
            .collect();
        Self { primary: Disk::new(&machine, 0, &files.primary), logs, machine }
    }

    pub fn run<T, E>(
        &mut self,
        work: impl FnOnce(&mut dyn Storage, &mut LogStorages<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut storages = LogStorages::default();
        for (slot, disk) in &mut self.logs {
            match slot {
                LogSlot::Log => storages.log = Some(disk),
                LogSlot::Log1 => storages.log1 = Some(disk),
                LogSlot::Log2 => storages.log2 = Some(disk),
            }
        }
        work(&mut self.primary, &mut storages)
    }

    pub fn after_cut(&self, how: Loss, random: &mut Random) -> Files {
        let mut logs = LogFiles::default();
        for (slot, disk) in &self.logs {
            let bytes = Some(disk.after_cut(how, random));
            match slot {
                LogSlot::Log => logs.log = bytes,
                LogSlot::Log1 => logs.log1 = bytes,
                LogSlot::Log2 => logs.log2 = bytes,
            }
        }
        Files { primary: self.primary.after_cut(how, random), logs }
    }

    pub fn files(&self) -> Files {
        let mut files = self.after_cut(Loss::Kept, &mut Random(0));
        files.primary = self.primary.now.0.clone();
        files
    }
}

pub const REGIMES: [(&str, LogRegime); 4] = [
    (".LOG", LogRegime::Dot),
    ("DIRT in .LOG1", LogRegime::Log12Dirt),
    ("HvLE", LogRegime::Log12HvLe),
    ("no log file", LogRegime::Log12HvLe),
];

pub fn logs_for(name: &str) -> LogFiles {
    match name {
        ".LOG" => LogFiles { log: Some(vec![0; 1024]), ..LogFiles::default() },
        "no log file" => LogFiles::default(),
        _ => LogFiles { log1: Some(Vec::new()), log2: Some(vec![0xAA; 4096]), ..LogFiles::default() },
    }
}

/// A hive with something in it, and a commit that changes old pages and adds new ones.
pub fn commit(regime: LogRegime, logs: &LogFiles) -> (Vec<u8>, Commit) {
    let mut hive = Hive::create(&NewHive::default(), NOW).unwrap();
    for i in 0..60 {
        hive.create_key(&format!("Services\\Service{i}"), NOW).unwrap();
        hive.set_value(&format!("Services\\Service{i}"), "Start", 4, &[2, 0, 0, 0], NOW).unwrap();
        hive.set_value(&format!("Services\\Service{i}"), "ImagePath", 2, &[i; 90], NOW).unwrap();
    }
    let first = Commit::prepare(hive, &LogFiles::default(), regime, NOW).unwrap();
    let before = first.after().to_vec();
    let mut hive = Hive::open(before.clone()).unwrap();
    hive.set_value("Services\\Service3", "Start", 4, &[4, 0, 0, 0], NOW).unwrap();
    hive.set_value("Services\\Service50", "Big", 3, &[9; 20_000], NOW).unwrap();
    hive.delete_key("Services\\Service20", NOW).unwrap();
    hive.create_key("New\\Key", NOW).unwrap();
    let commit = Commit::prepare(hive, logs, regime, NOW).unwrap();
    assert!(commit.after().len() > before.len());
    (before, commit)
}
