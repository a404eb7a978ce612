//! The folder of downloads and build roots: who uses what of it, and what goes when its disk gets full.

mod claims;
mod room;

pub(crate) use claims::{Claims, Gate};
pub(crate) use room::{Gone, Which, free, name_of, sweep_twins, take};
pub use room::{Usage, default_keep_free, usage};
