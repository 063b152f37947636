//! What may go wrong between the program and a store: connections that are cut in the middle of a request or
//! an answer, answers that never come, servers that are too busy.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// What happens to a connection.
#[derive(Debug, Clone)]
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
    /// Lists have fractions of seconds, as those of many servers.
    Milliseconds,
    /// It is cut if it is the one that goes beyond so many bytes of all connections together.
    CutOnce { what: Side, after: usize, passed: Arc<AtomicUsize> },
}

/// One of the two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Requests,
    Answers,
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

    /// Cuts one connection, where all answers together, or all requests, have come to so many bytes.
    pub fn cut_once(server: u16, what: Side, after: usize) -> (Self, Arc<AtomicUsize>) {
        let passed = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&passed);
        let proxy = Self::start(server, move |_| Fate::CutOnce { what, after, passed: Arc::clone(&counted) });
        (proxy, passed)
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
    let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let own = fate.clone();
    let requests = std::thread::spawn(move || copy(from, to, Side::Requests, &own));
    copy(server, client, Side::Answers, &fate);
    let _ = requests.join();
}

/// Copies until one side ends or its fate comes; then both sides are cut.
fn copy(mut from: TcpStream, mut to: TcpStream, side: Side, fate: &Fate) {
    let mut left = match (fate, side) {
        (Fate::CutRequest(most), Side::Requests) | (Fate::CutAnswer(most), Side::Answers) => *most,
        _ => usize::MAX,
    };
    let mut bytes = [0; 16 * 1024];
    while left > 0 {
        let Ok(mut count @ 1..) = from.read(&mut bytes) else { break };
        match fate {
            Fate::Late(late) => std::thread::sleep(*late),
            Fate::Milliseconds if side == Side::Answers => {
                let places: Vec<usize> = bytes[..count]
                    .windows(5)
                    .enumerate()
                    .filter(|(_, five)| five == b".000Z")
                    .map(|(at, _)| at)
                    .collect();
                places.into_iter().for_each(|at| bytes[at..at + 5].copy_from_slice(b".123Z"));
            }
            Fate::CutOnce { what, after, passed } if *what == side => {
                let before = passed.fetch_add(count, Ordering::Relaxed);
                if (before..before + count).contains(after) {
                    count = after - before;
                    left = count;
                }
            }
            _ => {}
        }
        count = count.min(left);
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
        left -= count;
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
