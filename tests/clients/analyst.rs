//! A server as analysts find it: with every table and view of `deploy/clickhouse`, and a little in them.

use crate::server::{PASSWORD, TestServer, WRITER};
use std::path::Path;

/// Starts a server on `directory` with everything that `setup` makes.
pub(crate) fn server_with_views(directory: &Path) -> TestServer {
    let server = TestServer::start(directory);
    let mut settings = touchstream_runtime::settings::load(None).expect("the defaults are valid").settings;
    settings.clickhouse.url = server.url().trim_end_matches('/').to_owned();
    settings.clickhouse.user = WRITER.to_owned();
    settings.clickhouse.password = touchstream_runtime::secret::Secret::new(PASSWORD);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(touchstream_sink::migrate(&settings, false)).expect("migrations apply");
    for statement in [
        "INSERT INTO cx.store_score_windows (tenant, metric, window, window_end, touchpoint, channel, device, answers, top, middle, bottom, is_final, revision) \
         VALUES ('it\\'s', 'nps', '1h', toStartOfDay(now('UTC')), 'all', 'all', 'all', 10, 6, 2, 2, 1, 3)",
        "INSERT INTO cx.store_checkout_minutes (tenant, minute, touchpoint, channel, device, step_names, step_indexes, step_reached, step_dropped, reason_names, reason_sources, \
         reason_currencies, reason_attempts, reason_values, durations, revision) VALUES ('t', toStartOfDay(now('UTC')), 'a', 'web', 'x', ['started', 'odd'], [0, NULL], [15, 2], [3, 1], \
         ['trust'], ['stated'], ['EUR'], [3], [10.5], map(10, 1, 20, 1), 4)",
        "INSERT INTO cx.store_checkouts (tenant, attempt_id, state, started_at, value, reached_steps, revision) VALUES ('t', 'a', 'open', now64(3, 'UTC'), 12.5, ['started', 'cart'], 1)",
        "INSERT INTO cx.events_app (tenant, id, type, time, received_at, extra, consent) VALUES ('t', 'e', 'app.error', now64(3, 'UTC'), now64(3, 'UTC'), map('k', 'v'), ['analytics'])",
        "INSERT INTO cx.store_quality_ingest (tenant, family, minute, instance, code, events, revision) VALUES ('t', 'app', toStartOfDay(now('UTC')), 'i', 'field_missing', 5, 1)",
    ] {
        server.write(statement);
    }
    server
}
