//! `touchstream replay`: rebuilds the results of a period from the raw topics; the processor's part and ClickHouse's part meet here.

use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use tokio::runtime::Handle;
use touchstream_processor::replay::{
    Period, Progress, ReplayError, ReplayReport, ReplayRequest, Results, replay,
};
use touchstream_runtime::settings;
use touchstream_runtime::shutdown;
use touchstream_runtime::telemetry;
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::time::EventTime;
use touchstream_sink::SinkError;
use touchstream_sink::replay::{ReplayedPeriod, Staging, TableChange};

use crate::error::{CommandError, failed};

#[derive(Debug, Args)]
pub(crate) struct ReplayOptions {
    /// First moment of the period: 2026-11-20, 2026-11-20T10:00 or with an offset; UTC when none is given.
    #[arg(long, value_name = "T")]
    from: String,
    /// End of the period, exclusive [default: up to now].
    #[arg(long, value_name = "T")]
    to: Option<String>,
    /// Only tell what would change.
    #[arg(long)]
    dry_run: bool,
    /// Machine-readable output.
    #[arg(long)]
    json: bool,
}

/// Rebuilds, or tells what that would change.
pub(crate) async fn run(config: Option<&Path>, options: ReplayOptions) -> Result<(), CommandError> {
    let settings = settings::load(config)?.settings;
    telemetry::install(&settings.log).map_err(|error| CommandError::Usage(error.into()))?;
    let from = moment("--from", &options.from)?;
    let to = options.to.as_deref().map(|to| moment("--to", to)).transpose()?;
    let period = Period::new(from, to);
    if period.from >= period.to {
        return Err(CommandError::Usage(anyhow::anyhow!(
            "failed to replay: --from {} is not before --to {}",
            options.from,
            options.to.as_deref().unwrap_or_default()
        )));
    }
    let touchpoints = Touchpoints::load(&settings.processor.touchpoints_file)
        .map_err(|error| CommandError::Usage(error.into()))?;
    let shutdown = shutdown::on_signal().map_err(failed)?;
    let staging = Staging::open(&settings).await.map_err(failed)?;
    let mut tables = Tables { staging, runtime: Handle::current(), changes: Vec::new(), exchange: None };
    let mut progress = Line::new(options.json);
    let request = ReplayRequest { period, is_dry_run: options.dry_run };
    let worked = tokio::task::spawn_blocking(move || {
        let done = replay(&settings, touchpoints, request, &mut tables, &mut progress, &shutdown);
        progress.bar.finish_and_clear();
        (done, tables)
    });
    let (done, tables) = worked.await.map_err(failed)?;
    // What is left of them is dropped by the next replay otherwise.
    if let Err(error) = tables.staging.drop_tables().await {
        tracing::warn!(%error, "the tables of the replay could not be dropped");
    }
    let report = done
        .map_err(|error| if error.is_usage() { CommandError::Usage(error.into()) } else { failed(error) })?;
    show(&options, period, &report, &tables).map_err(failed)
}

fn moment(option: &str, text: &str) -> Result<EventTime, CommandError> {
    let given = text.parse::<jiff::Timestamp>().or_else(|_| {
        let civil = text.parse::<jiff::civil::DateTime>()?;
        civil.to_zoned(jiff::tz::TimeZone::UTC).map(|zoned| zoned.timestamp())
    });
    let given = given
        .with_context(|| {
            format!("failed to read {option} {text:?}: expected a time such as 2026-11-20T10:00Z")
        })
        .map_err(CommandError::Usage)?;
    Ok(EventTime(given.as_millisecond()))
}

/// The results' way to readers.
struct Tables {
    staging: Staging,
    runtime: Handle,
    changes: Vec<TableChange>,
    exchange: Option<Duration>,
}

fn results_error(error: SinkError) -> ReplayError {
    ReplayError::Results(Box::new(error))
}

impl Results for Tables {
    fn add(&mut self, topic: &str, value: &[u8]) -> Result<(), ReplayError> {
        if self.staging.add(topic, value).map_err(results_error)? {
            self.runtime.block_on(self.staging.flush()).map_err(results_error)?;
        }
        Ok(())
    }

    fn complete(&mut self, period: Period, revision: i64) -> Result<(), ReplayError> {
        let period = ReplayedPeriod { from: period.from, to: period.to };
        let compare = async {
            self.staging.flush().await?;
            self.staging.compare(period, revision).await
        };
        self.changes = self.runtime.block_on(compare).map_err(results_error)?;
        Ok(())
    }

    fn switch(&mut self, epoch: i64) -> Result<(), ReplayError> {
        self.exchange = Some(self.runtime.block_on(self.staging.switch(epoch)).map_err(results_error)?);
        Ok(())
    }
}

/// How far it is, on one line of standard error; a line a step where that is no terminal.
struct Line {
    bar: ProgressBar,
    is_plain: bool,
}

impl Line {
    fn new(is_quiet: bool) -> Line {
        let is_plain = !std::io::stderr().is_terminal();
        let bar = if is_quiet || is_plain {
            ProgressBar::hidden()
        } else {
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5))
        };
        if let Ok(style) =
            ProgressStyle::with_template("{spinner} {msg} {human_pos}/{human_len} {per_sec} {eta}")
        {
            bar.set_style(style);
        }
        Line { bar, is_plain: is_plain && !is_quiet }
    }
}

impl Progress for Line {
    fn step(&mut self, words: &str) {
        self.bar.reset();
        self.bar.set_message(words.to_owned());
        if self.is_plain {
            eprintln!("replay: {words}");
        }
    }

    fn records(&mut self, read: u64, of: u64) {
        self.bar.set_length(of);
        self.bar.set_position(read);
    }
}

/// What the command tells in the end.
#[derive(Serialize)]
struct Told<'t> {
    dry_run: bool,
    from: String,
    to: Option<String>,
    epoch: i64,
    raw_records: u64,
    journeys: u64,
    held_s: f64,
    exchanged_in_s: Option<f64>,
    sink_was_complete: bool,
    tables: Vec<ToldTable<'t>>,
}

#[derive(Serialize)]
struct ToldTable<'t> {
    table: &'t str,
    rows: u64,
    changed: u64,
    added: u64,
    vanished: u64,
}

#[expect(clippy::print_stdout, reason = "what was done is this command's output")]
fn show(
    options: &ReplayOptions,
    period: Period,
    report: &ReplayReport,
    tables: &Tables,
) -> Result<(), serde_json::Error> {
    let time = |time: EventTime| jiff::Timestamp::from_millisecond(time.0).ok().map(|time| time.to_string());
    let told = Told {
        dry_run: options.dry_run,
        from: time(period.from).unwrap_or_default(),
        to: options.to.as_ref().and_then(|_| time(period.to)),
        epoch: report.epoch,
        raw_records: report.raw_records,
        journeys: report.journeys,
        held_s: report.held.as_secs_f64(),
        exchanged_in_s: tables.exchange.map(|took| took.as_secs_f64()),
        sink_was_complete: report.is_sink_complete,
        tables: tables
            .changes
            .iter()
            .map(|&TableChange { table, rows, changed, added, vanished }| ToldTable {
                table,
                rows,
                changed,
                added,
                vanished,
            })
            .collect(),
    };
    if options.json {
        println!("{}", serde_json::to_string(&told)?);
        return Ok(());
    }
    let to = told.to.as_deref().unwrap_or("now");
    println!("{} from {} to {to}", if told.dry_run { "would rebuild" } else { "rebuilt" }, told.from);
    println!(
        "{} raw records, {} journeys; the processor waited {:.1} s",
        told.raw_records, told.journeys, told.held_s
    );
    println!("{:<28} {:>10} {:>10} {:>10} {:>10}", "table", "rows", "changed", "added", "vanished");
    for ToldTable { table, rows, changed, added, vanished } in &told.tables {
        if rows + vanished > 0 {
            println!("{table:<28} {rows:>10} {changed:>10} {added:>10} {vanished:>10}");
        }
    }
    if !told.sink_was_complete {
        println!("the sink had not written everything yet, so some of these differences are its backlog");
    }
    match told.exchanged_in_s {
        Some(seconds) => {
            println!("readers see epoch {} (all at once, prepared in {seconds:.2} s)", told.epoch);
        }
        None => println!("nothing was changed"),
    }
    Ok(())
}
