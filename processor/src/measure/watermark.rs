//! Watermarks: how far in event time a raw partition was read, so that timers fire and windows become final.
//!
//! The watermark follows min(time, received_at): a fast clock on one phone cannot make its neighbours late. A partition that
//! was read to its end and stays silent follows the wall clock. It never goes back, also not across restarts.

use touchstream_runtime::settings::ProcessorSettings;
use touchstream_schemas::time::{EventTime, Millis};

/// Watermark of one raw partition.
#[derive(Clone, Copy, Debug)]
pub struct PartitionWatermark {
    disorder: Millis,
    idle_after: Millis,
    value: EventTime,
    /// Since when, on the wall clock, no record came; `None` while records are known to be waiting.
    silent_since: Option<EventTime>,
}

impl PartitionWatermark {
    /// The watermark as committed, or before everything.
    #[must_use]
    pub fn new(settings: &ProcessorSettings, committed: Option<EventTime>) -> PartitionWatermark {
        PartitionWatermark {
            disorder: Millis(settings.disorder_s * 1_000),
            idle_after: Millis(settings.idle_after_s * 1_000),
            value: committed.unwrap_or(EventTime::MIN),
            silent_since: None,
        }
    }

    /// A record was read.
    pub fn observe(&mut self, time: EventTime, received_at: EventTime) {
        self.value = self.value.max(time.min(received_at) - self.disorder);
        self.silent_since = None;
    }

    /// The partition was read to its end at `now`.
    pub fn reached_end(&mut self, now: EventTime) {
        self.silent_since = self.silent_since.or(Some(now));
    }

    /// The watermark at `now`.
    pub fn at(&mut self, now: EventTime) -> EventTime {
        if self.silent_since.is_some_and(|since| now - since >= self.idle_after) {
            self.value = self.value.max(now - self.disorder);
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
        assert_eq!(watermark.at(EventTime(100_000)), EventTime(70_000));
        watermark.observe(EventTime(50_000), EventTime(100_001));
        assert_eq!(watermark.value(), EventTime(70_000), "it never goes back");
    }

    #[test]
    fn only_a_partition_read_to_its_end_follows_the_wall_clock_after_a_silence() {
        let mut watermark = watermark();
        watermark.observe(EventTime(100_000), EventTime(100_000));
        assert_eq!(watermark.at(EventTime(900_000)), EventTime(70_000), "records may be waiting");
        watermark.reached_end(EventTime(900_000));
        assert_eq!(watermark.at(EventTime(959_999)), EventTime(70_000));
        assert_eq!(watermark.at(EventTime(960_000)), EventTime(930_000));
    }
}
