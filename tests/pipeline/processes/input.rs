//! A simulated day, sent evenly over the time of a trial, out of order, partly late, partly twice; what is not answered with 202 comes again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use touchstream_simulator::{Destination, SimulateOptions, generate};

use crate::harness::machine::KEY;
use crate::harness::oracle::{Event, HOUR};
use crate::simulated_day::now;

/// Events of one request.
const BATCH: usize = 100;

/// The sender at work.
pub(super) struct Input {
    events: Vec<Event>,
    end: i64,
    percent: Arc<AtomicU64>,
    sender: Option<JoinHandle<()>>,
}

impl Input {
    /// The day ends two hours ago, so that everything in it has its outcome.
    pub(super) fn start(ingest: &str, events_a_day: u64, during: Duration, seed: u64) -> Input {
        let now = now();
        let end = now.div_euclid(HOUR) * HOUR - 2 * HOUR;
        let to = Destination::Http { url: ingest.to_owned(), key: KEY.to_owned() };
        let mut options = SimulateOptions::new(to);
        options.seed = seed;
        options.days = Some(1);
        options.start = Some(end - 24 * HOUR);
        options.events_per_day = Some(events_a_day);
        options.disorder_s = 10;
        options.late_share = 0.02;
        options.duplicate_share = 0.05;
        let plan = options.plan(now).expect("the options are valid");
        let lines: Vec<String> = generate(&plan).map(|event| event.json).collect();
        let events = lines.iter().map(|line| Event::parse(line)).collect();
        let percent = Arc::new(AtomicU64::new(0));
        let (url, progress) = (format!("{ingest}/v1/events"), percent.clone());
        let sender = std::thread::spawn(move || send(&url, &lines, during, &progress));
        Input { events, end, percent, sender: Some(sender) }
    }

    pub(super) fn percent_sent(&self) -> u64 {
        self.percent.load(Ordering::Relaxed)
    }

    pub(super) fn wait_sent(&mut self) {
        if let Some(sender) = self.sender.take() {
            sender.join().expect("everything is sent");
        }
    }

    pub(super) fn events(&self) -> &[Event] {
        &self.events
    }

    /// When the day ended.
    pub(super) fn end(&self) -> i64 {
        self.end
    }
}

fn send(url: &str, lines: &[String], during: Duration, percent: &AtomicU64) {
    let agent = ureq::Agent::new_with_config(
        ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .build(),
    );
    let begun = Instant::now();
    let batches = lines.chunks(BATCH);
    let count = u32::try_from(batches.len()).expect("they are few");
    for (number, batch) in (0..).zip(batches) {
        std::thread::sleep((during / count * number).saturating_sub(begun.elapsed()));
        let body = batch.join("\n");
        loop {
            let request = agent
                .post(url)
                .header("authorization", &format!("Bearer {KEY}"))
                .header("content-type", "application/x-ndjson");
            match request.send(&body).map(|answer| answer.status().as_u16()) {
                Ok(202) => break,
                Ok(status) => assert_eq!(status, 503, "the answer to events"),
                Err(_) => {}
            }
            assert!(begun.elapsed() < 3 * during + Duration::from_secs(60), "ingest takes nothing any more");
            std::thread::sleep(Duration::from_millis(100));
        }
        percent.store(u64::from(number + 1) * 100 / u64::from(count), Ordering::Relaxed);
    }
}
