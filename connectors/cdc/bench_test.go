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
	"github.com/jackc/pglogrepl"
)

// drainSink takes everything and ends the run at a position.
type drainSink struct {
	src  *feed
	end  connectors.LSN
	rows int
	done context.CancelFunc
}

func (s *drainSink) Tables(context.Context, []connectors.Table) error       { return nil }
func (s *drainSink) SnapshotBegin(context.Context) error                    { return nil }
func (s *drainSink) SnapshotEnd(context.Context, connectors.Position) error { return nil }
func (s *drainSink) Status(string, error)                                   {}
func (s *drainSink) TableError(int, error)                                  {}

func (s *drainSink) SnapshotChunk(_ context.Context, c connectors.SnapshotChunk) error {
	s.rows += c.Rows.Len()
	return nil
}

func (s *drainSink) Commit(_ context.Context, t *connectors.Txn) error {
	s.rows += t.Rows
	at := t.Position.LSN
	t.Release()
	return s.Progress(nil, at)
}

func (s *drainSink) Progress(_ context.Context, at connectors.LSN) error {
	if at >= s.end {
		s.done()
	}
	return nil
}

const benchTable = `CREATE TABLE orders (id bigserial PRIMARY KEY, user_id int NOT NULL, amount numeric(10,2) NOT NULL,
	status text NOT NULL, note text, created_at timestamptz NOT NULL DEFAULT now())`

const benchRow = `(user_id, amount, status, note) SELECT i %% 1000, i %% 10000 / 100.0, 'paid', 'a note of about sixty bytes, as orders usually have them ' || i FROM generate_series(1, %d) i`

// BenchmarkDrain reads changes that wait in the log into a sink that drops
// them, and pg_recvlogical writes the same to /dev/null, in turns. The ratio
// is of our rate to its.
func BenchmarkDrain(b *testing.B) {
	srv := pgtest.Start(b, pgtest.Setting("max_wal_size", "8GB"))
	for _, shape := range []struct {
		name string
		rows int
		load string
	}{
		{"rows1000", 300_000, "DO $$ BEGIN FOR n IN 1..300 LOOP INSERT INTO orders " + fmt.Sprintf(benchRow, 1000) + "; COMMIT; END LOOP; END $$"},
		{"streamed", 500_000, "INSERT INTO orders " + fmt.Sprintf(benchRow, 500_000)}, // more than logical_decoding_work_mem
		{"rows1", 60_000, "DO $$ BEGIN FOR n IN 1..60000 LOOP INSERT INTO orders " + fmt.Sprintf(benchRow, 1) + "; COMMIT; END LOOP; END $$"},
		{"mix", 250_000, "DO $$ BEGIN INSERT INTO orders " + fmt.Sprintf(benchRow, 50000) + "; COMMIT; FOR n IN 0..99 LOOP UPDATE orders SET amount = amount + 1 WHERE id % 100 = n; UPDATE orders SET status = 'sent', note = NULL WHERE id % 100 = n; UPDATE orders SET amount = 0 WHERE id % 100 = n; DELETE FROM orders WHERE id % 100 = n; COMMIT; END LOOP; END $$"},
	} {
		b.Run(shape.name, func(b *testing.B) {
			db := fmt.Sprintf("bench_%s_%d", shape.name, time.Now().UnixNano())
			srv.MustExec(b, "", "CREATE DATABASE "+db)
			srv.MustExec(b, db, benchTable)
			cfg := testConfig(srv, db, "orders")
			cfg.SnapshotMode = SnapshotNever
			srv.MustExec(b, db, "CREATE PUBLICATION "+cfg.PublicationName+" FOR TABLE orders")
			srv.MustExec(b, db, "SELECT pg_create_logical_replication_slot('"+cfg.SlotName+"', 'pgoutput')")
			for i := range b.N { // pg_recvlogical confirms what it reads: each time another slot
				srv.MustExec(b, db, fmt.Sprintf("SELECT pg_copy_logical_replication_slot('%s', '%s_peer%d')", cfg.SlotName, cfg.SlotName, i))
			}
			conn := srv.MustConnect(b, db)
			var first, last string
			ctx := context.Background()
			must := func(err error) {
				if err != nil {
					b.Fatal(err)
				}
			}
			must(conn.QueryRow(ctx, "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = $1", cfg.SlotName).Scan(&first))
			_, err := conn.PgConn().Exec(ctx, shape.load).ReadAll()
			must(err)
			must(conn.QueryRow(ctx, "SELECT pg_current_wal_lsn()::text").Scan(&last))
			start, err := pglogrepl.ParseLSN(first)
			must(err)
			end, err := pglogrepl.ParseLSN(last)
			must(err)
			var ours, peers time.Duration
			var before, after runtime.MemStats
			var allocs uint64
			b.ResetTimer()
			for i := range b.N {
				b.StopTimer()
				began := time.Now()
				cmd := exec.Command(srv.Bin("pg_recvlogical"), "-d", srv.DSN(db), "-S", fmt.Sprintf("%s_peer%d", cfg.SlotName, i), "--start", "-I", first, "-E", last,
					"-o", "proto_version=1", "-o", "publication_names="+cfg.PublicationName, "-f", "/dev/null", "-F", "0")
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v: %s", err, out)
				}
				peers += time.Since(began)
				b.StartTimer()
				began = time.Now()
				src, err := newFeed(cfg)
				must(err)
				rctx, cancel := context.WithCancel(ctx)
				sink := &drainSink{src: src, end: connectors.LSN(end), done: cancel}
				runtime.ReadMemStats(&before)
				src.Run(rctx, &connectors.Position{LSN: connectors.LSN(start)}, sink)
				runtime.ReadMemStats(&after)
				allocs += after.Mallocs - before.Mallocs
				ours += time.Since(began)
				if sink.rows != shape.rows {
					b.Fatalf("%d rows, want %d", sink.rows, shape.rows)
				}
			}
			n := float64(b.N * shape.rows)
			b.ReportMetric(n/ours.Seconds(), "events/s")
			b.ReportMetric(n/peers.Seconds(), "recvlogical-events/s")
			b.ReportMetric(peers.Seconds()/ours.Seconds(), "ratio")
			b.ReportMetric(float64(allocs)/n, "allocs/event")
			srv.MustExec(b, db, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()")
		})
	}
}
