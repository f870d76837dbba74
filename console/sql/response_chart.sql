-- First response on the customer's clock over the period.
SELECT toUnixTimestamp(window_end) AS at, n, p50_s, p95_s, slo_s
FROM {database}.response_times
WHERE tenant = {tenant:String} AND window = {chart_window:String} AND metric = 'first_response_customer'
    AND touchpoint = {touchpoint:String} AND channel = {channel:String} AND device = {device:String}
    AND window_end > now() - {span_s:UInt32} AND toUnixTimestamp(window_end) % {step_s:UInt32} = 0
ORDER BY window_end
