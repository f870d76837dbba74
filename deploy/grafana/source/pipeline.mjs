// Whether the numbers can be trusted: fresh, complete, nothing rejected or lost, every service at work.
import { ERROR_LEVELS, FRESHNESS_LEVELS, coloured, lines, numbers, rows, tenant } from './lib.mjs'

export default {
  uid: 'touchstream-pipeline',
  title: 'Pipeline health',
  description: 'Data quality of a tenant (ClickHouse) and the services (Prometheus). docs/runbooks says what to do.',
  from: 'now-6h',
  refresh: '30s',
  panels: [
    'Data of this tenant',
    lines({
      title: 'Events accepted', size: [8, 7], answers: [33], unit: 'short', min: 0, label: 'family',
      description: 'Events that ingest accepted, per minute.',
      sql: `SELECT $__timeInterval(minute) AS time, toString(family) AS family, sum(accepted_n) / greatest(1, $__interval_s / 60) AS per_minute
FROM data_quality WHERE tenant = ${tenant} AND $__timeFilter(minute) GROUP BY time, family ORDER BY time`,
    }),
    lines({
      title: 'Share rejected', size: [8, 7], answers: [33], unit: 'percentunit', min: 0, label: 'family', levels: ERROR_LEVELS,
      description: 'Events that ingest refused among all. They are in no number.',
      sql: `SELECT $__timeInterval(minute) AS time, toString(family) AS family, sum(rejected_n) / nullIf(sum(accepted_n) + sum(rejected_n), 0) AS rejected_ratio
FROM data_quality WHERE tenant = ${tenant} AND $__timeFilter(minute) GROUP BY time, family ORDER BY time`,
    }),
    lines({
      title: 'Freshness', size: [8, 7], answers: [33], unit: 's', min: 0, label: 'family', levels: FRESHNESS_LEVELS,
      description: 'Longest time from receipt to visible in ClickHouse.',
      sql: `SELECT $__timeInterval(minute) AS time, toString(family) AS family, max(freshness_s) AS freshness_s
FROM data_quality WHERE tenant = ${tenant} AND $__timeFilter(minute) GROUP BY time, family ORDER BY time`,
    }),
    rows({
      title: 'Rejected by code', size: [8, 7], answers: [33], names: ['rejected_n'],
      description: 'Why events were rejected in the time range; docs/ingest.md explains the codes.',
      sql: `SELECT family, code, sum(events) AS rejected_n
FROM (SELECT family, rejected FROM data_quality WHERE tenant = ${tenant} AND $__timeFilter(minute))
ARRAY JOIN mapKeys(rejected) AS code, mapValues(rejected) AS events
GROUP BY family, code ORDER BY rejected_n DESC LIMIT 50`,
    }),
    rows({
      title: 'Left out of metrics', size: [8, 7], answers: [33],
      description: 'Late (beyond the lateness limit), copies, bots and internal traffic, completions counted before, checkouts without an id, and events missing between numbered ones.',
      sql: `SELECT family, sum(late_n) AS late, sum(duplicate_n) AS copies, sum(non_human_n) AS non_human, sum(repeated_transactions_n) AS repeated, sum(without_attempt_n) AS without_id, sum(sequence_gaps_n) AS missing
FROM data_quality WHERE tenant = ${tenant} AND $__timeFilter(minute) GROUP BY family ORDER BY family`,
    }),
    rows({
      title: 'Lost on the way, by source', size: [8, 7], answers: [33], special: { missing_ratio: { unit: 'percentunit', decimals: 2, ...coloured(ERROR_LEVELS) } },
      description: 'Events missing between the numbered events of sessions (context.seq): lost before they reached ingest.',
      sql: `SELECT source, family, missing / nullIf(missing + numbered, 0) AS missing_ratio, sum(missing_n) AS missing, sum(numbered_n) AS numbered
FROM sequence_gaps WHERE tenant = ${tenant} AND $__timeFilter(minute) GROUP BY source, family ORDER BY missing DESC LIMIT 50`,
    }),
    'Ingest',
    lines({ title: 'Requests by status', size: [8, 7], unit: 'reqps', min: 0, description: 'Answers a second by HTTP status.', queries: [['sum by (code) (rate(touchstream_ingest_requests_total[$__rate_interval]))', '{{code}}']] }),
    lines({ title: 'Events by outcome', size: [8, 7], unit: 'eps', min: 0, description: 'unavailable: answered 503, the sender repeats them.', queries: [['sum by (outcome) (rate(touchstream_ingest_events_total[$__rate_interval]))', '{{outcome}}']] }),
    lines({ title: 'Time to acknowledgement', size: [8, 7], unit: 's', min: 0, description: 'From handing over to Kafka to its acknowledgement.', queries: [['histogram_quantile(0.5, sum by (le) (rate(touchstream_ingest_ack_seconds_bucket[$__rate_interval])))', 'median'], ['touchstream:ingest_ack_seconds:p99_5m', '99th percentile']] }),
    lines({ title: 'Spool', size: [8, 7], unit: 'bytes', min: 0, description: 'Events that wait on disk while Kafka is away.', queries: [['sum by (instance) (touchstream_ingest_spool_bytes)', '{{instance}}'], ['sum by (instance) (touchstream_ingest_spool_quarantine_bytes)', '{{instance}} quarantine']] }),
    lines({ title: 'Refused by limits', size: [8, 7], unit: 'reqps', min: 0, description: 'key_rate, auth_failures (429), busy (503), address_connections.', queries: [['sum by (limit) (rate(touchstream_ingest_limited_total[$__rate_interval]))', '{{limit}}']] }),
    lines({ title: 'Rejected events by code', size: [8, 7], unit: 'eps', min: 0, description: 'All tenants together.', queries: [['sum by (code) (rate(touchstream_ingest_rejected_total[$__rate_interval]))', '{{code}}']] }),
    'Processor and sink',
    lines({ title: 'Records not read yet', size: [8, 7], unit: 'short', min: 0, description: 'Lag by group and topic.', queries: [['touchstream:consumer_lag:sum', '{{group}} {{topic}}']] }),
    lines({ title: 'Watermark behind the clock', size: [8, 7], unit: 's', min: 0, description: 'The slowest partition holds back every window; touchstream doctor names it.', queries: [['max by (topic, partition) (touchstream_processor_watermark_lag_seconds)', '{{topic}}-{{partition}}']] }),
    lines({ title: 'Event to visible', size: [8, 7], unit: 's', min: 0, levels: FRESHNESS_LEVELS, description: '95th percentile by table.', queries: [['touchstream:freshness_seconds:p95_5m', '{{table}}']] }),
    lines({ title: 'Transactions', size: [8, 7], unit: 's', min: 0, description: '99th percentile from settling to commit, by stage.', queries: [['touchstream:processor_transaction_seconds:p99_5m', '{{stage}}']] }),
    lines({ title: 'Sessions that failed', size: [8, 7], unit: 'short', min: 0, description: 'Each goes back to the last commit; nothing is lost or counted twice.', queries: [['sum by (stage) (increase(touchstream_processor_sessions_failed_total[15m]))', '{{stage}}']] }),
    lines({ title: 'Rows stored', size: [8, 7], unit: 'short', min: 0, description: 'Rows a second by table; retries of inserts.', queries: [['sum by (table) (rate(touchstream_sink_rows_total[$__rate_interval]))', '{{table}}'], ['sum(rate(touchstream_sink_insert_retries_total[$__rate_interval]))', 'retries of inserts']] }),
    'Services',
    lines({ title: 'Reachable', size: [12, 6], unit: 'short', min: 0, max: 1, description: '1: Prometheus reads its metrics, and (on one machine) it says that it is ready.', queries: [['min by (job, instance) (up{job=~"touchstream.*"})', '{{job}} {{instance}}'], ['min by (service) (touchstream_up_service_ready)', '{{service}} ready']] }),
    lines({ title: 'ClickHouse (embedded engine)', size: [12, 6], unit: 'short', min: 0, description: 'Queries a second and queries under way.', queries: [['sum(rate(touchstream_clickhouse_queries_total[$__rate_interval]))', 'queries a second'], ['sum(touchstream_clickhouse_running_queries)', 'under way']] }),
  ],
}
