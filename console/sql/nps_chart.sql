-- The score over a longer time, by windows of the period: smaller ones would rest on too few answers.
SELECT toUnixTimestamp(window_end) AS at, n, value, ci_low, ci_high
FROM {database}.nps
WHERE tenant = {tenant:String} AND window = {window:String}
    AND touchpoint = {touchpoint:String} AND channel = {channel:String} AND device = {device:String}
    AND window_end > now() - {score_span_s:UInt32} AND toUnixTimestamp(window_end) % {score_step_s:UInt32} = 0
ORDER BY window_end
