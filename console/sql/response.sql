-- The newest window of each response metric.
SELECT
    toUnixTimestamp(window_end) AS at, metric, n, p50_s, p95_s, slo_s, breached_n, waiting_n
FROM {database}.response_times
WHERE tenant = {tenant:String} AND window = {window:String}
    AND touchpoint = {touchpoint:String} AND channel = {channel:String} AND device = {device:String}
    AND window_end > now() - {newest_s:UInt32}
ORDER BY window_end DESC
LIMIT 1 BY metric
