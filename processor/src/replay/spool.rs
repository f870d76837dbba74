//! Records that wait for their transaction, in a temporary file: it is opened only when all of them are known, so that it is short and a replay
//! that dies leaves none open for long.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};

/// Written once, read once.
#[derive(Debug)]
pub(super) struct Spool {
    file: BufWriter<File>,
    topics: Vec<String>,
    pub(super) records: u64,
}

/// Stands for "no value" and "no partition".
const NONE: u32 = u32::MAX;

impl Spool {
    pub(super) fn new() -> std::io::Result<Spool> {
        Ok(Spool {
            file: BufWriter::with_capacity(1 << 20, tempfile::tempfile()?),
            topics: Vec::new(),
            records: 0,
        })
    }

    pub(super) fn push(
        &mut self,
        topic: &str,
        partition: Option<i32>,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> std::io::Result<()> {
        let topic = match self.topics.iter().position(|known| known == topic) {
            Some(place) => place,
            None => {
                self.topics.push(topic.to_owned());
                self.topics.len() - 1
            }
        };
        let size = |bytes: &[u8]| u32::try_from(bytes.len()).expect("Kafka takes no record of 4 GiB");
        let head = [
            u32::try_from(topic).expect("topics are few"),
            partition.map_or(NONE, i32::cast_unsigned),
            size(key),
            value.map_or(NONE, size),
        ];
        for number in head {
            self.file.write_all(&number.to_le_bytes())?;
        }
        self.file.write_all(key)?;
        self.file.write_all(value.unwrap_or_default())?;
        self.records += 1;
        Ok(())
    }

    /// Hands out all records in order.
    pub(super) fn drain<E: From<std::io::Error>>(
        self,
        mut take: impl FnMut(&str, Option<i32>, &[u8], Option<&[u8]>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut file = self.file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let (mut key, mut value) = (Vec::new(), Vec::new());
        for _ in 0..self.records {
            let mut head = [0_u32; 4];
            for number in &mut head {
                let mut bytes = [0; 4];
                reader.read_exact(&mut bytes)?;
                *number = u32::from_le_bytes(bytes);
            }
            let [topic, partition, key_length, value_length] = head;
            key.resize(key_length as usize, 0);
            reader.read_exact(&mut key)?;
            value.resize(if value_length == NONE { 0 } else { value_length as usize }, 0);
            reader.read_exact(&mut value)?;
            let partition = (partition != NONE).then_some(partition.cast_signed());
            let value = (value_length != NONE).then_some(value.as_slice());
            take(&self.topics[topic as usize], partition, &key, value)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_they_were() {
        let mut spool = Spool::new().expect("a temporary file");
        let records = [
            ("a", None, b"k".as_slice(), Some(b"v".as_slice())),
            ("b", Some(3), b"", None),
            ("a", Some(0), b"key", Some(b"")),
        ];
        for (topic, partition, key, value) in records {
            spool.push(topic, partition, key, value).expect("it is written");
        }
        let mut seen = 0;
        let drained = spool.drain::<std::io::Error>(|topic, partition, key, value| {
            assert_eq!((topic, partition, key, value), records[seen]);
            seen += 1;
            Ok(())
        });
        drained.expect("it is read");
        assert_eq!(seen, 3);
    }
}
