-- What ingest refused within the hour, by family and reason.
SELECT toUnixTimestamp(max(minute)) AS at, family, entry.1 AS code, sum(entry.2) AS n
FROM {database}.data_quality
ARRAY JOIN CAST(rejected, 'Array(Tuple(String, UInt64))') AS entry
WHERE tenant = {tenant:String} AND minute > now() - 3600
GROUP BY family, code
ORDER BY at DESC, n DESC
LIMIT 20
