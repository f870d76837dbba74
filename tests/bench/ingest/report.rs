//! Figures → a table with medians, spread and targets, printed and put between two marks of the results page.

use std::fmt::Write;

use crate::Plan;
use crate::measure::{BATCH_CONNECTIONS, Constant, Duel, Figures, Series};

const BEGIN: &str = "<!-- written by make bench-ingest: begin -->";
const END: &str = "<!-- written by make bench-ingest: end -->";

/// Values of repeated measurements.
#[derive(Debug, Default)]
pub(crate) struct Spread(Vec<f64>);

impl Spread {
    pub(crate) fn add(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_unstable_by(f64::total_cmp);
    }

    /// The middle value; the higher of two.
    pub(crate) fn median(&self) -> f64 {
        self.0.get(self.0.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn highest(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }

    /// The median, and the lowest and highest value.
    pub(crate) fn show(&self, digits: usize) -> String {
        let (Some(low), Some(high)) = (self.0.first(), self.0.last()) else { return "none".to_owned() };
        let show = |value: f64| if digits == 0 { thousands(value) } else { format!("{value:.digits$}") };
        format!("{} ({} to {})", show(self.median()), show(*low), show(*high))
    }
}

/// 26,000.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut shown = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Prints the figures and puts them into the page.
#[expect(clippy::print_stdout, reason = "a benchmark's output")]
pub(crate) fn write(plan: &Plan, figures: &Figures) {
    let table = table(plan, figures);
    println!("{table}");
    let Some(page) = &plan.page else { return };
    let before = std::fs::read_to_string(page).unwrap_or_default();
    let new = match (before.split_once(BEGIN), before.split_once(END)) {
        (Some((head, _)), Some((_, tail))) => format!("{head}{BEGIN}\n{table}{END}{tail}"),
        _ => format!("{before}\n{BEGIN}\n{table}{END}\n"),
    };
    std::fs::write(page, new).expect("the page can be written");
}

fn table(plan: &Plan, figures: &Figures) -> String {
    let mut text = String::new();
    let mut line = |line: String| writeln!(text, "{line}").expect("a string takes everything");
    line(format!(
        "{now}, {cores} cores shared by load, Kafka and servers; {rounds} rounds of {seconds} s, servers in turn; load average at \
         the end {load}. Events of {event} bytes; gzip bodies of 100 events {batch} bytes. Medians, with the lowest and highest round.",
        now = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC"),
        cores = std::thread::available_parallelism().map_or(0, usize::from),
        rounds = plan.rounds,
        seconds = plan.seconds.as_secs(),
        load = figures.load_average.split(' ').take(3).collect::<Vec<_>>().join(" "),
        event = figures.event_bytes,
        batch = thousands(to_f64(figures.batch_bytes)),
    ));
    line(String::new());
    for duel in &figures.single {
        let trial: Vec<String> =
            duel.trial.iter().map(|(linger, rate)| format!("{linger} ms {}", thousands(*rate))).collect();
        line(format!(
            "Bare handler at {} connections by linger, events/s: {}. Best: {} ms.",
            duel.connections,
            trial.join(", "),
            duel.best_linger_ms
        ));
    }
    line(String::new());
    line(
        "| highest rate | events/s | p50 ms | p99 ms | server µs/event | Kafka µs/event | peak MiB |"
            .to_owned(),
    );
    line("|---|---|---|---|---|---|---|".to_owned());
    for duel in &figures.single {
        line(series(&format!("bare, {} connections", duel.connections), &duel.bare));
        line(series(&format!("ingest, {} connections", duel.connections), &duel.ours));
    }
    line(series(&format!("ingest, gzip NDJSON of 100, {BATCH_CONNECTIONS} connections"), &figures.batches));
    line(String::new());
    line("| constant rate, half of ingest's highest | events/s | p50 ms | p99 ms | highest ms |".to_owned());
    line("|---|---|---|---|---|".to_owned());
    for duel in &figures.single {
        line(constant(&format!("bare, {} connections", duel.connections), &duel.bare_steady));
        line(constant(&format!("ingest, {} connections", duel.connections), &duel.ours_steady));
    }
    line(constant("ingest, gzip NDJSON of 100", &figures.batches_steady));
    line(String::new());
    line("| target | figure | |".to_owned());
    line("|---|---|---|".to_owned());
    for (target, figure, met) in verdicts(figures) {
        line(format!("| {target} | {figure} | {} |", if met { "met" } else { "**missed**" }));
    }
    text
}

fn series(name: &str, series: &Series) -> String {
    format!(
        "| {name} | {} | {} | {} | {} | {} | {} |",
        series.rate.show(0),
        series.p50_ms.show(1),
        series.p99_ms.show(1),
        series.server_us.show(1),
        series.kafka_us.show(1),
        series.peak_mib.show(0)
    )
}

fn constant(name: &str, constant: &Constant) -> String {
    format!(
        "| {name} | {} | {} | {} | {} |",
        thousands(constant.rate.median()),
        constant.p50_ms.show(1),
        constant.p99_ms.show(1),
        constant.highest_ms.show(1)
    )
}

fn verdicts(figures: &Figures) -> Vec<(String, String, bool)> {
    let mut verdicts = Vec::new();
    for duel in &figures.single {
        let Duel { connections, ratio, .. } = duel;
        verdicts.push((
            format!("single events at {connections} connections: at least 0.85 × bare"),
            ratio.show(2),
            ratio.median() >= 0.85,
        ));
    }
    let batches = &figures.batches.rate;
    verdicts.push((
        "gzip NDJSON batches of 100: at least 150,000 events/s".to_owned(),
        batches.show(0),
        batches.median() >= 150_000.0,
    ));
    let steady = figures.single.iter().map(|duel| (duel.connections.to_string(), &duel.ours_steady));
    for (load, constant) in steady.chain([("batches".to_owned(), &figures.batches_steady)]) {
        verdicts.push((
            format!("p99 at half the highest rate, {load}: at most 15 ms"),
            constant.p99_ms.show(1),
            constant.p99_ms.median() <= 15.0,
        ));
    }
    let peaks = figures.single.iter().map(|duel| &duel.ours.peak_mib).chain([&figures.batches.peak_mib]);
    let peak = peaks.map(Spread::highest).fold(0.0, f64::max);
    verdicts.push((
        "resident memory under all of these: at most 150 MB".to_owned(),
        format!("{peak:.0} MiB"),
        peak * 1.048_576 <= 150.0,
    ));
    verdicts
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a request")]
fn to_f64(number: usize) -> f64 {
    number as f64
}
