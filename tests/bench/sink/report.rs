//! Medians, spread, targets; as text and as the page in `docs/results`.

use std::path::Path;

/// How the page begins.
const HEAD: &str = "# Sink: speed, memory, freshness\n\nWritten by `make bench-sink`, section by section. One machine with 2 cores, which Kafka, the \
                    ClickHouse engine and the sink share; runs alternate, medians count.\n";

/// Rates of repetitions of one thing.
#[derive(Debug)]
pub(crate) struct Runs {
    name: String,
    rates: Vec<f64>,
}

impl Runs {
    pub(crate) fn new(name: &str) -> Runs {
        Runs { name: name.to_owned(), rates: Vec::new() }
    }

    pub(crate) fn add(&mut self, rate: f64) {
        eprintln!("{}: {rate:.0} rows/s", self.name);
        self.rates.push(rate);
    }

    /// The median.
    pub(crate) fn rate(&self) -> f64 {
        let mut rates = self.rates.clone();
        rates.sort_by(f64::total_cmp);
        f64::midpoint(rates[rates.len() / 2], rates[(rates.len() - 1) / 2])
    }
}

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
        let mut lines =
            vec![format!("## {part}\n"), "| what | value | target | |\n|---|---|---|---|".to_owned()];
        for (name, value, bound, is_met) in &self.targets {
            let verdict = if *is_met { "met" } else { "**missed**" };
            lines.push(format!("| {name} | {value:.2} | {bound} | {verdict} |"));
        }
        if !self.runs.is_empty() {
            lines.push("\n| runs | rows/s: median | least | most |\n|---|---|---|---|".to_owned());
        }
        for runs in &self.runs {
            let (least, most) = (
                runs.rates.iter().copied().fold(f64::INFINITY, f64::min),
                runs.rates.iter().copied().fold(0.0, f64::max),
            );
            lines.push(format!("| {} | {:.0} | {least:.0} | {most:.0} |", runs.name, runs.rate()));
        }
        if !self.notes.is_empty() {
            lines.push(String::new());
        }
        lines.extend(self.notes.iter().map(|note| format!("- {note}")));
        lines.push(String::new());
        lines.join("\n")
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
