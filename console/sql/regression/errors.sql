-- The share of failed responses by name before and since; the rule looks at one of them.
SELECT
    name AS place, sumIf(n, NOT is_since) AS before_n, sumIf(n, is_since) AS since_n,
    sumIf(errors_n, NOT is_since) / nullIf(before_n, 0) AS before_value, sumIf(errors_n, is_since) / nullIf(since_n, 0) AS since_value
FROM
(
    SELECT
        toInt64(toUnixTimestamp(window_end)) - {tile_s:Int64} AS began, began >= {since_from:Int64} AS is_since, name, n, errors_n
    FROM {database}.app_response
    WHERE tenant = {tenant:String} AND window = {tile:String} AND touchpoint = {touchpoint:String} AND channel = {channel:String} AND device = 'all'
        AND {compared by window_end}
        AND (began - {since_from:Int64}) % {tile_s:Int64} = 0
        AND (is_since OR (began - {before_from:Int64}) % {cycle_s:Int64} < {length_s:Int64})
)
GROUP BY name
HAVING before_n + since_n > 0
ORDER BY name != {detail:String}, since_n DESC, name
LIMIT 12
