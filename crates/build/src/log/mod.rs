//! The build log, in the sections that sbuild writes.
//!
//! Many programs read the logs of Debian's build machines: blhc, buildlog-consultant, the log pages
//! of the build machines themselves. They find their way by the boxes around headings, the header
//! fields, `Toolchain package versions:`, `Build finished at` and the sorted fields of the summary, so
//! these are laid out here as sbuild 0.91 lays them out. The reference is sbuild's `Sbuild/Base.pm`
//! (headings), `Sbuild/ResolverBase.pm` (build environment) and `Sbuild/Build.pm` (everything else).
//!
//! [`heading`] and [`sections`] make text and write nothing; [`writer::LogWriter`] puts it, and the
//! build's own output between it, into a file and on a terminal.

pub mod heading;
pub mod sections;
pub mod tail;
pub mod writer;

pub use heading::Section;
pub use sections::{Environment, Header, InstalledPackage, Kernel, Summary};
pub use tail::Tail;
pub use writer::{LogError, LogWriter, Sink};
