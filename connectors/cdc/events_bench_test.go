package cdc

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/internal/pgtest"
)

// BenchmarkEvents is BenchmarkDrain through a Source: each change an event
// that is looked at and dropped.
func BenchmarkEvents(b *testing.B) {
	srv := pgtest.Start(b, pgtest.Setting("max_wal_size", "8GB"))
	for _, shape := range []struct {
		name string
		rows int
		load string
	}{
		{"rows1000", 300_000, "DO $$ BEGIN FOR n IN 1..300 LOOP INSERT INTO orders " + fmt.Sprintf(benchRow, 1000) + "; COMMIT; END LOOP; END $$"},
		{"rows1", 60_000, "DO $$ BEGIN FOR n IN 1..60000 LOOP INSERT INTO orders " + fmt.Sprintf(benchRow, 1) + "; COMMIT; END LOOP; END $$"},
	} {
		b.Run(shape.name, func(b *testing.B) {
			ctx := context.Background()
			db := fmt.Sprintf("events_%s_%d", shape.name, time.Now().UnixNano())
			srv.MustExec(b, "", "CREATE DATABASE "+db)
			srv.MustExec(b, db, benchTable)
			cfg := Config{ConnectionString: srv.DSN(db), SlotName: "s_" + db, Tables: []string{"orders"}, SnapshotMode: SnapshotNever}
			srv.MustExec(b, db, "CREATE PUBLICATION "+cfg.SlotName+" FOR TABLE orders")
			srv.MustExec(b, db, "SELECT pg_create_logical_replication_slot('"+cfg.SlotName+"', 'pgoutput')")
			for i := range b.N {
				srv.MustExec(b, db, fmt.Sprintf("SELECT pg_copy_logical_replication_slot('%s', 'peer%d_%s')", cfg.SlotName, i, db))
			}
			srv.MustExec(b, db, shape.load)
			conn := srv.MustConnect(b, db)
			var last string
			if err := conn.QueryRow(ctx, "SELECT pg_current_wal_lsn()::text").Scan(&last); err != nil {
				b.Fatal(err)
			}
			end, err := connectors.ParseLSN(last)
			if err != nil {
				b.Fatal(err)
			}
			var ours, peers time.Duration
			var before, after runtime.MemStats
			var allocs uint64
			for i := range b.N {
				began := time.Now()
				cmd := exec.Command(srv.Bin("pg_recvlogical"), "-d", srv.DSN(db), "-S", fmt.Sprintf("peer%d_%s", i, db), "--start", "-E", last,
					"-o", "proto_version=1", "-o", "publication_names="+cfg.SlotName, "-f", "/dev/null", "-F", "0")
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v: %s", err, out)
				}
				peers += time.Since(began)
				src, err := NewSource(cfg)
				if err != nil {
					b.Fatal(err)
				}
				runtime.ReadMemStats(&before)
				began = time.Now()
				if err := src.Start(ctx); err != nil {
					b.Fatal(err)
				}
				n := 0
				for e, err := range src.Events(ctx) {
					if err != nil {
						b.Fatal(err)
					}
					if e.Type == Create {
						n++
					}
					if n == shape.rows || e.LSN > end {
						break
					}
				}
				ours += time.Since(began)
				runtime.ReadMemStats(&after)
				allocs += after.Mallocs - before.Mallocs
				src.Close()
				if n != shape.rows {
					b.Fatalf("%d events, want %d", n, shape.rows)
				}
			}
			n := float64(b.N * shape.rows)
			b.ReportMetric(n/ours.Seconds(), "events/s")
			b.ReportMetric(n/peers.Seconds(), "recvlogical-events/s")
			b.ReportMetric(peers.Seconds()/ours.Seconds(), "ratio")
			b.ReportMetric(float64(allocs)/n, "allocs/event")
			srv.MustExec(b, db, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active AND database = current_database()")
		})
	}
}
