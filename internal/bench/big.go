package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helios-sql/helios-sql/internal/pgtest"
)

// big measures what depends on much state: the initial snapshot, point reads,
// restart, and what an idle source costs.
func (b *bench) big(ctx context.Context) (err error) {
	defer closeAll(&err, &b.pg)
	if err := launch(&b.pg); err != nil {
		return err
	}
	say("%d orders", b.bigRows)
	if err := fill(ctx, b.pg, "shop", b.users, b.bigRows); err != nil {
		return err
	}
	if err := b.snapshots(ctx); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	defer func() { b.srv.stop() }()
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{{"reads", b.pointReads}, {"restart", b.restarts}, {"idle", b.idleCost}} {
		if !b.wants(part.name) {
			continue
		}
		if err := part.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// snapshots takes the initial snapshot, and reads the same table with psql. It
// leaves a server with the source and the view.
func (b *bench) snapshots(ctx context.Context) (err error) {
	if b.srv, err = newServer(b.binary, b.memory, b.dir); err != nil {
		return err
	}
	rounds := 1
	if b.wants("snapshot") {
		rounds = min(3, b.rounds)
		say("initial snapshot")
	}
	f := figure{Name: "snapshot into the base table", Unit: "rows/s", Ceiling: "psql COPY binary"}
	var cpu []float64
	var peak int64
	for round := range rounds {
		if round > 0 {
			if err := b.srv.exec(ctx, "DROP SOURCE shop CASCADE"); err != nil {
				return err
			}
		}
		b.srv.stop()
		if err := b.srv.clear(); err != nil {
			return err
		}
		if err := b.srv.start(); err != nil {
			return err
		}
		if err := b.srv.exec(ctx, sourceStatement(b.pg, "shop")); err != nil {
			return err
		}
		began, err := b.srv.logged(ctx, "source", "snapshot")
		if err != nil {
			return err
		}
		ended, err := b.srv.logged(ctx, "snapshot published", "")
		if err != nil {
			return err
		}
		used, err := b.srv.cpu()
		if err != nil {
			return err
		}
		f.Rounds = append(f.Rounds, float64(b.bigRows)/ended.Sub(began).Seconds())
		cpu = append(cpu, float64(used.Microseconds())/float64(b.bigRows))
		peak = max(peak, b.srv.peakRSS())
		if !b.wants("snapshot") {
			break
		}
		began = time.Now()
		psql := exec.CommandContext(ctx, b.pg.Bin("psql"), "-X", "-d", b.pg.TCP("shop"), "-o", "/dev/null", "-c", "COPY orders TO STDOUT (FORMAT binary)")
		if out, err := psql.CombinedOutput(); err != nil {
			return fmt.Errorf("psql: %w: %s", err, out)
		}
		f.OfEach = append(f.OfEach, float64(b.bigRows)/time.Since(began).Seconds())
	}
	if b.wants("snapshot") {
		f.Note = fmt.Sprintf("%.2f µs CPU a row, peak RSS %d MB", median(cpu), peak>>20)
		t := ratioAtLeast(0.4)
		b.report.add(f, &t)
	}
	if err := b.srv.exec(ctx, revenueStatement); err != nil {
		return err
	}
	return b.srv.check(ctx, b.pg, "shop")
}

// pointReads reads orders by key with prepared statements.
func (b *bench) pointReads(ctx context.Context) error {
	say("point reads")
	for _, clients := range []int{1, 8} {
		f := figure{Name: fmt.Sprintf("point reads by key, %d clients", clients), Unit: "/s", Ceiling: "PostgreSQL"}
		for round := range min(3, b.rounds) {
			wait := b.profileTo(ctx, fmt.Sprintf("reads-%d-%d.pprof", clients, round), b.reads)
			ours, err := b.readRate(ctx, b.srv.DSN(), "SELECT id, user_id, amount, status, note, created_at FROM shop_orders WHERE id = $1", clients)
			if err := errors.Join(err, wait()); err != nil {
				return err
			}
			theirs, err := b.readRate(ctx, b.pg.TCP("shop"), "SELECT id, user_id, amount, status, note, created_at FROM orders WHERE id = $1", clients)
			if err != nil {
				return err
			}
			f.Rounds, f.OfEach = append(f.Rounds, ours), append(f.OfEach, theirs)
		}
		b.report.add(f, nil)
	}
	return nil
}

func (b *bench) readRate(ctx context.Context, dsn, sql string, clients int) (float64, error) {
	var wg sync.WaitGroup
	counts, errs := make([]int, clients), make([]error, clients)
	began := time.Now()
	for i := range clients {
		wg.Go(func() {
			errs[i] = func() error {
				conn, err := pgx.Connect(ctx, dsn)
				if err != nil {
					return err
				}
				defer conn.Close(context.WithoutCancel(ctx))
				stmt, err := conn.Prepare(ctx, "read", sql)
				if err != nil {
					return err
				}
				rng := rand.New(rand.NewPCG(1, uint64(i)))
				formats := make([]int16, len(stmt.Fields)) // text
				for time.Since(began) < b.reads {
					key := fmt.Append(nil, 1+rng.IntN(b.bigRows))
					result := conn.PgConn().ExecPrepared(ctx, "read", [][]byte{key}, nil, formats).Read()
					if result.Err != nil {
						return result.Err
					}
					if len(result.Rows) != 1 || string(result.Rows[0][0]) != string(key) {
						return fmt.Errorf("key %s: wrong rows %q", key, result.Rows)
					}
					counts[i]++
				}
				return nil
			}()
		})
	}
	wg.Wait()
	total := 0
	for i, err := range errs {
		if err != nil {
			return 0, err
		}
		total += counts[i]
	}
	return float64(total) / time.Since(began).Seconds(), nil
}

// restarts kills the server and starts it again, until a client has the
// view's rows, and they are right.
func (b *bench) restarts(ctx context.Context) error {
	say("restart")
	f := figure{Name: fmt.Sprintf("restart to the first answer, %s rows", number(float64(b.bigRows))), Unit: "s"}
	conn, err := b.srv.connect(ctx)
	if err != nil {
		return err
	}
	want, err := texts(ctx, conn, "SELECT * FROM revenue ORDER BY country")
	conn.Close(ctx)
	if err != nil {
		return err
	}
	for range b.rounds {
		b.srv.Kill()
		if err := b.srv.start(); err != nil {
			return err
		}
		conn, err := b.srv.connect(ctx)
		if err != nil {
			return err
		}
		got, err := texts(ctx, conn, "SELECT * FROM revenue ORDER BY country")
		if err != nil {
			return err
		}
		f.Rounds = append(f.Rounds, time.Since(b.srv.began).Seconds())
		conn.Close(ctx)
		if got != want {
			return fmt.Errorf("after a restart revenue is\n%s\nbefore:\n%s", got, want)
		}
		if _, err := b.srv.logged(ctx, "source", "streaming"); err != nil {
			return err
		}
	}
	f.Note = "after kill -9"
	t := atMost(2, "s")
	b.report.add(f, &t)
	return nil
}

// idleCost measures a source that is connected and has nothing to do; then
// what its slot holds back once other tables have written log.
func (b *bench) idleCost(ctx context.Context) error {
	say("idle")
	if _, err := b.srv.logged(ctx, "source", "streaming"); err != nil {
		return err
	}
	time.Sleep(3 * time.Second) // after what came before
	before, err := b.srv.cpu()
	if err != nil {
		return err
	}
	time.Sleep(b.idle)
	after, err := b.srv.cpu()
	if err != nil {
		return err
	}
	f := figure{Name: "idle CPU", Unit: "%", Rounds: []float64{100 * (after - before).Seconds() / b.idle.Seconds()}}
	t := atMost(1, "%")
	b.report.add(f, &t)
	retained, wrote, err := b.retained(ctx, b.pg)
	if err != nil {
		return err
	}
	f = figure{Name: "WAL retained by the idle slot", Unit: "KB", Rounds: []float64{float64(retained) / 1024},
		Note: fmt.Sprintf("after %d MB of other tables' log and a checkpoint", wrote>>20)}
	t = atMost(1024, "KB")
	b.report.add(f, &t)
	return nil
}

func (b *bench) retained(ctx context.Context, pg *pgtest.Server) (retained, wrote int64, err error) {
	conn, err := pg.Connect(ctx, "shop")
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	const distance = "SELECT (pg_current_wal_lsn() - restart_lsn)::bigint FROM pg_replication_slots WHERE slot_name = $1"
	start, err := value[string](ctx, conn, "SELECT pg_current_wal_lsn()::text")
	if err != nil {
		return 0, 0, err
	}
	if err := execAll(ctx, conn, "CREATE TABLE other AS SELECT i, repeat('x', 100) FROM generate_series(1, 300000) i"); err != nil {
		return 0, 0, err
	}
	if wrote, err = value[int64](ctx, conn, "SELECT (pg_current_wal_lsn() - $1::pg_lsn)::bigint", start); err != nil {
		return 0, 0, err
	}
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(time.Second) {
		if err := execAll(ctx, conn, "CHECKPOINT"); err != nil {
			return 0, 0, err
		}
		if retained, err = value[int64](ctx, conn, distance, ourSlot); err != nil || retained < 1<<20 {
			return retained, wrote, err
		}
	}
	return retained, wrote, nil
}
