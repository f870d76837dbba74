//! Kafka as one of the supervisor's children.

use std::time::Duration;

use touchstream_local_supervisor::{ChildSpec, Readiness};

use crate::config::KafkaOptions;
use crate::prepare::prepare;
use crate::ready::check_ready;

/// The service `kafka`: prepared anew at each start, ready when its own broker answers.
#[must_use]
pub fn child_spec(options: KafkaOptions) -> ChildSpec {
    let checked = options.clone();
    ChildSpec::prepared("kafka", move || Ok(prepare(&options)?))
        .readiness(Readiness::check(move || Ok(check_ready(&checked, Duration::from_secs(2))?)))
        .stop_grace(Duration::from_secs(30))
}
