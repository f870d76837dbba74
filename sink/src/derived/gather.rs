//! From a record of a derived topic to rows: each kind of record is decoded and lands in the tables its content belongs to.

use touchstream_schemas::avro;
use touchstream_schemas::codec::{DecodeError, Decoder};
use touchstream_schemas::facts::{AnswerFact, AnswerFacts, CheckoutFact, ConversationFact};
use touchstream_schemas::minutes::{Minute, span};
use touchstream_schemas::quality::Quality;
use touchstream_schemas::regressions::Regression;
use touchstream_schemas::windows::Window;

use super::columns::{By, Table};
use super::tables::{
    AnswerRow, Answers, AppMinuteRow, AppMinutes, AppWindowRow, AppWindows, CheckoutMinuteRow,
    CheckoutMinutes, CheckoutRow, CheckoutWindowRow, CheckoutWindows, Checkouts, ConversationRow,
    Conversations, QualityIngest, QualityIngestRow, QualityProcessor, QualityProcessorRow, RefusalRow,
    Refusals, RegressionRow, Regressions, ResponseMinuteRow, ResponseMinutes, ResponseWindowRow,
    ResponseWindows, ScoreMinuteRow, ScoreMinutes, ScoreWindowRow, ScoreWindows, ServiceMinuteRow,
    ServiceMinutes, ServiceWindowRow, ServiceWindows,
};
use crate::error::SinkError;
use crate::insert::Insert;

/// A derived topic that the sink reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Rolling windows.
    Windows,
    /// Absolute minutes.
    Minutes,
    /// Facts about attempts.
    Checkouts,
    /// Facts about conversation cycles.
    Conversations,
    /// Facts about answers.
    Answers,
    /// Changes of state of rules.
    Regressions,
    /// What ingest answered.
    Quality,
}

impl Source {
    /// The reader of its records.
    pub(crate) fn decoder(self) -> Decoder {
        Decoder::new(&[match self {
            Source::Windows => &avro::WINDOW,
            Source::Minutes => &avro::MINUTE,
            Source::Checkouts => &avro::CHECKOUT_FACT,
            Source::Conversations => &avro::CONVERSATION_FACT,
            Source::Answers => &avro::ANSWER_FACTS,
            Source::Regressions => &avro::REGRESSION,
            Source::Quality => &avro::QUALITY,
        }])
    }
}

macro_rules! gathered {
    ($($field:ident : $table:ty,)*) => {
        /// Rows that wait for their insert.
        #[derive(Debug, Default)]
        pub(crate) struct Gathered {
            $($field: $table,)*
        }
        impl Gathered {
            /// Rows that wait.
            pub(crate) fn rows(&self) -> usize {
                0 $(+ self.$field.rows())*
            }
            /// Takes everything out, one insert a table.
            pub(crate) fn inserts(&mut self) -> Result<Vec<Insert>, SinkError> {
                let mut inserts = Vec::new();
                $(inserts.extend(insert(&mut self.$field)?);)*
                Ok(inserts)
            }
            /// Tables and their written columns.
            pub(crate) fn written() -> Vec<(&'static str, arrow_schema::Schema)> {
                vec![$((<$table as Table>::NAME, <$table as Table>::schema()),)*]
            }
        }
    };
}

gathered! {
    checkouts: Checkouts,
    conversations: Conversations,
    answers: Answers,
    score_windows: ScoreWindows,
    checkout_windows: CheckoutWindows,
    response_windows: ResponseWindows,
    app_windows: AppWindows,
    score_windows_by: By<ScoreWindows>,
    checkout_windows_by: By<CheckoutWindows>,
    response_windows_by: By<ResponseWindows>,
    app_windows_by: By<AppWindows>,
    score_minutes: ScoreMinutes,
    checkout_minutes: CheckoutMinutes,
    response_minutes: ResponseMinutes,
    app_minutes: AppMinutes,
    service_windows: ServiceWindows,
    service_windows_by: By<ServiceWindows>,
    service_minutes: ServiceMinutes,
    regressions: Regressions,
    quality_ingest: QualityIngest,
    refusals: Refusals,
    quality_processor: QualityProcessor,
}

/// A window's row: its key and state, durations where it has them, and what is its own.
macro_rules! window {
    ($row:ident, $record:expr, durations of $durations:expr, { $($own:tt)* }) => {
        window!($row, $record, {
            durations: $durations.n,
            p50_ms: $durations.p50_ms,
            p75_ms: $durations.p75_ms,
            p95_ms: $durations.p95_ms,
            p99_ms: $durations.p99_ms,
            $($own)*
        })
    };
    ($row:ident, $record:expr, { $($own:tt)* }) => {
        $row {
            tenant: $record.tenant,
            window: $record.window,
            window_end: $record.window_end,
            touchpoint: $record.touchpoint,
            channel: $record.channel,
            device: $record.device,
            is_final: $record.is_final,
            revision: $record.revision,
            $($own)*
        }
    };
}

/// A minute's row: its key and revision, and what is its own.
macro_rules! minute {
    ($row:ident, $record:expr, { $($own:tt)* }) => {
        $row {
            tenant: $record.tenant,
            minute: $record.start,
            touchpoint: $record.touchpoint,
            channel: $record.channel,
            device: $record.device,
            revision: $record.revision,
            $($own)*
        }
    };
}

fn insert<T: Table>(table: &mut T) -> Result<Option<Insert>, SinkError> {
    if table.rows() == 0 {
        return Ok(None);
    }
    let batch = table.finish().map_err(|source| SinkError::Arrow { table: T::NAME.to_owned(), source })?;
    Insert::new(T::NAME, &batch).map(Some)
}

/// Adds a window's row to its table, or to the one that is split by a further dimension.
fn window_row<'r, T: Table>(
    plain: &mut T,
    by: &mut By<T>,
    (dimension, value): (&'r str, &'r str),
    row: T::Row<'r>,
) {
    if dimension.is_empty() {
        plain.push(row);
    } else {
        by.push((dimension, value, row));
    }
}

impl Gathered {
    /// Decodes a record and adds its rows.
    pub(crate) fn add(
        &mut self,
        source: Source,
        decoder: &Decoder,
        payload: &[u8],
    ) -> Result<(), DecodeError> {
        match source {
            Source::Windows => self.window(&decoder.decode(payload)?),
            Source::Minutes => self.minute(&decoder.decode(payload)?),
            Source::Checkouts => self.checkout(&decoder.decode(payload)?),
            Source::Conversations => self.conversation(&decoder.decode(payload)?),
            Source::Answers => {
                decoder.decode::<AnswerFacts>(payload)?.facts.iter().for_each(|fact| self.answer(fact));
            }
            Source::Regressions => self.regression(&decoder.decode(payload)?),
            Source::Quality => {
                let quality: Quality<'_> = decoder.decode(payload)?;
                let Quality { tenant, family, minute, instance, code, events, revision, .. } = quality;
                if let Some(at) = quality.last_at {
                    self.refusals.push(RefusalRow {
                        tenant,
                        family,
                        minute,
                        instance,
                        code,
                        at,
                        source: quality.last_source,
                        event_type: quality.last_type,
                        field: quality.last_field,
                        events,
                        revision,
                    });
                }
                let row = QualityIngestRow { tenant, family, minute, instance, code, events, revision };
                self.quality_ingest.push(row);
            }
        }
        Ok(())
    }

    fn window(&mut self, record: &Window<'_>) {
        let Window { metric, detail, .. } = *record;
        let further = (record.dimension, record.dimension_value);
        if let Some(scores) = record.scores {
            let row = window!(ScoreWindowRow, record, {
                metric,
                detail,
                answers: scores.answers,
                top: scores.top,
                middle: scores.middle,
                bottom: scores.bottom,
            });
            window_row(&mut self.score_windows, &mut self.score_windows_by, further, row);
        }
        if let Some(checkout) = &record.checkout {
            let (steps, reasons, durations) = (&checkout.steps, &checkout.reasons, checkout.durations);
            let row = window!(CheckoutWindowRow, record, durations of durations, {
                step_names: &mut steps.iter().map(|step| step.step),
                step_indexes: &mut steps.iter().map(|step| step.step_index),
                step_reached: &mut steps.iter().map(|step| step.reached),
                step_dropped: &mut steps.iter().map(|step| step.dropped),
                step_open: &mut steps.iter().map(|step| step.open),
                reason_names: &mut reasons.iter().map(|reason| reason.reason),
                reason_sources: &mut reasons.iter().map(|reason| reason.reason_source),
                reason_currencies: &mut reasons.iter().map(|reason| reason.currency),
                reason_attempts: &mut reasons.iter().map(|reason| reason.attempts),
                reason_values: &mut reasons.iter().map(|reason| reason.value),
                within_3min: checkout.within_3min,
                within_15min: checkout.within_15min,
            });
            window_row(&mut self.checkout_windows, &mut self.checkout_windows_by, further, row);
        }
        if let Some(response) = record.response {
            let durations = response.durations;
            let row = window!(ResponseWindowRow, record, durations of durations, {
                metric: detail,
                slo_ms: response.slo_ms,
                breached: response.breached,
                waiting: response.waiting,
            });
            window_row(&mut self.response_windows, &mut self.response_windows_by, further, row);
        }
        if let Some(service) = record.service {
            let row = window!(ServiceWindowRow, record, {
                conversations: service.conversations,
                bot: service.bot,
                contained: service.contained,
                returned: service.returned,
                handoffs: service.handoffs,
                human_requests: service.human_requests,
                human_reached: service.human_reached,
                bot_loops: service.bot_loops,
                reasked: service.reasked,
                reopened: service.reopened,
            });
            window_row(&mut self.service_windows, &mut self.service_windows_by, further, row);
        }
        if let Some(app) = record.app {
            let durations = app.durations;
            let row = window!(AppWindowRow, record, durations of durations, {
                name: detail,
                errors: app.errors,
                tasks: app.tasks,
                successes: app.successes,
            });
            window_row(&mut self.app_windows, &mut self.app_windows_by, further, row);
        }
    }

    fn minute(&mut self, record: &Minute<'_>) {
        let Minute { metric, detail, .. } = *record;
        // Hours, what is open now, and minutes of a further dimension are the processor's own.
        if record.span != span::MINUTE || !record.dimension.is_empty() {
            return;
        }
        if let Some(scores) = record.scores {
            self.score_minutes.push(minute!(ScoreMinuteRow, record, {
                metric,
                detail,
                answers: scores.answers,
                top: scores.top,
                middle: scores.middle,
                bottom: scores.bottom,
            }));
        }
        if let Some(checkout) = &record.checkout {
            let (steps, reasons) = (&checkout.steps, &checkout.reasons);
            self.checkout_minutes.push(minute!(CheckoutMinuteRow, record, {
                step_names: &mut steps.iter().map(|step| step.step),
                step_indexes: &mut steps.iter().map(|step| step.step_index),
                step_reached: &mut steps.iter().map(|step| step.reached),
                step_dropped: &mut steps.iter().map(|step| step.dropped),
                reason_names: &mut reasons.iter().map(|reason| reason.reason),
                reason_sources: &mut reasons.iter().map(|reason| reason.reason_source),
                reason_currencies: &mut reasons.iter().map(|reason| reason.currency),
                reason_attempts: &mut reasons.iter().map(|reason| reason.attempts),
                reason_values: &mut reasons.iter().map(|reason| reason.value),
                within_3min: checkout.within_3min,
                within_15min: checkout.within_15min,
                durations: &checkout.durations,
            }));
        }
        if let Some(response) = &record.response {
            self.response_minutes.push(minute!(ResponseMinuteRow, record, {
                metric: detail,
                breached: response.breached,
                durations: &response.durations,
            }));
        }
        if let Some(service) = record.service {
            self.service_minutes.push(minute!(ServiceMinuteRow, record, {
                conversations: service.conversations,
                bot: service.bot,
                contained: service.contained,
                returned: service.returned,
                handoffs: service.handoffs,
                human_requests: service.human_requests,
                human_reached: service.human_reached,
                bot_loops: service.bot_loops,
                reasked: service.reasked,
                reopened: service.reopened,
            }));
        }
        if let Some(app) = &record.app {
            self.app_minutes.push(minute!(AppMinuteRow, record, {
                name: detail,
                durations: &app.durations,
                errors: app.errors,
                tasks: app.tasks,
                successes: app.successes,
            }));
        }
        if let Some(quality) = record.quality {
            self.quality_processor.push(minute!(QualityProcessorRow, record, {
                family: detail,
                accepted: quality.accepted,
                late: quality.late,
                duplicates: quality.duplicates,
                non_human: quality.non_human,
                repeated_transactions: quality.repeated_transactions,
                without_attempt: quality.without_attempt,
            }));
        }
    }

    fn regression(&mut self, record: &Regression<'_>) {
        self.regressions.push(RegressionRow {
            tenant: record.tenant,
            rule: record.rule,
            touchpoint: record.touchpoint,
            channel: record.channel,
            detail: record.detail,
            at: record.at,
            state: record.state,
            severity: record.severity,
            since: record.since,
            value: record.value,
            baseline: record.baseline,
            ci_low: record.ci_low,
            ci_high: record.ci_high,
            probability: record.probability,
            samples: record.samples,
            samples_needed: record.samples_needed,
            baseline_samples: record.baseline_samples,
            baseline_kind: record.baseline_kind,
            window_start: record.window_start,
            window_end: record.window_end,
            contributor: record.contributor,
            suspect_times: &mut record.suspects.iter().map(|suspect| suspect.at),
            suspect_names: &mut record.suspects.iter().map(|suspect| suspect.name),
            owner: record.owner,
            runbook: record.runbook,
            revision: record.revision,
        });
    }

    fn checkout(&mut self, fact: &CheckoutFact) {
        self.checkouts.push(CheckoutRow {
            tenant: &fact.tenant,
            attempt_id: &fact.attempt_id,
            touchpoint: &fact.touchpoint,
            channel: &fact.channel,
            device: &fact.device,
            state: &fact.state,
            started_at: fact.started_at,
            ended_at: fact.ended_at,
            last_event_at: fact.last_event_at,
            customer_id: fact.customer_id.as_deref(),
            anonymous_id: fact.anonymous_id.as_deref(),
            session_id: fact.session_id.as_deref(),
            checkout_id: fact.checkout_id.as_deref(),
            cart_id: fact.cart_id.as_deref(),
            order_id: fact.order_id.as_deref(),
            transaction_id: fact.transaction_id.as_deref(),
            furthest_step: &fact.furthest_step,
            furthest_step_index: fact.furthest_step_index,
            reached_steps: &mut fact.reached.iter().map(|reached| reached.step.as_str()),
            reason: fact.reason.as_deref(),
            reason_source: fact.reason_source.as_deref(),
            value: fact.value,
            currency: fact.currency.as_deref(),
            items: fact.items,
            duration_ms: fact.duration_ms,
            is_deleted: fact.is_deleted,
            revision: fact.revision,
        });
    }

    fn conversation(&mut self, fact: &ConversationFact) {
        self.conversations.push(ConversationRow {
            tenant: &fact.tenant,
            conversation_id: &fact.conversation_id,
            cycle: fact.cycle,
            cycle_id: &fact.cycle_id,
            touchpoint: &fact.touchpoint,
            channel: &fact.channel,
            device: &fact.device,
            state: &fact.state,
            started_at: fact.started_at,
            ended_at: fact.ended_at,
            last_event_at: fact.last_event_at,
            initiator: &fact.initiator,
            customer_id: fact.customer_id.as_deref(),
            session_id: fact.session_id.as_deref(),
            case_id: fact.case_id.as_deref(),
            topic: fact.topic.as_deref(),
            first_customer_at: fact.first_customer_at,
            first_response_at: fact.first_response_at,
            first_response_customer_ms: fact.first_response_customer_ms,
            first_response_team_ms: fact.first_response_team_ms,
            breached_at: fact.breached_at,
            reply_times: &mut fact.replies.iter().map(|reply| reply.at),
            reply_waits_ms: &mut fact.replies.iter().map(|reply| reply.waited_ms),
            waiting_since: fact.waiting_since,
            resolution_ms: fact.resolution_ms,
            handoffs: fact.handoffs,
            is_deleted: fact.is_deleted,
            revision: fact.revision,
        });
    }

    fn answer(&mut self, fact: &AnswerFact) {
        self.answers.push(AnswerRow {
            tenant: &fact.tenant,
            submission_id: &fact.submission_id,
            question: &fact.question,
            source: &fact.source,
            id: &fact.id,
            touchpoint: &fact.touchpoint,
            channel: &fact.channel,
            device: &fact.device,
            time: fact.time,
            survey_id: fact.survey_id.as_deref(),
            metric: &fact.metric,
            score: fact.score,
            scale_min: fact.scale_min,
            scale_max: fact.scale_max,
            choice: fact.choice.as_deref(),
            driver: fact.driver.as_deref(),
            respondent: &fact.respondent,
            text: fact.text.as_deref(),
            customer_id: fact.customer_id.as_deref(),
            is_counted: fact.is_counted,
            is_deleted: fact.is_deleted,
            revision: fact.revision,
        });
    }
}
