-- What customers wrote last, personal data masked at the door, with the score of the same submission.
WITH
    newest AS
    (
        SELECT submission_id, time, touchpoint, channel, substringUTF8(assumeNotNull(text), 1, 500) AS words
        FROM {database}.feedback
        WHERE tenant = {tenant:String} AND time > now() - 7 * 86400
            AND ({touchpoint:String} = 'all' OR touchpoint = {touchpoint:String})
            AND ({channel:String} = 'all' OR channel = {channel:String})
            AND ({device:String} = 'all' OR device = {device:String})
            AND text != '' AND is_counted AND respondent = 'customer'
        ORDER BY time DESC
        LIMIT 12
    ),
    scores AS
    (
        SELECT submission_id, argMin((metric, score, scale_max), metric != 'nps') AS said
        FROM {database}.feedback
        WHERE tenant = {tenant:String} AND time > now() - 8 * 86400 AND score IS NOT NULL AND is_counted
            AND submission_id IN (SELECT submission_id FROM newest)
        GROUP BY submission_id
    )
SELECT
    toUnixTimestamp(newest.time) AS at, newest.touchpoint AS touchpoint, newest.channel AS channel, newest.words AS text,
    said.1 AS metric, said.2 AS score, said.3 AS scale_max
FROM newest
LEFT JOIN scores ON newest.submission_id = scores.submission_id
ORDER BY at DESC
