package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/jackc/pgproto3/v2"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/session"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A conn is one client's connection. Its goroutine alone uses it, but for
// what mu guards, the socket's deadlines, and pid and secret once they are set.
type conn struct {
	srv     *Server
	nc      net.Conn
	in      *frameReader
	out     *buffer
	ses     session.Session
	counted bool // among the server's clients
	pid     int32
	secret  uint32

	results  results
	reported [][2]string // settings that the client knows
	stale    bool        // settings may have changed since
	skipping bool        // after an error, up to Sync
	failed   bool        // an error was sent since the last Sync
	atRest   bool        // the last message ended a transaction's batch
	portals  map[string]portal
	lost     error // the client is gone, or its bytes make no sense

	msg struct { // decoded into again and again
		query    pgproto3.Query
		parse    pgproto3.Parse
		bind     pgproto3.Bind
		describe pgproto3.Describe
		execute  pgproto3.Execute
		close    pgproto3.Close
	}

	mu struct {
		sync.Mutex
		running  bool // a message is being worked on
		copying  bool // that waits for the client's data
		canceled bool
		ctx      context.Context // of the message; a new one after it was canceled
		cancel   context.CancelCauseFunc
	}
}

// errClose ends a connection whose client has been told why.
var errClose = errors.New("connection is to be closed")

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{srv: s, nc: nc, in: newFrameReader(nc), out: newBuffer(nc), portals: map[string]portal{}}
	c.results.c = c
	c.results.zone = types.Format{TimeZone: time.UTC}
	return c
}

// serve runs the connection to its end.
func (c *conn) serve(ctx context.Context) {
	c.srv.metrics.accepted.Add(1)
	defer c.close()
	defer func() {
		if p := recover(); p != nil {
			c.srv.log.Error("panic outside of a statement", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	if !c.startup(ctx) {
		return
	}
	c.mu.ctx, c.mu.cancel = context.WithCancelCause(ctx)
	defer func() { c.mu.cancel(nil) }()
	c.atRest = true
	for {
		if c.srv.stopping.Load() && (c.atRest || !c.in.buffered()) {
			c.sayGoodbye(errShutdown)
			return
		}
		typ, _, err := c.in.next(clientLimit)
		if err != nil {
			c.sayGoodbye(err)
			return
		}
		c.srv.metrics.messages[typ].Add(1)
		switch {
		case typ == 'X':
			return
		case typ == 'd' || typ == 'c' || typ == 'f':
			continue // what is left of a COPY that has failed
		case c.skipping && typ != 'S':
			continue
		}
		if err := c.handle(ctx, typ); err != nil {
			return
		}
	}
}

// close frees what the connection holds.
func (c *conn) close() {
	if c.ses != nil {
		c.ses.Close()
	}
	if c.counted {
		c.srv.clients.Add(-1)
	}
	c.nc.Close() //nolint:errcheck // nothing more to say
	c.srv.metrics.received.Add(c.in.got)
	c.srv.metrics.sent.Add(c.out.sent)
}

// handle works on one message. Its error ends the connection.
func (c *conn) handle(ctx context.Context, typ byte) error {
	body, err := c.in.body()
	if err != nil {
		c.sayGoodbye(err)
		return err
	}
	c.atRest = typ == 'Q' || typ == 'S'
	err = c.dispatch(c.begin(), typ, body)
	if c.lost != nil {
		c.end(ctx)
		c.sayGoodbye(c.lost)
		return c.lost
	}
	if err != nil {
		err = c.fail(err, typ)
	}
	if err == nil && c.atRest {
		err = c.ready()
	}
	c.end(ctx)
	return err
}

// dispatch calls the message's handler. A panic becomes an error of the
// statement.
func (c *conn) dispatch(ctx context.Context, typ byte, body []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			c.srv.metrics.panics.Add(1)
			c.srv.log.Error("panic in a statement", "panic", p, "stack", string(debug.Stack()))
			c.out.abandon()
			err = pgerr.Newf(pgerr.InternalError, "internal error: %v", p)
		}
	}()
	switch typ {
	case 'Q':
		return c.query(ctx, body)
	case 'P':
		return c.parse(ctx, body)
	case 'B':
		return c.bind(ctx, body)
	case 'D':
		return c.describe(body)
	case 'E':
		return c.execute(ctx, body)
	case 'C':
		return c.closeNamed(body)
	case 'H':
		return c.out.flush()
	case 'S':
		return c.sync(ctx)
	}
	c.atRest = true // FunctionCall is answered by ReadyForQuery, as a query is
	return pgerr.Unsupported(0, "function call of the protocol")
}

// A message is one of the frontend's.
type message interface{ Decode([]byte) error }

// decode reads a message's body. A body on which the decoder fails in disorder
// ends the connection.
func (c *conn) decode(m message, body []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			c.lost = fatal(pgerr.Newf(pgerr.ProtocolViolation, "invalid message format"))
			err = c.lost
		}
	}()
	if len(body) == 0 {
		return pgerr.Newf(pgerr.ProtocolViolation, "insufficient data left in message")
	}
	if m.Decode(body) != nil {
		if m == message(&c.msg.query) {
			return pgerr.Newf(pgerr.ProtocolViolation, "invalid string in message")
		}
		return pgerr.Newf(pgerr.ProtocolViolation, "invalid message format")
	}
	return nil
}

// begin marks a message as being worked on and gives its context.
func (c *conn) begin() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.running = true
	return c.mu.ctx
}

// end marks the message as done. A cancellation that came meanwhile is over.
func (c *conn) end(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.running = false
	if c.mu.canceled {
		c.mu.canceled = false
		c.mu.ctx, c.mu.cancel = context.WithCancelCause(ctx)
		c.nc.SetReadDeadline(time.Time{}) //nolint:errcheck // the next read fails
	}
	if c.srv.stopping.Load() {
		c.nc.SetReadDeadline(time.Now().Add(time.Second)) //nolint:errcheck // for the rest of a batch
	}
}

// cancel cancels what the connection is working on, if it is.
func (c *conn) cancel(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.mu.running {
		return
	}
	c.mu.canceled = true
	c.mu.cancel(cause)
	if c.mu.copying {
		c.nc.SetReadDeadline(past) //nolint:errcheck // a closed connection is as good
	}
}

// past is a deadline that ends a read at once.
var past = time.Unix(1, 0)

// wakeIdle makes a connection that waits for its client see that the server stops.
func (c *conn) wakeIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.mu.running {
		c.nc.SetReadDeadline(past) //nolint:errcheck // a closed connection is as good
	}
}

// fail sends a statement's error. Its own error ends the connection.
func (c *conn) fail(err error, typ byte) error {
	if c.out.err != nil {
		return c.out.err
	}
	e := pgerr.Flatten(err)
	c.srv.metrics.errors.Add(1)
	if err := c.sendError('E', e); err != nil {
		return err
	}
	if e.Severity == "FATAL" || e.Severity == "PANIC" {
		return errors.Join(errClose, c.out.flush())
	}
	c.failed = true
	if e.Code == pgerr.InternalError {
		if err := c.undo(); err != nil {
			return err
		}
	}
	c.skipping = !c.atRest
	if typ == 'S' || typ == 'Q' {
		c.failed = false
	}
	return nil
}

// undo ends the implicit transaction of a statement that may have been
// interrupted anywhere.
func (c *conn) undo() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.Join(errClose, fmt.Errorf("undoing a statement: %v", p))
			c.srv.log.Error("panic in undoing a statement", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	return c.ses.Sync(c.mu.ctx, true)
}

// ready ends a batch: ReadyForQuery, and everything is sent.
func (c *conn) ready() error {
	if c.stale {
		if err := c.reportParameters(); err != nil {
			return err
		}
	}
	status := c.ses.TxStatus()
	if status == 'I' {
		c.stale = false // in a block, ROLLBACK may bring back what was
		clear(c.portals)
	}
	c.out.begin('Z')
	c.out.buf = append(c.out.buf, status)
	if err := c.out.end(); err != nil {
		return err
	}
	return c.out.flush()
}

// sayGoodbye tells the client why its connection ends, where that is known
// and the client can understand it.
func (c *conn) sayGoodbye(err error) {
	var e *pgerr.Error
	var fe *frameError
	var ne net.Error
	switch {
	case errors.As(err, &e):
	case errors.As(err, &fe):
		if !fe.tell {
			c.srv.log.Debug("client violates the protocol", "remote", c.nc.RemoteAddr(), "err", err)
			return
		}
		e = pgerr.Newf(pgerr.ProtocolViolation, "%s", fe.message)
	case errors.As(err, &ne) && ne.Timeout() && c.srv.stopping.Load():
		e = errShutdown
	default:
		c.srv.log.Debug("client is gone", "remote", c.nc.RemoteAddr(), "err", err)
		return
	}
	e = fatal(pgerr.Flatten(e))
	c.srv.metrics.errors.Add(1)
	c.nc.SetWriteDeadline(time.Now().Add(time.Second)) //nolint:errcheck // the write fails
	if c.sendError('E', e) == nil {
		c.out.flush() //nolint:errcheck // it was the last word
	}
}

// fatal makes an error one that ends the connection.
func fatal(e *pgerr.Error) *pgerr.Error {
	f := *e
	f.Severity = "FATAL"
	return &f
}

// sendError encodes an ErrorResponse ('E') or a NoticeResponse ('N').
func (c *conn) sendError(typ byte, e *pgerr.Error) error {
	severity := e.Severity
	if severity == "" {
		severity = "ERROR"
		if typ == 'N' {
			severity = "NOTICE"
		}
	}
	b := c.out
	b.begin(typ)
	field := func(name byte, value string) {
		if value != "" {
			b.buf = append(b.buf, name)
			b.str(clean(value))
		}
	}
	field('S', severity)
	field('V', severity)
	field('C', string(e.Code))
	field('M', e.Message)
	field('D', e.Detail)
	field('H', e.Hint)
	field('W', e.Where)
	if e.Position > 0 {
		field('P', fmt.Sprint(e.Position))
	}
	b.buf = append(b.buf, 0)
	return b.end()
}
