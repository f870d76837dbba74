-- The score of each device, and of each channel where the rule looks at all of them, before and since.
SELECT
    if(device = 'all', 'channel', 'device') AS dimension, if(device = 'all', channel, device) AS part,
    sumIf(n, NOT is_since) AS before_n, sumIf(n, is_since) AS since_n,
    100 * sumIf(promoters_n - detractors_n, NOT is_since) / nullIf(before_n, 0) AS before_value,
    100 * sumIf(promoters_n - detractors_n, is_since) / nullIf(since_n, 0) AS since_value
FROM
(
    SELECT
        toInt64(toUnixTimestamp(window_end)) - {tile_s:Int64} AS began, began >= {since_from:Int64} AS is_since,
        channel, device, n, promoters_n, detractors_n
    FROM {database}.nps
    WHERE tenant = {tenant:String} AND window = {tile:String} AND touchpoint = {touchpoint:String}
        AND ((channel = {channel:String} AND device != 'all') OR ({channel:String} = 'all' AND channel != 'all' AND device = 'all'))
        AND {compared by window_end}
        AND (began - {since_from:Int64}) % {tile_s:Int64} = 0
        AND (is_since OR (began - {before_from:Int64}) % {cycle_s:Int64} < {length_s:Int64})
)
GROUP BY channel, device
ORDER BY dimension DESC, since_n DESC, part
LIMIT 30
