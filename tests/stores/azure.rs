//! Azure, as far as its emulator goes. Without Node.js there is none, and these tests say so.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use super::server::between;
use crate::faulty::{self, kill_if_alive, side_by_side, start, stderr};
use crate::support::{Sandbox, repository};

struct Azure {
    port: u16,
    process: Child,
}

impl Azure {
    /// Starts the emulator, with the one container `container`; none where it is not installed.
    #[expect(clippy::print_stdout, reason = "whoever reads the log of a test should see that it was skipped")]
    fn start() -> Option<Self> {
        let program = repository().join(".azurite/node_modules/.bin/azurite-blob");
        if !program.exists() {
            println!("skipped: Azure's emulator is not there (make setup installs it where npm is)");
            return None;
        }
        let mut command = Command::new("python3");
        command.arg(repository().join("tests/stores/azure.py")).arg(program);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Some(Self { port: line.trim().parse().unwrap(), process })
    }

    fn sandbox(&self, mut sandbox: Sandbox) -> Sandbox {
        sandbox.set("AZURE_STORAGE_USE_EMULATOR", "true");
        sandbox.set("AZURITE_BLOB_STORAGE_URL", format!("http://127.0.0.1:{}", self.port));
        sandbox
    }

    /// Asks as anybody.
    fn get(&self, path: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = format!(
            "GET /devstoreaccount1/container{path} HTTP/1.0\r\nHost: 127.0.0.1\r\nx-ms-version: 2021-08-06\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
        answer[end + 4..].to_vec()
    }

    fn parts(&self, output: &str) -> BTreeMap<String, Vec<u8>> {
        let list = self.get(&format!("?restype=container&comp=list&prefix={output}/data/"));
        let names = between(&String::from_utf8(list).unwrap(), "<Name>", "</Name>").into_iter();
        names
            .map(|name| {
                let (stem, _) = name.rsplit('/').next().unwrap().rsplit_once('-').unwrap();
                (format!("{stem}.parquet"), self.get(&format!("/{name}")))
            })
            .collect()
    }
}

impl Drop for Azure {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

#[test]
fn outputs_in_azure_are_those_of_a_folder_whoever_is_killed() {
    let Some(azure) = Azure::start() else { return };
    let sandbox = azure.sandbox(faulty::sandbox());
    sandbox.succeed(&faulty::command("clean"));
    let clean = sandbox.parts("clean");
    let numbers: Vec<u32> = (0..6).collect();
    side_by_side(&numbers, |number| {
        let command = faulty::command(&format!("az://container/out-{number}"));
        if *number > 0 {
            let mut run = start(&mut sandbox.strata(&command));
            std::thread::sleep(std::time::Duration::from_millis(150 * u64::from(*number)));
            kill_if_alive(&mut run);
            run.wait().unwrap();
        }
        let run = sandbox.strata(&command).output().unwrap();
        assert!(run.status.success(), "{}", stderr(&run));
        assert_eq!(azure.parts(&format!("out-{number}")), clean);
        sandbox.succeed(&format!("verify az://container/out-{number}"));
    });
    // And back again.
    sandbox.succeed(
        "run --input az://container/out-0/data/*.parquet --output again --model tiny-bert --keep text",
    );
}
