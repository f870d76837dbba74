//! The console's own numbers.

use prometheus::{HistogramOpts, HistogramTimer, HistogramVec, IntCounterVec, IntGauge, Opts, Registry};

/// Registered once a process.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    /// Pages that are open now.
    pub(crate) viewers: IntGauge,
    questions: HistogramVec,
    failures: IntCounterVec,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Result<Metrics, prometheus::Error> {
        let viewers = IntGauge::new("touchstream_console_viewers", "Pages that are open now (count).")?;
        let questions = HistogramVec::new(
            HistogramOpts::new(
                "touchstream_console_question_seconds",
                "Time for an answer of ClickHouse, in seconds, by panel.",
            )
            .buckets(vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]),
            &["panel"],
        )?;
        let failures = IntCounterVec::new(
            Opts::new(
                "touchstream_console_failed_questions_total",
                "Questions to ClickHouse without an answer (count), by panel.",
            ),
            &["panel"],
        )?;
        registry.register(Box::new(viewers.clone()))?;
        registry.register(Box::new(questions.clone()))?;
        registry.register(Box::new(failures.clone()))?;
        Ok(Metrics { viewers, questions, failures })
    }

    pub(crate) fn question(&self, panel: &str) -> HistogramTimer {
        self.questions.with_label_values(&[panel]).start_timer()
    }

    pub(crate) fn failed(&self, panel: &str) {
        self.failures.with_label_values(&[panel]).inc();
    }
}
