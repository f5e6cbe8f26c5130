package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// recvlogical is PostgreSQL's own reader of a slot. It writes what it gets to
// /dev/null: no reader can be faster by much.
var recvlogical = drainer{name: "pg_recvlogical", drain: func(ctx context.Context, b *bench, slot, from, end string) (d drain, err error) {
	cmd := exec.CommandContext(ctx, b.pg.Bin("pg_recvlogical"), "-d", b.pg.TCP("shop"), "-S", slot, "--start", "-I", from, "-E", end,
		"-o", "proto_version=1", "-o", "publication_names="+publication, "-f", "/dev/null", "-F", "0", "-n", "-v")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return d, err
	}
	if err := cmd.Start(); err != nil {
		return d, err
	}
	began := time.Now()
	var said strings.Builder
	for lines := bufio.NewScanner(io.TeeReader(stderr, &said)); lines.Scan(); {
		if strings.Contains(lines.Text(), "streaming initiated") {
			began = time.Now()
		}
	}
	if err := cmd.Wait(); err != nil {
		return d, fmt.Errorf("%w: %s", err, said.String())
	}
	return drain{took: time.Since(began), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}, nil
}}

// subscription is native logical replication into a second server.
var subscription = drainer{name: "subscription",
	prepare: func(ctx context.Context, b *bench) error {
		from, err := b.pg.Connect(ctx, "shop")
		if err != nil {
			return err
		}
		defer from.Close(context.WithoutCancel(ctx))
		to, err := b.peer.Connect(ctx, "shop")
		if err != nil {
			return err
		}
		defer to.Close(context.WithoutCancel(ctx))
		for _, table := range []string{"users", "orders"} {
			if err := execAll(ctx, to, fmt.Sprintf("DROP TABLE IF EXISTS %[1]s_before; CREATE TABLE %[1]s_before (LIKE %[1]s)", table)); err != nil {
				return err
			}
			r, w := io.Pipe()
			go func() {
				_, err := from.PgConn().CopyTo(ctx, w, "COPY "+table+" TO STDOUT (FORMAT binary)")
				w.CloseWithError(err)
			}()
			if _, err := to.PgConn().CopyFrom(ctx, r, "COPY "+table+"_before FROM STDIN (FORMAT binary)"); err != nil {
				return err
			}
		}
		return nil
	},
	drain: func(ctx context.Context, b *bench, slot, _, _ string) (d drain, err error) {
		conn, err := b.peer.Connect(ctx, "shop")
		if err != nil {
			return d, err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		err = execAll(ctx, conn, "TRUNCATE users, orders; INSERT INTO users SELECT * FROM users_before; INSERT INTO orders SELECT * FROM orders_before",
			"CHECKPOINT", "ANALYZE", subscribe(b, slot))
		if err != nil {
			return d, err
		}
		source, err := b.pg.Connect(ctx, "shop")
		if err != nil {
			return d, err
		}
		defer source.Close(context.WithoutCancel(ctx))
		if err := execAll(ctx, conn, "ALTER SUBSCRIPTION bench ENABLE"); err != nil {
			return d, err
		}
		err = poll(ctx, func() (bool, error) {
			return value[bool](ctx, source, "SELECT active FROM pg_replication_slots WHERE slot_name = $1", slot)
		})
		if err != nil {
			return d, err
		}
		began := time.Now()
		want, err := value[string](ctx, source, "SELECT name FROM users WHERE id = 1")
		if err != nil {
			return d, err
		}
		err = poll(ctx, func() (bool, error) {
			name, err := value[string](ctx, conn, "SELECT name FROM users WHERE id = 1")
			return name == want, err
		})
		if err != nil {
			return d, err
		}
		d.took = time.Since(began)
		return d, unsubscribe(ctx, conn)
	},
}

// subscribe makes a disabled subscription over a slot.
func subscribe(b *bench, slot string) string {
	return fmt.Sprintf(`CREATE SUBSCRIPTION bench CONNECTION 'host=127.0.0.1 port=%d dbname=shop user=postgres' PUBLICATION %s
	WITH (copy_data = false, create_slot = false, slot_name = '%s', enabled = false)`, b.pg.Port, publication, slot)
}

// unsubscribe drops it, with its slot.
func unsubscribe(ctx context.Context, conn *pgx.Conn) error {
	return execAll(ctx, conn, "ALTER SUBSCRIPTION bench DISABLE", "DROP SUBSCRIPTION bench")
}
