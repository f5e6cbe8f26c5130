package wire_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/sql/engine"
	"github.com/helios-sql/helios-sql/state"
	"github.com/helios-sql/helios-sql/wire"
)

// A server is an engine over a temporary store, served.
type server struct {
	addr string
	stop context.CancelFunc // of the listener
	done chan error         // of Serve
	*wire.Server
}

func start(t testing.TB, o wire.Options) *server {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	store, err := state.Open(state.Options{Dir: t.TempDir(), MemoryBudget: 64 << 20, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(engine.Options{Store: store, Logger: log, CheckpointInterval: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	engineCtx, stopEngine := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- e.Run(engineCtx) }()

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if o.Logger == nil {
		o.Logger = log
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &server{addr: l.Addr().String(), stop: stop, done: make(chan error, 1), Server: wire.NewServer(e, o)}
	go func() { s.done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-s.done; err != nil {
			t.Error(err)
		}
		stopEngine()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// dsn is a connection string of the server.
func (s *server) dsn(user string) string {
	return "postgres://" + user + "@" + s.addr + "/helios?sslmode=disable"
}
