// Package wire serves sessions to clients of the PostgreSQL frontend/backend
// protocol, version 3.0, as the manual's chapter "Frontend/Backend Protocol"
// describes it.
package wire

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/session"
)

const (
	// authenticationTimeout is how long a client may take to log in.
	authenticationTimeout = time.Minute
	// shutdownGrace is how long running statements may go on after the end was asked for.
	shutdownGrace = 5 * time.Second
	// watchInterval is how often the clients of running statements are looked at.
	watchInterval = 500 * time.Millisecond
)

// Options configure a server.
type Options struct {
	Auth           Authenticator // nil: Trust
	MaxConnections int           // 0: 100
	Logger         *slog.Logger  // nil: slog's default
	// AuthenticationTimeout is how long a client may take to log in; 0: a minute.
	AuthenticationTimeout time.Duration
	// ShutdownGrace is how long running statements may go on once Serve's context has ended; 0: 5 s.
	ShutdownGrace time.Duration
}

// A Server serves the protocol on a listener. One goroutine runs each
// connection: it reads, calls the session and writes.
type Server struct {
	sessions session.Server
	opts     Options
	log      *slog.Logger
	metrics  metrics
	stopping atomic.Bool

	// lastPID numbers connections whose sessions have no number of their own.
	lastPID atomic.Int32
	clients atomic.Int32 // past their startup message
	mu      struct {
		sync.Mutex
		conns map[*conn]struct{} // all, also those that do not say what they are
		byPID map[int32]*conn    // those that can be canceled
	}
}

// NewServer makes a server of sessions.
func NewServer(s session.Server, o Options) *Server {
	if o.Auth == nil {
		o.Auth = Trust{}
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = 100
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.AuthenticationTimeout <= 0 {
		o.AuthenticationTimeout = authenticationTimeout
	}
	if o.ShutdownGrace <= 0 {
		o.ShutdownGrace = shutdownGrace
	}
	srv := &Server{sessions: s, opts: o, log: o.Logger}
	srv.mu.conns = map[*conn]struct{}{}
	srv.mu.byPID = map[int32]*conn{}
	return srv
}

// Serve accepts clients until ctx ends. Then it tells idle clients 57P01, lets
// running statements finish for a while, cancels them, and returns nil once every
// connection is closed. It closes the listener.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := make(chan struct{})
	wg.Go(func() {
		select {
		case <-ctx.Done():
		case <-stop:
		}
		s.stopping.Store(true)
		l.Close() //nolint:errcheck // nothing is lost
	})
	watching, unwatch := context.WithCancel(context.Background())
	wg.Go(func() { s.watch(watching) })
	var conns sync.WaitGroup
	err := s.accept(ctx, l, &conns)
	close(stop)
	s.shutdown(&conns)
	unwatch()
	return err
}

// accept starts a goroutine for each client.
func (s *Server) accept(ctx context.Context, l net.Listener, conns *sync.WaitGroup) error {
	delay := time.Duration(0)
	for {
		nc, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			var ne net.Error
			if errors.Is(err, net.ErrClosed) || !errors.As(err, &ne) {
				return err
			}
			// Out of file descriptors, most likely: wait until clients leave.
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			s.log.Warn("accepting a client", "err", err, "retry_in", delay)
			select {
			case <-time.After(delay):
			case <-ctx.Done():
			}
			continue
		}
		delay = 0
		c := newConn(s, nc)
		if !s.register(c) {
			nc.Close() //nolint:errcheck // refused
			continue
		}
		conns.Go(func() {
			defer s.unregister(c)
			c.serve(context.WithoutCancel(ctx))
		})
	}
}

// register adds a connection. Beyond twice the limit, which leaves room for
// cancel requests and for saying that there are too many, it refuses.
func (s *Server) register(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.conns) >= 2*s.opts.MaxConnections+16 {
		s.metrics.refused.Add(1)
		return false
	}
	s.mu.conns[c] = struct{}{}
	return true
}

func (s *Server) unregister(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.conns, c)
	if s.mu.byPID[c.pid] == c {
		delete(s.mu.byPID, c.pid)
	}
}

// each visits the connections that are there now.
func (s *Server) each(visit func(*conn)) {
	s.mu.Lock()
	conns := make([]*conn, 0, len(s.mu.conns))
	for c := range s.mu.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	for _, c := range conns {
		visit(c)
	}
}

// shutdown ends all connections and waits for them.
func (s *Server) shutdown(conns *sync.WaitGroup) {
	s.stopping.Store(true)
	s.each((*conn).wakeIdle)
	done := make(chan struct{})
	go func() { conns.Wait(); close(done) }()
	select {
	case <-done:
		return
	case <-time.After(s.opts.ShutdownGrace):
	}
	s.each(func(c *conn) {
		// What the client does not take now, it never gets.
		c.nc.SetDeadline(time.Now().Add(time.Second)) //nolint:errcheck // a closed connection is as good
		c.cancel(errShutdown)
	})
	<-done
}

// errShutdown ends a connection when the server stops.
var errShutdown = &pgerr.Error{Severity: "FATAL", Code: pgerr.AdminShutdown, Message: "terminating connection due to administrator command"}
