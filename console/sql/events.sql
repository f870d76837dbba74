-- The last events that were accepted, for who embeds the site.
SELECT toUnixTimestamp64Milli(received_at) / 1000 AS at, type, source, touchpoint, channel, device, traffic, id
FROM
(
    SELECT received_at, type, source, touchpoint, channel, device, traffic, id FROM {database}.events_checkout
    WHERE tenant = {tenant:String} AND time > now() - 86400 AND received_at > now() - 3600
    ORDER BY received_at DESC LIMIT 20
    UNION ALL
    SELECT received_at, type, source, touchpoint, channel, device, traffic, id FROM {database}.events_chat
    WHERE tenant = {tenant:String} AND time > now() - 86400 AND received_at > now() - 3600
    ORDER BY received_at DESC LIMIT 20
    UNION ALL
    SELECT received_at, type, source, touchpoint, channel, device, traffic, id FROM {database}.events_feedback
    WHERE tenant = {tenant:String} AND time > now() - 86400 AND received_at > now() - 3600
    ORDER BY received_at DESC LIMIT 20
    UNION ALL
    SELECT received_at, type, source, touchpoint, channel, device, traffic, id FROM {database}.events_app
    WHERE tenant = {tenant:String} AND time > now() - 86400 AND received_at > now() - 3600
    ORDER BY received_at DESC LIMIT 20
)
ORDER BY received_at DESC
LIMIT 20
