//! The partitions of an assignment: a handful, and records come in runs of the same one.

use crate::stage::InputPartition;

/// Something of each partition, in the order in which they were added.
#[derive(Debug)]
pub(crate) struct Partitions<T> {
    entries: Vec<(InputPartition, T)>,
    /// The one that was asked for last.
    last: usize,
}

impl<T> Default for Partitions<T> {
    fn default() -> Self {
        Partitions { entries: Vec::new(), last: 0 }
    }
}

impl<T> Partitions<T> {
    /// Adds or replaces a partition's entry.
    pub(crate) fn insert(&mut self, partition: InputPartition, value: T) {
        match self.get_mut(&partition.topic, partition.partition) {
            Some((_, old)) => *old = value,
            None => self.entries.push((partition, value)),
        }
    }

    /// The entry of a partition.
    pub(crate) fn get_mut(&mut self, topic: &str, partition: i32) -> Option<(&InputPartition, &mut T)> {
        let is_it = |(known, _): &(InputPartition, T)| known.partition == partition && *known.topic == *topic;
        if !self.entries.get(self.last).is_some_and(is_it) {
            self.last = self.entries.iter().position(is_it)?;
        }
        let (known, value) = &mut self.entries[self.last];
        Some((known, value))
    }

    pub(crate) fn get(&self, partition: &InputPartition) -> Option<&T> {
        self.entries.iter().find(|(known, _)| known == partition).map(|(_, value)| value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&InputPartition, &T)> {
        self.entries.iter().map(|(partition, value)| (partition, value))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&InputPartition, &mut T)> {
        self.entries.iter_mut().map(|(partition, value)| (&*partition, value))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}
