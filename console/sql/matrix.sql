-- Every touchpoint's newest numbers, a row a number; the page makes rows of touchpoints of them. Channels and devices as chosen.
SELECT touchpoint, metric, n, value, ci_low, ci_high, slo_s
FROM
(
    SELECT touchpoint, 'nps' AS metric, n, value, ci_low, ci_high, NULL AS slo_s, window_end
    FROM {database}.nps
    WHERE tenant = {tenant:String} AND window = {window:String} AND channel = {channel:String} AND device = {device:String}
        AND window_end > now() - {newest_s:UInt32}
    UNION ALL
    SELECT touchpoint, 'csat' AS metric, n, value, ci_low, ci_high, NULL, window_end
    FROM {database}.csat
    WHERE tenant = {tenant:String} AND window = {window:String} AND channel = {channel:String} AND device = {device:String}
        AND window_end > now() - {newest_s:UInt32} AND scale = '1-5'
    UNION ALL
    SELECT touchpoint, 'not_bought' AS metric, sumIf(reached_n, step = 'started') AS attempts,
        (attempts - sumIf(reached_n, step = 'completed')) / nullIf(attempts, 0), NULL, NULL, NULL, window_end
    FROM {database}.checkout_funnel
    WHERE tenant = {tenant:String} AND window = {window:String} AND channel = {channel:String} AND device = {device:String}
        AND window_end > now() - {newest_s:UInt32}
    GROUP BY touchpoint, window_end
    UNION ALL
    SELECT touchpoint, 'first_response_p95' AS metric, n, p95_s, NULL, NULL, slo_s, window_end
    FROM {database}.response_times AS times
    WHERE tenant = {tenant:String} AND window = {window:String} AND channel = {channel:String} AND device = {device:String}
        AND window_end > now() - {newest_s:UInt32} AND times.metric = 'first_response_customer'
    UNION ALL
    SELECT touchpoint, 'errors' AS metric, sum(n) AS responses, sum(errors_n) / nullIf(responses, 0), NULL, NULL, NULL, window_end
    FROM {database}.app_response
    WHERE tenant = {tenant:String} AND window = {window:String} AND channel = {channel:String} AND device = {device:String}
        AND window_end > now() - {newest_s:UInt32}
    GROUP BY touchpoint, window_end
)
WHERE n > 0
ORDER BY touchpoint = 'all', touchpoint, metric, window_end DESC
LIMIT 1 BY touchpoint, metric
