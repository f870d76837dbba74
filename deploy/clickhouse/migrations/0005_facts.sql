-- Where the views checkouts, conversations and feedback read from: every revision of a fact, of which the highest counts.
-- Attempts and answers are ordered by their time, which is part of what they are: what happened in an hour lies together.
-- The start of a conversation cycle may still move, so conversations are not partitioned or ordered by time, nor answers partitioned: two revisions of one
-- fact must never stand in two partitions, where a reader's time filter could hide the newer one.
CREATE TABLE IF NOT EXISTS {database}.store_checkouts
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `attempt_id` String COMMENT 'Key of the attempt and its start.' CODEC(ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint of the first event.',
    `channel` LowCardinality(String) COMMENT 'Channel of the first event.',
    `device` LowCardinality(String) COMMENT 'Device class of the first event.',
    `state` LowCardinality(String) COMMENT 'open, completed, abandoned or recovered.',
    `started_at` DateTime64(3, 'UTC') COMMENT 'Time of the first event.' CODEC(Delta, ZSTD(1)),
    `ended_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the outcome; NULL while open.',
    `last_event_at` DateTime64(3, 'UTC') COMMENT 'Time of the last event.',
    `customer_id` Nullable(String) COMMENT 'Pseudonym of the customer.' CODEC(ZSTD(1)),
    `anonymous_id` Nullable(String) COMMENT 'Pseudonym of the visitor.' CODEC(ZSTD(1)),
    `session_id` Nullable(String) COMMENT 'Pseudonym of the session.' CODEC(ZSTD(1)),
    `checkout_id` Nullable(String) COMMENT 'Id of the checkout.' CODEC(ZSTD(1)),
    `cart_id` Nullable(String) COMMENT 'Id of the cart.' CODEC(ZSTD(1)),
    `order_id` Nullable(String) COMMENT 'Id of the order.' CODEC(ZSTD(1)),
    `transaction_id` Nullable(String) COMMENT 'Id of the purchase.' CODEC(ZSTD(1)),
    `furthest_step` LowCardinality(String) COMMENT 'Furthest step reached.',
    `furthest_step_index` Int32 COMMENT 'Its position.',
    `reached_steps` Array(LowCardinality(String)) COMMENT 'Steps reached, those implied by a later one included.',
    `reason` LowCardinality(Nullable(String)) COMMENT 'Reason of the abandonment.',
    `reason_source` LowCardinality(Nullable(String)) COMMENT 'stated, inferred or unknown.',
    `value` Nullable(Decimal(18, 4)) COMMENT 'Value, in units of the currency column.',
    `currency` LowCardinality(Nullable(String)) COMMENT 'ISO 4217 code.',
    `items` Nullable(Int32) COMMENT 'Number of items.',
    `duration_ms` Nullable(Int64) COMMENT 'First event to completion, in milliseconds.',
    `is_deleted` UInt8 COMMENT '1 when an earlier-timed event made the attempt obsolete.',
    `revision` Int64 COMMENT 'The highest counts.',
    INDEX ended (`ended_at`) TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(revision, is_deleted)
PARTITION BY toYYYYMM(started_at)
ORDER BY (tenant, started_at, attempt_id)
COMMENT 'Storage: one row is one revision of a checkout attempt. Read the view checkouts.';

CREATE TABLE IF NOT EXISTS {database}.store_conversations
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `conversation_id` String COMMENT 'Id of the conversation.' CODEC(ZSTD(1)),
    `cycle` Int32 COMMENT 'Number of the cycle, from 1; a conversation that begins anew after a long silence counts from 1 again.',
    `cycle_id` String COMMENT 'Start of the cycle in milliseconds since 1970, numbered where several start at once.' CODEC(ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint of the conversation''s first event.',
    `channel` LowCardinality(String) COMMENT 'Channel of the conversation''s first event.',
    `device` LowCardinality(String) COMMENT 'Device class of the conversation''s first event.',
    `state` LowCardinality(String) COMMENT 'open, solved or closed.',
    `started_at` DateTime64(3, 'UTC') COMMENT 'Time of the cycle''s first event.',
    `ended_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of solved or closed.',
    `last_event_at` DateTime64(3, 'UTC') COMMENT 'Time of the last event.',
    `initiator` LowCardinality(String) COMMENT 'customer, agent or bot.',
    `customer_id` Nullable(String) COMMENT 'Pseudonym of the customer.' CODEC(ZSTD(1)),
    `session_id` Nullable(String) COMMENT 'Pseudonym of the session.' CODEC(ZSTD(1)),
    `case_id` Nullable(String) COMMENT 'Id of the case.' CODEC(ZSTD(1)),
    `topic` LowCardinality(Nullable(String)) COMMENT 'What it is about.',
    `first_customer_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'First customer message.',
    `first_response_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'First public agent message after it.',
    `first_response_customer_ms` Nullable(Int64) COMMENT 'Wait on the customer''s clock, in milliseconds.',
    `first_response_team_ms` Nullable(Int64) COMMENT 'Wait on the team''s clock, in milliseconds.',
    `breached_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'When the service level passed without an answer.',
    `reply_times` Array(DateTime64(3, 'UTC')) COMMENT 'Times of the replies to a waiting customer.',
    `reply_waits_ms` Array(Int64) COMMENT 'How long the customer had waited for each, in milliseconds.',
    `waiting_since` Nullable(DateTime64(3, 'UTC')) COMMENT 'Since when a customer message is unanswered.',
    `resolution_ms` Nullable(Int64) COMMENT 'First customer message to solved, in milliseconds.',
    `handoffs` Int32 COMMENT 'Handoffs within the cycle.',
    `is_deleted` UInt8 COMMENT '1 when an earlier-timed event made the cycle obsolete.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplacingMergeTree(revision, is_deleted)
ORDER BY (tenant, conversation_id, cycle, cycle_id)
COMMENT 'Storage: one row is one revision of a conversation cycle. Read the view conversations.';

CREATE TABLE IF NOT EXISTS {database}.store_answers
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `submission_id` String COMMENT 'Submission, else the event''s id.' CODEC(ZSTD(1)),
    `question` String COMMENT 'question_id, else metric and scene.' CODEC(ZSTD(1)),
    `source` LowCardinality(String) COMMENT 'Source of the write key.',
    `id` String COMMENT 'Id of the event.' CODEC(ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint.',
    `channel` LowCardinality(String) COMMENT 'Channel.',
    `device` LowCardinality(String) COMMENT 'Device class.',
    `time` DateTime64(3, 'UTC') COMMENT 'Event time of the answer.' CODEC(Delta, ZSTD(1)),
    `survey_id` LowCardinality(Nullable(String)) COMMENT 'Id of the survey.',
    `metric` LowCardinality(String) COMMENT 'nps, csat, ces, rating, choice or text.',
    `score` Nullable(Int32) COMMENT 'Score.',
    `scale_min` Nullable(Int32) COMMENT 'Lowest score of the scale.',
    `scale_max` Nullable(Int32) COMMENT 'Highest score of the scale.',
    `choice` LowCardinality(Nullable(String)) COMMENT 'Chosen option.',
    `driver` LowCardinality(Nullable(String)) COMMENT 'What drove the score.',
    `respondent` LowCardinality(String) COMMENT 'customer or employee.',
    `text` Nullable(String) COMMENT 'Free text, personal data masked; kept shorter than the row.' CODEC(ZSTD(1)),
    `customer_id` Nullable(String) COMMENT 'Pseudonym of the customer.' CODEC(ZSTD(1)),
    `is_counted` Bool COMMENT 'False when another answer to the same question followed within 7 days.',
    `is_deleted` UInt8 COMMENT '1 when an earlier-timed event made the answer obsolete.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplacingMergeTree(revision, is_deleted)
ORDER BY (tenant, time, submission_id, question, source, id)
COMMENT 'Storage: one row is one revision of an answer. Read the view feedback.';
