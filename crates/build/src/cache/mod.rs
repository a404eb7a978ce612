//! The folder of downloads and build roots: who uses what of it, and what goes when its disk gets full.

mod claims;
mod room;

pub(crate) use claims::{Claims, Gate};
pub(crate) use room::{Gone, RECENT, alone, has_room, name_of, sweep_twins, take, unused};
pub use room::{Usage, default_keep_free, usage};
