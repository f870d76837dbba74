-- The newest window: the score with its interval, and who said what.
SELECT
    toUnixTimestamp(window_end) AS at, n, promoters_n, passives_n, detractors_n, value, ci_low, ci_high
FROM {database}.nps
WHERE tenant = {tenant:String} AND window = {window:String}
    AND touchpoint = {touchpoint:String} AND channel = {channel:String} AND device = {device:String}
    AND window_end > now() - {newest_s:UInt32} AND n > 0
ORDER BY window_end DESC
LIMIT 1
