-- Attempts with an outcome: every one reaches the first step.
SELECT toInt64(toUnixTimestamp(window_end)) - {tile_s:Int64} AS began, max(reached_n) AS many
FROM {database}.checkout_funnel
WHERE tenant = {tenant:String} AND window = {tile:String} AND touchpoint = {touchpoint:String} AND channel = {channel:String} AND device = 'all'
    AND {weeks by window_end}
    AND (toInt64(toUnixTimestamp(window_end)) - {since_from:Int64}) % {tile_s:Int64} = 0
GROUP BY window_end
