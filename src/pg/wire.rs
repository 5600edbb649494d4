//! A stream below the protocol library that splits long COPY messages of the server into short ones.
//!
//! Invariant: it never changes, loses or adds a byte of a row. The server sends a row as one message of up to 1 GB, and
//! the library buffers whole messages; here such a message becomes several of at most [`PIECE_BYTES`], so that a long
//! row needs no more memory than a short one. All messages except `CopyData` pass through unchanged.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use super::pulse::Pulse;

/// Maximum number of row bytes in one message.
const PIECE_BYTES: usize = 64 << 10;
const HELD_BYTES: usize = 64 << 10;
/// Message type and length.
const HEADER_BYTES: usize = 5;
const COPY_DATA: u8 = b'd';
const READY_FOR_QUERY: u8 = b'Z';

/// A stream to a server.
pub struct Wire<S> {
    stream: S,
    framing: Framing,
    pulse: Arc<Pulse>,
}

impl<S> Wire<S> {
    pub fn new(stream: S, pulse: Arc<Pulse>) -> Self {
        Self { stream, framing: Framing::new(PIECE_BYTES), pulse }
    }
}

/// Bytes that were read and not passed on yet, and the position within the current message.
struct Framing {
    piece_bytes: usize,
    held: Box<[u8]>,
    start: usize,
    end: usize,
    /// A generated header, to be passed on first.
    header: [u8; HEADER_BYTES],
    header_left: usize,
    /// Number of bytes to pass on unchanged.
    pass: usize,
    /// Remaining bytes of a long message after them.
    cut: usize,
    /// A ReadyForQuery message was seen.
    ready: bool,
}

impl Framing {
    fn new(piece_bytes: usize) -> Self {
        let held = vec![0; HELD_BYTES].into_boxed_slice();
        Self { piece_bytes, held, start: 0, end: 0, header: [0; 5], header_left: 0, pass: 0, cut: 0, ready: false }
    }

    /// Passes on as much as possible. If it writes nothing, it needs more input.
    fn fill(&mut self, out: &mut ReadBuf<'_>) {
        while out.remaining() > 0 {
            if self.header_left > 0 {
                let from = HEADER_BYTES - self.header_left;
                let count = self.header_left.min(out.remaining());
                out.put_slice(&self.header[from..from + count]);
                self.header_left -= count;
            } else if self.pass > 0 {
                let count = self.pass.min(self.end - self.start).min(out.remaining());
                if count == 0 {
                    return;
                }
                out.put_slice(&self.held[self.start..self.start + count]);
                self.start += count;
                self.pass -= count;
            } else if self.cut > 0 {
                let length = self.cut.min(self.piece_bytes);
                self.cut -= length;
                self.pass = length;
                self.header[0] = COPY_DATA;
                // The payload, plus the length field's own four bytes.
                self.header[1..].copy_from_slice(&u32::try_from(length + 4).unwrap_or(u32::MAX).to_be_bytes());
                self.header_left = HEADER_BYTES;
            } else if !self.read_headers() {
                return;
            }
        }
    }

    /// Parses the buffered headers. False if no complete header is buffered.
    fn read_headers(&mut self) -> bool {
        while let Some([tag, length @ ..]) =
            self.held[..self.end].get(self.start + self.pass..).and_then(<[u8]>::first_chunk::<HEADER_BYTES>)
        {
            let length = u32::from_be_bytes(*length) as usize;
            let body = length.saturating_sub(4);
            self.ready |= *tag == READY_FOR_QUERY;
            if *tag != COPY_DATA || body <= self.piece_bytes {
                // A length below four is invalid: the protocol library reports it.
                self.pass += 1 + length.max(4);
            } else if self.pass == 0 {
                self.start += HEADER_BYTES;
                self.cut = body;
                return true;
            } else {
                return true;
            }
        }
        self.pass > 0
    }

    /// Free buffer space to read into.
    fn room(&mut self) -> &mut [u8] {
        self.held.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        &mut self.held[self.end..]
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { stream, framing, pulse } = &mut *self;
        let before = out.filled().len();
        loop {
            framing.fill(out);
            if std::mem::take(&mut framing.ready) {
                pulse.answered();
            }
            if out.filled().len() > before || out.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            let mut room = ReadBuf::new(framing.room());
            let polled = Pin::new(&mut *stream).poll_read(cx, &mut room);
            pulse.read(polled.is_ready());
            ready!(polled)?;
            let read = room.filled().len();
            if read == 0 {
                // The stream has ended, perhaps inside a header: the protocol library reports it.
                framing.pass = framing.pass.max(framing.end - framing.start);
                framing.fill(out);
                return Poll::Ready(Ok(()));
            }
            framing.end += read;
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.pulse.wrote(polled.is_ready());
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: TlsStream + Unpin> TlsStream for Wire<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.stream.channel_binding()
    }
}

/// Creates the TLS stream of `connector` with this layer on top.
pub struct WireTls<C>(pub C, pub Arc<Pulse>);

impl<C, S> TlsConnect<S> for WireTls<C>
where
    C: TlsConnect<S>,
    C::Future: Send + 'static,
{
    type Stream = Wire<C::Stream>;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, Self::Error>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        let Self(connector, pulse) = self;
        let shaken = connector.connect(stream);
        Box::pin(async move { shaken.await.map(|stream| Wire::new(stream, pulse)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[tag], &length[..], body].concat()
    }

    /// Returns its bytes in chunks of the given sizes.
    struct Portions {
        bytes: Vec<u8>,
        sizes: Vec<usize>,
    }

    impl AsyncRead for Portions {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let size = self.sizes.pop().unwrap_or(usize::MAX).max(1).min(self.bytes.len()).min(out.remaining());
            out.put_slice(&self.bytes[..size]);
            self.bytes.drain(..size);
            Poll::Ready(Ok(()))
        }
    }

    fn through(bytes: &[u8], piece_bytes: usize, sizes: Vec<usize>, at_once: usize) -> Vec<u8> {
        let stream = Portions { bytes: bytes.to_vec(), sizes };
        let mut wire = Wire { stream, framing: Framing::new(piece_bytes), pulse: Arc::new(Pulse::new()) };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut all, mut buffer) = (Vec::new(), vec![0; at_once]);
            loop {
                match wire.read(&mut buffer).await.unwrap() {
                    0 => return all,
                    count => all.extend_from_slice(&buffer[..count]),
                }
            }
        })
    }

    /// The complete messages, with the data of consecutive COPY messages joined.
    fn meaning(mut bytes: &[u8], longest: usize) -> (Vec<(u8, Vec<u8>)>, Vec<u8>) {
        let mut found: Vec<(u8, Vec<u8>)> = Vec::new();
        while let Some([tag, length @ ..]) = bytes.first_chunk::<HEADER_BYTES>() {
            let end = 1 + u32::from_be_bytes(*length) as usize;
            let Some(body) = bytes.get(HEADER_BYTES..end) else { break };
            assert!(*tag != COPY_DATA || body.len() <= longest, "{} bytes", body.len());
            match found.last_mut() {
                Some((COPY_DATA, before)) if *tag == COPY_DATA => before.extend_from_slice(body),
                _ => found.push((*tag, body.to_vec())),
            }
            bytes = &bytes[end..];
        }
        (found, bytes.to_vec())
    }

    #[test]
    fn only_long_rows_are_cut() {
        let row = vec![b'x'; 1000];
        let bytes = [message(b'D', &row), message(b'd', b"short\n"), message(b'd', &row), message(b'c', b"")].concat();
        let wanted = [
            message(b'D', &row),
            message(b'd', b"short\n"),
            message(b'd', &row[..600]),
            message(b'd', &row[600..]),
            message(b'c', b""),
        ];
        assert_eq!(through(&bytes, 600, Vec::new(), 8192), wanted.concat());
        assert_eq!(through(&bytes, 1000, Vec::new(), 8192), bytes);
    }

    #[test]
    fn a_stream_that_ends_in_a_message_ends_there() {
        let bytes = [message(b'd', &[b'x'; 50]), message(b'Z', b"I")].concat();
        for end in 0..bytes.len() {
            let got = through(&bytes[..end], 10, Vec::new(), 8192);
            let (messages, _) = meaning(&got, 10);
            assert!(messages.iter().all(|(tag, body)| *tag == b'd' && body.len() <= 50), "{end}");
        }
    }

    proptest! {
        #[test]
        fn what_is_said_stays_the_same_however_it_is_cut(
            messages in proptest::collection::vec((proptest::sample::select(&b"dddDZcC"[..]), 0usize..300), 0..20),
            piece_bytes in 1usize..200,
            sizes in proptest::collection::vec(0usize..200, 0..60),
            at_once in 1usize..500,
        ) {
            let bodies = messages.iter().enumerate();
            let bytes: Vec<u8> = bodies
                .flat_map(|(at, (tag, length))| message(*tag, &vec![u8::try_from(at).unwrap(); *length]))
                .collect();
            let got = through(&bytes, piece_bytes, sizes, at_once);
            prop_assert_eq!(meaning(&got, piece_bytes), meaning(&bytes, usize::MAX));
        }
    }
}
