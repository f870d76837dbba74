-- How long each table keeps its rows; applied again whenever a retention setting changes.
ALTER TABLE {database}.events_checkout MODIFY TTL toDateTime(time) + toIntervalDay({events_retention_days});
ALTER TABLE {database}.events_chat MODIFY TTL toDateTime(time) + toIntervalDay({events_retention_days});
ALTER TABLE {database}.events_feedback MODIFY TTL toDateTime(time) + toIntervalDay({events_retention_days});
ALTER TABLE {database}.events_feedback MODIFY COLUMN text Nullable(String) TTL toDateTime(time) + toIntervalDay({text_retention_days});
ALTER TABLE {database}.events_app MODIFY TTL toDateTime(time) + toIntervalDay({events_retention_days});
ALTER TABLE {database}.store_checkouts MODIFY TTL toDateTime(started_at) + toIntervalDay({events_retention_days});
ALTER TABLE {database}.store_conversations MODIFY TTL toDateTime(last_event_at) + toIntervalDay({events_retention_days});
ALTER TABLE {database}.store_answers MODIFY TTL toDateTime(time) + toIntervalDay({events_retention_days});
ALTER TABLE {database}.store_answers MODIFY COLUMN text Nullable(String) TTL toDateTime(time) + toIntervalDay({text_retention_days});
ALTER TABLE {database}.store_score_windows MODIFY TTL window_end + toIntervalDay({events_retention_days});
ALTER TABLE {database}.store_checkout_windows MODIFY TTL window_end + toIntervalDay({events_retention_days});
ALTER TABLE {database}.store_response_windows MODIFY TTL window_end + toIntervalDay({events_retention_days});
ALTER TABLE {database}.store_score_minutes MODIFY TTL minute + toIntervalDay({events_retention_days});
ALTER TABLE {database}.store_checkout_minutes MODIFY TTL minute + toIntervalDay({events_retention_days});
ALTER TABLE {database}.store_response_minutes MODIFY TTL minute + toIntervalDay({events_retention_days});
ALTER TABLE {database}.store_quality_ingest MODIFY TTL minute + toIntervalDay({events_retention_days});
ALTER TABLE {database}.store_quality_processor MODIFY TTL minute + toIntervalDay({events_retention_days});
ALTER TABLE {database}.store_quality_sink MODIFY TTL minute + toIntervalDay({events_retention_days});
