//! Lost events are told apart from a change in behaviour: gaps in the numbers of a session, over all families, in whatever order they came.

#[expect(dead_code, reason = "this test needs no sink")]
mod harness;

use std::time::Duration;

use harness::Machine;

#[test]
#[ignore = "started by the other tests as a process of its own"]
fn role() {
    harness::play_role();
}

/// Inserts an event that was received `ago` seconds ago.
async fn insert(machine: &Machine, family: &str, source: &str, session: &str, seq: &str, ago: u32) {
    let sql = format!(
        "INSERT INTO cx.events_{family} (tenant, source, id, type, time, received_at, session_id, seq, _topic, _partition, _offset) \
         VALUES ('shop', '{source}', toString(generateUUIDv4()), '{family}.x', now(), now64(3, 'UTC') - {ago}, {session}, {seq}, 't', 0, 0)"
    );
    machine.ask(&sql).await.unwrap_or_else(|| panic!("failed to run {sql}"));
}

/// Counts again, and waits until the sums are these: missing, gaps, numbered by source.
async fn expect(machine: &Machine, expected: &str) {
    let sums = "SELECT source, sum(missing_n), sum(gaps_n), sum(numbered_n) FROM cx.sequence_gaps GROUP BY source ORDER BY source";
    let seen = std::cell::RefCell::new(String::new());
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        machine
            .ask("SYSTEM REFRESH VIEW cx.store_sequences_refresh")
            .await
            .expect("it can be refreshed at once");
        machine.ask("SYSTEM WAIT VIEW cx.store_sequences_refresh").await.expect("it does not fail");
        *seen.borrow_mut() = machine.ask(sums).await.expect("the view can be read");
        if *seen.borrow() == expected {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "expected {expected:?}, found {:?}", seen.borrow());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_between_the_numbers_of_a_session_is_counted_until_it_comes() {
    let machine = Machine::start(false, "").await;
    touchstream_sink::migrate(&machine.settings, false).await.expect("migrations apply");

    // Nothing was counted for five hours: ClickHouse was down.
    let before = "INSERT INTO cx.store_sequences VALUES ('shop', 'down', 'app', now() - 18000, 1, 0, 0, now64(3, 'UTC') - 18000)";
    machine.ask(before).await.expect("it can be inserted");
    insert(&machine, "app", "down", "'one'", "1", 15_000).await;
    insert(&machine, "app", "down", "'one'", "3", 14_000).await;
    // One session over all families and minutes, arriving in no order: 1 2 . 4 . . 7.
    for (family, seq, ago) in
        [("app", "7", 60), ("checkout", "2", 400), ("chat", "4", 200), ("app", "1", 300)]
    {
        insert(&machine, family, "web", "'one'", seq, ago).await;
    }
    // The same number twice is no gap; a session of its own with the same name belongs to another source; nobody counts the unnumbered.
    insert(&machine, "feedback", "web", "'two'", "5", 10).await;
    insert(&machine, "feedback", "web", "'two'", "5", 11).await;
    insert(&machine, "app", "web", "NULL", "9", 10).await;
    insert(&machine, "app", "web", "'two'", "NULL", 10).await;
    insert(&machine, "app", "till", "'one'", "1", 10).await;
    insert(&machine, "app", "till", "'one'", "3", 10).await;
    // A number that somebody made up is one gap of bounded size.
    insert(&machine, "app", "odd", "'one'", "-9223372036854775808", 10).await;
    insert(&machine, "app", "odd", "'one'", "1", 10).await;
    insert(&machine, "app", "odd", "'one'", "9223372036854775807", 10).await;
    // Too old to be counted again.
    insert(&machine, "app", "web", "'old'", "1", 26_000).await;
    insert(&machine, "app", "web", "'old'", "9", 25_500).await;
    expect(&machine, "down\t1\t1\t3\nodd\t1000\t2\t3\ntill\t1\t1\t2\nweb\t3\t2\t6\n").await;
    let quality = machine
        .ask("SELECT family, sum(sequence_gaps_n) FROM cx.data_quality WHERE tenant = 'shop' GROUP BY family ORDER BY family")
        .await;
    assert_eq!(quality.as_deref(), Some("app\t1004\nchat\t1\ncheckout\t0\nfeedback\t0\n"));

    // What was late closes its gap.
    insert(&machine, "checkout", "web", "'one'", "3", 0).await;
    insert(&machine, "app", "till", "'one'", "2", 0).await;
    expect(&machine, "down\t1\t1\t3\nodd\t1000\t2\t3\ntill\t0\t0\t3\nweb\t2\t1\t7\n").await;
}
