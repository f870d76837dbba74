//! Every example of `docs/ingest.md`, run as it stands there: the command in a shell, its answer compared with the one shown.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Server, block_on, brokers, create_topics};

/// Fenced blocks as language and text.
fn blocks(markdown: &str) -> Vec<(&str, &str)> {
    let fences = markdown.split("\n```").skip(1).step_by(2);
    fences.map(|block| block.split_once('\n').unwrap()).collect()
}

/// Whether the answer has everything that is shown; `…` stands for any text.
fn shows(answer: &Value, shown: &Value) -> bool {
    match (answer, shown) {
        (Value::String(_), Value::String(any)) if any == "…" => true,
        (Value::Object(answer), Value::Object(shown)) => {
            shown.iter().all(|(name, value)| answer.get(name).is_some_and(|found| shows(found, value)))
        }
        (Value::Array(answer), Value::Array(shown)) => {
            answer.len() == shown.len()
                && answer.iter().zip(shown).all(|(answer, shown)| shows(answer, shown))
        }
        _ => answer == shown,
    }
}

#[test]
fn every_example_of_the_documentation_answers_as_it_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ingest.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks = blocks(&page);
    let directory = tempfile::tempdir().unwrap();
    let alias_file = directory.path().join("aliases.toml");
    let aliases =
        blocks.iter().find(|(language, text)| *language == "toml" && text.contains("[[event]]")).unwrap();
    std::fs::write(&alias_file, aliases.1).unwrap();
    let brokers = brokers();
    block_on(create_topics(&brokers, "docs"));
    let server = Server::start(&brokers, "docs", |settings| {
        settings.ingest.static_keys = vec!["shop:shop:web".to_owned()];
        settings.ingest.local_pages = true;
        settings.ingest.alias_file = alias_file.to_string_lossy().into_owned();
    });
    let mut examples = 0;
    for pair in blocks.windows(2) {
        let [("sh", command), ("json", shown)] = pair else { continue };
        let command = command.replace("127.0.0.1:8080", server.address());
        let output = Command::new("sh").args(["-c", &command]).output().unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{error}: {command}\n{}", String::from_utf8_lossy(&output.stderr))
        });
        let shown: Value = serde_json::from_str(shown).unwrap_or_else(|error| panic!("{error}: {shown}"));
        assert!(shows(&answer, &shown), "{command}\nanswers {answer:#}\nnot {shown:#}");
        examples += 1;
    }
    assert!(examples >= 7, "{examples} examples");
}
