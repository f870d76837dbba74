-- The newest window's steps in their order.
SELECT
    toUnixTimestamp(window_end) AS at, step, step_index, reached_n, dropped_n, open_n, drop_off_ratio, ci_low, ci_high
FROM {database}.checkout_funnel
WHERE tenant = {tenant:String} AND window = {window:String}
    AND touchpoint = {touchpoint:String} AND channel = {channel:String} AND device = {device:String}
    AND window_end =
    (
        SELECT max(window_end)
        FROM {database}.checkout_funnel
        WHERE tenant = {tenant:String} AND window = {window:String}
            AND touchpoint = {touchpoint:String} AND channel = {channel:String} AND device = {device:String}
            AND window_end > now() - {newest_s:UInt32}
    )
ORDER BY step_index ASC NULLS LAST, step
LIMIT 50
