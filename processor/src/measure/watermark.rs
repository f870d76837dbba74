//! Watermarks: how far in event time a raw partition was read, so that timers fire and windows become final.
//!
//! The watermark follows min(time, received_at): a fast clock on one phone cannot make its neighbours late. A partition that
//! is confirmed, again and again, to be read to its end follows the wall clock, as of the last confirmation. It never goes back, also not across restarts.

use touchstream_runtime::settings::ProcessorSettings;
use touchstream_schemas::time::{EventTime, Millis};

/// Watermark of one raw partition.
#[derive(Clone, Copy, Debug)]
pub struct PartitionWatermark {
    disorder: Millis,
    idle_after: Millis,
    value: EventTime,
    /// When Kafka first and last confirmed, since the last record, that there is no further one.
    silence: Option<(EventTime, EventTime)>,
}

impl PartitionWatermark {
    /// The watermark as committed, or before everything.
    #[must_use]
    pub fn new(settings: &ProcessorSettings, committed: Option<EventTime>) -> PartitionWatermark {
        PartitionWatermark {
            disorder: Millis(settings.disorder_s * 1_000),
            idle_after: Millis(settings.idle_after_s * 1_000),
            value: committed.unwrap_or(EventTime::MIN),
            silence: None,
        }
    }

    /// A record was read.
    pub fn observe(&mut self, time: EventTime, received_at: EventTime) {
        self.value = self.value.max(time.min(received_at) - self.disorder);
        self.silence = None;
    }

    /// Kafka confirmed at `now` that the partition was read to its end.
    pub fn reached_end(&mut self, now: EventTime) {
        let since = self.silence.map_or(now, |(since, _)| since);
        self.silence = Some((since, now));
    }

    /// Moves on where a silence was confirmed for long enough, and tells the watermark.
    pub fn settle(&mut self) -> EventTime {
        if let Some((since, confirmed_at)) = self.silence
            && confirmed_at - since >= self.idle_after
        {
            self.value = self.value.max(confirmed_at - self.disorder);
        }
        self.value
    }

    /// As of the last look.
    #[must_use]
    pub fn value(&self) -> EventTime {
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watermark() -> PartitionWatermark {
        let mut settings =
            touchstream_runtime::settings::load(None).expect("the defaults are valid").settings;
        (settings.processor.disorder_s, settings.processor.idle_after_s) = (30, 60);
        PartitionWatermark::new(&settings.processor, None)
    }

    #[test]
    fn a_clock_that_runs_ahead_moves_the_watermark_no_further_than_the_receipt() {
        let mut watermark = watermark();
        watermark.observe(EventTime(9_000_000), EventTime(100_000));
        assert_eq!(watermark.settle(), EventTime(70_000));
        watermark.observe(EventTime(50_000), EventTime(100_001));
        assert_eq!(watermark.value(), EventTime(70_000), "it never goes back");
    }

    #[test]
    fn only_a_partition_read_to_its_end_follows_the_wall_clock_after_a_silence() {
        let mut watermark = watermark();
        watermark.observe(EventTime(100_000), EventTime(100_000));
        for (confirmed_at, expected) in [(900_000, 70_000), (959_999, 70_000), (960_000, 930_000)] {
            watermark.reached_end(EventTime(confirmed_at));
            assert_eq!(watermark.settle(), EventTime(expected), "confirmed at {confirmed_at}");
        }
        watermark.observe(EventTime(940_000), EventTime(990_000));
        watermark.reached_end(EventTime(1_000_000));
        assert_eq!(watermark.settle(), EventTime(930_000), "a record begins the silence anew");
    }
}
