//! A relay in front of the server that lets each connection read only so many bytes a second, and can stall: with it a
//! small database makes a long dump, and a network goes away without a word.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub struct Slow {
    pub port: u16,
    rate: Arc<AtomicU64>,
    stalled: Arc<Stalled>,
}

/// What no longer gets through. The sockets stay open.
#[derive(Default)]
struct Stalled {
    /// Connections with a number below this one.
    below: AtomicU64,
    opened: AtomicU64,
    relayed_bytes: AtomicU64,
}

impl Slow {
    /// Relays to `port` of this machine.
    pub fn to(port: u16, bytes_a_second: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let rate = Arc::new(AtomicU64::new(bytes_a_second));
        let shared = Arc::clone(&rate);
        let stalled = Arc::new(Stalled::default());
        let all = Arc::clone(&stalled);
        // It lives as long as the test program.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let number = all.opened.fetch_add(1, Ordering::Relaxed);
                let (rate, there, back) = (Arc::clone(&shared), Arc::clone(&all), Arc::clone(&all));
                std::thread::spawn(move || relay(from, to, None, (&there, number)));
                std::thread::spawn(move || relay(server, client, Some(&rate), (&back, number)));
            }
        });
        Self { port: own, rate, stalled }
    }

    /// From now on nothing gets through, in either direction.
    pub fn stall(&self) {
        self.stalled.below.store(u64::MAX, Ordering::Relaxed);
    }

    /// Nothing gets through on the connections of now; new ones work.
    pub fn stall_open_ones(&self) {
        self.stalled.below.store(self.stalled.opened.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// How many connections there have been.
    pub fn opened(&self) -> u64 {
        self.stalled.opened.load(Ordering::Relaxed)
    }

    pub fn relayed_bytes(&self) -> u64 {
        self.stalled.relayed_bytes.load(Ordering::Relaxed)
    }

    /// From now on as fast as it goes.
    pub fn open_up(&self) {
        self.rate.store(u64::MAX, Ordering::Relaxed);
    }
}

fn relay(mut from: TcpStream, mut to: TcpStream, rate: Option<&AtomicU64>, (stalled, number): (&Stalled, u64)) {
    let mut buffer = [0; 32 * 1024];
    while let Ok(n) = from.read(&mut buffer) {
        while number < stalled.below.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
        stalled.relayed_bytes.fetch_add(n as u64, Ordering::Relaxed);
        if n == 0 || to.write_all(&buffer[..n]).is_err() {
            break;
        }
        if let Some(rate) = rate.map(|r| r.load(Ordering::Relaxed)).filter(|r| *r < u64::MAX) {
            std::thread::sleep(Duration::from_micros(n as u64 * 1_000_000 / rate));
        }
    }
    let _ = (to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
}

/// A listener that takes connections and never says a word: a server that hangs.
pub struct SilentServer {
    _listener: TcpListener,
    pub port: u16,
}

impl SilentServer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { _listener: listener, port }
    }

    pub fn url(&self, password: &str) -> String {
        format!("postgresql://reader:{password}@127.0.0.1:{}/shop?sslmode=disable&connect_timeout=60", self.port)
    }
}
