//! A pooler in front of a server, as far as it matters here: it takes the `options` out of what a client begins with, or
//! refuses whoever has some.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

/// What it does with `options`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Options {
    Ignored,
    Refused,
}

/// The port of one that lives as long as the test.
pub fn in_front_of(port: u16, options: Options) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    let server = format!("127.0.0.1:{port}");
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = server.clone();
            std::thread::spawn(move || serve(client, &server, options));
        }
    });
    own
}

/// Message of the beginning: its length, counted with itself, and the rest.
fn first(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    client.read_exact(&mut length).ok()?;
    let mut rest = vec![0; u32::from_be_bytes(length) as usize - 4];
    client.read_exact(&mut rest).ok()?;
    Some(rest)
}

fn serve(mut client: TcpStream, server: &str, options: Options) -> Option<()> {
    const PROTOCOL_3: [u8; 2] = [0, 3];
    let start = loop {
        let message = first(&mut client)?;
        if message.starts_with(&PROTOCOL_3) {
            break message;
        }
        // A request for encryption.
        client.write_all(b"N").ok()?;
    };
    let words: Vec<&[u8]> = start[4..].split(|byte| *byte == 0).collect();
    let has = words.chunks(2).any(|pair| pair[0] == b"options");
    if has && options == Options::Refused {
        let refusal = b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0";
        client.write_all(b"E").ok()?;
        client.write_all(&(u32::try_from(refusal.len()).unwrap() + 4).to_be_bytes()).ok()?;
        return client.write_all(refusal).ok();
    }
    let mut passed = start[..4].to_vec();
    for pair in words.chunks(2).filter(|pair| pair.len() == 2 && !pair[0].is_empty() && pair[0] != b"options") {
        pair.iter().for_each(|word| passed.extend(word.iter().chain(&[0])));
    }
    passed.push(0);
    let mut to = TcpStream::connect(server).ok()?;
    to.write_all(&(u32::try_from(passed.len()).unwrap() + 4).to_be_bytes()).ok()?;
    to.write_all(&passed).ok()?;
    let (mut up, mut down) = (client.try_clone().ok()?, to.try_clone().ok()?);
    let upwards = std::thread::spawn(move || {
        let _ = std::io::copy(&mut up, &mut down);
        let _ = down.shutdown(Shutdown::Write);
    });
    let _ = std::io::copy(&mut to, &mut client);
    let _ = client.shutdown(Shutdown::Both);
    upwards.join().ok()
}
