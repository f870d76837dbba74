CREATE DATABASE IF NOT EXISTS cx ON CLUSTER 'main';

CREATE TABLE IF NOT EXISTS cx.schema_migrations ON CLUSTER 'main'
(
    `name` String COMMENT 'Migration or view.',
    `checksum` String COMMENT 'SHA-256 of its text when it was applied.',
    `applied_at` DateTime64(3, 'UTC') COMMENT 'When it was applied.'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/every/cx/schema_migrations', '{replica}', applied_at)
ORDER BY name
COMMENT 'One row is one applied file of deploy/clickhouse.';

CREATE TABLE IF NOT EXISTS cx.events_checkout_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant of the write key.',
    `source` LowCardinality(String) COMMENT 'Source of the write key; an id is unique within (tenant, source).',
    `id` String COMMENT 'Id given by the client, else a UUIDv7 made at ingest.' CODEC(ZSTD(1)),
    `type` LowCardinality(String) COMMENT 'Event type, one of the checkout.* types.',
    `time` DateTime64(3, 'UTC') COMMENT 'Event time: the client''s time after clock-skew correction, the time that every metric uses.' CODEC(Delta, ZSTD(1)),
    `original_time` Nullable(DateTime64(3, 'UTC')) COMMENT 'Time as the client sent it; null when it sent none.',
    `sent_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'Time at which the client says it sent the request.',
    `received_at` DateTime64(3, 'UTC') COMMENT 'Time at which ingest received the request.' CODEC(Delta, ZSTD(1)),
    `customer_id` Nullable(String) COMMENT 'Pseudonym of the customer.' CODEC(ZSTD(1)),
    `anonymous_id` Nullable(String) COMMENT 'Pseudonym of the anonymous visitor.' CODEC(ZSTD(1)),
    `session_id` Nullable(String) COMMENT 'Pseudonym of the session.' CODEC(ZSTD(1)),
    `account_id` Nullable(String) COMMENT 'Pseudonym of the account.' CODEC(ZSTD(1)),
    `seq` Nullable(Int64) COMMENT 'Number of the event within its session, as counted by the client.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint, unknown when not sent.',
    `channel` LowCardinality(String) COMMENT 'Channel, unknown when not sent.',
    `device` LowCardinality(String) COMMENT 'Device class, unknown when not sent.',
    `mode` LowCardinality(Nullable(String)) COMMENT 'self, bot or assisted.',
    `persona` LowCardinality(Nullable(String)) COMMENT 'Persona as the site names it.',
    `member` Nullable(Bool) COMMENT 'Whether the customer is a member.',
    `locale` LowCardinality(Nullable(String)) COMMENT 'Locale, for instance de-DE.',
    `app_version` LowCardinality(Nullable(String)) COMMENT 'Version of the site or app.',
    `variant` LowCardinality(Nullable(String)) COMMENT 'Variant of an experiment.',
    `campaign` LowCardinality(Nullable(String)) COMMENT 'Campaign that brought the customer.',
    `referrer` Nullable(String) COMMENT 'Referring page.' CODEC(ZSTD(1)),
    `preferred_channel` LowCardinality(Nullable(String)) COMMENT 'Channel that the customer prefers.',
    `stage` LowCardinality(Nullable(String)) COMMENT 'Journey stage as sent; counts only for unknown touchpoints.',
    `consent` Array(LowCardinality(String)) COMMENT 'Consents given, as sent.',
    `traffic` LowCardinality(String) COMMENT 'human, bot or internal; only human counts in metrics.',
    `extra` Map(LowCardinality(String), String) COMMENT 'Data and context fields that the catalogue does not know, as text.' CODEC(ZSTD(1)),
    `checkout_id` Nullable(String) COMMENT 'Id of the checkout.' CODEC(ZSTD(1)),
    `cart_id` Nullable(String) COMMENT 'Id of the cart.' CODEC(ZSTD(1)),
    `order_id` Nullable(String) COMMENT 'Id of the order.' CODEC(ZSTD(1)),
    `step` LowCardinality(Nullable(String)) COMMENT 'Name of the step (checkout.step).',
    `step_index` Nullable(Int32) COMMENT 'Position of the step as the site counts it.',
    `action` LowCardinality(Nullable(String)) COMMENT 'viewed, completed or failed (checkout.step).',
    `error` LowCardinality(Nullable(String)) COMMENT 'Error of a failed step.',
    `extra_cost` Nullable(Decimal(18, 4)) COMMENT 'Cost shown for the first time at this step, in units of the currency column.',
    `shipping_tier` LowCardinality(Nullable(String)) COMMENT 'Shipping tier.',
    `payment_type` LowCardinality(Nullable(String)) COMMENT 'Payment type.',
    `account_type` LowCardinality(Nullable(String)) COMMENT 'Guest or account checkout.',
    `friction_kind` LowCardinality(Nullable(String)) COMMENT 'Kind of friction (checkout.friction).',
    `reason` LowCardinality(Nullable(String)) COMMENT 'Stated reason (checkout.abandoned).',
    `transaction_id` Nullable(String) COMMENT 'Id of the purchase (checkout.completed, checkout.refunded).' CODEC(ZSTD(1)),
    `value` Nullable(Decimal(18, 4)) COMMENT 'Value of the cart or purchase, in units of the currency column.',
    `currency` LowCardinality(Nullable(String)) COMMENT 'ISO 4217 code.',
    `items` Nullable(Int32) COMMENT 'Number of items.',
    `_topic` LowCardinality(String) COMMENT 'Kafka topic that the event was read from.',
    `_partition` Int32 COMMENT 'Its partition.',
    `_offset` Int64 COMMENT 'Its offset; (_topic, _partition, _offset) occurs once.' CODEC(Delta, ZSTD(1)),
    `_inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When the row became visible here.' CODEC(Delta, ZSTD(1)),
    INDEX offsets (`_partition`, `_offset`) TYPE minmax GRANULARITY 1,
    INDEX received (`received_at`) TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/cx/events_checkout_local', '{replica}')
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, type, time, id)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800
COMMENT 'One row is one accepted event of the checkout family (carts, steps, purchases), without its duplicates, whatever its traffic: human, bot or internal.';

CREATE TABLE IF NOT EXISTS cx.events_checkout ON CLUSTER 'main' AS cx.events_checkout_local
ENGINE = Distributed('main', 'cx', 'events_checkout_local', cityHash64(_topic, _partition))
COMMENT 'One row is one accepted event of the checkout family (carts, steps, purchases), without its duplicates, whatever its traffic: human, bot or internal.';

CREATE TABLE IF NOT EXISTS cx.events_chat_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant of the write key.',
    `source` LowCardinality(String) COMMENT 'Source of the write key; an id is unique within (tenant, source).',
    `id` String COMMENT 'Id given by the client, else a UUIDv7 made at ingest.' CODEC(ZSTD(1)),
    `type` LowCardinality(String) COMMENT 'Event type, one of the chat.* types.',
    `time` DateTime64(3, 'UTC') COMMENT 'Event time: the client''s time after clock-skew correction, the time that every metric uses.' CODEC(Delta, ZSTD(1)),
    `original_time` Nullable(DateTime64(3, 'UTC')) COMMENT 'Time as the client sent it; null when it sent none.',
    `sent_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'Time at which the client says it sent the request.',
    `received_at` DateTime64(3, 'UTC') COMMENT 'Time at which ingest received the request.' CODEC(Delta, ZSTD(1)),
    `customer_id` Nullable(String) COMMENT 'Pseudonym of the customer.' CODEC(ZSTD(1)),
    `anonymous_id` Nullable(String) COMMENT 'Pseudonym of the anonymous visitor.' CODEC(ZSTD(1)),
    `session_id` Nullable(String) COMMENT 'Pseudonym of the session.' CODEC(ZSTD(1)),
    `account_id` Nullable(String) COMMENT 'Pseudonym of the account.' CODEC(ZSTD(1)),
    `seq` Nullable(Int64) COMMENT 'Number of the event within its session, as counted by the client.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint, unknown when not sent.',
    `channel` LowCardinality(String) COMMENT 'Channel, unknown when not sent.',
    `device` LowCardinality(String) COMMENT 'Device class, unknown when not sent.',
    `mode` LowCardinality(Nullable(String)) COMMENT 'self, bot or assisted.',
    `persona` LowCardinality(Nullable(String)) COMMENT 'Persona as the site names it.',
    `member` Nullable(Bool) COMMENT 'Whether the customer is a member.',
    `locale` LowCardinality(Nullable(String)) COMMENT 'Locale, for instance de-DE.',
    `app_version` LowCardinality(Nullable(String)) COMMENT 'Version of the site or app.',
    `variant` LowCardinality(Nullable(String)) COMMENT 'Variant of an experiment.',
    `campaign` LowCardinality(Nullable(String)) COMMENT 'Campaign that brought the customer.',
    `referrer` Nullable(String) COMMENT 'Referring page.' CODEC(ZSTD(1)),
    `preferred_channel` LowCardinality(Nullable(String)) COMMENT 'Channel that the customer prefers.',
    `stage` LowCardinality(Nullable(String)) COMMENT 'Journey stage as sent; counts only for unknown touchpoints.',
    `consent` Array(LowCardinality(String)) COMMENT 'Consents given, as sent.',
    `traffic` LowCardinality(String) COMMENT 'human, bot or internal; only human counts in metrics.',
    `extra` Map(LowCardinality(String), String) COMMENT 'Data and context fields that the catalogue does not know, as text.' CODEC(ZSTD(1)),
    `conversation_id` String COMMENT 'Id of the conversation.' CODEC(ZSTD(1)),
    `case_id` Nullable(String) COMMENT 'Id of the case.' CODEC(ZSTD(1)),
    `topic` LowCardinality(Nullable(String)) COMMENT 'What it is about.',
    `initiator` LowCardinality(Nullable(String)) COMMENT 'customer, agent or bot (chat.started).',
    `message_id` Nullable(String) COMMENT 'Id of the message.' CODEC(ZSTD(1)),
    `sender` LowCardinality(Nullable(String)) COMMENT 'customer, agent, bot or system (chat.message).',
    `public` Nullable(Bool) COMMENT 'Whether the customer sees the message; true when not sent.',
    `fallback` Nullable(Bool) COMMENT 'Whether the bot did not understand.',
    `answer_id` Nullable(String) COMMENT 'Id of the bot''s answer.' CODEC(ZSTD(1)),
    `reasked_field` LowCardinality(Nullable(String)) COMMENT 'Field that the customer was asked for again.',
    `agent_id` Nullable(String) COMMENT 'Pseudonym of the agent, kept only where enabled.' CODEC(ZSTD(1)),
    `requested_by` LowCardinality(Nullable(String)) COMMENT 'customer, bot or agent (chat.handoff).',
    `context_passed` Nullable(Bool) COMMENT 'Whether the context went along (chat.handoff).',
    `state` LowCardinality(Nullable(String)) COMMENT 'solved, closed or reopened (chat.status).',
    `by` LowCardinality(Nullable(String)) COMMENT 'Who changed the state.',
    `queue_s` Nullable(Float64) COMMENT 'Seconds in the queue (chat.call).',
    `talk_s` Nullable(Float64) COMMENT 'Seconds of talk (chat.call).',
    `answered` Nullable(Bool) COMMENT 'Whether the call was answered (chat.call).',
    `_topic` LowCardinality(String) COMMENT 'Kafka topic that the event was read from.',
    `_partition` Int32 COMMENT 'Its partition.',
    `_offset` Int64 COMMENT 'Its offset; (_topic, _partition, _offset) occurs once.' CODEC(Delta, ZSTD(1)),
    `_inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When the row became visible here.' CODEC(Delta, ZSTD(1)),
    INDEX offsets (`_partition`, `_offset`) TYPE minmax GRANULARITY 1,
    INDEX received (`received_at`) TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/cx/events_chat_local', '{replica}')
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, type, time, id)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800
COMMENT 'One row is one accepted event of the chat family (service conversations on any channel), without its duplicates, whatever its traffic: human, bot or internal.';

CREATE TABLE IF NOT EXISTS cx.events_chat ON CLUSTER 'main' AS cx.events_chat_local
ENGINE = Distributed('main', 'cx', 'events_chat_local', cityHash64(_topic, _partition))
COMMENT 'One row is one accepted event of the chat family (service conversations on any channel), without its duplicates, whatever its traffic: human, bot or internal.';

CREATE TABLE IF NOT EXISTS cx.events_feedback_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant of the write key.',
    `source` LowCardinality(String) COMMENT 'Source of the write key; an id is unique within (tenant, source).',
    `id` String COMMENT 'Id given by the client, else a UUIDv7 made at ingest.' CODEC(ZSTD(1)),
    `type` LowCardinality(String) COMMENT 'Event type, one of the feedback.* types.',
    `time` DateTime64(3, 'UTC') COMMENT 'Event time: the client''s time after clock-skew correction, the time that every metric uses.' CODEC(Delta, ZSTD(1)),
    `original_time` Nullable(DateTime64(3, 'UTC')) COMMENT 'Time as the client sent it; null when it sent none.',
    `sent_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'Time at which the client says it sent the request.',
    `received_at` DateTime64(3, 'UTC') COMMENT 'Time at which ingest received the request.' CODEC(Delta, ZSTD(1)),
    `customer_id` Nullable(String) COMMENT 'Pseudonym of the customer.' CODEC(ZSTD(1)),
    `anonymous_id` Nullable(String) COMMENT 'Pseudonym of the anonymous visitor.' CODEC(ZSTD(1)),
    `session_id` Nullable(String) COMMENT 'Pseudonym of the session.' CODEC(ZSTD(1)),
    `account_id` Nullable(String) COMMENT 'Pseudonym of the account.' CODEC(ZSTD(1)),
    `seq` Nullable(Int64) COMMENT 'Number of the event within its session, as counted by the client.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint, unknown when not sent.',
    `channel` LowCardinality(String) COMMENT 'Channel, unknown when not sent.',
    `device` LowCardinality(String) COMMENT 'Device class, unknown when not sent.',
    `mode` LowCardinality(Nullable(String)) COMMENT 'self, bot or assisted.',
    `persona` LowCardinality(Nullable(String)) COMMENT 'Persona as the site names it.',
    `member` Nullable(Bool) COMMENT 'Whether the customer is a member.',
    `locale` LowCardinality(Nullable(String)) COMMENT 'Locale, for instance de-DE.',
    `app_version` LowCardinality(Nullable(String)) COMMENT 'Version of the site or app.',
    `variant` LowCardinality(Nullable(String)) COMMENT 'Variant of an experiment.',
    `campaign` LowCardinality(Nullable(String)) COMMENT 'Campaign that brought the customer.',
    `referrer` Nullable(String) COMMENT 'Referring page.' CODEC(ZSTD(1)),
    `preferred_channel` LowCardinality(Nullable(String)) COMMENT 'Channel that the customer prefers.',
    `stage` LowCardinality(Nullable(String)) COMMENT 'Journey stage as sent; counts only for unknown touchpoints.',
    `consent` Array(LowCardinality(String)) COMMENT 'Consents given, as sent.',
    `traffic` LowCardinality(String) COMMENT 'human, bot or internal; only human counts in metrics.',
    `extra` Map(LowCardinality(String), String) COMMENT 'Data and context fields that the catalogue does not know, as text.' CODEC(ZSTD(1)),
    `survey_id` LowCardinality(Nullable(String)) COMMENT 'Id of the survey.',
    `submission_id` Nullable(String) COMMENT 'Id of the submission.' CODEC(ZSTD(1)),
    `story_id` Nullable(String) COMMENT 'Id of the anonymous story.' CODEC(ZSTD(1)),
    `scene` Nullable(Int32) COMMENT 'Scene of the story.',
    `metric` LowCardinality(Nullable(String)) COMMENT 'nps, csat, ces, rating, choice or text.',
    `score` Nullable(Int32) COMMENT 'Score of a numeric metric.',
    `scale_min` Nullable(Int32) COMMENT 'Lowest score of the scale.',
    `scale_max` Nullable(Int32) COMMENT 'Highest score of the scale.',
    `choice` LowCardinality(Nullable(String)) COMMENT 'Chosen option.',
    `question_id` LowCardinality(Nullable(String)) COMMENT 'Id of the question.',
    `driver` LowCardinality(Nullable(String)) COMMENT 'What drove the score.',
    `respondent` LowCardinality(Nullable(String)) COMMENT 'customer or employee; customer when not sent.',
    `subject_id` Nullable(String) COMMENT 'Id of what is judged.' CODEC(ZSTD(1)),
    `subject_type` LowCardinality(Nullable(String)) COMMENT 'Type of what is judged.',
    `text` Nullable(String) COMMENT 'Free text, personal data masked.' CODEC(ZSTD(1)),
    `rating` Nullable(Float64) COMMENT 'Rating of a review.',
    `review_source` LowCardinality(Nullable(String)) COMMENT 'Where the review stands.',
    `product` LowCardinality(Nullable(String)) COMMENT 'Reviewed product.',
    `review_id` Nullable(String) COMMENT 'Id of the review.' CODEC(ZSTD(1)),
    `state` LowCardinality(Nullable(String)) COMMENT 'contacted or resolved (feedback.follow_up).',
    `_topic` LowCardinality(String) COMMENT 'Kafka topic that the event was read from.',
    `_partition` Int32 COMMENT 'Its partition.',
    `_offset` Int64 COMMENT 'Its offset; (_topic, _partition, _offset) occurs once.' CODEC(Delta, ZSTD(1)),
    `_inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When the row became visible here.' CODEC(Delta, ZSTD(1)),
    INDEX offsets (`_partition`, `_offset`) TYPE minmax GRANULARITY 1,
    INDEX received (`received_at`) TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/cx/events_feedback_local', '{replica}')
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, type, time, id)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800
COMMENT 'One row is one accepted event of the feedback family (surveys, reviews, follow-ups), without its duplicates, whatever its traffic: human, bot or internal.';

CREATE TABLE IF NOT EXISTS cx.events_feedback ON CLUSTER 'main' AS cx.events_feedback_local
ENGINE = Distributed('main', 'cx', 'events_feedback_local', cityHash64(_topic, _partition))
COMMENT 'One row is one accepted event of the feedback family (surveys, reviews, follow-ups), without its duplicates, whatever its traffic: human, bot or internal.';

CREATE TABLE IF NOT EXISTS cx.events_app_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant of the write key.',
    `source` LowCardinality(String) COMMENT 'Source of the write key; an id is unique within (tenant, source).',
    `id` String COMMENT 'Id given by the client, else a UUIDv7 made at ingest.' CODEC(ZSTD(1)),
    `type` LowCardinality(String) COMMENT 'Event type, one of the app.* types.',
    `time` DateTime64(3, 'UTC') COMMENT 'Event time: the client''s time after clock-skew correction, the time that every metric uses.' CODEC(Delta, ZSTD(1)),
    `original_time` Nullable(DateTime64(3, 'UTC')) COMMENT 'Time as the client sent it; null when it sent none.',
    `sent_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'Time at which the client says it sent the request.',
    `received_at` DateTime64(3, 'UTC') COMMENT 'Time at which ingest received the request.' CODEC(Delta, ZSTD(1)),
    `customer_id` Nullable(String) COMMENT 'Pseudonym of the customer.' CODEC(ZSTD(1)),
    `anonymous_id` Nullable(String) COMMENT 'Pseudonym of the anonymous visitor.' CODEC(ZSTD(1)),
    `session_id` Nullable(String) COMMENT 'Pseudonym of the session.' CODEC(ZSTD(1)),
    `account_id` Nullable(String) COMMENT 'Pseudonym of the account.' CODEC(ZSTD(1)),
    `seq` Nullable(Int64) COMMENT 'Number of the event within its session, as counted by the client.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint, unknown when not sent.',
    `channel` LowCardinality(String) COMMENT 'Channel, unknown when not sent.',
    `device` LowCardinality(String) COMMENT 'Device class, unknown when not sent.',
    `mode` LowCardinality(Nullable(String)) COMMENT 'self, bot or assisted.',
    `persona` LowCardinality(Nullable(String)) COMMENT 'Persona as the site names it.',
    `member` Nullable(Bool) COMMENT 'Whether the customer is a member.',
    `locale` LowCardinality(Nullable(String)) COMMENT 'Locale, for instance de-DE.',
    `app_version` LowCardinality(Nullable(String)) COMMENT 'Version of the site or app.',
    `variant` LowCardinality(Nullable(String)) COMMENT 'Variant of an experiment.',
    `campaign` LowCardinality(Nullable(String)) COMMENT 'Campaign that brought the customer.',
    `referrer` Nullable(String) COMMENT 'Referring page.' CODEC(ZSTD(1)),
    `preferred_channel` LowCardinality(Nullable(String)) COMMENT 'Channel that the customer prefers.',
    `stage` LowCardinality(Nullable(String)) COMMENT 'Journey stage as sent; counts only for unknown touchpoints.',
    `consent` Array(LowCardinality(String)) COMMENT 'Consents given, as sent.',
    `traffic` LowCardinality(String) COMMENT 'human, bot or internal; only human counts in metrics.',
    `extra` Map(LowCardinality(String), String) COMMENT 'Data and context fields that the catalogue does not know, as text.' CODEC(ZSTD(1)),
    `name` LowCardinality(Nullable(String)) COMMENT 'Name of the screen, response, task, interaction or change.',
    `duration_ms` Nullable(Int64) COMMENT 'Duration in milliseconds.',
    `status` Nullable(Int32) COMMENT 'HTTP status (app.response).',
    `result` LowCardinality(Nullable(String)) COMMENT 'success, failure or abandoned (app.task).',
    `code` LowCardinality(Nullable(String)) COMMENT 'Error code (app.error).',
    `fatal` Nullable(Bool) COMMENT 'Whether the error ended the session.',
    `action` LowCardinality(Nullable(String)) COMMENT 'What was done (app.interaction).',
    `order_id` Nullable(String) COMMENT 'Id of the order.' CODEC(ZSTD(1)),
    `state` LowCardinality(Nullable(String)) COMMENT 'State of the order (app.order).',
    `due_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'When the order is due.',
    `kind` LowCardinality(Nullable(String)) COMMENT 'Kind of the notice (app.notice).',
    `notice_status` LowCardinality(Nullable(String)) COMMENT 'sent, delivered or opened (app.notice).',
    `compensation` LowCardinality(Nullable(String)) COMMENT 'Compensation given (app.notice).',
    `_topic` LowCardinality(String) COMMENT 'Kafka topic that the event was read from.',
    `_partition` Int32 COMMENT 'Its partition.',
    `_offset` Int64 COMMENT 'Its offset; (_topic, _partition, _offset) occurs once.' CODEC(Delta, ZSTD(1)),
    `_inserted_at` DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When the row became visible here.' CODEC(Delta, ZSTD(1)),
    INDEX offsets (`_partition`, `_offset`) TYPE minmax GRANULARITY 1,
    INDEX received (`received_at`) TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/cx/events_app_local', '{replica}')
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, type, time, id)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800
COMMENT 'One row is one accepted event of the app family (everything else a customer does or meets), without its duplicates, whatever its traffic: human, bot or internal.';

CREATE TABLE IF NOT EXISTS cx.events_app ON CLUSTER 'main' AS cx.events_app_local
ENGINE = Distributed('main', 'cx', 'events_app_local', cityHash64(_topic, _partition))
COMMENT 'One row is one accepted event of the app family (everything else a customer does or meets), without its duplicates, whatever its traffic: human, bot or internal.';

CREATE TABLE IF NOT EXISTS cx.store_checkouts_local ON CLUSTER 'main'
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
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/cx/store_checkouts_local', '{replica}', revision, is_deleted)
PARTITION BY toYYYYMM(started_at)
ORDER BY (tenant, started_at, attempt_id)
COMMENT 'Storage: one row is one revision of a checkout attempt. Read the view checkouts.';

CREATE TABLE IF NOT EXISTS cx.store_checkouts ON CLUSTER 'main' AS cx.store_checkouts_local
ENGINE = Distributed('main', 'cx', 'store_checkouts_local', cityHash64(tenant, started_at, attempt_id))
COMMENT 'Storage: one row is one revision of a checkout attempt. Read the view checkouts.';

CREATE TABLE IF NOT EXISTS cx.store_conversations_local ON CLUSTER 'main'
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
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/cx/store_conversations_local', '{replica}', revision, is_deleted)
ORDER BY (tenant, conversation_id, cycle, cycle_id)
COMMENT 'Storage: one row is one revision of a conversation cycle. Read the view conversations.';

CREATE TABLE IF NOT EXISTS cx.store_conversations ON CLUSTER 'main' AS cx.store_conversations_local
ENGINE = Distributed('main', 'cx', 'store_conversations_local', cityHash64(tenant, conversation_id, cycle, cycle_id))
COMMENT 'Storage: one row is one revision of a conversation cycle. Read the view conversations.';

CREATE TABLE IF NOT EXISTS cx.store_answers_local ON CLUSTER 'main'
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
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/cx/store_answers_local', '{replica}', revision, is_deleted)
ORDER BY (tenant, time, submission_id, question, source, id)
COMMENT 'Storage: one row is one revision of an answer. Read the view feedback.';

CREATE TABLE IF NOT EXISTS cx.store_answers ON CLUSTER 'main' AS cx.store_answers_local
ENGINE = Distributed('main', 'cx', 'store_answers_local', cityHash64(tenant, time, submission_id, question, source, id))
COMMENT 'Storage: one row is one revision of an answer. Read the view feedback.';

CREATE TABLE IF NOT EXISTS cx.store_score_windows_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `metric` LowCardinality(String) COMMENT 'nps; later others.',
    `detail` LowCardinality(String) COMMENT 'What the metric is further split by; empty for nps.',
    `window` LowCardinality(String) COMMENT 'Size: 5m, 1h, 24h, 7d, 28d or 90d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint, or all.',
    `channel` LowCardinality(String) COMMENT 'Channel, or all.',
    `device` LowCardinality(String) COMMENT 'Device class, or all.',
    `answers` Int64 COMMENT 'Answers.',
    `top` Int64 COMMENT 'Promoters, or satisfied.',
    `middle` Int64 COMMENT 'Passives.',
    `bottom` Int64 COMMENT 'Detractors, or not satisfied.',
    `is_final` Bool COMMENT 'True when the watermark has passed the end.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/cx/store_score_windows_local', '{replica}', revision)
PARTITION BY toYYYYMM(window_end)
ORDER BY (tenant, metric, detail, window, touchpoint, channel, device, window_end)
COMMENT 'Storage: one row is one revision of one rolling window of one series of scores. Read the view nps.';

CREATE TABLE IF NOT EXISTS cx.store_score_windows ON CLUSTER 'main' AS cx.store_score_windows_local
ENGINE = Distributed('main', 'cx', 'store_score_windows_local', cityHash64(tenant, metric, detail, window, touchpoint, channel, device, window_end))
COMMENT 'Storage: one row is one revision of one rolling window of one series of scores. Read the view nps.';

CREATE TABLE IF NOT EXISTS cx.store_checkout_windows_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size: 5m, 1h, 24h, 7d, 28d or 90d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint, or all.',
    `channel` LowCardinality(String) COMMENT 'Channel, or all.',
    `device` LowCardinality(String) COMMENT 'Device class, or all.',
    `step_names` Array(LowCardinality(String)) COMMENT 'Steps of the funnel.',
    `step_indexes` Array(Nullable(Int32)) COMMENT 'Their positions; NULL when one has none.',
    `step_reached` Array(Int64) COMMENT 'Attempts with an outcome that reached each step.',
    `step_dropped` Array(Int64) COMMENT 'Attempts abandoned with each as the furthest step.',
    `step_open` Array(Nullable(Int64)) COMMENT 'Attempts without outcome now at each step; NULL once final.',
    `reason_names` Array(LowCardinality(String)) COMMENT 'Reasons of abandonment.',
    `reason_sources` Array(LowCardinality(String)) COMMENT 'stated, inferred or unknown, for each reason.',
    `reason_currencies` Array(LowCardinality(String)) COMMENT 'ISO 4217 code for each reason; empty when unknown.',
    `reason_attempts` Array(Int64) COMMENT 'Abandoned attempts by reason.',
    `reason_values` Array(Decimal(18, 4)) COMMENT 'Sum of their values, in units of the currency.',
    `within_3min` Int64 COMMENT 'Purchases within 3 minutes.',
    `within_15min` Int64 COMMENT 'Purchases within 15 minutes.',
    `durations` Int64 COMMENT 'Purchases.',
    `p50_ms` Nullable(Int64) COMMENT 'Median in milliseconds.',
    `p75_ms` Nullable(Int64) COMMENT '75th percentile in milliseconds.',
    `p95_ms` Nullable(Int64) COMMENT '95th percentile in milliseconds.',
    `p99_ms` Nullable(Int64) COMMENT '99th percentile in milliseconds.',
    `is_final` Bool COMMENT 'True when the watermark has passed the end.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/cx/store_checkout_windows_local', '{replica}', revision)
PARTITION BY toYYYYMM(window_end)
ORDER BY (tenant, window, touchpoint, channel, device, window_end)
COMMENT 'Storage: one row is one revision of one rolling window of one series of checkout outcomes. Read the views checkout_funnel, checkout_abandonment, checkout_duration.';

CREATE TABLE IF NOT EXISTS cx.store_checkout_windows ON CLUSTER 'main' AS cx.store_checkout_windows_local
ENGINE = Distributed('main', 'cx', 'store_checkout_windows_local', cityHash64(tenant, window, touchpoint, channel, device, window_end))
COMMENT 'Storage: one row is one revision of one rolling window of one series of checkout outcomes. Read the views checkout_funnel, checkout_abandonment, checkout_duration.';

CREATE TABLE IF NOT EXISTS cx.store_response_windows_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `metric` LowCardinality(String) COMMENT 'first_response_customer, first_response_team, reply or resolution.',
    `window` LowCardinality(String) COMMENT 'Size: 5m, 1h, 24h, 7d, 28d or 90d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint, or all.',
    `channel` LowCardinality(String) COMMENT 'Channel, or all.',
    `device` LowCardinality(String) COMMENT 'Device class, or all.',
    `durations` Int64 COMMENT 'Answered waits.',
    `p50_ms` Nullable(Int64) COMMENT 'Median in milliseconds.',
    `p75_ms` Nullable(Int64) COMMENT '75th percentile in milliseconds.',
    `p95_ms` Nullable(Int64) COMMENT '95th percentile in milliseconds.',
    `p99_ms` Nullable(Int64) COMMENT '99th percentile in milliseconds.',
    `slo_ms` Nullable(Int64) COMMENT 'Service level in milliseconds; NULL where there is none.',
    `breached` Nullable(Int64) COMMENT 'Waits that passed it; NULL where there is none.',
    `waiting` Nullable(Int64) COMMENT 'Waiting now; NULL once final.',
    `is_final` Bool COMMENT 'True when the watermark has passed the end.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/cx/store_response_windows_local', '{replica}', revision)
PARTITION BY toYYYYMM(window_end)
ORDER BY (tenant, metric, window, touchpoint, channel, device, window_end)
COMMENT 'Storage: one row is one revision of one rolling window of one series of response times. Read the view response_times.';

CREATE TABLE IF NOT EXISTS cx.store_response_windows ON CLUSTER 'main' AS cx.store_response_windows_local
ENGINE = Distributed('main', 'cx', 'store_response_windows_local', cityHash64(tenant, metric, window, touchpoint, channel, device, window_end))
COMMENT 'Storage: one row is one revision of one rolling window of one series of response times. Read the view response_times.';

CREATE TABLE IF NOT EXISTS cx.store_score_minutes_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `metric` LowCardinality(String) COMMENT 'nps; later others.',
    `detail` LowCardinality(String) COMMENT 'What the metric is further split by; empty for nps.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint.',
    `channel` LowCardinality(String) COMMENT 'Channel.',
    `device` LowCardinality(String) COMMENT 'Device class.',
    `answers` Int64 COMMENT 'Answers.',
    `top` Int64 COMMENT 'Promoters, or satisfied.',
    `middle` Int64 COMMENT 'Passives.',
    `bottom` Int64 COMMENT 'Detractors, or not satisfied.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/cx/store_score_minutes_local', '{replica}', revision)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, metric, detail, touchpoint, channel, device, minute)
COMMENT 'Storage: one row is one revision of one minute of one series of scores. Read the view nps_1m.';

CREATE TABLE IF NOT EXISTS cx.store_score_minutes ON CLUSTER 'main' AS cx.store_score_minutes_local
ENGINE = Distributed('main', 'cx', 'store_score_minutes_local', cityHash64(tenant, metric, detail, touchpoint, channel, device, minute))
COMMENT 'Storage: one row is one revision of one minute of one series of scores. Read the view nps_1m.';

CREATE TABLE IF NOT EXISTS cx.store_checkout_minutes_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint.',
    `channel` LowCardinality(String) COMMENT 'Channel.',
    `device` LowCardinality(String) COMMENT 'Device class.',
    `step_names` Array(LowCardinality(String)) COMMENT 'Steps of the funnel.',
    `step_indexes` Array(Nullable(Int32)) COMMENT 'Their positions; NULL when one has none.',
    `step_reached` Array(Int64) COMMENT 'Attempts with an outcome that reached each step.',
    `step_dropped` Array(Int64) COMMENT 'Attempts abandoned with each as the furthest step.',
    `reason_names` Array(LowCardinality(String)) COMMENT 'Reasons of abandonment.',
    `reason_sources` Array(LowCardinality(String)) COMMENT 'stated, inferred or unknown, for each reason.',
    `reason_currencies` Array(LowCardinality(String)) COMMENT 'ISO 4217 code for each reason; empty when unknown.',
    `reason_attempts` Array(Int64) COMMENT 'Abandoned attempts by reason.',
    `reason_values` Array(Decimal(18, 4)) COMMENT 'Sum of their values, in units of the currency.',
    `within_3min` Int64 COMMENT 'Purchases within 3 minutes.',
    `within_15min` Int64 COMMENT 'Purchases within 15 minutes.',
    `durations` Map(Int32, UInt64) COMMENT 'Purchases, by log bucket of growth 1.02 over milliseconds, in rising order; bucket -1 holds zero.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/cx/store_checkout_minutes_local', '{replica}', revision)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, touchpoint, channel, device, minute)
COMMENT 'Storage: one row is one revision of one minute of one series of checkout outcomes. Read the views checkout_funnel_1m, checkout_abandonment_1m, checkout_duration_1m.';

CREATE TABLE IF NOT EXISTS cx.store_checkout_minutes ON CLUSTER 'main' AS cx.store_checkout_minutes_local
ENGINE = Distributed('main', 'cx', 'store_checkout_minutes_local', cityHash64(tenant, touchpoint, channel, device, minute))
COMMENT 'Storage: one row is one revision of one minute of one series of checkout outcomes. Read the views checkout_funnel_1m, checkout_abandonment_1m, checkout_duration_1m.';

CREATE TABLE IF NOT EXISTS cx.store_response_minutes_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `metric` LowCardinality(String) COMMENT 'first_response_customer, first_response_team, reply or resolution.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint.',
    `channel` LowCardinality(String) COMMENT 'Channel.',
    `device` LowCardinality(String) COMMENT 'Device class.',
    `breached` Int64 COMMENT 'Waits that passed the service level.',
    `durations` Map(Int32, UInt64) COMMENT 'Answered waits, by log bucket of growth 1.02 over milliseconds, in rising order; bucket -1 holds zero.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/cx/store_response_minutes_local', '{replica}', revision)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, metric, touchpoint, channel, device, minute)
COMMENT 'Storage: one row is one revision of one minute of one series of response times. Read the view response_times_1m.';

CREATE TABLE IF NOT EXISTS cx.store_response_minutes ON CLUSTER 'main' AS cx.store_response_minutes_local
ENGINE = Distributed('main', 'cx', 'store_response_minutes_local', cityHash64(tenant, metric, touchpoint, channel, device, minute))
COMMENT 'Storage: one row is one revision of one minute of one series of response times. Read the view response_times_1m.';

CREATE TABLE IF NOT EXISTS cx.store_quality_ingest_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `family` LowCardinality(String) COMMENT 'Family, or unknown.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute of receipt.' CODEC(Delta, ZSTD(1)),
    `instance` String COMMENT 'Ingest instance, new at every start.' CODEC(ZSTD(1)),
    `code` LowCardinality(String) COMMENT 'accepted, duplicate, or the code of the rejection.',
    `events` Int64 COMMENT 'Events.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/cx/store_quality_ingest_local', '{replica}', revision)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, family, minute, instance, code)
COMMENT 'Storage: one row is one revision of what one ingest instance answered within one minute. Read the view data_quality.';

CREATE TABLE IF NOT EXISTS cx.store_quality_ingest ON CLUSTER 'main' AS cx.store_quality_ingest_local
ENGINE = Distributed('main', 'cx', 'store_quality_ingest_local', cityHash64(tenant, family, minute, instance, code))
COMMENT 'Storage: one row is one revision of what one ingest instance answered within one minute. Read the view data_quality.';

CREATE TABLE IF NOT EXISTS cx.store_quality_processor_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `family` LowCardinality(String) COMMENT 'Family.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute of receipt.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint, where counted by it.',
    `channel` LowCardinality(String) COMMENT 'Channel, where counted by it.',
    `device` LowCardinality(String) COMMENT 'Device class, where counted by it.',
    `accepted` Int64 COMMENT 'Events read.',
    `late` Int64 COMMENT 'Events beyond the lateness limit.',
    `duplicates` Int64 COMMENT 'Copies within the duplicate window.',
    `non_human` Int64 COMMENT 'Events with traffic other than human.',
    `repeated_transactions` Int64 COMMENT 'Completions of a transaction already counted.',
    `without_attempt` Int64 COMMENT 'Checkout events that belong to no attempt.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/cx/store_quality_processor_local', '{replica}', revision)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, family, minute, touchpoint, channel, device)
COMMENT 'Storage: one row is one revision of what the processor saw of one family within one minute. Read the view data_quality.';

CREATE TABLE IF NOT EXISTS cx.store_quality_processor ON CLUSTER 'main' AS cx.store_quality_processor_local
ENGINE = Distributed('main', 'cx', 'store_quality_processor_local', cityHash64(tenant, family, minute, touchpoint, channel, device))
COMMENT 'Storage: one row is one revision of what the processor saw of one family within one minute. Read the view data_quality.';

CREATE TABLE IF NOT EXISTS cx.store_quality_sink_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `family` LowCardinality(String) COMMENT 'Family.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute of receipt.' CODEC(Delta, ZSTD(1)),
    `freshness_ms` SimpleAggregateFunction(max, Int64) COMMENT 'Longest time from receipt to visible here, in milliseconds.',
    `lag` SimpleAggregateFunction(max, Int64) COMMENT 'Most records of the family that waited for the sink when it wrote this minute.'
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/cx/store_quality_sink_local', '{replica}')
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, family, minute)
COMMENT 'Storage: one row is what the sink knows of one family within one minute. Read the view data_quality.';

CREATE TABLE IF NOT EXISTS cx.store_quality_sink ON CLUSTER 'main' AS cx.store_quality_sink_local
ENGINE = Distributed('main', 'cx', 'store_quality_sink_local', cityHash64(tenant, family, minute))
COMMENT 'Storage: one row is what the sink knows of one family within one minute. Read the view data_quality.';

CREATE TABLE IF NOT EXISTS cx.store_service_windows_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint, or all.',
    `channel` LowCardinality(String) COMMENT 'Channel, or all.',
    `device` LowCardinality(String) COMMENT 'Device class, or all.',
    `conversations` Int64 COMMENT 'Conversations that ended or were silent for a day.',
    `bot` Int64 COMMENT 'Of these, those with a message of a bot.',
    `contained` Int64 COMMENT 'Of these, those without a message of an agent and without a handoff.',
    `returned` Int64 COMMENT 'Of these, those whose customer began another conversation within 72 hours.',
    `handoffs` Int64 COMMENT 'Handoffs.',
    `human_requests` Int64 COMMENT 'Handoffs that the customer asked for, with an outcome.',
    `human_reached` Int64 COMMENT 'Of these, those answered by an agent in time.',
    `bot_loops` Int64 COMMENT 'Runs of the same answer of a bot, or of its fallback.',
    `reasked` Int64 COMMENT 'Conversations in which the customer was asked for something again.',
    `reopened` Int64 COMMENT 'Cycles that a reopen began.',
    `is_final` Bool COMMENT 'True when the watermark has passed the end.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/cx/store_service_windows_local', '{replica}', revision)
PARTITION BY toYYYYMM(window_end)
ORDER BY (tenant, window, touchpoint, channel, device, window_end)
COMMENT 'Storage: one row is one revision of one rolling window of one series of service quality. Read the view service_quality.';

CREATE TABLE IF NOT EXISTS cx.store_service_windows ON CLUSTER 'main' AS cx.store_service_windows_local
ENGINE = Distributed('main', 'cx', 'store_service_windows_local', cityHash64(tenant, window, touchpoint, channel, device, window_end))
COMMENT 'Storage: one row is one revision of one rolling window of one series of service quality. Read the view service_quality.';

CREATE TABLE IF NOT EXISTS cx.store_service_windows_by_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint, or all.',
    `channel` LowCardinality(String) COMMENT 'Channel, or all.',
    `device` LowCardinality(String) COMMENT 'Device class, or all.',
    `dimension` LowCardinality(String) COMMENT 'Further dimension.',
    `dimension_value` LowCardinality(String) COMMENT 'Its value.',
    `conversations` Int64 COMMENT 'Conversations that ended or were silent for a day.',
    `bot` Int64 COMMENT 'Of these, those with a message of a bot.',
    `contained` Int64 COMMENT 'Of these, those without a message of an agent and without a handoff.',
    `returned` Int64 COMMENT 'Of these, those whose customer began another conversation within 72 hours.',
    `handoffs` Int64 COMMENT 'Handoffs.',
    `human_requests` Int64 COMMENT 'Handoffs that the customer asked for, with an outcome.',
    `human_reached` Int64 COMMENT 'Of these, those answered by an agent in time.',
    `bot_loops` Int64 COMMENT 'Runs of the same answer of a bot, or of its fallback.',
    `reasked` Int64 COMMENT 'Conversations in which the customer was asked for something again.',
    `reopened` Int64 COMMENT 'Cycles that a reopen began.',
    `is_final` Bool COMMENT 'True when the watermark has passed the end.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/cx/store_service_windows_by_local', '{replica}', revision)
PARTITION BY toYYYYMM(window_end)
ORDER BY (tenant, window, dimension, dimension_value, touchpoint, channel, device, window_end)
COMMENT 'Storage: one row is one revision of one rolling window of one value of a further dimension of one series of service quality. Read the view service_quality_by.';

CREATE TABLE IF NOT EXISTS cx.store_service_windows_by ON CLUSTER 'main' AS cx.store_service_windows_by_local
ENGINE = Distributed('main', 'cx', 'store_service_windows_by_local', cityHash64(tenant, window, dimension, dimension_value, touchpoint, channel, device, window_end))
COMMENT 'Storage: one row is one revision of one rolling window of one value of a further dimension of one series of service quality. Read the view service_quality_by.';

CREATE TABLE IF NOT EXISTS cx.store_service_minutes_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint.',
    `channel` LowCardinality(String) COMMENT 'Channel.',
    `device` LowCardinality(String) COMMENT 'Device class.',
    `conversations` Int64 COMMENT 'Conversations that ended or were silent for a day.',
    `bot` Int64 COMMENT 'Of these, those with a message of a bot.',
    `contained` Int64 COMMENT 'Of these, those without a message of an agent and without a handoff.',
    `returned` Int64 COMMENT 'Of these, those whose customer began another conversation within 72 hours.',
    `handoffs` Int64 COMMENT 'Handoffs.',
    `human_requests` Int64 COMMENT 'Handoffs that the customer asked for, with an outcome.',
    `human_reached` Int64 COMMENT 'Of these, those answered by an agent in time.',
    `bot_loops` Int64 COMMENT 'Runs of the same answer of a bot, or of its fallback.',
    `reasked` Int64 COMMENT 'Conversations in which the customer was asked for something again.',
    `reopened` Int64 COMMENT 'Cycles that a reopen began.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/cx/store_service_minutes_local', '{replica}', revision)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, touchpoint, channel, device, minute)
COMMENT 'Storage: one row is one revision of one minute of one series of service quality. Read the view service_quality_1m.';

CREATE TABLE IF NOT EXISTS cx.store_service_minutes ON CLUSTER 'main' AS cx.store_service_minutes_local
ENGINE = Distributed('main', 'cx', 'store_service_minutes_local', cityHash64(tenant, touchpoint, channel, device, minute))
COMMENT 'Storage: one row is one revision of one minute of one series of service quality. Read the view service_quality_1m.';

CREATE TABLE IF NOT EXISTS cx.store_app_windows_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `name` LowCardinality(String) COMMENT 'Name of the response or task.',
    `window` LowCardinality(String) COMMENT 'Size: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint, or all.',
    `channel` LowCardinality(String) COMMENT 'Channel, or all.',
    `device` LowCardinality(String) COMMENT 'Device class, or all.',
    `durations` Int64 COMMENT 'Responses.',
    `p50_ms` Nullable(Int64) COMMENT 'Median in milliseconds.',
    `p75_ms` Nullable(Int64) COMMENT '75th percentile in milliseconds.',
    `p95_ms` Nullable(Int64) COMMENT '95th percentile in milliseconds.',
    `p99_ms` Nullable(Int64) COMMENT '99th percentile in milliseconds.',
    `errors` Int64 COMMENT 'Responses with status 500 or above.',
    `tasks` Int64 COMMENT 'Tasks.',
    `successes` Int64 COMMENT 'Tasks that succeeded.',
    `is_final` Bool COMMENT 'True when the watermark has passed the end.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/cx/store_app_windows_local', '{replica}', revision)
PARTITION BY toYYYYMM(window_end)
ORDER BY (tenant, name, window, touchpoint, channel, device, window_end)
COMMENT 'Storage: one row is one revision of one rolling window of one series of responses and tasks. Read the view app_response.';

CREATE TABLE IF NOT EXISTS cx.store_app_windows ON CLUSTER 'main' AS cx.store_app_windows_local
ENGINE = Distributed('main', 'cx', 'store_app_windows_local', cityHash64(tenant, name, window, touchpoint, channel, device, window_end))
COMMENT 'Storage: one row is one revision of one rolling window of one series of responses and tasks. Read the view app_response.';

CREATE TABLE IF NOT EXISTS cx.store_app_minutes_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `name` LowCardinality(String) COMMENT 'Name of the response or task.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint.',
    `channel` LowCardinality(String) COMMENT 'Channel.',
    `device` LowCardinality(String) COMMENT 'Device class.',
    `durations` Map(Int32, UInt64) COMMENT 'Responses, by log bucket of growth 1.02 over milliseconds, in rising order; bucket -1 holds zero.',
    `errors` Int64 COMMENT 'Responses with status 500 or above.',
    `tasks` Int64 COMMENT 'Tasks.',
    `successes` Int64 COMMENT 'Tasks that succeeded.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/cx/store_app_minutes_local', '{replica}', revision)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, name, touchpoint, channel, device, minute)
COMMENT 'Storage: one row is one revision of one minute of one series of responses and tasks. Read the view app_response_1m.';

CREATE TABLE IF NOT EXISTS cx.store_app_minutes ON CLUSTER 'main' AS cx.store_app_minutes_local
ENGINE = Distributed('main', 'cx', 'store_app_minutes_local', cityHash64(tenant, name, touchpoint, channel, device, minute))
COMMENT 'Storage: one row is one revision of one minute of one series of responses and tasks. Read the view app_response_1m.';

CREATE TABLE IF NOT EXISTS cx.store_score_windows_by_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `metric` LowCardinality(String) COMMENT 'nps, csat, ces or response_rate.',
    `detail` LowCardinality(String) COMMENT 'What the metric is further split by; the scale of csat and ces, else empty.',
    `window` LowCardinality(String) COMMENT 'Size: 5m, 1h, 24h, 7d, 28d or 90d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint, or all.',
    `channel` LowCardinality(String) COMMENT 'Channel, or all.',
    `device` LowCardinality(String) COMMENT 'Device class, or all.',
    `dimension` LowCardinality(String) COMMENT 'Further dimension.',
    `dimension_value` LowCardinality(String) COMMENT 'Its value.',
    `answers` Int64 COMMENT 'Answers.',
    `top` Int64 COMMENT 'Promoters, or satisfied.',
    `middle` Int64 COMMENT 'Passives.',
    `bottom` Int64 COMMENT 'Detractors, or not satisfied.',
    `is_final` Bool COMMENT 'True when the watermark has passed the end.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/cx/store_score_windows_by_local', '{replica}', revision)
PARTITION BY toYYYYMM(window_end)
ORDER BY (tenant, metric, detail, window, dimension, dimension_value, touchpoint, channel, device, window_end)
COMMENT 'Storage: one row is one revision of one rolling window of one value of a further dimension of one series of scores. Read the views nps_by, csat_by, ces_by, response_rates_by.';

CREATE TABLE IF NOT EXISTS cx.store_score_windows_by ON CLUSTER 'main' AS cx.store_score_windows_by_local
ENGINE = Distributed('main', 'cx', 'store_score_windows_by_local', cityHash64(tenant, metric, detail, window, dimension, dimension_value, touchpoint, channel, device, window_end))
COMMENT 'Storage: one row is one revision of one rolling window of one value of a further dimension of one series of scores. Read the views nps_by, csat_by, ces_by, response_rates_by.';

CREATE TABLE IF NOT EXISTS cx.store_checkout_windows_by_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size: 5m, 1h, 24h, 7d, 28d or 90d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint, or all.',
    `channel` LowCardinality(String) COMMENT 'Channel, or all.',
    `device` LowCardinality(String) COMMENT 'Device class, or all.',
    `dimension` LowCardinality(String) COMMENT 'Further dimension.',
    `dimension_value` LowCardinality(String) COMMENT 'Its value.',
    `step_names` Array(LowCardinality(String)) COMMENT 'Steps of the funnel.',
    `step_indexes` Array(Nullable(Int32)) COMMENT 'Their positions; NULL when one has none.',
    `step_reached` Array(Int64) COMMENT 'Attempts with an outcome that reached each step.',
    `step_dropped` Array(Int64) COMMENT 'Attempts abandoned with each as the furthest step.',
    `step_open` Array(Nullable(Int64)) COMMENT 'Attempts without outcome now at each step; NULL once final.',
    `reason_names` Array(LowCardinality(String)) COMMENT 'Reasons of abandonment.',
    `reason_sources` Array(LowCardinality(String)) COMMENT 'stated, inferred or unknown, for each reason.',
    `reason_currencies` Array(LowCardinality(String)) COMMENT 'ISO 4217 code for each reason; empty when unknown.',
    `reason_attempts` Array(Int64) COMMENT 'Abandoned attempts by reason.',
    `reason_values` Array(Decimal(18, 4)) COMMENT 'Sum of their values, in units of the currency.',
    `within_3min` Int64 COMMENT 'Purchases within 3 minutes.',
    `within_15min` Int64 COMMENT 'Purchases within 15 minutes.',
    `durations` Int64 COMMENT 'Purchases.',
    `p50_ms` Nullable(Int64) COMMENT 'Median in milliseconds.',
    `p75_ms` Nullable(Int64) COMMENT '75th percentile in milliseconds.',
    `p95_ms` Nullable(Int64) COMMENT '95th percentile in milliseconds.',
    `p99_ms` Nullable(Int64) COMMENT '99th percentile in milliseconds.',
    `is_final` Bool COMMENT 'True when the watermark has passed the end.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/cx/store_checkout_windows_by_local', '{replica}', revision)
PARTITION BY toYYYYMM(window_end)
ORDER BY (tenant, window, dimension, dimension_value, touchpoint, channel, device, window_end)
COMMENT 'Storage: one row is one revision of one rolling window of one value of a further dimension of one series of checkout outcomes. Read the views checkout_funnel_by, checkout_abandonment_by, checkout_duration_by.';

CREATE TABLE IF NOT EXISTS cx.store_checkout_windows_by ON CLUSTER 'main' AS cx.store_checkout_windows_by_local
ENGINE = Distributed('main', 'cx', 'store_checkout_windows_by_local', cityHash64(tenant, window, dimension, dimension_value, touchpoint, channel, device, window_end))
COMMENT 'Storage: one row is one revision of one rolling window of one value of a further dimension of one series of checkout outcomes. Read the views checkout_funnel_by, checkout_abandonment_by, checkout_duration_by.';

CREATE TABLE IF NOT EXISTS cx.store_response_windows_by_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `metric` LowCardinality(String) COMMENT 'first_response_customer, first_response_team, reply or resolution.',
    `window` LowCardinality(String) COMMENT 'Size: 5m, 1h, 24h, 7d, 28d or 90d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint, or all.',
    `channel` LowCardinality(String) COMMENT 'Channel, or all.',
    `device` LowCardinality(String) COMMENT 'Device class, or all.',
    `dimension` LowCardinality(String) COMMENT 'Further dimension.',
    `dimension_value` LowCardinality(String) COMMENT 'Its value.',
    `durations` Int64 COMMENT 'Answered waits.',
    `p50_ms` Nullable(Int64) COMMENT 'Median in milliseconds.',
    `p75_ms` Nullable(Int64) COMMENT '75th percentile in milliseconds.',
    `p95_ms` Nullable(Int64) COMMENT '95th percentile in milliseconds.',
    `p99_ms` Nullable(Int64) COMMENT '99th percentile in milliseconds.',
    `slo_ms` Nullable(Int64) COMMENT 'Service level in milliseconds; NULL where there is none.',
    `breached` Nullable(Int64) COMMENT 'Waits that passed it; NULL where there is none.',
    `waiting` Nullable(Int64) COMMENT 'Waiting now; NULL once final.',
    `is_final` Bool COMMENT 'True when the watermark has passed the end.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/cx/store_response_windows_by_local', '{replica}', revision)
PARTITION BY toYYYYMM(window_end)
ORDER BY (tenant, metric, window, dimension, dimension_value, touchpoint, channel, device, window_end)
COMMENT 'Storage: one row is one revision of one rolling window of one value of a further dimension of one series of response times. Read the view response_times_by.';

CREATE TABLE IF NOT EXISTS cx.store_response_windows_by ON CLUSTER 'main' AS cx.store_response_windows_by_local
ENGINE = Distributed('main', 'cx', 'store_response_windows_by_local', cityHash64(tenant, metric, window, dimension, dimension_value, touchpoint, channel, device, window_end))
COMMENT 'Storage: one row is one revision of one rolling window of one value of a further dimension of one series of response times. Read the view response_times_by.';

CREATE TABLE IF NOT EXISTS cx.store_app_windows_by_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `name` LowCardinality(String) COMMENT 'Name of the response or task.',
    `window` LowCardinality(String) COMMENT 'Size: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive.' CODEC(Delta, ZSTD(1)),
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint, or all.',
    `channel` LowCardinality(String) COMMENT 'Channel, or all.',
    `device` LowCardinality(String) COMMENT 'Device class, or all.',
    `dimension` LowCardinality(String) COMMENT 'Further dimension.',
    `dimension_value` LowCardinality(String) COMMENT 'Its value.',
    `durations` Int64 COMMENT 'Responses.',
    `p50_ms` Nullable(Int64) COMMENT 'Median in milliseconds.',
    `p75_ms` Nullable(Int64) COMMENT '75th percentile in milliseconds.',
    `p95_ms` Nullable(Int64) COMMENT '95th percentile in milliseconds.',
    `p99_ms` Nullable(Int64) COMMENT '99th percentile in milliseconds.',
    `errors` Int64 COMMENT 'Responses with status 500 or above.',
    `tasks` Int64 COMMENT 'Tasks.',
    `successes` Int64 COMMENT 'Tasks that succeeded.',
    `is_final` Bool COMMENT 'True when the watermark has passed the end.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/cx/store_app_windows_by_local', '{replica}', revision)
PARTITION BY toYYYYMM(window_end)
ORDER BY (tenant, name, window, dimension, dimension_value, touchpoint, channel, device, window_end)
COMMENT 'Storage: one row is one revision of one rolling window of one value of a further dimension of one series of responses and tasks. Read the view app_response_by.';

CREATE TABLE IF NOT EXISTS cx.store_app_windows_by ON CLUSTER 'main' AS cx.store_app_windows_by_local
ENGINE = Distributed('main', 'cx', 'store_app_windows_by_local', cityHash64(tenant, name, window, dimension, dimension_value, touchpoint, channel, device, window_end))
COMMENT 'Storage: one row is one revision of one rolling window of one value of a further dimension of one series of responses and tasks. Read the view app_response_by.';

CREATE TABLE IF NOT EXISTS cx.store_sequences_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `source` LowCardinality(String) COMMENT 'Source of the write key.',
    `family` LowCardinality(String) COMMENT 'Family of the event that follows the gap.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute in which that event was received.' CODEC(Delta, ZSTD(1)),
    `numbered` Int64 COMMENT 'Events that have a number in a session.',
    `gaps` Int64 COMMENT 'Those of them that follow a gap.',
    `missing` Int64 COMMENT 'Numbers that are missing in these gaps, at most 1,000 in each.',
    `counted_at` DateTime64(3, 'UTC') COMMENT 'When this was counted; the latest count is right.' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/cx/store_sequences_local', '{replica}', counted_at)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, source, family, minute)
COMMENT 'Storage: one row is one count of gaps in the sequence numbers of one source within one minute. Read the view sequence_gaps.';

CREATE TABLE IF NOT EXISTS cx.store_sequences ON CLUSTER 'main' AS cx.store_sequences_local
ENGINE = Distributed('main', 'cx', 'store_sequences_local', cityHash64(tenant, source, family, minute))
COMMENT 'Storage: one row is one count of gaps in the sequence numbers of one source within one minute. Read the view sequence_gaps.';

CREATE MATERIALIZED VIEW IF NOT EXISTS cx.store_sequences_refresh ON CLUSTER 'main'
REFRESH EVERY 2 MINUTE APPEND TO cx.store_sequences
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `source` LowCardinality(String) COMMENT 'Source of the write key.',
    `family` LowCardinality(String) COMMENT 'Family of the event that follows the gap.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute in which that event was received.',
    `numbered` Int64 COMMENT 'Events that have a number in a session.',
    `gaps` Int64 COMMENT 'Those of them that follow a gap.',
    `missing` Int64 COMMENT 'Numbers that are missing in these gaps, at most 1,000 in each.',
    `counted_at` DateTime64(3, 'UTC') COMMENT 'When this was counted.'
)
AS
WITH (SELECT least(greatest(max(minute), now() - INTERVAL 7 DAY), now()) FROM cx.store_sequences) AS since
SELECT
    tenant, source, family,
    toStartOfMinute(received_at) AS minute,
    toInt64(count()) AS numbered,
    toInt64(countIf(number > previous + 1)) AS gaps,
    toInt64(sum(least(greatest(number - previous - 1, 0), 1000))) AS missing,
    now64(3, 'UTC') AS counted_at
FROM
(
    SELECT
        tenant, source, family, received_at, number,
        lagInFrame(number, 1, number) OVER (PARTITION BY cityHash64(tenant, source, session) ORDER BY number ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS previous
    FROM
    (
        SELECT tenant, source, 'checkout' AS family, cityHash64(session_id) AS session, received_at, assumeNotNull(seq) AS number
        FROM cx.events_checkout WHERE received_at >= since - INTERVAL 2 HOUR AND isNotNull(session_id) AND isNotNull(seq)
        UNION ALL
        SELECT tenant, source, 'chat' AS family, cityHash64(session_id) AS session, received_at, assumeNotNull(seq) AS number
        FROM cx.events_chat WHERE received_at >= since - INTERVAL 2 HOUR AND isNotNull(session_id) AND isNotNull(seq)
        UNION ALL
        SELECT tenant, source, 'feedback' AS family, cityHash64(session_id) AS session, received_at, assumeNotNull(seq) AS number
        FROM cx.events_feedback WHERE received_at >= since - INTERVAL 2 HOUR AND isNotNull(session_id) AND isNotNull(seq)
        UNION ALL
        SELECT tenant, source, 'app' AS family, cityHash64(session_id) AS session, received_at, assumeNotNull(seq) AS number
        FROM cx.events_app WHERE received_at >= since - INTERVAL 2 HOUR AND isNotNull(session_id) AND isNotNull(seq)
    )
)
WHERE minute >= toStartOfMinute(since) - INTERVAL 1 HOUR
GROUP BY tenant, source, family, minute
SETTINGS max_memory_usage = 2000000000, max_bytes_before_external_sort = 500000000, max_threads = 2
COMMENT 'Storage: counts the gaps of the last hour, and of all that came since something was last counted, again every two minutes into store_sequences.';

CREATE TABLE IF NOT EXISTS cx.store_epochs ON CLUSTER 'main'
(
    `epoch` Int64 COMMENT 'Results of it and of lower epochs are read; 1 before any replay.',
    `visible_at` DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'Since when.'
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/every/cx/store_epochs', '{replica}')
ORDER BY epoch
COMMENT 'Storage: one row is one epoch of results that readers see.';

CREATE TABLE IF NOT EXISTS cx.store_regressions_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `rule` LowCardinality(String) COMMENT 'Rule.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint.',
    `channel` LowCardinality(String) COMMENT 'Channel, or all.',
    `detail` LowCardinality(String) COMMENT 'Step, name of a response, or silent metric.',
    `at` DateTime64(3, 'UTC') COMMENT 'Time of the check that found the change.' CODEC(Delta, ZSTD(1)),
    `state` LowCardinality(String) COMMENT 'State from then on.',
    `severity` LowCardinality(String) COMMENT 'page or ticket.',
    `since` Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the window in which it was first seen.',
    `value` Nullable(Float64) COMMENT 'What was found.',
    `baseline` Nullable(Float64) COMMENT 'What is usual.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % interval of value.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % interval of value.',
    `probability` Nullable(Float64) COMMENT 'How often chance alone shows this much or more.',
    `samples` Int64 COMMENT 'What value rests on.',
    `samples_needed` Int64 COMMENT 'How many are needed.',
    `baseline_samples` Int64 COMMENT 'What baseline rests on.',
    `baseline_kind` LowCardinality(String) COMMENT 'What it is compared with.',
    `window_start` Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the window that value was counted in.',
    `window_end` Nullable(DateTime64(3, 'UTC')) COMMENT 'End of it.',
    `contributor` Nullable(String) COMMENT 'The part that adds most.',
    `suspect_times` Array(DateTime64(3, 'UTC')) COMMENT 'When something was changed shortly before.',
    `suspect_names` Array(String) COMMENT 'What was changed.',
    `owner` LowCardinality(String) COMMENT 'Who is told.',
    `runbook` Nullable(String) COMMENT 'Where it says what to do.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/cx/store_regressions_local', '{replica}', revision)
PARTITION BY toYYYYMM(at)
ORDER BY (tenant, rule, touchpoint, channel, detail, at)
COMMENT 'Storage: one row is one revision of one change of state of one rule. Read the view regressions.';

CREATE TABLE IF NOT EXISTS cx.store_regressions ON CLUSTER 'main' AS cx.store_regressions_local
ENGINE = Distributed('main', 'cx', 'store_regressions_local', cityHash64(tenant, rule, touchpoint, channel, detail, at))
COMMENT 'Storage: one row is one revision of one change of state of one rule. Read the view regressions.';

CREATE TABLE IF NOT EXISTS cx.store_refused_local ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `family` LowCardinality(String) COMMENT 'Family, or unknown.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute of receipt.' CODEC(Delta, ZSTD(1)),
    `instance` String COMMENT 'Ingest instance, new at every start.' CODEC(ZSTD(1)),
    `code` LowCardinality(String) COMMENT 'Code of the rejection.',
    `at` DateTime64(3, 'UTC') COMMENT 'When it was received.' CODEC(Delta, ZSTD(1)),
    `source` LowCardinality(String) COMMENT 'Source of its write key.',
    `event_type` LowCardinality(String) COMMENT 'Its type, where it is one of the catalogue.',
    `field` LowCardinality(String) COMMENT 'Field of its first problem, where the catalogue knows it.',
    `events` Int64 COMMENT 'Events of the count.',
    `revision` Int64 COMMENT 'The highest counts.'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/cx/store_refused_local', '{replica}', revision)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, minute, family, instance, code)
COMMENT 'Storage: one row is one revision of the newest event that one ingest instance refused within one minute for one reason. Read the view refused_events.';

CREATE TABLE IF NOT EXISTS cx.store_refused ON CLUSTER 'main' AS cx.store_refused_local
ENGINE = Distributed('main', 'cx', 'store_refused_local', cityHash64(tenant, minute, family, instance, code))
COMMENT 'Storage: one row is one revision of the newest event that one ingest instance refused within one minute for one reason. Read the view refused_events.';

ALTER TABLE cx.events_checkout_local ON CLUSTER 'main' MODIFY TTL toDateTime(time) + toIntervalDay(396);

ALTER TABLE cx.events_chat_local ON CLUSTER 'main' MODIFY TTL toDateTime(time) + toIntervalDay(396);

ALTER TABLE cx.events_feedback_local ON CLUSTER 'main' MODIFY TTL toDateTime(time) + toIntervalDay(396);

ALTER TABLE cx.events_feedback_local ON CLUSTER 'main' MODIFY COLUMN text Nullable(String) TTL toDateTime(time) + toIntervalDay(90);

ALTER TABLE cx.events_app_local ON CLUSTER 'main' MODIFY TTL toDateTime(time) + toIntervalDay(30);

ALTER TABLE cx.store_checkouts_local ON CLUSTER 'main' MODIFY TTL toDateTime(started_at) + toIntervalDay(396);

ALTER TABLE cx.store_conversations_local ON CLUSTER 'main' MODIFY TTL toDateTime(last_event_at) + toIntervalDay(396);

ALTER TABLE cx.store_answers_local ON CLUSTER 'main' MODIFY TTL toDateTime(time) + toIntervalDay(396);

ALTER TABLE cx.store_answers_local ON CLUSTER 'main' MODIFY COLUMN text Nullable(String) TTL toDateTime(time) + toIntervalDay(90);

ALTER TABLE cx.store_score_windows_local ON CLUSTER 'main' MODIFY TTL window_end + toIntervalDay(396);

ALTER TABLE cx.store_checkout_windows_local ON CLUSTER 'main' MODIFY TTL window_end + toIntervalDay(396);

ALTER TABLE cx.store_response_windows_local ON CLUSTER 'main' MODIFY TTL window_end + toIntervalDay(396);

ALTER TABLE cx.store_score_minutes_local ON CLUSTER 'main' MODIFY TTL minute + toIntervalDay(396);

ALTER TABLE cx.store_checkout_minutes_local ON CLUSTER 'main' MODIFY TTL minute + toIntervalDay(396);

ALTER TABLE cx.store_response_minutes_local ON CLUSTER 'main' MODIFY TTL minute + toIntervalDay(396);

ALTER TABLE cx.store_score_windows_by_local ON CLUSTER 'main' MODIFY TTL window_end + toIntervalDay(396);

ALTER TABLE cx.store_checkout_windows_by_local ON CLUSTER 'main' MODIFY TTL window_end + toIntervalDay(396);

ALTER TABLE cx.store_response_windows_by_local ON CLUSTER 'main' MODIFY TTL window_end + toIntervalDay(396);

ALTER TABLE cx.store_app_windows_local ON CLUSTER 'main' MODIFY TTL window_end + toIntervalDay(396);

ALTER TABLE cx.store_app_minutes_local ON CLUSTER 'main' MODIFY TTL minute + toIntervalDay(396);

ALTER TABLE cx.store_app_windows_by_local ON CLUSTER 'main' MODIFY TTL window_end + toIntervalDay(396);

ALTER TABLE cx.store_quality_ingest_local ON CLUSTER 'main' MODIFY TTL minute + toIntervalDay(396);

ALTER TABLE cx.store_refused_local ON CLUSTER 'main' MODIFY TTL minute + toIntervalDay(396);

ALTER TABLE cx.store_quality_processor_local ON CLUSTER 'main' MODIFY TTL minute + toIntervalDay(396);

ALTER TABLE cx.store_quality_sink_local ON CLUSTER 'main' MODIFY TTL minute + toIntervalDay(396);

ALTER TABLE cx.store_sequences_local ON CLUSTER 'main' MODIFY TTL minute + toIntervalDay(396);

ALTER TABLE cx.store_service_windows_local ON CLUSTER 'main' MODIFY TTL window_end + toIntervalDay(396);

ALTER TABLE cx.store_service_windows_by_local ON CLUSTER 'main' MODIFY TTL window_end + toIntervalDay(396);

ALTER TABLE cx.store_service_minutes_local ON CLUSTER 'main' MODIFY TTL minute + toIntervalDay(396);

ALTER TABLE cx.store_regressions_local ON CLUSTER 'main' MODIFY TTL toDateTime(at) + toIntervalDay(396);

CREATE OR REPLACE VIEW cx.checkouts ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `attempt_id` String COMMENT 'Key that holds the attempt together, and its start in milliseconds.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint of the first event.',
    `channel` LowCardinality(String) COMMENT 'Channel of the first event.',
    `device` LowCardinality(String) COMMENT 'Device class of the first event.',
    `state` LowCardinality(String) COMMENT 'open, completed, abandoned, or recovered: completed after a stated abandonment or a silence of 30 minutes.',
    `started_at` DateTime64(3, 'UTC') COMMENT 'Time of the first event.',
    `ended_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the outcome; NULL while open.',
    `last_event_at` DateTime64(3, 'UTC') COMMENT 'Time of the last event.',
    `customer_id` Nullable(String) COMMENT 'Pseudonym of the customer.',
    `anonymous_id` Nullable(String) COMMENT 'Pseudonym of the anonymous visitor.',
    `session_id` Nullable(String) COMMENT 'Pseudonym of the session.',
    `checkout_id` Nullable(String) COMMENT 'Id of the checkout.',
    `cart_id` Nullable(String) COMMENT 'Id of the cart.',
    `order_id` Nullable(String) COMMENT 'Id of the order.',
    `transaction_id` Nullable(String) COMMENT 'Id of the purchase.',
    `furthest_step` LowCardinality(String) COMMENT 'Furthest step reached.',
    `furthest_step_index` Int32 COMMENT 'Its position.',
    `reached_steps` Array(LowCardinality(String)) COMMENT 'Steps reached, those implied by a later one included.',
    `reason` LowCardinality(Nullable(String)) COMMENT 'Reason of the abandonment: stated, else inferred, else unknown.',
    `reason_source` LowCardinality(Nullable(String)) COMMENT 'stated, inferred or unknown.',
    `value` Nullable(Decimal(18, 4)) COMMENT 'Value in units of currency: the completion''s, else the latest.',
    `currency` LowCardinality(Nullable(String)) COMMENT 'ISO 4217 code.',
    `items` Nullable(Int32) COMMENT 'Number of items (count).',
    `duration_s` Nullable(Float64) COMMENT 'First event to completion, in seconds.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one checkout attempt in its newest state, human traffic only. An attempt that an earlier-timed event made obsolete has no row.'
AS
SELECT
    tenant, attempt_id, touchpoint, channel, device, state, started_at, ended_at, last_event_at,
    customer_id, anonymous_id, session_id, checkout_id, cart_id, order_id, transaction_id,
    furthest_step, furthest_step_index, reached_steps, reason, reason_source, value, currency, items,
    duration_ms / 1000 AS duration_s,
    revision
FROM (SELECT * FROM cx.store_checkouts FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48));

CREATE OR REPLACE VIEW cx.conversations ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `conversation_id` String COMMENT 'Id of the conversation.',
    `cycle` Int32 COMMENT 'Number of the cycle, from 1: a reopen or a customer message after the end starts the next. A conversation that was silent for more than 16 days begins again at 1.',
    `cycle_id` String COMMENT 'Tells the cycles of one conversation apart for ever: the start in milliseconds since 1970, numbered where several start at once.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint of the conversation''s first event.',
    `channel` LowCardinality(String) COMMENT 'Channel of the conversation''s first event.',
    `device` LowCardinality(String) COMMENT 'Device class of the conversation''s first event.',
    `state` LowCardinality(String) COMMENT 'open, solved or closed.',
    `started_at` DateTime64(3, 'UTC') COMMENT 'Time of the cycle''s first event.',
    `ended_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of solved or closed; NULL while open.',
    `last_event_at` DateTime64(3, 'UTC') COMMENT 'Time of the last event.',
    `initiator` LowCardinality(String) COMMENT 'customer, agent or bot.',
    `customer_id` Nullable(String) COMMENT 'Pseudonym of the customer.',
    `session_id` Nullable(String) COMMENT 'Pseudonym of the session.',
    `case_id` Nullable(String) COMMENT 'Id of the case.',
    `topic` LowCardinality(Nullable(String)) COMMENT 'What it is about.',
    `first_customer_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the first customer message.',
    `first_response_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the first public agent message after it.',
    `first_response_customer_s` Nullable(Float64) COMMENT 'First response on the customer''s clock, in seconds.',
    `first_response_team_s` Nullable(Float64) COMMENT 'First response on the team''s clock, in seconds.',
    `breached_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'When the service level passed without an answer; NULL when it was kept.',
    `reply_times` Array(DateTime64(3, 'UTC')) COMMENT 'Times of the replies to a waiting customer.',
    `reply_waits_s` Array(Float64) COMMENT 'How long the customer had waited for each, in seconds.',
    `waiting_since` Nullable(DateTime64(3, 'UTC')) COMMENT 'Since when a customer message is unanswered.',
    `resolution_s` Nullable(Float64) COMMENT 'First customer message to solved, in seconds.',
    `handoffs_n` Int32 COMMENT 'Handoffs within the cycle (count).',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one cycle of a service conversation in its newest state, human traffic only. A cycle that an earlier-timed event made obsolete has no row.'
AS
SELECT
    tenant, conversation_id, cycle, cycle_id, touchpoint, channel, device, state, started_at, ended_at, last_event_at, initiator,
    customer_id, session_id, case_id, topic, first_customer_at, first_response_at,
    first_response_customer_ms / 1000 AS first_response_customer_s,
    first_response_team_ms / 1000 AS first_response_team_s,
    breached_at, reply_times,
    arrayMap(wait -> wait / 1000, reply_waits_ms) AS reply_waits_s,
    waiting_since,
    resolution_ms / 1000 AS resolution_s,
    handoffs AS handoffs_n,
    revision
FROM (SELECT * FROM cx.store_conversations FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48));

CREATE OR REPLACE VIEW cx.feedback ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `submission_id` String COMMENT 'Submission, else the event''s id.',
    `question` String COMMENT 'question_id, else metric and scene.',
    `source` LowCardinality(String) COMMENT 'Source of the write key.',
    `id` String COMMENT 'Id of the event.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint.',
    `channel` LowCardinality(String) COMMENT 'Channel.',
    `device` LowCardinality(String) COMMENT 'Device class.',
    `time` DateTime64(3, 'UTC') COMMENT 'Event time of the answer.',
    `survey_id` LowCardinality(Nullable(String)) COMMENT 'Id of the survey.',
    `metric` LowCardinality(String) COMMENT 'nps, csat, ces, rating, choice or text.',
    `score` Nullable(Int32) COMMENT 'Score on the scale.',
    `scale_min` Nullable(Int32) COMMENT 'Lowest score of the scale.',
    `scale_max` Nullable(Int32) COMMENT 'Highest score of the scale.',
    `choice` LowCardinality(Nullable(String)) COMMENT 'Chosen option.',
    `driver` LowCardinality(Nullable(String)) COMMENT 'What drove the score.',
    `respondent` LowCardinality(String) COMMENT 'customer or employee; employees are never inside customer scores.',
    `text` Nullable(String) COMMENT 'Free text, personal data masked; NULL once its shorter retention is over.',
    `customer_id` Nullable(String) COMMENT 'Pseudonym of the customer.',
    `is_counted` Bool COMMENT 'False when another answer to the same question of the same submission followed within 7 days: only the last counts.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one answer to a survey question in its newest state, human traffic only.'
AS
SELECT
    tenant, submission_id, question, source, id, touchpoint, channel, device, time, survey_id, metric, score, scale_min, scale_max,
    choice, driver, respondent, text, customer_id, is_counted, revision
FROM (SELECT * FROM cx.store_answers FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48));

CREATE OR REPLACE VIEW cx.data_quality ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `family` LowCardinality(String) COMMENT 'Family: checkout, chat, feedback or app; unknown for events of no known type.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute of receipt.',
    `accepted_n` Int64 COMMENT 'Events accepted by ingest (count).',
    `processed_n` Int64 COMMENT 'Events that the processor has read (count), copies included.',
    `rejected` Map(String, UInt64) COMMENT 'Events rejected by ingest (count), by code.',
    `rejected_n` Int64 COMMENT 'Events rejected by ingest (count), all codes.',
    `late_n` Int64 COMMENT 'Events beyond the lateness limit: they reach their raw table only (count).',
    `duplicate_n` Int64 COMMENT 'Copies of an event within the duplicate window, dropped (count).',
    `non_human_n` Int64 COMMENT 'Events of bots and internal traffic, in no metric (count).',
    `repeated_transactions_n` Int64 COMMENT 'Completions of a transaction already counted (count).',
    `without_attempt_n` Int64 COMMENT 'Checkout events without any id that could hold an attempt together (count).',
    `sequence_gaps_n` Nullable(Int64) COMMENT 'Events missing between the numbered events of sessions (count), counted every two minutes; NULL without numbered events.',
    `freshness_s` Nullable(Float64) COMMENT 'Longest time from receipt to visible in events_*, in seconds; NULL while nothing is visible.',
    `lag_n` Nullable(Int64) COMMENT 'Most records of the family that waited for the sink in this minute (count); NULL while nothing is visible.'
)
COMMENT 'One row is one minute of receipt of one (tenant, family): what was accepted, refused, late, doubled, and how fast it was visible. Counts may be summed.'
AS
SELECT
    tenant, family, minute,
    greatest(sum(accepted), sum(processed)) AS accepted_n,
    sum(processed) AS processed_n,
    sumMap(rejections) AS rejected,
    toInt64(arraySum(mapValues(rejected))) AS rejected_n,
    sum(late) AS late_n,
    sum(duplicates) AS duplicate_n,
    sum(non_human) AS non_human_n,
    sum(repeated_transactions) AS repeated_transactions_n,
    sum(without_attempt) AS without_attempt_n,
    sum(missing) AS sequence_gaps_n,
    max(freshness_ms) / 1000 AS freshness_s,
    max(lag) AS lag_n
FROM
(
    SELECT
        tenant, family, minute,
        if(code = 'accepted', events, 0) AS accepted,
        toInt64(0) AS processed,
        CAST(if(code IN ('accepted', 'duplicate') OR events = 0, map(), map(toString(code), toUInt64(events))), 'Map(String, UInt64)') AS rejections,
        toInt64(0) AS late, toInt64(0) AS duplicates, toInt64(0) AS non_human, toInt64(0) AS repeated_transactions, toInt64(0) AS without_attempt,
        CAST(NULL, 'Nullable(Int64)') AS freshness_ms, CAST(NULL, 'Nullable(Int64)') AS lag,
        CAST(NULL, 'Nullable(Int64)') AS missing
    FROM cx.store_quality_ingest FINAL
    UNION ALL
    SELECT
        tenant, family, minute,
        toInt64(0), accepted, CAST(map(), 'Map(String, UInt64)'),
        late, duplicates, non_human, repeated_transactions, without_attempt, NULL, NULL, NULL
    FROM cx.store_quality_processor FINAL
    UNION ALL
    SELECT
        tenant, family, minute,
        toInt64(0), toInt64(0), CAST(map(), 'Map(String, UInt64)'),
        toInt64(0), toInt64(0), toInt64(0), toInt64(0), toInt64(0), toNullable(freshness_ms), toNullable(lag), NULL
    FROM cx.store_quality_sink
    UNION ALL
    SELECT
        tenant, family, minute,
        toInt64(0), toInt64(0), CAST(map(), 'Map(String, UInt64)'),
        toInt64(0), toInt64(0), toInt64(0), toInt64(0), toInt64(0), NULL, NULL, toNullable(missing)
    FROM cx.store_sequences FINAL
)
GROUP BY tenant, family, minute;

CREATE OR REPLACE VIEW cx.refused_events ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute of receipt.',
    `at` DateTime64(3, 'UTC') COMMENT 'When it was received.',
    `source` LowCardinality(String) COMMENT 'Source of its write key.',
    `family` LowCardinality(String) COMMENT 'Family: checkout, chat, feedback or app; unknown for events of no known type.',
    `type` LowCardinality(String) COMMENT 'Its type; empty when it is none of the catalogue.',
    `code` LowCardinality(String) COMMENT 'Reason: the code of its first problem.',
    `field` LowCardinality(String) COMMENT 'Field of its first problem; empty for the whole event or a name that the catalogue does not know.',
    `like_it_n` Int64 COMMENT 'Events refused for the same reason within the same minute by the same process, this one included (count).'
)
COMMENT 'One row is the newest event that ingest refused within one minute for one reason (tenant, family, code, ingest process). No value of an event is kept. All refused events are counted in data_quality.'
AS
SELECT tenant, minute, at, source, family, event_type AS type, code, field, events AS like_it_n
FROM cx.store_refused FINAL;

CREATE OR REPLACE VIEW cx.sequence_gaps ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `source` LowCardinality(String) COMMENT 'Source of the write key.',
    `family` LowCardinality(String) COMMENT 'Family of the event that follows the gap.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute in which that event was received.',
    `numbered_n` Int64 COMMENT 'Events that have a number in a session, context.seq (count).',
    `gaps_n` Int64 COMMENT 'Those of them that follow a gap (count).',
    `missing_n` Int64 COMMENT 'Events that are missing in these gaps (count), at most 1,000 in each; what was lost before the first or after the last event of a session is not seen.',
    `missing_ratio` Nullable(Float64) COMMENT 'Missing events / (numbered and missing events); NULL without numbered events.'
)
COMMENT 'One row is one minute of receipt of one (tenant, source, family): how many events were lost between numbered events of a session. Counted again for one hour, so late events close gaps. Counts may be summed.'
AS
SELECT
    tenant, source, family, minute,
    numbered AS numbered_n,
    gaps AS gaps_n,
    missing AS missing_n,
    missing / nullIf(numbered + missing, 0) AS missing_ratio
FROM cx.store_sequences FINAL;

CREATE OR REPLACE VIEW cx.regressions ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `rule` LowCardinality(String) COMMENT 'nps_fell, drop_off_rose, response_p95_rose, response_slo_burn, touchpoint_silent, error_rate_rose, or nothing_arrives (of the tenant at all).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint that the rule looks at.',
    `channel` LowCardinality(String) COMMENT 'Channel that the rule looks at; all for every channel together.',
    `detail` LowCardinality(String) COMMENT 'Step of the checkout, name of a response, metric that fell silent; else empty.',
    `at` DateTime64(3, 'UTC') COMMENT 'Time of the check that found the change, by event time.',
    `state` LowCardinality(String) COMMENT 'From then on: firing, resolved, adopted (it lasted so long that it counts as usual), too_few_samples, ingest_unhealthy (events were lost, so nothing is said) or ok.',
    `severity` LowCardinality(String) COMMENT 'page (somebody is woken) or ticket.',
    `since` Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the window in which the regression was first seen; NULL when there is none.',
    `value` Nullable(Float64) COMMENT 'What was found, in the unit of the rule: points (NPS), a share from 0 to 1, seconds, or events; NULL when nothing could be judged.',
    `baseline` Nullable(Float64) COMMENT 'What is usual, in the same unit.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % interval of value.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % interval of value.',
    `probability` Nullable(Float64) COMMENT 'How often chance alone shows this much or more, 0 to 1.',
    `n` Int64 COMMENT 'Cases that value rests on (count).',
    `needed_n` Int64 COMMENT 'Cases that the rule needs (count).',
    `baseline_n` Int64 COMMENT 'Cases that baseline rests on (count).',
    `baseline_kind` LowCardinality(String) COMMENT 'same_hours_4_weeks, previous_24_hours, previous_28_days or service_level; empty when nothing could be judged.',
    `window_start` Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the window that value was counted in.',
    `window_end` Nullable(DateTime64(3, 'UTC')) COMMENT 'End of it, exclusive.',
    `contributor` Nullable(String) COMMENT 'The part that adds most to it, such as device=mobile.',
    `suspects` Array(String) COMMENT 'What was changed shortly before (app.change): releases, campaigns.',
    `suspect_times` Array(DateTime64(3, 'UTC')) COMMENT 'When, in the same order.',
    `owner` LowCardinality(String) COMMENT 'Who is told.',
    `runbook` Nullable(String) COMMENT 'Where it says what to do; NULL when the touchpoints file names none.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one change of state of one rule at one (tenant, touchpoint, channel, detail). A regression is open while the newest row of its key is firing: ORDER BY at DESC LIMIT 1 BY tenant, rule, touchpoint, channel, detail.'
AS
SELECT
    tenant, rule, touchpoint, channel, detail, at, state, severity, since, value, baseline, ci_low, ci_high, probability,
    samples AS n, samples_needed AS needed_n, baseline_samples AS baseline_n, baseline_kind, window_start, window_end, contributor,
    suspect_names AS suspects, suspect_times, owner, runbook, revision
FROM cx.store_regressions FINAL;

CREATE OR REPLACE VIEW cx.touchpoints ON CLUSTER 'main'
(
    `tenant` String COMMENT 'Tenant.',
    `touchpoint` String COMMENT 'Touchpoint, as in the windows and facts.',
    `stage` Nullable(String) COMMENT 'Stage of the customer''s journey; NULL when the file names none: then the stage that an event was sent with counts.',
    `owner` Nullable(String) COMMENT 'Who is to be told; NULL when the file names nobody.',
    `importance` UInt8 COMMENT 'From 1 (least) to 5 (most); 3 when the file says nothing.',
    `runbook` Nullable(String) COMMENT 'Address of what to do; NULL when the file names none.',
    `slo_first_response_s` Float64 COMMENT 'Service level of the first response, in seconds.',
    `steps` Array(String) COMMENT 'Order of the checkout''s steps, without started and completed.',
    `time_zone` String COMMENT 'Time zone of the tenant''s days, weeks and hours of the week (IANA).'
)
COMMENT 'One row is one touchpoint that the touchpoints file lists, as of the last run of setup. Touchpoints that are not listed are counted all the same.'
AS
SELECT
    row.1 AS tenant, row.2 AS touchpoint, row.3 AS stage, row.4 AS owner, row.5 AS importance, row.6 AS runbook,
    row.7 AS slo_first_response_s, row.8 AS steps, row.9 AS time_zone
FROM
(
    SELECT arrayJoin(CAST([], 'Array(Tuple(String, String, Nullable(String), Nullable(String), UInt8, Nullable(String), Float64, Array(String), String))')) AS row
);

CREATE OR REPLACE VIEW cx.nps ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h, 7d, 28d or 90d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',
    `n` Int64 COMMENT 'Answers (count).',
    `promoters_n` Int64 COMMENT 'Answers with score 9 or 10 (count).',
    `passives_n` Int64 COMMENT 'Answers with score 7 or 8 (count).',
    `detractors_n` Int64 COMMENT 'Answers with score 0 to 6 (count).',
    `value` Nullable(Float64) COMMENT 'Net promoter score, -100 to 100: 100 * (promoters_n - detractors_n) / n; NULL without answers.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % interval of value (adjusted Wald); NULL without answers.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % interval of value (adjusted Wald); NULL without answers.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the net promoter score of one (tenant, window, window_end, touchpoint, channel, device). Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each. Customers only, employees apart.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device, n, promoters_n, passives_n, detractors_n, value, ci_low, ci_high, is_final, revision
FROM
(
    SELECT
        tenant, window, window_end, touchpoint, channel, device, is_final, revision,
        answers AS n,
        top AS promoters_n,
        middle AS passives_n,
        bottom AS detractors_n,
        100 * (top - bottom) / nullIf(answers, 0) AS value,
        (top + 0.75) / (answers + 3) AS p,
        (bottom + 0.75) / (answers + 3) AS d,
        1.96 * sqrt((p + d - (p - d) * (p - d)) / (answers + 3)) AS half,
        if(answers > 0, greatest(-100., 100 * (p - d - half)), NULL) AS ci_low,
        if(answers > 0, least(100., 100 * (p - d + half)), NULL) AS ci_high
    FROM (SELECT * FROM cx.store_score_windows FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48))
    WHERE metric = 'nps'
);

CREATE OR REPLACE VIEW cx.nps_by ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h, 7d, 28d or 90d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',
    `dimension` LowCardinality(String) COMMENT 'Further dimension by which the rows are split, as configured: persona, member, locale, variant, app_version or service_hours (in or out).',
    `dimension_value` LowCardinality(String) COMMENT 'Its value; unknown when none was sent; other beyond the limit. There is no row for all values: that is the object without _by.',
    `n` Int64 COMMENT 'Answers (count).',
    `promoters_n` Int64 COMMENT 'Answers with score 9 or 10 (count).',
    `passives_n` Int64 COMMENT 'Answers with score 7 or 8 (count).',
    `detractors_n` Int64 COMMENT 'Answers with score 0 to 6 (count).',
    `value` Nullable(Float64) COMMENT 'Net promoter score, -100 to 100: 100 * (promoters_n - detractors_n) / n; NULL without answers.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % interval of value (adjusted Wald); NULL without answers.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % interval of value (adjusted Wald); NULL without answers.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the net promoter score of one (tenant, window, window_end, touchpoint, channel, device, dimension, dimension_value). Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each. Customers only, employees apart.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device, dimension, dimension_value, n, promoters_n, passives_n, detractors_n, value, ci_low, ci_high, is_final, revision
FROM
(
    SELECT
        tenant, window, window_end, touchpoint, channel, device, dimension, dimension_value, is_final, revision,
        answers AS n,
        top AS promoters_n,
        middle AS passives_n,
        bottom AS detractors_n,
        100 * (top - bottom) / nullIf(answers, 0) AS value,
        (top + 0.75) / (answers + 3) AS p,
        (bottom + 0.75) / (answers + 3) AS d,
        1.96 * sqrt((p + d - (p - d) * (p - d)) / (answers + 3)) AS half,
        if(answers > 0, greatest(-100., 100 * (p - d - half)), NULL) AS ci_low,
        if(answers > 0, least(100., 100 * (p - d + half)), NULL) AS ci_high
    FROM (SELECT * FROM cx.store_score_windows_by FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48))
    WHERE metric = 'nps'
);

CREATE OR REPLACE VIEW cx.nps_1m ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute (event time).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `n` Int64 COMMENT 'Answers (count).',
    `promoters_n` Int64 COMMENT 'Answers with score 9 or 10 (count).',
    `passives_n` Int64 COMMENT 'Answers with score 7 or 8 (count).',
    `detractors_n` Int64 COMMENT 'Answers with score 0 to 6 (count).',
    `value` Nullable(Float64) COMMENT 'Net promoter score, -100 to 100: 100 * (promoters_n - detractors_n) / n; NULL without answers.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % interval of value (adjusted Wald); NULL without answers.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % interval of value (adjusted Wald); NULL without answers.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the minute: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the NPS answers in one minute of one (tenant, touchpoint, channel, device). Minutes do not overlap and have no rows for all: the counts may be summed, value and interval may not.'
AS
SELECT
    tenant, minute, touchpoint, channel, device, n, promoters_n, passives_n, detractors_n, value, ci_low, ci_high, is_final, revision
FROM
(
    SELECT
        tenant, minute, touchpoint, channel, device, is_final, revision,
        answers AS n,
        top AS promoters_n,
        middle AS passives_n,
        bottom AS detractors_n,
        100 * (top - bottom) / nullIf(answers, 0) AS value,
        (top + 0.75) / (answers + 3) AS p,
        (bottom + 0.75) / (answers + 3) AS d,
        1.96 * sqrt((p + d - (p - d) * (p - d)) / (answers + 3)) AS half,
        if(answers > 0, greatest(-100., 100 * (p - d - half)), NULL) AS ci_low,
        if(answers > 0, least(100., 100 * (p - d + half)), NULL) AS ci_high
    FROM (SELECT tenant, minute, touchpoint, channel, device, detail, answers, top, middle, bottom, toBool(minute + 60 <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_score_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('5m') AND metric = 'nps' GROUP BY tenant))[tenant]) AS is_final, revision FROM (SELECT * FROM cx.store_score_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48)) WHERE metric = 'nps')
);

CREATE OR REPLACE VIEW cx.nps_hourly ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `hour` DateTime('UTC') COMMENT 'Start of the hour (event time), in UTC; an hour of the tenant''s time zone.',
    `day` Date COMMENT 'Day of the hour in the tenant''s time zone.',
    `hour_of_day` UInt8 COMMENT 'Hour of the day in the tenant''s time zone, 0 to 23.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `n` Int64 COMMENT 'Answers (count).',
    `promoters_n` Int64 COMMENT 'Answers with score 9 or 10 (count).',
    `passives_n` Int64 COMMENT 'Answers with score 7 or 8 (count).',
    `detractors_n` Int64 COMMENT 'Answers with score 0 to 6 (count).',
    `value` Nullable(Float64) COMMENT 'Net promoter score, -100 to 100: 100 * (promoters_n - detractors_n) / n; NULL without answers.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % interval of value (adjusted Wald); NULL without answers.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % interval of value (adjusted Wald); NULL without answers.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the hour: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the NPS answers in one hour of one (tenant, touchpoint, channel, device). Hours do not overlap and have no rows for all: the counts may be summed, value and interval may not.'
AS
SELECT
    tenant, hour, day, hour_of_day, touchpoint, channel, device, n, promoters_n, passives_n, detractors_n, value, ci_low, ci_high, is_final, revision
FROM
(
    SELECT
        tenant, hour, day, hour_of_day, touchpoint, channel, device, is_final, revision,
        answers AS n,
        top AS promoters_n,
        middle AS passives_n,
        bottom AS detractors_n,
        100 * (top - bottom) / nullIf(answers, 0) AS value,
        (top + 0.75) / (answers + 3) AS p,
        (bottom + 0.75) / (answers + 3) AS d,
        1.96 * sqrt((p + d - (p - d) * (p - d)) / (answers + 3)) AS half,
        if(answers > 0, greatest(-100., 100 * (p - d - half)), NULL) AS ci_low,
        if(answers > 0, least(100., 100 * (p - d + half)), NULL) AS ci_high
    FROM (
    SELECT tenant, toTimeZone(toStartOfHour(minutes.minute, 'UTC'), 'UTC') AS hour, toDate(hour, 'UTC') AS day, toHour(hour, 'UTC') AS hour_of_day, touchpoint, channel, device, detail, sum(minutes.answers) AS answers, sum(minutes.top) AS top, sum(minutes.middle) AS middle, sum(minutes.bottom) AS bottom, toBool(hour + 3600 <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_score_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('1h', '24h', '7d') AND metric = 'nps' GROUP BY tenant))[tenant]) AS is_final, max(minutes.revision) AS revision
    FROM (SELECT tenant, minute, touchpoint, channel, device, detail, answers, top, middle, bottom, revision FROM (SELECT * FROM cx.store_score_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48)) WHERE metric = 'nps') AS minutes
    GROUP BY tenant, hour, touchpoint, channel, device, detail
)
);

CREATE OR REPLACE VIEW cx.nps_daily ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `day` Date COMMENT 'Day (event time) in the tenant''s time zone.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `n` Int64 COMMENT 'Answers (count).',
    `promoters_n` Int64 COMMENT 'Answers with score 9 or 10 (count).',
    `passives_n` Int64 COMMENT 'Answers with score 7 or 8 (count).',
    `detractors_n` Int64 COMMENT 'Answers with score 0 to 6 (count).',
    `value` Nullable(Float64) COMMENT 'Net promoter score, -100 to 100: 100 * (promoters_n - detractors_n) / n; NULL without answers.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % interval of value (adjusted Wald); NULL without answers.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % interval of value (adjusted Wald); NULL without answers.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the day: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the NPS answers on one day of one (tenant, touchpoint, channel, device). Days do not overlap and have no rows for all: the counts may be summed, value and interval may not.'
AS
SELECT
    tenant, day, touchpoint, channel, device, n, promoters_n, passives_n, detractors_n, value, ci_low, ci_high, is_final, revision
FROM
(
    SELECT
        tenant, day, touchpoint, channel, device, is_final, revision,
        answers AS n,
        top AS promoters_n,
        middle AS passives_n,
        bottom AS detractors_n,
        100 * (top - bottom) / nullIf(answers, 0) AS value,
        (top + 0.75) / (answers + 3) AS p,
        (bottom + 0.75) / (answers + 3) AS d,
        1.96 * sqrt((p + d - (p - d) * (p - d)) / (answers + 3)) AS half,
        if(answers > 0, greatest(-100., 100 * (p - d - half)), NULL) AS ci_low,
        if(answers > 0, least(100., 100 * (p - d + half)), NULL) AS ci_high
    FROM (
    SELECT tenant, toDate(minutes.minute, 'UTC') AS day, touchpoint, channel, device, detail, sum(minutes.answers) AS answers, sum(minutes.top) AS top, sum(minutes.middle) AS middle, sum(minutes.bottom) AS bottom, toBool(toDateTime(day + 1, 'UTC') <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_score_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('1h', '24h', '7d') AND metric = 'nps' GROUP BY tenant))[tenant]) AS is_final, max(minutes.revision) AS revision
    FROM (SELECT tenant, minute, touchpoint, channel, device, detail, answers, top, middle, bottom, revision FROM (SELECT * FROM cx.store_score_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48)) WHERE metric = 'nps') AS minutes
    GROUP BY tenant, day, touchpoint, channel, device, detail
)
);

CREATE OR REPLACE VIEW cx.csat ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h, 7d, 28d or 90d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',
    `scale` LowCardinality(String) COMMENT 'Scale of the answers, as 1-5; answers on different scales are never mixed.',
    `n` Int64 COMMENT 'Answers (count).',
    `satisfied_n` Int64 COMMENT 'Answers in the upper quarter of the scale: 4 and 5 on 1-5 (count).',
    `value` Nullable(Float64) COMMENT 'satisfied_n / n, 0 to 1; NULL without answers.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of value; NULL without answers.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of value; NULL without answers.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is customer satisfaction of one (tenant, window, window_end, touchpoint, channel, device, scale). Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each. Customers only, employees apart.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device,
    detail AS scale,
    answers AS n,
    top AS satisfied_n,
    top / nullIf(answers, 0) AS value,
    if(answers > 0, greatest(0., (top + 1.9208) / (answers + 3.8416) - 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_low,
    if(answers > 0, least(1., (top + 1.9208) / (answers + 3.8416) + 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_high,
    is_final, revision
FROM (SELECT * FROM cx.store_score_windows FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48))
WHERE metric = 'csat';

CREATE OR REPLACE VIEW cx.csat_by ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h, 7d, 28d or 90d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',
    `dimension` LowCardinality(String) COMMENT 'Further dimension by which the rows are split, as configured: persona, member, locale, variant, app_version or service_hours (in or out).',
    `dimension_value` LowCardinality(String) COMMENT 'Its value; unknown when none was sent; other beyond the limit. There is no row for all values: that is the object without _by.',
    `scale` LowCardinality(String) COMMENT 'Scale of the answers, as 1-5; answers on different scales are never mixed.',
    `n` Int64 COMMENT 'Answers (count).',
    `satisfied_n` Int64 COMMENT 'Answers in the upper quarter of the scale: 4 and 5 on 1-5 (count).',
    `value` Nullable(Float64) COMMENT 'satisfied_n / n, 0 to 1; NULL without answers.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of value; NULL without answers.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of value; NULL without answers.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is customer satisfaction of one (tenant, window, window_end, touchpoint, channel, device, dimension, dimension_value, scale). Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each. Customers only, employees apart.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device, dimension, dimension_value,
    detail AS scale,
    answers AS n,
    top AS satisfied_n,
    top / nullIf(answers, 0) AS value,
    if(answers > 0, greatest(0., (top + 1.9208) / (answers + 3.8416) - 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_low,
    if(answers > 0, least(1., (top + 1.9208) / (answers + 3.8416) + 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_high,
    is_final, revision
FROM (SELECT * FROM cx.store_score_windows_by FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48))
WHERE metric = 'csat';

CREATE OR REPLACE VIEW cx.csat_1m ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute (event time).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `scale` LowCardinality(String) COMMENT 'Scale of the answers, as 1-5; answers on different scales are never mixed.',
    `n` Int64 COMMENT 'Answers (count).',
    `satisfied_n` Int64 COMMENT 'Answers in the upper quarter of the scale: 4 and 5 on 1-5 (count).',
    `value` Nullable(Float64) COMMENT 'satisfied_n / n, 0 to 1; NULL without answers.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of value; NULL without answers.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of value; NULL without answers.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the minute: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the answers in one minute of one (tenant, touchpoint, channel, device, scale). Minutes do not overlap and have no rows for all: the counts may be summed, value and interval may not.'
AS
SELECT
    tenant, minute, touchpoint, channel, device,
    detail AS scale,
    answers AS n,
    top AS satisfied_n,
    top / nullIf(answers, 0) AS value,
    if(answers > 0, greatest(0., (top + 1.9208) / (answers + 3.8416) - 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_low,
    if(answers > 0, least(1., (top + 1.9208) / (answers + 3.8416) + 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_high,
    is_final, revision
FROM (SELECT tenant, minute, touchpoint, channel, device, detail, answers, top, middle, bottom, toBool(minute + 60 <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_score_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('5m') AND metric = 'csat' GROUP BY tenant))[tenant]) AS is_final, revision FROM (SELECT * FROM cx.store_score_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48)) WHERE metric = 'csat');

CREATE OR REPLACE VIEW cx.csat_hourly ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `hour` DateTime('UTC') COMMENT 'Start of the hour (event time), in UTC; an hour of the tenant''s time zone.',
    `day` Date COMMENT 'Day of the hour in the tenant''s time zone.',
    `hour_of_day` UInt8 COMMENT 'Hour of the day in the tenant''s time zone, 0 to 23.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `scale` LowCardinality(String) COMMENT 'Scale of the answers, as 1-5; answers on different scales are never mixed.',
    `n` Int64 COMMENT 'Answers (count).',
    `satisfied_n` Int64 COMMENT 'Answers in the upper quarter of the scale: 4 and 5 on 1-5 (count).',
    `value` Nullable(Float64) COMMENT 'satisfied_n / n, 0 to 1; NULL without answers.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of value; NULL without answers.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of value; NULL without answers.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the hour: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the answers in one hour of one (tenant, touchpoint, channel, device, scale). Hours do not overlap and have no rows for all: the counts may be summed, value and interval may not.'
AS
SELECT
    tenant, hour, day, hour_of_day, touchpoint, channel, device,
    detail AS scale,
    answers AS n,
    top AS satisfied_n,
    top / nullIf(answers, 0) AS value,
    if(answers > 0, greatest(0., (top + 1.9208) / (answers + 3.8416) - 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_low,
    if(answers > 0, least(1., (top + 1.9208) / (answers + 3.8416) + 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_high,
    is_final, revision
FROM (
    SELECT tenant, toTimeZone(toStartOfHour(minutes.minute, 'UTC'), 'UTC') AS hour, toDate(hour, 'UTC') AS day, toHour(hour, 'UTC') AS hour_of_day, touchpoint, channel, device, detail, sum(minutes.answers) AS answers, sum(minutes.top) AS top, sum(minutes.middle) AS middle, sum(minutes.bottom) AS bottom, toBool(hour + 3600 <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_score_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('1h', '24h', '7d') AND metric = 'csat' GROUP BY tenant))[tenant]) AS is_final, max(minutes.revision) AS revision
    FROM (SELECT tenant, minute, touchpoint, channel, device, detail, answers, top, middle, bottom, revision FROM (SELECT * FROM cx.store_score_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48)) WHERE metric = 'csat') AS minutes
    GROUP BY tenant, hour, touchpoint, channel, device, detail
);

CREATE OR REPLACE VIEW cx.csat_daily ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `day` Date COMMENT 'Day (event time) in the tenant''s time zone.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `scale` LowCardinality(String) COMMENT 'Scale of the answers, as 1-5; answers on different scales are never mixed.',
    `n` Int64 COMMENT 'Answers (count).',
    `satisfied_n` Int64 COMMENT 'Answers in the upper quarter of the scale: 4 and 5 on 1-5 (count).',
    `value` Nullable(Float64) COMMENT 'satisfied_n / n, 0 to 1; NULL without answers.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of value; NULL without answers.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of value; NULL without answers.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the day: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the answers on one day of one (tenant, touchpoint, channel, device, scale). Days do not overlap and have no rows for all: the counts may be summed, value and interval may not.'
AS
SELECT
    tenant, day, touchpoint, channel, device,
    detail AS scale,
    answers AS n,
    top AS satisfied_n,
    top / nullIf(answers, 0) AS value,
    if(answers > 0, greatest(0., (top + 1.9208) / (answers + 3.8416) - 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_low,
    if(answers > 0, least(1., (top + 1.9208) / (answers + 3.8416) + 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_high,
    is_final, revision
FROM (
    SELECT tenant, toDate(minutes.minute, 'UTC') AS day, touchpoint, channel, device, detail, sum(minutes.answers) AS answers, sum(minutes.top) AS top, sum(minutes.middle) AS middle, sum(minutes.bottom) AS bottom, toBool(toDateTime(day + 1, 'UTC') <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_score_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('1h', '24h', '7d') AND metric = 'csat' GROUP BY tenant))[tenant]) AS is_final, max(minutes.revision) AS revision
    FROM (SELECT tenant, minute, touchpoint, channel, device, detail, answers, top, middle, bottom, revision FROM (SELECT * FROM cx.store_score_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48)) WHERE metric = 'csat') AS minutes
    GROUP BY tenant, day, touchpoint, channel, device, detail
);

CREATE OR REPLACE VIEW cx.ces ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h, 7d, 28d or 90d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',
    `scale` LowCardinality(String) COMMENT 'Scale of the answers, as 1-5; answers on different scales are never mixed.',
    `n` Int64 COMMENT 'Answers (count).',
    `satisfied_n` Int64 COMMENT 'Answers in the upper third of the scale, who found it easy: 5 to 7 on 1-7 (count).',
    `value` Nullable(Float64) COMMENT 'satisfied_n / n, 0 to 1; NULL without answers.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of value; NULL without answers.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of value; NULL without answers.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is customer effort, how easy it was, of one (tenant, window, window_end, touchpoint, channel, device, scale). Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each. Customers only, employees apart.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device,
    detail AS scale,
    answers AS n,
    top AS satisfied_n,
    top / nullIf(answers, 0) AS value,
    if(answers > 0, greatest(0., (top + 1.9208) / (answers + 3.8416) - 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_low,
    if(answers > 0, least(1., (top + 1.9208) / (answers + 3.8416) + 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_high,
    is_final, revision
FROM (SELECT * FROM cx.store_score_windows FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48))
WHERE metric = 'ces';

CREATE OR REPLACE VIEW cx.ces_by ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h, 7d, 28d or 90d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',
    `dimension` LowCardinality(String) COMMENT 'Further dimension by which the rows are split, as configured: persona, member, locale, variant, app_version or service_hours (in or out).',
    `dimension_value` LowCardinality(String) COMMENT 'Its value; unknown when none was sent; other beyond the limit. There is no row for all values: that is the object without _by.',
    `scale` LowCardinality(String) COMMENT 'Scale of the answers, as 1-5; answers on different scales are never mixed.',
    `n` Int64 COMMENT 'Answers (count).',
    `satisfied_n` Int64 COMMENT 'Answers in the upper third of the scale, who found it easy: 5 to 7 on 1-7 (count).',
    `value` Nullable(Float64) COMMENT 'satisfied_n / n, 0 to 1; NULL without answers.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of value; NULL without answers.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of value; NULL without answers.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is customer effort, how easy it was, of one (tenant, window, window_end, touchpoint, channel, device, dimension, dimension_value, scale). Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each. Customers only, employees apart.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device, dimension, dimension_value,
    detail AS scale,
    answers AS n,
    top AS satisfied_n,
    top / nullIf(answers, 0) AS value,
    if(answers > 0, greatest(0., (top + 1.9208) / (answers + 3.8416) - 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_low,
    if(answers > 0, least(1., (top + 1.9208) / (answers + 3.8416) + 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_high,
    is_final, revision
FROM (SELECT * FROM cx.store_score_windows_by FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48))
WHERE metric = 'ces';

CREATE OR REPLACE VIEW cx.ces_1m ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute (event time).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `scale` LowCardinality(String) COMMENT 'Scale of the answers, as 1-5; answers on different scales are never mixed.',
    `n` Int64 COMMENT 'Answers (count).',
    `satisfied_n` Int64 COMMENT 'Answers in the upper third of the scale, who found it easy: 5 to 7 on 1-7 (count).',
    `value` Nullable(Float64) COMMENT 'satisfied_n / n, 0 to 1; NULL without answers.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of value; NULL without answers.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of value; NULL without answers.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the minute: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the answers in one minute of one (tenant, touchpoint, channel, device, scale). Minutes do not overlap and have no rows for all: the counts may be summed, value and interval may not.'
AS
SELECT
    tenant, minute, touchpoint, channel, device,
    detail AS scale,
    answers AS n,
    top AS satisfied_n,
    top / nullIf(answers, 0) AS value,
    if(answers > 0, greatest(0., (top + 1.9208) / (answers + 3.8416) - 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_low,
    if(answers > 0, least(1., (top + 1.9208) / (answers + 3.8416) + 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_high,
    is_final, revision
FROM (SELECT tenant, minute, touchpoint, channel, device, detail, answers, top, middle, bottom, toBool(minute + 60 <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_score_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('5m') AND metric = 'ces' GROUP BY tenant))[tenant]) AS is_final, revision FROM (SELECT * FROM cx.store_score_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48)) WHERE metric = 'ces');

CREATE OR REPLACE VIEW cx.ces_hourly ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `hour` DateTime('UTC') COMMENT 'Start of the hour (event time), in UTC; an hour of the tenant''s time zone.',
    `day` Date COMMENT 'Day of the hour in the tenant''s time zone.',
    `hour_of_day` UInt8 COMMENT 'Hour of the day in the tenant''s time zone, 0 to 23.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `scale` LowCardinality(String) COMMENT 'Scale of the answers, as 1-5; answers on different scales are never mixed.',
    `n` Int64 COMMENT 'Answers (count).',
    `satisfied_n` Int64 COMMENT 'Answers in the upper third of the scale, who found it easy: 5 to 7 on 1-7 (count).',
    `value` Nullable(Float64) COMMENT 'satisfied_n / n, 0 to 1; NULL without answers.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of value; NULL without answers.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of value; NULL without answers.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the hour: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the answers in one hour of one (tenant, touchpoint, channel, device, scale). Hours do not overlap and have no rows for all: the counts may be summed, value and interval may not.'
AS
SELECT
    tenant, hour, day, hour_of_day, touchpoint, channel, device,
    detail AS scale,
    answers AS n,
    top AS satisfied_n,
    top / nullIf(answers, 0) AS value,
    if(answers > 0, greatest(0., (top + 1.9208) / (answers + 3.8416) - 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_low,
    if(answers > 0, least(1., (top + 1.9208) / (answers + 3.8416) + 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_high,
    is_final, revision
FROM (
    SELECT tenant, toTimeZone(toStartOfHour(minutes.minute, 'UTC'), 'UTC') AS hour, toDate(hour, 'UTC') AS day, toHour(hour, 'UTC') AS hour_of_day, touchpoint, channel, device, detail, sum(minutes.answers) AS answers, sum(minutes.top) AS top, sum(minutes.middle) AS middle, sum(minutes.bottom) AS bottom, toBool(hour + 3600 <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_score_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('1h', '24h', '7d') AND metric = 'ces' GROUP BY tenant))[tenant]) AS is_final, max(minutes.revision) AS revision
    FROM (SELECT tenant, minute, touchpoint, channel, device, detail, answers, top, middle, bottom, revision FROM (SELECT * FROM cx.store_score_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48)) WHERE metric = 'ces') AS minutes
    GROUP BY tenant, hour, touchpoint, channel, device, detail
);

CREATE OR REPLACE VIEW cx.ces_daily ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `day` Date COMMENT 'Day (event time) in the tenant''s time zone.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `scale` LowCardinality(String) COMMENT 'Scale of the answers, as 1-5; answers on different scales are never mixed.',
    `n` Int64 COMMENT 'Answers (count).',
    `satisfied_n` Int64 COMMENT 'Answers in the upper third of the scale, who found it easy: 5 to 7 on 1-7 (count).',
    `value` Nullable(Float64) COMMENT 'satisfied_n / n, 0 to 1; NULL without answers.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of value; NULL without answers.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of value; NULL without answers.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the day: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the answers on one day of one (tenant, touchpoint, channel, device, scale). Days do not overlap and have no rows for all: the counts may be summed, value and interval may not.'
AS
SELECT
    tenant, day, touchpoint, channel, device,
    detail AS scale,
    answers AS n,
    top AS satisfied_n,
    top / nullIf(answers, 0) AS value,
    if(answers > 0, greatest(0., (top + 1.9208) / (answers + 3.8416) - 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_low,
    if(answers > 0, least(1., (top + 1.9208) / (answers + 3.8416) + 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_high,
    is_final, revision
FROM (
    SELECT tenant, toDate(minutes.minute, 'UTC') AS day, touchpoint, channel, device, detail, sum(minutes.answers) AS answers, sum(minutes.top) AS top, sum(minutes.middle) AS middle, sum(minutes.bottom) AS bottom, toBool(toDateTime(day + 1, 'UTC') <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_score_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('1h', '24h', '7d') AND metric = 'ces' GROUP BY tenant))[tenant]) AS is_final, max(minutes.revision) AS revision
    FROM (SELECT tenant, minute, touchpoint, channel, device, detail, answers, top, middle, bottom, revision FROM (SELECT * FROM cx.store_score_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48)) WHERE metric = 'ces') AS minutes
    GROUP BY tenant, day, touchpoint, channel, device, detail
);

CREATE OR REPLACE VIEW cx.response_rates ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',
    `shown_n` Int64 COMMENT 'Submissions shown, by the time shown; one shown again within 7 days counts once (count).',
    `answered_n` Int64 COMMENT 'Of these, submissions answered within 7 days after being shown (count).',
    `ratio` Nullable(Float64) COMMENT 'answered_n / shown_n, 0 to 1; NULL when nothing was shown.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of ratio; NULL when nothing was shown.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of ratio; NULL when nothing was shown.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the response rate of one (tenant, window, window_end, touchpoint, channel, device): of the submissions shown in the window, how many were answered within 7 days; a row changes as answers come. Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device,
    answers AS shown_n,
    top AS answered_n,
    top / nullIf(answers, 0) AS ratio,
    if(answers > 0, greatest(0., (top + 1.9208) / (answers + 3.8416) - 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_low,
    if(answers > 0, least(1., (top + 1.9208) / (answers + 3.8416) + 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_high,
    is_final, revision
FROM (SELECT * FROM cx.store_score_windows FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48))
WHERE metric = 'response_rate';

CREATE OR REPLACE VIEW cx.response_rates_by ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',
    `dimension` LowCardinality(String) COMMENT 'Further dimension by which the rows are split, as configured: persona, member, locale, variant, app_version or service_hours (in or out).',
    `dimension_value` LowCardinality(String) COMMENT 'Its value; unknown when none was sent; other beyond the limit. There is no row for all values: that is the object without _by.',
    `shown_n` Int64 COMMENT 'Submissions shown, by the time shown; one shown again within 7 days counts once (count).',
    `answered_n` Int64 COMMENT 'Of these, submissions answered within 7 days after being shown (count).',
    `ratio` Nullable(Float64) COMMENT 'answered_n / shown_n, 0 to 1; NULL when nothing was shown.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of ratio; NULL when nothing was shown.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of ratio; NULL when nothing was shown.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the response rate of one (tenant, window, window_end, touchpoint, channel, device, dimension, dimension_value): of the submissions shown in the window, how many were answered within 7 days; a row changes as answers come. Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device, dimension, dimension_value,
    answers AS shown_n,
    top AS answered_n,
    top / nullIf(answers, 0) AS ratio,
    if(answers > 0, greatest(0., (top + 1.9208) / (answers + 3.8416) - 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_low,
    if(answers > 0, least(1., (top + 1.9208) / (answers + 3.8416) + 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_high,
    is_final, revision
FROM (SELECT * FROM cx.store_score_windows_by FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48))
WHERE metric = 'response_rate';

CREATE OR REPLACE VIEW cx.response_rates_1m ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute (event time).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `shown_n` Int64 COMMENT 'Submissions shown, by the time shown; one shown again within 7 days counts once (count).',
    `answered_n` Int64 COMMENT 'Of these, submissions answered within 7 days after being shown (count).',
    `ratio` Nullable(Float64) COMMENT 'answered_n / shown_n, 0 to 1; NULL when nothing was shown.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of ratio; NULL when nothing was shown.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of ratio; NULL when nothing was shown.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the minute: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the submissions shown in one minute of one (tenant, touchpoint, channel, device). Minutes do not overlap and have no rows for all: the counts may be summed, ratio and interval may not.'
AS
SELECT
    tenant, minute, touchpoint, channel, device,
    answers AS shown_n,
    top AS answered_n,
    top / nullIf(answers, 0) AS ratio,
    if(answers > 0, greatest(0., (top + 1.9208) / (answers + 3.8416) - 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_low,
    if(answers > 0, least(1., (top + 1.9208) / (answers + 3.8416) + 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_high,
    is_final, revision
FROM (SELECT tenant, minute, touchpoint, channel, device, detail, answers, top, middle, bottom, toBool(minute + 60 <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_score_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('5m') AND metric = 'response_rate' GROUP BY tenant))[tenant]) AS is_final, revision FROM (SELECT * FROM cx.store_score_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48)) WHERE metric = 'response_rate');

CREATE OR REPLACE VIEW cx.response_rates_hourly ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `hour` DateTime('UTC') COMMENT 'Start of the hour (event time), in UTC; an hour of the tenant''s time zone.',
    `day` Date COMMENT 'Day of the hour in the tenant''s time zone.',
    `hour_of_day` UInt8 COMMENT 'Hour of the day in the tenant''s time zone, 0 to 23.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `shown_n` Int64 COMMENT 'Submissions shown, by the time shown; one shown again within 7 days counts once (count).',
    `answered_n` Int64 COMMENT 'Of these, submissions answered within 7 days after being shown (count).',
    `ratio` Nullable(Float64) COMMENT 'answered_n / shown_n, 0 to 1; NULL when nothing was shown.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of ratio; NULL when nothing was shown.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of ratio; NULL when nothing was shown.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the hour: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the submissions shown in one hour of one (tenant, touchpoint, channel, device). Hours do not overlap and have no rows for all: the counts may be summed, ratio and interval may not.'
AS
SELECT
    tenant, hour, day, hour_of_day, touchpoint, channel, device,
    answers AS shown_n,
    top AS answered_n,
    top / nullIf(answers, 0) AS ratio,
    if(answers > 0, greatest(0., (top + 1.9208) / (answers + 3.8416) - 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_low,
    if(answers > 0, least(1., (top + 1.9208) / (answers + 3.8416) + 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_high,
    is_final, revision
FROM (
    SELECT tenant, toTimeZone(toStartOfHour(minutes.minute, 'UTC'), 'UTC') AS hour, toDate(hour, 'UTC') AS day, toHour(hour, 'UTC') AS hour_of_day, touchpoint, channel, device, detail, sum(minutes.answers) AS answers, sum(minutes.top) AS top, sum(minutes.middle) AS middle, sum(minutes.bottom) AS bottom, toBool(hour + 3600 <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_score_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('1h', '24h', '7d') AND metric = 'response_rate' GROUP BY tenant))[tenant]) AS is_final, max(minutes.revision) AS revision
    FROM (SELECT tenant, minute, touchpoint, channel, device, detail, answers, top, middle, bottom, revision FROM (SELECT * FROM cx.store_score_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48)) WHERE metric = 'response_rate') AS minutes
    GROUP BY tenant, hour, touchpoint, channel, device, detail
);

CREATE OR REPLACE VIEW cx.response_rates_daily ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `day` Date COMMENT 'Day (event time) in the tenant''s time zone.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `shown_n` Int64 COMMENT 'Submissions shown, by the time shown; one shown again within 7 days counts once (count).',
    `answered_n` Int64 COMMENT 'Of these, submissions answered within 7 days after being shown (count).',
    `ratio` Nullable(Float64) COMMENT 'answered_n / shown_n, 0 to 1; NULL when nothing was shown.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of ratio; NULL when nothing was shown.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of ratio; NULL when nothing was shown.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the day: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the submissions shown on one day of one (tenant, touchpoint, channel, device). Days do not overlap and have no rows for all: the counts may be summed, ratio and interval may not.'
AS
SELECT
    tenant, day, touchpoint, channel, device,
    answers AS shown_n,
    top AS answered_n,
    top / nullIf(answers, 0) AS ratio,
    if(answers > 0, greatest(0., (top + 1.9208) / (answers + 3.8416) - 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_low,
    if(answers > 0, least(1., (top + 1.9208) / (answers + 3.8416) + 1.96 * sqrt(top * (answers - top) / nullIf(answers, 0) + 0.9604) / (answers + 3.8416)), NULL) AS ci_high,
    is_final, revision
FROM (
    SELECT tenant, toDate(minutes.minute, 'UTC') AS day, touchpoint, channel, device, detail, sum(minutes.answers) AS answers, sum(minutes.top) AS top, sum(minutes.middle) AS middle, sum(minutes.bottom) AS bottom, toBool(toDateTime(day + 1, 'UTC') <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_score_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('1h', '24h', '7d') AND metric = 'response_rate' GROUP BY tenant))[tenant]) AS is_final, max(minutes.revision) AS revision
    FROM (SELECT tenant, minute, touchpoint, channel, device, detail, answers, top, middle, bottom, revision FROM (SELECT * FROM cx.store_score_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48)) WHERE metric = 'response_rate') AS minutes
    GROUP BY tenant, day, touchpoint, channel, device, detail
);

CREATE OR REPLACE VIEW cx.checkout_funnel ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',
    `step` LowCardinality(String) COMMENT 'Step of the checkout; started is the first, completed the last. A later step implies the earlier configured ones.',
    `step_index` Nullable(Int32) COMMENT 'Position of the step; NULL for a step that has none.',
    `reached_n` Int64 COMMENT 'Attempts with an outcome that reached the step (count).',
    `dropped_n` Int64 COMMENT 'Attempts abandoned with this as the furthest step (count).',
    `open_n` Nullable(Int64) COMMENT 'Attempts without outcome now at this step (count), in the newest windows; NULL once final.',
    `drop_off_ratio` Nullable(Float64) COMMENT 'dropped_n / reached_n, 0 to 1; NULL when nobody reached the step.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of drop_off_ratio.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of drop_off_ratio.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one step of the checkout funnel of one (tenant, window, window_end, touchpoint, channel, device): of the attempts that had their outcome in the window, how many reached the step and how many ended there. Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device, step, step_index, reached_n, dropped_n,
    if(is_final, NULL, open_now) AS open_n,
    dropped_n / nullIf(reached_n, 0) AS drop_off_ratio,
    if(reached_n > 0, greatest(0., (dropped_n + 1.9208) / (reached_n + 3.8416) - 1.96 * sqrt(dropped_n * (reached_n - dropped_n) / nullIf(reached_n, 0) + 0.9604) / (reached_n + 3.8416)), NULL) AS ci_low,
    if(reached_n > 0, least(1., (dropped_n + 1.9208) / (reached_n + 3.8416) + 1.96 * sqrt(dropped_n * (reached_n - dropped_n) / nullIf(reached_n, 0) + 0.9604) / (reached_n + 3.8416)), NULL) AS ci_high,
    is_final, revision
FROM (SELECT * FROM cx.store_checkout_windows FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48))
ARRAY JOIN
    step_names AS step,
    step_indexes AS step_index,
    step_reached AS reached_n,
    step_dropped AS dropped_n,
    step_open AS open_now;

CREATE OR REPLACE VIEW cx.checkout_funnel_by ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',
    `dimension` LowCardinality(String) COMMENT 'Further dimension by which the rows are split, as configured: persona, member, locale, variant, app_version or service_hours (in or out).',
    `dimension_value` LowCardinality(String) COMMENT 'Its value; unknown when none was sent; other beyond the limit. There is no row for all values: that is the object without _by.',
    `step` LowCardinality(String) COMMENT 'Step of the checkout; started is the first, completed the last. A later step implies the earlier configured ones.',
    `step_index` Nullable(Int32) COMMENT 'Position of the step; NULL for a step that has none.',
    `reached_n` Int64 COMMENT 'Attempts with an outcome that reached the step (count).',
    `dropped_n` Int64 COMMENT 'Attempts abandoned with this as the furthest step (count).',
    `open_n` Nullable(Int64) COMMENT 'Attempts without outcome now at this step (count), in the newest windows; NULL once final.',
    `drop_off_ratio` Nullable(Float64) COMMENT 'dropped_n / reached_n, 0 to 1; NULL when nobody reached the step.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of drop_off_ratio.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of drop_off_ratio.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one step of the checkout funnel of one (tenant, window, window_end, touchpoint, channel, device, dimension, dimension_value): of the attempts that had their outcome in the window, how many reached the step and how many ended there. Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device, dimension, dimension_value, step, step_index, reached_n, dropped_n,
    if(is_final, NULL, open_now) AS open_n,
    dropped_n / nullIf(reached_n, 0) AS drop_off_ratio,
    if(reached_n > 0, greatest(0., (dropped_n + 1.9208) / (reached_n + 3.8416) - 1.96 * sqrt(dropped_n * (reached_n - dropped_n) / nullIf(reached_n, 0) + 0.9604) / (reached_n + 3.8416)), NULL) AS ci_low,
    if(reached_n > 0, least(1., (dropped_n + 1.9208) / (reached_n + 3.8416) + 1.96 * sqrt(dropped_n * (reached_n - dropped_n) / nullIf(reached_n, 0) + 0.9604) / (reached_n + 3.8416)), NULL) AS ci_high,
    is_final, revision
FROM (SELECT * FROM cx.store_checkout_windows_by FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48))
ARRAY JOIN
    step_names AS step,
    step_indexes AS step_index,
    step_reached AS reached_n,
    step_dropped AS dropped_n,
    step_open AS open_now;

CREATE OR REPLACE VIEW cx.checkout_funnel_1m ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute (event time).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `step` LowCardinality(String) COMMENT 'Step of the checkout; started is the first, completed the last. A later step implies the earlier configured ones.',
    `step_index` Nullable(Int32) COMMENT 'Position of the step; NULL for a step that has none.',
    `reached_n` Int64 COMMENT 'Attempts with an outcome that reached the step (count).',
    `dropped_n` Int64 COMMENT 'Attempts abandoned with this as the furthest step (count).',
    `drop_off_ratio` Nullable(Float64) COMMENT 'dropped_n / reached_n, 0 to 1; NULL when nobody reached the step.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of drop_off_ratio.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of drop_off_ratio.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the minute: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one step of the checkout funnel in one minute of one (tenant, touchpoint, channel, device), by the time of the outcome. Minutes do not overlap and have no rows for all: the counts may be summed over time, ratios may not.'
AS
SELECT
    tenant, minute, touchpoint, channel, device, step, step_index, reached_n, dropped_n,
    dropped_n / nullIf(reached_n, 0) AS drop_off_ratio,
    if(reached_n > 0, greatest(0., (dropped_n + 1.9208) / (reached_n + 3.8416) - 1.96 * sqrt(dropped_n * (reached_n - dropped_n) / nullIf(reached_n, 0) + 0.9604) / (reached_n + 3.8416)), NULL) AS ci_low,
    if(reached_n > 0, least(1., (dropped_n + 1.9208) / (reached_n + 3.8416) + 1.96 * sqrt(dropped_n * (reached_n - dropped_n) / nullIf(reached_n, 0) + 0.9604) / (reached_n + 3.8416)), NULL) AS ci_high,
    is_final, revision
FROM (SELECT tenant, minute, touchpoint, channel, device, step, reached_n, dropped_n, step_index, toBool(minute + 60 <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_checkout_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('5m') GROUP BY tenant))[tenant]) AS is_final, revision FROM (SELECT * FROM cx.store_checkout_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48)) ARRAY JOIN step_names AS step, step_indexes AS step_index, step_reached AS reached_n, step_dropped AS dropped_n);

CREATE OR REPLACE VIEW cx.checkout_funnel_hourly ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `hour` DateTime('UTC') COMMENT 'Start of the hour (event time), in UTC; an hour of the tenant''s time zone.',
    `day` Date COMMENT 'Day of the hour in the tenant''s time zone.',
    `hour_of_day` UInt8 COMMENT 'Hour of the day in the tenant''s time zone, 0 to 23.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `step` LowCardinality(String) COMMENT 'Step of the checkout; started is the first, completed the last. A later step implies the earlier configured ones.',
    `step_index` Nullable(Int32) COMMENT 'Position of the step; NULL for a step that has none.',
    `reached_n` Int64 COMMENT 'Attempts with an outcome that reached the step (count).',
    `dropped_n` Int64 COMMENT 'Attempts abandoned with this as the furthest step (count).',
    `drop_off_ratio` Nullable(Float64) COMMENT 'dropped_n / reached_n, 0 to 1; NULL when nobody reached the step.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of drop_off_ratio.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of drop_off_ratio.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the hour: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one step of the checkout funnel in one hour of one (tenant, touchpoint, channel, device), by the time of the outcome. Hours do not overlap and have no rows for all: the counts may be summed over time, ratios may not.'
AS
SELECT
    tenant, hour, day, hour_of_day, touchpoint, channel, device, step, step_index, reached_n, dropped_n,
    dropped_n / nullIf(reached_n, 0) AS drop_off_ratio,
    if(reached_n > 0, greatest(0., (dropped_n + 1.9208) / (reached_n + 3.8416) - 1.96 * sqrt(dropped_n * (reached_n - dropped_n) / nullIf(reached_n, 0) + 0.9604) / (reached_n + 3.8416)), NULL) AS ci_low,
    if(reached_n > 0, least(1., (dropped_n + 1.9208) / (reached_n + 3.8416) + 1.96 * sqrt(dropped_n * (reached_n - dropped_n) / nullIf(reached_n, 0) + 0.9604) / (reached_n + 3.8416)), NULL) AS ci_high,
    is_final, revision
FROM (
    SELECT tenant, toTimeZone(toStartOfHour(minutes.minute, 'UTC'), 'UTC') AS hour, toDate(hour, 'UTC') AS day, toHour(hour, 'UTC') AS hour_of_day, touchpoint, channel, device, step, sum(minutes.reached_n) AS reached_n, sum(minutes.dropped_n) AS dropped_n, max(minutes.step_index) AS step_index, toBool(hour + 3600 <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_checkout_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('1h', '24h', '7d') GROUP BY tenant))[tenant]) AS is_final, max(minutes.revision) AS revision
    FROM (SELECT tenant, minute, touchpoint, channel, device, step, reached_n, dropped_n, step_index, revision FROM (SELECT * FROM cx.store_checkout_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48)) ARRAY JOIN step_names AS step, step_indexes AS step_index, step_reached AS reached_n, step_dropped AS dropped_n) AS minutes
    GROUP BY tenant, hour, touchpoint, channel, device, step
);

CREATE OR REPLACE VIEW cx.checkout_funnel_daily ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `day` Date COMMENT 'Day (event time) in the tenant''s time zone.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `step` LowCardinality(String) COMMENT 'Step of the checkout; started is the first, completed the last. A later step implies the earlier configured ones.',
    `step_index` Nullable(Int32) COMMENT 'Position of the step; NULL for a step that has none.',
    `reached_n` Int64 COMMENT 'Attempts with an outcome that reached the step (count).',
    `dropped_n` Int64 COMMENT 'Attempts abandoned with this as the furthest step (count).',
    `drop_off_ratio` Nullable(Float64) COMMENT 'dropped_n / reached_n, 0 to 1; NULL when nobody reached the step.',
    `ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of drop_off_ratio.',
    `ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of drop_off_ratio.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the day: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one step of the checkout funnel on one day of one (tenant, touchpoint, channel, device), by the time of the outcome. Days do not overlap and have no rows for all: the counts may be summed over time, ratios may not.'
AS
SELECT
    tenant, day, touchpoint, channel, device, step, step_index, reached_n, dropped_n,
    dropped_n / nullIf(reached_n, 0) AS drop_off_ratio,
    if(reached_n > 0, greatest(0., (dropped_n + 1.9208) / (reached_n + 3.8416) - 1.96 * sqrt(dropped_n * (reached_n - dropped_n) / nullIf(reached_n, 0) + 0.9604) / (reached_n + 3.8416)), NULL) AS ci_low,
    if(reached_n > 0, least(1., (dropped_n + 1.9208) / (reached_n + 3.8416) + 1.96 * sqrt(dropped_n * (reached_n - dropped_n) / nullIf(reached_n, 0) + 0.9604) / (reached_n + 3.8416)), NULL) AS ci_high,
    is_final, revision
FROM (
    SELECT tenant, toDate(minutes.minute, 'UTC') AS day, touchpoint, channel, device, step, sum(minutes.reached_n) AS reached_n, sum(minutes.dropped_n) AS dropped_n, max(minutes.step_index) AS step_index, toBool(toDateTime(day + 1, 'UTC') <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_checkout_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('1h', '24h', '7d') GROUP BY tenant))[tenant]) AS is_final, max(minutes.revision) AS revision
    FROM (SELECT tenant, minute, touchpoint, channel, device, step, reached_n, dropped_n, step_index, revision FROM (SELECT * FROM cx.store_checkout_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48)) ARRAY JOIN step_names AS step, step_indexes AS step_index, step_reached AS reached_n, step_dropped AS dropped_n) AS minutes
    GROUP BY tenant, day, touchpoint, channel, device, step
);

CREATE OR REPLACE VIEW cx.checkout_abandonment ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',
    `reason` LowCardinality(String) COMMENT 'Why: stated by the customer, else inferred from the last friction or failed step, else unknown.',
    `reason_source` LowCardinality(String) COMMENT 'stated, inferred or unknown.',
    `currency` LowCardinality(String) COMMENT 'ISO 4217 code of value_sum; empty when unknown.',
    `n` Int64 COMMENT 'Abandoned attempts (count).',
    `value_sum` Decimal(18, 4) COMMENT 'Sum of the values of these attempts, in units of currency.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one reason of checkout abandonment of one (tenant, window, window_end, touchpoint, channel, device, reason, reason_source, currency). Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each. Sums of value over currencies have no meaning.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device, reason, reason_source, currency, n, value_sum,
    is_final, revision
FROM (SELECT * FROM cx.store_checkout_windows FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48))
ARRAY JOIN
    reason_names AS reason,
    reason_sources AS reason_source,
    reason_currencies AS currency,
    reason_attempts AS n,
    reason_values AS value_sum;

CREATE OR REPLACE VIEW cx.checkout_abandonment_by ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',
    `dimension` LowCardinality(String) COMMENT 'Further dimension by which the rows are split, as configured: persona, member, locale, variant, app_version or service_hours (in or out).',
    `dimension_value` LowCardinality(String) COMMENT 'Its value; unknown when none was sent; other beyond the limit. There is no row for all values: that is the object without _by.',
    `reason` LowCardinality(String) COMMENT 'Why: stated by the customer, else inferred from the last friction or failed step, else unknown.',
    `reason_source` LowCardinality(String) COMMENT 'stated, inferred or unknown.',
    `currency` LowCardinality(String) COMMENT 'ISO 4217 code of value_sum; empty when unknown.',
    `n` Int64 COMMENT 'Abandoned attempts (count).',
    `value_sum` Decimal(18, 4) COMMENT 'Sum of the values of these attempts, in units of currency.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one reason of checkout abandonment of one (tenant, window, window_end, touchpoint, channel, device, dimension, dimension_value, reason, reason_source, currency). Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each. Sums of value over currencies have no meaning.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device, dimension, dimension_value, reason, reason_source, currency, n, value_sum,
    is_final, revision
FROM (SELECT * FROM cx.store_checkout_windows_by FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48))
ARRAY JOIN
    reason_names AS reason,
    reason_sources AS reason_source,
    reason_currencies AS currency,
    reason_attempts AS n,
    reason_values AS value_sum;

CREATE OR REPLACE VIEW cx.checkout_abandonment_1m ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute (event time).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `reason` LowCardinality(String) COMMENT 'Why: stated by the customer, else inferred from the last friction or failed step, else unknown.',
    `reason_source` LowCardinality(String) COMMENT 'stated, inferred or unknown.',
    `currency` LowCardinality(String) COMMENT 'ISO 4217 code of value_sum; empty when unknown.',
    `n` Int64 COMMENT 'Abandoned attempts (count).',
    `value_sum` Decimal(18, 4) COMMENT 'Sum of the values of these attempts, in units of currency.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the minute: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one reason of checkout abandonment in one minute of one (tenant, touchpoint, channel, device, reason, reason_source, currency). Minutes do not overlap and have no rows for all: n may be summed, value_sum within one currency.'
AS
SELECT
    tenant, minute, touchpoint, channel, device, reason, reason_source, currency, n, value_sum,
    is_final, revision
FROM (SELECT tenant, minute, touchpoint, channel, device, reason, reason_source, currency, n, value_sum, toBool(minute + 60 <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_checkout_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('5m') GROUP BY tenant))[tenant]) AS is_final, revision FROM (SELECT * FROM cx.store_checkout_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48)) ARRAY JOIN reason_names AS reason, reason_sources AS reason_source, reason_currencies AS currency, reason_attempts AS n, reason_values AS value_sum);

CREATE OR REPLACE VIEW cx.checkout_abandonment_hourly ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `hour` DateTime('UTC') COMMENT 'Start of the hour (event time), in UTC; an hour of the tenant''s time zone.',
    `day` Date COMMENT 'Day of the hour in the tenant''s time zone.',
    `hour_of_day` UInt8 COMMENT 'Hour of the day in the tenant''s time zone, 0 to 23.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `reason` LowCardinality(String) COMMENT 'Why: stated by the customer, else inferred from the last friction or failed step, else unknown.',
    `reason_source` LowCardinality(String) COMMENT 'stated, inferred or unknown.',
    `currency` LowCardinality(String) COMMENT 'ISO 4217 code of value_sum; empty when unknown.',
    `n` Int64 COMMENT 'Abandoned attempts (count).',
    `value_sum` Decimal(18, 4) COMMENT 'Sum of the values of these attempts, in units of currency.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the hour: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one reason of checkout abandonment in one hour of one (tenant, touchpoint, channel, device, reason, reason_source, currency). Hours do not overlap and have no rows for all: n may be summed, value_sum within one currency.'
AS
SELECT
    tenant, hour, day, hour_of_day, touchpoint, channel, device, reason, reason_source, currency, n, value_sum,
    is_final, revision
FROM (
    SELECT tenant, toTimeZone(toStartOfHour(minutes.minute, 'UTC'), 'UTC') AS hour, toDate(hour, 'UTC') AS day, toHour(hour, 'UTC') AS hour_of_day, touchpoint, channel, device, reason, reason_source, currency, sum(minutes.n) AS n, sum(minutes.value_sum) AS value_sum, toBool(hour + 3600 <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_checkout_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('1h', '24h', '7d') GROUP BY tenant))[tenant]) AS is_final, max(minutes.revision) AS revision
    FROM (SELECT tenant, minute, touchpoint, channel, device, reason, reason_source, currency, n, value_sum, revision FROM (SELECT * FROM cx.store_checkout_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48)) ARRAY JOIN reason_names AS reason, reason_sources AS reason_source, reason_currencies AS currency, reason_attempts AS n, reason_values AS value_sum) AS minutes
    GROUP BY tenant, hour, touchpoint, channel, device, reason, reason_source, currency
);

CREATE OR REPLACE VIEW cx.checkout_abandonment_daily ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `day` Date COMMENT 'Day (event time) in the tenant''s time zone.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `reason` LowCardinality(String) COMMENT 'Why: stated by the customer, else inferred from the last friction or failed step, else unknown.',
    `reason_source` LowCardinality(String) COMMENT 'stated, inferred or unknown.',
    `currency` LowCardinality(String) COMMENT 'ISO 4217 code of value_sum; empty when unknown.',
    `n` Int64 COMMENT 'Abandoned attempts (count).',
    `value_sum` Decimal(18, 4) COMMENT 'Sum of the values of these attempts, in units of currency.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the day: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one reason of checkout abandonment on one day of one (tenant, touchpoint, channel, device, reason, reason_source, currency). Days do not overlap and have no rows for all: n may be summed, value_sum within one currency.'
AS
SELECT
    tenant, day, touchpoint, channel, device, reason, reason_source, currency, n, value_sum,
    is_final, revision
FROM (
    SELECT tenant, toDate(minutes.minute, 'UTC') AS day, touchpoint, channel, device, reason, reason_source, currency, sum(minutes.n) AS n, sum(minutes.value_sum) AS value_sum, toBool(toDateTime(day + 1, 'UTC') <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_checkout_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('1h', '24h', '7d') GROUP BY tenant))[tenant]) AS is_final, max(minutes.revision) AS revision
    FROM (SELECT tenant, minute, touchpoint, channel, device, reason, reason_source, currency, n, value_sum, revision FROM (SELECT * FROM cx.store_checkout_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48)) ARRAY JOIN reason_names AS reason, reason_sources AS reason_source, reason_currencies AS currency, reason_attempts AS n, reason_values AS value_sum) AS minutes
    GROUP BY tenant, day, touchpoint, channel, device, reason, reason_source, currency
);

CREATE OR REPLACE VIEW cx.checkout_duration ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',
    `n` Int64 COMMENT 'Purchases, completed and recovered (count).',
    `p50_s` Nullable(Float64) COMMENT 'Median of the time from first event to purchase, in seconds, at most 1 % off; NULL without any.',
    `p75_s` Nullable(Float64) COMMENT '75th percentile of the time from first event to purchase, in seconds, at most 1 % off; NULL without any.',
    `p95_s` Nullable(Float64) COMMENT '95th percentile of the time from first event to purchase, in seconds, at most 1 % off; NULL without any.',
    `within_3min_n` Int64 COMMENT 'Purchases that took at most 3 minutes (count).',
    `within_15min_n` Int64 COMMENT 'Purchases that took at most 15 minutes (count).',
    `within_3min_ratio` Nullable(Float64) COMMENT 'within_3min_n / n, 0 to 1; NULL without purchases.',
    `within_15min_ratio` Nullable(Float64) COMMENT 'within_15min_n / n, 0 to 1; NULL without purchases.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is how long purchases took, of one (tenant, window, window_end, touchpoint, channel, device). Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device,
    durations AS n,
    p50_ms / 1000 AS p50_s,
    p75_ms / 1000 AS p75_s,
    p95_ms / 1000 AS p95_s,
    within_3min AS within_3min_n,
    within_15min AS within_15min_n,
    within_3min / nullIf(n, 0) AS within_3min_ratio,
    within_15min / nullIf(n, 0) AS within_15min_ratio,
    is_final, revision
FROM (SELECT * FROM cx.store_checkout_windows FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48));

CREATE OR REPLACE VIEW cx.checkout_duration_by ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',
    `dimension` LowCardinality(String) COMMENT 'Further dimension by which the rows are split, as configured: persona, member, locale, variant, app_version or service_hours (in or out).',
    `dimension_value` LowCardinality(String) COMMENT 'Its value; unknown when none was sent; other beyond the limit. There is no row for all values: that is the object without _by.',
    `n` Int64 COMMENT 'Purchases, completed and recovered (count).',
    `p50_s` Nullable(Float64) COMMENT 'Median of the time from first event to purchase, in seconds, at most 1 % off; NULL without any.',
    `p75_s` Nullable(Float64) COMMENT '75th percentile of the time from first event to purchase, in seconds, at most 1 % off; NULL without any.',
    `p95_s` Nullable(Float64) COMMENT '95th percentile of the time from first event to purchase, in seconds, at most 1 % off; NULL without any.',
    `within_3min_n` Int64 COMMENT 'Purchases that took at most 3 minutes (count).',
    `within_15min_n` Int64 COMMENT 'Purchases that took at most 15 minutes (count).',
    `within_3min_ratio` Nullable(Float64) COMMENT 'within_3min_n / n, 0 to 1; NULL without purchases.',
    `within_15min_ratio` Nullable(Float64) COMMENT 'within_15min_n / n, 0 to 1; NULL without purchases.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is how long purchases took, of one (tenant, window, window_end, touchpoint, channel, device, dimension, dimension_value). Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device, dimension, dimension_value,
    durations AS n,
    p50_ms / 1000 AS p50_s,
    p75_ms / 1000 AS p75_s,
    p95_ms / 1000 AS p95_s,
    within_3min AS within_3min_n,
    within_15min AS within_15min_n,
    within_3min / nullIf(n, 0) AS within_3min_ratio,
    within_15min / nullIf(n, 0) AS within_15min_ratio,
    is_final, revision
FROM (SELECT * FROM cx.store_checkout_windows_by FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48));

CREATE OR REPLACE VIEW cx.checkout_duration_1m ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute (event time).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `n` Int64 COMMENT 'Purchases, completed and recovered (count).',
    `p50_s` Nullable(Float64) COMMENT 'Median of the time from first event to purchase, in seconds, at most 1 % off; NULL without any.',
    `p75_s` Nullable(Float64) COMMENT '75th percentile of the time from first event to purchase, in seconds, at most 1 % off; NULL without any.',
    `p95_s` Nullable(Float64) COMMENT '95th percentile of the time from first event to purchase, in seconds, at most 1 % off; NULL without any.',
    `within_3min_n` Int64 COMMENT 'Purchases that took at most 3 minutes (count).',
    `within_15min_n` Int64 COMMENT 'Purchases that took at most 15 minutes (count).',
    `within_3min_ratio` Nullable(Float64) COMMENT 'within_3min_n / n, 0 to 1; NULL without purchases.',
    `within_15min_ratio` Nullable(Float64) COMMENT 'within_15min_n / n, 0 to 1; NULL without purchases.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the minute: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is how long purchases took that were completed in one minute of one (tenant, touchpoint, channel, device). Minutes do not overlap and have no rows for all: the counts may be summed, percentiles and ratios may not.'
AS
WITH
    […] AS bucket_values,
    arrayCumSum(mapValues(durations)) AS seen
SELECT
    tenant, minute, touchpoint, channel, device,
    toInt64(arraySum(mapValues(durations))) AS n,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 50 + 99, 100), seen)] + 2] / 1000, NULL) AS p50_s,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 75 + 99, 100), seen)] + 2] / 1000, NULL) AS p75_s,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 95 + 99, 100), seen)] + 2] / 1000, NULL) AS p95_s,
    within_3min AS within_3min_n,
    within_15min AS within_15min_n,
    within_3min / nullIf(n, 0) AS within_3min_ratio,
    within_15min / nullIf(n, 0) AS within_15min_ratio,
    is_final, revision
FROM (SELECT tenant, minute, touchpoint, channel, device, within_3min, within_15min, durations, toBool(minute + 60 <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_checkout_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('5m') GROUP BY tenant))[tenant]) AS is_final, revision FROM (SELECT * FROM cx.store_checkout_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48)));

CREATE OR REPLACE VIEW cx.checkout_duration_hourly ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `hour` DateTime('UTC') COMMENT 'Start of the hour (event time), in UTC; an hour of the tenant''s time zone.',
    `day` Date COMMENT 'Day of the hour in the tenant''s time zone.',
    `hour_of_day` UInt8 COMMENT 'Hour of the day in the tenant''s time zone, 0 to 23.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `n` Int64 COMMENT 'Purchases, completed and recovered (count).',
    `p50_s` Nullable(Float64) COMMENT 'Median of the time from first event to purchase, in seconds, at most 1 % off; NULL without any.',
    `p75_s` Nullable(Float64) COMMENT '75th percentile of the time from first event to purchase, in seconds, at most 1 % off; NULL without any.',
    `p95_s` Nullable(Float64) COMMENT '95th percentile of the time from first event to purchase, in seconds, at most 1 % off; NULL without any.',
    `within_3min_n` Int64 COMMENT 'Purchases that took at most 3 minutes (count).',
    `within_15min_n` Int64 COMMENT 'Purchases that took at most 15 minutes (count).',
    `within_3min_ratio` Nullable(Float64) COMMENT 'within_3min_n / n, 0 to 1; NULL without purchases.',
    `within_15min_ratio` Nullable(Float64) COMMENT 'within_15min_n / n, 0 to 1; NULL without purchases.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the hour: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is how long purchases took that were completed in one hour of one (tenant, touchpoint, channel, device). Hours do not overlap and have no rows for all: the counts may be summed, percentiles and ratios may not.'
AS
WITH
    […] AS bucket_values,
    arrayCumSum(mapValues(durations)) AS seen
SELECT
    tenant, hour, day, hour_of_day, touchpoint, channel, device,
    toInt64(arraySum(mapValues(durations))) AS n,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 50 + 99, 100), seen)] + 2] / 1000, NULL) AS p50_s,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 75 + 99, 100), seen)] + 2] / 1000, NULL) AS p75_s,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 95 + 99, 100), seen)] + 2] / 1000, NULL) AS p95_s,
    within_3min AS within_3min_n,
    within_15min AS within_15min_n,
    within_3min / nullIf(n, 0) AS within_3min_ratio,
    within_15min / nullIf(n, 0) AS within_15min_ratio,
    is_final, revision
FROM (
    SELECT tenant, toTimeZone(toStartOfHour(minutes.minute, 'UTC'), 'UTC') AS hour, toDate(hour, 'UTC') AS day, toHour(hour, 'UTC') AS hour_of_day, touchpoint, channel, device, sum(minutes.within_3min) AS within_3min, sum(minutes.within_15min) AS within_15min, mapSort(sumMap(minutes.durations)) AS durations, toBool(hour + 3600 <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_checkout_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('1h', '24h', '7d') GROUP BY tenant))[tenant]) AS is_final, max(minutes.revision) AS revision
    FROM (SELECT tenant, minute, touchpoint, channel, device, within_3min, within_15min, durations, revision FROM (SELECT * FROM cx.store_checkout_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48))) AS minutes
    GROUP BY tenant, hour, touchpoint, channel, device
);

CREATE OR REPLACE VIEW cx.checkout_duration_daily ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `day` Date COMMENT 'Day (event time) in the tenant''s time zone.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `n` Int64 COMMENT 'Purchases, completed and recovered (count).',
    `p50_s` Nullable(Float64) COMMENT 'Median of the time from first event to purchase, in seconds, at most 1 % off; NULL without any.',
    `p75_s` Nullable(Float64) COMMENT '75th percentile of the time from first event to purchase, in seconds, at most 1 % off; NULL without any.',
    `p95_s` Nullable(Float64) COMMENT '95th percentile of the time from first event to purchase, in seconds, at most 1 % off; NULL without any.',
    `within_3min_n` Int64 COMMENT 'Purchases that took at most 3 minutes (count).',
    `within_15min_n` Int64 COMMENT 'Purchases that took at most 15 minutes (count).',
    `within_3min_ratio` Nullable(Float64) COMMENT 'within_3min_n / n, 0 to 1; NULL without purchases.',
    `within_15min_ratio` Nullable(Float64) COMMENT 'within_15min_n / n, 0 to 1; NULL without purchases.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the day: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is how long purchases took that were completed on one day of one (tenant, touchpoint, channel, device). Days do not overlap and have no rows for all: the counts may be summed, percentiles and ratios may not.'
AS
WITH
    […] AS bucket_values,
    arrayCumSum(mapValues(durations)) AS seen
SELECT
    tenant, day, touchpoint, channel, device,
    toInt64(arraySum(mapValues(durations))) AS n,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 50 + 99, 100), seen)] + 2] / 1000, NULL) AS p50_s,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 75 + 99, 100), seen)] + 2] / 1000, NULL) AS p75_s,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 95 + 99, 100), seen)] + 2] / 1000, NULL) AS p95_s,
    within_3min AS within_3min_n,
    within_15min AS within_15min_n,
    within_3min / nullIf(n, 0) AS within_3min_ratio,
    within_15min / nullIf(n, 0) AS within_15min_ratio,
    is_final, revision
FROM (
    SELECT tenant, toDate(minutes.minute, 'UTC') AS day, touchpoint, channel, device, sum(minutes.within_3min) AS within_3min, sum(minutes.within_15min) AS within_15min, mapSort(sumMap(minutes.durations)) AS durations, toBool(toDateTime(day + 1, 'UTC') <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_checkout_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('1h', '24h', '7d') GROUP BY tenant))[tenant]) AS is_final, max(minutes.revision) AS revision
    FROM (SELECT tenant, minute, touchpoint, channel, device, within_3min, within_15min, durations, revision FROM (SELECT * FROM cx.store_checkout_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48))) AS minutes
    GROUP BY tenant, day, touchpoint, channel, device
);

CREATE OR REPLACE VIEW cx.response_times ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',
    `metric` LowCardinality(String) COMMENT 'first_response_customer (customer clock), first_response_team (team clock), reply or resolution.',
    `n` Int64 COMMENT 'Answered waits (count).',
    `p50_s` Nullable(Float64) COMMENT 'Median of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `p75_s` Nullable(Float64) COMMENT '75th percentile of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `p95_s` Nullable(Float64) COMMENT '95th percentile of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `p99_s` Nullable(Float64) COMMENT '99th percentile of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `slo_s` Nullable(Float64) COMMENT 'Service level of the touchpoint in seconds; NULL where the metric has none, and for all (and other) where touchpoints of the tenant have different ones.',
    `breached_n` Nullable(Int64) COMMENT 'Waits that passed the service level, counted at the deadline, answered later or not (count); NULL where there is none.',
    `waiting_n` Nullable(Int64) COMMENT 'Waiting now (count), in the newest windows; NULL once final.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one response metric of one (tenant, window, window_end, touchpoint, channel, device, metric). Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device, metric,
    durations AS n,
    p50_ms / 1000 AS p50_s,
    p75_ms / 1000 AS p75_s,
    p95_ms / 1000 AS p95_s,
    p99_ms / 1000 AS p99_s,
    slo_ms / 1000 AS slo_s,
    breached AS breached_n,
    if(is_final, NULL, waiting) AS waiting_n,
    is_final, revision
FROM (SELECT * FROM cx.store_response_windows FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48));

CREATE OR REPLACE VIEW cx.response_times_by ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',
    `dimension` LowCardinality(String) COMMENT 'Further dimension by which the rows are split, as configured: persona, member, locale, variant, app_version or service_hours (in or out).',
    `dimension_value` LowCardinality(String) COMMENT 'Its value; unknown when none was sent; other beyond the limit. There is no row for all values: that is the object without _by.',
    `metric` LowCardinality(String) COMMENT 'first_response_customer (customer clock), first_response_team (team clock), reply or resolution.',
    `n` Int64 COMMENT 'Answered waits (count).',
    `p50_s` Nullable(Float64) COMMENT 'Median of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `p75_s` Nullable(Float64) COMMENT '75th percentile of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `p95_s` Nullable(Float64) COMMENT '95th percentile of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `p99_s` Nullable(Float64) COMMENT '99th percentile of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `slo_s` Nullable(Float64) COMMENT 'Service level of the touchpoint in seconds; NULL where the metric has none, and for all (and other) where touchpoints of the tenant have different ones.',
    `breached_n` Nullable(Int64) COMMENT 'Waits that passed the service level, counted at the deadline, answered later or not (count); NULL where there is none.',
    `waiting_n` Nullable(Int64) COMMENT 'Waiting now (count), in the newest windows; NULL once final.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one response metric of one (tenant, window, window_end, touchpoint, channel, device, dimension, dimension_value, metric). Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device, dimension, dimension_value, metric,
    durations AS n,
    p50_ms / 1000 AS p50_s,
    p75_ms / 1000 AS p75_s,
    p95_ms / 1000 AS p95_s,
    p99_ms / 1000 AS p99_s,
    slo_ms / 1000 AS slo_s,
    breached AS breached_n,
    if(is_final, NULL, waiting) AS waiting_n,
    is_final, revision
FROM (SELECT * FROM cx.store_response_windows_by FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48));

CREATE OR REPLACE VIEW cx.response_times_1m ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute (event time).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `metric` LowCardinality(String) COMMENT 'first_response_customer (customer clock), first_response_team (team clock), reply or resolution.',
    `n` Int64 COMMENT 'Answered waits (count).',
    `p50_s` Nullable(Float64) COMMENT 'Median of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `p75_s` Nullable(Float64) COMMENT '75th percentile of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `p95_s` Nullable(Float64) COMMENT '95th percentile of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `p99_s` Nullable(Float64) COMMENT '99th percentile of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `slo_s` Nullable(Float64) COMMENT 'Service level of the touchpoint in seconds; NULL where the metric has none.',
    `breached_n` Nullable(Int64) COMMENT 'Waits that passed the service level, counted at the deadline, answered later or not (count); NULL where there is none.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the minute: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one response metric in one minute of one (tenant, touchpoint, channel, device, metric), by the time the wait ended. Minutes do not overlap and have no rows for all: n and breached_n may be summed, percentiles may not.'
AS
WITH
    […] AS bucket_values,
    arrayCumSum(mapValues(durations)) AS seen
SELECT
    tenant, minute, touchpoint, channel, device, metric,
    toInt64(arraySum(mapValues(durations))) AS n,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 50 + 99, 100), seen)] + 2] / 1000, NULL) AS p50_s,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 75 + 99, 100), seen)] + 2] / 1000, NULL) AS p75_s,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 95 + 99, 100), seen)] + 2] / 1000, NULL) AS p95_s,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 99 + 99, 100), seen)] + 2] / 1000, NULL) AS p99_s,
    if(metric = 'first_response_customer', 300, NULL) AS slo_s,
    if(metric = 'first_response_customer', breached, NULL) AS breached_n,
    is_final, revision
FROM (SELECT tenant, minute, touchpoint, channel, device, metric, breached, durations, toBool(minute + 60 <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_response_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('5m') GROUP BY tenant))[tenant]) AS is_final, revision FROM (SELECT * FROM cx.store_response_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48)));

CREATE OR REPLACE VIEW cx.response_times_hourly ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `hour` DateTime('UTC') COMMENT 'Start of the hour (event time), in UTC; an hour of the tenant''s time zone.',
    `day` Date COMMENT 'Day of the hour in the tenant''s time zone.',
    `hour_of_day` UInt8 COMMENT 'Hour of the day in the tenant''s time zone, 0 to 23.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `metric` LowCardinality(String) COMMENT 'first_response_customer (customer clock), first_response_team (team clock), reply or resolution.',
    `n` Int64 COMMENT 'Answered waits (count).',
    `p50_s` Nullable(Float64) COMMENT 'Median of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `p75_s` Nullable(Float64) COMMENT '75th percentile of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `p95_s` Nullable(Float64) COMMENT '95th percentile of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `p99_s` Nullable(Float64) COMMENT '99th percentile of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `slo_s` Nullable(Float64) COMMENT 'Service level of the touchpoint in seconds; NULL where the metric has none.',
    `breached_n` Nullable(Int64) COMMENT 'Waits that passed the service level, counted at the deadline, answered later or not (count); NULL where there is none.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the hour: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one response metric in one hour of one (tenant, touchpoint, channel, device, metric), by the time the wait ended. Hours do not overlap and have no rows for all: n and breached_n may be summed, percentiles may not.'
AS
WITH
    […] AS bucket_values,
    arrayCumSum(mapValues(durations)) AS seen
SELECT
    tenant, hour, day, hour_of_day, touchpoint, channel, device, metric,
    toInt64(arraySum(mapValues(durations))) AS n,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 50 + 99, 100), seen)] + 2] / 1000, NULL) AS p50_s,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 75 + 99, 100), seen)] + 2] / 1000, NULL) AS p75_s,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 95 + 99, 100), seen)] + 2] / 1000, NULL) AS p95_s,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 99 + 99, 100), seen)] + 2] / 1000, NULL) AS p99_s,
    if(metric = 'first_response_customer', 300, NULL) AS slo_s,
    if(metric = 'first_response_customer', breached, NULL) AS breached_n,
    is_final, revision
FROM (
    SELECT tenant, toTimeZone(toStartOfHour(minutes.minute, 'UTC'), 'UTC') AS hour, toDate(hour, 'UTC') AS day, toHour(hour, 'UTC') AS hour_of_day, touchpoint, channel, device, metric, sum(minutes.breached) AS breached, mapSort(sumMap(minutes.durations)) AS durations, toBool(hour + 3600 <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_response_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('1h', '24h', '7d') GROUP BY tenant))[tenant]) AS is_final, max(minutes.revision) AS revision
    FROM (SELECT tenant, minute, touchpoint, channel, device, metric, breached, durations, revision FROM (SELECT * FROM cx.store_response_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48))) AS minutes
    GROUP BY tenant, hour, touchpoint, channel, device, metric
);

CREATE OR REPLACE VIEW cx.response_times_daily ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `day` Date COMMENT 'Day (event time) in the tenant''s time zone.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `metric` LowCardinality(String) COMMENT 'first_response_customer (customer clock), first_response_team (team clock), reply or resolution.',
    `n` Int64 COMMENT 'Answered waits (count).',
    `p50_s` Nullable(Float64) COMMENT 'Median of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `p75_s` Nullable(Float64) COMMENT '75th percentile of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `p95_s` Nullable(Float64) COMMENT '95th percentile of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `p99_s` Nullable(Float64) COMMENT '99th percentile of the answered waits, in seconds, at most 1 % off; NULL without any.',
    `slo_s` Nullable(Float64) COMMENT 'Service level of the touchpoint in seconds; NULL where the metric has none.',
    `breached_n` Nullable(Int64) COMMENT 'Waits that passed the service level, counted at the deadline, answered later or not (count); NULL where there is none.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the day: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is one response metric on one day of one (tenant, touchpoint, channel, device, metric), by the time the wait ended. Days do not overlap and have no rows for all: n and breached_n may be summed, percentiles may not.'
AS
WITH
    […] AS bucket_values,
    arrayCumSum(mapValues(durations)) AS seen
SELECT
    tenant, day, touchpoint, channel, device, metric,
    toInt64(arraySum(mapValues(durations))) AS n,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 50 + 99, 100), seen)] + 2] / 1000, NULL) AS p50_s,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 75 + 99, 100), seen)] + 2] / 1000, NULL) AS p75_s,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 95 + 99, 100), seen)] + 2] / 1000, NULL) AS p95_s,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 99 + 99, 100), seen)] + 2] / 1000, NULL) AS p99_s,
    if(metric = 'first_response_customer', 300, NULL) AS slo_s,
    if(metric = 'first_response_customer', breached, NULL) AS breached_n,
    is_final, revision
FROM (
    SELECT tenant, toDate(minutes.minute, 'UTC') AS day, touchpoint, channel, device, metric, sum(minutes.breached) AS breached, mapSort(sumMap(minutes.durations)) AS durations, toBool(toDateTime(day + 1, 'UTC') <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_response_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('1h', '24h', '7d') GROUP BY tenant))[tenant]) AS is_final, max(minutes.revision) AS revision
    FROM (SELECT tenant, minute, touchpoint, channel, device, metric, breached, durations, revision FROM (SELECT * FROM cx.store_response_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48))) AS minutes
    GROUP BY tenant, day, touchpoint, channel, device, metric
);

CREATE OR REPLACE VIEW cx.service_quality ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',
    `conversations_n` Int64 COMMENT 'Conversations that ended, or were silent for 24 hours, counted when that was so (count). A conversation that is reopened within 7 days is still the same one and counts at its last end.',
    `bot_n` Int64 COMMENT 'Of conversations_n, those with at least one message of a bot (count).',
    `contained_n` Int64 COMMENT 'Of bot_n, those without any message of an agent and without a handoff (count).',
    `contained_net_n` Int64 COMMENT 'Of contained_n, those whose customer began no other conversation within 72 hours after, as far as is known now (count): it falls when somebody comes back.',
    `containment_ratio` Nullable(Float64) COMMENT 'contained_n / bot_n, 0 to 1: gross containment; NULL without bot conversations.',
    `containment_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of containment_ratio; NULL without bot conversations.',
    `containment_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of containment_ratio; NULL without bot conversations.',
    `containment_net_ratio` Nullable(Float64) COMMENT 'contained_net_n / bot_n, 0 to 1: net containment; NULL without bot conversations.',
    `containment_net_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of containment_net_ratio; NULL without bot conversations.',
    `containment_net_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of containment_net_ratio; NULL without bot conversations.',
    `handoffs_n` Int64 COMMENT 'Handoffs, counted when they happened, whoever asked for them (count).',
    `handoff_ratio` Nullable(Float64) COMMENT 'handoffs_n / conversations_n: handoffs per conversation that ended; may exceed 1. NULL without conversations.',
    `human_requests_n` Int64 COMMENT 'Handoffs that the customer asked for, counted when an agent answered, at the latest when the time for it was over (count).',
    `human_reached_n` Int64 COMMENT 'Of human_requests_n, those that an agent answered within 15 minutes, counted at the answer (count).',
    `human_reached_ratio` Nullable(Float64) COMMENT 'human_reached_n / human_requests_n, 0 to 1; NULL without requests.',
    `human_reached_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of human_reached_ratio; NULL without requests.',
    `human_reached_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of human_reached_ratio; NULL without requests.',
    `bot_loops_n` Int64 COMMENT 'Times that a bot gave the same answer, or its fallback, 3 times running, counted at the third and once a run (count).',
    `bot_loop_ratio` Nullable(Float64) COMMENT 'bot_loops_n / bot_n: loops per bot conversation that ended; may exceed 1. NULL without bot conversations.',
    `reasked_n` Int64 COMMENT 'Conversations in which the customer was asked for something again, counted at the first time (count).',
    `reasked_ratio` Nullable(Float64) COMMENT 'reasked_n / conversations_n; counted at different times, so it may exceed 1 in short windows. NULL without conversations.',
    `reopened_n` Int64 COMMENT 'Next cycles that began within 7 days of the end of the last, counted when they began (count).',
    `reopened_ratio` Nullable(Float64) COMMENT 'reopened_n / conversations_n: reopens per conversation that ended; may exceed 1. NULL without conversations.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is what became of service conversations of one (tenant, window, window_end, touchpoint, channel, device). Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device,
    conversations AS conversations_n,
    bot AS bot_n,
    contained AS contained_n,
    contained - returned AS contained_net_n,
    contained_n / nullIf(bot_n, 0) AS containment_ratio,
    if(bot_n > 0, greatest(0., (contained_n + 1.9208) / (bot_n + 3.8416) - 1.96 * sqrt(contained_n * (bot_n - contained_n) / nullIf(bot_n, 0) + 0.9604) / (bot_n + 3.8416)), NULL) AS containment_ci_low,
    if(bot_n > 0, least(1., (contained_n + 1.9208) / (bot_n + 3.8416) + 1.96 * sqrt(contained_n * (bot_n - contained_n) / nullIf(bot_n, 0) + 0.9604) / (bot_n + 3.8416)), NULL) AS containment_ci_high,
    contained_net_n / nullIf(bot_n, 0) AS containment_net_ratio,
    if(bot_n > 0, greatest(0., (contained_net_n + 1.9208) / (bot_n + 3.8416) - 1.96 * sqrt(contained_net_n * (bot_n - contained_net_n) / nullIf(bot_n, 0) + 0.9604) / (bot_n + 3.8416)), NULL) AS containment_net_ci_low,
    if(bot_n > 0, least(1., (contained_net_n + 1.9208) / (bot_n + 3.8416) + 1.96 * sqrt(contained_net_n * (bot_n - contained_net_n) / nullIf(bot_n, 0) + 0.9604) / (bot_n + 3.8416)), NULL) AS containment_net_ci_high,
    handoffs AS handoffs_n,
    handoffs_n / nullIf(conversations_n, 0) AS handoff_ratio,
    human_requests AS human_requests_n,
    human_reached AS human_reached_n,
    human_reached_n / nullIf(human_requests_n, 0) AS human_reached_ratio,
    if(human_requests_n > 0, greatest(0., (human_reached_n + 1.9208) / (human_requests_n + 3.8416) - 1.96 * sqrt(human_reached_n * (human_requests_n - human_reached_n) / nullIf(human_requests_n, 0) + 0.9604) / (human_requests_n + 3.8416)), NULL) AS human_reached_ci_low,
    if(human_requests_n > 0, least(1., (human_reached_n + 1.9208) / (human_requests_n + 3.8416) + 1.96 * sqrt(human_reached_n * (human_requests_n - human_reached_n) / nullIf(human_requests_n, 0) + 0.9604) / (human_requests_n + 3.8416)), NULL) AS human_reached_ci_high,
    bot_loops AS bot_loops_n,
    bot_loops_n / nullIf(bot_n, 0) AS bot_loop_ratio,
    reasked AS reasked_n,
    reasked_n / nullIf(conversations_n, 0) AS reasked_ratio,
    reopened AS reopened_n,
    reopened_n / nullIf(conversations_n, 0) AS reopened_ratio,
    is_final, revision
FROM (SELECT * FROM cx.store_service_windows FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48));

CREATE OR REPLACE VIEW cx.service_quality_by ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',
    `dimension` LowCardinality(String) COMMENT 'Further dimension by which the rows are split, as configured: persona, member, locale, variant, app_version or service_hours (in or out).',
    `dimension_value` LowCardinality(String) COMMENT 'Its value; unknown when none was sent; other beyond the limit. There is no row for all values: that is the object without _by.',
    `conversations_n` Int64 COMMENT 'Conversations that ended, or were silent for 24 hours, counted when that was so (count). A conversation that is reopened within 7 days is still the same one and counts at its last end.',
    `bot_n` Int64 COMMENT 'Of conversations_n, those with at least one message of a bot (count).',
    `contained_n` Int64 COMMENT 'Of bot_n, those without any message of an agent and without a handoff (count).',
    `contained_net_n` Int64 COMMENT 'Of contained_n, those whose customer began no other conversation within 72 hours after, as far as is known now (count): it falls when somebody comes back.',
    `containment_ratio` Nullable(Float64) COMMENT 'contained_n / bot_n, 0 to 1: gross containment; NULL without bot conversations.',
    `containment_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of containment_ratio; NULL without bot conversations.',
    `containment_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of containment_ratio; NULL without bot conversations.',
    `containment_net_ratio` Nullable(Float64) COMMENT 'contained_net_n / bot_n, 0 to 1: net containment; NULL without bot conversations.',
    `containment_net_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of containment_net_ratio; NULL without bot conversations.',
    `containment_net_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of containment_net_ratio; NULL without bot conversations.',
    `handoffs_n` Int64 COMMENT 'Handoffs, counted when they happened, whoever asked for them (count).',
    `handoff_ratio` Nullable(Float64) COMMENT 'handoffs_n / conversations_n: handoffs per conversation that ended; may exceed 1. NULL without conversations.',
    `human_requests_n` Int64 COMMENT 'Handoffs that the customer asked for, counted when an agent answered, at the latest when the time for it was over (count).',
    `human_reached_n` Int64 COMMENT 'Of human_requests_n, those that an agent answered within 15 minutes, counted at the answer (count).',
    `human_reached_ratio` Nullable(Float64) COMMENT 'human_reached_n / human_requests_n, 0 to 1; NULL without requests.',
    `human_reached_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of human_reached_ratio; NULL without requests.',
    `human_reached_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of human_reached_ratio; NULL without requests.',
    `bot_loops_n` Int64 COMMENT 'Times that a bot gave the same answer, or its fallback, 3 times running, counted at the third and once a run (count).',
    `bot_loop_ratio` Nullable(Float64) COMMENT 'bot_loops_n / bot_n: loops per bot conversation that ended; may exceed 1. NULL without bot conversations.',
    `reasked_n` Int64 COMMENT 'Conversations in which the customer was asked for something again, counted at the first time (count).',
    `reasked_ratio` Nullable(Float64) COMMENT 'reasked_n / conversations_n; counted at different times, so it may exceed 1 in short windows. NULL without conversations.',
    `reopened_n` Int64 COMMENT 'Next cycles that began within 7 days of the end of the last, counted when they began (count).',
    `reopened_ratio` Nullable(Float64) COMMENT 'reopened_n / conversations_n: reopens per conversation that ended; may exceed 1. NULL without conversations.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is what became of service conversations of one (tenant, window, window_end, touchpoint, channel, device, dimension, dimension_value). Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device, dimension, dimension_value,
    conversations AS conversations_n,
    bot AS bot_n,
    contained AS contained_n,
    contained - returned AS contained_net_n,
    contained_n / nullIf(bot_n, 0) AS containment_ratio,
    if(bot_n > 0, greatest(0., (contained_n + 1.9208) / (bot_n + 3.8416) - 1.96 * sqrt(contained_n * (bot_n - contained_n) / nullIf(bot_n, 0) + 0.9604) / (bot_n + 3.8416)), NULL) AS containment_ci_low,
    if(bot_n > 0, least(1., (contained_n + 1.9208) / (bot_n + 3.8416) + 1.96 * sqrt(contained_n * (bot_n - contained_n) / nullIf(bot_n, 0) + 0.9604) / (bot_n + 3.8416)), NULL) AS containment_ci_high,
    contained_net_n / nullIf(bot_n, 0) AS containment_net_ratio,
    if(bot_n > 0, greatest(0., (contained_net_n + 1.9208) / (bot_n + 3.8416) - 1.96 * sqrt(contained_net_n * (bot_n - contained_net_n) / nullIf(bot_n, 0) + 0.9604) / (bot_n + 3.8416)), NULL) AS containment_net_ci_low,
    if(bot_n > 0, least(1., (contained_net_n + 1.9208) / (bot_n + 3.8416) + 1.96 * sqrt(contained_net_n * (bot_n - contained_net_n) / nullIf(bot_n, 0) + 0.9604) / (bot_n + 3.8416)), NULL) AS containment_net_ci_high,
    handoffs AS handoffs_n,
    handoffs_n / nullIf(conversations_n, 0) AS handoff_ratio,
    human_requests AS human_requests_n,
    human_reached AS human_reached_n,
    human_reached_n / nullIf(human_requests_n, 0) AS human_reached_ratio,
    if(human_requests_n > 0, greatest(0., (human_reached_n + 1.9208) / (human_requests_n + 3.8416) - 1.96 * sqrt(human_reached_n * (human_requests_n - human_reached_n) / nullIf(human_requests_n, 0) + 0.9604) / (human_requests_n + 3.8416)), NULL) AS human_reached_ci_low,
    if(human_requests_n > 0, least(1., (human_reached_n + 1.9208) / (human_requests_n + 3.8416) + 1.96 * sqrt(human_reached_n * (human_requests_n - human_reached_n) / nullIf(human_requests_n, 0) + 0.9604) / (human_requests_n + 3.8416)), NULL) AS human_reached_ci_high,
    bot_loops AS bot_loops_n,
    bot_loops_n / nullIf(bot_n, 0) AS bot_loop_ratio,
    reasked AS reasked_n,
    reasked_n / nullIf(conversations_n, 0) AS reasked_ratio,
    reopened AS reopened_n,
    reopened_n / nullIf(conversations_n, 0) AS reopened_ratio,
    is_final, revision
FROM (SELECT * FROM cx.store_service_windows_by FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48));

CREATE OR REPLACE VIEW cx.service_quality_1m ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute (event time).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `conversations_n` Int64 COMMENT 'Conversations that ended, or were silent for 24 hours, counted when that was so (count). A conversation that is reopened within 7 days is still the same one and counts at its last end.',
    `bot_n` Int64 COMMENT 'Of conversations_n, those with at least one message of a bot (count).',
    `contained_n` Int64 COMMENT 'Of bot_n, those without any message of an agent and without a handoff (count).',
    `contained_net_n` Int64 COMMENT 'Of contained_n, those whose customer began no other conversation within 72 hours after, as far as is known now (count): it falls when somebody comes back.',
    `containment_ratio` Nullable(Float64) COMMENT 'contained_n / bot_n, 0 to 1: gross containment; NULL without bot conversations.',
    `containment_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of containment_ratio; NULL without bot conversations.',
    `containment_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of containment_ratio; NULL without bot conversations.',
    `containment_net_ratio` Nullable(Float64) COMMENT 'contained_net_n / bot_n, 0 to 1: net containment; NULL without bot conversations.',
    `containment_net_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of containment_net_ratio; NULL without bot conversations.',
    `containment_net_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of containment_net_ratio; NULL without bot conversations.',
    `handoffs_n` Int64 COMMENT 'Handoffs, counted when they happened, whoever asked for them (count).',
    `handoff_ratio` Nullable(Float64) COMMENT 'handoffs_n / conversations_n: handoffs per conversation that ended; may exceed 1. NULL without conversations.',
    `human_requests_n` Int64 COMMENT 'Handoffs that the customer asked for, counted when an agent answered, at the latest when the time for it was over (count).',
    `human_reached_n` Int64 COMMENT 'Of human_requests_n, those that an agent answered within 15 minutes, counted at the answer (count).',
    `human_reached_ratio` Nullable(Float64) COMMENT 'human_reached_n / human_requests_n, 0 to 1; NULL without requests.',
    `human_reached_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of human_reached_ratio; NULL without requests.',
    `human_reached_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of human_reached_ratio; NULL without requests.',
    `bot_loops_n` Int64 COMMENT 'Times that a bot gave the same answer, or its fallback, 3 times running, counted at the third and once a run (count).',
    `bot_loop_ratio` Nullable(Float64) COMMENT 'bot_loops_n / bot_n: loops per bot conversation that ended; may exceed 1. NULL without bot conversations.',
    `reasked_n` Int64 COMMENT 'Conversations in which the customer was asked for something again, counted at the first time (count).',
    `reasked_ratio` Nullable(Float64) COMMENT 'reasked_n / conversations_n; counted at different times, so it may exceed 1 in short windows. NULL without conversations.',
    `reopened_n` Int64 COMMENT 'Next cycles that began within 7 days of the end of the last, counted when they began (count).',
    `reopened_ratio` Nullable(Float64) COMMENT 'reopened_n / conversations_n: reopens per conversation that ended; may exceed 1. NULL without conversations.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the minute: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is what became of service conversations in one minute of one (tenant, touchpoint, channel, device). Minutes do not overlap and have no rows for all: counts may be summed, ratios may not.'
AS
SELECT
    tenant, minute, touchpoint, channel, device,
    conversations AS conversations_n,
    bot AS bot_n,
    contained AS contained_n,
    contained - returned AS contained_net_n,
    contained_n / nullIf(bot_n, 0) AS containment_ratio,
    if(bot_n > 0, greatest(0., (contained_n + 1.9208) / (bot_n + 3.8416) - 1.96 * sqrt(contained_n * (bot_n - contained_n) / nullIf(bot_n, 0) + 0.9604) / (bot_n + 3.8416)), NULL) AS containment_ci_low,
    if(bot_n > 0, least(1., (contained_n + 1.9208) / (bot_n + 3.8416) + 1.96 * sqrt(contained_n * (bot_n - contained_n) / nullIf(bot_n, 0) + 0.9604) / (bot_n + 3.8416)), NULL) AS containment_ci_high,
    contained_net_n / nullIf(bot_n, 0) AS containment_net_ratio,
    if(bot_n > 0, greatest(0., (contained_net_n + 1.9208) / (bot_n + 3.8416) - 1.96 * sqrt(contained_net_n * (bot_n - contained_net_n) / nullIf(bot_n, 0) + 0.9604) / (bot_n + 3.8416)), NULL) AS containment_net_ci_low,
    if(bot_n > 0, least(1., (contained_net_n + 1.9208) / (bot_n + 3.8416) + 1.96 * sqrt(contained_net_n * (bot_n - contained_net_n) / nullIf(bot_n, 0) + 0.9604) / (bot_n + 3.8416)), NULL) AS containment_net_ci_high,
    handoffs AS handoffs_n,
    handoffs_n / nullIf(conversations_n, 0) AS handoff_ratio,
    human_requests AS human_requests_n,
    human_reached AS human_reached_n,
    human_reached_n / nullIf(human_requests_n, 0) AS human_reached_ratio,
    if(human_requests_n > 0, greatest(0., (human_reached_n + 1.9208) / (human_requests_n + 3.8416) - 1.96 * sqrt(human_reached_n * (human_requests_n - human_reached_n) / nullIf(human_requests_n, 0) + 0.9604) / (human_requests_n + 3.8416)), NULL) AS human_reached_ci_low,
    if(human_requests_n > 0, least(1., (human_reached_n + 1.9208) / (human_requests_n + 3.8416) + 1.96 * sqrt(human_reached_n * (human_requests_n - human_reached_n) / nullIf(human_requests_n, 0) + 0.9604) / (human_requests_n + 3.8416)), NULL) AS human_reached_ci_high,
    bot_loops AS bot_loops_n,
    bot_loops_n / nullIf(bot_n, 0) AS bot_loop_ratio,
    reasked AS reasked_n,
    reasked_n / nullIf(conversations_n, 0) AS reasked_ratio,
    reopened AS reopened_n,
    reopened_n / nullIf(conversations_n, 0) AS reopened_ratio,
    is_final, revision
FROM (SELECT tenant, minute, touchpoint, channel, device, conversations, bot, contained, returned, handoffs, human_requests, human_reached, bot_loops, reasked, reopened, toBool(minute + 60 <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_service_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('5m') GROUP BY tenant))[tenant]) AS is_final, revision FROM (SELECT * FROM cx.store_service_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48)));

CREATE OR REPLACE VIEW cx.service_quality_hourly ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `hour` DateTime('UTC') COMMENT 'Start of the hour (event time), in UTC; an hour of the tenant''s time zone.',
    `day` Date COMMENT 'Day of the hour in the tenant''s time zone.',
    `hour_of_day` UInt8 COMMENT 'Hour of the day in the tenant''s time zone, 0 to 23.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `conversations_n` Int64 COMMENT 'Conversations that ended, or were silent for 24 hours, counted when that was so (count). A conversation that is reopened within 7 days is still the same one and counts at its last end.',
    `bot_n` Int64 COMMENT 'Of conversations_n, those with at least one message of a bot (count).',
    `contained_n` Int64 COMMENT 'Of bot_n, those without any message of an agent and without a handoff (count).',
    `contained_net_n` Int64 COMMENT 'Of contained_n, those whose customer began no other conversation within 72 hours after, as far as is known now (count): it falls when somebody comes back.',
    `containment_ratio` Nullable(Float64) COMMENT 'contained_n / bot_n, 0 to 1: gross containment; NULL without bot conversations.',
    `containment_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of containment_ratio; NULL without bot conversations.',
    `containment_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of containment_ratio; NULL without bot conversations.',
    `containment_net_ratio` Nullable(Float64) COMMENT 'contained_net_n / bot_n, 0 to 1: net containment; NULL without bot conversations.',
    `containment_net_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of containment_net_ratio; NULL without bot conversations.',
    `containment_net_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of containment_net_ratio; NULL without bot conversations.',
    `handoffs_n` Int64 COMMENT 'Handoffs, counted when they happened, whoever asked for them (count).',
    `handoff_ratio` Nullable(Float64) COMMENT 'handoffs_n / conversations_n: handoffs per conversation that ended; may exceed 1. NULL without conversations.',
    `human_requests_n` Int64 COMMENT 'Handoffs that the customer asked for, counted when an agent answered, at the latest when the time for it was over (count).',
    `human_reached_n` Int64 COMMENT 'Of human_requests_n, those that an agent answered within 15 minutes, counted at the answer (count).',
    `human_reached_ratio` Nullable(Float64) COMMENT 'human_reached_n / human_requests_n, 0 to 1; NULL without requests.',
    `human_reached_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of human_reached_ratio; NULL without requests.',
    `human_reached_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of human_reached_ratio; NULL without requests.',
    `bot_loops_n` Int64 COMMENT 'Times that a bot gave the same answer, or its fallback, 3 times running, counted at the third and once a run (count).',
    `bot_loop_ratio` Nullable(Float64) COMMENT 'bot_loops_n / bot_n: loops per bot conversation that ended; may exceed 1. NULL without bot conversations.',
    `reasked_n` Int64 COMMENT 'Conversations in which the customer was asked for something again, counted at the first time (count).',
    `reasked_ratio` Nullable(Float64) COMMENT 'reasked_n / conversations_n; counted at different times, so it may exceed 1 in short windows. NULL without conversations.',
    `reopened_n` Int64 COMMENT 'Next cycles that began within 7 days of the end of the last, counted when they began (count).',
    `reopened_ratio` Nullable(Float64) COMMENT 'reopened_n / conversations_n: reopens per conversation that ended; may exceed 1. NULL without conversations.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the hour: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is what became of service conversations in one hour of one (tenant, touchpoint, channel, device). Hours do not overlap and have no rows for all: counts may be summed, ratios may not.'
AS
SELECT
    tenant, hour, day, hour_of_day, touchpoint, channel, device,
    conversations AS conversations_n,
    bot AS bot_n,
    contained AS contained_n,
    contained - returned AS contained_net_n,
    contained_n / nullIf(bot_n, 0) AS containment_ratio,
    if(bot_n > 0, greatest(0., (contained_n + 1.9208) / (bot_n + 3.8416) - 1.96 * sqrt(contained_n * (bot_n - contained_n) / nullIf(bot_n, 0) + 0.9604) / (bot_n + 3.8416)), NULL) AS containment_ci_low,
    if(bot_n > 0, least(1., (contained_n + 1.9208) / (bot_n + 3.8416) + 1.96 * sqrt(contained_n * (bot_n - contained_n) / nullIf(bot_n, 0) + 0.9604) / (bot_n + 3.8416)), NULL) AS containment_ci_high,
    contained_net_n / nullIf(bot_n, 0) AS containment_net_ratio,
    if(bot_n > 0, greatest(0., (contained_net_n + 1.9208) / (bot_n + 3.8416) - 1.96 * sqrt(contained_net_n * (bot_n - contained_net_n) / nullIf(bot_n, 0) + 0.9604) / (bot_n + 3.8416)), NULL) AS containment_net_ci_low,
    if(bot_n > 0, least(1., (contained_net_n + 1.9208) / (bot_n + 3.8416) + 1.96 * sqrt(contained_net_n * (bot_n - contained_net_n) / nullIf(bot_n, 0) + 0.9604) / (bot_n + 3.8416)), NULL) AS containment_net_ci_high,
    handoffs AS handoffs_n,
    handoffs_n / nullIf(conversations_n, 0) AS handoff_ratio,
    human_requests AS human_requests_n,
    human_reached AS human_reached_n,
    human_reached_n / nullIf(human_requests_n, 0) AS human_reached_ratio,
    if(human_requests_n > 0, greatest(0., (human_reached_n + 1.9208) / (human_requests_n + 3.8416) - 1.96 * sqrt(human_reached_n * (human_requests_n - human_reached_n) / nullIf(human_requests_n, 0) + 0.9604) / (human_requests_n + 3.8416)), NULL) AS human_reached_ci_low,
    if(human_requests_n > 0, least(1., (human_reached_n + 1.9208) / (human_requests_n + 3.8416) + 1.96 * sqrt(human_reached_n * (human_requests_n - human_reached_n) / nullIf(human_requests_n, 0) + 0.9604) / (human_requests_n + 3.8416)), NULL) AS human_reached_ci_high,
    bot_loops AS bot_loops_n,
    bot_loops_n / nullIf(bot_n, 0) AS bot_loop_ratio,
    reasked AS reasked_n,
    reasked_n / nullIf(conversations_n, 0) AS reasked_ratio,
    reopened AS reopened_n,
    reopened_n / nullIf(conversations_n, 0) AS reopened_ratio,
    is_final, revision
FROM (
    SELECT tenant, toTimeZone(toStartOfHour(minutes.minute, 'UTC'), 'UTC') AS hour, toDate(hour, 'UTC') AS day, toHour(hour, 'UTC') AS hour_of_day, touchpoint, channel, device, sum(minutes.conversations) AS conversations, sum(minutes.bot) AS bot, sum(minutes.contained) AS contained, sum(minutes.returned) AS returned, sum(minutes.handoffs) AS handoffs, sum(minutes.human_requests) AS human_requests, sum(minutes.human_reached) AS human_reached, sum(minutes.bot_loops) AS bot_loops, sum(minutes.reasked) AS reasked, sum(minutes.reopened) AS reopened, toBool(hour + 3600 <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_service_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('1h', '24h', '7d') GROUP BY tenant))[tenant]) AS is_final, max(minutes.revision) AS revision
    FROM (SELECT tenant, minute, touchpoint, channel, device, conversations, bot, contained, returned, handoffs, human_requests, human_reached, bot_loops, reasked, reopened, revision FROM (SELECT * FROM cx.store_service_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48))) AS minutes
    GROUP BY tenant, hour, touchpoint, channel, device
);

CREATE OR REPLACE VIEW cx.service_quality_daily ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `day` Date COMMENT 'Day (event time) in the tenant''s time zone.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `conversations_n` Int64 COMMENT 'Conversations that ended, or were silent for 24 hours, counted when that was so (count). A conversation that is reopened within 7 days is still the same one and counts at its last end.',
    `bot_n` Int64 COMMENT 'Of conversations_n, those with at least one message of a bot (count).',
    `contained_n` Int64 COMMENT 'Of bot_n, those without any message of an agent and without a handoff (count).',
    `contained_net_n` Int64 COMMENT 'Of contained_n, those whose customer began no other conversation within 72 hours after, as far as is known now (count): it falls when somebody comes back.',
    `containment_ratio` Nullable(Float64) COMMENT 'contained_n / bot_n, 0 to 1: gross containment; NULL without bot conversations.',
    `containment_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of containment_ratio; NULL without bot conversations.',
    `containment_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of containment_ratio; NULL without bot conversations.',
    `containment_net_ratio` Nullable(Float64) COMMENT 'contained_net_n / bot_n, 0 to 1: net containment; NULL without bot conversations.',
    `containment_net_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of containment_net_ratio; NULL without bot conversations.',
    `containment_net_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of containment_net_ratio; NULL without bot conversations.',
    `handoffs_n` Int64 COMMENT 'Handoffs, counted when they happened, whoever asked for them (count).',
    `handoff_ratio` Nullable(Float64) COMMENT 'handoffs_n / conversations_n: handoffs per conversation that ended; may exceed 1. NULL without conversations.',
    `human_requests_n` Int64 COMMENT 'Handoffs that the customer asked for, counted when an agent answered, at the latest when the time for it was over (count).',
    `human_reached_n` Int64 COMMENT 'Of human_requests_n, those that an agent answered within 15 minutes, counted at the answer (count).',
    `human_reached_ratio` Nullable(Float64) COMMENT 'human_reached_n / human_requests_n, 0 to 1; NULL without requests.',
    `human_reached_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of human_reached_ratio; NULL without requests.',
    `human_reached_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of human_reached_ratio; NULL without requests.',
    `bot_loops_n` Int64 COMMENT 'Times that a bot gave the same answer, or its fallback, 3 times running, counted at the third and once a run (count).',
    `bot_loop_ratio` Nullable(Float64) COMMENT 'bot_loops_n / bot_n: loops per bot conversation that ended; may exceed 1. NULL without bot conversations.',
    `reasked_n` Int64 COMMENT 'Conversations in which the customer was asked for something again, counted at the first time (count).',
    `reasked_ratio` Nullable(Float64) COMMENT 'reasked_n / conversations_n; counted at different times, so it may exceed 1 in short windows. NULL without conversations.',
    `reopened_n` Int64 COMMENT 'Next cycles that began within 7 days of the end of the last, counted when they began (count).',
    `reopened_ratio` Nullable(Float64) COMMENT 'reopened_n / conversations_n: reopens per conversation that ended; may exceed 1. NULL without conversations.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the day: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is what became of service conversations on one day of one (tenant, touchpoint, channel, device). Days do not overlap and have no rows for all: counts may be summed, ratios may not.'
AS
SELECT
    tenant, day, touchpoint, channel, device,
    conversations AS conversations_n,
    bot AS bot_n,
    contained AS contained_n,
    contained - returned AS contained_net_n,
    contained_n / nullIf(bot_n, 0) AS containment_ratio,
    if(bot_n > 0, greatest(0., (contained_n + 1.9208) / (bot_n + 3.8416) - 1.96 * sqrt(contained_n * (bot_n - contained_n) / nullIf(bot_n, 0) + 0.9604) / (bot_n + 3.8416)), NULL) AS containment_ci_low,
    if(bot_n > 0, least(1., (contained_n + 1.9208) / (bot_n + 3.8416) + 1.96 * sqrt(contained_n * (bot_n - contained_n) / nullIf(bot_n, 0) + 0.9604) / (bot_n + 3.8416)), NULL) AS containment_ci_high,
    contained_net_n / nullIf(bot_n, 0) AS containment_net_ratio,
    if(bot_n > 0, greatest(0., (contained_net_n + 1.9208) / (bot_n + 3.8416) - 1.96 * sqrt(contained_net_n * (bot_n - contained_net_n) / nullIf(bot_n, 0) + 0.9604) / (bot_n + 3.8416)), NULL) AS containment_net_ci_low,
    if(bot_n > 0, least(1., (contained_net_n + 1.9208) / (bot_n + 3.8416) + 1.96 * sqrt(contained_net_n * (bot_n - contained_net_n) / nullIf(bot_n, 0) + 0.9604) / (bot_n + 3.8416)), NULL) AS containment_net_ci_high,
    handoffs AS handoffs_n,
    handoffs_n / nullIf(conversations_n, 0) AS handoff_ratio,
    human_requests AS human_requests_n,
    human_reached AS human_reached_n,
    human_reached_n / nullIf(human_requests_n, 0) AS human_reached_ratio,
    if(human_requests_n > 0, greatest(0., (human_reached_n + 1.9208) / (human_requests_n + 3.8416) - 1.96 * sqrt(human_reached_n * (human_requests_n - human_reached_n) / nullIf(human_requests_n, 0) + 0.9604) / (human_requests_n + 3.8416)), NULL) AS human_reached_ci_low,
    if(human_requests_n > 0, least(1., (human_reached_n + 1.9208) / (human_requests_n + 3.8416) + 1.96 * sqrt(human_reached_n * (human_requests_n - human_reached_n) / nullIf(human_requests_n, 0) + 0.9604) / (human_requests_n + 3.8416)), NULL) AS human_reached_ci_high,
    bot_loops AS bot_loops_n,
    bot_loops_n / nullIf(bot_n, 0) AS bot_loop_ratio,
    reasked AS reasked_n,
    reasked_n / nullIf(conversations_n, 0) AS reasked_ratio,
    reopened AS reopened_n,
    reopened_n / nullIf(conversations_n, 0) AS reopened_ratio,
    is_final, revision
FROM (
    SELECT tenant, toDate(minutes.minute, 'UTC') AS day, touchpoint, channel, device, sum(minutes.conversations) AS conversations, sum(minutes.bot) AS bot, sum(minutes.contained) AS contained, sum(minutes.returned) AS returned, sum(minutes.handoffs) AS handoffs, sum(minutes.human_requests) AS human_requests, sum(minutes.human_reached) AS human_reached, sum(minutes.bot_loops) AS bot_loops, sum(minutes.reasked) AS reasked, sum(minutes.reopened) AS reopened, toBool(toDateTime(day + 1, 'UTC') <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_service_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('1h', '24h', '7d') GROUP BY tenant))[tenant]) AS is_final, max(minutes.revision) AS revision
    FROM (SELECT tenant, minute, touchpoint, channel, device, conversations, bot, contained, returned, handoffs, human_requests, human_reached, bot_loops, reasked, reopened, revision FROM (SELECT * FROM cx.store_service_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48))) AS minutes
    GROUP BY tenant, day, touchpoint, channel, device
);

CREATE OR REPLACE VIEW cx.app_response ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',
    `name` LowCardinality(String) COMMENT 'Name of the response or task, as sent.',
    `n` Int64 COMMENT 'Responses (count).',
    `p50_s` Nullable(Float64) COMMENT 'Median of the duration of responses, in seconds, at most 1 % off; NULL without any.',
    `p95_s` Nullable(Float64) COMMENT '95th percentile of the duration of responses, in seconds, at most 1 % off; NULL without any.',
    `p99_s` Nullable(Float64) COMMENT '99th percentile of the duration of responses, in seconds, at most 1 % off; NULL without any.',
    `errors_n` Int64 COMMENT 'Responses with status 500 or above (count).',
    `error_ratio` Nullable(Float64) COMMENT 'errors_n / n, 0 to 1; NULL without responses.',
    `error_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of error_ratio; NULL without responses.',
    `error_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of error_ratio; NULL without responses.',
    `tasks_n` Int64 COMMENT 'Tasks, whatever their result (count).',
    `successes_n` Int64 COMMENT 'Tasks with result success (count).',
    `success_ratio` Nullable(Float64) COMMENT 'successes_n / tasks_n, 0 to 1; NULL without tasks.',
    `success_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of success_ratio; NULL without tasks.',
    `success_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of success_ratio; NULL without tasks.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the responses and tasks of one name of one (tenant, window, window_end, touchpoint, channel, device, name). Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device, name,
    durations AS n,
    p50_ms / 1000 AS p50_s,
    p95_ms / 1000 AS p95_s,
    p99_ms / 1000 AS p99_s,
    errors AS errors_n,
    errors / nullIf(n, 0) AS error_ratio,
    if(n > 0, greatest(0., (errors + 1.9208) / (n + 3.8416) - 1.96 * sqrt(errors * (n - errors) / nullIf(n, 0) + 0.9604) / (n + 3.8416)), NULL) AS error_ci_low,
    if(n > 0, least(1., (errors + 1.9208) / (n + 3.8416) + 1.96 * sqrt(errors * (n - errors) / nullIf(n, 0) + 0.9604) / (n + 3.8416)), NULL) AS error_ci_high,
    tasks AS tasks_n,
    successes AS successes_n,
    successes / nullIf(tasks, 0) AS success_ratio,
    if(tasks > 0, greatest(0., (successes + 1.9208) / (tasks + 3.8416) - 1.96 * sqrt(successes * (tasks - successes) / nullIf(tasks, 0) + 0.9604) / (tasks + 3.8416)), NULL) AS success_ci_low,
    if(tasks > 0, least(1., (successes + 1.9208) / (tasks + 3.8416) + 1.96 * sqrt(successes * (tasks - successes) / nullIf(tasks, 0) + 0.9604) / (tasks + 3.8416)), NULL) AS success_ci_high,
    is_final, revision
FROM (SELECT * FROM cx.store_app_windows FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48));

CREATE OR REPLACE VIEW cx.app_response_by ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `window` LowCardinality(String) COMMENT 'Size of the window: 5m, 1h, 24h or 7d.',
    `window_end` DateTime('UTC') COMMENT 'End of the window, exclusive: it covers [window_end - window, window_end).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; all for every touchpoint together; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; all for every channel together; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; all for every device class together; unknown when none was sent.',
    `dimension` LowCardinality(String) COMMENT 'Further dimension by which the rows are split, as configured: persona, member, locale, variant, app_version or service_hours (in or out).',
    `dimension_value` LowCardinality(String) COMMENT 'Its value; unknown when none was sent; other beyond the limit. There is no row for all values: that is the object without _by.',
    `name` LowCardinality(String) COMMENT 'Name of the response or task, as sent.',
    `n` Int64 COMMENT 'Responses (count).',
    `p50_s` Nullable(Float64) COMMENT 'Median of the duration of responses, in seconds, at most 1 % off; NULL without any.',
    `p95_s` Nullable(Float64) COMMENT '95th percentile of the duration of responses, in seconds, at most 1 % off; NULL without any.',
    `p99_s` Nullable(Float64) COMMENT '99th percentile of the duration of responses, in seconds, at most 1 % off; NULL without any.',
    `errors_n` Int64 COMMENT 'Responses with status 500 or above (count).',
    `error_ratio` Nullable(Float64) COMMENT 'errors_n / n, 0 to 1; NULL without responses.',
    `error_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of error_ratio; NULL without responses.',
    `error_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of error_ratio; NULL without responses.',
    `tasks_n` Int64 COMMENT 'Tasks, whatever their result (count).',
    `successes_n` Int64 COMMENT 'Tasks with result success (count).',
    `success_ratio` Nullable(Float64) COMMENT 'successes_n / tasks_n, 0 to 1; NULL without tasks.',
    `success_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of success_ratio; NULL without tasks.',
    `success_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of success_ratio; NULL without tasks.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the responses and tasks of one name of one (tenant, window, window_end, touchpoint, channel, device, dimension, dimension_value, name). Never sum rows with all: touchpoint, channel and device also take the value all, in every combination; pick one row of each.'
AS
SELECT
    tenant, window, window_end, touchpoint, channel, device, dimension, dimension_value, name,
    durations AS n,
    p50_ms / 1000 AS p50_s,
    p95_ms / 1000 AS p95_s,
    p99_ms / 1000 AS p99_s,
    errors AS errors_n,
    errors / nullIf(n, 0) AS error_ratio,
    if(n > 0, greatest(0., (errors + 1.9208) / (n + 3.8416) - 1.96 * sqrt(errors * (n - errors) / nullIf(n, 0) + 0.9604) / (n + 3.8416)), NULL) AS error_ci_low,
    if(n > 0, least(1., (errors + 1.9208) / (n + 3.8416) + 1.96 * sqrt(errors * (n - errors) / nullIf(n, 0) + 0.9604) / (n + 3.8416)), NULL) AS error_ci_high,
    tasks AS tasks_n,
    successes AS successes_n,
    successes / nullIf(tasks, 0) AS success_ratio,
    if(tasks > 0, greatest(0., (successes + 1.9208) / (tasks + 3.8416) - 1.96 * sqrt(successes * (tasks - successes) / nullIf(tasks, 0) + 0.9604) / (tasks + 3.8416)), NULL) AS success_ci_low,
    if(tasks > 0, least(1., (successes + 1.9208) / (tasks + 3.8416) + 1.96 * sqrt(successes * (tasks - successes) / nullIf(tasks, 0) + 0.9604) / (tasks + 3.8416)), NULL) AS success_ci_high,
    is_final, revision
FROM (SELECT * FROM cx.store_app_windows_by FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48));

CREATE OR REPLACE VIEW cx.app_response_1m ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute (event time).',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `name` LowCardinality(String) COMMENT 'Name of the response or task, as sent.',
    `n` Int64 COMMENT 'Responses (count).',
    `p50_s` Nullable(Float64) COMMENT 'Median of the duration of responses, in seconds, at most 1 % off; NULL without any.',
    `p95_s` Nullable(Float64) COMMENT '95th percentile of the duration of responses, in seconds, at most 1 % off; NULL without any.',
    `p99_s` Nullable(Float64) COMMENT '99th percentile of the duration of responses, in seconds, at most 1 % off; NULL without any.',
    `errors_n` Int64 COMMENT 'Responses with status 500 or above (count).',
    `error_ratio` Nullable(Float64) COMMENT 'errors_n / n, 0 to 1; NULL without responses.',
    `error_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of error_ratio; NULL without responses.',
    `error_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of error_ratio; NULL without responses.',
    `tasks_n` Int64 COMMENT 'Tasks, whatever their result (count).',
    `successes_n` Int64 COMMENT 'Tasks with result success (count).',
    `success_ratio` Nullable(Float64) COMMENT 'successes_n / tasks_n, 0 to 1; NULL without tasks.',
    `success_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of success_ratio; NULL without tasks.',
    `success_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of success_ratio; NULL without tasks.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the minute: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the responses and tasks of one name in one minute of one (tenant, touchpoint, channel, device, name). Minutes do not overlap and have no rows for all: counts may be summed, ratios and percentiles may not.'
AS
WITH
    […] AS bucket_values,
    arrayCumSum(mapValues(durations)) AS seen
SELECT
    tenant, minute, touchpoint, channel, device, name,
    toInt64(arraySum(mapValues(durations))) AS n,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 50 + 99, 100), seen)] + 2] / 1000, NULL) AS p50_s,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 95 + 99, 100), seen)] + 2] / 1000, NULL) AS p95_s,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 99 + 99, 100), seen)] + 2] / 1000, NULL) AS p99_s,
    errors AS errors_n,
    errors / nullIf(n, 0) AS error_ratio,
    if(n > 0, greatest(0., (errors + 1.9208) / (n + 3.8416) - 1.96 * sqrt(errors * (n - errors) / nullIf(n, 0) + 0.9604) / (n + 3.8416)), NULL) AS error_ci_low,
    if(n > 0, least(1., (errors + 1.9208) / (n + 3.8416) + 1.96 * sqrt(errors * (n - errors) / nullIf(n, 0) + 0.9604) / (n + 3.8416)), NULL) AS error_ci_high,
    tasks AS tasks_n,
    successes AS successes_n,
    successes / nullIf(tasks, 0) AS success_ratio,
    if(tasks > 0, greatest(0., (successes + 1.9208) / (tasks + 3.8416) - 1.96 * sqrt(successes * (tasks - successes) / nullIf(tasks, 0) + 0.9604) / (tasks + 3.8416)), NULL) AS success_ci_low,
    if(tasks > 0, least(1., (successes + 1.9208) / (tasks + 3.8416) + 1.96 * sqrt(successes * (tasks - successes) / nullIf(tasks, 0) + 0.9604) / (tasks + 3.8416)), NULL) AS success_ci_high,
    is_final, revision
FROM (SELECT tenant, minute, touchpoint, channel, device, name, errors, tasks, successes, durations, toBool(minute + 60 <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_app_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('5m') GROUP BY tenant))[tenant]) AS is_final, revision FROM (SELECT * FROM cx.store_app_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48)));

CREATE OR REPLACE VIEW cx.app_response_hourly ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `hour` DateTime('UTC') COMMENT 'Start of the hour (event time), in UTC; an hour of the tenant''s time zone.',
    `day` Date COMMENT 'Day of the hour in the tenant''s time zone.',
    `hour_of_day` UInt8 COMMENT 'Hour of the day in the tenant''s time zone, 0 to 23.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `name` LowCardinality(String) COMMENT 'Name of the response or task, as sent.',
    `n` Int64 COMMENT 'Responses (count).',
    `p50_s` Nullable(Float64) COMMENT 'Median of the duration of responses, in seconds, at most 1 % off; NULL without any.',
    `p95_s` Nullable(Float64) COMMENT '95th percentile of the duration of responses, in seconds, at most 1 % off; NULL without any.',
    `p99_s` Nullable(Float64) COMMENT '99th percentile of the duration of responses, in seconds, at most 1 % off; NULL without any.',
    `errors_n` Int64 COMMENT 'Responses with status 500 or above (count).',
    `error_ratio` Nullable(Float64) COMMENT 'errors_n / n, 0 to 1; NULL without responses.',
    `error_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of error_ratio; NULL without responses.',
    `error_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of error_ratio; NULL without responses.',
    `tasks_n` Int64 COMMENT 'Tasks, whatever their result (count).',
    `successes_n` Int64 COMMENT 'Tasks with result success (count).',
    `success_ratio` Nullable(Float64) COMMENT 'successes_n / tasks_n, 0 to 1; NULL without tasks.',
    `success_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of success_ratio; NULL without tasks.',
    `success_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of success_ratio; NULL without tasks.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the hour: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the responses and tasks of one name in one hour of one (tenant, touchpoint, channel, device, name). Hours do not overlap and have no rows for all: counts may be summed, ratios and percentiles may not.'
AS
WITH
    […] AS bucket_values,
    arrayCumSum(mapValues(durations)) AS seen
SELECT
    tenant, hour, day, hour_of_day, touchpoint, channel, device, name,
    toInt64(arraySum(mapValues(durations))) AS n,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 50 + 99, 100), seen)] + 2] / 1000, NULL) AS p50_s,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 95 + 99, 100), seen)] + 2] / 1000, NULL) AS p95_s,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 99 + 99, 100), seen)] + 2] / 1000, NULL) AS p99_s,
    errors AS errors_n,
    errors / nullIf(n, 0) AS error_ratio,
    if(n > 0, greatest(0., (errors + 1.9208) / (n + 3.8416) - 1.96 * sqrt(errors * (n - errors) / nullIf(n, 0) + 0.9604) / (n + 3.8416)), NULL) AS error_ci_low,
    if(n > 0, least(1., (errors + 1.9208) / (n + 3.8416) + 1.96 * sqrt(errors * (n - errors) / nullIf(n, 0) + 0.9604) / (n + 3.8416)), NULL) AS error_ci_high,
    tasks AS tasks_n,
    successes AS successes_n,
    successes / nullIf(tasks, 0) AS success_ratio,
    if(tasks > 0, greatest(0., (successes + 1.9208) / (tasks + 3.8416) - 1.96 * sqrt(successes * (tasks - successes) / nullIf(tasks, 0) + 0.9604) / (tasks + 3.8416)), NULL) AS success_ci_low,
    if(tasks > 0, least(1., (successes + 1.9208) / (tasks + 3.8416) + 1.96 * sqrt(successes * (tasks - successes) / nullIf(tasks, 0) + 0.9604) / (tasks + 3.8416)), NULL) AS success_ci_high,
    is_final, revision
FROM (
    SELECT tenant, toTimeZone(toStartOfHour(minutes.minute, 'UTC'), 'UTC') AS hour, toDate(hour, 'UTC') AS day, toHour(hour, 'UTC') AS hour_of_day, touchpoint, channel, device, name, sum(minutes.errors) AS errors, sum(minutes.tasks) AS tasks, sum(minutes.successes) AS successes, mapSort(sumMap(minutes.durations)) AS durations, toBool(hour + 3600 <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_app_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('1h', '24h', '7d') GROUP BY tenant))[tenant]) AS is_final, max(minutes.revision) AS revision
    FROM (SELECT tenant, minute, touchpoint, channel, device, name, errors, tasks, successes, durations, revision FROM (SELECT * FROM cx.store_app_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48))) AS minutes
    GROUP BY tenant, hour, touchpoint, channel, device, name
);

CREATE OR REPLACE VIEW cx.app_response_daily ON CLUSTER 'main'
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `day` Date COMMENT 'Day (event time) in the tenant''s time zone.',
    `touchpoint` LowCardinality(String) COMMENT 'Touchpoint; unknown when none was sent.',
    `channel` LowCardinality(String) COMMENT 'Channel; unknown when none was sent.',
    `device` LowCardinality(String) COMMENT 'Device class; unknown when none was sent.',
    `name` LowCardinality(String) COMMENT 'Name of the response or task, as sent.',
    `n` Int64 COMMENT 'Responses (count).',
    `p50_s` Nullable(Float64) COMMENT 'Median of the duration of responses, in seconds, at most 1 % off; NULL without any.',
    `p95_s` Nullable(Float64) COMMENT '95th percentile of the duration of responses, in seconds, at most 1 % off; NULL without any.',
    `p99_s` Nullable(Float64) COMMENT '99th percentile of the duration of responses, in seconds, at most 1 % off; NULL without any.',
    `errors_n` Int64 COMMENT 'Responses with status 500 or above (count).',
    `error_ratio` Nullable(Float64) COMMENT 'errors_n / n, 0 to 1; NULL without responses.',
    `error_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of error_ratio; NULL without responses.',
    `error_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of error_ratio; NULL without responses.',
    `tasks_n` Int64 COMMENT 'Tasks, whatever their result (count).',
    `successes_n` Int64 COMMENT 'Tasks with result success (count).',
    `success_ratio` Nullable(Float64) COMMENT 'successes_n / tasks_n, 0 to 1; NULL without tasks.',
    `success_ci_low` Nullable(Float64) COMMENT 'Lower end of the 95 % Wilson interval of success_ratio; NULL without tasks.',
    `success_ci_high` Nullable(Float64) COMMENT 'Upper end of the 95 % Wilson interval of success_ratio; NULL without tasks.',
    `is_final` Bool COMMENT 'True once the watermark has passed the end of the day: only a later correction changes the row then.',
    `revision` Int64 COMMENT 'Grows with every change of the row.'
)
COMMENT 'One row is the responses and tasks of one name on one day of one (tenant, touchpoint, channel, device, name). Days do not overlap and have no rows for all: counts may be summed, ratios and percentiles may not.'
AS
WITH
    […] AS bucket_values,
    arrayCumSum(mapValues(durations)) AS seen
SELECT
    tenant, day, touchpoint, channel, device, name,
    toInt64(arraySum(mapValues(durations))) AS n,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 50 + 99, 100), seen)] + 2] / 1000, NULL) AS p50_s,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 95 + 99, 100), seen)] + 2] / 1000, NULL) AS p95_s,
    if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * 99 + 99, 100), seen)] + 2] / 1000, NULL) AS p99_s,
    errors AS errors_n,
    errors / nullIf(n, 0) AS error_ratio,
    if(n > 0, greatest(0., (errors + 1.9208) / (n + 3.8416) - 1.96 * sqrt(errors * (n - errors) / nullIf(n, 0) + 0.9604) / (n + 3.8416)), NULL) AS error_ci_low,
    if(n > 0, least(1., (errors + 1.9208) / (n + 3.8416) + 1.96 * sqrt(errors * (n - errors) / nullIf(n, 0) + 0.9604) / (n + 3.8416)), NULL) AS error_ci_high,
    tasks AS tasks_n,
    successes AS successes_n,
    successes / nullIf(tasks, 0) AS success_ratio,
    if(tasks > 0, greatest(0., (successes + 1.9208) / (tasks + 3.8416) - 1.96 * sqrt(successes * (tasks - successes) / nullIf(tasks, 0) + 0.9604) / (tasks + 3.8416)), NULL) AS success_ci_low,
    if(tasks > 0, least(1., (successes + 1.9208) / (tasks + 3.8416) + 1.96 * sqrt(successes * (tasks - successes) / nullIf(tasks, 0) + 0.9604) / (tasks + 3.8416)), NULL) AS success_ci_high,
    is_final, revision
FROM (
    SELECT tenant, toDate(minutes.minute, 'UTC') AS day, touchpoint, channel, device, name, sum(minutes.errors) AS errors, sum(minutes.tasks) AS tasks, sum(minutes.successes) AS successes, mapSort(sumMap(minutes.durations)) AS durations, toBool(toDateTime(day + 1, 'UTC') <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until FROM cx.store_app_windows WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ('1h', '24h', '7d') GROUP BY tenant))[tenant]) AS is_final, max(minutes.revision) AS revision
    FROM (SELECT tenant, minute, touchpoint, channel, device, name, errors, tasks, successes, durations, revision FROM (SELECT * FROM cx.store_app_minutes FINAL PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48))) AS minutes
    GROUP BY tenant, day, touchpoint, channel, device, name
);

CREATE SETTINGS PROFILE IF NOT EXISTS reader ON CLUSTER 'main';

ALTER SETTINGS PROFILE reader ON CLUSTER 'main' SETTINGS
    readonly = 2 READONLY,
    allow_ddl = 0 READONLY,
    allow_introspection_functions = 0 READONLY,
    max_execution_time = 60 MIN 1 MAX 60,
    max_memory_usage = 2147483648 MIN 1 MAX 2147483648,
    max_result_rows = 10000000 MIN 1 MAX 10000000,
    max_result_bytes = 1073741824 MIN 1 MAX 1073741824,
    max_threads = 8 MIN 1 MAX 8;

CREATE ROLE IF NOT EXISTS reader ON CLUSTER 'main';

ALTER ROLE reader ON CLUSTER 'main' SETTINGS PROFILE 'reader';

GRANT ON CLUSTER 'main' SELECT, SHOW ON cx.* TO reader;
