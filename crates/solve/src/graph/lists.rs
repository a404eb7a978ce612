//! Many lists of numbers in one buffer.

/// Lists by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lists {
    ranges: Vec<(u32, u32)>,
    items: Vec<u32>,
}

impl Lists {
    /// Adds a list; gives its number.
    // Lists are made from texts of at most 4 GiB.
    #[allow(clippy::cast_possible_truncation)]
    pub(crate) fn push(&mut self, items: impl IntoIterator<Item = u32>) -> u32 {
        let start = self.items.len() as u32;
        self.items.extend(items);
        self.ranges.push((start, self.items.len() as u32));
        self.ranges.len() as u32 - 1
    }

    pub(crate) fn get(&self, number: u32) -> &[u32] {
        let (start, end) = self.ranges[number as usize];
        &self.items[start as usize..end as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.ranges.len()
    }
}
