//! Medians, spread, targets; as text and as the page in `docs/results`.

use std::path::Path;

use crate::run::Outcome;

/// Repetitions of one thing.
#[derive(Debug)]
pub(crate) struct Runs {
    name: String,
    outcomes: Vec<Outcome>,
}

impl Runs {
    pub(crate) fn new(name: &str) -> Runs {
        Runs { name: name.to_owned(), outcomes: Vec::new() }
    }

    pub(crate) fn add(&mut self, outcome: Outcome) {
        eprintln!("{}: {:.0} events/s, {:.2} µs", self.name, outcome.rate, outcome.cpu_us);
        self.outcomes.push(outcome);
    }

    /// Median of events a second.
    pub(crate) fn rate(&self) -> f64 {
        median(self.outcomes.iter().map(|outcome| outcome.rate).collect())
    }

    /// Median of microseconds of CPU an event.
    pub(crate) fn cpu_us(&self) -> f64 {
        median(self.outcomes.iter().map(|outcome| outcome.cpu_us).collect())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    f64::midpoint(values[values.len() / 2], values[(values.len() - 1) / 2])
}

/// How the page begins.
const HEAD: &str = "# Processor: speed, state, latency\n\nWritten by `make bench-processor`, section by section. One machine with 2 cores, which Kafka shares; \
                    runs alternate, medians count; the first quarter of each run warms up and is not measured. Rates are of committed input. CPU is that of \
                    the measured process, all its threads together.\n";

/// What a part found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    runs: Vec<Runs>,
    targets: Vec<(String, f64, String, bool)>,
    notes: Vec<String>,
}

impl Report {
    pub(crate) fn runs(&mut self, runs: impl IntoIterator<Item = Runs>) {
        self.runs.extend(runs);
    }

    pub(crate) fn note(&mut self, note: String) {
        eprintln!("{note}");
        self.notes.push(note);
    }

    /// A value that shall be at least `least`.
    pub(crate) fn target(&mut self, name: &str, value: f64, least: f64) {
        self.hold(name, value, format!("≥ {least}"), value >= least);
    }

    /// A value that shall be at most `most`.
    pub(crate) fn limit(&mut self, name: &str, value: f64, most: f64) {
        self.hold(name, value, format!("≤ {most}"), value <= most);
    }

    fn hold(&mut self, name: &str, value: f64, bound: String, is_met: bool) {
        eprintln!("{name}: {value:.2} ({bound}) {}", if is_met { "met" } else { "MISSED" });
        self.targets.push((name.to_owned(), value, bound, is_met));
    }

    fn section(&self, part: &str) -> String {
        let mut section = format!("## {part}\n\n");
        let mut line = |text: String| {
            section.push_str(&text);
            section.push('\n');
        };
        line("| what | value | target | |\n|---|---|---|---|".to_owned());
        for (name, value, bound, is_met) in &self.targets {
            let verdict = if *is_met { "met" } else { "**missed**" };
            line(format!("| {name} | {value:.2} | {bound} | {verdict} |"));
        }
        if !self.runs.is_empty() {
            line(
                "\n| runs | events/s: median | least | most | µs of CPU an event |\n|---|---|---|---|---|"
                    .to_owned(),
            );
        }
        for runs in &self.runs {
            let rates = || runs.outcomes.iter().map(|outcome| outcome.rate);
            let (least, most) = (rates().fold(f64::INFINITY, f64::min), rates().fold(0.0, f64::max));
            let (name, rate, cpu) = (&runs.name, runs.rate(), runs.cpu_us());
            line(format!("| {name} | {rate:.0} | {least:.0} | {most:.0} | {cpu:.2} |"));
        }
        if !self.notes.is_empty() {
            line(String::new());
        }
        self.notes.iter().for_each(|note| line(format!("- {note}")));
        section
    }

    #[expect(clippy::print_stdout, reason = "the results are this program's output")]
    pub(crate) fn print(&self, part: &str) {
        println!("{}", self.section(part));
    }

    /// Replaces the part's section in the page; what people wrote beside it stays.
    pub(crate) fn write(&self, path: &Path, part: &str) {
        let page = std::fs::read_to_string(path).unwrap_or_else(|_| HEAD.to_owned());
        let heading = format!("## {part}\n");
        let (before, after) = page.split_once(&heading).unwrap_or((&page, ""));
        let rest = after.find("\n## ").map_or("", |at| &after[at + 1..]);
        let gap = if before.ends_with("\n\n") { "" } else { "\n" };
        let end = if rest.is_empty() { "" } else { "\n" };
        let page = format!("{before}{gap}{}{end}{rest}", self.section(part));
        std::fs::write(path, page).expect("the page can be written");
    }
}
