package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
)

// A shape is a kind of transactions.
type shape struct {
	name, title string
	changes     int
	load        string
	target      float64
	peer        drainer
}

// A drain is one reading of a shape's changes.
type drain struct {
	took, cpu time.Duration
	ticks     int64 // of helios-sql
}

// A drainer reads everything behind a slot.
type drainer struct {
	name    string
	prepare func(ctx context.Context, b *bench) error // before the changes are made
	drain   func(ctx context.Context, b *bench, slot, from, end string) (drain, error)
}

// streaming measures how fast waiting changes get into the view, and how
// fresh the view is.
func (b *bench) streaming(ctx context.Context) (err error) {
	defer closeAll(&err, &b.pg, &b.peer)
	if err := launch(&b.pg, &b.peer); err != nil {
		return err
	}
	if err := fill(ctx, b.pg, "shop", b.users, b.orders); err != nil {
		return err
	}
	if b.srv, err = b.newSource(ctx, "shop"); err != nil {
		return err
	}
	defer b.srv.stop()
	if err := b.peer.Exec(ctx, "", "CREATE DATABASE shop"); err != nil {
		return err
	}
	if err := b.peer.Exec(ctx, "shop", schema); err != nil {
		return err
	}
	for _, s := range b.shapes() {
		if !b.wants(s.name) {
			continue
		}
		if err := b.shape(ctx, &s); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if b.wants("latency") {
		return b.latencies(ctx)
	}
	return nil
}

// insert makes n transactions of rows orders each, behind the last one.
func insert(users, n, rows int) string {
	return fmt.Sprintf(`DO $$ DECLARE last bigint := (SELECT max(id) FROM orders); BEGIN
FOR n IN 0..%[2]d LOOP
	INSERT INTO orders SELECT `+order+` FROM generate_series(last + n * %[3]d + 1, last + (n + 1) * %[3]d) i; COMMIT;
END LOOP; END $$`, users, n-1, rows)
}

// mixed makes n transactions of 500 changed amounts, 500 changed states, 250
// deletions and 250 new orders each.
func mixed(users, n int) string {
	return fmt.Sprintf(`DO $$ DECLARE last bigint := (SELECT max(id) FROM orders); first bigint := (SELECT min(id) FROM orders); BEGIN
FOR n IN 0..%[2]d LOOP
	UPDATE orders SET amount = amount + 1 WHERE id > last - (n + 1) * 500 AND id <= last - n * 500;
	UPDATE orders SET status = 'cancelled' WHERE id >= first + n * 500 AND id < first + (n + 1) * 500;
	DELETE FROM orders WHERE id >= first + n * 250 AND id < first + (n + 1) * 250;
	INSERT INTO orders SELECT `+order+` FROM generate_series(last + n * 250 + 1, last + (n + 1) * 250) i; COMMIT;
END LOOP; END $$`, users, n-1)
}

func (b *bench) shapes() []shape {
	return []shape{
		{"rows1000", "changes/s into revenue, 1000-row transactions", b.changes1000, insert(b.users, b.changes1000/1000, 1000), 0.5, recvlogical},
		{"rows1", "changes/s into revenue, single-row transactions", b.changes1, insert(b.users, b.changes1, 1), 0.4, recvlogical},
		{"mix", "changes/s into revenue, updates and deletes", b.mix * 1500, mixed(b.users, b.mix), 1, subscription},
	}
}

const (
	ourSlot    = "helios_bench"
	masterSlot = "bench_master"
	peerSlot   = "bench_peer"
)

// shape makes the changes while nobody reads, and then lets us and the peer
// read the same changes from copies of one slot, in turns.
func (b *bench) shape(ctx context.Context, s *shape) error {
	say("%s: %d changes", s.title, s.changes)
	conn, err := b.pg.Connect(ctx, "shop")
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	from, err := b.quiesce(ctx, conn)
	if err != nil {
		return err
	}
	before := filepath.Join(b.dir, "before")
	if err := copyDir(b.srv.Data, before); err != nil {
		return err
	}
	if s.peer.prepare != nil {
		if err := s.peer.prepare(ctx, b); err != nil {
			return err
		}
	}
	marker := fmt.Sprintf("end of %s", s.name)
	if err := execAll(ctx, conn, fmt.Sprintf("SELECT pg_copy_logical_replication_slot('%s', '%s')", ourSlot, masterSlot),
		"SET synchronous_commit = off", s.load, "SET synchronous_commit = on", "UPDATE users SET name = '"+marker+"' WHERE id = 1"); err != nil {
		return err
	}
	end, err := value[string](ctx, conn, "SELECT pg_current_wal_lsn()::text")
	if err != nil {
		return err
	}
	f := figure{Name: s.title, Unit: "/s", Ceiling: s.peer.name}
	var micros, peerMicros, perTick []float64
	for round := range b.rounds {
		ours := func() error {
			b.srv.stop()
			if err := copyDir(before, b.srv.Data); err != nil {
				return err
			}
			if err := copySlot(ctx, conn, ourSlot); err != nil {
				return err
			}
			d, err := b.drain(ctx, marker, fmt.Sprintf("%s-%d.pprof", s.name, round))
			if err != nil {
				return err
			}
			f.Rounds = append(f.Rounds, float64(s.changes)/d.took.Seconds())
			micros = append(micros, float64(d.cpu.Microseconds())/float64(s.changes))
			perTick = append(perTick, float64(s.changes)/float64(d.ticks))
			return nil
		}
		theirs := func() error {
			b.srv.stop()
			if err := copySlot(ctx, conn, peerSlot); err != nil {
				return err
			}
			d, err := s.peer.drain(ctx, b, peerSlot, from, end)
			if err != nil {
				return fmt.Errorf("%s: %w", s.peer.name, err)
			}
			f.OfEach = append(f.OfEach, float64(s.changes)/d.took.Seconds())
			peerMicros = append(peerMicros, float64(d.cpu.Microseconds())/float64(s.changes))
			return nil
		}
		if err := inTurns(round, ours, theirs); err != nil {
			return err
		}
		say("  round %d: %s/s, %s %s/s", round+1, number(f.Rounds[round]), s.peer.name, number(f.OfEach[round]))
	}
	f.Note = fmt.Sprintf("%.1f µs CPU a change", median(micros))
	if c := median(peerMicros); c > 0 {
		f.Note += fmt.Sprintf(" (%s %.1f)", s.peer.name, c)
	}
	f.Note += fmt.Sprintf(", %s changes a tick", number(median(perTick)))
	t := ratioAtLeast(s.target)
	b.report.add(f, &t)
	b.srv.stop()
	if err := b.srv.start(); err != nil {
		return err
	}
	if err := b.srv.check(ctx, b.pg, "shop"); err != nil {
		return err
	}
	return execAll(ctx, conn, fmt.Sprintf("SELECT pg_drop_replication_slot('%s')", masterSlot))
}

// quiesce stops helios-sql at rest with all changes in, and gives its position.
func (b *bench) quiesce(ctx context.Context, conn *pgx.Conn) (string, error) {
	lsn, err := value[string](ctx, conn, "SELECT pg_current_wal_lsn()::text")
	if err != nil {
		return "", err
	}
	ours, err := b.srv.connect(ctx)
	if err != nil {
		return "", err
	}
	defer ours.Close(context.WithoutCancel(ctx))
	if err := execAll(ctx, ours, "SET helios.min_lsn = '"+lsn+"'", "SELECT count(*) FROM revenue"); err != nil {
		return "", err
	}
	from, err := value[string](ctx, ours, "SELECT lsn FROM helios.sources")
	if err != nil {
		return "", err
	}
	if err := b.srv.settle(ctx); err != nil {
		return "", err
	}
	b.srv.stop()
	return from, waitInactive(ctx, conn, ourSlot)
}

func execAll(ctx context.Context, conn *pgx.Conn, statements ...string) error {
	for _, sql := range statements {
		if _, err := conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
			return fmt.Errorf("%.100s: %w", sql, err)
		}
	}
	return nil
}

func waitInactive(ctx context.Context, conn *pgx.Conn, slot string) error {
	return poll(ctx, func() (bool, error) {
		return value[bool](ctx, conn, "SELECT NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1 AND active)", slot)
	})
}

// poll asks every five milliseconds.
func poll(ctx context.Context, done func() (bool, error)) error {
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// copySlot makes a slot a fresh copy of the master.
func copySlot(ctx context.Context, conn *pgx.Conn, slot string) error {
	if err := waitInactive(ctx, conn, slot); err != nil {
		return err
	}
	return execAll(ctx, conn,
		fmt.Sprintf("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '%s'", slot),
		fmt.Sprintf("SELECT pg_copy_logical_replication_slot('%s', '%s')", masterSlot, slot), "CHECKPOINT")
}

// drain starts helios-sql and waits until it has the marker, the last of the
// changes. The clock runs from the start of streaming.
func (b *bench) drain(ctx context.Context, marker, profile string) (d drain, err error) {
	if err := b.srv.start(); err != nil {
		return d, err
	}
	conn, err := b.srv.connect(ctx)
	if err != nil {
		return d, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	began, err := b.srv.logged(ctx, "source", "streaming")
	if err != nil {
		return d, err
	}
	cpu, err := b.srv.cpu()
	if err != nil {
		return d, err
	}
	const ticks = "SELECT max(tick) FROM helios.ticks"
	tick, err := value[int64](ctx, conn, ticks)
	if err != nil {
		return d, err
	}
	waitProfile := b.profileTo(ctx, profile, 3*time.Second)
	err = poll(ctx, func() (bool, error) {
		name, err := value[string](ctx, conn, "SELECT name FROM users WHERE id = 1")
		return name == marker, err
	})
	if err != nil {
		return d, errors.Join(err, errors.New(b.srv.LogTail(20)))
	}
	d.took = time.Since(began)
	used, err := b.srv.cpu()
	if err != nil {
		return d, err
	}
	d.cpu = used - cpu
	if d.ticks, err = value[int64](ctx, conn, ticks); err != nil {
		return d, err
	}
	d.ticks -= tick
	if err := waitProfile(); err != nil {
		return d, err
	}
	return d, b.srv.check(ctx, b.pg, "shop")
}
