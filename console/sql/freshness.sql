-- How far the numbers can be trusted now: the last 15 minutes of each family.
SELECT
    family,
    sum(accepted_n) AS accepted_n,
    sum(rejected_n) AS rejected_n,
    sum(late_n) AS late_n,
    sum(duplicate_n) AS duplicate_n,
    sum(sequence_gaps_n) AS gaps_n,
    max(freshness_s) AS freshness_s,
    argMax(lag_n, minute) AS lag_n,
    toUnixTimestamp(max(minute)) AS at
FROM {database}.data_quality
WHERE tenant = {tenant:String} AND minute > now() - 900
GROUP BY family
ORDER BY family
