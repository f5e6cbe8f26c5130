package state

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// A failure is the error after which the store cannot go on.
//
// Pebble reports such errors through Logger.Fatalf and expects it not to
// return. Ours records the error and parks that goroutine for ever, whatever
// locks it holds; calls that write therefore run on goroutines of their own
// and return when the failure is recorded, but for small batches that wait for nothing (see memTable):
// one that a dying disk's log holds up may not return.
type failure struct {
	once sync.Once
	err  atomic.Pointer[pgerr.Error]
	c    chan struct{}
}

func (f *failure) init() { f.c = make(chan struct{}) }

// Failed is closed when the store has failed; Err then says why.
func (s *Store) Failed() <-chan struct{} { return s.failure.c }

// Err is why the store has failed; nil while it has not.
func (s *Store) Err() error {
	if err := s.failure.err.Load(); err != nil {
		return err
	}
	return nil
}

func (s *Store) fail(err error) {
	s.failure.once.Do(func() {
		s.log.Error("state store failed", "dir", s.dir, "error", err)
		code := pgerr.IOError
		switch {
		case isDiskFull(err):
			code = pgerr.DiskFull
		case pebble.IsCorruptionError(err):
			code = pgerr.DataCorrupted
		}
		s.failure.err.Store(pgerr.Newf(code, "state in %q failed and must be reopened: %w", s.dir, err))
		close(s.failure.c)
	})
}

// protect turns a panic of Pebble's into a failure of the store.
func (s *Store) protect(fn func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			cause, ok := r.(error)
			if !ok {
				cause = fmt.Errorf("%v", r)
			}
			s.fail(cause)
			err = s.Err()
		}
	}()
	return fn()
}

// guard runs fn on a goroutine of its own and returns when it does or when the store fails.
func (s *Store) guard(fn func() error) error {
	done := make(chan error, 1)
	go func() { done <- s.protect(fn) }()
	select {
	case err := <-done:
		return err
	case <-s.failure.c:
		return s.Err()
	}
}

// guardRoom is guard for calls that may be left behind when the disk is full:
// they end by themselves when there is room again.
func (s *Store) guardRoom(fn func() error) error {
	done := make(chan error, 1)
	go func() { done <- s.protect(fn) }()
	select {
	case err := <-done:
		return err
	case <-s.failure.c:
		return s.Err()
	case <-s.fs.fullSignal():
		select {
		case err := <-done:
			return err
		default:
			return s.fs.errFull()
		}
	}
}

// pebbleLogger passes on what Pebble has to say.
type pebbleLogger struct{ s *Store }

func (l pebbleLogger) Infof(format string, args ...any) {}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.s.log.Warn("pebble", "message", fmt.Sprintf(format, args...))
}

// Fatalf does not return; see failure.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	var err error
	for _, a := range args {
		if e, ok := a.(error); ok {
			err = e
		}
	}
	if err == nil {
		err = fmt.Errorf(format, args...)
	}
	l.s.fail(err)
	select {}
}
