// Command demo shows helios-sql at work, from nothing: a private PostgreSQL
// with a shop's data and a running workload, a source, two views, their answers
// while the shop sells, the comparison with PostgreSQL's own answer, and a
// kill -9. It removes what it made, also when it is interrupted, and fails if
// an answer is not PostgreSQL's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/helios-sql/helios-sql/internal/heliostest"
	"github.com/helios-sql/helios-sql/internal/pgtest"
)

func main() {
	binary := flag.String("binary", "bin/helios-sql", "the program to show")
	watch := flag.Duration("watch", 15*time.Second, "how long to show the answers of the views")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	ctx, cancel := context.WithTimeout(ctx, *watch+3*time.Minute)
	err := run(ctx, *binary, *watch)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run shows everything and cleans up.
func run(ctx context.Context, binary string, watch time.Duration) (err error) {
	defer func() {
		if ctx.Err() != nil {
			err = fmt.Errorf("interrupted: %w", context.Cause(ctx))
		}
	}()
	if binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	say("A private PostgreSQL with a shop: %d users, %d orders", users, orders)
	pg, err := pgtest.Launch(pgtest.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pg.Close()) }()
	if err := fill(ctx, pg); err != nil {
		return err
	}
	fmt.Printf("PostgreSQL %s on port %d\n", pg.Version(), pg.Port)

	w, err := startWorkload(ctx, pg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.stop()) }()

	say("helios-sql")
	p, err := heliostest.New("", binary)
	if err != nil {
		return err
	}
	s := server{p}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.start(ctx); err != nil {
		return err
	}

	say("A source and two views, defined with psql")
	for _, statement := range append([]string{sourceStatement(pg)}, viewStatements...) {
		if err := s.psql(ctx, statement); err != nil {
			return err
		}
	}

	say("Their answers while the shop sells")
	if err := s.watch(ctx, pg, w, watch); err != nil {
		return err
	}
	if err := s.psql(ctx, "EXPLAIN MATERIALIZED VIEW revenue;"); err != nil {
		return err
	}

	say("The workload stops: is the answer PostgreSQL's?")
	if err := w.stop(); err != nil {
		return err
	}
	fmt.Printf("%d transactions were committed while helios-sql ran\n", w.committed.Load())
	if err := s.compare(ctx, pg); err != nil {
		return err
	}

	say("kill -9, and the same questions again")
	s.Kill()
	began := time.Now()
	if err := s.start(ctx); err != nil {
		return err
	}
	fmt.Printf("started again and answering after %v\n", time.Since(began).Round(time.Millisecond))
	if err := s.compare(ctx, pg); err != nil {
		return err
	}
	return s.psql(ctx, "SELECT * FROM revenue ORDER BY total DESC LIMIT 5;")
}

func say(format string, args ...any) { fmt.Printf("\n== "+format+"\n", args...) }
