//! Colours that people with any kind of sight tell apart (Okabe and Ito).

use archmill_plan::ladder::{Mode, Rung};

use crate::share::Outcome;

const GREEN: &str = "#009e73";
const SKY: &str = "#56b4e9";
const BLUE: &str = "#0072b2";
const VERMILION: &str = "#d55e00";
const ORANGE: &str = "#e69f00";
const PURPLE: &str = "#cc79a7";
const GREY: &str = "#8c8c8c";
const PALE: &str = "#d0d0d0";

pub(super) const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Built => GREEN,
        Outcome::Imported => SKY,
        Outcome::Failed => VERMILION,
        Outcome::Unbuildable => ORANGE,
        Outcome::Left => GREY,
        Outcome::Open => PALE,
    }
}

/// Patient modes have a lighter shade of their mode's colour.
pub(super) const fn mode(rung: Rung) -> &'static str {
    match (rung.mode, rung.patient) {
        (Mode::Native, false) => BLUE,
        (Mode::Native, true) => "#7fb8d8",
        (Mode::Accelerated, false) => GREEN,
        (Mode::Accelerated, true) => "#7fceb9",
        (Mode::Emulated, false) => PURPLE,
        (Mode::Emulated, true) => "#e5bcd3",
        (Mode::OtherQemu, false) => ORANGE,
        (Mode::OtherQemu, true) => "#f2cf7f",
        (Mode::Imported, _) => SKY,
    }
}

pub(super) fn target(targets: &[&str], target: &str) -> &'static str {
    const COLOURS: [&str; 7] = [BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, GREY];
    let place = targets.iter().position(|other| *other == target).unwrap_or(0);
    COLOURS.get(place % COLOURS.len()).copied().unwrap_or(GREY)
}

/// Whether dark letters are read better on it than white ones.
pub(super) fn is_light(colour: &str) -> bool {
    colour == PALE || colour.starts_with("#f") || colour.starts_with("#e")
}
