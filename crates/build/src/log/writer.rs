//! Writing the log to several places at once.

use std::io::{self, Write};
use std::path::PathBuf;

use jiff::Timestamp;

use super::heading::{self, Section};
use super::sections::{Environment, Header, Summary};
use super::tail::Tail;

/// Output that is kept for finding out why a build failed, bytes.
const TAIL_BYTES: usize = 512 * 1024;

/// The log could not be written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// No room on the file system of the log, or a quota.
    #[error(
        "the disk is full: no room for the build log {path}; free some space or name another folder with --out"
    )]
    DiskFull {
        /// The log.
        path: PathBuf,
    },
    /// Anything else.
    #[error("cannot write the build log {path}: {source}")]
    Write {
        /// The log.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl LogError {
    fn new(path: PathBuf, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Write { path, source },
        }
    }
}

/// One place that the log goes to.
pub struct Sink<'a> {
    writer: Box<dyn Write + Send + 'a>,
    /// The file that must not lose anything; `None` for a terminal, which may go away.
    path: Option<PathBuf>,
}

impl<'a> Sink<'a> {
    /// A file whose loss is an error that names `path`.
    pub fn file(path: impl Into<PathBuf>, writer: impl Write + Send + 'a) -> Self {
        Self { writer: Box::new(writer), path: Some(path.into()) }
    }

    /// A terminal or pipe: when it goes away, the build and its log go on without it.
    pub fn live(writer: impl Write + Send + 'a) -> Self {
        Self { writer: Box::new(writer), path: None }
    }
}

impl std::fmt::Debug for Sink<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The log of one build.
///
/// Times are the caller's. A sink that fails is not written to again; the failure of a file is
/// returned by the call that met it, and the other sinks have been served all the same.
#[derive(Debug)]
pub struct LogWriter<'a> {
    sinks: Vec<Sink<'a>>,
    section: Option<Section>,
    tail: Tail,
    written: u64,
    /// Whether the last byte written ended a line.
    line_start: bool,
    /// Whether the last byte of output was a carriage return, so that a following newline is part of it.
    after_return: bool,
}

impl<'a> LogWriter<'a> {
    /// A log that goes to `sinks`.
    pub fn new(sinks: Vec<Sink<'a>>) -> Self {
        Self {
            sinks,
            section: None,
            tail: Tail::new(TAIL_BYTES),
            written: 0,
            line_start: true,
            after_return: false,
        }
    }

    /// Writes the first line, the title and the header fields.
    pub fn header(&mut self, header: &Header) -> Result<(), LogError> {
        self.text(&header.render())
    }

    /// Opens a section.
    pub fn section(&mut self, section: Section, at: Timestamp) -> Result<(), LogError> {
        self.section = Some(section);
        self.text(&heading::section_box(section.title(), at))
    }

    /// The section that was opened last.
    pub fn current_section(&self) -> Option<Section> {
        self.section
    }

    /// Writes a heading inside a section, such as `Unpack source`.
    pub fn subheading(&mut self, title: &str) -> Result<(), LogError> {
        self.text(&heading::subheading(title))
    }

    /// Writes the lines of the section `Build environment`.
    pub fn environment(&mut self, environment: &Environment) -> Result<(), LogError> {
        self.text(&environment.render())
    }

    /// Writes text of archmill's own, on a new line; a missing newline is added.
    pub fn text(&mut self, text: &str) -> Result<(), LogError> {
        let mut bytes = Vec::with_capacity(text.len() + 2);
        if !self.line_start {
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(text.as_bytes());
        if !text.ends_with('\n') && !text.is_empty() {
            bytes.push(b'\n');
        }
        self.after_return = false;
        self.write(&bytes)
    }

    /// Writes an information line, `I: text`.
    pub fn info(&mut self, text: &str) -> Result<(), LogError> {
        self.text(&format!("I: {text}"))
    }

    /// Writes a warning line, `W: text`.
    pub fn warning(&mut self, text: &str) -> Result<(), LogError> {
        self.text(&format!("W: {text}"))
    }

    /// Writes an error line, `E: text`.
    pub fn error(&mut self, text: &str) -> Result<(), LogError> {
        self.text(&format!("E: {text}"))
    }

    /// Writes what a program in the root printed, as it comes.
    ///
    /// A carriage return ends a line, as in sbuild's logs, so that progress meters can be read; one
    /// before a newline is dropped.
    pub fn output(&mut self, output: &[u8]) -> Result<(), LogError> {
        let mut bytes = Vec::with_capacity(output.len());
        for &byte in output {
            match byte {
                b'\n' if self.after_return => {}
                b'\r' => bytes.push(b'\n'),
                _ => bytes.push(byte),
            }
            self.after_return = byte == b'\r';
        }
        self.tail.push(&bytes);
        self.write(&bytes)
    }

    /// Writes that dpkg-buildpackage ended, and how.
    pub fn build_finished(&mut self, at: Timestamp, success: bool) -> Result<(), LogError> {
        self.text(&heading::separator())?;
        self.text(&format!("Build finished at {}", heading::iso_time(at)))?;
        self.subheading("Finished")?;
        // The words of sbuild, which those that scan logs look for.
        if success {
            self.info("Built successfully")
        } else {
            self.error("Build failure (dpkg-buildpackage died)")
        }
    }

    /// Opens the last section, writes the summary and flushes.
    pub fn summary(&mut self, summary: &Summary) -> Result<(), LogError> {
        self.section(Section::Summary, summary.finished)?;
        self.text(&summary.render())?;
        self.flush()
    }

    /// The last output of programs in the root (up to 512 KiB), for [`classify`](crate::classify).
    pub fn tail(&self) -> String {
        self.tail.text()
    }

    /// Forgets the output so far: what programs print from here on is what tells why a build failed.
    pub fn forget_tail(&mut self) {
        self.tail = Tail::new(TAIL_BYTES);
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Hands everything on to the system.
    pub fn flush(&mut self) -> Result<(), LogError> {
        self.each(|writer| writer.flush())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), LogError> {
        if let Some(last) = bytes.last() {
            self.line_start = *last == b'\n';
        }
        self.written += bytes.len() as u64;
        self.each(|writer| {
            writer.write_all(bytes)?;
            // A line that waits in a buffer is no live log, and is lost with a killed process.
            writer.flush()
        })
    }

    fn each(&mut self, mut act: impl FnMut(&mut dyn Write) -> io::Result<()>) -> Result<(), LogError> {
        let mut result = Ok(());
        self.sinks.retain_mut(|sink| match act(&mut *sink.writer) {
            Ok(()) => true,
            Err(error) => {
                if let Some(path) = sink.path.take() {
                    result = Err(LogError::new(path, error));
                }
                false
            }
        });
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes some bytes, then fails.
    struct Full(usize, io::ErrorKind);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            if taken == 0 { Err(self.1.into()) } else { Ok(taken) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log_of(act: impl FnOnce(&mut LogWriter<'_>)) -> String {
        let mut bytes = Vec::new();
        let mut log = LogWriter::new(vec![Sink::file("x.build", &mut bytes)]);
        act(&mut log);
        drop(log);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_heading_never_continues_a_line_of_output() {
        let text = log_of(|log| {
            log.output(b"checking for gcc... ").unwrap();
            log.info("stopped").unwrap();
        });
        assert_eq!(text, "checking for gcc... \nI: stopped\n");
    }

    #[test]
    fn carriage_returns_end_lines_also_across_writes() {
        let text = log_of(|log| {
            log.output(b"10%\r20%\r").unwrap();
            log.output(b"\ndone\r\nend\n").unwrap();
        });
        assert_eq!(text, "10%\n20%\ndone\nend\n");
    }

    #[test]
    fn a_full_disk_is_an_error_once_and_the_terminal_goes_on() {
        let mut screen = Vec::new();
        let mut log = LogWriter::new(vec![
            Sink::file("/out/dash.build", Full(4, io::ErrorKind::StorageFull)),
            Sink::live(&mut screen),
        ]);
        let error = log.output(b"12345\n").unwrap_err();
        assert!(matches!(&error, LogError::DiskFull { path } if path.ends_with("dash.build")));
        assert!(error.to_string().contains("/out/dash.build"));
        log.output(b"more\n").unwrap();
        drop(log);
        assert_eq!(screen, b"12345\nmore\n");
    }

    #[test]
    fn a_terminal_that_goes_away_is_no_error() {
        let text = log_of(|log| {
            log.sinks.push(Sink::live(Full(0, io::ErrorKind::BrokenPipe)));
            log.output(b"on we go\n").unwrap();
        });
        assert_eq!(text, "on we go\n");
    }

    #[test]
    fn the_end_of_a_build_reads_as_in_sbuild() {
        let at: Timestamp = "2026-11-23T21:26:00Z".parse().unwrap();
        let text = log_of(|log| {
            log.output(b" dpkg-genchanges -B\n").unwrap();
            log.build_finished(at, true).unwrap();
        });
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_failed_build_is_told_in_the_words_that_log_readers_look_for() {
        let text = log_of(|log| log.build_finished(Timestamp::UNIX_EPOCH, false).unwrap());
        assert!(text.ends_with("\nE: Build failure (dpkg-buildpackage died)\n"), "{text}");
    }

    #[test]
    fn the_tail_holds_output_only() {
        let mut log = LogWriter::new(vec![]);
        log.info("not this").unwrap();
        log.output(b"this\n").unwrap();
        assert_eq!(log.tail(), "this\n");
        assert_eq!(log.written(), 17);
        log.forget_tail();
        assert_eq!(log.tail(), "");
    }
}
