package wire

import (
	"context"
	"syscall"
	"time"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

var errGone = pgerr.Newf(pgerr.ConnectionFailure, "connection to client lost")

// watch looks at the clients of running statements until ctx ends, and cancels
// the statements of those that have gone: a connection's own goroutine
// reads nothing while it works.
func (s *Server) watch(ctx context.Context) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.each(func(c *conn) {
				if c.busy() && c.gone() {
					c.cancel(errGone)
				}
			})
		}
	}
}

// busy reports whether a message is being worked on that reads nothing itself.
func (c *conn) busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.running && !c.mu.copying && !c.mu.canceled
}

// gone reports whether the client has closed its side.
func (c *conn) gone() bool {
	sc, ok := c.nc.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return true
	}
	closed := false
	err = raw.Control(func(fd uintptr) { closed = hungUp(int(fd)) })
	return closed || err != nil
}
