//! touchstream: parses the command line, loads the settings, hands over to a command, and turns its end into an exit status:
//! 0 success, 1 failure, 2 wrong usage or configuration.

mod cli;
mod config;
mod doctor;
mod error;
mod incident;
mod key;
mod rejected;
mod replay;
mod service;
mod setup;
mod simulate;
mod up;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::runtime::Runtime;

use crate::cli::{Cli, Command};
use crate::error::CommandError;

/// Every stage allocates small and short-lived values on several threads, where the allocator of the C library costs a tenth
/// (ingest) to a quarter (processor) of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long the end waits for calls that are still under way in libraries, such as a question to a Kafka that does not answer.
const LAST_WAIT: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("touchstream: failed to start threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(run(cli));
    runtime.shutdown_timeout(LAST_WAIT);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("touchstream: {error}");
            error.exit_code()
        }
    }
}

async fn run(cli: Cli) -> Result<(), CommandError> {
    let config = cli.config.as_deref();
    match cli.command {
        Command::Up(options) => up::run(config, options).await,
        Command::Ingest => service::ingest(config).await,
        Command::Processor => service::processor(config).await,
        Command::Sink => service::sink(config).await,
        Command::Console => service::console(config).await,
        Command::Clickhouse => service::clickhouse(config).await,
        Command::Setup(options) => setup::run(config, &options).await,
        Command::Simulate(options) => simulate::run(options).await,
        Command::Key(key::KeyCommand::Create(options)) => key::create(config, options).await,
        Command::Rejected(command) => rejected::run(config, command).await,
        Command::Incident(command) => incident::run(config, command).await,
        Command::Replay(options) => replay::run(config, options).await,
        Command::Doctor(options) => doctor::run(config, &options).await,
        Command::Config(options) => config::show(config, &options),
    }
}
