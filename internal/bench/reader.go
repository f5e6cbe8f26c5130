package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/helios-sql/helios-sql/connectors/cdc"
)

// A readJob is what a reader, this program started again, reads with the library.
type readJob struct {
	DSN          string
	Slot         string // to stream from; "": a snapshot
	Table        string // "": orders
	Workers      int    // of the snapshot
	Events       int    // after that many creates, updates, deletes and reads it is done
	Transactions bool   // through Transactions, not Events
	Print        bool   // the notes, one a line, without end
}

// A readResult is what it took.
type readResult struct {
	Took    time.Duration
	CPU     time.Duration
	Mallocs uint64

	sender time.Duration // CPU time of the server's sender
	peak   int64         // bytes
}

const readFlag = "-library-reader"

// readCommand is a reader about to be started.
func (b *bench) readCommand(ctx context.Context, job readJob) *exec.Cmd {
	job.DSN = b.pg.TCP("shop")
	if job.Table == "" {
		job.Table = "orders"
	}
	text, err := json.Marshal(job)
	if err != nil {
		panic(err) // strings and numbers
	}
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return exec.CommandContext(ctx, self, readFlag, string(text))
}

// read runs a reader to its end.
func (b *bench) read(ctx context.Context, job readJob) (r readResult, err error) {
	cmd := b.readCommand(ctx, job)
	var said bytes.Buffer
	cmd.Stderr = &said
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return r, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return r, err
	}
	if err := cmd.Start(); err != nil {
		return r, err
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &r)
	}
	if err == nil && job.Slot != "" {
		r.sender, err = b.senderCPU(ctx, job.Slot)
	}
	r.peak = peakRSS(cmd.Process.Pid)
	stdin.Close()
	if err = errors.Join(err, cmd.Wait()); err != nil {
		err = fmt.Errorf("reader: %w: %s", err, said.String())
	}
	return r, err
}

// senderCPU is the CPU time of the walsender that holds a slot.
func (b *bench) senderCPU(ctx context.Context, slot string) (time.Duration, error) {
	conn, err := b.pg.Connect(ctx, "shop")
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	pid, err := value[int](ctx, conn, "SELECT active_pid FROM pg_replication_slots WHERE slot_name = '"+slot+"'")
	if err != nil {
		return 0, err
	}
	return cpuOf(pid)
}

// runReader is the reader's main: it prints the result and waits for the end
// of its input, with its connection open.
func runReader(text string) error {
	var job readJob
	if err := json.Unmarshal([]byte(text), &job); err != nil {
		return err
	}
	cfg := cdc.Config{ConnectionString: job.DSN, Tables: []string{job.Table}, SlotName: job.Slot, PublicationName: publication, SnapshotMode: cdc.SnapshotNever}
	if job.Slot == "" {
		cfg.SnapshotMode, cfg.PublicationName = cdc.SnapshotInitialOnly, "helios_bench_snapshot"
		cfg.SnapshotWorkers = job.Workers
	}
	src, err := cdc.NewSource(cfg)
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err := src.Start(ctx); err != nil {
		return err
	}
	defer src.Close()
	if job.Print {
		return printEvents(ctx, src)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	used, began := ownCPU(), time.Now()
	n := 0
	count := func(e *cdc.Event) bool {
		switch e.Type {
		case cdc.Create, cdc.Update, cdc.Delete, cdc.Read:
			n++
		}
		return n < job.Events
	}
	if job.Transactions {
		err = drainTransactions(ctx, src, count)
	} else {
		err = drainEvents(ctx, src, count)
	}
	if err != nil {
		return err
	}
	if n < job.Events {
		return fmt.Errorf("%d events, want %d", n, job.Events)
	}
	r := readResult{Took: time.Since(began), CPU: ownCPU() - used}
	runtime.ReadMemStats(&after)
	r.Mallocs = after.Mallocs - before.Mallocs
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func drainEvents(ctx context.Context, src *cdc.Source, more func(*cdc.Event) bool) error {
	for e, err := range src.Events(ctx) {
		if err != nil {
			return err
		}
		if !more(e) {
			return nil
		}
	}
	return nil
}

func drainTransactions(ctx context.Context, src *cdc.Source, more func(*cdc.Event) bool) error {
	for t, err := range src.Transactions(ctx) {
		if err != nil {
			return err
		}
		for e, err := range t.Events() {
			if err != nil {
				return err
			}
			if !more(e) {
				return nil
			}
		}
	}
	return nil
}

// printEvents writes each order's note, at once.
func printEvents(ctx context.Context, src *cdc.Source) error {
	var line []byte
	for e, err := range src.Events(ctx) {
		if err != nil {
			return err
		}
		if !e.HasAfter() {
			continue
		}
		line = append(e.After().AppendText(line[:0], e.Table.Column("note")), '\n')
		if _, err := os.Stdout.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// ownCPU is the CPU time that this process has used.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
