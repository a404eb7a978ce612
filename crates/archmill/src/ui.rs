//! The terminal: progress bars where there is one, plain lines where not. Everything goes to standard
//! error but the live log, so that `--json` can have standard output.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;

use archmill_build::report::{Event, Reporter};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows the events of a build.
#[derive(Debug)]
pub(crate) struct Terminal {
    show_log: bool,
    log_to_stderr: bool,
    bars: bool,
    bar: Mutex<Option<ProgressBar>>,
}

impl Terminal {
    /// `quiet` leaves the log out; `json` keeps standard output free.
    pub(crate) fn new(quiet: bool, json: bool) -> Self {
        Self {
            show_log: !quiet,
            log_to_stderr: json,
            bars: std::io::stderr().is_terminal(),
            bar: Mutex::new(None),
        }
    }

    fn with_bar(&self, act: impl FnOnce(&mut Option<ProgressBar>)) {
        act(&mut self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }

    fn line(&self, text: &str) {
        self.with_bar(|bar| match bar {
            Some(bar) if self.bars => bar.println(text),
            _ => {
                let _ = writeln!(std::io::stderr(), "{text}");
            }
        });
    }

    fn begin(&self, what: &str, total: u64, bytes: bool) {
        if !self.bars {
            let amount = if bytes { indicatif::HumanBytes(total).to_string() } else { total.to_string() };
            self.line(&format!("{what} ({amount})"));
        }
        let target = if self.bars { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let template = if bytes {
            "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}"
        } else {
            "{msg} [{bar:30}] {pos}/{len}"
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(total), target)
            .with_style(style)
            .with_message(what.to_owned());
        self.with_bar(|current| *current = Some(bar));
    }

    fn log(&self, bytes: &[u8]) {
        // A closed pipe (`archmill build x | head`) must not end the build.
        let _ = if self.log_to_stderr {
            std::io::stderr().write_all(bytes)
        } else {
            let mut out = std::io::stdout().lock();
            out.write_all(bytes).and_then(|()| out.flush())
        };
    }
}

impl Reporter for Terminal {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Step(text) => self.line(text),
            Event::Warning(text) => self.line(&format!("warning: {text}")),
            Event::Begin { what, total, bytes } => self.begin(what, total, bytes),
            Event::Advance(count) => self.with_bar(|bar| {
                if let Some(bar) = bar {
                    bar.inc(count);
                }
            }),
            Event::End => self.with_bar(|bar| {
                if let Some(bar) = bar.take() {
                    bar.finish_and_clear();
                }
            }),
            Event::Log(bytes) if self.show_log => self.log(bytes),
            Event::Log(_) => {}
            Event::Results(folder) => self.line(&format!("results in {}", folder.display())),
        }
    }
}
