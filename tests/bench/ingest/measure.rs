//! The run: the bare handler's best linger first, then rounds in which both servers take turns, then constant rates.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Plan;
use crate::events::{self, BATCH, Request};
use crate::load::{Loaded, wrk};
use crate::report::Spread;
use crate::server::{self, Server, processor_time};
use crate::steady::{self, Steady};

/// Keep-alive connections of single events.
pub(crate) const CONNECTIONS: [usize; 2] = [64, 256];
/// Keep-alive connections of batches.
pub(crate) const BATCH_CONNECTIONS: usize = 64;
/// Lingers that the bare handler is tried with.
const LINGERS_MS: [u64; 4] = [0, 1, 2, 5];
const BARE_TOPIC: &str = "bare";
/// Different single events; ids come on top.
const SINGLES: usize = 512;
/// Different batches: more than a measurement sends, so that no id comes twice within it.
const BATCHES: usize = 12_000;

/// One server's share of the rounds at one kind of load.
#[derive(Debug, Default)]
pub(crate) struct Series {
    /// Events a second.
    pub(crate) rate: Spread,
    pub(crate) p50_ms: Spread,
    pub(crate) p99_ms: Spread,
    /// Processor time of the server and of Kafka, in microseconds an event.
    pub(crate) server_us: Spread,
    pub(crate) kafka_us: Spread,
    pub(crate) peak_mib: Spread,
}

/// Both at one number of connections.
#[derive(Debug, Default)]
pub(crate) struct Duel {
    pub(crate) connections: usize,
    /// Rates of the trial, by linger.
    pub(crate) trial: Vec<(u64, f64)>,
    pub(crate) best_linger_ms: u64,
    pub(crate) bare: Series,
    pub(crate) ours: Series,
    /// Ours by bare, within each round.
    pub(crate) ratio: Spread,
    pub(crate) bare_steady: Constant,
    pub(crate) ours_steady: Constant,
}

/// Latencies at a constant rate.
#[derive(Debug, Default)]
pub(crate) struct Constant {
    /// Events a second.
    pub(crate) rate: Spread,
    pub(crate) p50_ms: Spread,
    pub(crate) p99_ms: Spread,
    pub(crate) highest_ms: Spread,
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) single: Vec<Duel>,
    pub(crate) batches: Series,
    pub(crate) batches_steady: Constant,
    pub(crate) event_bytes: usize,
    pub(crate) batch_bytes: usize,
    pub(crate) load_average: String,
}

struct Bench<'p> {
    plan: &'p Plan,
    kafka_pid: u32,
    ours: Server,
    bares: Vec<(u64, Server)>,
    single: Vec<Request>,
    single_file: PathBuf,
    batches: Vec<Request>,
    batch_file: PathBuf,
    runs: usize,
}

/// Measures everything.
pub(crate) fn run(plan: &Plan) -> Figures {
    let directory = server::data_directory();
    let kafka = server::start_kafka(directory.path(), BARE_TOPIC);
    let mut bench = Bench::new(plan, directory.path(), &kafka.bootstrap(), kafka.process().pid());
    let mut figures = Figures {
        event_bytes: body_bytes(&bench.single),
        batch_bytes: body_bytes(&bench.batches),
        ..Figures::default()
    };
    bench.warm_up();
    for &connections in &plan.connections {
        let duel = bench.duel(connections);
        say(&format!("{connections} connections: ratio {}", duel.ratio.show(2)));
        figures.single.push(duel);
    }
    figures.batches = bench.batches();
    say(&format!("batches: {} events/s", figures.batches.rate.show(0)));
    for duel in &mut figures.single {
        bench.constant(duel);
    }
    let rate = figures.batches.rate.median() / 2.0;
    for _ in 0..plan.rounds {
        let seen = bench.steady(&bench.ours.address.clone(), true, BATCH_CONNECTIONS, rate);
        figures.batches_steady.add(&seen, BATCH);
    }
    figures.load_average = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    figures
}

#[expect(clippy::print_stdout, reason = "a benchmark's output")]
fn say(what: &str) {
    println!("{what}");
}

fn body_bytes(requests: &[Request]) -> usize {
    let body = |request: &Request| {
        let head =
            request.bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("there is a head");
        request.bytes.len() - head - 4
    };
    requests.iter().map(body).sum::<usize>() / requests.len()
}

impl Bench<'_> {
    fn new<'p>(plan: &'p Plan, directory: &Path, brokers: &str, kafka_pid: u32) -> Bench<'p> {
        let single = events::single(SINGLES);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it can be made");
        let batches = runtime.block_on(events::batches(BATCHES));
        let (single_file, batch_file) = (directory.join("single"), directory.join("batches"));
        events::write_file(&single_file, &single);
        events::write_file(&batch_file, &batches);
        let bares = LINGERS_MS
            .map(|linger| (linger, server::start_bare(directory, brokers, BARE_TOPIC, linger)))
            .into();
        let ours = server::start_ingest(directory, brokers);
        Bench { plan, kafka_pid, ours, bares, single, single_file, batches, batch_file, runs: 0 }
    }

    fn next_run(&mut self) -> usize {
        self.runs += 1;
        self.runs
    }

    /// Producers connect, Java compiles.
    fn warm_up(&mut self) {
        let run = self.next_run();
        let address = self.ours.address.clone();
        wrk(&address, &self.single_file, 256, Duration::from_secs(5), run);
        for index in 0..self.bares.len() {
            let (run, address) = (self.next_run(), self.bares[index].1.address.clone());
            wrk(&address, &self.single_file, 256, Duration::from_secs(2), run);
        }
    }

    fn duel(&mut self, connections: usize) -> Duel {
        let mut duel = Duel { connections, ..Duel::default() };
        for index in 0..self.bares.len() {
            let run = self.next_run();
            let (linger, server) = &self.bares[index];
            let loaded = wrk(&server.address, &self.single_file, connections, Duration::from_secs(2), run);
            duel.trial.push((*linger, loaded.rate));
        }
        let best = duel.trial.iter().max_by(|one, other| one.1.total_cmp(&other.1)).expect("there are four");
        duel.best_linger_ms = best.0;
        let bare = LINGERS_MS.iter().position(|linger| *linger == best.0).expect("it is one of them");
        for round in 0..self.plan.rounds {
            let mut rates = [0.0; 2];
            // Who begins changes: what one leaves behind for the broker meets the other.
            for turn in 0..2 {
                let is_ours = (turn + round) % 2 == 0;
                let run = self.next_run();
                let server = if is_ours { &self.ours } else { &self.bares[bare].1 };
                let series = if is_ours { &mut duel.ours } else { &mut duel.bare };
                let file = &self.single_file;
                let loaded = observe(self.kafka_pid, server, series, 1, || {
                    wrk(&server.address, file, connections, self.plan.seconds, run)
                });
                rates[usize::from(is_ours)] = loaded.rate;
            }
            duel.ratio.add(rates[1] / rates[0]);
        }
        duel
    }

    fn batches(&mut self) -> Series {
        let mut series = Series::default();
        for _ in 0..self.plan.rounds {
            let run = self.next_run();
            let (server, file) = (&self.ours, &self.batch_file);
            observe(self.kafka_pid, server, &mut series, BATCH, || {
                wrk(&server.address, file, BATCH_CONNECTIONS, self.plan.seconds, run)
            });
        }
        series
    }

    /// Both at half of what ours can do at most.
    fn constant(&mut self, duel: &mut Duel) {
        let rate = duel.ours.rate.median() / 2.0;
        let bare = self.bares.iter().find(|(linger, _)| *linger == duel.best_linger_ms).expect("it is there");
        let (bare, ours) = (bare.1.address.clone(), self.ours.address.clone());
        for _ in 0..self.plan.rounds {
            let seen = self.steady(&bare, false, duel.connections, rate);
            duel.bare_steady.add(&seen, 1);
            let seen = self.steady(&ours, false, duel.connections, rate);
            duel.ours_steady.add(&seen, 1);
        }
    }

    /// `rate` counts events.
    fn steady(&mut self, address: &str, batches: bool, connections: usize, rate: f64) -> Steady {
        let run = self.next_run();
        #[expect(clippy::cast_precision_loss, reason = "a hundred")]
        let (requests, rate) =
            if batches { (&self.batches, rate / BATCH as f64) } else { (&self.single, rate) };
        steady::run(address, requests, connections, rate, self.plan.seconds, run)
    }
}

/// Notes what a load did to the server and to Kafka.
fn observe(
    kafka_pid: u32,
    server: &Server,
    series: &mut Series,
    events_a_request: usize,
    load: impl FnOnce() -> Loaded,
) -> Loaded {
    server.forget_peak();
    let before = [server.pid(), kafka_pid].map(processor_time);
    let loaded = load();
    let after = [server.pid(), kafka_pid].map(processor_time);
    #[expect(clippy::cast_precision_loss, reason = "counts of a short run")]
    let events_a_request = events_a_request as f64;
    #[expect(clippy::cast_precision_loss, reason = "counts of a short run")]
    let events = loaded.requests as f64 * events_a_request;
    let micros = |index: usize| (after[index] - before[index]).as_secs_f64() * 1e6 / events;
    series.rate.add(loaded.rate * events_a_request);
    series.p50_ms.add(loaded.p50.as_secs_f64() * 1e3);
    series.p99_ms.add(loaded.p99.as_secs_f64() * 1e3);
    series.server_us.add(micros(0));
    series.kafka_us.add(micros(1));
    series.peak_mib.add(server.peak_mib());
    loaded
}

impl Constant {
    fn add(&mut self, seen: &Steady, events_a_request: usize) {
        #[expect(clippy::cast_precision_loss, reason = "a hundred at most")]
        self.rate.add(seen.rate * events_a_request as f64);
        self.p50_ms.add(seen.p50.as_secs_f64() * 1e3);
        self.p99_ms.add(seen.p99.as_secs_f64() * 1e3);
        self.highest_ms.add(seen.highest.as_secs_f64() * 1e3);
    }
}
