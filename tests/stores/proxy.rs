//! What may go wrong between the program and a store: connections that are cut in the middle of a request or
//! an answer, answers that never come, servers that are too busy.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// What happens to a connection.
#[derive(Debug, Clone, Copy)]
pub enum Fate {
    /// Nothing.
    Fine,
    /// It is cut after so many bytes of answers.
    CutAnswer(usize),
    /// It is cut after so many bytes of requests.
    CutRequest(usize),
    /// Everything comes this late.
    Late(Duration),
    /// The server says at once that it has too much to do.
    Busy(u16),
}

/// A way to the server on another port.
pub struct Proxy {
    pub port: u16,
}

impl Proxy {
    /// Decides the fate of each connection by its number.
    pub fn start(server: u16, fate: impl Fn(usize) -> Fate + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let count = AtomicUsize::new(0);
        // Threads end with the process, or with their connection.
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { continue };
                let fate = fate(count.fetch_add(1, Ordering::Relaxed));
                std::thread::spawn(move || pass(client, server, fate));
            }
        });
        Self { port }
    }

    /// One in three connections meets something, as a generator with this seed has it.
    pub fn rough(server: u16, seed: u64) -> Self {
        let state = AtomicU64::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let random = move || {
            let next = |x: u64| {
                let x = x ^ (x << 13);
                let x = x ^ (x >> 7);
                Some(x ^ (x << 17))
            };
            let now = state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).unwrap();
            now.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33
        };
        Self::start(server, move |_| match random() % 15 {
            0 => Fate::Busy(503),
            1 => Fate::Busy(429),
            2 => Fate::CutAnswer((random() % 300) as usize),
            3 => Fate::CutAnswer((random() % 20_000) as usize),
            4 => Fate::CutRequest((random() % 4_000) as usize),
            5 => Fate::Late(Duration::from_millis(random() % 200)),
            _ => Fate::Fine,
        })
    }
}

fn pass(mut client: TcpStream, server: u16, fate: Fate) {
    if let Fate::Busy(status) = fate {
        let mut request = [0; 4096];
        let _ = client.read(&mut request);
        let answer = format!("HTTP/1.1 {status} Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let _ = client.write_all(answer.as_bytes());
        return;
    }
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { return };
    let (most_requests, most_answers, late) = match fate {
        Fate::CutRequest(most) => (most, usize::MAX, Duration::ZERO),
        Fate::CutAnswer(most) => (usize::MAX, most, Duration::ZERO),
        Fate::Late(late) => (usize::MAX, usize::MAX, late),
        Fate::Fine | Fate::Busy(_) => (usize::MAX, usize::MAX, Duration::ZERO),
    };
    let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let requests = std::thread::spawn(move || copy(from, to, most_requests, late));
    copy(server, client, most_answers, late);
    let _ = requests.join();
}

/// Copies until one side ends or so many bytes have passed; then both sides are cut.
fn copy(mut from: TcpStream, mut to: TcpStream, most: usize, late: Duration) {
    let mut left = most;
    let mut bytes = [0; 16 * 1024];
    while left > 0 {
        let Ok(count @ 1..) = from.read(&mut bytes) else { break };
        std::thread::sleep(late);
        let count = count.min(left);
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
        left -= count;
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
