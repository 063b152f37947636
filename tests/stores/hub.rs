//! Datasets of the hub, as it answers: lists in pages, files by way of another host, which is not told who
//! asks.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::faulty::stderr;
use crate::support::tables::column;
use crate::support::{Sandbox, read_output, texts, write_table};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const TOKEN: &str = "Bearer hf_of_somebody";
const FILES_OF_A_PAGE: usize = 2;

/// The dataset `org/set`, with these files at its one commit, which `main` and `refs/convert/parquet` stand at.
struct Hub {
    port: u16,
}

impl Hub {
    fn start(files: BTreeMap<String, Vec<u8>>) -> Self {
        Self::start_busy(files, Duration::ZERO)
    }

    /// One that has too much to do at first.
    fn start_busy(files: BTreeMap<String, Vec<u8>>, busy: Duration) -> Self {
        let since = Instant::now();
        let files = Arc::new(files);
        let [hub, elsewhere] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let (port, other) = (hub.local_addr().unwrap().port(), elsewhere.local_addr().unwrap().port());
        for (listener, is_elsewhere) in [(hub, false), (elsewhere, true)] {
            let files = Arc::clone(&files);
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let files = Arc::clone(&files);
                    std::thread::spawn(move || match since.elapsed() < busy {
                        true => refuse(stream),
                        false => answer(stream, &files, port, other, is_elsewhere),
                    });
                }
            });
        }
        Self { port }
    }

    fn sandbox(&self) -> Sandbox {
        let mut sandbox = Sandbox::new();
        sandbox.set("HF_ENDPOINT", format!("http://127.0.0.1:{}", self.port));
        sandbox.set("HF_TOKEN", "hf_of_somebody");
        sandbox
    }
}

fn refuse(mut stream: TcpStream) {
    let _ = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).count();
    let _ = stream.write_all(b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}

fn answer(
    mut stream: TcpStream,
    files: &BTreeMap<String, Vec<u8>>,
    hub: u16,
    other: u16,
    is_elsewhere: bool,
) {
    let mut lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let Some(first) = lines.next() else { return };
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned())))
        .collect();
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let authorization = headers.get("authorization").map(String::as_str);
    let mut more = String::new();
    let (status, body) = if is_elsewhere {
        assert_eq!(authorization, None, "another host was told who asks");
        let file = &files[&decoded(&path[1..])];
        more += "ETag: \"a-tag\"\r\nAccept-Ranges: bytes\r\n";
        match headers.get("range").map(|range| range.strip_prefix("bytes=").unwrap().split_once('-').unwrap())
        {
            None => (200, file.clone()),
            Some((start, end)) => {
                let (start, end): (usize, usize) = (start.parse().unwrap(), end.parse().unwrap());
                let end = (end + 1).min(file.len());
                more += &format!("Content-Range: bytes {start}-{}/{}\r\n", end - 1, file.len());
                (206, file[start..end].to_vec())
            }
        }
    } else if authorization != Some(TOKEN) {
        (401, Vec::new())
    } else if let Some(revision) = path.strip_prefix("/api/datasets/org/set/revision/") {
        match revision {
            "main" | "refs%2Fconvert%2Fparquet" => (200, json!({"sha": COMMIT}).to_string().into_bytes()),
            _ => (404, Vec::new()),
        }
    } else if let Some(rest) = path.strip_prefix(&format!("/api/datasets/org/set/tree/{COMMIT}")) {
        let (folder, query) = rest.split_once('?').unwrap();
        let folder = &decoded(folder.trim_matches('/'));
        let from: usize = query.split("cursor=").nth(1).map_or(0, |from| from.parse().unwrap());
        let within = files.keys().filter(|name| folder.is_empty() || name.starts_with(&format!("{folder}/")));
        let within: Vec<&String> = within.collect();
        if from + FILES_OF_A_PAGE < within.len() {
            let cursor = from + FILES_OF_A_PAGE;
            more += &format!(
                "Link: <http://127.0.0.1:{hub}/api/datasets/org/set/tree/{COMMIT}/{folder}?recursive=true&cursor={cursor}>; rel=\"next\"\r\n"
            );
        }
        let entry = |name: &&String| json!({"type": "file", "path": name, "size": files[*name].len(), "oid": format!("oid-{name}")});
        let mut entries: Vec<_> = within.iter().skip(from).take(FILES_OF_A_PAGE).map(entry).collect();
        entries.push(json!({"type": "directory", "path": "data", "size": 0, "oid": "d"}));
        (200, serde_json::to_vec(&entries).unwrap())
    } else if let Some(name) = path.strip_prefix(&format!("/datasets/org/set/resolve/{COMMIT}/"))
        && files.contains_key(&decoded(name))
    {
        more += &format!("Location: http://127.0.0.1:{other}/{name}\r\n");
        (302, Vec::new())
    } else {
        (404, Vec::new())
    };
    let length = body.len();
    let body = if method == "HEAD" { Vec::new() } else { body };
    let head =
        format!("HTTP/1.1 {status} Answer\r\nConnection: close\r\nContent-Length: {length}\r\n{more}\r\n");
    let _ = stream.write_all(&[head.as_bytes(), &body].concat());
}

fn decoded(path: &str) -> String {
    path.replace("%20", " ").replace("%23", "#").replace("%25", "%")
}

fn dataset() -> BTreeMap<String, Vec<u8>> {
    let sandbox = Sandbox::new();
    let names = [
        "data/test 100%25#1.parquet",
        "data/train-0.parquet",
        "data/train-1.parquet",
        "data/train-2.parquet",
    ];
    let files = names.map(|name| {
        write_table(&sandbox.path("in.parquet"), &texts([name]));
        (name.to_owned(), fs_err::read(sandbox.path("in.parquet")).unwrap())
    });
    BTreeMap::from(files)
}

#[test]
fn datasets_of_the_hub_are_read_at_one_commit() {
    let hub = Hub::start(dataset());
    let sandbox = hub.sandbox();
    for (input, rows) in [
        ("hf://datasets/org/set/data/train-*.parquet", 3),
        ("hf://datasets/org/set@refs%2Fconvert%2Fparquet/data", 4),
        ("hf://datasets/org/set", 4),
        ("hf://datasets/org/set@main/data/train-1.parquet", 1),
    ] {
        sandbox.succeed(&format!("run --input {input} --output out --model tiny-bert"));
        let output = read_output(&sandbox.path("out"));
        assert_eq!(column(&output, "text").len(), rows, "{input}");
        // The commit tells what was read, whatever the branch stands at later.
        let manifest = fs_err::read_to_string(sandbox.path("out/_strata/manifest.json")).unwrap();
        assert!(manifest.contains(COMMIT) && !manifest.contains("hf_of_somebody"), "{manifest}");
        fs_err::remove_dir_all(sandbox.path("out")).unwrap();
    }
}

#[test]
fn a_hub_that_has_too_much_to_do_is_asked_for_as_long_as_any_store() {
    let hub = Hub::start_busy(dataset(), Duration::from_secs(8));
    hub.sandbox().succeed("run --input hf://datasets/org/set --output out --model tiny-bert");
    // And what it said is told, once the patience is over.
    let hub = Hub::start_busy(dataset(), Duration::MAX);
    let command =
        "run --input hf://datasets/org/set --output out --model tiny-bert --storage-option retry_timeout=2";
    let run = hub.sandbox().strata(command).output().unwrap();
    assert_eq!(run.status.code(), Some(74), "{}", stderr(&run));
    assert!(stderr(&run).contains("the hub answered 503"), "{}", stderr(&run));
}

#[test]
fn a_dataset_that_is_not_there_or_not_for_everybody_is_said_to_be_so() {
    let hub = Hub::start(dataset());
    let mut sandbox = hub.sandbox();
    let says = |sandbox: &Sandbox, input: &str, code: i32, words: &str| {
        let run =
            sandbox.strata(&format!("run --input {input} --output out --model tiny-bert")).output().unwrap();
        let message = stderr(&run);
        assert!(run.status.code() == Some(code) && message.contains(words), "{input}: {message}");
    };
    says(&sandbox, "hf://datasets/org/other", 2, "the dataset org/other at main was not found");
    says(&sandbox, "hf://datasets/org/set@v2/a.parquet", 2, "the dataset org/set at v2 was not found");
    says(&sandbox, "hf://datasets/org/set/no.parquet", 66, "found nothing");
    says(&sandbox, "hf://datasets/org", 2, "hf://datasets/OWNER/NAME/path");
    sandbox.set("HF_TOKEN", "");
    says(&sandbox, "hf://datasets/org/set", 2, "set HF_TOKEN");
}
