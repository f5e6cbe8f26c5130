package cdc

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A socket is a connection that the runtime's poller does not know. Its reader
// waits in its own thread, which sleeps most of the time, so the kernel runs it as soon as
// there is something to read; and the server's sender, which writes every change by itself,
// does not wake the runtime for each of them: that costs both sides more than all else together.
type socket struct {
	fd    int
	until time.Time    // when reads fail; zero: never. The reader's own
	over  atomic.Int64 // ns since 1970 after which reads and writes fail; 0: never
	mu    sync.Mutex   // guards shut
	shut  bool         // fd is closed
}

// detach makes a socket of a connection, which must not be used any more.
// False: it is not a plain socket; under TLS, what is decrypted cannot be waited for.
func detach(conn net.Conn) (*socket, bool) {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return nil, false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, false
	}
	s := &socket{fd: -1}
	err = raw.Control(func(fd uintptr) {
		if n, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); err == nil {
			s.fd = n
		}
	})
	if err != nil || s.fd < 0 {
		return nil, false
	}
	conn.Close() // of the first descriptor: the connection goes on
	return s, true
}

// wait returns once the socket is ready, or with an error.
func (s *socket) wait(events int16, until time.Time) error {
	for {
		if over := s.over.Load(); over != 0 && (until.IsZero() || over < until.UnixNano()) {
			until = time.Unix(0, over)
		}
		timeout := -1
		if !until.IsZero() {
			if timeout = int((time.Until(until) + time.Millisecond - 1) / time.Millisecond); timeout <= 0 {
				return os.ErrDeadlineExceeded
			}
		}
		poll := [1]unix.PollFd{{Fd: int32(s.fd), Events: events}}
		n, err := unix.Poll(poll[:], timeout)
		if n > 0 {
			return nil
		}
		if err != nil && err != unix.EINTR && err != unix.EAGAIN {
			return os.NewSyscallError("poll", err)
		}
	}
}

// isOver reports whether the deadline of reads and writes has passed.
func (s *socket) isOver() bool {
	over := s.over.Load()
	return over != 0 && over <= time.Now().UnixNano()
}

// Read reads what there is; it waits only if that is nothing.
func (s *socket) Read(b []byte) (int, error) {
	for {
		if s.isOver() {
			return 0, os.ErrDeadlineExceeded
		}
		switch n, err := unix.Read(s.fd, b); {
		case n > 0:
			return n, nil
		case err == nil:
			return 0, io.EOF
		case err == unix.EAGAIN:
			if err := s.wait(unix.POLLIN, s.until); err != nil {
				return 0, err
			}
		case err != unix.EINTR:
			return 0, os.NewSyscallError("read", err)
		}
	}
}

// Write writes all. One goroutine writes at a time.
func (s *socket) Write(b []byte) (n int, err error) {
	for n < len(b) {
		k, err := unix.Write(s.fd, b[n:])
		switch {
		case err == unix.EAGAIN:
			// Deadlines that are set meanwhile are seen soon.
			err := s.wait(unix.POLLOUT, time.Now().Add(100*time.Millisecond))
			if err != nil && (!errors.Is(err, os.ErrDeadlineExceeded) || s.isOver()) {
				return n, err
			}
		case err == unix.EINTR:
		case err != nil:
			return n, os.NewSyscallError("write", err)
		default:
			n += k
		}
	}
	return n, nil
}

// SetDeadline bounds reads and writes; what waits to write notices soon, what
// waits to read needs CloseRead.
func (s *socket) SetDeadline(t time.Time) error {
	s.over.Store(t.UnixNano())
	return nil
}

// SetReadDeadline is the reader's.
func (s *socket) SetReadDeadline(t time.Time) error {
	s.until = t
	return nil
}

// CloseRead ends reads, those that wait too.
func (s *socket) CloseRead() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut {
		return net.ErrClosed
	}
	return unix.Shutdown(s.fd, unix.SHUT_RD)
}

// Close is called when nobody reads or writes any more.
func (s *socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut {
		return net.ErrClosed
	}
	s.shut = true
	return unix.Close(s.fd)
}
