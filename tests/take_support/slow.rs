//! A relay in front of the server that lets each connection read only so many bytes a second, and can be cut: with it
//! a small database makes a long dump.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub struct Slow {
    pub port: u16,
    rate: Arc<AtomicU64>,
}

impl Slow {
    /// Relays to `port` of this machine.
    pub fn to(port: u16, bytes_a_second: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let rate = Arc::new(AtomicU64::new(bytes_a_second));
        let shared = Arc::clone(&rate);
        // It lives as long as the test program.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || relay(from, to, None));
                let rate = Arc::clone(&shared);
                std::thread::spawn(move || relay(server, client, Some(&rate)));
            }
        });
        Self { port: own, rate }
    }

    /// From now on as fast as it goes.
    pub fn open_up(&self) {
        self.rate.store(u64::MAX, Ordering::Relaxed);
    }
}

fn relay(mut from: TcpStream, mut to: TcpStream, rate: Option<&AtomicU64>) {
    let mut buffer = [0; 32 * 1024];
    while let Ok(n) = from.read(&mut buffer) {
        if n == 0 || to.write_all(&buffer[..n]).is_err() {
            break;
        }
        if let Some(rate) = rate.map(|r| r.load(Ordering::Relaxed)).filter(|r| *r < u64::MAX) {
            std::thread::sleep(Duration::from_micros(n as u64 * 1_000_000 / rate));
        }
    }
    let _ = (to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
}
