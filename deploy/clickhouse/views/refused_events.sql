-- Single refused events: the newest of each minute, reason, family and ingest process.
CREATE OR REPLACE VIEW {database}.refused_events
(
    `tenant` LowCardinality(String) COMMENT 'Tenant.',
    `minute` DateTime('UTC') COMMENT 'Start of the minute of receipt.',
    `at` DateTime64(3, 'UTC') COMMENT 'When it was received.',
    `source` LowCardinality(String) COMMENT 'Source of its write key.',
    `family` LowCardinality(String) COMMENT 'Family: checkout, chat, feedback or app; unknown for events of no known type.',
    `type` LowCardinality(String) COMMENT 'Its type; empty when it is none of the catalogue.',
    `code` LowCardinality(String) COMMENT 'Reason: the code of its first problem.',
    `field` LowCardinality(String) COMMENT 'Field of its first problem; empty for the whole event or a name that the catalogue does not know.',
    `like_it_n` Int64 COMMENT 'Events refused for the same reason within the same minute by the same process, this one included (count).'
)
COMMENT 'One row is the newest event that ingest refused within one minute for one reason (tenant, family, code, ingest process). No value of an event is kept. All refused events are counted in data_quality.'
AS
SELECT tenant, minute, at, source, family, event_type AS type, code, field, events AS like_it_n
FROM {database}.store_refused FINAL;
