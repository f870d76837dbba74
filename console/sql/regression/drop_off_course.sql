-- The share that left at the step, from before it rose until now.
SELECT toUnixTimestamp(window_end) AS at, reached_n AS n, drop_off_ratio AS value, ci_low, ci_high
FROM {database}.checkout_funnel
WHERE tenant = {tenant:String} AND window = {course:String} AND touchpoint = {touchpoint:String} AND channel = {channel:String} AND device = 'all'
    AND step = {detail:String} AND window_end > toDateTime({course_from:Int64}) AND window_end <= toDateTime({until:Int64})
    AND toUnixTimestamp(window_end) % {course_step_s:Int64} = 0 AND reached_n > 0
ORDER BY window_end
