-- What is open, and what ended within a week: the newest regression of each rule. Whatever the period: who is on call wants all of it.
SELECT
    rule, touchpoint, channel, detail, severity, value, baseline, ci_low, ci_high, n, owner, runbook, contributor, suspects,
    toUnixTimestamp64Milli(fired.at) AS fired_ms, toUnixTimestamp(assumeNotNull(ifNull(since, fired.at))) AS since,
    if(ended.at > fired.at, ended.state, '') AS ended_as, if(ended.at > fired.at, toUnixTimestamp(ended.at), NULL) AS ended_at
FROM
(
    SELECT *
    FROM {database}.regressions
    WHERE tenant = {tenant:String} AND at > now() - 90 * 86400 AND state = 'firing'
        AND ({touchpoint:String} = 'all' OR touchpoint = {touchpoint:String})
        AND ({channel:String} = 'all' OR channel = {channel:String})
    ORDER BY at DESC
    LIMIT 1 BY rule, touchpoint, channel, detail
) AS fired
LEFT JOIN
(
    SELECT rule, touchpoint, channel, detail, at, state
    FROM {database}.regressions
    WHERE tenant = {tenant:String} AND at > now() - 90 * 86400 AND state IN ('resolved', 'adopted')
    ORDER BY at DESC
    LIMIT 1 BY rule, touchpoint, channel, detail
) AS ended USING (rule, touchpoint, channel, detail)
WHERE ended_as = '' OR ended.at > now() - 7 * 86400
ORDER BY ended_as != '', severity, fired.at DESC
LIMIT 50
