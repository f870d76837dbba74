//! Apache Kafka's broker from its Maven Central jars: pinned by a pom, verified jar by jar against committed SHA-256 hashes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::cache::{self, Part};
use crate::tool::Tool;
use crate::{PartsError, Progress, hash};

/// The version of Apache Kafka that is fetched.
pub const KAFKA_VERSION: &str = "4.1.1";

const TITLE: &str = "Apache Kafka 4.1.1";
const HASHES: &str = include_str!("../kafka/jars.sha256");
const JARS: &str = "jars";

static PART: Part = Part {
    title: TITLE,
    directory: "kafka-4.1.1",
    manifests: &[("pom.xml", include_bytes!("../kafka/pom.xml")), ("jars.sha256", HASHES.as_bytes())],
};

const MAVEN: Tool = Tool {
    name: "mvn",
    part: TITLE,
    hint: "apt-get install -y --no-install-recommends maven openjdk-17-jre-headless",
};

/// Where Apache Kafka is on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaParts {
    /// The directory that holds the broker's jars and nothing else.
    pub jars: PathBuf,
}

/// Provides Apache Kafka, from the cache or from Maven Central.
pub fn kafka(progress: &Progress) -> Result<KafkaParts, PartsError> {
    kafka_in(&cache::directory()?, progress)
}

fn kafka_in(cache: &Path, progress: &Progress) -> Result<KafkaParts, PartsError> {
    let directory = PART.provide(cache, progress, |directory, step| {
        let output = format!("-DoutputDirectory={JARS}");
        MAVEN.run(
            &["-q", "-B", "-f", "pom.xml", "dependency:copy-dependencies", "-DincludeScope=runtime", &output],
            directory,
            step,
        )?;
        verify(&directory.join(JARS))
    })?;
    Ok(KafkaParts { jars: directory.join(JARS) })
}

/// Refuses a directory whose files are not exactly the pinned ones.
fn verify(jars: &Path) -> Result<(), PartsError> {
    let mut pinned: BTreeMap<&str, &str> =
        HASHES.lines().filter_map(|line| line.split_once("  ")).map(|(hash, name)| (name, hash)).collect();
    for entry in fs::read_dir(jars).map_err(PartsError::file("list", jars))? {
        let path = entry.map_err(PartsError::file("list", jars))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(pinned) = pinned.remove(name.as_str()) else {
            return Err(PartsError::FileSetDiffers {
                part: TITLE,
                file: name,
                problem: "not in the pinned list",
            });
        };
        let found = hash::of_file(&path).map_err(PartsError::file("read", &path))?;
        if found != pinned {
            return Err(PartsError::HashDiffers {
                part: TITLE,
                file: name,
                found,
                pinned: pinned.to_owned(),
            });
        }
    }
    match pinned.first_key_value() {
        Some((name, _)) => {
            Err(PartsError::FileSetDiffers { part: TITLE, file: (*name).to_owned(), problem: "missing" })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test, since the fetch is the slow part: whole, cached, and refused when a single byte or file differs.
    #[test]
    fn fetches_once_and_refuses_what_is_not_pinned() {
        let cache = tempfile::tempdir().expect("temporary directory");
        let parts = kafka_in(cache.path(), &Progress::silent()).expect("Kafka is fetched");
        let broker = parts.jars.join("kafka_2.13-4.1.1.jar");
        assert!(broker.is_file());

        let fetched_at = fs::metadata(&parts.jars).and_then(|data| data.modified()).expect("modified");
        assert_eq!(kafka_in(cache.path(), &Progress::silent()).expect("cached"), parts);
        assert_eq!(fs::metadata(&parts.jars).and_then(|data| data.modified()).expect("modified"), fetched_at);

        let extra = parts.jars.join("extra.jar");
        fs::write(&extra, b"").expect("write");
        assert!(
            matches!(verify(&parts.jars), Err(PartsError::FileSetDiffers { file, .. }) if file == "extra.jar")
        );
        fs::remove_file(&extra).expect("remove");

        let mut bytes = fs::read(&broker).expect("read");
        bytes[1000] ^= 1;
        fs::write(&broker, bytes).expect("write");
        assert!(
            matches!(verify(&parts.jars), Err(PartsError::HashDiffers { file, .. }) if file.starts_with("kafka_2.13"))
        );

        fs::remove_file(&broker).expect("remove");
        assert!(matches!(verify(&parts.jars), Err(PartsError::FileSetDiffers { problem: "missing", .. })));
    }
}
