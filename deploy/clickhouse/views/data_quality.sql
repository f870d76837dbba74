-- How far the numbers can be trusted, by family and minute of receipt: what ingest answered, what the processor saw, what the sink knows.
CREATE OR REPLACE VIEW {database}.data_quality
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
    FROM {database}.store_quality_ingest FINAL
    UNION ALL
    SELECT
        tenant, family, minute,
        toInt64(0), accepted, CAST(map(), 'Map(String, UInt64)'),
        late, duplicates, non_human, repeated_transactions, without_attempt, NULL, NULL, NULL
    FROM {database}.store_quality_processor FINAL
    UNION ALL
    SELECT
        tenant, family, minute,
        toInt64(0), toInt64(0), CAST(map(), 'Map(String, UInt64)'),
        toInt64(0), toInt64(0), toInt64(0), toInt64(0), toInt64(0), toNullable(freshness_ms), toNullable(lag), NULL
    FROM {database}.store_quality_sink
    UNION ALL
    SELECT
        tenant, family, minute,
        toInt64(0), toInt64(0), CAST(map(), 'Map(String, UInt64)'),
        toInt64(0), toInt64(0), toInt64(0), toInt64(0), toInt64(0), NULL, NULL, toNullable(missing)
    FROM {database}.store_sequences FINAL
)
GROUP BY tenant, family, minute;
