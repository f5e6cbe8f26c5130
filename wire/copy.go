package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/session"
)

// copyResponse starts a COPY: 'G' in, 'H' out.
func (r *results) copyResponse(typ byte, columns int, binary bool) error {
	format := 0
	if binary {
		format = 1
	}
	b := r.c.out
	b.begin(typ)
	b.buf = append(b.buf, byte(format))
	b.int16(columns)
	for range columns {
		b.int16(format)
	}
	return b.end()
}

// CopyOut starts a COPY … TO STDOUT.
func (r *results) CopyOut(columns int, binary bool) error {
	r.copying = true
	return r.copyResponse('H', columns, binary)
}

// CopyData sends one line.
func (r *results) CopyData(line []byte) error {
	b := r.c.out
	b.begin('d')
	b.buf = append(b.buf, line...)
	return b.end()
}

// CopyIn starts a COPY … FROM STDIN.
func (r *results) CopyIn(columns int, binary bool) (session.CopyReader, error) {
	if err := r.copyResponse('G', columns, binary); err != nil {
		return nil, err
	}
	if err := r.c.out.flush(); err != nil {
		return nil, err
	}
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	r.c.mu.copying = true
	return &copyReader{c: r.c, ctx: r.c.mu.ctx}, nil
}

// A copyReader reads the CopyData of a client.
type copyReader struct {
	c   *conn
	ctx context.Context
	end error // once there is nothing more
}

// Read gives what has come, io.EOF after CopyDone, and an error after CopyFail
// or a cancellation.
func (r *copyReader) Read(p []byte) (int, error) {
	for r.end == nil && len(p) > 0 {
		if r.c.in.left > 0 {
			n, err := r.c.in.some(p)
			if err == nil {
				return n, nil
			}
			r.stop(r.broken(err))
		} else if err := r.message(); err != nil {
			r.stop(err)
		}
	}
	return 0, r.end
}

// message waits for the next message, and gives the error that ends the data.
func (r *copyReader) message() error {
	c := r.c
	if r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	typ, _, err := c.in.next(clientLimit)
	if err != nil {
		return r.broken(err)
	}
	c.srv.metrics.messages[typ].Add(1)
	switch typ {
	case 'd':
		return nil
	case 'H', 'S':
		return r.drop()
	case 'c':
		return errors.Join(r.drop(), io.EOF)
	case 'f':
		body, err := c.in.body()
		if err != nil {
			return r.broken(err)
		}
		reason, _, _ := bytes.Cut(body, []byte{0})
		return pgerr.Newf(pgerr.QueryCanceled, "COPY from stdin failed: %s", reason)
	}
	// PostgreSQL, too, takes the stream's sense for lost.
	c.lost = fatal(pgerr.Newf(pgerr.ProtocolViolation, "unexpected message type 0x%02X during COPY from stdin", typ))
	return c.lost
}

// drop skips the body of a message that has none to speak of.
func (r *copyReader) drop() error {
	if err := r.c.in.skip(); err != nil {
		return r.broken(err)
	}
	return nil
}

// broken gives the error of a read that failed: a cancellation, or the
// connection's end.
func (r *copyReader) broken(err error) error {
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() && r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	r.c.lost = err
	return pgerr.Newf(pgerr.ConnectionFailure, "unexpected EOF on client connection with an open transaction")
}

// stop ends the data.
func (r *copyReader) stop(err error) {
	if errors.Is(err, io.EOF) {
		err = io.EOF
	}
	r.end = err
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	r.c.mu.copying = false
}
