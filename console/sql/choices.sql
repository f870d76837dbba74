-- What can be chosen: touchpoints, channels and devices of the last week's windows.
SELECT
    arraySort(groupUniqArray(200)(touchpoint)) AS touchpoints,
    arraySort(groupUniqArray(100)(channel)) AS channels,
    arraySort(groupUniqArray(100)(device)) AS devices
FROM
(
    SELECT touchpoint, channel, device FROM {database}.nps
    WHERE tenant = {tenant:String} AND window = '7d' AND window_end > now() - 7200
    UNION ALL
    SELECT touchpoint, channel, device FROM {database}.response_rates
    WHERE tenant = {tenant:String} AND window = '7d' AND window_end > now() - 7200
    UNION ALL
    SELECT touchpoint, channel, device FROM {database}.checkout_duration
    WHERE tenant = {tenant:String} AND window = '7d' AND window_end > now() - 7200
    UNION ALL
    SELECT touchpoint, channel, device FROM {database}.response_times
    WHERE tenant = {tenant:String} AND window = '7d' AND window_end > now() - 7200
    UNION ALL
    SELECT touchpoint, channel, device FROM {database}.app_response
    WHERE tenant = {tenant:String} AND window = '7d' AND window_end > now() - 7200
)
