//! Records that Kafka refuses for themselves: kept on the disk, beside the segments, so that what follows them goes on.
//!
//! One file in the form of a segment ([`super::format`]), so each record is under a checksum of its bytes and place. Promise: a record leaves
//! the spool only after it was synced here; the file is bounded, and when it is full the spool waits for somebody to look at it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::disk::{SpoolError, private};
use super::format::{FRAME_BYTES, HEADER_BYTES, SegmentHeader, Step, step, write_record};

/// Name of the file.
const NAME: &str = "quarantine";

/// The file, and how much it holds.
#[derive(Debug)]
pub(super) struct Quarantine {
    folder: PathBuf,
    file: Option<(File, SegmentHeader)>,
    bytes: u64,
    most: u64,
}

impl Quarantine {
    /// Takes over what the last process left there, without a torn end.
    pub(super) fn open(folder: &Path, most: u64) -> Result<Quarantine, SpoolError> {
        let path = folder.join(NAME);
        let mut quarantine = Quarantine { folder: folder.to_owned(), file: None, bytes: 0, most };
        if !path.exists() {
            return Ok(quarantine);
        }
        let taken =
            || -> std::io::Result<(File, Vec<u8>)> { Ok((private().open(&path)?, std::fs::read(&path)?)) };
        let (file, bytes) = taken().map_err(|source| SpoolError::Io { path: path.clone(), source })?;
        // Without its header nothing in it can be told apart; it is left for somebody to look at, and a new one is begun.
        let Some(header) = SegmentHeader::parse(&bytes) else {
            let aside = folder.join(format!("{NAME}-unreadable"));
            tracing::error!("the header of the spool's quarantine is damaged; it is put aside");
            std::fs::rename(&path, aside).map_err(|source| SpoolError::Io { path, source })?;
            return Ok(quarantine);
        };
        let (mut at, mut records) = (HEADER_BYTES, 0_u64);
        quarantine.bytes = HEADER_BYTES as u64;
        loop {
            match step(&bytes, at, header.id, 0) {
                Step::Record { end, .. } => {
                    (at, records, quarantine.bytes) = (end, records + 1, end as u64);
                }
                Step::Damage { end } => at = end,
                Step::DamagedTail | Step::End => break,
            }
        }
        tracing::warn!(events = records, "the spool's quarantine holds events that Kafka refused");
        quarantine.file = Some((file, header));
        Ok(quarantine)
    }

    /// Bytes of the file.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds the body of a record and syncs it; whether there was room.
    pub(super) fn add(&mut self, body: &[u8]) -> std::io::Result<bool> {
        if self.bytes.max(HEADER_BYTES as u64) + (FRAME_BYTES + body.len()) as u64 > self.most {
            return Ok(false);
        }
        if self.file.is_none() {
            let header = SegmentHeader { number: 0, id: uuid::Uuid::new_v4().as_u64_pair().0 };
            let file = private().open(self.folder.join(NAME))?;
            file.set_len(0)?;
            file.write_all_at(&header.to_bytes(), 0)?;
            file.sync_all()?;
            File::open(&self.folder)?.sync_all()?;
            self.file = Some((file, header));
            self.bytes = HEADER_BYTES as u64;
        }
        let Some((file, header)) = &self.file else { return Ok(false) };
        let mut frame = Vec::with_capacity(FRAME_BYTES + body.len());
        write_record(&mut frame, header.id, self.bytes, body);
        // What a failed try left behind is written over by the next one.
        file.write_all_at(&frame, self.bytes)?;
        file.sync_data()?;
        self.bytes += frame.len() as u64;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use touchstream_schemas::event::Family;
    use touchstream_schemas::time::EventTime;

    use super::super::format::Record;
    use super::*;

    #[test]
    fn what_was_put_there_stays_whole_and_within_its_bound() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || Quarantine::open(folder.path(), 390).expect("it can be used");
        let mut body = Vec::new();
        let (spooled_at, family) = (EventTime(1), Family::App);
        Record { spooled_at, family, key: b"k", payload: &[7; 66] }.write_body(&mut body);
        let mut quarantine = open();
        assert!(!folder.path().join(NAME).exists(), "made when it is needed");
        assert!(
            quarantine.add(&body).expect("there is a disk")
                && quarantine.add(&body).expect("there is a disk")
        );
        let (whole, path) = (quarantine.bytes(), folder.path().join(NAME));
        // Torn within the third record: the next one takes its place.
        assert!(quarantine.add(&body).expect("there is a disk"));
        let file = private().open(&path).expect("it is there");
        file.set_len(whole + 30).expect("it is cut");
        let mut quarantine = open();
        assert_eq!(quarantine.bytes(), whole);
        assert!(quarantine.add(&body).expect("there is a disk"));
        assert!(!quarantine.add(&body).expect("nothing is written"), "it is full");
        assert_eq!(open().bytes(), quarantine.bytes());
        file.write_all_at(&[0; 4], 0).expect("the header is damaged");
        assert_eq!(open().bytes(), 0);
        assert!(folder.path().join("quarantine-unreadable").exists());
    }
}
