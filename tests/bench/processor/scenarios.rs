//! What is run, how often, and which target it is held against.

use std::time::Instant;

use touchstream_schemas::event::Family;
use touchstream_schemas::topics::Topics;

use crate::events::{self, Content, FEW_SERIES};
use crate::peers::{Peers, Streams};
use crate::report::{Report, Runs};
use crate::run::{Group, Running};

/// Rounds of each comparison; `BENCH_ROUNDS` says otherwise.
const ROUNDS: u64 = 3;
/// Events of a run; `BENCH_EVENTS` says otherwise.
const EVENTS: u64 = 1_500_000;
/// The same beside others: compilers take their time, and the end of the last transaction counts for nothing then.
const EVENTS_BESIDE_OTHERS: u64 = 4_000_000;
const OPEN_CHECKOUTS: u64 = 1_000_000;
const FEW_OPEN_CHECKOUTS: u64 = 1_000;

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable)
        .map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

fn rounds() -> u64 {
    number("BENCH_ROUNDS", ROUNDS)
}

fn events(usual: u64) -> u64 {
    number("BENCH_EVENTS", usual)
}

/// One run of the processor, for a profiler to look at: `-- trial feedback`.
pub(crate) fn trial(peers: &Peers<'_>, name: &str) {
    let (partitions, content, families) = match name {
        "feedback" => (2, Content::Feedback { series: FEW_SERIES }, &[Family::Feedback][..]),
        "wide" => (16, Content::Feedback { series: FEW_SERIES }, &[Family::Feedback][..]),
        "many" => (2, Content::Feedback { series: 10_000 }, &[Family::Feedback][..]),
        "checkouts" => (2, Content::Checkouts, &[Family::Checkout][..]),
        _ => (2, Content::Mix, &Family::ALL[..]),
    };
    peers.prepare(name, partitions, content, events(EVENTS), 1);
    let mut ours = Runs::new(&format!("processor, {name}"));
    let mut bare = Runs::new("bare loop");
    for _ in 0..rounds() {
        bare.add(peers.bare(name, "by-name"));
        ours.add(peers.processor(name, families, partitions));
    }
}

/// Feedback and all families, beside Kafka Streams and the bare loop; 16 partitions beside 2.
pub(crate) fn speed(peers: &Peers<'_>, report: &mut Report) {
    let feedback = Content::Feedback { series: FEW_SERIES };
    for (prefix, partitions, content) in
        [("feedback", 2, feedback), ("wide", 16, feedback), ("mix", 2, Content::Mix)]
    {
        peers.prepare(prefix, partitions, content, events(EVENTS_BESIDE_OTHERS), 1);
    }
    // Commits every 100 ms, the default of exactly-once; every second was slower.
    let [by_series, by_partition] =
        ["repartition", "local"].map(|variant| Streams { variant, commit_interval_ms: 100, threads: 2 });
    let mut streams = Runs::new("Kafka Streams, feedback: one result a series");
    let mut local = Runs::new("Kafka Streams, feedback: parts of results, by partition");
    let mut ours = Runs::new("processor, feedback, 2 partitions");
    let mut wide = Runs::new("processor, feedback, 16 partitions");
    let mut mix = Runs::new("processor, all families");
    let mut bare = [Runs::new("bare loop, feedback"), Runs::new("bare loop, all families")];
    let mut by_position = Runs::new("bare loop, feedback, decoding as the processor does");
    // Not measured: whoever comes first meets a broker whose own code is not compiled yet, and was a third to two fifths slower.
    let _warmed_up = peers.streams("feedback", by_series);
    for _ in 0..rounds() {
        streams.add(peers.streams("feedback", by_series));
        local.add(peers.streams("feedback", by_partition));
        ours.add(peers.processor("feedback", &[Family::Feedback], 2));
        bare[0].add(peers.bare("feedback", "by-name"));
        by_position.add(peers.bare("feedback", "by-position"));
        wide.add(peers.processor("wide", &[Family::Feedback], 16));
        mix.add(peers.processor("mix", &Family::ALL, 2));
        bare[1].add(peers.bare("mix", "by-name"));
    }
    report.target("feedback ÷ Kafka Streams", ours.rate() / streams.rate(), 4.0);
    report.target("all families ÷ Kafka Streams on feedback", mix.rate() / streams.rate(), 1.8);
    report.note(format!(
        "Kafka Streams that leaves a part of each result in each partition, for readers to add up, is another thing than what was asked for, \
         and faster: feedback here is {:.2} times as fast as it, all families {:.2} times.",
        ours.rate() / local.rate(),
        mix.rate() / local.rate()
    ));
    report.target("feedback ÷ bare loop", ours.rate() / bare[0].rate(), 0.7);
    report.target("all families ÷ bare loop", mix.rate() / bare[1].rate(), 0.4);
    report.note(format!(
        "The bare loop decodes by field names, as any reader of these records would. One that decodes as the processor does (by position) is \
         faster: feedback here is {:.2} times as fast as it.",
        ours.rate() / by_position.rate()
    ));
    report.limit("CPU an event, 16 partitions ÷ 2", wide.cpu_us() / ours.cpu_us(), 1.0);
    let [bare_feedback, bare_mix] = bare;
    report.runs([streams, local, ours, wide, mix, bare_feedback, by_position, bare_mix]);
    for prefix in ["feedback", "wide", "mix"] {
        peers.machine.delete_topics(prefix, false);
    }
}

/// Ten series beside ten thousand.
pub(crate) fn series(peers: &Peers<'_>, report: &mut Report) {
    let mut runs = [("few", 10), ("many", 10_000)].map(|(prefix, series)| {
        peers.prepare(prefix, 2, Content::Feedback { series }, events(EVENTS), 2);
        (prefix, Runs::new(&format!("processor, feedback, {series} series")))
    });
    for _ in 0..rounds() {
        for (prefix, runs) in &mut runs {
            runs.add(peers.processor(prefix, &[Family::Feedback], 2));
        }
    }
    report.target("10,000 series ÷ 10 series", runs[1].1.rate() / runs[0].1.rate(), 0.5);
    for (prefix, runs) in runs {
        report.runs([runs]);
        peers.machine.delete_topics(prefix, false);
    }
}

/// A million open checkouts beside a thousand: what they weigh, how fast they come back, what they slow down.
pub(crate) fn state(peers: &Peers<'_>, report: &mut Report) {
    let mut rates = Vec::new();
    let mut weights = Vec::new();
    for (prefix, open) in [("open-few", FEW_OPEN_CHECKOUTS), ("open-many", OPEN_CHECKOUTS)] {
        peers.machine.create_topics(prefix, 2);
        events::prepare(&peers.machine.settings, prefix, Content::OpenCheckouts, 2 * open, 3);
        // As many records in both, so that ids held against duplicates weigh the same.
        events::prepare(&peers.machine.settings, prefix, Content::Refunds, 2 * (OPEN_CHECKOUTS - open), 4);
        let topics = [Topics::new(prefix).raw(Family::Checkout)];
        let group = format!("{prefix}-group");
        let mut process = peers.start_processor(prefix, &group);
        Group::new(peers.machine, &format!("{group}-measure"), &topics).watch(&mut process, 0);
        weights.push(process.resident());
        report.note(format!("Resident with {open} open checkouts: {} MiB.", process.resident() >> 20));
        process.kill();
        let mut runs = Runs::new(&format!("processor, checkouts beside {open} open ones"));
        for repetition in 0..rounds() {
            let before = peers.machine.ends(&topics[0]).iter().map(|(_, end)| end).sum();
            events::prepare(
                &peers.machine.settings,
                prefix,
                Content::Checkouts,
                events(EVENTS) / 2,
                5 + repetition,
            );
            let began = Instant::now();
            let mut process = peers.start_processor(prefix, &group);
            Running::wait_ready(peers.admin_port);
            if open == OPEN_CHECKOUTS && repetition == 0 {
                report.limit(
                    "seconds from start to ready with 1 million open checkouts, after kill -9",
                    began.elapsed().as_secs_f64(),
                    20.0,
                );
            }
            runs.add(
                Group::new(peers.machine, &format!("{group}-measure"), &topics).watch(&mut process, before),
            );
            process.kill();
        }
        rates.push(runs);
        peers.machine.delete_topics(prefix, false);
    }
    #[expect(clippy::cast_precision_loss, reason = "gigabytes over a million")]
    let each = weights[1].saturating_sub(weights[0]) as f64 / (OPEN_CHECKOUTS - FEW_OPEN_CHECKOUTS) as f64;
    report.limit("resident bytes of an open checkout (2 events)", each, 400.0);
    report.target("checkouts with 1 million open ÷ with 1,000", rates[1].rate() / rates[0].rate(), 0.8);
    report.runs(rates);
}
