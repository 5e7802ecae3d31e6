//! A set of small numbers, one bit each: cells by offset / 8.

/// A fixed-size set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BitSet {
    words: Vec<u64>,
}

impl BitSet {
    /// Room for `0..size`.
    pub(crate) fn new(size: usize) -> Self {
        Self { words: vec![0; size.div_ceil(64)] }
    }

    /// Adds a number; `false` when it was there already or is out of range.
    pub(crate) fn insert(&mut self, at: usize) -> bool {
        let Some(word) = self.words.get_mut(at / 64) else { return false };
        let bit = 1u64 << (at & 63);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    pub(crate) fn contains(&self, at: usize) -> bool {
        self.words.get(at / 64).is_some_and(|w| w & (1u64 << (at & 63)) != 0)
    }

    /// Takes a number out; `false` when it was not there.
    pub(crate) fn remove(&mut self, at: usize) -> bool {
        let Some(word) = self.words.get_mut(at / 64) else { return false };
        let bit = 1u64 << (at & 63);
        let there = *word & bit != 0;
        *word &= !bit;
        there
    }

    /// Makes room for `0..size`, if there is less.
    pub(crate) fn grow(&mut self, size: usize) {
        let words = size.div_ceil(64);
        if self.words.len() < words {
            self.words.resize(words, 0);
        }
    }

    /// Adds the numbers of another set; `false` when one of them was there already.
    pub(crate) fn merge(&mut self, other: &BitSet) -> bool {
        let mut apart = true;
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            apart &= *word & more == 0;
            *word |= more;
        }
        apart
    }

    /// Whether every number of this set is in `other`.
    pub(crate) fn is_within(&self, other: &BitSet) -> bool {
        self.words.iter().zip(&other.words).all(|(a, b)| a & !b == 0)
    }

    /// The first number in a range that is in this set, not in `other`, and fits. The range starts and ends at multiples of 64.
    pub(crate) fn first_without(
        &self,
        other: &BitSet,
        range: std::ops::Range<usize>,
        mut fits: impl FnMut(usize) -> bool,
    ) -> Option<usize> {
        let words = range.start / 64..range.end / 64;
        let (own, others) = (self.words.get(words.clone())?, other.words.get(words.clone())?);
        for ((number, a), b) in words.zip(own).zip(others) {
            let mut left = a & !b;
            while left != 0 {
                let at = number.saturating_mul(64).saturating_add(left.trailing_zeros() as usize);
                if fits(at) {
                    return Some(at);
                }
                left &= left.wrapping_sub(1);
            }
        }
        None
    }

    /// How many numbers are in this set and not in `other`, and the smallest of them.
    pub(crate) fn without(&self, other: &BitSet) -> (usize, Option<usize>) {
        let mut count = 0usize;
        let mut first = None;
        for (i, (a, b)) in self.words.iter().zip(&other.words).enumerate() {
            let left = a & !b;
            if left != 0 {
                count = count.saturating_add(left.count_ones() as usize);
                first = first.or(Some(i.saturating_mul(64).saturating_add(left.trailing_zeros() as usize)));
            }
        }
        (count, first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers() {
        let mut a = BitSet::new(130);
        assert!(a.insert(129) && !a.insert(129) && a.contains(129) && !a.contains(128));
        assert!(!a.insert(100_000) && !a.contains(100_000));
        let mut b = BitSet::new(130);
        b.insert(3);
        a.insert(3);
        assert_eq!(a.without(&b), (1, Some(129)));
    }
}
