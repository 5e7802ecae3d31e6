//! V7: value lists, values and their data.

use super::{finding, Checker};
use crate::big_data::{segments_for, BigData, SEGMENT};
use crate::bytes::{index, u32_at};
use crate::fault::{Effect, Rule};
use crate::key_node::{self, KeyNode};
use crate::key_value::{field, DataStorage, KeyValue};
use crate::view::NIL;

impl Checker<'_> {
    pub(super) fn values(&mut self, key: u32, node: &KeyNode) {
        if node.values == 0 {
            return;
        }
        let drop = Effect::DropValues;
        let Some(list) = self.follow(node.value_list, "a value list", key, drop) else { return };
        let size = index(node.values).saturating_mul(4);
        let Some(elements) = list.get(..size) else {
            let found = format!("a count of {} values", node.values);
            let expected = format!("at most the {} of the list's cell", list.len() / 4);
            self.report(key, key_node::field::VALUES, key, finding(Rule::V7, drop, found, expected));
            return;
        };
        let (mut longest_name, mut longest_data) = (0usize, 0u32);
        for cell in elements.chunks_exact(4).filter_map(|c| u32_at(c, 0)) {
            if let Some((name, data)) = self.value(key, cell) {
                longest_name = longest_name.max(name);
                longest_data = longest_data.max(data);
            }
        }
        let name_bytes = longest_name.saturating_mul(2);
        if name_bytes > index(node.max_value_name) {
            let found = format!("a longest value name of {} bytes", node.max_value_name);
            let finding = finding(Rule::V5, Effect::Tolerated, found, format!("{name_bytes} at least"));
            self.report(key, key_node::field::MAX_VALUE_NAME, key, finding);
        }
        if longest_data > node.max_value_data {
            let found = format!("longest value data of {} bytes", node.max_value_data);
            let finding = finding(Rule::V5, Effect::Tolerated, found, format!("{longest_data} at least"));
            self.report(key, key_node::field::MAX_VALUE_DATA, key, finding);
        }
    }

    /// Answers the length of the name in units and of the data in bytes.
    fn value(&mut self, key: u32, cell: u32) -> Option<(usize, u32)> {
        let drop = Effect::DropValue;
        let payload = self.follow(cell, "a value", key, drop)?;
        let Some(value) = KeyValue::parse(payload) else {
            let found = format!("{:02x?} in a cell of {} bytes", payload.get(..2).unwrap_or(&[]), payload.len());
            self.report(cell, 0, key, finding(Rule::V7, drop, found, "signature \"vk\" and 20 bytes"));
            return None;
        };
        let Some(name) = value.name(payload) else {
            let found = format!("a name of {} bytes in a cell of {}", value.name_length, payload.len());
            self.report(cell, 2, key, finding(Rule::V7, drop, found, "a name that fits"));
            return None;
        };
        self.report.stats.values = self.report.stats.values.saturating_add(1);
        self.data(key, cell, &value);
        Some((name.len(), value.length()))
    }

    fn data(&mut self, key: u32, cell: u32, value: &KeyValue) {
        let drop = Effect::DropValue;
        let length = value.length();
        match value.storage(self.view.minor) {
            DataStorage::Inline => {
                if length > 4 {
                    let found = format!("{length} bytes inside the node");
                    self.report(cell, field::LENGTH, key, finding(Rule::V7, drop, found, "at most 4"));
                }
            }
            DataStorage::Empty => {
                if value.data != NIL {
                    let found = format!("no data in cell {:#x}", value.data);
                    self.report(cell, field::DATA, key, finding(Rule::V7, drop, found, "no cell"));
                }
            }
            DataStorage::Cell => {
                let Some(payload) = self.follow(value.data, "value data", key, drop) else { return };
                if payload.len() < index(length) {
                    let found = format!("{length} bytes of data in a cell of {}", payload.len());
                    self.report(cell, field::LENGTH, key, finding(Rule::V7, drop, found, "data that fits"));
                }
            }
            DataStorage::Big => self.big_data(key, value.data, index(length)),
        }
    }

    fn big_data(&mut self, key: u32, cell: u32, length: usize) {
        let drop = Effect::DropValue;
        let Some(payload) = self.follow(cell, "big data", key, drop) else { return };
        let Some(header) = BigData::parse(payload) else {
            let found = format!("{:02x?}", payload.get(..2).unwrap_or(&[]));
            let expected = format!("\"db\" for {length} bytes of data");
            self.report(cell, 0, key, finding(Rule::V7, drop, found, expected));
            return;
        };
        let segments = segments_for(length);
        if usize::from(header.segments) != segments {
            let expected = format!("{segments} for {length} bytes of data");
            let finding = finding(Rule::V7, drop, format!("{} segments", header.segments), expected);
            self.report(cell, 2, key, finding);
            return;
        }
        let Some(list) = self.follow(header.list, "a segment list", key, drop) else { return };
        let Some(elements) = list.get(..segments.saturating_mul(4)) else {
            let found = format!("a segment list of {} bytes", list.len());
            self.report(header.list, 0, key, finding(Rule::V7, drop, found, format!("room for {segments} segments")));
            return;
        };
        let mut left = length;
        for segment in elements.chunks_exact(4).filter_map(|c| u32_at(c, 0)) {
            let want = left.min(SEGMENT);
            left = left.saturating_sub(want);
            let Some(payload) = self.follow(segment, "a segment", key, drop) else { continue };
            if payload.len() < want {
                let found = format!("a segment of {} bytes", payload.len());
                self.report(segment, 0, key, finding(Rule::V7, drop, found, format!("{want}")));
            }
        }
    }
}
