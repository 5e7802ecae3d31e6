//! Edits of the tree in memory: what an edit is meant to do, told apart from the engine.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

use coldmend_hives::{Hive, HiveError};

use super::{Tree, NOW};

/// The name as the tree's maps have it. Letters beyond ASCII keep their case: no test gives one key two spellings of those.
pub fn upper(name: &str) -> String {
    name.to_ascii_uppercase()
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}\\{name}")
    }
}

impl Tree {
    /// The key at a path.
    pub fn at(&self, path: &str) -> Option<&Tree> {
        path.split('\\').filter(|p| !p.is_empty()).try_fold(self, |tree, part| tree.keys.get(&upper(part)))
    }

    pub fn at_mut(&mut self, path: &str) -> Option<&mut Tree> {
        path.split('\\').filter(|p| !p.is_empty()).try_fold(self, |tree, part| tree.keys.get_mut(&upper(part)))
    }

    fn key(&mut self, path: &str) -> &mut Tree {
        self.at_mut(path).unwrap_or_else(|| panic!("the model has no key {path}"))
    }

    /// Every path, this key's (empty) first.
    pub fn paths(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.collect_paths("", &mut found);
        found
    }

    fn collect_paths(&self, path: &str, found: &mut Vec<String>) {
        found.push(path.to_owned());
        for key in self.keys.values() {
            key.collect_paths(&join(path, &key.name), found);
        }
    }

    /// Number of keys, this one included.
    pub fn size(&self) -> usize {
        1 + self.keys.values().map(Tree::size).sum::<usize>()
    }

    pub fn create(&mut self, path: &str) {
        let mut key = self;
        for part in path.split('\\').filter(|p| !p.is_empty()) {
            let security = key.security.clone();
            let new = || Tree { name: part.to_owned(), security, ..Tree::default() };
            key = key.keys.entry(upper(part)).or_insert_with(new);
        }
    }

    pub fn set(&mut self, path: &str, name: &str, data_type: u32, data: &[u8]) {
        let value = self.key(path).values.entry(upper(name)).or_insert_with(|| (name.to_owned(), 0, Vec::new()));
        (value.1, value.2) = (data_type, data.to_vec());
    }

    pub fn delete_value(&mut self, path: &str, name: &str) {
        assert!(self.key(path).values.remove(&upper(name)).is_some(), "the model has no value {name}");
    }

    pub fn rename_value(&mut self, path: &str, name: &str, new_name: &str) {
        let values = &mut self.key(path).values;
        let (_, data_type, data) = values.remove(&upper(name)).unwrap();
        assert!(values.insert(upper(new_name), (new_name.to_owned(), data_type, data)).is_none());
    }

    pub fn delete_key(&mut self, path: &str) {
        let (parent, name) = path.rsplit_once('\\').unwrap_or(("", path));
        assert!(self.key(parent).keys.remove(&upper(name)).is_some(), "the model has no key {path}");
    }

    pub fn set_security(&mut self, path: &str, descriptor: &[u8]) {
        self.key(path).security = descriptor.to_vec();
    }

    pub fn set_class(&mut self, path: &str, class: Option<&str>) {
        self.key(path).class = class.map(str::to_owned);
    }
}

/// A hive and the tree that it is meant to have: each edit is made on both, in two ways that share nothing.
pub struct Both {
    pub hive: Hive,
    pub model: Tree,
}

impl Both {
    fn done(&mut self, what: &str, path: &str, result: Result<(), HiveError>, edit: impl FnOnce(&mut Tree)) {
        result.unwrap_or_else(|e| panic!("{what} at \"{path}\": {e}"));
        edit(&mut self.model);
    }

    pub fn create(&mut self, path: &str) {
        let result = self.hive.create_key(path, NOW);
        self.done("create", path, result, |m| m.create(path));
    }

    pub fn set(&mut self, path: &str, name: &str, data_type: u32, data: &[u8]) {
        let result = self.hive.set_value(path, name, data_type, data, NOW);
        self.done("set", path, result, |m| m.set(path, name, data_type, data));
    }

    pub fn delete_value(&mut self, path: &str, name: &str) {
        let result = self.hive.delete_value(path, name, NOW);
        self.done("delete a value", path, result, |m| m.delete_value(path, name));
    }

    pub fn rename_value(&mut self, path: &str, name: &str, new_name: &str) {
        let result = self.hive.rename_value(path, name, new_name, NOW);
        self.done("rename", path, result, |m| m.rename_value(path, name, new_name));
    }

    pub fn delete_key(&mut self, path: &str) {
        let result = self.hive.delete_key(path, NOW);
        self.done("delete", path, result, |m| m.delete_key(path));
    }

    pub fn set_security(&mut self, path: &str, descriptor: &[u8]) {
        let result = self.hive.set_key_security(path, descriptor, NOW);
        self.done("security", path, result, |m| m.set_security(path, descriptor));
    }

    pub fn set_class(&mut self, path: &str, class: Option<&str>) {
        let result = self.hive.set_class(path, class, NOW);
        self.done("class", path, result, |m| m.set_class(path, class));
    }
}
