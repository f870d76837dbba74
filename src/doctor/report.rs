//! What the doctor found: one finding a check, as lines for people or as JSON for machines.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// How serious a finding is, from the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    /// As it should be.
    Ok,
    /// It cannot be told from here.
    Unknown,
    /// Worth a look; nothing has to be done at once.
    Warning,
    /// Something is wrong; the exit status is 1.
    Problem,
}

/// The result of one check.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    /// Bounded name, the same in every release.
    pub(super) check: &'static str,
    pub(super) status: Status,
    /// What is, in one sentence.
    pub(super) summary: String,
    /// What to do next.
    pub(super) advice: Option<String>,
    /// The same in numbers and names.
    pub(super) data: Map<String, Value>,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Unknown => "unknown",
            Status::Warning => "warning",
            Status::Problem => "problem",
        }
    }
}

impl Finding {
    pub(super) fn new(check: &'static str, status: Status, summary: impl Into<String>) -> Finding {
        Finding { check, status, summary: summary.into(), advice: None, data: Map::new() }
    }

    pub(super) fn ok(check: &'static str, summary: impl Into<String>) -> Finding {
        Finding::new(check, Status::Ok, summary)
    }

    pub(super) fn advise(mut self, advice: impl Into<String>) -> Finding {
        self.advice = Some(advice.into());
        self
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Finding {
        self.data.insert(name.to_owned(), value.into());
        self
    }
}

/// The worst of all.
pub(super) fn worst(findings: &[Finding]) -> Status {
    findings.iter().map(|finding| finding.status).max().unwrap_or(Status::Ok)
}

/// For people: a line a finding, and below it what to do.
pub(super) fn text(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or_default();
    let mut text = String::new();
    for Finding { check, status, summary, advice, .. } in findings {
        let status = status.name();
        writeln!(text, "{status:8} {check:width$}  {summary}").expect("writing to a string never fails");
        if let Some(advice) = advice {
            writeln!(text, "{:8} {:width$}  → {advice}", "", "").expect("writing to a string never fails");
        }
    }
    text
}

/// For machines: the worst status, and every finding.
pub(super) fn json(findings: &[Finding]) -> Value {
    let checks = findings.iter().map(|finding| {
        json!({
            "check": finding.check,
            "status": finding.status.name(),
            "summary": finding.summary,
            "advice": finding.advice,
            "data": finding.data,
        })
    });
    json!({ "status": worst(findings).name(), "checks": checks.collect::<Vec<_>>() })
}

/// `count` with its noun, as in `1 record` and `2 records`.
pub(super) fn counted(count: i64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// A length of time that a person can take in.
pub(super) fn span(milliseconds: i64) -> String {
    let seconds = milliseconds / 1_000;
    match seconds {
        ..180 => format!("{seconds} s"),
        180..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
