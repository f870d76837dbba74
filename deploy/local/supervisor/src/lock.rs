//! One `up` per data directory: a file lock, which the kernel releases however its holder ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::SupervisorError;
use crate::port::{Holder, describe};

/// Proof that this process alone works in the directory; held until dropped.
#[derive(Debug)]
pub struct DataDirLock {
    directory: PathBuf,
    _file: File,
}

impl DataDirLock {
    /// Makes the directory if it is missing, and takes it or says who has it.
    pub fn acquire(directory: &Path) -> Result<Self, SupervisorError> {
        let directory = std::path::absolute(directory).map_err(file_error("resolve", directory))?;
        fs::create_dir_all(&directory).map_err(file_error("create", &directory))?;
        let path = directory.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(file_error("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(SupervisorError::DirectoryInUse { directory, holder: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => {
                return Err(SupervisorError::File { action: "lock", path, source });
            }
        }
        let pid = std::process::id();
        file.set_len(0).and_then(|()| writeln!(file, "{pid}")).map_err(file_error("write", &path))?;
        Ok(Self { directory, _file: file })
    }

    /// The directory, as an absolute path.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

/// The holder writes its pid right after it took the lock, so an empty file only means that it has just begun.
fn holder(file: &mut File) -> Holder {
    let mut text = String::new();
    let process = file
        .read_to_string(&mut text)
        .ok()
        .and_then(|_| text.trim().parse().ok())
        .map(|pid: u32| (pid, describe(pid)));
    Holder { process }
}

fn file_error(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> SupervisorError {
    let path = path.to_owned();
    move |source| SupervisorError::File { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_with_the_first_ones_pid() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let lock = DataDirLock::acquire(directory.path()).expect("free");
        let error = DataDirLock::acquire(directory.path()).expect_err("held").to_string();
        assert!(error.contains(&format!("pid {}", std::process::id())), "{error}");
        drop(lock);
        DataDirLock::acquire(directory.path()).expect("free again");
    }
}
