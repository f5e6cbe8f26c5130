package laws

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/engine"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
	"github.com/helios-sql/helios-sql/state"
)

var incrementalRows = flag.Int("incremental.rows", 5_000_000, "rows of the large state of BenchmarkIncremental")

// BenchmarkIncremental measures the cost of a change to the revenue view over
// 10,000 rows of state and over many more: it must not grow with the state. The
// source is made up, so that nothing but the engine is measured; one operation
// is one update of an order.
func BenchmarkIncremental(b *testing.B) {
	var cost [2]float64
	for i, rows := range []int{10_000, *incrementalRows} {
		s := newMadeShop(b, rows)
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			for range 20 {
				s.update() // warm
			}
			s.wait()
			settle(b)
			b.ResetTimer()
			for n := 0; n < b.N; n += madeTxn {
				s.update()
			}
			s.wait()
			cost[i] = float64(b.Elapsed().Nanoseconds()) / float64((b.N+madeTxn-1)/madeTxn*madeTxn)
			b.ReportMetric(cost[i]/cost[0], "×at10000rows")
		})
		s.close()
	}
}

// settle waits until this process is idle: what loading has left to be
// compacted is no cost of a change.
func settle(tb testing.TB) {
	const every = 500 * time.Millisecond
	for last := -every; ; {
		var used syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
			tb.Fatal(err)
		}
		now := time.Duration(used.Utime.Nano() + used.Stime.Nano())
		if now-last < every/20 {
			return
		}
		last = now
		time.Sleep(every)
	}
}

// TestIncremental is the law at a size for every day: ten times the state
// must cost nothing like ten times as much.
func TestIncremental(t *testing.T) {
	cost := func(rows int) time.Duration {
		s := newMadeShop(t, rows)
		defer s.close()
		var rounds []time.Duration
		for range 7 {
			began := time.Now()
			for range 5 {
				s.update()
			}
			s.wait()
			rounds = append(rounds, time.Since(began))
		}
		slices.Sort(rounds)
		return rounds[1]
	}
	small, large := cost(20_000), cost(200_000)
	t.Logf("5,000 changes at 20,000 rows: %v, at 200,000: %v", small.Round(time.Microsecond), large.Round(time.Microsecond))
	if large > 5*small {
		t.Errorf("a change costs %.1f times as much at ten times the state", float64(large)/float64(small))
	}
}

const madeTxn = 1000 // changes

// A madeShop is an engine with the revenue view over a source of made-up orders.
type madeShop struct {
	tb      testing.TB
	in      *instance
	rows    int
	rng     *rand.Rand
	lsn     connectors.LSN
	txns    chan *connectors.Txn
	pending chan struct{} // a token for each transaction that is out
}

func newMadeShop(tb testing.TB, rows int) *madeShop {
	s := &madeShop{tb: tb, rows: rows, rng: rand.New(rand.NewPCG(1, uint64(rows))), lsn: 100, txns: make(chan *connectors.Txn, 4), pending: make(chan struct{}, 8)}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	store, err := state.Open(state.Options{Dir: tb.TempDir(), MemoryBudget: 512 << 20, Logger: log})
	if err != nil {
		tb.Fatal(err)
	}
	e, err := engine.New(engine.Options{Store: store, Logger: log, Connectors: map[string]connectors.Connector{"cdc": s}})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.in = &instance{store: store, engine: e, cancel: cancel, done: make(chan error, 1)}
	go func() { s.in.done <- e.Run(ctx) }()
	if s.in.ses, err = e.NewSession(ctx, map[string]string{"user": "u", "database": "helios"}); err != nil {
		tb.Fatal(err)
	}
	for _, q := range []string{"CREATE SOURCE shop FROM CDC CONNECTION '' ALL TABLES",
		`CREATE MATERIALIZED VIEW revenue AS SELECT u.country, count(*) AS orders, sum(o.amount) AS total, max(o.created_at) AS latest
			FROM orders o JOIN users u ON u.id = o.user_id WHERE o.status <> 'cancelled' GROUP BY u.country`} {
		if _, err := s.in.query(ctx, q); err != nil {
			tb.Fatal(err)
		}
	}
	return s
}

func (s *madeShop) close() {
	if err := s.in.close(); err != nil {
		s.tb.Error(err)
	}
}

// update hands over a transaction of updates of orders anywhere.
func (s *madeShop) update() {
	ch := &zset.Changes{}
	for range madeTxn {
		ch.Append(zset.Update, zset.OldNone, nil, s.order(nil, s.rng.IntN(s.rows)))
	}
	s.lsn += 100
	s.pending <- struct{}{}
	s.txns <- &connectors.Txn{Position: connectors.Position{LSN: s.lsn}, Changes: []connectors.TableChanges{{Table: 1, Changes: ch}},
		Rows: ch.Len(), Bytes: ch.Bytes(), Last: true, Release: func() { <-s.pending }}
}

// wait waits until all that was handed over is in.
func (s *madeShop) wait() {
	for range cap(s.pending) {
		s.pending <- struct{}{}
	}
	for range cap(s.pending) {
		<-s.pending
	}
}

func (s *madeShop) order(dst []byte, id int) types.Row {
	dst = types.AppendDatum(dst, types.Int8, types.DInt(int64(id)))
	dst = types.AppendDatum(dst, types.Int4, types.DInt(int64(id*7919%(s.rows/10))))
	dst = types.AppendValue(dst, types.AppendNumericSmall(nil, s.rng.Int64N(1_000_000), 2))
	dst = types.AppendDatum(dst, types.Text, types.DString([]string{"new", "paid", "sent", "cancelled"}[s.rng.IntN(4)]))
	return types.AppendDatum(dst, types.Timestamp, types.DInt(7e14+s.rng.Int64N(1e13)))
}

// Create implements connectors.Connector.
func (s *madeShop) Create(context.Context, connectors.Spec) (*connectors.Definition, error) {
	return &connectors.Definition{Tables: s.tables(), As: make([][2]string, 2), Config: []byte("{}")}, nil
}

func (s *madeShop) tables() []connectors.Table {
	return []connectors.Table{
		{ID: 0, Schema: "public", Name: "users", Key: []int{0}, Columns: types.Schema{{Name: "id", Type: types.T(types.Int4), NotNull: true}, {Name: "country", Type: types.T(types.Text)}}},
		{ID: 1, Schema: "public", Name: "orders", Key: []int{0}, Columns: types.Schema{{Name: "id", Type: types.T(types.Int8), NotNull: true}, {Name: "user_id", Type: types.T(types.Int4)},
			{Name: "amount", Type: types.T(types.Numeric)}, {Name: "status", Type: types.T(types.Text)}, {Name: "created_at", Type: types.T(types.Timestamp)}}},
	}
}

// Open implements connectors.Connector.
func (s *madeShop) Open(*connectors.Definition) (connectors.Source, error) { return s, nil }

// Drop implements connectors.Connector.
func (s *madeShop) Drop(context.Context, *connectors.Definition) error { return nil }

// Run implements connectors.Source.
func (s *madeShop) Run(ctx context.Context, _ *connectors.Position, sink connectors.Sink) error {
	if err := sink.Tables(ctx, s.tables()); err != nil {
		return err
	}
	if err := sink.SnapshotBegin(ctx); err != nil {
		return err
	}
	load := func(table, rows int, row func(dst []byte, id int) types.Row) error {
		var b zset.Batch
		var buf []byte
		for id := range rows {
			buf = row(buf[:0], id)
			b.Append(buf, 1)
			if b.Len() == 10_000 || id == rows-1 {
				if err := sink.SnapshotChunk(ctx, connectors.SnapshotChunk{Table: table, Rows: &b}); err != nil {
					return err
				}
				b.Reset()
			}
		}
		return nil
	}
	err := load(0, s.rows/10, func(dst []byte, id int) types.Row {
		dst = types.AppendDatum(dst, types.Int4, types.DInt(int64(id)))
		return types.AppendDatum(dst, types.Text, types.DString(fmt.Sprintf("c%d", id%50)))
	})
	if err == nil {
		err = load(1, s.rows, s.order)
	}
	if err == nil {
		err = sink.SnapshotEnd(ctx, connectors.Position{LSN: 100})
	}
	if err != nil {
		return err
	}
	for {
		select {
		case t := <-s.txns:
			if err := sink.Commit(ctx, t); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Confirm implements connectors.Source.
func (s *madeShop) Confirm(connectors.Position) {}

// Lag implements connectors.Source.
func (s *madeShop) Lag() (int64, time.Duration) { return 0, 0 }
