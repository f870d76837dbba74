// @clickhouse/client against the embedded server: ping, streams in and out, parameters, compression, sessions, abort, errors.
//
// Usage: check.mjs URL WRITER PASSWORD DATABASE. Exits with 0 when every promise held.

import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { ClickHouseLogLevel, createClient } from '@clickhouse/client'

const [url, username, password, database] = process.argv.slice(2)
const quiet = { level: ClickHouseLogLevel.OFF }
const writer = createClient({ url, log: quiet, username, password, database, compression: { request: true, response: true } })
const reader = createClient({ url, log: quiet, username: 'reader', password: 'reader', database })

for (const client of [writer, reader]) {
  const ping = await client.ping()
  assert.equal(ping.success, true, String(ping.error))
  assert.equal((await client.ping({ select: true })).success, true)
}

await writer.command({
  query: 'CREATE TABLE points (id UInt64, name String, tags Array(String)) ENGINE = MergeTree ORDER BY id',
  clickhouse_settings: { wait_end_of_query: 1 },
})

// A stream of objects goes in without a length, gzip-packed.
const count = 300_000
async function* objects() {
  for (let id = 0; id < count; id += 1) yield { id, name: id % 1000 === 0 ? `blank\n\nline ${id}` : `n${id}`, tags: ['a', `${id}`] }
}
await writer.insert({ table: 'points', values: Readable.from(objects(), { objectMode: true }), format: 'JSONEachRow' })
await writer.insert({ table: 'points', values: Readable.from(['900000,"csv\n\nblank","[]"\n'], { objectMode: false }), format: 'CSV' })
await writer.insert({ table: 'points', values: [{ id: 900001, name: 'array', tags: [] }], format: 'JSONEachRow', columns: ['id', 'name', 'tags'] })

// A stream of rows comes out while the query runs.
const result = await reader.query({ query: 'SELECT * FROM points WHERE id < {limit:UInt64} ORDER BY id', format: 'JSONEachRow', query_params: { limit: count } })
let rows = 0
for await (const chunk of result.stream()) {
  for (const row of chunk) {
    if (rows % 50_000 === 0) assert.equal(row.json().name, `blank\n\nline ${rows}`)
    rows += 1
  }
}
assert.equal(rows, count)

for (const format of ['JSON', 'JSONCompact', 'JSONStrings', 'JSONColumnsWithMetadata']) {
  const answer = await (await reader.query({ query: 'SELECT count() AS n FROM points', format })).json()
  assert.equal(answer.rows, 1, format)
}
const text = await (await writer.query({ query: 'SELECT id, name FROM points WHERE id >= 900000 ORDER BY id', format: 'CSVWithNames' })).text()
assert.equal(text, '"id","name"\n900000,"csv\n\nblank"\n900001,"array"\n')

// Parameters of every shape, bound on the server.
const parameters = { s: "it's\ta \\ \n line", d: new Date('2026-11-22T10:00:00.123Z'), a: ["x'y", 'z'], n: null, m: { k: 'v' } }
const echoed = await (await reader.query({
  query: 'SELECT {s:String} AS s, {d:DateTime64(3)} AS d, {a:Array(String)} AS a, {n:Nullable(String)} AS n, {m:Map(String, String)} AS m',
  format: 'JSONEachRow', query_params: parameters,
})).json()
assert.deepEqual(echoed, [{ s: parameters.s, d: '2026-11-22 10:00:00.123', a: parameters.a, n: null, m: parameters.m }])

// Errors carry the server's code and name.
for (const [query, code, type] of [
  ['SELECT * FROM missing', '60', 'UNKNOWN_TABLE'],
  ['selec 1', '62', 'SYNTAX_ERROR'],
  ['DROP TABLE points', '164', 'READONLY'],
  ['SELECT number, throwIf(number = 5000000) FROM numbers(10000000)', '395', 'FUNCTION_THROW_IF_VALUE_IS_NON_ZERO'],
]) {
  await assert.rejects(
    async () => reader.command({ query, clickhouse_settings: { wait_end_of_query: 1 } }),
    (error) => error.code === code && error.type === type,
    query,
  )
}
await assert.rejects(async () => writer.insert({ table: 'missing', values: [{ a: 1 }], format: 'JSONEachRow' }), { code: '60' })

// A session keeps SET and temporary tables; another one does not see them.
const session = createClient({ url, log: quiet, username, password, database, session_id: 'node-session' })
await session.command({ query: 'CREATE TEMPORARY TABLE mine (a UInt8)' })
await session.insert({ table: 'mine', values: [{ a: 7 }], format: 'JSONEachRow' })
await session.command({ query: "SET session_timezone = 'Asia/Tokyo'" })
const seen = await (await session.query({ query: 'SELECT a, timezone() AS zone FROM mine', format: 'JSONEachRow' })).json()
assert.deepEqual(seen, [{ a: 7, zone: 'Asia/Tokyo' }])
await assert.rejects(async () => writer.query({ query: 'SELECT * FROM mine' }), { code: '60' })

// An aborted query ends in the engine too.
const abort = new AbortController()
const mark = `abandoned_${process.pid}`
const long = reader.query({ query: `SELECT count() AS ${mark} FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))`, abort_signal: abort.signal })
const running = async () =>
  Number((await (await reader.query({ query: `SELECT count() AS n FROM system.processes WHERE query LIKE '%${mark} FROM%' AND query NOT LIKE '%processes%'`, format: 'JSONEachRow' })).json())[0].n)
const until = async (wanted) => {
  const deadline = Date.now() + 10_000
  while ((await running()) !== wanted) assert.ok(Date.now() < deadline, `the query is ${wanted ? 'not running' : 'still running'}`)
}
await until(1)
abort.abort()
await assert.rejects(long)
await until(0)

await Promise.all([writer.close(), reader.close(), session.close()])
console.log('@clickhouse/client: all held')
