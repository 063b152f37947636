//! A hub on this machine: the calls that a download makes of huggingface.co, answered as it does. Small
//! files by way of a relative redirect, large ones on another host, by the sum of their bytes.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sha1::Sha1;
use sha2::Sha256;

use super::{Sandbox, fixture};

/// The commit that `main` stands at.
pub const MAIN: &str = "0123456789abcdef0123456789abcdef01234567";
/// The commit that `v1` and `refs/pr/1` stand at.
pub const OLD: &str = "89abcdef0123456789abcdef0123456789abcdef";

/// Files by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The hub, with the one model `tiny/bert`.
pub struct Hub {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub struct State {
    /// By commit.
    pub commits: BTreeMap<&'static str, Files>,
    pub manners: Manners,
    pub requests: Vec<Request>,
}

/// How the hub misbehaves.
#[derive(Default)]
pub struct Manners {
    /// Answers everything with this status and error code.
    pub status: Option<(u16, &'static str)>,
    /// Is an ordinary web server.
    pub is_no_hub: bool,
    /// Answers only who shows this token.
    pub token: Option<&'static str>,
    /// The next large file ends after so many bytes.
    pub cut: Option<usize>,
    /// The next large file hangs after so many bytes.
    pub hang: Option<usize>,
    /// Large files have one wrong byte.
    pub damage: bool,
    pub ignores_ranges: bool,
    /// Links to large files lead nowhere any more.
    pub links_expire: bool,
}

/// A request that has been answered.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub range: Option<String>,
    pub authorization: Option<String>,
    /// It came to the host of the large files.
    pub is_elsewhere: bool,
    /// Bytes of the body that were sent.
    pub sent: usize,
}

impl Request {
    /// The first byte that is asked for, if a range is.
    fn start(&self) -> Option<usize> {
        self.range.as_deref()?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

impl Hub {
    /// A hub that serves the fixture model, until the tests end.
    pub fn start() -> Self {
        let names = ["config.json", "tokenizer.json", "model.safetensors"];
        let files: Files = names
            .map(|name| (name.to_owned(), fs_err::read(fixture("tiny-bert").join(name)).unwrap()))
            .into();
        let mut old = files.clone();
        old.insert("config.json".to_owned(), [files["config.json"].as_slice(), b"\n"].concat());
        let state = State { commits: [(MAIN, files), (OLD, old)].into(), ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let [hub, elsewhere] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let (address, place) = (hub.local_addr().unwrap(), elsewhere.local_addr().unwrap());
        for (listener, is_elsewhere) in [(hub, false), (elsewhere, true)] {
            let state = state.clone();
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let state = state.clone();
                    // A client that goes away is no concern of ours.
                    std::thread::spawn(move || answer(stream, &state, place, is_elsewhere));
                }
            });
        }
        Self { address, state }
    }

    /// A sandbox in which this is the hub.
    pub fn sandbox(&self) -> Sandbox {
        let mut sandbox = Sandbox::with_texts(["the cat", "sat"]);
        sandbox.set("HF_ENDPOINT", format!("http://{}", self.address));
        sandbox
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What was asked for since the last call, in the order of the answers.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state().requests)
    }

    /// The requests for large files since the last call, with the bytes sent: `Range` and count.
    pub fn downloads(&self) -> Vec<(Option<String>, usize)> {
        let elsewhere = self.requests().into_iter().filter(|request| request.is_elsewhere);
        elsewhere.map(|request| (request.range, request.sent)).collect()
    }
}

/// What the hub calls a file by.
pub fn etag(name: &str, bytes: &[u8]) -> String {
    let hex = |sum: &[u8]| sum.iter().map(|byte| format!("{byte:02x}")).collect();
    if is_large(name) {
        return hex(&<Sha256 as sha2::Digest>::digest(bytes));
    }
    let blob = [format!("blob {}\0", bytes.len()).as_bytes(), bytes].concat();
    hex(&<Sha1 as sha1::Digest>::digest(blob))
}

fn is_large(name: &str) -> bool {
    name.ends_with(".safetensors") || name.ends_with(".bin")
}

/// An answer: status, headers, body.
type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

fn answer(mut stream: TcpStream, state: &Mutex<State>, place: SocketAddr, is_elsewhere: bool) {
    let Some(mut request) = read_request(&stream) else { return };
    request.is_elsewhere = is_elsewhere;
    let mut state = state.lock().unwrap();
    let (mut status, mut headers, mut body) =
        if is_elsewhere { large_file(&state, &request) } else { hub_answer(&state, &request, place) };
    if let Some(start) = request.start().filter(|_| status == 200 && !state.manners.ignores_ranges) {
        status = 206;
        headers.push(("Content-Range", format!("bytes {start}-{}/{}", body.len() - 1, body.len())));
        body.drain(..start);
    }
    let mut head =
        format!("HTTP/1.1 {status} Answer\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    let mut hangs = false;
    if request.method == "HEAD" {
        body.clear();
    } else if is_elsewhere {
        let manners = &mut state.manners;
        hangs = manners.hang.is_some();
        body.truncate(manners.cut.take().or(manners.hang.take()).unwrap_or(body.len()));
    }
    request.sent = body.len();
    state.requests.push(request);
    drop(state);
    let _ = stream.write_all(&[head.as_bytes(), b"\r\n", &body].concat());
    if hangs {
        // Longer than any test waits.
        std::thread::sleep(Duration::from_secs(120));
    }
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let first = lines.next()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned())))
        .collect();
    let header = |name: &str| headers.get(name).cloned();
    let (range, authorization) = (header("range"), header("authorization"));
    Some(Request { method, path, range, authorization, is_elsewhere: false, sent: 0 })
}

/// `/tiny/bert/resolve/REVISION/FILE`, or where it leads for small files.
fn hub_answer(state: &State, request: &Request, place: SocketAddr) -> Answer {
    let manners = &state.manners;
    let fail = |status: u16, code: &str| (status, vec![("X-Error-Code", code.to_owned())], Vec::new());
    if manners.is_no_hub {
        return (200, Vec::new(), b"welcome".to_vec());
    }
    if let Some((status, code)) = manners.status {
        return fail(status, code);
    }
    if manners.token.is_some_and(|token| request.authorization.as_deref() != Some(&format!("Bearer {token}")))
    {
        return fail(401, "RepoNotFound");
    }
    let direct = request.path.strip_prefix("/tiny/bert/resolve/");
    let Some(rest) = direct.or_else(|| request.path.strip_prefix("/api/resolve-cache/")) else {
        return fail(404, "RepoNotFound");
    };
    let (revision, name) = rest.split_once('/').unwrap();
    let commit = match revision {
        "main" => MAIN,
        "v1" | "refs%2Fpr%2F1" => OLD,
        commit => commit,
    };
    let Some((commit, files)) = state.commits.get_key_value(commit) else {
        return fail(404, "RevisionNotFound");
    };
    let mut headers = vec![("X-Repo-Commit", (*commit).to_owned())];
    let Some(bytes) = files.get(name) else {
        headers.push(("X-Error-Code", "EntryNotFound".to_owned()));
        return (404, headers, Vec::new());
    };
    let tag = etag(name, bytes);
    if is_large(name) {
        headers.push(("X-Linked-Etag", format!("\"{tag}\"")));
        headers.push(("X-Linked-Size", bytes.len().to_string()));
        headers.push(("Location", format!("http://{place}/{tag}")));
        (302, headers, b"Found. Redirecting".to_vec())
    } else if direct.is_some() {
        headers.push(("Location", format!("/api/resolve-cache/{commit}/{name}")));
        (307, headers, b"Temporary Redirect".to_vec())
    } else {
        headers.push(("ETag", format!("W/\"{tag}\"")));
        (200, headers, bytes.clone())
    }
}

/// `/SUM`.
fn large_file(state: &State, request: &Request) -> Answer {
    if state.manners.links_expire {
        return (403, Vec::new(), Vec::new());
    }
    let files = state.commits.values().flatten();
    let found =
        files.filter(|(name, _)| is_large(name)).find(|(name, bytes)| request.path[1..] == etag(name, bytes));
    let mut body = found.expect("a file that the hub has led to").1.clone();
    if state.manners.damage {
        body[5] ^= 1;
    }
    (200, Vec::new(), body)
}
