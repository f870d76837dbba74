-- Releases, campaigns and the like, for the charts.
SELECT toUnixTimestamp(time) AS at, name, app_version
FROM {database}.events_app
WHERE tenant = {tenant:String} AND type = 'app.change' AND time > now() - {score_span_s:UInt32}
ORDER BY time DESC
LIMIT 50
