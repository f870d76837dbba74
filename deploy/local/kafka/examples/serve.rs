//! A Kafka for trials: `serve DATA_DIR PORT`. Fetches the parts on first use, runs until Ctrl-C or SIGTERM, keeps its data.

use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use touchstream_local_kafka::{KafkaOptions, start};
use touchstream_local_parts::Progress;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(data_dir), Some(port)) = (arguments.next(), arguments.next()) else {
        return Err("usage: serve DATA_DIR PORT".into());
    };
    let progress = Progress::detect();

    // Blocked before any thread exists, so that every thread leaves these signals to the wait below.
    let mut stop_signals = SigSet::empty();
    stop_signals.add(Signal::SIGINT);
    stop_signals.add(Signal::SIGTERM);
    stop_signals.thread_block()?;

    let parts = touchstream_local_parts::kafka(&progress)?;
    let step = progress.step("starting Kafka");
    let kafka = start(KafkaOptions::new(parts.jars, PathBuf::from(data_dir), port.parse()?))?;
    kafka.wait_ready(Duration::from_secs(60))?;
    step.done(&format!("Kafka is ready at {} (pid {})", kafka.bootstrap(), kafka.process().pid()));

    stop_signals.wait()?;
    let step = progress.step("stopping Kafka");
    let status = kafka.stop(Duration::from_secs(20));
    step.done(&format!("Kafka stopped ({status:?})"));
    Ok(())
}
