//! Runs a simulation: one thread makes events and keeps them to the clock, others send them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{SendTimeoutError, Sender};
use touchstream_runtime::shutdown::Shutdown;

use crate::SimulateError;
use crate::generate::{SimulatedEvent, generate};
use crate::options::{Destination, Plan, SimulateOptions, SimulateReport};
use crate::progress::Progress;
use crate::send::{Batch, Senders};

/// Live events are sent at least this often.
const TICK: Duration = Duration::from_millis(50);
/// Bodies stay below ingest's default limit of 1 MiB.
const BATCH_BYTES: usize = 800 * 1024;

/// Simulates until the history is at its end, the limit is reached, or `shutdown` is cancelled.
///
/// # Errors
/// When an option is out of its range, the server refuses the events, or nothing is taken for minutes.
pub async fn run(options: SimulateOptions, shutdown: Shutdown) -> Result<SimulateReport, SimulateError> {
    let work = tokio::task::spawn_blocking(move || run_blocking(&options, &shutdown));
    work.await.map_err(|_| SimulateError::Thread("simulation"))?
}

fn run_blocking(options: &SimulateOptions, shutdown: &Shutdown) -> Result<SimulateReport, SimulateError> {
    let plan = options.plan(now())?;
    let limit = usize::try_from(options.limit.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    let events = generate(&plan).take(limit);
    let progress = Progress::new(options, &plan);
    let report = match &options.destination {
        Destination::File(path) => write_file(path, events, &progress, shutdown),
        Destination::Http { url, key } => {
            let has_history = plan.live_from.is_none_or(|live_from| plan.from < live_from);
            let connections = options.connections.unwrap_or(if has_history { 1 } else { 4 });
            let senders = Senders::start(url, key, connections, shutdown);
            let outlet = Outlet { options, plan: &plan, progress: &progress, shutdown };
            outlet.deliver(events, senders.batches());
            senders.finish()
        }
    };
    progress.finish();
    report
}

fn write_file(
    path: &Path,
    events: impl Iterator<Item = SimulatedEvent>,
    progress: &Progress,
    shutdown: &Shutdown,
) -> Result<SimulateReport, SimulateError> {
    let failed = |source| SimulateError::Write { path: path.to_owned(), source };
    let target: Box<dyn Write> = if path.as_os_str() == "-" {
        Box::new(io::stdout().lock())
    } else {
        Box::new(File::create(path).map_err(failed)?)
    };
    let mut writer = BufWriter::with_capacity(1 << 20, target);
    let mut report = SimulateReport::default();
    for event in events {
        if shutdown.is_cancelled() {
            break;
        }
        writer.write_all(event.json.as_bytes()).and_then(|()| writer.write_all(b"\n")).map_err(failed)?;
        report.sent += 1;
        if report.sent.is_multiple_of(1_000) {
            progress.show(&event, report.sent);
        }
    }
    writer.flush().map_err(failed)?;
    report.accepted = report.sent;
    Ok(report)
}

/// The way from the generator to the senders.
struct Outlet<'a> {
    options: &'a SimulateOptions,
    plan: &'a Plan,
    progress: &'a Progress,
    shutdown: &'a Shutdown,
}

impl Outlet<'_> {
    /// Cuts the stream into batches; live events wait for their time.
    fn deliver(&self, events: impl Iterator<Item = SimulatedEvent>, batches: &Sender<Batch>) {
        let mut batch = Batch::default();
        let mut sent = 0;
        for event in events {
            let live = self.plan.live_from.is_some_and(|live_from| event.arrival >= live_from);
            if live && event.arrival > now() {
                if !self.push(&mut batch, batches) {
                    return;
                }
                self.wait_for(event.arrival);
            }
            batch.add(&event.json, live);
            sent += 1;
            let is_full = batch.events >= self.options.batch_events || batch.bytes() >= BATCH_BYTES;
            if is_full {
                self.progress.show(&event, sent);
                if !self.push(&mut batch, batches) {
                    return;
                }
            }
        }
        self.push(&mut batch, batches);
    }

    /// At high rates a whole tick's events go together.
    fn wait_for(&self, arrival: i64) {
        let wait = Duration::from_millis(u64::try_from(arrival - now()).unwrap_or(0)).max(TICK);
        let mut left = wait;
        while !left.is_zero() && !self.shutdown.is_cancelled() {
            let nap = left.min(Duration::from_millis(200));
            std::thread::sleep(nap);
            left -= nap;
        }
    }

    /// Hands a batch over; false when the simulation is to end.
    fn push(&self, batch: &mut Batch, batches: &Sender<Batch>) -> bool {
        let mut full = std::mem::take(batch);
        while full.events > 0 && !self.shutdown.is_cancelled() {
            match batches.send_timeout(full, Duration::from_millis(200)) {
                Ok(()) => return true,
                Err(SendTimeoutError::Timeout(returned)) => full = returned,
                Err(SendTimeoutError::Disconnected(_)) => return false,
            }
        }
        !self.shutdown.is_cancelled()
    }
}

/// The clock, in milliseconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
