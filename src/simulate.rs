//! `touchstream simulate`: hands the options over and shows what came of them.

use touchstream_runtime::shutdown;
use touchstream_simulator::{Destination, SimulateOptions};

use crate::cli::SimulateArguments;
use crate::error::{CommandError, failed};

/// Sends simulated traffic until it is done or interrupted.
#[expect(clippy::print_stdout, reason = "the result is this command's output")]
pub(crate) async fn run(arguments: SimulateArguments) -> Result<(), CommandError> {
    let destination = match arguments.out {
        Some(file) => Destination::File(file),
        None => Destination::Http { url: arguments.to, key: arguments.key },
    };
    let is_standard_output = matches!(&destination, Destination::File(file) if file.as_os_str() == "-");
    let options = SimulateOptions {
        seed: arguments.seed,
        days: arguments.days,
        start: arguments.start,
        rate: arguments.rate,
        events_per_day: arguments.events_per_day,
        limit: arguments.limit,
        connections: arguments.connections,
        disorder_s: arguments.disorder_s,
        late_share: arguments.late_share,
        duplicate_share: arguments.duplicate_share,
        regressions: arguments.regression,
        progress: !arguments.json,
        ..SimulateOptions::new(destination)
    };
    let shutdown = shutdown::on_signal().map_err(failed)?;
    let report = touchstream_simulator::run(options, shutdown).await.map_err(failed)?;
    let text = if arguments.json {
        serde_json::to_string(&report).map_err(failed)?
    } else {
        let (sent, accepted) = (report.sent, report.accepted);
        let (duplicates, rejected, retries) = (report.duplicates, report.rejected, report.retries);
        format!(
            "sent {sent}, accepted {accepted}, duplicates {duplicates}, rejected {rejected}, retries {retries}"
        )
    };
    if is_standard_output {
        eprintln!("{text}");
    } else {
        println!("{text}");
    }
    Ok(())
}
