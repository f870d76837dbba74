-- Who left at each step before and since; the rule looks at one of them.
SELECT
    step AS place, sumIf(reached_n, NOT is_since) AS before_n, sumIf(reached_n, is_since) AS since_n,
    sumIf(dropped_n, NOT is_since) / nullIf(before_n, 0) AS before_value, sumIf(dropped_n, is_since) / nullIf(since_n, 0) AS since_value
FROM
(
    SELECT
        toInt64(toUnixTimestamp(window_end)) - {tile_s:Int64} AS began, began >= {since_from:Int64} AS is_since,
        step, step_index, reached_n, dropped_n
    FROM {database}.checkout_funnel
    WHERE tenant = {tenant:String} AND window = {tile:String} AND touchpoint = {touchpoint:String} AND channel = {channel:String} AND device = 'all'
        AND {compared by window_end}
        AND (began - {since_from:Int64}) % {tile_s:Int64} = 0
        AND (is_since OR (began - {before_from:Int64}) % {cycle_s:Int64} < {length_s:Int64})
)
WHERE step != 'completed'
GROUP BY step
ORDER BY min(step_index) ASC NULLS LAST, step
LIMIT 30
