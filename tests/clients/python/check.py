"""clickhouse-connect against the embedded server: query, insert, parameters, pandas, Arrow, streams, errors, SQLAlchemy.

Usage: check.py HOST PORT WRITER PASSWORD DATABASE. Exits with 0 when every promise held; the first broken one is a traceback.
"""

import datetime
import sys

import clickhouse_connect
import pandas
import sqlalchemy
from clickhouse_connect import common
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError

host, port, user, password, database = sys.argv[1:6]


def connect(**options):
    return clickhouse_connect.get_client(host=host, port=int(port), database=database, **options)


writer = connect(username=user, password=password)
writer.command("CREATE TABLE answers (id UInt64, at DateTime64(3, 'UTC'), score Nullable(Int8), text String, "
               "extra Map(String, String), tags Array(String)) ENGINE = MergeTree ORDER BY id")

# Rows of every awkward kind, in the Native format and with the driver's default compression.
at = datetime.datetime(2026, 11, 22, 10, 0, 0, 123000, tzinfo=datetime.timezone.utc)
rows = [
    [1, at, 9, "plain", {"a": "b"}, ["x", "y"]],
    [2, at, None, "blank\n\nline, 'quote' \\ and \t tab; -- no comment", {}, []],
    [3, at, -3, "ünï ✓ 🦀", {"k": "\n\n"}, [""]],
]
columns = ["id", "at", "score", "text", "extra", "tags"]
summary = writer.insert("answers", rows, column_names=columns)
assert summary.written_rows == 3, summary.summary

for compress in (False, True, "lz4", "zstd", "gzip"):
    reader = connect(compress=compress)
    back = reader.query("SELECT * FROM answers ORDER BY id")
    assert back.column_names == tuple(columns)
    naive = [[row[0], row[1].replace(tzinfo=None), *row[2:]] for row in rows]
    assert [list(row) for row in back.result_rows] == naive, (compress, back.result_rows)
    reader.close()

writer.insert("answers", [[n, at, 5, "x" * 100, {}, []] for n in range(100, 200_100)], column_names=columns)
reader = connect(username="reader", password="reader")
assert reader.command("SELECT count() FROM answers") == 200_003

# Time zones come with the types.
zoned = reader.query("SELECT toDateTime('2026-11-22 10:00:00', 'Europe/Berlin'), [toDateTime64(0, 3, 'Asia/Tokyo')]").first_row
assert str(zoned[0]) == "2026-11-22 10:00:00+01:00" and str(zoned[1][0]) == "1970-01-01 09:00:00+09:00", zoned

# Parameters, bound on the server.
found = reader.query("SELECT text FROM answers WHERE text = {text:String} AND id IN {ids:Array(UInt64)}",
                     parameters={"text": rows[1][3], "ids": [1, 2, 3]})
assert found.result_rows == [(rows[1][3],)], found.result_rows
found = reader.query("SELECT {s:String}", parameters={"s": "tab\tand\nline\\"})
assert found.result_rows == [("tab\tand\nline\\",)], found.result_rows

# pandas and Arrow, both ways.
frame = reader.query_df("SELECT id, score, text FROM answers WHERE id < 1000 ORDER BY id")
assert len(frame) == 903 and frame["text"][1] == rows[1][3], frame.head()
writer.command("CREATE TABLE frames (id UInt64, score Float64, name String) ENGINE = MergeTree ORDER BY id")
frame = pandas.DataFrame({"id": range(1000), "score": [n / 4 for n in range(1000)], "name": [f"n{n}" for n in range(1000)]})
writer.insert_df("frames", frame)
assert reader.query_df("SELECT * FROM frames ORDER BY id")["score"].sum() == frame["score"].sum()
arrow = reader.query_arrow("SELECT * FROM frames ORDER BY id")
assert arrow.num_rows == 1000 and arrow.column("name")[999].as_py() in ("n999", b"n999")
writer.insert_arrow("frames", arrow)
assert reader.command("SELECT count() FROM frames") == 2000

# Streams, raw formats, settings out of habit.
with reader.query_row_block_stream("SELECT number, toString(number) FROM numbers(2000000)") as stream:
    assert sum(len(block) for block in stream) == 2_000_000
raw = reader.raw_query("SELECT id FROM answers ORDER BY id LIMIT 2", fmt="CSVWithNames")
assert raw == b'"id"\n1\n2\n', raw
habits = {"max_execution_time": 600, "max_threads": 4, "readonly": 0, "output_format_json_quote_64bit_integers": 1,
          "session_timezone": "Europe/Berlin"}
# (The driver would hold back what `system.settings` calls read-only; other clients send it, so let it.)
common.set_setting("invalid_setting_action", "send")
assert reader.query("SELECT timezone(), getSetting('max_execution_time')", settings=habits).result_rows == [("Europe/Berlin", 60)]

# An error behind the beginning of a result is told too.
try:
    with reader.query_rows_stream("SELECT number, throwIf(number = 3000000) FROM numbers(5000000)") as stream:
        total = sum(1 for _ in stream)
except StreamFailureError as error:
    assert "throwIf" in str(error), error
else:
    raise AssertionError(f"a failed stream passed with {total} rows")

# Errors are the server's own.
for client, statement, code in (
    (reader, "SELECT * FROM no_such_table", "UNKNOWN_TABLE"),
    (reader, "SELEC 1", "SYNTAX_ERROR"),
    (reader, "INSERT INTO frames VALUES (1, 1, 'x')", "READONLY"),
    (reader, "DROP TABLE frames", "READONLY"),
    (writer, "INSERT INTO no_such_table VALUES (1)", "UNKNOWN_TABLE"),
):
    try:
        client.command(statement)
    except DatabaseError as error:
        assert code in str(error), error
    else:
        raise AssertionError(f"{statement} passed")
try:
    connect(username="reader", password="wrong")
except DatabaseError as error:
    assert "516" in str(error) or "AUTHENTICATION_FAILED" in str(error), error
else:
    raise AssertionError("a wrong password passed")

# A session: temporary tables and SET live in it and nowhere else.
session = connect(username=user, password=password, session_id="python-session")
session.command("CREATE TEMPORARY TABLE mine (a UInt8)")
session.insert("mine", [[7]], column_names=["a"], column_type_names=["UInt8"])
assert session.command("SELECT a FROM mine") == 7

# SQLAlchemy, as Superset uses it.
engine = sqlalchemy.create_engine(f"clickhousedb://reader:reader@{host}:{port}/{database}")
with engine.connect() as connection:
    assert connection.execute(sqlalchemy.text("SELECT count() FROM frames")).scalar() == 2000
    inspector = sqlalchemy.inspect(engine)
    assert set(inspector.get_table_names(schema=database)) >= {"answers", "frames"}
    names = [column["name"] for column in inspector.get_columns("frames", schema=database)]
    assert names == ["id", "score", "name"], names
    table = sqlalchemy.Table("frames", sqlalchemy.MetaData(schema=database), autoload_with=engine)
    statement = sqlalchemy.select(table.c.name).where(table.c.id == 7).limit(1)
    assert connection.execute(statement).scalar() == "n7"
print("clickhouse-connect: all held")
