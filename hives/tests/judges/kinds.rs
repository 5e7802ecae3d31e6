//! Every kind of edit, in an order in which each finds what it needs. All but the last work under the key `Judge`; the last ones on what the hive had.

use coldmend_hives::Hive;

use crate::common::model::Both;
use crate::common::{descriptor, Tree, NOW};

/// A hive under edit, and where in what it had before the real edits are made.
pub struct Work {
    pub both: Both,
    pub real: Real,
}

/// Keys of the hive itself that can be edited; `None` where it has none such.
pub struct Real {
    /// The key with most subkeys.
    pub busiest: Option<String>,
    /// The key with most values, and one of them.
    pub richest: Option<(String, String)>,
    /// A subtree, the largest that is not most of the hive.
    pub subtree: Option<String>,
}

/// Name, whether it edits what was in the hive, and the edit.
pub type Kind = (&'static str, bool, fn(&mut Work));

/// Text as Windows stores it, with its NUL.
fn text(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

fn data(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|i| (i / 251) as u8 ^ (i % 253) as u8 ^ seed).collect()
}

impl Work {
    /// Keys under a path, numbered so that they do not come in order.
    fn many(&mut self, path: &str, from: usize, to: usize) {
        for i in from..to {
            self.both.create(&format!("{path}\\Coldmend {:05}", i * 7919 % 65_521));
        }
    }

    fn keys_under(&self, path: &str) -> Vec<String> {
        let key = self.both.model.at(path).unwrap_or_else(|| panic!("no key {path}"));
        key.keys.values().map(|k| format!("{path}\\{}", k.name)).collect()
    }

    fn leave(&mut self, path: &str, count: usize) {
        for key in self.keys_under(path).into_iter().skip(count) {
            self.both.delete_key(&key);
        }
    }
}

pub const KINDS: [Kind; 46] = [
    ("create keys", false, |w| w.both.create("Judge\\One\\Two\\Three")),
    ("key names beyond ASCII", false, |w| {
        for name in ["Ünïcödé", "Ключ", "日本語", "Latin and Ελληνικά", "\u{1F600} beyond 16 bits"] {
            w.both.create(&format!("Judge\\Names\\{name}"));
        }
    }),
    ("longest key names", false, |w| {
        w.both.create(&format!("Judge\\Names\\{}", "n".repeat(255)));
        w.both.create(&format!("Judge\\Names\\{}", "й".repeat(255)));
    }),
    ("deepest path", false, |w| w.both.create(&format!("Judge\\Deep{}", "\\d".repeat(510)))),
    ("a deep path deleted", false, |w| w.both.delete_key("Judge\\Deep\\d")),
    ("set a dword", false, |w| w.both.set("Judge", "Dword", 4, &[1, 2, 3, 0x84])),
    ("change a dword", false, |w| w.both.set("Judge", "dWORD", 4, &[9, 2, 3, 4])),
    ("set strings", false, |w| {
        w.both.set("Judge", "String", 1, &text("text & <more> \"Ünïcödé\""));
        w.both.set("Judge", "Expand", 2, &text("%SystemRoot%\\system32"));
        w.both.set("Judge", "List", 7, &[text("one"), text("two"), vec![0, 0]].concat());
        let target = text("\\Registry\\Machine\\System\\ControlSet001");
        w.both.set("Judge\\One", "SymbolicLinkValue", 6, &target[..target.len() - 2]);
    }),
    ("every type", false, |w| {
        for data_type in 0..12u32 {
            let length = [5, 12, 12, 5, 4, 4, 12, 12, 20, 20, 20, 8][data_type as usize];
            let mut bytes = text("abcdefghij");
            bytes.truncate(length);
            w.both.set("Judge\\One\\Two", &format!("Type {data_type}"), data_type, &bytes);
        }
    }),
    ("a type nobody knows", false, |w| {
        w.both.set("Judge\\One\\Two", "Unknown", 0xFFFF_0012, &[1, 2, 3, 4, 5, 6, 7, 8])
    }),
    ("default value", false, |w| w.both.set("Judge\\One", "", 1, &text("default"))),
    ("value names beyond ASCII", false, |w| {
        w.both.set("Judge", "Ünïcödé", 1, &text("a"));
        w.both.set("Judge", "Значение", 1, &text("b"));
        w.both.set("Judge", &"v".repeat(300), 1, &text("c"));
    }),
    ("no data", false, |w| {
        w.both.set("Judge", "Empty", 3, &[]);
        w.both.set("Judge", "Filled", 3, &[]);
        w.both.set("Judge", "Filled", 3, &[1; 30]);
        w.both.set("Judge", "Emptied", 1, &text("a few words"));
        w.both.set("Judge", "Emptied", 1, &[]);
    }),
    ("data inside and outside the value", false, |w| {
        for length in 1..=9usize {
            w.both.set("Judge", &format!("Length {length}"), 3, &data(length, 1));
            w.both.set("Judge", &format!("Back {length}"), 3, &data(10 - length, 2));
            w.both.set("Judge", &format!("Back {length}"), 3, &data(length, 3));
        }
    }),
    ("string to a longer one", false, |w| w.both.set("Judge", "String", 1, &text(&"longer ".repeat(40)))),
    ("string to a shorter one of another type", false, |w| w.both.set("Judge", "String", 2, &text("short"))),
    ("about the limit of one cell", false, |w| {
        for length in [16_343, 16_344, 16_345, 16_348] {
            w.both.set("Judge", &format!("Limit {length}"), 3, &data(length, 4));
        }
    }),
    ("large data", false, |w| {
        w.both.delete_value("Judge", "Limit 16343");
        w.both.delete_value("Judge", "Limit 16348");
        w.both.set("Judge", "Large", 3, &data(36_000, 5));
    }),
    ("large to larger", false, |w| w.both.set("Judge", "Large", 3, &data(82_000, 6))),
    ("large to less large", false, |w| w.both.set("Judge", "Large", 3, &data(33_001, 7))),
    ("large to two bytes", false, |w| w.both.set("Judge", "Large", 3, &data(2, 8))),
    ("two bytes to large, large to small", false, |w| {
        w.both.set("Judge", "Large", 3, &data(36_001, 9));
        w.both.set("Judge", "Limit 16345", 3, &data(40, 10));
        w.both.set("Judge", "Limit 16344", 3, &data(16_345, 11));
    }),
    ("delete large data", false, |w| {
        w.both.delete_value("Judge", "Large");
        [16_344, 16_345].iter().for_each(|l| w.both.delete_value("Judge", &format!("Limit {l}")));
    }),
    ("many values", false, |w| {
        (0..300).for_each(|i| w.both.set("Judge\\One", &format!("Value{i}"), 4, &[i as u8; 4]));
    }),
    ("delete every other value", false, |w| {
        (0..150).for_each(|i| w.both.delete_value("Judge\\One", &format!("Value{}", i * 2)));
    }),
    ("rename values", false, |w| {
        w.both.rename_value("Judge", "Dword", "A much longer name than it had before");
        w.both.rename_value("Judge", "Expand", "E");
        w.both.rename_value("Judge", "Empty", "EMPTY");
        w.both.rename_value("Judge", "Filled", "Заполнено");
        w.both.rename_value("Judge", "Значение", "Value");
        w.both.rename_value("Judge\\One", "", "Was the default");
    }),
    ("delete a key's last value", false, |w| {
        w.both.set("Judge\\One\\Two\\Three", "Only", 1, &text("one"));
        w.both.set("Judge\\Names", "Only", 1, &text("one"));
        w.both.delete_value("Judge\\Names", "Only");
        let names: Vec<String> = (0..12).map(|t| format!("Type {t}")).chain(["Unknown".into()]).collect();
        names.iter().for_each(|name| w.both.delete_value("Judge\\One\\Two", name));
    }),
    ("class set", false, |w| {
        w.both.set_class("Judge\\One", Some("A class"));
        w.both.set_class("Judge\\One\\Two", Some("Another"));
    }),
    ("class changed", false, |w| {
        w.both.set_class("Judge\\One", Some("A class with a longer name"));
        w.both.set_class("Judge\\One\\Two", Some("A"));
    }),
    ("class removed", false, |w| w.both.set_class("Judge\\One", None)),
    ("a descriptor of its own", false, |w| w.both.set_security("Judge\\One", &descriptor(0x20019))),
    ("its own descriptor in place", false, |w| w.both.set_security("Judge\\One", &descriptor(0x2001F))),
    ("a descriptor shared", false, |w| {
        w.both.set_security("Judge\\One\\Two", &descriptor(0x2001F));
        w.both.set_security("Judge\\Names", &descriptor(0x2001F));
    }),
    ("a shared descriptor changed for one", false, |w| w.both.set_security("Judge\\One\\Two", &descriptor(1))),
    ("the parent's descriptor again", false, |w| {
        let parents = w.both.model.at("Judge").map(|k| k.security.clone()).unwrap_or_default();
        w.both.set_security("Judge\\One\\Two", &parents);
    }),
    ("a list of 1012", false, |w| w.many("Judge\\Many", 0, 1012)),
    ("1013: the list is split", false, |w| w.many("Judge\\Many", 1012, 1013)),
    ("an index root of many lists", false, |w| w.many("Judge\\Many", 1013, 2700)),
    ("the first list of an index root emptied", false, |w| {
        for key in w.keys_under("Judge\\Many").into_iter().take(700) {
            w.both.delete_key(&key);
        }
    }),
    ("all but one deleted, and the last subkey of another", false, |w| {
        w.leave("Judge\\Many", 1);
        w.both.create("Judge\\Childless\\Child");
        w.both.delete_key("Judge\\Childless\\Child");
    }),
    ("a subtree of thousands", false, |w| {
        for i in 0..15 {
            let path = format!("Judge\\Tree\\Branch {i}");
            w.many(&path, 0, 150);
            w.both.set_class(&path, Some("Branch"));
            w.both.set_security(&path, &descriptor(i + 10));
            w.both.set(&path, "Large", 3, &data(if i % 5 == 0 { 17_000 } else { 200 }, 12));
            w.both.set(&format!("{path}\\Coldmend 00000"), "Value", 1, &text("leaf"));
        }
    }),
    ("thousands deleted at once", false, |w| w.both.delete_key("Judge\\Tree")),
    ("values of the hive", true, |w| {
        let Some((key, value)) = w.real.richest.clone() else { return };
        w.both.set(&key, "Coldmend", 4, &[1, 0, 0, 0]);
        w.both.rename_value(&key, &value, "Coldmend renamed it to something longer than it was");
        w.both.rename_value(&key, "Coldmend renamed it to something longer than it was", "coldm");
        w.both.set(&key, "coldm", 3, &data(18_000, 13));
    }),
    ("the hive's longest list", true, |w| {
        let Some(key) = w.real.busiest.clone() else { return };
        let count = w.both.model.at(&key).map_or(0, |k| k.keys.len());
        w.many(&key, 0, 1013usize.saturating_sub(count).max(20));
        w.both.set_security(&key, &descriptor(0x3001F));
        w.both.set_class(&key, Some("Coldmend"));
    }),
    ("a subtree of the hive deleted", true, |w| {
        let Some((key, _)) = w.real.richest.clone() else { return };
        w.both.delete_value(&key, "coldm");
        if let Some(subtree) = w.real.subtree.clone() {
            w.both.delete_key(&subtree);
        }
    }),
    ("all that was made deleted", false, |w| w.both.delete_key("Judge")),
];

impl Real {
    /// Finds what can be edited: a copy of the hive says what is refused (layered keys, predefined handles, keys not to be deleted).
    pub fn find(hive: &Hive, model: &Tree) -> Self {
        let mut scratch = hive.clone();
        let mut keys = Vec::new();
        collect(model, "", &mut keys);
        let can = |key: &str, hive: &mut Hive| {
            hive.find_key(key).is_ok_and(|k| k.is_some_and(|k| k.path().as_deref() == Some(key)))
                && hive.create_key(&format!("{key}\\Coldmend probe"), NOW).is_ok()
        };
        keys.sort_by_key(|(_, key)| std::cmp::Reverse(key.keys.len()));
        let busiest = keys.iter().take(50).find(|(path, key)| !key.keys.is_empty() && can(path, &mut scratch));
        let busiest = busiest.map(|(path, _)| path.clone());
        keys.sort_by_key(|(_, key)| std::cmp::Reverse(key.values.len()));
        let mut richest = None;
        for (path, key) in keys.iter().take(50) {
            let value = key.values.values().find(|v| !v.0.contains('\u{FFFD}'));
            if let Some((name, ..)) = value.filter(|_| can(path, &mut scratch)) {
                richest = Some((path.clone(), name.clone()));
                break;
            }
        }
        let mut sizes: Vec<_> = keys.iter().map(|(path, key)| (key.size(), path)).collect();
        let half = sizes.iter().map(|s| s.0).max().unwrap_or(0) / 2;
        sizes.sort_by(|a, b| b.cmp(a));
        let related = |path: &str| {
            let inside = |key: &str| key == path || key.strip_prefix(path).is_some_and(|r| r.starts_with('\\'));
            busiest.as_deref().is_some_and(inside) || richest.as_ref().is_some_and(|(k, _)| inside(k))
        };
        let fitting = sizes.iter().filter(|(size, path)| *size <= half && !path.is_empty() && !related(path));
        let subtree =
            fitting.take(50).find(|(_, path)| can(path, &mut scratch) && scratch.delete_key(path, NOW).is_ok());
        let subtree = subtree.map(|(_, path)| (*path).clone());
        Self { busiest, richest, subtree }
    }
}

/// Every key whose path leads to it: no name in it that can't be told as text.
fn collect<'t>(tree: &'t Tree, path: &str, keys: &mut Vec<(String, &'t Tree)>) {
    keys.push((path.to_owned(), tree));
    for key in tree.keys.values().filter(|k| !k.name.contains(['\u{FFFD}', '\\'])) {
        let path = if path.is_empty() { key.name.clone() } else { format!("{path}\\{}", key.name) };
        collect(key, &path, keys);
    }
}
