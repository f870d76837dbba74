-- What is open now: the newest change of state of each rule, where that is firing. Whatever the period: who is on call wants all of it.
SELECT
    rule, touchpoint, channel, detail, severity, value, baseline, ci_low, ci_high, n, owner, runbook, contributor, suspects,
    toUnixTimestamp(assumeNotNull(ifNull(since, at))) AS since
FROM
(
    SELECT *
    FROM {database}.regressions
    WHERE tenant = {tenant:String} AND at > now() - 90 * 86400
        AND ({touchpoint:String} = 'all' OR touchpoint = {touchpoint:String})
        AND ({channel:String} = 'all' OR channel = {channel:String})
    ORDER BY at DESC
    LIMIT 1 BY rule, touchpoint, channel, detail
)
WHERE state = 'firing'
ORDER BY severity, since DESC
LIMIT 50
