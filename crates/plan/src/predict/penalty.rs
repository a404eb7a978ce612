//! What a mode costs over a native build.

use std::time::Duration;

use super::model::median;
use crate::ladder::{Mode, Rung};

/// How many times as long as natively a build takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Penalties {
    /// With twins: measured 0.7 to 1.9 times, lua5.4 1.14 (DESIGN's table).
    pub accelerated: f64,
    /// Under QEMU: 4 to 5 times over a whole archive in the concept document; up to 20 for small packages.
    pub emulated: f64,
    /// Under another QEMU.
    pub other_qemu: f64,
    /// What patience adds: one CPU in place of several for the tests.
    pub patience: f64,
}

impl Default for Penalties {
    fn default() -> Self {
        Self { accelerated: 1.3, emulated: 4.5, other_qemu: 5.0, patience: 1.5 }
    }
}

impl Penalties {
    /// The factor of a rung.
    pub fn of(&self, rung: Rung) -> f64 {
        let mode = match rung.mode {
            Mode::Native => 1.0,
            Mode::Accelerated => self.accelerated,
            Mode::Emulated => self.emulated,
            Mode::OtherQemu => self.other_qemu,
            // A download.
            Mode::Imported => return 0.0,
        };
        if rung.patient { mode * self.patience } else { mode }
    }

    /// What a build takes on a rung.
    pub fn apply(&self, native: Duration, rung: Rung) -> Duration {
        native.mul_f64(self.of(rung))
    }

    /// What a build would have taken natively.
    pub fn revert(&self, took: Duration, rung: Rung) -> Duration {
        let factor = self.of(rung);
        if factor > 0.0 { took.div_f64(factor) } else { Duration::ZERO }
    }

    /// The same, with the factor of a mode as the median of what was measured, if there are enough measurements to tell.
    #[must_use]
    pub fn learned(mut self, mode: Mode, ratios: &[f64]) -> Self {
        const ENOUGH: usize = 10;
        let factor = match mode {
            Mode::Accelerated => &mut self.accelerated,
            Mode::Emulated => &mut self.emulated,
            Mode::OtherQemu => &mut self.other_qemu,
            Mode::Native | Mode::Imported => return self,
        };
        if let Some(measured) = median(&mut ratios.to_vec()).filter(|_| ratios.len() >= ENOUGH) {
            *factor = measured;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_costs_what_was_measured_once_there_is_enough() {
        let emulated = |ratios: &[f64]| Penalties::default().learned(Mode::Emulated, ratios).emulated;
        assert!((emulated(&[9.0; 3]) - 4.5).abs() < 1e-9);
        assert!((emulated(&[9.0; 12]) - 9.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_applied_can_be_reverted() {
        let (penalties, minute) = (Penalties::default(), Duration::from_mins(1));
        let took = penalties.apply(minute, Mode::Emulated.patient());
        assert_eq!(took.as_secs(), 405);
        assert_eq!(penalties.revert(took, Mode::Emulated.patient()), minute);
    }
}
