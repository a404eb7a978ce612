//! Random numbers that are the same on every machine and in every version.

/// SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw(u64);

impl Draw {
    /// The numbers of one subject (a source, a build) of a simulation; those of another subject have nothing to do with them.
    pub(super) fn of(seed: u64, subject: &str) -> Self {
        // FNV-1a.
        let hash = subject.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(seed ^ hash)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to, but not including, 1.
    // 53 bits are what an f64 holds.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Of the standard normal distribution (Box and Muller, 1958).
    pub(super) fn normal(&mut self) -> f64 {
        let (one, other) = (1.0 - self.unit(), self.unit());
        (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos()
    }

    /// An index below `end`, which is not 0.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    pub(super) fn below(&mut self, end: usize, skew: i32) -> usize {
        ((self.unit().powi(skew) * end as f64) as usize).min(end - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_are_normal() {
        let mut draw = Draw::of(1, "x");
        let numbers: Vec<f64> = (0..10_000).map(|_| draw.normal()).collect();
        let within = numbers.iter().filter(|number| number.abs() < 1.0).count();
        assert!((6600..7050).contains(&within), "{within}");
    }

    #[test]
    fn subjects_have_numbers_of_their_own() {
        assert_ne!(Draw::of(1, "a").next(), Draw::of(1, "b").next());
        assert_eq!(Draw::of(1, "a").next(), Draw::of(1, "a").next());
    }
}
