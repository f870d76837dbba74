-- Response times from before they rose until now.
SELECT toUnixTimestamp(window_end) AS at, n, p50_s, p95_s, slo_s
FROM {database}.response_times
WHERE tenant = {tenant:String} AND window = {course:String} AND metric = {detail:String} AND touchpoint = {touchpoint:String}
    AND channel = {channel:String} AND device = 'all'
    AND window_end > toDateTime({course_from:Int64}) AND window_end <= toDateTime({until:Int64})
    AND toUnixTimestamp(window_end) % {course_step_s:Int64} = 0 AND n > 0
ORDER BY window_end
