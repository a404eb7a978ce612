//! A web server on the loopback interface, for files below a folder, with faults on demand.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What goes wrong.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Another status than 200.
    Status(u16),
    /// The promised length, and the connection ends after so many bytes of it.
    CutAfter(usize),
    /// So many bytes, and a length that fits them.
    ShortenTo(usize),
    /// Headers, and nothing after them.
    Stall,
    /// A byte at a time, with a pause after each.
    Drip(Duration),
    /// The right length and other bytes.
    Scramble,
    /// These bytes in the file's place.
    Instead(Vec<u8>),
    /// A Content-Length that is so much more than what comes.
    PromiseMore(usize),
    /// The whole file, whatever part was asked for.
    IgnoreRange,
    /// The connection ends before an answer.
    HangUp,
}

/// A request that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Path, decoded.
    pub path: String,
    /// Range header.
    pub range: Option<String>,
    /// If-None-Match or If-Modified-Since header.
    pub condition: Option<String>,
    /// Status of the answer; 0 for none.
    pub status: u16,
}

struct Rule {
    part: String,
    fault: Fault,
    left: usize,
}

struct State {
    folder: PathBuf,
    rules: Mutex<Vec<Rule>>,
    requests: Mutex<Vec<Request>>,
    over: AtomicBool,
}

/// A server; it ends when dropped.
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
    listener: Option<JoinHandle<()>>,
}

/// For a fault that does not pass.
pub const ALWAYS: usize = usize::MAX;

impl Server {
    /// Serves the files below `folder`.
    pub fn start(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            folder: folder.to_owned(),
            rules: Mutex::default(),
            requests: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        let accept = move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.over.load(Ordering::SeqCst) {
                    break;
                }
                let state = Arc::clone(&shared);
                std::thread::spawn(move || answer(&state, stream));
            }
        };
        Self { address, state, listener: Some(std::thread::spawn(accept)) }
    }

    /// Its base.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next `times` requests whose path has `part` in it go wrong.
    pub fn fault(&self, part: &str, times: usize, fault: Fault) {
        self.state.rules.lock().unwrap().push(Rule { part: part.to_owned(), fault, left: times });
    }

    /// No more faults.
    pub fn mend(&self) {
        self.state.rules.lock().unwrap().clear();
    }

    /// What was asked for so far.
    pub fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap().clone()
    }

    /// Requests whose path has `part` in it.
    pub fn requests_of(&self, part: &str) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.path.contains(part)).collect()
    }

    /// Forgets what was asked for.
    pub fn forget(&self) {
        self.state.requests.lock().unwrap().clear();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::SeqCst);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

/// One request of a connection, which is closed after it.
fn answer(state: &State, stream: TcpStream) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    let path = decode(first.split(' ').nth(1).unwrap_or("/"));
    let mut request = Request { path, range: None, condition: None, status: 0 };
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        match name.to_ascii_lowercase().as_str() {
            "range" => request.range = Some(value.trim().to_owned()),
            "if-none-match" | "if-modified-since" => request.condition = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    let fault = state.fault_of(&request.path);
    let reply = state.reply(&request, fault.as_ref());
    request.status = reply.status;
    state.requests.lock().unwrap().push(request);
    // The client may have gone; that is its affair.
    let _ = state.send(stream, &reply, fault.as_ref());
}

struct Reply {
    status: u16,
    headers: String,
    body: Vec<u8>,
}

impl State {
    fn fault_of(&self, path: &str) -> Option<Fault> {
        let mut rules = self.rules.lock().unwrap();
        let rule = rules.iter_mut().find(|rule| rule.left > 0 && path.contains(&rule.part))?;
        rule.left = if rule.left == ALWAYS { ALWAYS } else { rule.left - 1 };
        Some(rule.fault.clone())
    }

    fn reply(&self, request: &Request, fault: Option<&Fault>) -> Reply {
        let plain = |status| Reply { status, headers: String::new(), body: Vec::new() };
        match fault {
            Some(Fault::Status(status)) => return plain(*status),
            Some(Fault::HangUp) => return plain(0),
            _ => {}
        }
        let path = self.folder.join(request.path.trim_start_matches('/'));
        let Ok(mut body) = fs::read(&path) else { return plain(404) };
        let tag = format!(
            "\"{:x}-{}\"",
            body.iter().fold(7_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte)),
            body.len()
        );
        if request.condition.as_ref() == Some(&tag) {
            return Reply { headers: format!("ETag: {tag}\r\n"), ..plain(304) };
        }
        match fault {
            Some(Fault::ShortenTo(length)) => body.truncate(*length),
            Some(Fault::Scramble) => body.iter_mut().for_each(|byte| *byte ^= 0x55),
            Some(Fault::Instead(other)) => body.clone_from(other),
            _ => {}
        }
        let from = request.range.as_ref().filter(|_| !matches!(fault, Some(Fault::IgnoreRange)));
        let from =
            from.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
        match from {
            None => Reply { status: 200, headers: format!("ETag: {tag}\r\n"), body },
            Some(from) if from < body.len() => {
                let whole = body.len();
                let headers = format!("Content-Range: bytes {from}-{}/{whole}\r\n", whole - 1);
                Reply { status: 206, headers, body: body.split_off(from) }
            }
            Some(_) => plain(416),
        }
    }

    fn send(&self, mut stream: TcpStream, reply: &Reply, fault: Option<&Fault>) -> std::io::Result<()> {
        if reply.status == 0 {
            return Ok(());
        }
        let more = if let Some(Fault::PromiseMore(more)) = fault { *more } else { 0 };
        let length = if reply.status == 304 {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", reply.body.len() + more)
        };
        write!(
            stream,
            "HTTP/1.1 {} Whatever\r\n{}{length}Connection: close\r\n\r\n",
            reply.status, reply.headers
        )?;
        match fault {
            Some(Fault::Stall) => self.until_over(&mut stream),
            Some(Fault::CutAfter(count)) => stream.write_all(&reply.body[..(*count).min(reply.body.len())]),
            Some(Fault::Drip(pause)) => {
                for byte in &reply.body {
                    if self.over.load(Ordering::SeqCst) {
                        break;
                    }
                    stream.write_all(&[*byte])?;
                    std::thread::sleep(*pause);
                }
                Ok(())
            }
            _ => stream.write_all(&reply.body),
        }
    }

    /// Until the client or the test is through with it.
    fn until_over(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_millis(50)))?;
        while !self.over.load(Ordering::SeqCst) {
            match stream.read(&mut [0]) {
                Ok(0) => break,
                Err(error)
                    if !matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) =>
                {
                    break;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// `%2b` as `+`.
fn decode(path: &str) -> String {
    let mut parts = path.split('%');
    let mut plain = parts.next().unwrap_or("").as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at(part.len().min(2));
        plain.extend(u8::from_str_radix(code, 16));
        plain.extend(rest.as_bytes());
    }
    String::from_utf8_lossy(&plain).into_owned()
}
