//! A second server of S3's protocol, which holds conditions and signatures to be what they say. Its buckets are
//! folders.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::server::at_port;
use crate::faulty::{self, kill_if_alive, side_by_side, start, stderr, wait_until};
use crate::support::{Sandbox, set_up};

/// The server, over the folder `buckets` of a sandbox.
struct Server {
    port: u16,
    process: Child,
}

impl Server {
    fn start(sandbox: &Sandbox) -> Self {
        fs_err::create_dir_all(sandbox.path("buckets/bucket")).unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let mut command = Command::new(set_up(".s3s/bin/s3s-fs"));
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        command.args(["--access-key", "AKIATHEKEYOFNOBODY", "--secret-key", "the-secret-of-nobody"]);
        command.arg(sandbox.path("buckets")).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap();
        wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { port, process }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_server_that_holds_to_conditions_gets_the_parts_of_a_folder_whoever_is_killed() {
    let folder = Sandbox::new();
    let server = Server::start(&folder);
    let sandbox = at_port(faulty::sandbox(), server.port);
    sandbox.succeed(&faulty::command("clean"));
    let clean: Vec<Vec<u8>> = sandbox.parts("clean").into_values().collect();
    let numbers: Vec<u32> = (0..12).collect();
    side_by_side(&numbers, |number| {
        let output = format!("s3://bucket/out-{number}");
        let shard = |index: u32| format!("{} --shard {index}/2", faulty::command(&output));
        // Two shards, of which one is killed, and then whatever is missing.
        let mut runs = [0, 1].map(|index| start(&mut sandbox.strata(&shard(index))));
        std::thread::sleep(Duration::from_millis(30 * u64::from(*number)));
        kill_if_alive(&mut runs[0]);
        for mut run in runs {
            run.wait().unwrap();
        }
        let run = sandbox.strata(&faulty::command(&output)).output().unwrap();
        assert!(run.status.success(), "{output}: {}", stderr(&run));
        // The names sort as those of a folder do.
        let parts = folder.parts(&format!("buckets/bucket/out-{number}")).into_values();
        assert_eq!(parts.collect::<Vec<_>>(), clean, "{output}");
        sandbox.succeed(&format!("verify {output}"));
    });
}
