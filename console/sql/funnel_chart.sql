-- Of the attempts that had an outcome, the share that did not buy, over the period. Every attempt reaches started, only a purchase reaches completed.
SELECT
    toUnixTimestamp(window_end) AS at,
    sumIf(reached_n, step = 'started') AS n,
    (n - sumIf(reached_n, step = 'completed')) / nullIf(n, 0) AS value
FROM {database}.checkout_funnel
WHERE tenant = {tenant:String} AND window = {chart_window:String}
    AND touchpoint = {touchpoint:String} AND channel = {channel:String} AND device = {device:String}
    AND window_end > now() - {span_s:UInt32} AND toUnixTimestamp(window_end) % {step_s:UInt32} = 0
GROUP BY window_end
ORDER BY window_end
