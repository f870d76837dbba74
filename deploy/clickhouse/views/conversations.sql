-- Conversation cycles, newest state, one row each.
CREATE OR REPLACE VIEW {database}.conversations
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
FROM {database}.store_conversations FINAL;
