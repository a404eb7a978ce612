//! Which rung comes next.

use serde::{Deserialize, Serialize};

use super::{Mode, Rung};

/// What the class of a failure says about modes: `next` of the rule that recognised it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Advice {
    /// No mode helps: an error of the package itself.
    Stop,
    /// More time helps.
    Patience,
    /// This mode helps.
    Try(Mode),
    /// A mode would help that this farm does not have (`machine`, `cross`).
    Beyond,
}

/// The rungs that may be tried, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder(Vec<Rung>);

impl Ladder {
    /// These rungs, in this order; of equal ones the first counts.
    pub fn new(rungs: impl IntoIterator<Item = Rung>) -> Self {
        let mut ladder = Self(Vec::new());
        for rung in rungs {
            if !ladder.0.contains(&rung) {
                ladder.0.push(rung);
            }
        }
        ladder
    }

    /// For a target that the machine's CPU executes.
    pub fn native() -> Self {
        Self::new([Mode::Native.rung(), Mode::Native.patient(), Mode::Imported.rung()])
    }

    /// For a target that is emulated. Twins make time-outs less likely, so they are given time before they are taken away.
    pub fn emulated() -> Self {
        let modes = [Mode::Accelerated, Mode::Emulated, Mode::OtherQemu];
        let rungs = modes.into_iter().flat_map(|mode| [mode.rung(), mode.patient()]);
        Self::new(rungs.chain([Mode::Imported.rung()]))
    }

    /// The rungs.
    pub fn rungs(&self) -> &[Rung] {
        &self.0
    }

    /// The same without what `keep` refuses.
    #[must_use]
    pub fn only(&self, keep: impl Fn(Rung) -> bool) -> Self {
        Self(self.0.iter().copied().filter(|rung| keep(*rung)).collect())
    }

    /// Where to start; `None` if the ladder has no rung. What worked before is tried first if it is still on the ladder.
    pub fn start(&self, worked: Option<Rung>) -> Option<Rung> {
        worked.filter(|rung| self.0.contains(rung)).or_else(|| self.0.first().copied())
    }

    /// What to try after the last of `tried` failed; `None` if that is all that can be done.
    ///
    /// Never a rung that was tried, so every climb ends. Advice that cannot be followed leads to the next rung above in whose
    /// favour the advice speaks: patience to the next patient one, a mode to the modes after it. Where there is none, a native
    /// machine is tried, and then the upstream archive's package is taken.
    pub fn next(&self, tried: &[Rung], advice: Advice) -> Option<Rung> {
        let failed = *tried.last()?;
        let open = |rung: Rung| self.0.contains(&rung) && !tried.contains(&rung);
        let import = Some(Mode::Imported.rung());
        let first =
            |fits: &dyn Fn(Rung) -> bool| self.0.iter().copied().find(|rung| open(*rung) && fits(*rung));
        let next = match advice {
            Advice::Stop => return None,
            Advice::Patience => first(&|rung| rung.patient && rung.mode >= failed.mode),
            Advice::Try(mode) => {
                let named = Rung { mode, patient: failed.patient };
                Some(named).filter(|named| open(*named)).or_else(|| {
                    let at_least = mode.max(failed.mode);
                    first(&|rung| rung.mode > at_least && rung.patient == failed.patient)
                })
            }
            Advice::Beyond => None,
        };
        // What remains is a CPU that executes the target's programs, if the farm has one, and after that upstream's package.
        next.or_else(|| first(&|rung| rung.mode == Mode::Native)).or(import.filter(|import| open(*import)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCELERATED: Rung = Mode::Accelerated.rung();
    const EMULATED: Rung = Mode::Emulated.rung();
    const IMPORTED: Rung = Mode::Imported.rung();

    fn climb(mut tried: Vec<Rung>, advice: Advice) -> Vec<Rung> {
        let ladder = Ladder::emulated();
        while let Some(next) = ladder.next(&tried, advice) {
            tried.push(next);
        }
        tried
    }

    #[test]
    fn an_error_of_the_package_stops() {
        assert_eq!(Ladder::emulated().next(&[ACCELERATED], Advice::Stop), None);
    }

    #[test]
    fn accelerated_and_patient_comes_before_emulated_and_patient() {
        let (accelerated, emulated) = (Mode::Accelerated.patient(), Mode::Emulated.patient());
        assert_eq!(
            climb(vec![ACCELERATED], Advice::Patience),
            [ACCELERATED, accelerated, emulated, Mode::OtherQemu.patient(), IMPORTED]
        );
    }

    #[test]
    fn the_class_names_the_mode() {
        let ladder = Ladder::emulated();
        let other = Mode::OtherQemu.rung();
        assert_eq!(ladder.next(&[ACCELERATED], Advice::Try(Mode::OtherQemu)), Some(other));
        assert_eq!(ladder.next(&[ACCELERATED], Advice::Try(Mode::Emulated)), Some(EMULATED));
        assert_eq!(ladder.next(&[other], Advice::Try(Mode::OtherQemu)), Some(IMPORTED));
        assert_eq!(ladder.next(&[ACCELERATED], Advice::Beyond), Some(IMPORTED));
    }

    #[test]
    fn what_worked_is_tried_first_if_it_still_may_be() {
        let ladder = Ladder::emulated();
        assert_eq!(ladder.start(Some(EMULATED)), Some(EMULATED));
        assert_eq!(ladder.start(Some(Mode::Native.rung())), Some(ACCELERATED));
        assert_eq!(Ladder::new([]).start(None), None);
    }

    #[test]
    fn a_farm_without_imports_gives_up_in_the_end() {
        let ladder = Ladder::emulated().only(|rung| rung != IMPORTED);
        assert_eq!(ladder.next(&[EMULATED], Advice::Beyond), None);
    }
}
