package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const commitsPerSecond = 200

// pollPause is between two questions of the reader: one that asks without
// pause keeps both cores busy, and measures how the kernel shares them out.
const pollPause = 100 * time.Microsecond

// A visible counts the orders of the round that a reader sees.
type visible struct {
	conn *pgx.Conn
	sql  string
}

// latencies measures the time from a commit's acknowledgement until a client
// that asks again and again sees it: in the view, and in the subscriber's table.
func (b *bench) latencies(ctx context.Context) error {
	say("commit to visible, %d commits/s", commitsPerSecond)
	writer, err := b.pg.Connect(ctx, "shop")
	if err != nil {
		return err
	}
	defer writer.Close(context.WithoutCancel(ctx))
	var ours, theirs [2][]float64 // p50, p99 of each round
	for round := range b.rounds {
		us := func() error { return b.viewLatency(ctx, writer, &ours) }
		them := func() error { return b.subscriptionLatency(ctx, writer, &theirs) }
		if err := inTurns(round, us, them); err != nil {
			return err
		}
		say("  round %d: p50 %.2f p99 %.2f ms, subscription %.2f %.2f ms", round+1, ours[0][round], ours[1][round], theirs[0][round], theirs[1][round])
	}
	p50 := atMost(2, "ms")
	b.report.add(figure{Name: "commit to visible, p50", Unit: "ms", Rounds: ours[0], Ceiling: "subscription", OfEach: theirs[0]}, &p50)
	p99 := target{"≤ subscription's", func(f *figure) bool { return f.Ratio <= 1 }}
	b.report.add(figure{Name: "commit to visible, p99", Unit: "ms", Rounds: ours[1], Ceiling: "subscription", OfEach: theirs[1]}, &p99)
	return nil
}

// inTurns measures one after the other, every other round in reverse.
func inTurns(round int, sides ...func() error) error {
	if round%2 == 1 {
		slices.Reverse(sides)
	}
	for _, side := range sides {
		if err := side(); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) viewLatency(ctx context.Context, writer *pgx.Conn, out *[2][]float64) error {
	if !b.srv.Running() {
		if err := b.srv.start(); err != nil {
			return err
		}
	}
	conn, err := b.srv.connect(ctx)
	if err != nil {
		return err
	}
	if err := b.latency(ctx, writer, visible{conn, "SELECT orders FROM revenue WHERE country = 'zz'"}, out); err != nil {
		return fmt.Errorf("latency of the view: %w", err)
	}
	conn.Close(ctx)
	b.srv.stop()
	return nil
}

func (b *bench) subscriptionLatency(ctx context.Context, writer *pgx.Conn, out *[2][]float64) error {
	b.srv.stop()
	conn, err := b.peer.Connect(ctx, "shop")
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = execAll(ctx, writer, fmt.Sprintf("SELECT pg_create_logical_replication_slot('%s', 'pgoutput')", peerSlot))
	if err != nil {
		return err
	}
	if err := execAll(ctx, conn, "TRUNCATE users, orders", subscribe(b, peerSlot), "ALTER SUBSCRIPTION bench ENABLE"); err != nil {
		return err
	}
	if err := b.latency(ctx, writer, visible{conn, "SELECT max(id) FROM orders"}, out); err != nil {
		return fmt.Errorf("latency of the subscription: %w", err)
	}
	return unsubscribe(ctx, conn)
}

// latency commits single orders of user 1 at a steady rate and asks for how
// far the reader sees. The reader's query may give any number that each commit raises by one.
func (b *bench) latency(ctx context.Context, writer *pgx.Conn, reader visible, out *[2][]float64) error {
	const sql = "INSERT INTO orders VALUES ($1, 1, 10, 'paid', 'a note of about sixty bytes, as orders usually have them 12345', now())"
	last, err := value[int64](ctx, writer, "SELECT max(id) FROM orders")
	if err != nil {
		return err
	}
	seen := func() (int64, error) {
		v, err := value[*int64](ctx, reader.conn, reader.sql)
		if v == nil {
			return math.MinInt64, err
		}
		return *v, err
	}
	// The first commits say where the reader stands, once it no longer moves behind them.
	var base int64
	for warm := 0; warm < 50; warm++ {
		last++
		if _, err := writer.Exec(ctx, sql, last); err != nil {
			return err
		}
		before, err := seen()
		if err != nil {
			return err
		}
		deadline := time.Now().Add(100 * time.Millisecond)
		if warm == 0 {
			deadline = time.Now().Add(5 * time.Second) // a reader that has just connected
		}
		for base = before; time.Now().Before(deadline) || base == math.MinInt64; {
			if base, err = seen(); err != nil {
				return err
			}
			if warm > 0 && base > before {
				break
			}
		}
	}
	n := int(b.latencyTime.Seconds() * commitsPerSecond)
	acked := make([]atomic.Int64, n)
	failed := make(chan error, 1)
	began := time.Now()
	go func() {
		failed <- func() error {
			for i := range n {
				at := began.Add(time.Duration(i) * time.Second / commitsPerSecond)
				time.Sleep(time.Until(at))
				if _, err := writer.Exec(ctx, sql, last+1+int64(i)); err != nil {
					return err
				}
				acked[i].Store(int64(time.Since(began)))
			}
			return nil
		}()
	}()
	shown := make([]time.Duration, n)
	deadline := began.Add(b.latencyTime + 10*time.Second)
	for i := 0; i < n; {
		v, err := seen()
		if err != nil {
			return err
		}
		now := time.Since(began)
		for ; i < n && int64(i) < v-base; i++ {
			shown[i] = now
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("only %d of %d commits became visible", i, n)
		}
		pause := syscall.NsecToTimespec(int64(pollPause)) // time.Sleep takes a millisecond
		_ = syscall.Nanosleep(&pause, nil)
	}
	if err := <-failed; err != nil {
		return err
	}
	ms := make([]float64, n)
	for i := range ms {
		ms[i] = max(0, float64(int64(shown[i])-acked[i].Load())/1e6)
	}
	out[0], out[1] = append(out[0], percentile(ms, 0.5)), append(out[1], percentile(ms, 0.99))
	return nil
}
