//! What a fuzzer may throw at ingest: each function takes any bytes and panics when a promise is broken.
//!
//! Beside the flow; built for tests and with the feature `fuzzing` only. The targets of `ingest/fuzz` call these, and a test replays
//! what they found (`ingest/fuzz/corpus`) through the same functions.

mod bodies;
mod dialects;
mod documents;
mod records;

pub use bodies::read_body;
pub use dialects::dialect;
pub use documents::parse;
pub use records::codec;

#[cfg(test)]
mod corpus {
    //! Every input that was ever interesting, again.

    use std::path::Path;

    fn replay(target: &str, run: fn(&[u8])) {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let mut inputs = 0;
        for entry in std::fs::read_dir(&directory).expect("the corpus is part of the repository") {
            let path = entry.expect("the directory can be read").path();
            let bytes = std::fs::read(&path).expect("the file can be read");
            if let Err(panic) = std::panic::catch_unwind(|| run(&bytes)) {
                eprintln!("{} breaks a promise of {target}", path.display());
                std::panic::resume_unwind(panic);
            }
            inputs += 1;
        }
        assert!(inputs > 10, "{} holds {inputs} inputs", directory.display());
    }

    #[test]
    fn parse() {
        replay("parse", super::parse);
    }

    #[test]
    fn read_body() {
        replay("read_body", super::read_body);
    }

    #[test]
    fn dialect() {
        replay("dialect", super::dialect);
    }

    #[test]
    fn codec() {
        replay("codec", super::codec);
    }
}
