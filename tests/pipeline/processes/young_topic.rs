//! A service that starts a moment before its topics are there waits for them: `up` and `setup` make them while services come up.

use std::time::{Duration, Instant};

use touchstream_runtime::replays::Replays;
use touchstream_runtime::settings;
use touchstream_runtime::shutdown::Shutdown;

use super::cluster::{Kafka, create_topics};

/// Without waiting the follower ends within this time.
const STILL_WAITING_AFTER: Duration = Duration::from_secs(2);

#[test]
fn whoever_follows_replays_waits_for_their_topic() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let kafka = Kafka::start(directory.path());
    let mut settings = settings::load(None).expect("the defaults are valid").settings.kafka;
    settings.brokers = kafka.bootstrap();
    let shutdown = Shutdown::new();
    let follower = {
        let shutdown = shutdown.clone();
        std::thread::spawn(move || Replays::follow(&settings, "cx.replays", shutdown))
    };
    let began = Instant::now();
    while began.elapsed() < STILL_WAITING_AFTER {
        assert!(!follower.is_finished(), "{:?}", follower.join());
        std::thread::sleep(Duration::from_millis(20));
    }
    create_topics(&kafka.bootstrap(), 1);
    let replays = follower.join().expect("following does not panic").expect("the topic is there by now");
    assert_eq!(replays.epoch(), touchstream_runtime::replays::FIRST_EPOCH);
    shutdown.cancel();
}
