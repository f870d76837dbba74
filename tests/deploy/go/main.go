// Asks what panels ask, through clickhouse-go over HTTP as Grafana's data source is configured in deploy/grafana/provisioning: database/sql, gzip, the
// database as default, the reader's rights.
//
// Usage: ask HOST:PORT, one question a line (a JSON text) on standard input; one JSON object a question on standard output.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"reflect"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

type answer struct {
	Error   *string  `json:"error"`
	Columns []string `json:"columns"`
	Rows    int      `json:"rows"`
}

func main() {
	database := clickhouse.OpenDB(&clickhouse.Options{
		Protocol: clickhouse.HTTP, Addr: []string{os.Args[1]}, Compression: &clickhouse.Compression{Method: clickhouse.CompressionGZIP},
		Auth:        clickhouse.Auth{Database: "cx", Username: "reader", Password: "reader"},
		DialTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		// What the data source adds when Grafana limits rows.
		Settings: clickhouse.Settings{"limit": 1000000},
	})
	defer database.Close()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var question string
		if err := json.Unmarshal(lines.Bytes(), &question); err != nil {
			panic(err)
		}
		var found answer
		ask := func() error {
			rows, err := database.Query(question)
			if err != nil {
				return err
			}
			defer rows.Close()
			if found.Columns, err = rows.Columns(); err != nil {
				return err
			}
			types, err := rows.ColumnTypes()
			if err != nil {
				return err
			}
			for rows.Next() {
				values := make([]any, len(types))
				for place, kind := range types {
					values[place] = reflect.New(kind.ScanType()).Interface()
				}
				if err := rows.Scan(values...); err != nil {
					return err
				}
				found.Rows++
			}
			return rows.Err()
		}
		if err := ask(); err != nil {
			text := err.Error()
			found.Error = &text
		}
		if err := out.Encode(found); err != nil {
			panic(err)
		}
	}
}
