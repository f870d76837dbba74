-- One regression as it was found, and how it ended.
SELECT
    rule, touchpoint, channel, detail, severity, value, baseline, ci_low, ci_high, probability, n, needed_n, baseline_n, baseline_kind,
    contributor, suspects, arrayMap(time -> toUnixTimestamp(time), suspect_times) AS suspect_times, owner, runbook,
    toUnixTimestamp(at) AS fired_at, toUnixTimestamp(assumeNotNull(ifNull(since, at))) AS since,
    toUnixTimestamp(window_start) AS window_start, toUnixTimestamp(window_end) AS window_end,
    ended.1 AS ended_as, if(ended.1 = '', NULL, toUnixTimestamp(ended.2)) AS ended_at
FROM {database}.regressions
CROSS JOIN
(
    SELECT argMin((toString(state), at), at) AS ended
    FROM {database}.regressions
    WHERE tenant = {tenant:String} AND rule = {rule:String} AND touchpoint = {touchpoint:String} AND channel = {channel:String}
        AND detail = {detail:String} AND at > fromUnixTimestamp64Milli({fired_ms:Int64}) AND state IN ('resolved', 'adopted')
) AS later
WHERE tenant = {tenant:String} AND rule = {rule:String} AND touchpoint = {touchpoint:String} AND channel = {channel:String}
    AND detail = {detail:String} AND at = fromUnixTimestamp64Milli({fired_ms:Int64}) AND state = 'firing'
LIMIT 1
