//! Many lists of numbers in one buffer.

/// Lists by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lists {
    ranges: Vec<(u32, u32)>,
    items: Vec<u32>,
    /// How many items no list has any more.
    unused: usize,
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

    /// Puts another list in the place of one. What it had stays in the buffer, unused, until that is
    /// larger than what is used.
    pub(crate) fn replace(&mut self, number: u32, items: impl IntoIterator<Item = u32>) {
        self.unused += self.get(number).len();
        self.push(items);
        self.ranges.swap_remove(number as usize);
        if self.unused > self.items.len() / 2 + 1024 {
            let old = std::mem::take(self);
            for number in 0..old.len() {
                self.push(old.at(number).iter().copied());
            }
        }
    }

    /// Changes every number in every list.
    pub(crate) fn map(&mut self, new_of: impl Fn(u32) -> u32) {
        for item in &mut self.items {
            *item = new_of(*item);
        }
    }

    fn at(&self, number: usize) -> &[u32] {
        let (start, end) = self.ranges[number];
        &self.items[start as usize..end as usize]
    }

    pub(crate) fn get(&self, number: u32) -> &[u32] {
        self.at(number as usize)
    }

    pub(crate) fn len(&self) -> usize {
        self.ranges.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_can_be_replaced_and_the_others_stay() {
        let mut lists = Lists::default();
        assert_eq!([lists.push([1, 2]), lists.push([]), lists.push([3])], [0, 1, 2]);
        lists.replace(0, [7]);
        assert_eq!((lists.get(0), lists.get(1), lists.get(2), lists.len()), (&[7][..], &[][..], &[3][..], 3));
        for number in 0..3000 {
            lists.replace(2, [number, number + 1]);
        }
        lists.map(|item| item + 1);
        assert_eq!((lists.get(0), lists.get(1), lists.get(2)), (&[8][..], &[][..], &[3000, 3001][..]));
        assert!(lists.items.len() < 3000);
    }
}
