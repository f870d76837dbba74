-- What the touchpoints file says (processor.touchpoints_file), so that results can be joined with stage, owner and importance. setup writes it anew.
CREATE OR REPLACE VIEW {database}.touchpoints
(
    `tenant` String COMMENT 'Tenant.',
    `touchpoint` String COMMENT 'Touchpoint, as in the windows and facts.',
    `stage` Nullable(String) COMMENT 'Stage of the customer''s journey; NULL when the file names none: then the stage that an event was sent with counts.',
    `owner` Nullable(String) COMMENT 'Who is to be told; NULL when the file names nobody.',
    `importance` UInt8 COMMENT 'From 1 (least) to 5 (most); 3 when the file says nothing.',
    `runbook` Nullable(String) COMMENT 'Address of what to do; NULL when the file names none.',
    `slo_first_response_s` Float64 COMMENT 'Service level of the first response, in seconds.',
    `steps` Array(String) COMMENT 'Order of the checkout''s steps, without started and completed.',
    `time_zone` String COMMENT 'Time zone of the tenant''s days, weeks and hours of the week (IANA).'
)
COMMENT 'One row is one touchpoint that the touchpoints file lists, as of the last run of setup. Touchpoints that are not listed are counted all the same.'
AS
SELECT
    row.1 AS tenant, row.2 AS touchpoint, row.3 AS stage, row.4 AS owner, row.5 AS importance, row.6 AS runbook,
    row.7 AS slo_first_response_s, row.8 AS steps, row.9 AS time_zone
FROM
(
    SELECT arrayJoin(CAST({touchpoints}, 'Array(Tuple(String, String, Nullable(String), Nullable(String), UInt8, Nullable(String), Float64, Array(String), String))')) AS row
);
