-- Checkout attempts, newest state, one row each.
CREATE OR REPLACE VIEW {database}.checkouts
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
FROM {database}.store_checkouts FINAL;
