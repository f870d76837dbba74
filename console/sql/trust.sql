-- Whether anything came, was lost, or is not judged: what the panel says in words. The minute of the last event within six hours, the numbers missing
-- in the sequences of sessions within an hour, what was refused then, and what the rules say of ingest itself.
SELECT
    (SELECT toUnixTimestamp(max(minute)) FROM {database}.data_quality
     WHERE tenant = {tenant:String} AND minute > now() - 21600 AND accepted_n > 0) AS last_at,
    (SELECT (toInt64(sum(ifNull(sequence_gaps_n, 0))), toInt64(sum(late_n)), toInt64(sum(rejected_n))) FROM {database}.data_quality
     WHERE tenant = {tenant:String} AND minute > now() - 3600) AS lost,
    lost.1 AS gaps_n, lost.2 AS late_n, lost.3 AS rejected_n,
    (SELECT (minIf(toUnixTimestamp(ifNull(since, at)), rule = 'nothing_arrives' AND state = 'firing'),
             minIf(toUnixTimestamp(at), state = 'ingest_unhealthy'), countIf(state = 'ingest_unhealthy'))
     FROM
     (
        SELECT rule, state, since, at FROM {database}.regressions
        WHERE tenant = {tenant:String} AND at > now() - 90 * 86400
        ORDER BY at DESC
        LIMIT 1 BY rule, touchpoint, channel, detail
     )) AS told,
    told.1 AS nothing_since, told.2 AS unjudged_since, told.3 AS unjudged_n
