-- Whether a change in the numbers is a change in behaviour or lost data: events that never arrived, by their senders' own numbering.
CREATE OR REPLACE VIEW {database}.sequence_gaps
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
FROM {database}.store_sequences FINAL;
