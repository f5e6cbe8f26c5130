package cdc

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	frameBuffer = 256 << 10
	frameMax    = 1<<30 + 1<<20 // PostgreSQL's largest message, with room
)

// frames reads protocol messages in place from a connection taken over from
// pgconn while it was idle, so that nothing was buffered there: as many
// messages as there are by one read.
type frames struct {
	conn   connection
	buf    []byte
	r, w   int
	reads  atomic.Uint32 // successful ones so far
	waits  atomic.Int64  // since when a read waits, in ns since 1970; 0: none does
	last   int           // bytes of the last read
	streak int           // of reads that came back at once with little
}

// A connection is a net.Conn or a socket.
type connection interface {
	io.ReadWriteCloser
	SetDeadline(time.Time) error
	SetReadDeadline(time.Time) error
}

// connect opens a connection in the session settings that snapshot and stream
// share, so that a value has the same text in both.
func connect(ctx context.Context, cfg *Config, replication bool) (*pgconn.PgConn, error) {
	pc, err := parseConnString(cfg.ConnectionString)
	if err != nil {
		return nil, err
	}
	if cfg.PasswordFile+cfg.PasswordEnv+cfg.PasswordSecret != "" {
		if pc.Password, err = cfg.password(); err != nil {
			return nil, asPgerr(err, "reading the password of the source")
		}
	}
	p := pc.RuntimeParams
	if p["application_name"] == "" {
		p["application_name"] = "helios-sql " + cfg.SlotName
	}
	for k, v := range map[string]string{
		"client_encoding": "UTF8", "datestyle": "ISO, MDY", "intervalstyle": "postgres", "timezone": "UTC",
		"extra_float_digits": "3", "bytea_output": "hex", "xmloption": "content",
		"statement_timeout": "0", "lock_timeout": "0", "idle_in_transaction_session_timeout": "0",
	} {
		p[k] = v
	}
	delete(p, "replication")
	if replication {
		p["replication"] = "database"
	}
	if pc.ConnectTimeout == 0 {
		pc.ConnectTimeout = min(30*time.Second, cfg.patience())
	}
	ctx, cancel := context.WithTimeout(ctx, pc.ConnectTimeout)
	defer cancel()
	conn, err := pgconn.ConnectConfig(ctx, pc)
	return conn, asPgerr(err, "connecting to the source")
}

// password reads the one that the connection string does not have.
func (c *Config) password() (string, error) {
	switch {
	case c.PasswordFile != "":
		b, err := os.ReadFile(c.PasswordFile)
		return strings.TrimRight(string(b), "\r\n"), err
	case c.PasswordEnv != "":
		value, ok := os.LookupEnv(c.PasswordEnv)
		if !ok {
			return "", pgerr.Newf(pgerr.ObjectNotInPrerequisite, "environment variable %q, which is to hold the password of the source, is not set", c.PasswordEnv)
		}
		return value, nil
	case c.secret == nil:
		return "", pgerr.Newf(pgerr.UndefinedObject, "secret %q does not exist: there are none outside of the SQL engine", c.PasswordSecret)
	}
	return c.secret(c.PasswordSecret)
}

// takeOver makes frames of an idle connection; it must not be used elsewhere any more.
func takeOver(c *pgconn.PgConn) (*frames, error) {
	h, err := c.Hijack()
	if err != nil {
		return nil, err
	}
	return &frames{conn: h.Conn, buf: make([]byte, frameBuffer)}, nil
}

// detach takes the connection out of the runtime's hands, if it can be.
func (f *frames) detach() {
	if c, ok := f.conn.(net.Conn); ok {
		if s, ok := detach(c); ok {
			f.conn = s
		}
	}
}

// query sends a simple query.
func (f *frames) query(sql string) error {
	msg, err := (&pgproto3.Query{String: sql}).Encode(nil)
	if err != nil {
		return err
	}
	_, err = f.conn.Write(msg)
	return err
}

// buffered reports whether a whole message can be read without waiting.
func (f *frames) buffered() bool {
	return f.w-f.r >= 5 && f.w-f.r >= 1+int(binary.BigEndian.Uint32(f.buf[f.r+1:]))
}

// next gives the next message's type and body. The body is borrowed until the
// next call.
func (f *frames) next() (byte, []byte, error) {
	if err := f.fill(5); err != nil {
		return 0, nil, err
	}
	n := int(binary.BigEndian.Uint32(f.buf[f.r+1:]))
	if n < 4 || n > frameMax {
		return 0, nil, pgerr.Newf(pgerr.ProtocolViolation, "message of type 0x%02x with length %d", f.buf[f.r], n)
	}
	if err := f.fill(1 + n); err != nil {
		return 0, nil, err
	}
	typ, body := f.buf[f.r], f.buf[f.r+5:f.r+1+n]
	f.r += 1 + n
	return typ, body, nil
}

// fill makes n bytes available at r. The buffer grows by doubling as bytes
// really come: a corrupt length reserves nothing.
func (f *frames) fill(n int) error {
	if f.r == f.w && f.w-f.r < n {
		f.r, f.w = 0, 0
		if len(f.buf) > frameBuffer && n <= frameBuffer {
			f.buf = make([]byte, frameBuffer)
		}
	}
	for f.w-f.r < n {
		if room := len(f.buf) - f.w; f.r > 0 && room < len(f.buf)/4 {
			f.w = copy(f.buf, f.buf[f.r:f.w])
			f.r = 0
		} else if room == 0 {
			larger := make([]byte, min(2*len(f.buf), n+frameBuffer))
			copy(larger, f.buf)
			f.buf = larger
		}
		if err := f.read(); err != nil {
			return err
		}
	}
	return nil
}

// The server writes every change by itself, and a reader that waits is woken
// for each: two context switches a change, more than all else together, and every tick would
// be of a few changes. So when many reads in a row come back soon and with little, the
// next one is delayed, for the server to write on undisturbed. A shorter delay costs
// a drain a quarter of its rate; changes that come with longer waits between them have
// room for a switch each, and none is delayed.
const (
	busyReads = 16                     // that many in a row
	busyBytes = 128 << 10              // the last with less than that
	busyWait  = 100 * time.Microsecond // none of them waiting longer
	busyDelay = time.Millisecond
)

func (f *frames) read() error {
	if f.streak >= busyReads && f.last < busyBytes {
		nanosleep(busyDelay)
	}
	began := time.Now()
	f.waits.Store(began.UnixNano())
	defer f.waits.Store(0)
	k, err := f.conn.Read(f.buf[f.w:])
	f.w += k
	if k > 0 {
		f.reads.Add(1)
		if f.last = k; time.Since(began) < busyWait {
			f.streak++
		} else {
			f.streak = 0
		}
		return nil
	}
	if err == nil {
		return errors.New("empty read")
	}
	return err
}

// waiting gives since when a read waits; zero: none does.
func (f *frames) waiting() time.Time {
	if ns := f.waits.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}

// nanosleep sleeps in the thread: the runtime's timers round up to a millisecond.
func nanosleep(d time.Duration) {
	ts := syscall.NsecToTimespec(int64(d))
	syscall.Nanosleep(&ts, nil)
}

// serverError decodes an ErrorResponse.
func serverError(body []byte) error {
	var msg pgproto3.ErrorResponse
	if err := msg.Decode(body); err != nil {
		return pgerr.Newf(pgerr.ProtocolViolation, "malformed ErrorResponse: %v", err)
	}
	return pgconn.ErrorResponseToPgError(&msg)
}

// startCopy sends a query and reads up to the response that starts the copy
// ('W' both ways, 'H' out).
func (f *frames) startCopy(sql string, want byte) error {
	if err := f.query(sql); err != nil {
		return err
	}
	for {
		typ, body, err := f.next()
		if err != nil {
			return err
		}
		switch typ {
		case want:
			return nil
		case 'E':
			return serverError(body)
		case 'N', 'S':
		default:
			return pgerr.Newf(pgerr.ProtocolViolation, "unexpected message of type %q", typ)
		}
	}
}

// close ends the session in order.
func (f *frames) close() {
	_ = f.conn.SetDeadline(time.Now().Add(time.Second)) // the connection may be closed already
	_, _ = f.conn.Write([]byte{'X', 0, 0, 0, 4})        // the connection is closed next
	f.conn.Close()
}

// interruptible makes reads and writes fail once ctx ends, for good; the
// returned function undoes that.
func (f *frames) interruptible(ctx context.Context) func() bool {
	return context.AfterFunc(ctx, func() {
		_ = f.conn.SetDeadline(time.Unix(1, 0)) // as below
		if c, ok := f.conn.(interface{ CloseRead() error }); ok {
			_ = c.CloseRead() // wakes a thread that waits; it may be closed already
		}
	})
}
