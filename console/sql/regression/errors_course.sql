-- The share of failed responses, from before it rose until now.
SELECT toUnixTimestamp(window_end) AS at, n, error_ratio AS value, error_ci_low AS ci_low, error_ci_high AS ci_high
FROM {database}.app_response
WHERE tenant = {tenant:String} AND window = {course:String} AND touchpoint = {touchpoint:String} AND channel = {channel:String} AND device = 'all'
    AND name = {detail:String} AND window_end > toDateTime({course_from:Int64}) AND window_end <= toDateTime({until:Int64})
    AND toUnixTimestamp(window_end) % {course_step_s:Int64} = 0 AND n > 0
ORDER BY window_end
