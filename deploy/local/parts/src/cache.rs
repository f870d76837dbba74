//! The cache of parts: `<cache>/parts/<name>-<version>-<hash of its manifests>`.
//!
//! A part is fetched into a sibling directory and renamed when it is whole and verified, under a file lock, so that two
//! processes never fetch the same part twice and nobody ever sees half of one.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::progress::Progress;
use crate::{PartsError, Step, hash};

/// A part: its name and the files that pin it.
pub(crate) struct Part {
    /// As people read it, such as "Apache Kafka 4.1.1".
    pub(crate) title: &'static str,
    /// As its directory is called, without the hash.
    pub(crate) directory: &'static str,
    /// File name and content of what the registry's client reads.
    pub(crate) manifests: &'static [(&'static str, &'static [u8])],
}

impl Part {
    /// The directory of the whole and verified part; `fetch` fills it (the manifests are there already) if it is missing.
    pub(crate) fn provide(
        &self,
        cache: &Path,
        progress: &Progress,
        fetch: impl FnOnce(&Path, &Step) -> Result<(), PartsError>,
    ) -> Result<PathBuf, PartsError> {
        let parts = cache.join("parts");
        let name = self.name();
        let destination = parts.join(&name);
        if destination.is_dir() {
            return Ok(destination);
        }

        fs::create_dir_all(&parts).map_err(PartsError::file("create", &parts))?;
        let step = progress.step(format!("fetching {}", self.title));
        let _lock = lock(&parts.join(format!("{name}.lock")), &step)?;
        if destination.is_dir() {
            step.done(&format!("{} fetched by another process", self.title));
            return Ok(destination);
        }

        // Under the lock, whatever lies there was left by a process that was killed. Its registry client may still be running
        // and writing, so the name is never used twice.
        let incoming_prefix = format!("{name}.incoming-");
        remove_left_over(&parts, &incoming_prefix)?;
        let incoming = parts.join(format!("{incoming_prefix}{}", std::process::id()));
        fs::create_dir(&incoming).map_err(PartsError::file("create", &incoming))?;
        for (file, content) in self.manifests {
            let path = incoming.join(file);
            fs::write(&path, content).map_err(PartsError::file("write", &path))?;
        }
        fetch(&incoming, &step)?;
        fs::rename(&incoming, &destination).map_err(PartsError::file("rename into", &destination))?;
        step.done(&format!("{} fetched and verified", self.title));
        Ok(destination)
    }

    fn name(&self) -> String {
        let manifests: Vec<&[u8]> =
            self.manifests.iter().flat_map(|(name, content)| [name.as_bytes(), *content]).collect();
        format!("{}-{}", self.directory, &hash::of_all(&manifests)[..12])
    }
}

/// `$TOUCHSTREAM_CACHE`, else `$XDG_CACHE_HOME/touchstream`, else `~/.cache/touchstream`.
pub(crate) fn directory() -> Result<PathBuf, PartsError> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let directory = variable("TOUCHSTREAM_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|cache| cache.join("touchstream")))
        .or_else(|| variable("HOME").map(|home| home.join(".cache/touchstream")))
        .ok_or(PartsError::NoCacheDirectory)?;
    std::path::absolute(&directory).map_err(PartsError::file("resolve", &directory))
}

fn lock(path: &Path, step: &Step) -> Result<File, PartsError> {
    let file = File::create(path).map_err(PartsError::file("create", path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            step.detail("another process is fetching it");
            file.lock().map_err(PartsError::file("lock", path))?;
        }
        Err(TryLockError::Error(source)) => {
            return Err(PartsError::File { action: "lock", path: path.to_owned(), source });
        }
    }
    Ok(file)
}

fn remove_left_over(parts: &Path, prefix: &str) -> Result<(), PartsError> {
    for entry in fs::read_dir(parts).map_err(PartsError::file("list", parts))? {
        let path = entry.map_err(PartsError::file("list", parts))?.path();
        let is_left_over = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix));
        if is_left_over {
            fs::remove_dir_all(&path).map_err(PartsError::file("remove", &path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    static PART: Part = Part { title: "a part", directory: "part-1", manifests: &[("manifest", b"pinned")] };

    fn fetch(directory: &Path) -> Result<(), PartsError> {
        let path = directory.join("content");
        fs::write(&path, b"whole").map_err(PartsError::file("write", &path))
    }

    #[test]
    fn replaces_what_a_killed_or_failed_fetch_left() {
        let cache = tempfile::tempdir().expect("temporary directory");
        let left = cache.path().join("parts").join(format!("{}.incoming-1", PART.name()));
        fs::create_dir_all(&left).expect("create");
        fs::write(left.join("half"), b"").expect("write");

        let failure =
            PART.provide(cache.path(), &Progress::silent(), |_, _| Err(PartsError::NoCacheDirectory));
        assert!(failure.is_err());
        let whole = PART.provide(cache.path(), &Progress::silent(), |path, _| fetch(path)).expect("provided");
        assert!(!left.exists() && !whole.join("half").exists());
        assert_eq!(fs::read(whole.join("manifest")).expect("read"), b"pinned");
        assert_eq!(fs::read(whole.join("content")).expect("read"), b"whole");
    }

    #[test]
    fn many_at_once_fetch_once() {
        let cache = tempfile::tempdir().expect("temporary directory");
        let fetches = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let whole = PART.provide(cache.path(), &Progress::silent(), |path, _| {
                        fetches.fetch_add(1, Ordering::Relaxed);
                        std::thread::yield_now();
                        fetch(path)
                    });
                    assert!(whole.expect("provided").join("content").is_file());
                });
            }
        });
        assert_eq!(fetches.load(Ordering::Relaxed), 1);
    }
}
