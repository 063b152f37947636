//! A server of S3's protocol, and a client of our own that knows nothing of the program's.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{Sandbox, set_up};

/// One server for all tests, each of which has buckets of its own. It ends with this process.
static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

struct Server {
    port: u16,
    _process: Child,
}

impl Server {
    fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/stores/server.py");
        let mut command = Command::new(set_up(".venv-stores/bin/python"));
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Self { port: line.trim().parse().unwrap(), _process: process }
    }
}

/// A bucket that nobody else has.
pub struct Bucket {
    pub name: String,
}

impl Bucket {
    pub fn new() -> Self {
        Self::that_is("bucket")
    }

    /// One that refuses what `server.py` says of this word.
    pub fn that_is(word: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{word}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        assert_eq!(request("PUT", &format!("/{name}"), &[]).0, 200);
        Self { name }
    }

    /// The address of a file in it.
    pub fn address(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }

    pub fn put(&self, key: &str, content: &[u8]) {
        assert_eq!(request("PUT", &format!("/{}/{key}", self.name), content).0, 200);
    }

    /// Puts all files of a folder under keys that begin with `prefix`.
    pub fn put_folder(&self, prefix: &str, folder: &Path) {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let key = format!("{prefix}/{}", path.file_name().unwrap().to_str().unwrap());
            if path.is_dir() {
                self.put_folder(&key, &path);
            } else {
                self.put(&key, &fs_err::read(path).unwrap());
            }
        }
    }

    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        let (status, body) = request("GET", &format!("/{}/{key}", self.name), &[]);
        (status == 200).then_some(body)
    }

    pub fn remove(&self, key: &str) {
        assert_eq!(request("DELETE", &format!("/{}/{key}", self.name), &[]).0, 204);
    }

    /// All keys that begin so, sorted.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        let query = format!("/{}?list-type=2&max-keys=1000&prefix={prefix}", self.name);
        let (status, body) = request("GET", &query, &[]);
        assert_eq!(status, 200);
        between(&String::from_utf8(body).unwrap(), "<Key>", "</Key>")
    }

    /// How many uploads in pieces were begun and neither finished nor given up.
    pub fn unfinished_uploads(&self) -> usize {
        let (_, body) = request("GET", &format!("/{}?uploads", self.name), &[]);
        between(&String::from_utf8(body).unwrap(), "<UploadId>", "</UploadId>").len()
    }

    /// The parts of an output by the names that they have in a folder, with their bytes.
    pub fn parts(&self, output: &str) -> BTreeMap<String, Vec<u8>> {
        let keys = self.keys(&format!("{output}/data/")).into_iter();
        keys.map(|key| {
            let (stem, extension) = key.rsplit('/').next().unwrap().rsplit_once('.').unwrap();
            // What a store adds to the name.
            let (stem, hash) = stem.rsplit_once('-').unwrap();
            assert_eq!(hash.len(), 16, "{key}");
            (format!("{stem}.{extension}"), self.get(&key).unwrap())
        })
        .collect()
    }

    /// The files below a prefix as the program should find them, by a local copy.
    pub fn copy_to(&self, prefix: &str, folder: &Path) {
        for key in self.keys(prefix) {
            let path = folder.join(key.strip_prefix(prefix).unwrap().trim_start_matches('/'));
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, self.get(&key).unwrap()).unwrap();
        }
    }
}

/// What stands between two marks, each time.
pub fn between(text: &str, start: &str, end: &str) -> Vec<String> {
    text.split(start).skip(1).map(|rest| rest.split(end).next().unwrap().to_owned()).collect()
}

/// The port of the server, without anything on the way.
pub fn port() -> u16 {
    SERVER.port
}

/// What the program is told of a server on `port`.
pub fn at_port(mut sandbox: Sandbox, port: u16) -> Sandbox {
    sandbox.set("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"));
    sandbox.set("AWS_ACCESS_KEY_ID", "AKIATHEKEYOFNOBODY");
    sandbox.set("AWS_SECRET_ACCESS_KEY", "the-secret-of-nobody");
    sandbox.set("AWS_REGION", "us-east-1");
    sandbox
}

/// A sandbox whose commands find the server.
pub fn sandbox() -> Sandbox {
    at_port(Sandbox::new(), port())
}

/// Asks the server, which wants to see a name and does not care whose; what is put there is for everybody.
pub fn request(method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(("127.0.0.1", port())).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {length}\r\n\
         x-amz-acl: public-read\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=none\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(!head.to_lowercase().contains("transfer-encoding"), "{head}");
    (status, answer[end + 4..].to_vec())
}
