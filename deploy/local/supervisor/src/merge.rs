//! Joins the metrics of many children into one exposition that Prometheus accepts.
//!
//! HELP and TYPE stand once a family, all samples of a family stand together, and every sample carries the label `service`,
//! so that two children that count the same thing never produce the same series twice.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One family: what describes it and whose samples it has.
#[derive(Debug, Default)]
struct Family {
    help: Option<String>,
    kind: Option<String>,
    samples: Vec<String>,
}

/// Collects expositions; [`Merged::render`] writes them as one.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    families: BTreeMap<String, Family>,
    /// Samples that were left out: not readable, or of a family that another child declares with another type.
    pub(crate) left_out: u64,
}

impl Merged {
    /// Adds what one service exposes.
    pub(crate) fn add(&mut self, service: &str, exposition: &str) {
        let mut family = String::new();
        let mut is_refused = false;
        for line in exposition.lines().map(str::trim) {
            if let Some((name, text)) = comment(line, "# HELP ") {
                family = name.to_owned();
                is_refused = false;
                self.family(name).help.get_or_insert_with(|| text.to_owned());
            } else if let Some((name, kind)) = comment(line, "# TYPE ") {
                family = name.to_owned();
                is_refused = self.family(name).kind.get_or_insert_with(|| kind.to_owned()).as_str() != kind;
            } else if !line.is_empty() && !line.starts_with('#') {
                match Sample::parse(line).filter(|_| !is_refused) {
                    Some(sample) => {
                        let name = if sample.belongs_to(&family) { &family } else { sample.name };
                        let line = sample.with_service(service);
                        self.families.entry(name.to_owned()).or_default().samples.push(line);
                    }
                    None => self.left_out += 1,
                }
            }
        }
    }

    /// The whole as text.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        for (name, family) in self.families.iter().filter(|(_, family)| !family.samples.is_empty()) {
            let help = family.help.iter().map(|help| format!("# HELP {name} {help}\n"));
            let kind = family.kind.iter().map(|kind| format!("# TYPE {name} {kind}\n"));
            text.extend(help.chain(kind));
            for sample in &family.samples {
                writeln!(text, "{sample}").expect("writing to a string never fails");
            }
        }
        text
    }

    fn family(&mut self, name: &str) -> &mut Family {
        self.families.entry(name.to_owned()).or_default()
    }
}

fn comment<'line>(line: &'line str, prefix: &str) -> Option<(&'line str, &'line str)> {
    let rest = line.strip_prefix(prefix)?;
    Some(rest.split_once(' ').unwrap_or((rest, "")))
}

/// `name{labels} value [timestamp]`, cut apart.
struct Sample<'line> {
    name: &'line str,
    labels: &'line str,
    value: &'line str,
}

impl<'line> Sample<'line> {
    fn parse(line: &'line str) -> Option<Self> {
        let name_end = line.find(['{', ' '])?;
        let (name, rest) = line.split_at(name_end);
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => {
                let end = closing_brace(rest)?;
                (rest[..end].trim_end_matches(','), rest[end + 1..].trim())
            }
            None => ("", rest.trim()),
        };
        let is_number = value.split(' ').next().is_some_and(|number| number.parse::<f64>().is_ok());
        (!name.is_empty() && is_number).then_some(Self { name, labels, value })
    }

    fn belongs_to(&self, family: &str) -> bool {
        self.name
            .strip_prefix(family)
            .is_some_and(|suffix| !family.is_empty() && matches!(suffix, "" | "_bucket" | "_sum" | "_count"))
    }

    fn with_service(&self, service: &str) -> String {
        let Self { name, labels, value } = self;
        if labels.starts_with("service=") || labels.contains(",service=") {
            return format!("{name}{{{labels}}} {value}");
        }
        let comma = if labels.is_empty() { "" } else { "," };
        format!("{name}{{{labels}{comma}service=\"{service}\"}} {value}")
    }
}

/// The brace that closes the labels: not one inside a quoted value, where a backslash protects the next character.
fn closing_brace(text: &str) -> Option<usize> {
    let mut is_quoted = false;
    let mut is_protected = false;
    for (position, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_protected => is_protected = false,
            b'\\' if is_quoted => is_protected = true,
            b'"' => is_quoted = !is_quoted,
            b'}' if !is_quoted => return Some(position),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const HISTOGRAM: &str = "\
# HELP ack_seconds how long
# TYPE ack_seconds histogram
ack_seconds_bucket{le=\"+Inf\"} 3
ack_seconds_sum 0.5
ack_seconds_count 3
";

    #[test]
    fn families_stand_once_and_series_stay_apart() {
        let mut merged = Merged::default();
        merged.add("ingest", HISTOGRAM);
        merged.add("sink", HISTOGRAM);
        merged.add("sink", "up 1\n");
        assert_eq!(
            merged.render(),
            "\
# HELP ack_seconds how long
# TYPE ack_seconds histogram
ack_seconds_bucket{le=\"+Inf\",service=\"ingest\"} 3
ack_seconds_sum{service=\"ingest\"} 0.5
ack_seconds_count{service=\"ingest\"} 3
ack_seconds_bucket{le=\"+Inf\",service=\"sink\"} 3
ack_seconds_sum{service=\"sink\"} 0.5
ack_seconds_count{service=\"sink\"} 3
up{service=\"sink\"} 1
"
        );
        assert_eq!(merged.left_out, 0);
    }

    #[test]
    fn quoted_braces_and_own_labels_survive_and_nonsense_is_counted() {
        let mut merged = Merged::default();
        merged.add("a", "x{path=\"}\\\"{\"} NaN 123\ny{service=\"b\"} 1\nz{broken 1\nw nothing\n");
        assert_eq!(merged.render(), "x{path=\"}\\\"{\",service=\"a\"} NaN 123\ny{service=\"b\"} 1\n");
        assert_eq!(merged.left_out, 2);
    }

    #[test]
    fn a_family_with_two_types_keeps_the_first() {
        let mut merged = Merged::default();
        merged.add("a", "# TYPE x counter\nx 1\n");
        merged.add("b", "# TYPE x gauge\nx 2\n");
        assert_eq!(merged.render(), "# TYPE x counter\nx{service=\"a\"} 1\n");
        assert_eq!(merged.left_out, 1);
    }
}
