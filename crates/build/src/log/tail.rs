//! The last part of the build's output, kept for working out why it failed.

use std::collections::VecDeque;

/// Keeps the last lines of what is written to it, up to a number of bytes.
#[derive(Debug)]
pub struct Tail {
    bytes: VecDeque<u8>,
    limit: usize,
    cut: bool,
}

impl Tail {
    /// An empty tail that will hold no more than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { bytes: VecDeque::new(), limit, cut: false }
    }

    /// Adds output; the oldest goes when there is no room.
    pub fn push(&mut self, output: &[u8]) {
        let excess = (self.bytes.len() + output.len()).saturating_sub(self.limit);
        self.cut |= excess > 0;
        self.bytes.drain(..excess.min(self.bytes.len()));
        self.bytes.extend(&output[output.len().saturating_sub(self.limit)..]);
    }

    /// What was kept, from the beginning of a line on; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        let (front, back) = self.bytes.as_slices();
        let bytes = [front, back].concat();
        let start = match bytes.iter().position(|&b| b == b'\n') {
            Some(newline) if self.cut => newline + 1,
            _ => 0,
        };
        String::from_utf8_lossy(&bytes[start..]).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_output_is_kept_whole() {
        let mut tail = Tail::new(100);
        tail.push(b"one\ntwo\n");
        assert_eq!(tail.text(), "one\ntwo\n");
    }

    #[test]
    fn the_oldest_goes_and_no_line_is_cut() {
        let mut tail = Tail::new(10);
        for line in ["first\n", "second\n", "third\n"] {
            tail.push(line.as_bytes());
        }
        assert_eq!(tail.text(), "third\n");
    }

    #[test]
    fn one_write_larger_than_the_limit_is_cut() {
        let mut tail = Tail::new(8);
        tail.push(b"aaaaaaaaaaaaaaaaaaa\nbb\ncc\n");
        assert_eq!(tail.text(), "bb\ncc\n");
        tail.push(b"\xff\n");
        assert_eq!(tail.text(), "cc\n\u{fffd}\n");
    }
}
