//! Plots, as SVG.

use archmill_plan::ladder::Rung;
use maud::{Markup, html};

use super::colour;
use crate::penalty::Penalties;
use crate::text::duration;
use crate::time::Span;

const WIDTH: f64 = 900.0;
/// For what rows are called.
const LABELS: f64 = 190.0;
/// For totals, and for what sticks out of the last tick.
const RIGHT: f64 = 60.0;
const ROW: f64 = 26.0;
const BAR: f64 = 18.0;

/// A bar of parts: name, colour and count of each.
pub(super) struct Row {
    pub(super) label: String,
    pub(super) parts: Vec<(String, &'static str, usize)>,
}

/// Bars, each of parts, with the numbers in them. `order` is that of the legend.
#[allow(clippy::cast_precision_loss)]
pub(super) fn stacked(rows: &[Row], order: &[String], what: &str) -> Markup {
    let total = |row: &Row| row.parts.iter().map(|(_, _, count)| count).sum::<usize>();
    let most = rows.iter().map(total).max().unwrap_or(0).max(1) as f64;
    let room = WIDTH - LABELS - RIGHT;
    let height = ROW * rows.len() as f64;
    let bars = |row: &Row| {
        let mut left = LABELS;
        let bar = |(name, colour, count): &(String, &'static str, usize)| {
            let width = *count as f64 / most * room;
            let bar = (name.clone(), *colour, *count, left, width);
            left += width;
            bar
        };
        row.parts.iter().map(bar).collect::<Vec<_>>()
    };
    html! {
        (legend(ordered(rows, order).into_iter()))
        svg viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label=(what) {
            @for (place, row) in rows.iter().enumerate() {
                @let top = place as f64 * ROW;
                text x=(LABELS - 8.0) y=(top + 17.0) text-anchor="end" { (row.label) }
                @for (name, colour, count, left, width) in bars(row) {
                    rect x=(format!("{left:.1}")) y=(top + 4.0) width=(format!("{width:.1}")) height=(BAR) fill=(colour) {
                        title { (name) ": " (count) }
                    }
                    @if width > 9.0 * count.to_string().len() as f64 + 4.0 {
                        text.in.dark[colour::is_light(colour)] x=(format!("{:.1}", left + width / 2.0)) y=(top + 17.0) text-anchor="middle" { (count) }
                    }
                }
                text x=(format!("{:.1}", LABELS + total(row) as f64 / most * room + 6.0)) y=(top + 17.0) { (total(row)) }
            }
        }
    }
}

/// The parts that there are, those in `order` first.
fn ordered<'r>(rows: &'r [Row], order: &[String]) -> Vec<(&'r str, &'static str)> {
    let parts =
        rows.iter().flat_map(|row| row.parts.iter().map(|(name, colour, _)| (name.as_str(), *colour)));
    let mut parts: Vec<_> = parts.collect();
    parts.sort_by_key(|(name, _)| order.iter().position(|other| other == name).unwrap_or(order.len()));
    parts
}

/// A row for each mode and architecture: the box has half of the packages, a dot is one.
#[allow(clippy::cast_precision_loss)]
pub(super) fn penalties(penalties: &[Penalties]) -> Markup {
    const TALL: f64 = 40.0;
    let least = penalties.iter().map(|of| of.distribution.least).fold(1.0, f64::min);
    let most = penalties.iter().map(|of| of.distribution.most).fold(2.0, f64::max);
    let (from, to) = (least.log2().floor(), most.log2().ceil());
    let room = WIDTH - LABELS - RIGHT;
    let at = |times: f64| LABELS + (times.log2() - from) / (to - from) * room;
    let bottom = TALL * penalties.len() as f64;
    #[allow(clippy::cast_possible_truncation)]
    let ticks: Vec<f64> = (from as i32..=to as i32).map(f64::from).map(f64::exp2).collect();
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {}", bottom + 38.0)) role="img" aria-label="times as long as a native build" {
            @for tick in &ticks {
                @let x = format!("{:.1}", at(*tick));
                line.grid x1=(x) x2=(x) y1="0" y2=(bottom + 4.0) {}
                text x=(x) y=(bottom + 18.0) text-anchor="middle" { (tick) "×" }
            }
            text x=(LABELS + room / 2.0) y=(bottom + 34.0) text-anchor="middle" { "times as long as a native build" }
            @let one = format!("{:.1}", at(1.0));
            line.axis x1=(one) x2=(one) y1="0" y2=(bottom + 4.0) {}
            @for (place, of) in penalties.iter().enumerate() {
                @let middle = (place as f64 + 0.5) * TALL;
                @let (low, high) = (at(of.distribution.lower_quartile), at(of.distribution.upper_quartile));
                @let colour = colour::mode(of.mode);
                text x=(LABELS - 8.0) y=(middle + 5.0) text-anchor="end" { (of.target) " " (of.mode) }
                line.whisker x1=(format!("{:.1}", at(of.distribution.least))) x2=(format!("{:.1}", at(of.distribution.most))) y1=(middle) y2=(middle) {}
                rect x=(format!("{low:.1}")) y=(middle - 10.0) width=(format!("{:.1}", high - low)) height="20" fill=(colour) fill-opacity="0.35" stroke=(colour) {}
                @let median = format!("{:.1}", at(of.distribution.median));
                line.median x1=(median) x2=(median) y1=(middle - 10.0) y2=(middle + 10.0) {}
                @for (name, times) in &of.packages {
                    // Spread over the height, so that those that are alike are not upon each other.
                    circle cx=(format!("{:.1}", at(*times))) cy=(format!("{:.1}", middle + jitter(name) * 14.0)) r="3" fill=(colour) {
                        title { (name) ": " (format!("{times:.2}")) "×" }
                    }
                }
            }
        }
    }
}

/// From -0.5 to 0.5, always the same for a name.
fn jitter(name: &str) -> f64 {
    let mixed = name.bytes().fold(17_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
    f64::from(mixed % 101) / 100.0 - 0.5
}

/// Slots in use over time, by mode.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn timeline(spans: &[Span], slots: u32) -> Markup {
    const COLUMNS: usize = 360;
    const TALL: f64 = 180.0;
    let end = spans.iter().map(|span| span.to_ms).max().unwrap_or(0).max(1) as f64;
    let mut modes: Vec<Rung> = Vec::new();
    for span in spans {
        if !modes.contains(&span.mode) {
            modes.push(span.mode);
        }
    }
    modes.sort_unstable();
    // Mean slots in use in each column, by mode.
    let column = end / COLUMNS as f64;
    let mut used = vec![vec![0.0; COLUMNS]; modes.len()];
    for span in spans {
        let Some(of) = modes.iter().position(|mode| *mode == span.mode).and_then(|place| used.get_mut(place))
        else {
            continue;
        };
        let (from, to) = (span.from_ms as f64 / column, span.to_ms as f64 / column);
        for (place, sum) in of.iter_mut().enumerate().take(to.ceil() as usize).skip(from.floor() as usize) {
            let covered = (to.min(place as f64 + 1.0) - from.max(place as f64)).max(0.0);
            *sum += covered * f64::from(span.slots);
        }
    }
    let peak =
        (0..COLUMNS).map(|place| used.iter().filter_map(|of| of.get(place)).sum::<f64>()).fold(0.0, f64::max);
    let most = peak.ceil().max(f64::from(slots)).max(1.0);
    let room = WIDTH - LABELS - RIGHT;
    let x = |place: usize| LABELS + place as f64 / COLUMNS as f64 * room;
    let y = |value: f64| TALL - value / most * (TALL - 10.0);
    let mut below = vec![0.0; COLUMNS];
    let mut areas = Vec::new();
    for (mode, of) in modes.iter().zip(&used) {
        let above: Vec<f64> = below.iter().zip(of).map(|(below, own)| below + own).collect();
        let step = |place: usize, value: f64| {
            format!("{:.1},{:.1} {:.1},{:.1}", x(place), y(value), x(place + 1), y(value))
        };
        let back = |place: usize, value: f64| {
            format!("{:.1},{:.1} {:.1},{:.1}", x(place + 1), y(value), x(place), y(value))
        };
        let mut points: Vec<String> =
            above.iter().enumerate().map(|(place, value)| step(place, *value)).collect();
        points.extend(below.iter().enumerate().rev().map(|(place, value)| back(place, *value)));
        areas.push((*mode, points.join(" ")));
        below = above;
    }
    let names: Vec<(String, &'static str)> =
        modes.iter().map(|mode| (mode.to_string(), colour::mode(*mode))).collect();
    html! {
        (legend(names.iter().map(|(name, colour)| (name.as_str(), *colour))))
        svg viewBox=(format!("0 0 {WIDTH} {}", TALL + 38.0)) role="img" aria-label="slots in use over time" {
            @for value in levels(most) {
                line.grid x1=(LABELS) x2=(LABELS + room) y1=(format!("{:.1}", y(value))) y2=(format!("{:.1}", y(value))) {}
                text x=(LABELS - 8.0) y=(format!("{:.1}", y(value) + 4.0)) text-anchor="end" { (value) }
            }
            text x="12" y=(TALL / 2.0) { "slots in use" }
            @for (mode, points) in &areas {
                polygon points=(points) fill=(colour::mode(*mode)) { title { (mode) } }
            }
            @for place in 0..=4_u32 {
                @let share = f64::from(place) / 4.0;
                text x=(format!("{:.1}", LABELS + share * room)) y=(TALL + 18.0) text-anchor="middle" { (duration((end * share) as u64)) }
            }
            text x=(LABELS + room / 2.0) y=(TALL + 34.0) text-anchor="middle" { "since the start" }
        }
    }
}

/// Four or five round numbers up to a maximum.
fn levels(most: f64) -> Vec<f64> {
    let step = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0]
        .into_iter()
        .find(|step| most / step <= 5.0)
        .unwrap_or(most / 4.0);
    std::iter::successors(Some(0.0), |value| Some(value + step)).take_while(|value| *value <= most).collect()
}

fn legend<'n>(names: impl Iterator<Item = (&'n str, &'static str)>) -> Markup {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    html! {
        p.legend {
            @for (name, colour) in seen {
                span { i style=(format!("background:{colour}")) {} (name) }
            }
        }
    }
}
