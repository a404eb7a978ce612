//! Lines on standard output and standard error. Whoever reads them may be gone (`archmill build dash | head`): a build
//! goes on, and its log is in a file all the same.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether an answer was lost although somebody may want it, as on a full disk.
static LOST: AtomicBool = AtomicBool::new(false);

/// A line on standard output: what was asked for.
macro_rules! answer {
    ($($text:tt)*) => { $crate::say::answer(format_args!($($text)*)) };
}

/// A line on standard error: what there is to say besides.
macro_rules! remark {
    ($($text:tt)*) => { $crate::say::remark(format_args!($($text)*)) };
}

pub(crate) fn answer(text: Arguments<'_>) {
    let mut out = io::stdout().lock();
    note(out.write_fmt(text).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()));
}

pub(crate) fn remark(text: Arguments<'_>) {
    // There is nowhere to say that this could not be said.
    let _ = writeln!(io::stderr(), "{text}");
}

/// What became of an answer. That nobody reads it any more is no failure.
pub(crate) fn note(result: io::Result<()>) {
    if let Err(error) = result
        && error.kind() != ErrorKind::BrokenPipe
        && !LOST.swap(true, Ordering::Relaxed)
    {
        remark(format_args!("archmill: cannot write to standard output: {error}"));
    }
}

/// Whether an answer was lost.
pub(crate) fn lost() -> bool {
    LOST.load(Ordering::Relaxed)
}
