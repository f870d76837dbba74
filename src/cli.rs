//! The command line: every command, its options, and examples.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use touchstream_simulator::RegressionOrder;

use crate::incident::IncidentCommand;
use crate::key::KeyCommand;
use crate::rejected::RejectedCommand;
use crate::replay::ReplayOptions;

/// Customer-experience numbers within seconds: touchpoint events in, trusted rolling windows out.
#[derive(Debug, Parser)]
#[command(
    name = "touchstream",
    version,
    max_term_width = 110,
    after_help = "Examples:\n  touchstream up --demo          everything on this machine, with simulated customers\n  \
                  touchstream up                 everything on this machine, waiting for your events\n  \
                  touchstream config             settings in force, and where each comes from"
)]
pub(crate) struct Cli {
    /// Settings that override the defaults (TOML; deploy/config/default.toml explains all of them).
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything on this machine: Apache Kafka, the embedded ClickHouse engine, ingest, processor, sink, console.
    ///
    /// Kafka or ClickHouse configured elsewhere (kafka.brokers, clickhouse.url) are used instead of local ones.
    #[command(
        after_help = "Examples:\n  touchstream up\n  touchstream up --demo --data-dir /var/tmp/trial\n  touchstream up --reset"
    )]
    Up(UpOptions),
    /// Take events over HTTP and write them to Kafka; any number of instances.
    #[command(after_help = "Example:\n  touchstream ingest --config production.toml")]
    Ingest,
    /// Turn events into facts and rolling windows; any number of instances.
    #[command(after_help = "Example:\n  touchstream processor --config production.toml")]
    Processor,
    /// Write events, facts and windows to ClickHouse; any number of instances.
    #[command(after_help = "Example:\n  touchstream sink --config production.toml")]
    Sink,
    /// Serve the live page for people: scores, checkout, response times, trust in the data, live events. Reads ClickHouse and nothing else.
    #[command(after_help = "Example:\n  touchstream console --config production.toml")]
    Console,
    /// Run the embedded ClickHouse engine alone, behind ClickHouse's HTTP interface.
    #[command(after_help = "Example:\n  touchstream clickhouse --config local.toml")]
    Clickhouse,
    /// Create or upgrade topics and ClickHouse objects; safe to repeat.
    #[command(
        after_help = "Examples:\n  touchstream setup --dry-run\n  touchstream setup --config production.toml"
    )]
    Setup(SetupOptions),
    /// Send the traffic of believable customers, live or as history.
    #[command(
        after_help = "Examples:\n  touchstream simulate --rate 20\n  touchstream simulate --days 7 --seed 42 --to \
                      http://127.0.0.1:8080 --key shop\n  touchstream simulate --days 1 --out events.ndjson\n  touchstream simulate --days 7 --rate 5 --regression payment-errors@-6h --regression slow-chat@-3h/1h"
    )]
    Simulate(SimulateArguments),
    /// Make write keys.
    #[command(subcommand)]
    Key(KeyCommand),
    /// What could not be processed: list it, look at it. Changes nothing.
    #[command(subcommand)]
    Rejected(RejectedCommand),
    /// Note outages and holidays, so that they are no baseline of the rules that tell regressions.
    #[command(subcommand)]
    Incident(IncidentCommand),
    /// Rebuild facts, minutes and windows of a period from the raw topics; readers see the old results or the new ones, never both.
    ///
    /// Needs the raw records of the period and of the 7 days before it. The processor waits while it is replaced, usually some seconds.
    #[command(
        after_help = "Examples:\n  touchstream replay --from 2026-11-20 --dry-run\n  touchstream replay --from \
                      2026-11-20T10:00Z --to 2026-11-20T12:00Z --json"
    )]
    Replay(ReplayOptions),
    /// Look at everything and say what is wrong, why, and what to do: Kafka, ClickHouse, lag, watermarks, transactions, disks.
    ///
    /// Changes nothing. Exit status 0: no problem; 1: a problem was found; 2: wrong settings.
    #[command(
        after_help = "Examples:\n  touchstream doctor\n  touchstream doctor --config production.toml --json\n  touchstream doctor \
                      --data-dir /var/tmp/trial     beside `touchstream up --data-dir /var/tmp/trial`"
    )]
    Doctor(DoctorOptions),
    /// Show the settings in force and where each comes from; secrets are masked.
    #[command(
        after_help = "Examples:\n  touchstream config\n  touchstream config --config production.toml --json"
    )]
    Config(ConfigOptions),
}

#[derive(Debug, Args)]
pub(crate) struct UpOptions {
    /// Add a tenant with 14 days of simulated history and live traffic.
    #[arg(long)]
    pub(crate) demo: bool,
    /// Where data, logs and generated secrets are kept [default: local.data_dir, .touchstream].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Delete the data directory first.
    #[arg(long)]
    pub(crate) reset: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SetupOptions {
    /// Only show what would be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigOptions {
    /// Machine-readable output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorOptions {
    /// Machine-readable output.
    #[arg(long)]
    pub(crate) json: bool,
    /// Seconds between the two looks that tell what moves from what stands still.
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub(crate) watch: u64,
    /// Data directory of the `touchstream up` to look at [default: local.data_dir, .touchstream].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArguments {
    /// Live events per second; goes on until Ctrl-C.
    #[arg(long, value_name = "N")]
    pub(crate) rate: Option<f64>,
    /// The same seed gives the same customers.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Days of history; alone they end at the last midnight UTC, with --rate they end now.
    #[arg(long, value_name = "N")]
    pub(crate) days: Option<u32>,
    /// First moment of the history in milliseconds since 1970, instead of the one that --days implies.
    #[arg(long, value_name = "MS", requires = "days")]
    pub(crate) start: Option<i64>,
    /// Volume of a day of history.
    #[arg(long, value_name = "N")]
    pub(crate) events_per_day: Option<u64>,
    /// Stop after this many events.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Address of ingest.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) to: String,
    /// Write key to send with.
    #[arg(
        long,
        value_name = "KEY",
        default_value = "shop",
        env = "TOUCHSTREAM_WRITE_KEY",
        hide_env_values = true
    )]
    pub(crate) key: String,
    /// Write the events into a file instead, one a line; - is standard output.
    #[arg(long, value_name = "FILE", conflicts_with = "to")]
    pub(crate) out: Option<PathBuf>,
    /// Parallel connections.
    #[arg(long, value_name = "N")]
    pub(crate) connections: Option<usize>,
    /// Events arrive out of order by up to this many seconds.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) disorder_s: u32,
    /// Share of events that arrive up to three hours late.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(crate) late_share: f64,
    /// Share of events that are sent twice.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(crate) duplicate_share: f64,
    /// Lets something go wrong, again for several: payment-errors, slow-chat, nps-fall, silent-touchpoint or ingest-outage, from a
    /// time on (2026-11-20T10:00:00Z, +9d12h after the start, -2h before now), for a while (/6h) or to the end.
    #[arg(long, value_name = "KIND@TIME[/LENGTH]", allow_hyphen_values = true)]
    pub(crate) regression: Vec<RegressionOrder>,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
