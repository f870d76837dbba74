//! Which metrics the code has, by their names in it: rules and dashboards must name no other.

use std::collections::BTreeSet;
use std::path::Path;

use crate::repository::{dashboards, files, list, path, string, text};

/// Crates with metrics.
const SOURCES: &[&str] = &[
    "ingest/src",
    "processor/src",
    "sink/src",
    "deploy/local/clickhouse/src",
    "deploy/local/supervisor/src",
    "console/src",
];
/// What others have: Prometheus itself and its exporter for machines.
const OF_OTHERS: &[&str] = &["up", "node_filesystem_avail_bytes", "node_filesystem_size_bytes"];

/// Every name that the code registers.
fn registered() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for source in SOURCES {
        collect(&path(source), &mut names);
    }
    // The spool's names are put together from a prefix and a word.
    let spool = text("ingest/src/spool/metrics.rs");
    let words = |call: &str| -> Vec<String> {
        let after = spool.split(call).skip(1);
        after
            .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next().map(str::to_owned))
            .collect()
    };
    names.extend(words("gauge(").into_iter().map(|word| format!("touchstream_ingest_spool_{word}")));
    names.extend(words("counter(").into_iter().map(|word| format!("touchstream_ingest_{word}_total")));
    names.extend(words("reasons(").into_iter().map(|word| format!("touchstream_ingest_spool_{word}_total")));
    assert!(names.len() > 50, "{names:?}");
    names
}

fn collect(folder: &Path, names: &mut BTreeSet<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let file = entry.expect("an entry").path();
        if file.is_dir() {
            collect(&file, names);
        } else if file.extension().is_some_and(|ending| ending == "rs") {
            names.extend(mentioned(&std::fs::read_to_string(&file).expect("source is text"), "touchstream_"));
        }
    }
}

/// Words that begin with `start` (and do not go on before it).
fn mentioned(text: &str, start: &str) -> BTreeSet<String> {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    text.split(|letter| !is_word(letter))
        .filter(|word| word.starts_with(start) && word.len() > start.len())
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_metric_that_is_asked_for_exists() {
    let registered = registered();
    let recorded =
        mentioned(&text("deploy/prometheus/rules/recording.yml").replace("record:", ""), "touchstream:");
    let recorded: BTreeSet<String> = recorded
        .union(&mentioned(&text("deploy/prometheus/rules/cx.yml").replace("record:", ""), "touchstream:"))
        .cloned()
        .collect();
    let mut asked: Vec<(String, String)> = files("deploy/prometheus/rules", ".yml")
        .into_iter()
        .map(|name| (name.clone(), text(&format!("deploy/prometheus/rules/{name}"))))
        .collect();
    for (name, board) in dashboards() {
        for panel in list(&board, "panels") {
            for target in list(panel, "targets").iter().filter(|target| target["expr"].is_string()) {
                asked
                    .push((format!("{name}, {}", string(panel, "title")), string(target, "expr").to_owned()));
            }
        }
    }
    let mut count = 0;
    for (place, expression) in &asked {
        for word in mentioned(expression, "touchstream")
            .into_iter()
            .filter(|word| word.contains('_') && !word.contains("-"))
        {
            if word.starts_with("touchstream:") {
                assert!(recorded.contains(&word), "{place}: no rule records {word}");
            } else {
                let bare = ["_bucket", "_count", "_sum"]
                    .iter()
                    .find_map(|ending| word.strip_suffix(ending))
                    .unwrap_or(&word);
                assert!(
                    registered.contains(bare) || registered.contains(&word),
                    "{place}: no service has {word}"
                );
            }
            count += 1;
        }
        for word in mentioned(expression, "node_") {
            assert!(OF_OTHERS.contains(&word.as_str()), "{place}: nobody has {word}");
        }
    }
    assert!(count > 60, "{count} metrics are asked for");
}
