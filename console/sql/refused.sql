-- Single events that ingest refused within the hour: of each minute and reason the newest, for who embeds the site. No value of an event is kept.
SELECT toUnixTimestamp64Milli(at) / 1000 AS at, source, family, type, code, field, like_it_n AS n
FROM {database}.refused_events
WHERE tenant = {tenant:String} AND minute > now() - 3600
ORDER BY refused_events.at DESC
LIMIT 20
