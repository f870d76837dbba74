//! The storage tables of derived results, column by column, as `deploy/clickhouse/migrations` creates them.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, Field, Schema};

use super::columns::{
    Amounts, Buckets, Column, Flag, Int, Ints, OptAmount, OptFloat, OptInt, OptInts, OptSmall, OptSmalls,
    OptText, OptTime, Seconds, Small, Table, Text, Texts, Time, Times, tables,
};

tables! {
    /// Attempts.
    Checkouts, CheckoutRow = "store_checkouts" {
        tenant: Text, attempt_id: Text, touchpoint: Text, channel: Text, device: Text, state: Text,
        started_at: Time, ended_at: OptTime, last_event_at: Time,
        customer_id: OptText, anonymous_id: OptText, session_id: OptText,
        checkout_id: OptText, cart_id: OptText, order_id: OptText, transaction_id: OptText,
        furthest_step: Text, furthest_step_index: Small, reached_steps: Texts,
        reason: OptText, reason_source: OptText, value: OptAmount, currency: OptText, items: OptSmall,
        duration_ms: OptInt, is_deleted: Flag, revision: Int,
    }
    /// Conversation cycles.
    Conversations, ConversationRow = "store_conversations" {
        tenant: Text, conversation_id: Text, cycle: Small, cycle_id: Text, touchpoint: Text, channel: Text, device: Text, state: Text,
        started_at: Time, ended_at: OptTime, last_event_at: Time, initiator: Text,
        customer_id: OptText, session_id: OptText, case_id: OptText, topic: OptText,
        first_customer_at: OptTime, first_response_at: OptTime,
        first_response_customer_ms: OptInt, first_response_team_ms: OptInt, breached_at: OptTime,
        reply_times: Times, reply_waits_ms: Ints, waiting_since: OptTime, resolution_ms: OptInt, handoffs: Small,
        is_deleted: Flag, revision: Int,
    }
    /// Answers.
    Answers, AnswerRow = "store_answers" {
        tenant: Text, submission_id: Text, question: Text, source: Text, id: Text,
        touchpoint: Text, channel: Text, device: Text, time: Time, survey_id: OptText, metric: Text,
        score: OptSmall, scale_min: OptSmall, scale_max: OptSmall, choice: OptText, driver: OptText,
        respondent: Text, text: OptText, customer_id: OptText, is_counted: Flag, is_deleted: Flag, revision: Int,
    }
    /// Windows of scores.
    ScoreWindows, ScoreWindowRow = "store_score_windows" {
        tenant: Text, metric: Text, detail: Text, window: Text, window_end: Seconds,
        touchpoint: Text, channel: Text, device: Text,
        answers: Int, top: Int, middle: Int, bottom: Int, is_final: Flag, revision: Int,
    }
    /// Windows of checkout outcomes.
    CheckoutWindows, CheckoutWindowRow = "store_checkout_windows" {
        tenant: Text, window: Text, window_end: Seconds, touchpoint: Text, channel: Text, device: Text,
        step_names: Texts, step_indexes: OptSmalls, step_reached: Ints, step_dropped: Ints, step_open: OptInts,
        reason_names: Texts, reason_sources: Texts, reason_currencies: Texts, reason_attempts: Ints,
        reason_values: Amounts, within_3min: Int, within_15min: Int,
        durations: Int, p50_ms: OptInt, p75_ms: OptInt, p95_ms: OptInt, p99_ms: OptInt,
        is_final: Flag, revision: Int,
    }
    /// Windows of response times.
    ResponseWindows, ResponseWindowRow = "store_response_windows" {
        tenant: Text, metric: Text, window: Text, window_end: Seconds, touchpoint: Text, channel: Text, device: Text,
        durations: Int, p50_ms: OptInt, p75_ms: OptInt, p95_ms: OptInt, p99_ms: OptInt,
        slo_ms: OptInt, breached: OptInt, waiting: OptInt, is_final: Flag, revision: Int,
    }
    /// Windows of service quality.
    ServiceWindows, ServiceWindowRow = "store_service_windows" {
        tenant: Text, window: Text, window_end: Seconds, touchpoint: Text, channel: Text, device: Text,
        conversations: Int, bot: Int, contained: Int, returned: Int, handoffs: Int, human_requests: Int,
        human_reached: Int, bot_loops: Int, reasked: Int, reopened: Int, is_final: Flag, revision: Int,
    }
    /// Minutes of service quality.
    ServiceMinutes, ServiceMinuteRow = "store_service_minutes" {
        tenant: Text, minute: Seconds, touchpoint: Text, channel: Text, device: Text,
        conversations: Int, bot: Int, contained: Int, returned: Int, handoffs: Int, human_requests: Int,
        human_reached: Int, bot_loops: Int, reasked: Int, reopened: Int, revision: Int,
    }
    /// Minutes of scores.
    ScoreMinutes, ScoreMinuteRow = "store_score_minutes" {
        tenant: Text, metric: Text, detail: Text, minute: Seconds, touchpoint: Text, channel: Text, device: Text,
        answers: Int, top: Int, middle: Int, bottom: Int, revision: Int,
    }
    /// Minutes of checkout outcomes.
    CheckoutMinutes, CheckoutMinuteRow = "store_checkout_minutes" {
        tenant: Text, minute: Seconds, touchpoint: Text, channel: Text, device: Text,
        step_names: Texts, step_indexes: OptSmalls, step_reached: Ints, step_dropped: Ints,
        reason_names: Texts, reason_sources: Texts, reason_currencies: Texts, reason_attempts: Ints,
        reason_values: Amounts, within_3min: Int, within_15min: Int, durations: Buckets, revision: Int,
    }
    /// Minutes of response times.
    ResponseMinutes, ResponseMinuteRow = "store_response_minutes" {
        tenant: Text, metric: Text, minute: Seconds, touchpoint: Text, channel: Text, device: Text,
        breached: Int, durations: Buckets, revision: Int,
    }
    /// Windows of responses and tasks.
    AppWindows, AppWindowRow = "store_app_windows" {
        tenant: Text, name: Text, window: Text, window_end: Seconds, touchpoint: Text, channel: Text, device: Text,
        durations: Int, p50_ms: OptInt, p75_ms: OptInt, p95_ms: OptInt, p99_ms: OptInt,
        errors: Int, tasks: Int, successes: Int, is_final: Flag, revision: Int,
    }
    /// Minutes of responses and tasks.
    AppMinutes, AppMinuteRow = "store_app_minutes" {
        tenant: Text, name: Text, minute: Seconds, touchpoint: Text, channel: Text, device: Text,
        durations: Buckets, errors: Int, tasks: Int, successes: Int, revision: Int,
    }
    /// Changes of state of rules.
    Regressions, RegressionRow = "store_regressions" {
        tenant: Text, rule: Text, touchpoint: Text, channel: Text, detail: Text, at: Time, state: Text, severity: Text,
        since: OptTime, value: OptFloat, baseline: OptFloat, ci_low: OptFloat, ci_high: OptFloat, probability: OptFloat,
        samples: Int, samples_needed: Int, baseline_samples: Int, baseline_kind: Text, window_start: OptTime, window_end: OptTime,
        contributor: OptText, suspect_times: Times, suspect_names: Texts, owner: Text, runbook: OptText, revision: Int,
    }
    /// What ingest answered.
    QualityIngest, QualityIngestRow = "store_quality_ingest" {
        tenant: Text, family: Text, minute: Seconds, instance: Text, code: Text, events: Int, revision: Int,
    }
    /// The newest refused event of a count.
    Refusals, RefusalRow = "store_refused" {
        tenant: Text, family: Text, minute: Seconds, instance: Text, code: Text, at: Time, source: Text, event_type: Text,
        field: Text, events: Int, revision: Int,
    }
    /// What the processor saw.
    QualityProcessor, QualityProcessorRow = "store_quality_processor" {
        tenant: Text, family: Text, minute: Seconds, touchpoint: Text, channel: Text, device: Text,
        accepted: Int, late: Int, duplicates: Int, non_human: Int, repeated_transactions: Int, without_attempt: Int,
        revision: Int,
    }
    /// What the sink knows.
    QualitySink, QualitySinkRow = "store_quality_sink" {
        tenant: Text, family: Text, minute: Seconds, freshness_ms: Int, lag: Int,
    }
}
