package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// cdcNames are the figures of the source as a library: -only cdc.
var cdcNames = []string{"cdc-rows1000", "cdc-rows1", "cdc-mix", "cdc-latency", "cdc-snapshot", "cdc-large", "cdc-value"}

// library measures a program that reads changes through connectors/cdc, in a
// process of its own, over TCP, as its peers.
func (b *bench) cdc(ctx context.Context) (err error) {
	defer closeAll(&err, &b.pg)
	if err := launch(&b.pg); err != nil {
		return err
	}
	if err := fill(ctx, b.pg, "shop", b.users, b.orders); err != nil {
		return err
	}
	if err := b.pg.Exec(ctx, "shop", "CREATE PUBLICATION "+publication+" FOR TABLE orders"); err != nil {
		return err
	}
	conn, err := b.pg.Connect(ctx, "shop")
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, s := range []struct {
		name, title string
		changes     int
		load        string
	}{
		{"cdc-rows1000", "library: changes/s, 1000-row transactions", b.cdcChanges, insert(b.users, b.cdcChanges/1000, 1000)},
		{"cdc-rows1", "library: changes/s, single-row transactions", b.cdcChanges1, insert(b.users, b.cdcChanges1, 1)},
		{"cdc-mix", "library: changes/s, updates and deletes", b.cdcMix * 1500, mixed(b.users, b.cdcMix)},
	} {
		if !b.wants(s.name) {
			continue
		}
		if err := b.cdcDrain(ctx, conn, s.title, s.changes, s.load); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	for _, part := range []struct {
		name string
		run  func(context.Context, *pgx.Conn) error
	}{{"cdc-latency", b.cdcLatency}, {"cdc-snapshot", b.cdcSnapshot}, {"cdc-large", b.cdcLarge}, {"cdc-value", b.cdcValue}} {
		if !b.wants(part.name) {
			continue
		}
		if err := part.run(ctx, conn); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// makeChanges runs the load behind a fresh master slot, and gives its ends.
func makeChanges(ctx context.Context, conn *pgx.Conn, load string) (from, end string, err error) {
	err = execAll(ctx, conn, fmt.Sprintf("SELECT pg_create_logical_replication_slot('%s', 'pgoutput')", masterSlot))
	if err != nil {
		return "", "", err
	}
	if from, err = value[string](ctx, conn, "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = '"+masterSlot+"'"); err != nil {
		return "", "", err
	}
	if err := execAll(ctx, conn, "SET synchronous_commit = off", load, "SET synchronous_commit = on", "SELECT pg_logical_emit_message(true, 'bench', 'end')"); err != nil {
		return "", "", err
	}
	end, err = value[string](ctx, conn, "SELECT pg_current_wal_lsn()::text")
	return from, end, err
}

func dropSlots(ctx context.Context, conn *pgx.Conn) error {
	for _, slot := range []string{ourSlot, peerSlot, masterSlot} {
		if err := waitInactive(ctx, conn, slot); err != nil {
			return err
		}
	}
	return execAll(ctx, conn, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
}

func (b *bench) cdcDrain(ctx context.Context, conn *pgx.Conn, title string, changes int, load string) error {
	say("%s: %d", title, changes)
	from, end, err := makeChanges(ctx, conn, load)
	if err != nil {
		return err
	}
	f := figure{Name: title, Unit: "/s", Ceiling: "pg_recvlogical"}
	byTransaction := figure{Name: strings.Replace(title, "library", "library, Transactions", 1), Unit: "/s", Ceiling: "pg_recvlogical"}
	var micros, sender, peer, allocs []float64
	perChange := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(changes) }
	for round := range b.rounds {
		read := func(rounds *[]float64, transactions bool) func() error {
			return func() error {
				if err := copySlot(ctx, conn, ourSlot); err != nil {
					return err
				}
				r, err := b.read(ctx, readJob{Slot: ourSlot, Events: changes, Transactions: transactions})
				if err != nil {
					return err
				}
				*rounds = append(*rounds, float64(changes)/r.Took.Seconds())
				if !transactions {
					micros, sender = append(micros, perChange(r.CPU)), append(sender, perChange(r.sender))
					allocs = append(allocs, float64(r.Mallocs)/float64(changes))
				}
				return nil
			}
		}
		theirs := func() error {
			if err := copySlot(ctx, conn, peerSlot); err != nil {
				return err
			}
			d, err := recvlogical.drain(ctx, b, peerSlot, from, end)
			if err != nil {
				return fmt.Errorf("pg_recvlogical: %w", err)
			}
			f.OfEach = append(f.OfEach, float64(changes)/d.took.Seconds())
			peer = append(peer, perChange(d.cpu))
			return nil
		}
		if err := inTurns(round, read(&f.Rounds, false), theirs, read(&byTransaction.Rounds, true)); err != nil {
			return err
		}
		say("  round %d: %s/s, pg_recvlogical %s/s", round+1, number(f.Rounds[round]), number(f.OfEach[round]))
	}
	byTransaction.OfEach = f.OfEach
	f.Note = fmt.Sprintf("%.2f µs CPU a change, pg_recvlogical %.2f, the server's sender %.2f; %.3f allocations", median(micros), median(peer), median(sender), median(allocs))
	t := ratioAtLeast(0.9)
	b.report.add(f, &t)
	b.report.add(byTransaction, &t)
	return dropSlots(ctx, conn)
}

// cdcLatency measures the time from a commit's acknowledgement until a
// program that prints each event has it in its standard output: ours, and pg_recvlogical.
func (b *bench) cdcLatency(ctx context.Context, conn *pgx.Conn) error {
	for _, rate := range []int{200, 2000} {
		say("library: commit to event, %d commits/s", rate)
		var ours, theirs [2][]float64
		for round := range b.rounds {
			us := func() error {
				return b.printLatency(ctx, conn, rate, &ours, b.readCommand(ctx, readJob{Slot: peerSlot, Print: true}))
			}
			them := func() error {
				return b.printLatency(ctx, conn, rate, &theirs, exec.CommandContext(ctx, b.pg.Bin("pg_recvlogical"), "-d", b.pg.TCP("shop"), "-S", peerSlot, "--start", "-n",
					"-o", "proto_version=1", "-o", "publication_names="+publication, "-f", "-", "-F", "0"))
			}
			if err := inTurns(round, us, them); err != nil {
				return err
			}
		}
		b.report.add(figure{Name: fmt.Sprintf("library: commit to event, %d commits/s, p50", rate), Unit: "ms", Rounds: ours[0], Ceiling: "pg_recvlogical", OfEach: theirs[0]}, nil)
		p99 := atMost(5, "ms")
		b.report.add(figure{Name: fmt.Sprintf("library: commit to event, %d commits/s, p99", rate), Unit: "ms", Rounds: ours[1], Ceiling: "pg_recvlogical", OfEach: theirs[1]}, &p99)
	}
	return nil
}

const latencyWriters = 4

// noteNumber finds the number that a note begins with.
var noteNumber = regexp.MustCompile(`<(\d{8})>`)

// printLatency commits orders at a steady rate and looks for their notes in
// what the command prints.
func (b *bench) printLatency(ctx context.Context, conn *pgx.Conn, rate int, out *[2][]float64, cmd *exec.Cmd) error {
	if err := execAll(ctx, conn, fmt.Sprintf("SELECT pg_create_logical_replication_slot('%s', 'pgoutput')", peerSlot)); err != nil {
		return err
	}
	printed, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		_ = cmd.Process.Kill() // it does not end by itself
		_ = cmd.Wait()
	}()
	last, err := value[int64](ctx, conn, "SELECT max(id) FROM orders")
	if err != nil {
		return err
	}
	if err := poll(ctx, func() (bool, error) {
		return value[bool](ctx, conn, "SELECT active FROM pg_replication_slots WHERE slot_name = '"+peerSlot+"'")
	}); err != nil {
		return err
	}
	const warm = 50
	n := warm + int(b.latencyTime.Seconds())*rate
	acked, shown := make([]atomic.Int64, n), make([]int64, n)
	began := time.Now()
	g, gctx := errgroup.WithContext(ctx)
	for w := range latencyWriters {
		g.Go(func() error {
			c, err := b.pg.Connect(gctx, "shop")
			if err != nil {
				return err
			}
			defer c.Close(context.WithoutCancel(gctx))
			for i := w; i < n; i += latencyWriters {
				time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(rate))))
				if _, err := c.Exec(gctx, "INSERT INTO orders VALUES ($1, 1, 10, 'paid', $2, now())", last+1+int64(i), fmt.Sprintf("<%08d> and the rest of a note of about sixty bytes", i)); err != nil {
					return err
				}
				acked[i].Store(int64(time.Since(began)))
			}
			return nil
		})
	}
	g.Go(func() error {
		defer context.AfterFunc(gctx, func() { cmd.Process.Kill() })()
		lines := bufio.NewReader(printed)
		for seen := 0; seen < n; {
			line, err := lines.ReadString('\n')
			if err != nil {
				return fmt.Errorf("%d of %d commits were printed: %w: %s", seen, n, err, said.String())
			}
			now := int64(time.Since(began))
			if m := noteNumber.FindStringSubmatch(line); m != nil { // what is binary around it may have a '<', too
				i, _ := strconv.Atoi(m[1])
				shown[i] = now
				seen++
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return err
	}
	ms := make([]float64, 0, n)
	for i := warm; i < n; i++ {
		ms = append(ms, max(0, float64(shown[i]-acked[i].Load())/1e6))
	}
	out[0], out[1] = append(out[0], percentile(ms, 0.5)), append(out[1], percentile(ms, 0.99))
	_ = cmd.Process.Kill()
	return dropSlots(ctx, conn)
}

// cdcSnapshot reads a table by the library and by psql: one connection
// each, and the library by two.
func (b *bench) cdcSnapshot(ctx context.Context, conn *pgx.Conn) error {
	say("library: snapshot of %d rows", b.bigRows)
	if err := execAll(ctx, conn, "CREATE TABLE big (LIKE orders INCLUDING ALL)",
		fmt.Sprintf("INSERT INTO big SELECT "+order+" FROM generate_series(1::bigint, %[2]d) i", b.users, b.bigRows), "VACUUM ANALYZE", "CHECKPOINT"); err != nil {
		return err
	}
	f := figure{Name: "library: snapshot, one connection", Unit: "rows/s", Ceiling: "psql COPY binary"}
	two := figure{Name: "library: snapshot, two connections", Unit: "rows/s", Ceiling: "one connection"}
	var micros []float64
	for range min(3, b.rounds) {
		for _, turn := range []struct {
			rounds  *[]float64
			workers int
		}{{&f.Rounds, 1}, {&two.Rounds, 2}} {
			r, err := b.read(ctx, readJob{Table: "big", Workers: turn.workers, Events: b.bigRows})
			if err != nil {
				return err
			}
			*turn.rounds = append(*turn.rounds, float64(b.bigRows)/r.Took.Seconds())
			if turn.rounds == &f.Rounds {
				micros = append(micros, float64(r.CPU.Nanoseconds())/1000/float64(b.bigRows))
			}
		}
		began := time.Now()
		psql := exec.CommandContext(ctx, b.pg.Bin("psql"), "-X", "-d", b.pg.TCP("shop"), "-o", "/dev/null", "-c", "COPY big TO STDOUT (FORMAT binary)")
		if out, err := psql.CombinedOutput(); err != nil {
			return fmt.Errorf("psql: %w: %s", err, out)
		}
		f.OfEach = append(f.OfEach, float64(b.bigRows)/time.Since(began).Seconds())
	}
	two.OfEach = f.Rounds
	f.Note = fmt.Sprintf("%.2f µs CPU a row", median(micros))
	t := ratioAtLeast(0.8)
	b.report.add(f, &t)
	b.report.add(two, nil)
	return execAll(ctx, conn, "DROP TABLE big")
}

// cdcLarge measures the memory that one large transaction takes.
func (b *bench) cdcLarge(ctx context.Context, conn *pgx.Conn) error {
	say("library: a transaction of %d rows", b.cdcLargeRows)
	return b.cdcPeak(ctx, conn, fmt.Sprintf("library: peak RSS, a transaction of %s rows", number(float64(b.cdcLargeRows))),
		insert(b.users, 1, b.cdcLargeRows), b.cdcLargeRows, 256)
}

// cdcValue measures the memory that one large value takes.
func (b *bench) cdcValue(ctx context.Context, conn *pgx.Conn) error {
	say("library: a value of 256 MB")
	return b.cdcPeak(ctx, conn, "library: peak RSS, a value of 256 MB",
		"INSERT INTO orders SELECT max(id) + 1, 1, 1, 'paid', repeat('0123456789abcdef', 16 << 20), now() FROM orders", 1, 2048)
}

func (b *bench) cdcPeak(ctx context.Context, conn *pgx.Conn, title, load string, changes int, most float64) error {
	if _, _, err := makeChanges(ctx, conn, load); err != nil {
		return err
	}
	if err := copySlot(ctx, conn, ourSlot); err != nil {
		return err
	}
	r, err := b.read(ctx, readJob{Slot: ourSlot, Events: changes})
	if err != nil {
		return err
	}
	t := atMost(most, "MB")
	b.report.add(figure{Name: title, Unit: "MB", Rounds: []float64{float64(r.peak >> 20)}, Note: fmt.Sprintf("in %.1f s", r.Took.Seconds())}, &t)
	return errors.Join(dropSlots(ctx, conn), execAll(ctx, conn, "DELETE FROM orders WHERE length(note) > 1000"))
}
