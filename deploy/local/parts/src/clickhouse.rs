//! The ClickHouse engine as a shared library, from npm: the lock file pins version and SHA-512, and npm refuses anything else.

use std::path::{Path, PathBuf};

use crate::cache::{self, Part};
use crate::tool::Tool;
use crate::{PartsError, Progress};

const TITLE: &str = "the ClickHouse engine (libchdb 26.7.3)";

/// Names a `libchdb.so` that is already on the machine; it is then used as it is.
const OVERRIDE: &str = "TOUCHSTREAM_LIBCHDB";
const LIBRARY: &str = "node_modules/@chdb/lib-linux-x64-gnu/libchdb.so";

static PART: Part = Part {
    title: TITLE,
    directory: "clickhouse-26.7.3",
    manifests: &[
        ("package.json", include_bytes!("../clickhouse/package.json")),
        ("package-lock.json", include_bytes!("../clickhouse/package-lock.json")),
        (".npmrc", include_bytes!("../clickhouse/.npmrc")),
    ],
};

const NPM: Tool =
    Tool { name: "npm", part: TITLE, hint: "apt-get install -y --no-install-recommends nodejs npm" };

/// Provides `libchdb.so`, from the cache or from npm.
pub fn clickhouse(progress: &Progress) -> Result<PathBuf, PartsError> {
    if let Some(library) = std::env::var_os(OVERRIDE).filter(|value| !value.is_empty()) {
        let library = PathBuf::from(library);
        std::fs::metadata(&library).map_err(PartsError::file("open", &library))?;
        return Ok(library);
    }
    supported()?;
    clickhouse_in(&cache::directory()?, progress)
}

/// The registry serves a matching package for x86-64 only; another engine works over the network.
fn supported() -> Result<(), PartsError> {
    if cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")) {
        return Ok(());
    }
    Err(PartsError::UnsupportedPlatform {
        part: TITLE,
        os: std::env::consts::OS,
        architecture: std::env::consts::ARCH,
        alternative: "set TOUCHSTREAM_LIBCHDB to a libchdb.so of yours, or configure an external ClickHouse",
    })
}

fn clickhouse_in(cache: &Path, progress: &Progress) -> Result<PathBuf, PartsError> {
    let directory = PART.provide(cache, progress, |directory, step| {
        // No install scripts: the library is in the package, and nothing of a registry runs here.
        NPM.run(&["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev"], directory, step)?;
        let library = directory.join(LIBRARY);
        std::fs::metadata(&library).map_err(PartsError::file("find", &library))?;
        Ok(())
    })?;
    Ok(directory.join(LIBRARY))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Into the real cache: half a gigabyte is not fetched again for each run of the tests.
    #[test]
    fn provides_the_library() {
        let library = clickhouse(&Progress::silent()).expect("the engine is fetched");
        assert!(std::fs::metadata(&library).expect("metadata").len() > 100_000_000);
    }

    #[test]
    fn the_lock_file_pins_hashes_and_names_no_registry() {
        let lock = include_str!("../clickhouse/package-lock.json");
        assert!(lock.contains("\"integrity\": \"sha512-"));
        assert!(!lock.contains("://"));
    }
}
