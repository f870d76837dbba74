//! The spool's folder: one process at a time, segments, and how far sending has come.
//!
//! Everything that touches the disk stands here, behind [`Disk`], so that tests can make it fail. Promise: what [`Disk::sync`] did not
//! confirm is never counted on.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::format::{HEADER_BYTES, SegmentHeader, number_32, number_64};

const SUFFIX: &str = ".segment";
const PROGRESS: &str = "progress";
const PROGRESS_BYTES: usize = 28;

/// The spool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Another process has it.
    #[error("failed to lock the spool {path} (ingest.spool_dir): another process uses it")]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The folder or a file in it cannot be used.
    #[error("failed to use {path} (ingest.spool_dir): {source}")]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
}

/// What the spool does with a disk.
pub(crate) trait Disk: Send {
    /// Makes a segment with its header, to be written from now on; its name is on disk when this returns.
    fn create(&mut self, header: SegmentHeader) -> std::io::Result<()>;
    /// Writes behind what was written.
    fn append(&mut self, bytes: &[u8]) -> std::io::Result<()>;
    /// What was written survives a power cut when this returns. After an error nobody can tell what does.
    fn sync(&mut self) -> std::io::Result<()>;
    /// Gives up the segment that is written; only its first `length` bytes are to be trusted.
    fn abandon(&mut self, header: SegmentHeader, length: u64);
    /// A stretch of a segment.
    fn read(&self, header: SegmentHeader, from: u64, to: u64) -> std::io::Result<Vec<u8>>;
    /// Deletes a segment.
    fn delete(&mut self, header: SegmentHeader) -> std::io::Result<()>;
    /// Notes how far sending has come; may be lost.
    fn save_progress(&mut self, header: SegmentHeader, offset: u64) -> std::io::Result<()>;
}

/// A folder of the file system, locked for this process.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Holds the lock; the kernel lets go of it when this process ends, however it ends.
    _lock: File,
    open: Option<File>,
    progress: File,
}

impl Folder {
    /// Takes the folder, which is made with access for its owner alone.
    pub(crate) fn open(path: &Path) -> Result<Folder, SpoolError> {
        let error = |source| SpoolError::Io { path: path.to_owned(), source };
        make_folder(path).map_err(error)?;
        let lock = private().open(path.join("lock")).map_err(error)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SpoolError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(error(source)),
        }
        let progress = private().open(path.join(PROGRESS)).map_err(error)?;
        let path = path.to_owned();
        let folder = Folder { path, _lock: lock, open: None, progress };
        folder.sync_names().map_err(|source| folder.error(source))?;
        Ok(folder)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The segments that are there, by number.
    pub(crate) fn segments(&self) -> Result<Vec<SegmentHeader>, SpoolError> {
        let error = |source| self.error(source);
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(error)? {
            found.extend(entry.map_err(error)?.file_name().to_str().and_then(parse_name));
        }
        found.sort_by_key(|header| header.number);
        Ok(found)
    }

    /// All bytes of a segment.
    pub(crate) fn read_all(&self, header: SegmentHeader) -> Result<Vec<u8>, SpoolError> {
        let path = self.path_of(header);
        std::fs::read(&path).map_err(|source| SpoolError::Io { path, source })
    }

    /// Cuts a segment's damaged tail off.
    pub(crate) fn cut(&self, header: SegmentHeader, length: u64) -> Result<(), SpoolError> {
        let path = self.path_of(header);
        let cut = || -> std::io::Result<()> {
            let file = OpenOptions::new().write(true).open(&path)?;
            file.set_len(length)?;
            file.sync_all()
        };
        cut().map_err(|source| SpoolError::Io { path: path.clone(), source })
    }

    /// How far sending had come, when that was noted whole.
    pub(crate) fn progress(&mut self) -> Option<(SegmentHeader, u64)> {
        let mut bytes = Vec::new();
        self.progress.read_to_end(&mut bytes).ok()?;
        let bytes = bytes.get(..PROGRESS_BYTES)?;
        let is_whole = crc32fast::hash(&bytes[..24]) == number_32(&bytes[24..]);
        let header = SegmentHeader { number: number_64(bytes), id: number_64(&bytes[8..]) };
        is_whole.then(|| (header, number_64(&bytes[16..])))
    }

    /// An error about the folder.
    pub(crate) fn error(&self, source: std::io::Error) -> SpoolError {
        SpoolError::Io { path: self.path.clone(), source }
    }

    fn path_of(&self, header: SegmentHeader) -> PathBuf {
        // The id stands in the name too: a damaged header costs nothing.
        self.path.join(format!("{:020}-{:016x}{SUFFIX}", header.number, header.id))
    }

    fn sync_names(&self) -> std::io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

impl Disk for Folder {
    fn create(&mut self, header: SegmentHeader) -> std::io::Result<()> {
        self.open = None;
        let path = self.path_of(header);
        let make = || {
            let mut file = private().create_new(true).append(true).open(&path)?;
            file.write_all(&header.to_bytes())?;
            file.sync_all()?;
            self.sync_names()?;
            Ok(file)
        };
        let made: std::io::Result<File> = make();
        if made.is_err()
            && let Err(error) = std::fs::remove_file(&path)
        {
            tracing::debug!(%error, "a segment that could not be made is left behind; it is empty");
        }
        self.open = Some(made?);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.open.as_mut().ok_or(ErrorKind::NotFound)?.write_all(bytes)
    }

    fn sync(&mut self) -> std::io::Result<()> {
        self.open.as_mut().ok_or(ErrorKind::NotFound)?.sync_data()
    }

    fn abandon(&mut self, header: SegmentHeader, length: u64) {
        self.open = None;
        // What stays behind was answered with 503, or not at all. To send it on would be allowed; it is not worth the room.
        let cut = OpenOptions::new()
            .write(true)
            .open(self.path_of(header))
            .and_then(|file| file.set_len(length.max(HEADER_BYTES as u64)));
        if let Err(error) = cut {
            tracing::debug!(%error, segment = header.number, "a segment that failed could not be cut");
        }
    }

    fn read(&self, header: SegmentHeader, from: u64, to: u64) -> std::io::Result<Vec<u8>> {
        let length = usize::try_from(to.saturating_sub(from)).map_err(|_| ErrorKind::OutOfMemory)?;
        let mut bytes = vec![0; length];
        File::open(self.path_of(header))?.read_exact_at(&mut bytes, from)?;
        Ok(bytes)
    }

    fn delete(&mut self, header: SegmentHeader) -> std::io::Result<()> {
        match std::fs::remove_file(self.path_of(header)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn save_progress(&mut self, header: SegmentHeader, offset: u64) -> std::io::Result<()> {
        let mut bytes = [0; PROGRESS_BYTES];
        bytes[..8].copy_from_slice(&header.number.to_le_bytes());
        bytes[8..16].copy_from_slice(&header.id.to_le_bytes());
        bytes[16..24].copy_from_slice(&offset.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..24]);
        bytes[24..].copy_from_slice(&checksum.to_le_bytes());
        self.progress.write_all_at(&bytes, 0)
    }
}

/// How files of the spool are opened: made when they are missing, for their owner alone.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options
}

/// Makes the folder and what is missing above it; the names are on disk when this returns, else a power cut could take the folder with
/// all that was synced in it.
fn make_folder(path: &Path) -> std::io::Result<()> {
    let parents = parents_of_missing(path);
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    parents.iter().try_for_each(|parent| File::open(parent)?.sync_all())
}

/// The folders in which a name is to be made for this path to be there.
fn parents_of_missing(path: &Path) -> Vec<PathBuf> {
    let missing = path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
    let parent_of = |folder: &Path| match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    missing.map(parent_of).collect()
}

fn parse_name(name: &str) -> Option<SegmentHeader> {
    let (number, id) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    Some(SegmentHeader { number: number.parse().ok()?, id: u64::from_str_radix(id, 16).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_in_which_a_name_is_made_is_synced() {
        let place = tempfile::tempdir().expect("a folder");
        let (top, deep) = (place.path().join("a"), place.path().join("a/b/spool"));
        assert_eq!(parents_of_missing(&deep), [top.join("b"), top.clone(), place.path().to_owned()]);
        drop(Folder::open(&deep).expect("it is made"));
        assert_eq!(parents_of_missing(&deep), Vec::<PathBuf>::new());
        assert_eq!(parents_of_missing(Path::new("no-such-folder-here")), [PathBuf::from(".")]);
    }
}
