//! ClickHouse's own compression of request and response bodies (`decompress=1`, `compress=1`): checksummed blocks.
//!
//! A block is a CityHash128 1.0.2 of all that follows, a method byte, the compressed length with its nine bytes of header,
//! the plain length, and the data. Promise kept: no length from outside is believed before it is checked.

use crate::error::Exception;
use bytes::{BufMut, Bytes, BytesMut};
use lz4_flex::frame::FrameDecoder;
use std::io::{self, BufRead, BufReader, Read};

const CHECKSUM: usize = 16;
const HEADER: usize = 9;
const METHOD_NONE: u8 = 0x02;
const METHOD_LZ4: u8 = 0x82;
const METHOD_ZSTD: u8 = 0x90;
/// ClickHouse refuses larger blocks (1 GiB); clients send about 1 MiB.
const MAX_BLOCK: usize = 256 << 20;

fn checksum(block: &[u8]) -> u128 {
    cityhash_rs::cityhash_102_128(block).rotate_right(64)
}

/// One block of plain bytes.
pub(crate) fn encode(plain: &[u8]) -> Bytes {
    let packed = lz4_flex::block::compress(plain);
    let mut frame = BytesMut::with_capacity(CHECKSUM + HEADER + packed.len());
    frame.put_u128_le(0);
    frame.put_u8(METHOD_LZ4);
    frame.put_u32_le(u32::try_from(packed.len() + HEADER).unwrap_or(u32::MAX));
    frame.put_u32_le(u32::try_from(plain.len()).unwrap_or(u32::MAX));
    frame.extend_from_slice(&packed);
    let sum = checksum(&frame[CHECKSUM..]).to_le_bytes();
    frame[..CHECKSUM].copy_from_slice(&sum);
    frame.freeze()
}

/// Reads the plain bytes of a stream of blocks.
pub(crate) struct FrameReader<R> {
    inner: R,
    plain: Vec<u8>,
    position: usize,
}

impl<R: Read> FrameReader<R> {
    pub(crate) const fn new(inner: R) -> Self {
        Self { inner, plain: Vec::new(), position: 0 }
    }

    /// Loads the next block; false at a clean end.
    fn advance(&mut self) -> io::Result<bool> {
        let mut head = [0_u8; CHECKSUM + HEADER];
        let mut filled = 0;
        while filled < head.len() {
            match self.inner.read(&mut head[filled..]) {
                Ok(0) if filled == 0 => return Ok(false),
                Ok(0) => {
                    return Err(refuse(Exception::cannot_decompress(
                        "Cannot read all data: the last block is cut short.",
                    )));
                }
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let length = |at: usize| {
            let bytes: [u8; 4] = head[at..at + 4].try_into().unwrap_or_default();
            u32::from_le_bytes(bytes) as usize
        };
        let (method, packed_length, plain_length) =
            (head[CHECKSUM], length(CHECKSUM + 1), length(CHECKSUM + 5));
        if !(HEADER..=MAX_BLOCK).contains(&packed_length) || plain_length > MAX_BLOCK {
            return Err(refuse(Exception::cannot_decompress("Too large or broken compressed block.")));
        }
        let mut block = Vec::new();
        block.extend_from_slice(&head[CHECKSUM..]);
        let wanted = (packed_length - HEADER) as u64;
        if io::copy(&mut (&mut self.inner).take(wanted), &mut block)? < wanted {
            return Err(refuse(Exception::cannot_decompress(
                "Cannot read all data: the last block is cut short.",
            )));
        }
        let expected = u128::from_le_bytes(head[..CHECKSUM].try_into().unwrap_or_default());
        if checksum(&block) != expected {
            return Err(refuse(Exception::checksum()));
        }
        self.plain = unpack(method, &block[HEADER..], plain_length)?;
        self.position = 0;
        Ok(true)
    }
}

fn unpack(method: u8, packed: &[u8], plain_length: usize) -> io::Result<Vec<u8>> {
    match method {
        METHOD_NONE => Ok(packed.to_vec()),
        // An LZ4 byte stands for at most 255: a length beyond that is a lie, not worth its memory.
        METHOD_LZ4 if plain_length / 255 > packed.len() => {
            Err(refuse(Exception::cannot_decompress("Broken LZ4 block.")))
        }
        METHOD_LZ4 => {
            let mut plain = vec![0; plain_length];
            match lz4_flex::block::decompress_into(packed, &mut plain) {
                Ok(count) if count == plain_length => Ok(plain),
                _ => Err(refuse(Exception::cannot_decompress("Broken LZ4 block."))),
            }
        }
        METHOD_ZSTD => {
            // Grows with what is really in it, whatever length the block claims.
            let mut plain = Vec::new();
            let read = zstd::Decoder::with_buffer(packed)
                .and_then(|decoder| decoder.take(plain_length as u64 + 1).read_to_end(&mut plain));
            match read {
                Ok(count) if count == plain_length => Ok(plain),
                _ => Err(refuse(Exception::cannot_decompress("Broken ZSTD block."))),
            }
        }
        other => {
            Err(refuse(Exception::cannot_decompress(format!("Unknown compression method: 0x{other:02x}"))))
        }
    }
}

/// Wraps an exception so that it can travel through a reader.
pub(crate) fn refuse(exception: Exception) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, Refusal(exception))
}

/// The exception inside a reader's error, or a general one.
pub(crate) fn exception_of(error: &io::Error) -> Exception {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Refusal>())
        .map_or_else(|| Exception::incomplete_body(error), |refusal| refusal.0.clone())
}

#[derive(Debug)]
struct Refusal(Exception);

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0.text)
    }
}

impl std::error::Error for Refusal {}

impl<R: Read> Read for FrameReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.position == self.plain.len() {
            if !self.advance()? {
                return Ok(0);
            }
        }
        let count = buffer.len().min(self.plain.len() - self.position);
        buffer[..count].copy_from_slice(&self.plain[self.position..self.position + count]);
        self.position += count;
        Ok(count)
    }
}

/// `Content-Encoding: lz4`: any number of LZ4 frames one behind the other, as `clickhouse-connect` sends them. The decoder
/// alone ends at the first frame's end, which would cut the data short without an error.
pub(crate) struct Lz4Frames<R: Read> {
    decoder: FrameDecoder<BufReader<R>>,
}

impl<R: Read> Lz4Frames<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { decoder: FrameDecoder::new(BufReader::with_capacity(64 << 10, inner)) }
    }
}

impl<R: Read> Read for Lz4Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.decoder.read(buffer)?;
            if count > 0 || buffer.is_empty() || self.decoder.get_mut().fill_buf()?.is_empty() {
                return Ok(count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_come_back_and_damage_is_seen() {
        let plain: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut stream = encode(&plain).to_vec();
        stream.extend_from_slice(&encode(b"tail"));
        let mut back = Vec::new();
        FrameReader::new(stream.as_slice()).read_to_end(&mut back).expect("intact");
        assert_eq!(back, [plain.as_slice(), b"tail"].concat());

        let mut damaged = stream.clone();
        damaged[40] ^= 1;
        let error = FrameReader::new(damaged.as_slice()).read_to_end(&mut Vec::new()).expect_err("damaged");
        assert_eq!(exception_of(&error).code, 40);
        let error =
            FrameReader::new(&stream[..stream.len() - 1]).read_to_end(&mut Vec::new()).expect_err("cut");
        assert_eq!(exception_of(&error).code, 271);
    }

    #[test]
    fn zstd_blocks_are_read_and_their_length_is_not_believed() {
        let block = |claimed: u32| {
            let packed = zstd::bulk::compress(&[7; 100_000], 1).expect("in memory");
            let length = u32::try_from(packed.len() + HEADER).expect("short");
            let mut body = vec![METHOD_ZSTD];
            body.extend_from_slice(&length.to_le_bytes());
            body.extend_from_slice(&claimed.to_le_bytes());
            body.extend_from_slice(&packed);
            [checksum(&body).to_le_bytes().to_vec(), body].concat()
        };
        let mut back = Vec::new();
        FrameReader::new(block(100_000).as_slice()).read_to_end(&mut back).expect("intact");
        assert_eq!(back, [7; 100_000]);
        for claimed in [0, 99_999, 100_001, 200 << 20] {
            let error =
                FrameReader::new(block(claimed).as_slice()).read_to_end(&mut Vec::new()).expect_err("a lie");
            assert_eq!(exception_of(&error).code, 271, "{claimed}");
        }
    }

    #[test]
    fn all_lz4_frames_of_a_body_are_read() {
        let frame = |bytes: &[u8]| {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            io::Write::write_all(&mut encoder, bytes).expect("in memory");
            encoder.finish().expect("in memory")
        };
        let parts: Vec<Vec<u8>> = (1..200_u8).map(|seed| vec![seed; usize::from(seed) * 997]).collect();
        let stream: Vec<u8> = parts.iter().flat_map(|part| frame(part)).collect();
        let mut back = Vec::new();
        Lz4Frames::new(stream.as_slice()).read_to_end(&mut back).expect("intact");
        assert_eq!(back, parts.concat());
        let cut = &stream[..stream.len() - 9];
        assert!(Lz4Frames::new(cut).read_to_end(&mut Vec::new()).is_err(), "a cut body must not pass");
    }

    #[test]
    fn a_block_of_a_real_server_is_read() {
        // "1\n" as ClickHouse frames it without compression: method 0x02, 11 bytes with the header, 2 plain.
        let body = [0x02, 11, 0, 0, 0, 2, 0, 0, 0, b'1', b'\n'];
        let mut stream = checksum(&body).to_le_bytes().to_vec();
        stream.extend_from_slice(&body);
        let mut back = Vec::new();
        FrameReader::new(stream.as_slice()).read_to_end(&mut back).expect("intact");
        assert_eq!(back, b"1\n");
    }
}
