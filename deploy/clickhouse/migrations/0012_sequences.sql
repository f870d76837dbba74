-- Events that never arrived: senders number the events of a session (`context.seq`), and what is missing between two numbers was lost on the way.
CREATE TABLE IF NOT EXISTS {database}.store_sequences
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
ENGINE = ReplacingMergeTree(counted_at)
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, source, family, minute)
COMMENT 'Storage: one row is one count of gaps in the sequence numbers of one source within one minute. Read the view sequence_gaps.';

-- Counted here, where all families and partitions of a session meet, and not while inserting: the order of arrival does not matter, and a
-- gap closes again when what was missing comes late. Each run counts again from an hour
-- before the last minute in which anything was counted, a week at most: after a stop of ClickHouse or of the sink the events of all that
-- time come at once, and the last hour alone would leave their gaps uncounted for ever. Memory is bounded. A
-- gap counts for at most 1,000: numbers come from outside, and one of them alone must not look like a great loss.
CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.store_sequences_refresh
REFRESH EVERY 2 MINUTE APPEND TO {database}.store_sequences
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
WITH (SELECT least(greatest(max(minute), now() - INTERVAL 7 DAY), now()) FROM {database}.store_sequences) AS since
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
        FROM {database}.events_checkout WHERE received_at >= since - INTERVAL 2 HOUR AND isNotNull(session_id) AND isNotNull(seq)
        UNION ALL
        SELECT tenant, source, 'chat' AS family, cityHash64(session_id) AS session, received_at, assumeNotNull(seq) AS number
        FROM {database}.events_chat WHERE received_at >= since - INTERVAL 2 HOUR AND isNotNull(session_id) AND isNotNull(seq)
        UNION ALL
        SELECT tenant, source, 'feedback' AS family, cityHash64(session_id) AS session, received_at, assumeNotNull(seq) AS number
        FROM {database}.events_feedback WHERE received_at >= since - INTERVAL 2 HOUR AND isNotNull(session_id) AND isNotNull(seq)
        UNION ALL
        SELECT tenant, source, 'app' AS family, cityHash64(session_id) AS session, received_at, assumeNotNull(seq) AS number
        FROM {database}.events_app WHERE received_at >= since - INTERVAL 2 HOUR AND isNotNull(session_id) AND isNotNull(seq)
    )
)
WHERE minute >= toStartOfMinute(since) - INTERVAL 1 HOUR
GROUP BY tenant, source, family, minute
SETTINGS max_memory_usage = 2000000000, max_bytes_before_external_sort = 500000000, max_threads = 2
COMMENT 'Storage: counts the gaps of the last hour, and of all that came since something was last counted, again every two minutes into store_sequences.';
