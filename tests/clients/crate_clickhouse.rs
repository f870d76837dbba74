//! The official `clickhouse` crate, with its schema check, LZ4 blocks and formatted inserts.

use crate::server::{PASSWORD, TestServer, WRITER};
use clickhouse::{Client, Compression, Row};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, PartialEq, Row, Serialize)]
struct Answer {
    id: u64,
    score: Option<i8>,
    text: String,
    extra: Vec<(String, String)>,
}

fn answers(count: u64) -> Vec<Answer> {
    (0..count)
        .map(|id| Answer {
            id,
            score: (id % 4 != 0).then_some(7),
            text: format!("blank\n\nline {id} ' \\"),
            extra: vec![("key".to_owned(), format!("{id}"))],
        })
        .collect()
}

#[tokio::test]
async fn the_official_crate_finds_clickhouse() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(directory.path());
    let client = Client::default().with_url(server.url()).with_user(WRITER).with_password(PASSWORD);
    client.query("CREATE DATABASE rust").execute().await.expect("a database");
    let client = client.with_database("rust");
    client
        .query("CREATE TABLE answers (id UInt64, score Nullable(Int8), text String, extra Map(String, String)) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100")
        .execute()
        .await
        .expect("a table");

    let rows = answers(100_000);
    for compression in [Compression::None, Compression::Lz4] {
        client.query("TRUNCATE TABLE answers").execute().await.expect("an empty table");
        let client = client.clone().with_compression(compression);
        let mut insert = client.insert::<Answer>("answers").await.expect("the table's schema fits");
        for row in &rows {
            insert.write(row).await.expect("a row goes out");
        }
        insert.end().await.expect("the rows are stored");
        let mut cursor = client
            .query("SELECT ?fields FROM answers WHERE id < {limit:UInt64} ORDER BY id")
            .param("limit", 50_000)
            .fetch::<Answer>()
            .expect("a query");
        let mut seen = 0;
        while let Some(row) = cursor.next().await.expect("a row comes in") {
            assert_eq!(row, rows[seen]);
            seen += 1;
        }
        assert_eq!(seen, 50_000);
    }

    // Bytes of any format, kept apart by their token: the same twice is there once.
    for _ in 0..2 {
        let mut insert = client
            .insert_formatted_with("INSERT INTO answers (id, text) FORMAT JSONEachRow")
            .with_setting("insert_deduplicate", "1")
            .with_setting("async_insert", "0")
            .with_setting("insert_deduplication_token", "cx.checkout:0:1-2");
        insert
            .send("{\"id\":1000001,\"text\":\"a\\n\\nb\"}\n\n\n{\"id\":1000002,\"text\":\"c\"}\n".into())
            .await
            .expect("the bytes go out");
        insert.end().await.expect("the rows are stored");
    }
    let count: u64 =
        client.query("SELECT count() FROM answers WHERE id > 1000000").fetch_one().await.expect("a count");
    assert_eq!(count, 2);

    let missing = client.query("SELECT * FROM missing").execute().await.expect_err("there is no such table");
    assert!(missing.to_string().contains("Code: 60"), "{missing}");
    let reader = client.clone().with_user("reader").with_password("reader");
    let refused = reader.query("DROP TABLE answers").execute().await.expect_err("readers cannot write");
    assert!(refused.to_string().contains("Code: 164"), "{refused}");
}
