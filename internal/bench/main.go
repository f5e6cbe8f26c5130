// Command bench measures helios-sql against the programs that set its limits,
// in one run on one machine: PostgreSQL's own reader of a replication slot, its native
// logical replication, its COPY and its point reads. It prints one table; every
// figure stands beside its ceiling of the same run, measured in turns.
//
//	go run ./internal/bench                     the table of docs/performance.md
//	go run ./internal/bench -quick              small sizes, under two minutes
//	go run ./internal/bench -only rows1000,mix  some of the figures
//	go run ./internal/bench -only cdc           those of connectors/cdc as a library
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/helios-sql/helios-sql/internal/pgtest"
)

// sizes are how much of everything is measured.
type sizes struct {
	rounds      int
	users       int
	orders      int // before the changes
	changes1000 int // of transactions of 1000 rows
	changes1    int
	mix         int           // transactions of 1500 changes
	latencyTime time.Duration // of one side in one round
	bigRows     int
	reads       time.Duration
	idle        time.Duration
	stateKeys   int
	stateTicks  int

	cdcChanges   int // of transactions of 1000 rows
	cdcChanges1  int
	cdcMix       int // transactions of 1500 changes
	cdcLargeRows int // of one transaction
}

var (
	fullSizes = sizes{rounds: 5, users: 10_000, orders: 200_000, changes1000: 500_000, changes1: 100_000, mix: 200, latencyTime: 8 * time.Second,
		bigRows: 5_000_000, reads: 4 * time.Second, idle: 10 * time.Second, stateKeys: 3_000_000, stateTicks: 1000,
		cdcChanges: 1_000_000, cdcChanges1: 1_000_000, cdcMix: 400, cdcLargeRows: 10_000_000}
	quickSizes = sizes{rounds: 3, users: 10_000, orders: 50_000, changes1000: 150_000, changes1: 30_000, mix: 60, latencyTime: 2 * time.Second,
		bigRows: 500_000, reads: time.Second, idle: 3 * time.Second, stateKeys: 300_000, stateTicks: 200,
		cdcChanges: 200_000, cdcChanges1: 60_000, cdcMix: 60, cdcLargeRows: 1_000_000}
)

// figureNames are the names that -only takes, in the order measured.
var figureNames = []string{"rows1000", "rows1", "mix", "latency", "snapshot", "reads", "restart", "idle", "state"}

// A bench is one run.
type bench struct {
	sizes
	only    []string
	binary  string
	memory  string
	profile string // directory of CPU profiles; "": none
	dir     string

	pg, peer *pgtest.Server // the source, and a subscriber of it
	srv      *server
	report   report
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == readFlag {
		if err := runReader(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	quick := flag.Bool("quick", false, "small sizes")
	only := flag.String("only", "", "comma-separated figures: "+strings.Join(figureNames, ", ")+"; or of the library: cdc for all of "+strings.Join(cdcNames, ", "))
	jsonFile := flag.String("json", "", "also write the figures to this file")
	rounds := flag.Int("rounds", 0, "number of rounds; 0: as the sizes say")
	binary := flag.String("binary", "", "program to measure; empty: build bin/helios-sql")
	memory := flag.String("memory", "512MB", "memory budget of helios-sql")
	profile := flag.String("profile", "", "write CPU profiles of the drains and reads to this directory")
	flag.Parse()
	b := &bench{sizes: fullSizes, binary: *binary, memory: *memory, profile: *profile}
	if *quick {
		b.sizes = quickSizes
	}
	if *rounds > 0 {
		b.rounds = *rounds
	}
	if *only != "" {
		for name := range strings.SplitSeq(*only, ",") {
			if name == "cdc" {
				b.only = append(b.only, cdcNames...)
			} else {
				b.only = append(b.only, name)
			}
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := b.run(ctx)
	stop()
	b.report.Command = strings.TrimSpace("go run ./internal/bench " + strings.Join(os.Args[1:], " "))
	b.report.print(os.Stdout)
	if err == nil && *jsonFile != "" {
		err = b.report.writeJSON(*jsonFile)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (b *bench) wants(names ...string) bool {
	if len(b.only) == 0 {
		return !slices.Contains(cdcNames, names[0]) // they have a run of their own
	}
	return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(b.only, n) })
}

// run measures everything and cleans up.
func (b *bench) run(ctx context.Context) (err error) {
	for _, name := range b.only {
		if !slices.Contains(figureNames, name) && !slices.Contains(cdcNames, name) {
			return fmt.Errorf("no figure %q: there are %s, %s", name, strings.Join(figureNames, ", "), strings.Join(cdcNames, ", "))
		}
	}
	if b.binary == "" && b.wants(figureNames...) {
		b.binary = "bin/helios-sql"
		cmd := exec.CommandContext(ctx, "go", "build", "-o", b.binary, "./cmd/helios-sql")
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("building %s: %w", b.binary, err)
		}
	}
	if b.binary, err = filepath.Abs(b.binary); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "helios-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if b.profile != "" {
		if err := os.MkdirAll(b.profile, 0o755); err != nil {
			return err
		}
	}
	b.report.begin()
	for _, part := range []struct {
		run   func(context.Context) error
		names []string
	}{
		{b.streaming, []string{"rows1000", "rows1", "mix", "latency"}},
		{b.big, []string{"snapshot", "reads", "restart", "idle"}},
		{b.state, []string{"state"}},
		{b.cdc, cdcNames},
	} {
		if !b.wants(part.names...) {
			continue
		}
		if err := part.run(ctx); err != nil {
			if ctx.Err() != nil {
				return errors.New("interrupted")
			}
			return err
		}
	}
	return nil
}

// say tells what is going on, beside the table.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
