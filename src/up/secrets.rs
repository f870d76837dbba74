//! Secrets that one machine needs and nobody has to know: made once, kept in the data directory, readable by its owner only.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// The file `name` in `directory` with 32 random bytes as hex; made when it is not there.
pub(super) fn file(directory: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let path = directory.join(name);
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
        Ok(mut file) => {
            let secret = random_hex()?;
            file.write_all(secret.as_bytes())
                .and_then(|()| file.sync_all())
                .with_context(|| format!("failed to write {}", path.display()))?;
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).with_context(|| format!("failed to create {}", path.display())),
    }
    Ok(path)
}

fn random_hex() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 32];
    let mut random = std::fs::File::open("/dev/urandom").context("failed to open /dev/urandom")?;
    random.read_exact(&mut bytes).context("failed to read /dev/urandom")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
