-- Answered waits by log bucket before and since, by channel and device. Only the stored minutes hold buckets; the condition on revision is
-- that of all views: what a replay has not made visible yet is not read.
SELECT
    channel, device, is_since, sum(breached) AS breached_n,
    mapKeys(sumMap(durations)) AS buckets, mapValues(sumMap(durations)) AS counts
FROM
(
    SELECT toInt64(toUnixTimestamp(minute)) AS began, began >= {since_from:Int64} AS is_since, channel, device, breached, durations
    FROM {database}.store_response_minutes FINAL
    PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM {database}.store_epochs), 48)
    WHERE tenant = {tenant:String} AND metric = {detail:String} AND touchpoint = {touchpoint:String}
        AND ({channel:String} = 'all' OR channel = {channel:String})
        AND {compared by minute}
        AND (is_since OR (began - {before_from:Int64}) % {cycle_s:Int64} < {length_s:Int64})
)
GROUP BY channel, device, is_since
LIMIT 400
