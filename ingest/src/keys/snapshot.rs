//! The write keys as they were last known, in a file beside the spool: an ingest that starts while Kafka is away goes on with them.
//!
//! [`super::follow`] writes it and reads it at start. It holds what the topic of keys holds: SHA-256 of keys and what they allow, no key. Promise:
//! the file is whole or not used; only its owner may read it. A key that was revoked meanwhile goes on until Kafka is back.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{KeyHash, StoredKey, from_hex, to_hex};

const NAME: &str = "write-keys";
const HEAD: &str = "touchstream write keys 1";

/// Keys by their hash.
pub(crate) type KnownKeys = BTreeMap<KeyHash, StoredKey>;

/// The file.
#[derive(Debug)]
pub(crate) struct Snapshot {
    path: PathBuf,
}

impl Snapshot {
    /// The snapshot in the spool's folder.
    pub(crate) fn beside(folder: &Path) -> Snapshot {
        Snapshot { path: folder.join(NAME) }
    }

    /// The keys of the file; none when there is none, or when it is not whole.
    pub(crate) fn load(&self) -> KnownKeys {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return KnownKeys::new(),
            Err(error) => {
                tracing::warn!(%error, "the snapshot of write keys cannot be read");
                return KnownKeys::new();
            }
        };
        parse(&text).unwrap_or_else(|| {
            tracing::warn!("the snapshot of write keys is damaged and not used");
            KnownKeys::new()
        })
    }

    /// Writes the keys; a crash leaves the old file or the new one.
    pub(crate) fn save(&self, keys: &KnownKeys) -> std::io::Result<()> {
        let mut text = String::from(HEAD);
        for (hash, stored) in keys {
            text.push_str(&format!("\n{} {}", to_hex(hash), serde_json::to_string(stored)?));
        }
        let checksum = crc32fast::hash(text.as_bytes());
        let new = self.path.with_extension("new");
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        write!(file, "{text}\n{checksum:08x}\n")?;
        file.sync_all()?;
        std::fs::rename(&new, &self.path)?;
        self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

fn parse(text: &str) -> Option<KnownKeys> {
    let (body, checksum) = text.strip_suffix('\n')?.rsplit_once('\n')?;
    if u32::from_str_radix(checksum, 16).ok()? != crc32fast::hash(body.as_bytes()) {
        return None;
    }
    let mut lines = body.split('\n');
    if lines.next()? != HEAD {
        return None;
    }
    let key = |line: &str| {
        let (hash, stored) = line.split_once(' ')?;
        Some((from_hex(hash.as_bytes())?, serde_json::from_str(stored).ok()?))
    };
    lines.map(key).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::{LegalBasis, hash};
    use super::*;

    #[test]
    fn what_was_saved_is_loaded_and_a_damaged_file_is_not_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let snapshot = Snapshot::beside(folder.path());
        assert!(snapshot.load().is_empty());
        let stored = StoredKey {
            tenant: "shop".to_owned(),
            source: "line\nbreak".to_owned(),
            browser: true,
            webhook: false,
            origins: vec!["https://shop.example".to_owned()],
            families: Vec::new(),
            legal_basis: LegalBasis::Consent,
            created_at: String::new(),
            events_per_s: Some(7),
            bytes_per_s: None,
            burst_s: None,
        };
        let keys: KnownKeys = [("one-canary", &stored), ("two-canary", &stored)]
            .into_iter()
            .map(|(key, stored)| (hash(key), stored.clone()))
            .collect();
        snapshot.save(&KnownKeys::new()).expect("there is a disk");
        snapshot.save(&keys).expect("there is a disk");
        assert_eq!(snapshot.load(), keys);
        let bytes = std::fs::read(&snapshot.path).expect("it is there");
        assert!(!String::from_utf8_lossy(&bytes).contains("canary"), "hashes only");
        let mode = std::fs::metadata(&snapshot.path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for bit in (0..bytes.len() * 8).step_by(3) {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&snapshot.path, damaged).expect("there is a disk");
            let loaded = snapshot.load();
            assert!(loaded.is_empty() || loaded == keys, "bit {bit}");
        }
        std::fs::write(&snapshot.path, &bytes[..bytes.len() / 2]).expect("there is a disk");
        assert!(snapshot.load().is_empty());
    }
}
