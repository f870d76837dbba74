// clickhouse-go over HTTP against the embedded server, as Grafana's data source uses it: every compression, parameters, every view, batches in,
// errors.
//
// Usage: check HOST:PORT WRITER PASSWORD DATABASE. Exits with 0 when every promise held.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/shopspring/decimal"
)

func hold(promise bool, what ...any) {
	if !promise {
		fmt.Fprintln(os.Stderr, what...)
		os.Exit(1)
	}
}

func open(user, password, database string, compression *clickhouse.Compression) clickhouse.Conn {
	connection, err := clickhouse.Open(&clickhouse.Options{
		Protocol: clickhouse.HTTP, Addr: []string{os.Args[1]}, Compression: compression,
		Auth: clickhouse.Auth{Database: database, Username: user, Password: password},
	})
	hold(err == nil, err)
	return connection
}

func main() {
	background := context.Background()
	database := os.Args[4]
	lz4 := &clickhouse.Compression{Method: clickhouse.CompressionLZ4}
	for name, compression := range map[string]*clickhouse.Compression{
		"none": nil, "lz4": lz4, "zstd": {Method: clickhouse.CompressionZSTD}, "gzip": {Method: clickhouse.CompressionGZIP},
		"deflate": {Method: clickhouse.CompressionDeflate}, "br": {Method: clickhouse.CompressionBrotli},
	} {
		reader := open("reader", "reader", database, compression)
		hold(reader.Ping(background) == nil, name, "ping")
		version, err := reader.ServerVersion()
		hold(err == nil && version.Version.Major >= 26, name, version, err)
		// Several blocks of every kind of column that a view has.
		rows, err := reader.Query(background, `SELECT number, toString(number), toDateTime64(number, 3, 'UTC'), arrayMap(x -> toNullable(toInt32(x)), range(number % 4)),
			map('k', number), if(number % 3 = 0, NULL, number / 2), toLowCardinality(toString(number % 7)), CAST(if(number % 5 = 0, NULL, 'v'), 'LowCardinality(Nullable(String))'),
			toDecimal64(number, 4), toFixedString('x', 3), number % 2 = 0, arrayMap(x -> toLowCardinality(toString(x)), range(number % 3)) FROM numbers(300000)`)
		hold(err == nil, name, err)
		count, sum := 0, 0.0
		for rows.Next() {
			var number uint64
			var text, small string
			var at time.Time
			var list []*int32
			var pairs map[string]uint64
			var half *float64
			var maybe *string
			var money decimal.Decimal
			var fixed string
			var even bool
			var words []string
			err = rows.Scan(&number, &text, &at, &list, &pairs, &half, &small, &maybe, &money, &fixed, &even, &words)
			hold(err == nil, name, err)
			hold(text == fmt.Sprint(number) && pairs["k"] == number && money.Equal(decimal.NewFromUint64(number)) && small == fmt.Sprint(number%7) && (maybe == nil) == (number%5 == 0) && len(words) == int(number%3), name, number, text, pairs, small, words)
			if half != nil {
				sum += *half
			}
			count++
		}
		hold(rows.Err() == nil && count == 300000, name, count, rows.Err())
		hold(sum > 1e9, name, sum)
		reader.Close()
	}

	reader := open("reader", "reader", database, lz4)
	names, err := reader.Query(background, "SELECT name FROM system.tables WHERE database = $1 AND name NOT LIKE 'store_%' AND name NOT LIKE '.%'", database)
	hold(err == nil, err)
	views, read := 0, 0
	for names.Next() {
		var name string
		hold(names.Scan(&name) == nil, "a name")
		rows, err := reader.Query(background, "SELECT * FROM "+name+" LIMIT 3")
		hold(err == nil, name, err)
		for rows.Next() {
			read++
		}
		hold(rows.Err() == nil, name, rows.Err())
		views++
	}
	hold(views >= 60 && read >= 3, views, read)

	writer := open(os.Args[2], os.Args[3], database, lz4)
	hold(writer.Exec(background, "CREATE TABLE points (id UInt64, name String) ENGINE = MergeTree ORDER BY id") == nil, "a table")
	batch, err := writer.PrepareBatch(background, "INSERT INTO points")
	hold(err == nil, err)
	for id := range uint64(100000) {
		hold(batch.Append(id, fmt.Sprintf("blank\n\nline %d", id)) == nil, "a row")
	}
	err = batch.Send()
	hold(err == nil, err)
	var count uint64
	err = reader.QueryRow(background, "SELECT count() FROM points WHERE id < {limit:UInt64}", clickhouse.Named("limit", "50000")).Scan(&count)
	hold(err == nil && count == 50000, count, err)

	for statement, code := range map[string]string{"SELECT * FROM missing": "60", "DROP TABLE points": "164", "SELEC 1": "62"} {
		err := reader.Exec(background, statement)
		hold(err != nil && strings.Contains(strings.ToLower(err.Error()), "code: "+code), statement, err)
	}
	fmt.Println("clickhouse-go: all held")
}
