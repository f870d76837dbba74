-- Who left at the step by device, and by channel where the rule looks at all of them, before and since.
SELECT
    if(device = 'all', 'channel', 'device') AS dimension, if(device = 'all', channel, device) AS part,
    sumIf(reached_n, NOT is_since) AS before_n, sumIf(reached_n, is_since) AS since_n,
    sumIf(dropped_n, NOT is_since) / nullIf(before_n, 0) AS before_value, sumIf(dropped_n, is_since) / nullIf(since_n, 0) AS since_value
FROM
(
    SELECT
        toInt64(toUnixTimestamp(window_end)) - {tile_s:Int64} AS began, began >= {since_from:Int64} AS is_since,
        channel, device, reached_n, dropped_n
    FROM {database}.checkout_funnel
    WHERE tenant = {tenant:String} AND window = {tile:String} AND touchpoint = {touchpoint:String} AND step = {detail:String}
        AND ((channel = {channel:String} AND device != 'all') OR ({channel:String} = 'all' AND channel != 'all' AND device = 'all'))
        AND {compared by window_end}
        AND (began - {since_from:Int64}) % {tile_s:Int64} = 0
        AND (is_since OR (began - {before_from:Int64}) % {cycle_s:Int64} < {length_s:Int64})
)
GROUP BY channel, device
ORDER BY dimension DESC, since_n DESC, part
LIMIT 30
