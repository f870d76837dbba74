//! The objects that readers see: documented to the last column, safe to create again, and right about hand-made rows.

#[expect(dead_code, reason = "this test needs no sink")]
mod harness;

use harness::Machine;

#[test]
#[ignore = "started by the other tests as a process of its own"]
fn role() {
    harness::play_role();
}

async fn rows(machine: &Machine, sql: &str) -> String {
    machine.ask(sql).await.unwrap_or_else(|| panic!("failed to ask {sql}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_documented_repeatable_and_right() {
    let mut machine = Machine::start(false, "").await;
    let pending = touchstream_sink::migrate(&machine.settings, true).await.expect("a dry run needs nothing");
    let applied = touchstream_sink::migrate(&machine.settings, false).await.expect("migrations apply");
    assert_eq!(pending, applied, "a dry run names what would be applied");
    let again = touchstream_sink::migrate(&machine.settings, false).await.expect("repeating is safe");
    assert_eq!(again, Vec::<String>::new());

    documented(&machine).await;
    scores(&machine).await;
    shares(&machine).await;
    apps(&machine).await;
    services(&machine).await;
    checkout(&machine).await;
    responses(&machine).await;
    facts(&machine).await;
    quality(&machine).await;

    touchpoints(&mut machine).await;

    machine.settings.clickhouse.table_retention_days.insert("events_chat".to_owned(), 30);
    let retention = touchstream_sink::migrate(&machine.settings, false).await.expect("retention can change");
    assert_eq!(retention, ["ttl"]);
    let kept = rows(&machine, "SELECT create_table_query LIKE '%toIntervalDay(30)%' FROM system.tables WHERE database = 'cx' AND name = 'events_chat'").await;
    assert_eq!(kept, "1\n");

    machine
        .ask("INSERT INTO cx.schema_migrations VALUES ('0005_facts', 'other', now64(3, 'UTC') + 1)")
        .await
        .expect("a row for the test");
    let refused = touchstream_sink::migrate(&machine.settings, false).await;
    let message = refused.expect_err("a changed migration is refused").to_string();
    assert!(message.contains("0005_facts"), "{message}");
}

async fn documented(machine: &Machine) {
    let bare = "SELECT name FROM system.tables WHERE database = 'cx' AND comment = ''";
    assert_eq!(rows(machine, bare).await, "", "every object has a comment");
    let bare = "SELECT table, name FROM system.columns WHERE database = 'cx' AND comment = ''";
    assert_eq!(rows(machine, bare).await, "", "every column has a comment");
    let states = "SELECT table, name FROM system.columns WHERE database = 'cx' AND type LIKE '%Aggregate%' AND table NOT LIKE 'store_%'";
    assert_eq!(rows(machine, states).await, "", "readers see finished columns only");
    let alone = "events_checkout events_chat events_feedback events_app checkouts conversations feedback data_quality";
    let cut = "nps csat ces response_rates checkout_funnel checkout_abandonment checkout_duration response_times service_quality app_response";
    let forms = cut
        .split(' ')
        .flat_map(|object| ["", "_by", "_1m", "_hourly", "_daily"].map(|form| format!("{object}{form}")));
    for object in alone.split(' ').map(str::to_owned).chain(forms) {
        let first = format!(
            "SELECT name FROM system.columns WHERE database = 'cx' AND table = '{object}' AND position = 1"
        );
        assert_eq!(rows(machine, &first).await, "tenant\n", "{object}");
        let all = format!("SELECT count() FROM (SELECT * FROM cx.{object} LIMIT 1)");
        assert_eq!(rows(machine, &all).await, "0\n", "{object} can be read");
    }
}

/// Hours and days are those of the tenant's time zone, and their counts, percentiles and intervals those of all their minutes together.
async fn periods(machine: &Machine) {
    let columns =
        "tenant, metric, detail, minute, touchpoint, channel, device, answers, top, middle, bottom, revision";
    let score = |tenant: &str, metric: &str, minute: &str, counts: &str| {
        format!("('{tenant}', '{metric}', '1-5', '{minute}', 'a', 'web', 'x', {counts})")
    };
    // 15:30 UTC is 16:30 in Berlin; 23:10 UTC of the second of March is 00:10 of the third there, and 04:40 in Kolkata.
    let mut values = Vec::new();
    for tenant in ["b", "k", "u"] {
        values.push(score(tenant, "csat", "2026-03-02 15:30:00", "3, 1, 0, 2, 1"));
        values.push(score(tenant, "csat", "2026-03-02 15:59:00", "5, 1, 0, 4, 2"));
        values.push(score(tenant, "csat", "2026-03-02 15:59:00", "7, 3, 0, 4, 7"));
        values.push(score(tenant, "csat", "2026-03-02 23:10:00", "10, 1, 0, 9, 3"));
        values.push(score(tenant, "nps", "2026-03-02 23:10:00", "10, 6, 2, 2, 3"));
    }
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    insert(machine, "store_score_minutes", columns, &values).await;
    // How far the watermark is: to the end of the day in Kolkata, to a quarter of an hour before it in Berlin, to midnight for everybody else.
    let columns = "tenant, metric, detail, window, window_end, touchpoint, channel, device, answers, top, middle, bottom, is_final, revision";
    let window = |tenant: &str, window: &str, end: &str, is_final: u8| {
        format!(
            "('{tenant}', 'csat', '1-5', '{window}', '{end}', 'all', 'all', 'all', 1, 0, 0, 1, {is_final}, 1)"
        )
    };
    let windows = [
        window("k", "1h", "2026-03-02 18:30:00", 1),
        window("b", "24h", "2026-03-02 22:45:00", 1),
        window("b", "1h", "2026-03-02 23:00:00", 0),
        window("u", "7d", "2026-03-03 00:00:00", 1),
    ];
    insert(machine, "store_score_windows", columns, &windows.each_ref().map(String::as_str)).await;
    let daily = "SELECT tenant, day, n, satisfied_n, round(ci_low, 3), round(ci_high, 3), is_final, revision FROM cx.csat_daily WHERE day >= '2026-03-01' AND day < '2026-04-01' ORDER BY tenant, day";
    // Wilson for 4 of 10, 1 of 10 and 5 of 20, by hand.
    assert_eq!(
        rows(machine, daily).await,
        "b\t2026-03-02\t10\t4\t0.168\t0.687\tfalse\t7\nb\t2026-03-03\t10\t1\t0.018\t0.404\tfalse\t3\n\
         k\t2026-03-02\t10\t4\t0.168\t0.687\ttrue\t7\nk\t2026-03-03\t10\t1\t0.018\t0.404\tfalse\t3\n\
         u\t2026-03-02\t20\t5\t0.112\t0.469\ttrue\t7\n"
    );
    let hourly = "SELECT tenant, hour, day, hour_of_day, n, is_final FROM cx.csat_hourly WHERE hour >= '2026-03-01 00:00:00' AND hour < '2026-04-01 00:00:00' ORDER BY tenant, hour";
    assert_eq!(
        rows(machine, hourly).await,
        "b\t2026-03-02 15:00:00\t2026-03-02\t16\t10\ttrue\nb\t2026-03-02 23:00:00\t2026-03-03\t0\t10\tfalse\n\
         k\t2026-03-02 15:30:00\t2026-03-02\t21\t10\ttrue\nk\t2026-03-02 22:30:00\t2026-03-03\t4\t10\tfalse\n\
         u\t2026-03-02 15:00:00\t2026-03-02\t15\t10\ttrue\nu\t2026-03-02 23:00:00\t2026-03-02\t23\t10\ttrue\n"
    );
    let nps = "SELECT day, n, value, round(ci_low, 1), round(ci_high, 1) FROM cx.nps_daily WHERE tenant = 'b' AND day = '2026-03-03'";
    assert_eq!(rows(machine, nps).await, "2026-03-03\t10\t40\t-12.6\t74.1\n");

    let columns = "tenant, minute, touchpoint, channel, device, step_names, step_indexes, step_reached, step_dropped, \
        reason_names, reason_sources, reason_currencies, reason_attempts, reason_values, within_3min, within_15min, durations, revision";
    insert(machine, "store_checkout_minutes", columns, &[
        "('u', '2026-03-02 10:00:00', 'a', 'web', 'x', ['started', 'odd'], [0, NULL], [15, 2], [3, 1], ['trust'], ['stated'], ['EUR'], [3], [10.5], 1, 2, map(10, 1, 20, 1), 4)",
        "('u', '2026-03-02 10:59:00', 'a', 'web', 'x', ['started', 'odd'], [0, 9], [5, 3], [2, 1], ['trust', 'trust'], ['stated', 'stated'], ['EUR', 'USD'], [1, 1], [1.25, 7], 0, 1, map(5, 2), 9)",
    ]).await;
    let at = "tenant = 'u' AND hour = '2026-03-02 10:00:00'";
    let funnel = format!(
        "SELECT step, step_index, reached_n, dropped_n, drop_off_ratio, round(ci_low, 3), round(ci_high, 3), revision FROM cx.checkout_funnel_hourly WHERE {at} ORDER BY step_index"
    );
    assert_eq!(
        rows(machine, &funnel).await,
        "started\t0\t20\t5\t0.25\t0.112\t0.469\t9\nodd\t9\t5\t2\t0.4\t0.118\t0.769\t9\n"
    );
    let reasons = format!(
        "SELECT reason, currency, n, value_sum FROM cx.checkout_abandonment_hourly WHERE {at} ORDER BY currency"
    );
    assert_eq!(rows(machine, &reasons).await, "trust\tEUR\t4\t11.75\ntrust\tUSD\t1\t7\n");
    // Buckets 5, 5, 10, 20: the nearest rank of the median is the second.
    let value =
        f64::from(i32::try_from(touchstream_schemas::log_buckets::value_of(5)).expect("small")) / 1_000.0;
    let durations = format!(
        "SELECT n, p50_s, within_3min_n, within_15min_ratio FROM cx.checkout_duration_hourly WHERE {at}"
    );
    assert_eq!(rows(machine, &durations).await, format!("4\t{value}\t1\t0.75\n"));
    // A time in the question reaches the table's own keys: parts and granules of other times are not read.
    let plan = rows(
        machine,
        "SELECT explain FROM (EXPLAIN indexes = 1 SELECT * FROM cx.csat_hourly WHERE tenant = 't' AND hour >= '2026-03-02 00:00:00' AND hour < '2026-03-03 00:00:00')",
    )
    .await;
    assert!(plan.contains("Condition: ") && plan.contains("(toTimezone(toStartOfHour(minute, "), "{plan}");
}

async fn insert(machine: &Machine, table: &str, columns: &str, values: &[&str]) {
    for values in values {
        // Retention counts from today, so the rows are of today: `@60` is one minute after midnight.
        let values = values.replace('@', "toStartOfDay(now('UTC')) + ");
        let sql = format!("INSERT INTO cx.{table} ({columns}) VALUES {values}");
        machine.ask(&sql).await.unwrap_or_else(|| panic!("failed to run {sql}"));
    }
}

async fn scores(machine: &Machine) {
    let columns = "tenant, metric, window, window_end, touchpoint, channel, device, answers, top, middle, bottom, is_final, revision";
    insert(
        machine,
        "store_score_windows",
        columns,
        &[
            "('t', 'nps', '1h', @3600, 'all', 'all', 'all', 3, 1, 1, 1, 0, 1)",
            "('t', 'nps', '1h', @3600, 'all', 'all', 'all', 10, 6, 2, 2, 1, 3)",
            "('t', 'nps', '1h', @3600, 'all', 'all', 'all', 9, 6, 2, 1, 0, 2)",
            "('t', 'nps', '1h', @7200, 'all', 'all', 'all', 0, 0, 0, 0, 1, 5)",
            "('t', 'nps', '1h', @10800, 'all', 'all', 'all', 1, 1, 0, 0, 1, 5)",
        ],
    )
    .await;
    // By hand: p = 6.75/13, d = 2.75/13, 100 * (4/13 -+ 1.96 * sqrt((9.5/13 - (4/13)^2)/13)) = -12.6 and 74.1.
    let found = rows(machine, "SELECT n, promoters_n, passives_n, detractors_n, value, round(ci_low, 1), round(ci_high, 1), is_final, revision FROM cx.nps ORDER BY window_end").await;
    assert_eq!(
        found,
        "10\t6\t2\t2\t40\t-12.6\t74.1\ttrue\t3\n\
         0\t0\t0\t0\t\\N\t\\N\t\\N\ttrue\t5\n\
         1\t1\t0\t0\t100\t-48.5\t98.5\ttrue\t5\n"
    );
    let columns =
        "tenant, metric, minute, touchpoint, channel, device, answers, top, middle, bottom, revision";
    let minute = |start: &str| format!("('t', 'nps', {start}, 'a', 'web', 'x', 2, 1, 0, 1, 1)");
    let minutes = ["@60", "@120", "@180"].map(minute);
    insert(machine, "store_score_minutes", columns, &minutes.each_ref().map(String::as_str)).await;
    let by_minute = "SELECT toMinute(minute), n, value, is_final FROM cx.nps_1m ORDER BY minute";
    assert_eq!(
        rows(machine, by_minute).await,
        "1\t2\t0\tfalse\n2\t2\t0\tfalse\n3\t2\t0\tfalse\n",
        "nobody has told yet how far the watermark is"
    );
    let columns = "tenant, metric, window, window_end, touchpoint, channel, device, answers, top, middle, bottom, is_final, revision";
    insert(
        machine,
        "store_score_windows",
        columns,
        &[
            "('t', 'nps', '5m', @180, 'all', 'all', 'all', 4, 2, 0, 2, 1, 1)",
            "('t', 'nps', '5m', @240, 'all', 'all', 'all', 6, 3, 0, 3, 0, 1)",
            "('t', 'other', '5m', @240, 'all', 'all', 'all', 6, 3, 0, 3, 1, 1)",
            "('s', 'nps', '5m', @240, 'all', 'all', 'all', 6, 3, 0, 3, 1, 1)",
        ],
    )
    .await;
    assert_eq!(
        rows(machine, by_minute).await,
        "1\t2\t0\ttrue\n2\t2\t0\ttrue\n3\t2\t0\tfalse\n",
        "a minute is final when the watermark of its tenant and metric has passed its end"
    );
}

async fn shares(machine: &Machine) {
    let columns = "tenant, metric, detail, window, window_end, touchpoint, channel, device, answers, top, middle, bottom, is_final, revision";
    let values = [
        "('t', 'csat', '1-5', '1h', @3600, 'all', 'all', 'all', 20, 5, 0, 15, 1, 1)",
        "('t', 'csat', '0-10', '1h', @3600, 'all', 'all', 'all', 0, 0, 0, 0, 1, 1)",
        "('t', 'ces', '1-7', '1h', @3600, 'all', 'all', 'all', 10, 4, 0, 6, 1, 1)",
        "('t', 'response_rate', '', '1h', @3600, 'all', 'all', 'all', 20, 5, 0, 15, 1, 1)",
    ];
    insert(machine, "store_score_windows", columns, &values).await;
    // Wilson for 5 of 20 and 4 of 10, by hand.
    let found = rows(machine, "SELECT scale, n, satisfied_n, value, round(ci_low, 3), round(ci_high, 3) FROM cx.csat ORDER BY scale").await;
    assert_eq!(found, "0-10\t0\t0\t\\N\t\\N\t\\N\n1-5\t20\t5\t0.25\t0.112\t0.469\n");
    let found =
        rows(machine, "SELECT scale, n, satisfied_n, value, round(ci_low, 3), round(ci_high, 3) FROM cx.ces")
            .await;
    assert_eq!(found, "1-7\t10\t4\t0.4\t0.168\t0.687\n");
    let found = rows(
        machine,
        "SELECT shown_n, answered_n, ratio, round(ci_low, 3), round(ci_high, 3) FROM cx.response_rates",
    )
    .await;
    assert_eq!(found, "20\t5\t0.25\t0.112\t0.469\n");
    let columns = format!("{columns}, dimension, dimension_value");
    let by = ["('t', 'csat', '1-5', '1h', @3600, 'all', 'all', 'all', 4, 3, 0, 1, 1, 1, 'variant', 'B')"];
    insert(machine, "store_score_windows_by", &columns, &by).await;
    let found = rows(machine, "SELECT dimension, dimension_value, scale, n, value FROM cx.csat_by").await;
    assert_eq!(found, "variant\tB\t1-5\t4\t0.75\n");
}

async fn services(machine: &Machine) {
    let counts = "conversations, bot, contained, returned, handoffs, human_requests, human_reached, bot_loops, reasked, reopened";
    let columns =
        format!("tenant, window, window_end, touchpoint, channel, device, {counts}, is_final, revision");
    let values = [
        "('t', '1h', @3600, 'all', 'all', 'all', 40, 20, 15, 10, 8, 10, 4, 2, 6, 4, 0, 7)",
        "('t', '1h', @3600, 'all', 'all', 'all', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6)",
        "('t', '5m', @3600, 'all', 'all', 'all', 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1)",
    ];
    insert(machine, "store_service_windows", &columns, &values).await;
    let shown = "window, conversations_n, bot_n, contained_n, contained_net_n, containment_ratio, containment_net_ratio, \
        round(containment_net_ci_low, 3), round(containment_net_ci_high, 3), handoffs_n, handoff_ratio, human_requests_n, human_reached_n, \
        human_reached_ratio, round(human_reached_ci_low, 3), round(human_reached_ci_high, 3), bot_loops_n, bot_loop_ratio, reasked_n, \
        reasked_ratio, reopened_n, reopened_ratio, is_final, revision";
    let found = rows(machine, &format!("SELECT {shown} FROM cx.service_quality ORDER BY window")).await;
    // Wilson for 5 of 20 and 4 of 10, by hand.
    assert_eq!(
        found,
        "1h\t40\t20\t15\t5\t0.75\t0.25\t0.112\t0.469\t8\t0.2\t10\t4\t0.4\t0.168\t0.687\t2\t0.1\t6\t0.15\t4\t0.1\tfalse\t7\n\
         5m\t0\t0\t0\t0\t\\N\t\\N\t\\N\t\\N\t1\t\\N\t0\t0\t\\N\t\\N\t\\N\t0\t\\N\t0\t\\N\t0\t\\N\tfalse\t1\n"
    );
    let columns = format!("tenant, minute, touchpoint, channel, device, {counts}, revision");
    let values = ["('t', @60, 'a', 'chat', 'x', 2, 2, 2, 1, 0, 0, 0, 0, 0, 0, 1)"];
    insert(machine, "store_service_minutes", &columns, &values).await;
    let found = rows(
        machine,
        "SELECT conversations_n, contained_net_n, containment_ratio FROM cx.service_quality_1m",
    )
    .await;
    assert_eq!(found, "2\t1\t1\n");
    // Two cycles with one number, of a conversation that began anew.
    let columns = "tenant, conversation_id, cycle, cycle_id, touchpoint, channel, device, state, started_at, last_event_at, initiator, is_deleted, revision";
    let cycle = |id: &str, revision: i64| {
        format!(
            "('u', 'v', 1, '{id}', 's', 'chat', 'x', 'open', @-3000000, @-3000000, 'customer', 0, {revision})"
        )
    };
    insert(machine, "store_conversations", columns, &[&cycle("1000", 2), &cycle("2000", 1)]).await;
    let found =
        rows(machine, "SELECT cycle, cycle_id FROM cx.conversations WHERE tenant = 'u' ORDER BY cycle_id")
            .await;
    assert_eq!(found, "1\t1000\n1\t2000\n");
}

async fn apps(machine: &Machine) {
    let columns = "tenant, name, window, window_end, touchpoint, channel, device, durations, p50_ms, p95_ms, p99_ms, errors, tasks, successes, is_final, revision";
    let values = [
        "('t', 'search', '1h', @3600, 'all', 'all', 'all', 20, 120, 900, 1500, 5, 10, 4, 0, 1)",
        "('t', 'login', '1h', @3600, 'all', 'all', 'all', 0, NULL, NULL, NULL, 0, 1, 1, 0, 1)",
    ];
    insert(machine, "store_app_windows", columns, &values).await;
    let shown = "name, n, p50_s, p95_s, p99_s, errors_n, error_ratio, round(error_ci_low, 3), round(error_ci_high, 3), tasks_n, success_ratio, \
        round(success_ci_low, 3), round(success_ci_high, 3)";
    let found = rows(machine, &format!("SELECT {shown} FROM cx.app_response ORDER BY name")).await;
    assert_eq!(
        found,
        "login\t0\t\\N\t\\N\t\\N\t0\t\\N\t\\N\t\\N\t1\t1\t0.207\t1\n\
         search\t20\t0.12\t0.9\t1.5\t5\t0.25\t0.112\t0.469\t10\t0.4\t0.168\t0.687\n"
    );
    let columns =
        "tenant, name, minute, touchpoint, channel, device, durations, errors, tasks, successes, revision";
    let values = ["('t', 'search', @60, 'a', 'web', 'x', map(-1, 1, 0, 1), 1, 2, 1, 1)"];
    insert(machine, "store_app_minutes", columns, &values).await;
    let found = rows(
        machine,
        "SELECT name, n, p50_s, p99_s, error_ratio, tasks_n, success_ratio FROM cx.app_response_1m",
    )
    .await;
    assert_eq!(found, "search\t2\t0\t0.001\t0.5\t2\t0.5\n");
}

async fn checkout(machine: &Machine) {
    let columns = "tenant, window, window_end, touchpoint, channel, device, step_names, step_indexes, step_reached, step_dropped, step_open, \
        reason_names, reason_sources, reason_currencies, reason_attempts, reason_values, within_3min, within_15min, durations, p50_ms, p75_ms, p95_ms, is_final, revision";
    insert(machine, "store_checkout_windows", columns, &[
        "('t', '1h', @3600, 'all', 'all', 'all', ['cart'], [1], [9], [9], [1], ['gone'], ['stated'], ['EUR'], [9], [1.5], 0, 0, 0, NULL, NULL, NULL, 0, 1)",
        "('t', '1h', @3600, 'all', 'all', 'all', ['started', 'payment', 'odd'], [0, 5, NULL], [20, 10, 0], [5, 4, 0], [2, NULL, 0], ['trust'], ['inferred'], ['EUR'], [9], [99.5], 3, 4, 8, 90000, 120500, 300000, 0, 2)",
    ]).await;
    // Wilson for 5 of 20 and 4 of 10, by hand.
    let found = rows(machine, "SELECT step, step_index, reached_n, dropped_n, open_n, drop_off_ratio, round(ci_low, 3), round(ci_high, 3) FROM cx.checkout_funnel WHERE tenant = 't' ORDER BY step_index").await;
    assert_eq!(
        found,
        "started\t0\t20\t5\t2\t0.25\t0.112\t0.469\n\
         payment\t5\t10\t4\t\\N\t0.4\t0.168\t0.687\n\
         odd\t\\N\t0\t0\t0\t\\N\t\\N\t\\N\n",
        "and a reason or step that the newer revision does not have is gone"
    );
    let found =
        rows(machine, "SELECT reason, reason_source, currency, n, value_sum FROM cx.checkout_abandonment")
            .await;
    assert_eq!(found, "trust\tinferred\tEUR\t9\t99.5\n");
    let found = rows(
        machine,
        "SELECT n, p50_s, p75_s, within_3min_ratio, within_15min_ratio FROM cx.checkout_duration",
    )
    .await;
    assert_eq!(found, "8\t90\t120.5\t0.375\t0.5\n");
}

/// What the touchpoints file says can be joined, and sets the service level of minutes; setup follows the file.
async fn touchpoints(machine: &mut Machine) {
    assert_eq!(rows(machine, "SELECT count() FROM cx.touchpoints").await, "0\n");
    let text = r#"
[tenants.t]
time_zone = "Europe/Berlin"
[tenants.b]
time_zone = "Europe/Berlin"
[tenants.k]
time_zone = "Asia/Kolkata"
[tenants.t.touchpoints.a]
stage = "it's {database} \\"
owner = "me"
importance = 5
slo_first_response_s = 60
[tenants.t.touchpoints.b]
steps = ["one", "two"]
"#;
    let file = tempfile::NamedTempFile::new().expect("a file can be made");
    std::fs::write(file.path(), text).expect("it can be written");
    machine.settings.processor.touchpoints_file = file.path().display().to_string();
    let applied = touchstream_sink::migrate(&machine.settings, false).await.expect("the file can change");
    let follow = |applied: &[String]| {
        for name in applied {
            let of_zone = name.ends_with("_hourly") || name.ends_with("_daily");
            assert!(
                of_zone || ["views/response_times_1m", "views/touchpoints"].contains(&name.as_str()),
                "{name}"
            );
        }
        assert_eq!(applied.len(), 22, "{applied:?}");
    };
    follow(&applied);
    periods(machine).await;
    let listed = "SELECT touchpoint, stage, owner, importance, slo_first_response_s, steps, time_zone FROM cx.touchpoints ORDER BY touchpoint";
    assert_eq!(
        rows(machine, listed).await,
        "a\tit\\'s {database} \\\\\tme\t5\t60\t['cart','account','address','shipping','payment','review']\tEurope/Berlin\n\
         b\t\\N\t\\N\t3\t300\t['one','two']\tEurope/Berlin\n"
    );
    let level = "SELECT slo_s FROM cx.response_times_1m WHERE metric = 'first_response_customer' AND touchpoint = 'a'";
    assert_eq!(rows(machine, level).await, "60\n");
    machine.settings.processor.touchpoints_file = String::new();
    let applied = touchstream_sink::migrate(&machine.settings, false).await.expect("the file can go");
    follow(&applied);
}

async fn responses(machine: &Machine) {
    let columns = "tenant, metric, window, window_end, touchpoint, channel, device, durations, p50_ms, slo_ms, breached, waiting, is_final, revision";
    insert(
        machine,
        "store_response_windows",
        columns,
        &["('t', 'reply', '1h', @3600, 'all', 'all', 'all', 4, 1500, NULL, NULL, 3, 1, 1)"],
    )
    .await;
    let found =
        rows(machine, "SELECT metric, n, p50_s, p99_s, slo_s, breached_n, waiting_n FROM cx.response_times")
            .await;
    assert_eq!(found, "reply\t4\t1.5\t\\N\t\\N\t\\N\t\\N\n");
    // Values 0, 1, 2, 3 and 100 times 60 s: the median is a minute, at most 1 % off, and the nearest ranks hold.
    let minute = touchstream_schemas::log_buckets::index_of(60_000);
    let columns = "tenant, metric, minute, touchpoint, channel, device, breached, durations, revision";
    insert(machine, "store_response_minutes", columns, &[
        &format!("('t', 'first_response_customer', @60, 'a', 'web', 'x', 2, map(-1, 1, 0, 1, 1, 1, 2, 1, {minute}, 100), 1)"),
        "('t', 'reply', @60, 'a', 'web', 'x', 0, map(-1, 1, 0, 1), 1)",
        "('t', 'resolution', @60, 'a', 'web', 'x', 0, map(), 1)",
    ]).await;
    let value = touchstream_schemas::log_buckets::value_of(minute);
    let found = rows(
        machine,
        "SELECT metric, n, p50_s, p99_s, slo_s, breached_n FROM cx.response_times_1m ORDER BY metric",
    )
    .await;
    let exact = format!("{}", f64::from(i32::try_from(value).expect("small")) / 1_000.0);
    assert_eq!(
        found,
        format!(
            "first_response_customer\t104\t{exact}\t{exact}\t300\t2\n\
             reply\t2\t0\t0.001\t\\N\t\\N\n\
             resolution\t0\t\\N\t\\N\t\\N\t\\N\n"
        )
    );
}

async fn facts(machine: &Machine) {
    let columns = "tenant, attempt_id, state, started_at, duration_ms, is_deleted, revision";
    insert(
        machine,
        "store_checkouts",
        columns,
        &[
            "('t', 'a', 'open', @1, NULL, 0, 1)",
            "('t', 'a', 'completed', @1, 2500, 0, 2)",
            "('t', 'b', 'open', @1, NULL, 0, 1)",
            "('t', 'b', 'open', @1, NULL, 1, 2)",
        ],
    )
    .await;
    let found = rows(machine, "SELECT attempt_id, state, duration_s FROM cx.checkouts").await;
    assert_eq!(found, "a\tcompleted\t2.5\n", "a deleted fact has no row");
    let columns = "tenant, conversation_id, cycle, state, started_at, last_event_at, is_deleted, revision";
    insert(
        machine,
        "store_conversations",
        columns,
        &["('t', 'c', 1, 'solved', @0, @0, 0, 1)", "('t', 'c', 1, 'open', @-3000000, @0, 0, 2)"],
    )
    .await;
    let found = rows(machine, "SELECT state FROM cx.conversations WHERE started_at >= today()").await;
    assert_eq!(found, "", "a time filter never brings an older revision back");
}

async fn quality(machine: &Machine) {
    let columns = "tenant, family, minute, instance, code, events, revision";
    insert(
        machine,
        "store_quality_ingest",
        columns,
        &[
            "('t', 'app', @60, 'i', 'accepted', 5, 1)",
            "('t', 'app', @60, 'i', 'accepted', 7, 2)",
            "('t', 'app', @60, 'j', 'accepted', 1, 1)",
            "('t', 'app', @60, 'i', 'field_missing', 2, 1)",
            "('t', 'app', @60, 'i', 'duplicate', 3, 1)",
        ],
    )
    .await;
    let columns = "tenant, family, minute, accepted, late, duplicates, non_human, revision";
    insert(machine, "store_quality_processor", columns, &["('t', 'app', @60, 8, 1, 2, 3, 9)"]).await;
    let columns = "tenant, family, minute, freshness_ms, lag";
    insert(
        machine,
        "store_quality_sink",
        columns,
        &["('t', 'app', @60, 400, 5)", "('t', 'app', @60, 300, 9)"],
    )
    .await;
    let found = rows(machine, "SELECT accepted_n, processed_n, rejected, rejected_n, late_n, duplicate_n, non_human_n, freshness_s, lag_n FROM cx.data_quality").await;
    assert_eq!(found, "8\t8\t{'field_missing':2}\t2\t1\t2\t3\t0.4\t9\n");
    let found = rows(
        machine,
        "SELECT count() FROM cx.data_quality WHERE tenant = 't' AND minute = toStartOfDay(now('UTC')) + 120",
    )
    .await;
    assert_eq!(found, "0\n");
}
