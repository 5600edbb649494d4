//! Compression of the archive's data files, chunk by chunk.
//!
//! Invariant: chunks are independent (gzip members, zstd frames), so several threads can compress one file; readers see
//! one stream. zstd frames always carry a checksum (trap 4: without it 34 of 40 flipped bits go unnoticed).

use std::io;

/// The compression of data files, at the fastest level: see `doc/design.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    Gzip,
    Zstd,
}

impl Codec {
    /// The word in the manifest.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gzip => "gzip:1",
            Self::Zstd => "zstd:1",
        }
    }

    /// The file extension that pg_restore looks for.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Zstd => "zst",
        }
    }
}

/// Compresses chunks; each thread has its own.
pub enum Compressor {
    Gzip { gzip: Box<libdeflater::Compressor>, room: Vec<u8> },
    Zstd(Box<zstd::bulk::Compressor<'static>>),
}

impl Compressor {
    pub fn new(codec: Codec) -> io::Result<Self> {
        match codec {
            Codec::Gzip => {
                let level = libdeflater::CompressionLvl::new(1)
                    .map_err(|_| io::Error::other("gzip level 1 is not supported"))?;
                Ok(Self::Gzip { gzip: Box::new(libdeflater::Compressor::new(level)), room: Vec::new() })
            }
            Codec::Zstd => {
                let mut zstd = zstd::bulk::Compressor::new(1)?;
                zstd.include_checksum(true)?;
                Ok(Self::Zstd(Box::new(zstd)))
            }
        }
    }

    /// Compresses one chunk into a complete member or frame.
    pub fn compress(&mut self, chunk: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip { gzip, room } => {
                // Reused between chunks: a fresh buffer of a megabyte causes a page fault every 4 kB.
                let bound = gzip.gzip_compress_bound(chunk.len());
                if room.len() < bound {
                    room.resize(bound, 0);
                }
                let n =
                    gzip.gzip_compress(chunk, room).map_err(|_| io::Error::other("the gzip buffer is too small"))?;
                Ok(room[..n].to_vec())
            }
            Self::Zstd(zstd) => zstd.compress(chunk),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn members_and_frames_are_one_stream_and_notice_damage() {
        for codec in [Codec::Gzip, Codec::Zstd] {
            let mut compressor = Compressor::new(codec).unwrap();
            let mut stream = Vec::new();
            for chunk in ["one\n", "", "two\n"] {
                stream.extend(compressor.compress(chunk.as_bytes()).unwrap());
            }
            let read = |bytes: &[u8]| {
                let mut text = String::new();
                let result = match codec {
                    Codec::Gzip => flate2::bufread::MultiGzDecoder::new(bytes).read_to_string(&mut text),
                    Codec::Zstd => zstd::stream::read::Decoder::new(bytes).unwrap().read_to_string(&mut text),
                };
                result.map(|_| text)
            };
            assert_eq!(read(&stream).unwrap(), "one\ntwo\n");
            for at in (0..stream.len()).step_by(3) {
                let mut damaged = stream.clone();
                damaged[at] ^= 0x10;
                // A flipped bit in an unused header field may go unnoticed, but the text must not change.
                assert!(read(&damaged).map_or(true, |text| text == "one\ntwo\n"), "byte {at}");
            }
        }
    }
}
