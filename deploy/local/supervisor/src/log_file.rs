//! One child's output on disk: bounded in size, with its end kept in memory for the message that reports a failure.
//!
//! At the limit the file is renamed to `<name>.1`, replacing the one before. A full disk never stops a child: what cannot be
//! written is left out.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Two files of this size are the most that one child's output takes.
const LIMIT: u64 = 10 * 1024 * 1024;
const TAIL: usize = 8 * 1024;

#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    file: File,
    written: u64,
    limit: u64,
    tail: VecDeque<u8>,
}

impl LogFile {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Self::open_with_limit(path, LIMIT)
    }

    fn open_with_limit(path: &Path, limit: u64) -> io::Result<Self> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let written = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, written, limit, tail: VecDeque::with_capacity(TAIL) })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let kept = &bytes[bytes.len().saturating_sub(TAIL)..];
        let surplus = (self.tail.len() + kept.len()).saturating_sub(TAIL);
        self.tail.drain(..surplus);
        self.tail.extend(kept);

        if self.written > 0 && self.written + bytes.len() as u64 > self.limit {
            self.rotate()?;
        }
        self.file.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// The last lines of the output, at most `count`.
    pub(crate) fn last_lines(&self, count: usize) -> Vec<String> {
        let bytes: Vec<u8> = self.tail.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(count)..].iter().map(|&line| line.to_owned()).collect()
    }

    fn rotate(&mut self) -> io::Result<()> {
        let mut old: OsString = self.path.clone().into();
        old.push(".1");
        fs::rename(&self.path, old)?;
        self.file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        self.written = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_within_two_files_and_remembers_its_end() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let path = directory.path().join("logs/service.log");
        let mut log = LogFile::open_with_limit(&path, 1000).expect("open");
        for line in 0..1000 {
            log.write(format!("line {line}\n").as_bytes()).expect("write");
        }
        let sizes: Vec<u64> = fs::read_dir(path.parent().expect("parent"))
            .expect("list")
            .map(|entry| entry.expect("entry").metadata().expect("metadata").len())
            .collect();
        assert_eq!(sizes.len(), 2);
        assert!(sizes.iter().all(|&size| size <= 1000), "{sizes:?}");
        assert_eq!(log.last_lines(2), ["line 998", "line 999"]);
    }
}
