-- Whatever ingest took of the tenant, by the time at which it came.
SELECT
    {since_from:Int64} + toInt64(floor((toInt64(toUnixTimestamp(minute)) - {since_from:Int64}) / {tile_s:Int64})) * {tile_s:Int64} AS began,
    sum(accepted_n) AS many
FROM {database}.data_quality
WHERE tenant = {tenant:String}
    AND {weeks by minute}
GROUP BY began
