//! An answer of a server, read by a thread of its own: nothing interrupts a read that waits for a server, or the look-up
//! of its name, but who waits for that thread can give up.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use ureq::Agent;
use ureq::http::HeaderMap;

use super::error::{FetchError, transport};

/// How often one who waits looks whether it should go on.
pub(super) const LOOK: Duration = Duration::from_millis(50);
const CHUNK: usize = 1 << 16;
/// Chunks that wait to be taken.
const AHEAD: usize = 4;

/// Says that whoever waits is to give up.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(pub(super) Arc<AtomicBool>);

impl Stop {
    pub(super) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Fails if it is asked for.
    pub(super) fn check(&self) -> Result<(), FetchError> {
        if self.is_asked() { Err(FetchError::Cancelled) } else { Ok(()) }
    }

    /// Sleeps for `time`, or until it is asked for.
    pub(super) fn sleep(&self, time: Duration) {
        let end = std::time::Instant::now() + time;
        while !self.is_asked() {
            let left = end.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(LOOK));
        }
    }
}

/// Status and headers.
pub(super) struct Head {
    pub(super) status: u16,
    headers: HeaderMap,
}

impl Head {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

enum Message {
    Head(Head),
    Chunk(Vec<u8>),
    Failed(String),
}

/// A body on its way.
pub(super) struct Transfer {
    messages: Receiver<Message>,
    chunk: io::Cursor<Vec<u8>>,
    stop: Stop,
}

/// Asks for `url`, with one more header if given, and waits for the head of the answer.
pub(super) fn start(
    agent: &Agent,
    url: &str,
    header: Option<(&'static str, String)>,
    stop: &Stop,
) -> Result<(Head, Transfer), FetchError> {
    let (sender, messages) = sync_channel(AHEAD);
    let (agent, asked) = (agent.clone(), url.to_owned());
    let spawned = std::thread::Builder::new().name("fetch".to_owned()).spawn(move || {
        if let Err(reason) = serve(&agent, &asked, header, &sender) {
            // Nobody may be waiting any more.
            let _ = sender.send(Message::Failed(reason));
        }
    });
    spawned.map_err(|error| transport(url, &format!("no thread for it: {error}")))?;
    let transfer = Transfer { messages, chunk: io::Cursor::default(), stop: stop.clone() };
    match transfer.next().map_err(|_| FetchError::Cancelled)? {
        Some(Message::Head(head)) => Ok((head, transfer)),
        Some(Message::Failed(reason)) => Err(transport(url, &reason)),
        _ => Err(transport(url, "no answer")),
    }
}

fn serve(
    agent: &Agent,
    url: &str,
    header: Option<(&'static str, String)>,
    sender: &SyncSender<Message>,
) -> Result<(), String> {
    let mut request = agent.get(url);
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    let response = request.call().map_err(|error| error.to_string())?;
    let (parts, body) = response.into_parts();
    let head = Head { status: parts.status.as_u16(), headers: parts.headers };
    if sender.send(Message::Head(head)).is_err() {
        return Ok(());
    }
    let mut reader = body.into_reader();
    loop {
        let mut chunk = vec![0; CHUNK];
        match reader.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                chunk.truncate(count);
                if sender.send(Message::Chunk(chunk)).is_err() {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

impl Transfer {
    /// The next message; `None` at the end. Fails only if asked to stop.
    fn next(&self) -> io::Result<Option<Message>> {
        loop {
            if self.stop.is_asked() {
                return Err(io::Error::other("cancelled"));
            }
            match self.messages.recv_timeout(LOOK) {
                Ok(message) => return Ok(Some(message)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

impl Read for Transfer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.chunk.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            match self.next()? {
                Some(Message::Chunk(chunk)) => self.chunk = io::Cursor::new(chunk),
                Some(Message::Failed(reason)) => return Err(io::Error::other(reason)),
                Some(Message::Head(_)) | None => return Ok(0),
            }
        }
    }
}
