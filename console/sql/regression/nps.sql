-- Promoters, passives and detractors before and since: windows that lie side by side.
SELECT
    place, sumIf(many, NOT is_since) AS before_n, sumIf(many, is_since) AS since_n
FROM
(
    SELECT
        toInt64(toUnixTimestamp(window_end)) - {tile_s:Int64} AS began, began >= {since_from:Int64} AS is_since,
        [('promoters', promoters_n), ('passives', passives_n), ('detractors', detractors_n)] AS classes
    FROM {database}.nps
    WHERE tenant = {tenant:String} AND window = {tile:String} AND touchpoint = {touchpoint:String} AND channel = {channel:String} AND device = 'all'
        AND {compared by window_end}
        AND (began - {since_from:Int64}) % {tile_s:Int64} = 0
        AND (is_since OR (began - {before_from:Int64}) % {cycle_s:Int64} < {length_s:Int64})
)
ARRAY JOIN classes.1 AS place, classes.2 AS many
GROUP BY place
ORDER BY indexOf(['promoters', 'passives', 'detractors'], place)
