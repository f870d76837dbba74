//! What is run, how often, and which target it is held against.

use std::time::Instant;

use touchstream_schemas::event::Family;
use touchstream_schemas::topics::Topics;

use crate::events::{self, Content, FEW_SERIES};
use crate::peers::{Peers, Streams};
use crate::report::{Report, Runs};
use crate::run::{Group, Outcome, Running};

const REPETITIONS: usize = 3;
const EVENTS: u64 = 2_000_000;
const OPEN_CHECKOUTS: u64 = 1_000_000;
const FEW_OPEN_CHECKOUTS: u64 = 1_000;

/// Feedback and all families, beside Kafka Streams and the bare loop; 16 partitions beside 2.
pub(crate) fn speed(peers: &Peers<'_>, report: &mut Report) {
    let feedback = Content::Feedback { series: FEW_SERIES };
    for (prefix, partitions, content) in
        [("feedback", 2, feedback), ("wide", 16, feedback), ("mix", 2, Content::Mix)]
    {
        peers.prepare(prefix, partitions, content, EVENTS, 1);
    }
    // One trial of each way to run Kafka Streams; the quickest is the peer.
    let ways = [("local", 100), ("local", 1_000), ("repartition", 100), ("repartition", 1_000)];
    let mut trials: Vec<(Streams, Outcome)> = ways
        .map(|(variant, commit_interval_ms)| Streams { variant, commit_interval_ms, threads: 2 })
        .map(|how| (how, peers.streams("feedback", how)))
        .into();
    trials.sort_by(|(_, one), (_, other)| other.rate.total_cmp(&one.rate));
    for (how, outcome) in &trials {
        report.note(format!(
            "Kafka Streams, {} topology, commits every {} ms: {:.0} events/s in one trial.",
            how.variant, how.commit_interval_ms, outcome.rate
        ));
    }
    let (best, _) = trials[0];
    let mut streams = Runs::new("Kafka Streams, feedback");
    let mut ours = Runs::new("processor, feedback, 2 partitions");
    let mut wide = Runs::new("processor, feedback, 16 partitions");
    let mut mix = Runs::new("processor, all families");
    let mut bare = [Runs::new("bare loop, feedback"), Runs::new("bare loop, all families")];
    let mut by_position = Runs::new("bare loop, feedback, decoding as the processor does");
    for _ in 0..REPETITIONS {
        streams.add(peers.streams("feedback", best));
        ours.add(peers.processor("feedback", &[Family::Feedback], 2));
        bare[0].add(peers.bare("feedback", "by-name"));
        by_position.add(peers.bare("feedback", "by-position"));
        wide.add(peers.processor("wide", &[Family::Feedback], 16));
        mix.add(peers.processor("mix", &Family::ALL, 2));
        bare[1].add(peers.bare("mix", "by-name"));
    }
    report.target("feedback ÷ Kafka Streams", ours.rate() / streams.rate(), 4.0);
    report.target("all families ÷ Kafka Streams on feedback", mix.rate() / streams.rate(), 1.8);
    report.target("feedback ÷ bare loop", ours.rate() / bare[0].rate(), 0.7);
    report.target("all families ÷ bare loop", mix.rate() / bare[1].rate(), 0.4);
    report.limit("CPU an event, 16 partitions ÷ 2", wide.cpu_us() / ours.cpu_us(), 1.0);
    let [bare_feedback, bare_mix] = bare;
    report.runs([streams, ours, wide, mix, bare_feedback, by_position, bare_mix]);
    for prefix in ["feedback", "wide", "mix"] {
        peers.machine.delete_topics(prefix, false);
    }
}

/// Ten series beside ten thousand.
pub(crate) fn series(peers: &Peers<'_>, report: &mut Report) {
    let mut runs = [("few", 10), ("many", 10_000)].map(|(prefix, series)| {
        peers.prepare(prefix, 2, Content::Feedback { series }, EVENTS, 2);
        (prefix, Runs::new(&format!("processor, feedback, {series} series")))
    });
    for _ in 0..REPETITIONS {
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
        for repetition in 0..REPETITIONS as u64 {
            let before = peers.machine.ends(&topics[0]).iter().map(|(_, end)| end).sum();
            events::prepare(&peers.machine.settings, prefix, Content::Checkouts, EVENTS / 2, 5 + repetition);
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
