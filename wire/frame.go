package wire

import (
	"encoding/binary"
	"fmt"
	"io"
)

const (
	// Bounds of a message's length word, which counts itself, as PostgreSQL's.
	maxStartupLength = 10_000
	maxAuthLength    = 10_000
	maxSmallLength   = 30_000
	maxLargeLength   = 1<<30 - 1

	// readBufferSize is what one read from the network takes at most.
	readBufferSize = 16 << 10
	// keepBufferSize is how large a buffer may be between two messages.
	keepBufferSize = 1 << 20
)

// A frameError is a frame that cannot be read; the stream's sense is lost.
type frameError struct {
	message string
	tell    bool // the client can understand an answer
}

func (e *frameError) Error() string { return e.message }

// A frameReader cuts a client's bytes into messages. It checks type and length
// before it allocates, and its buffer grows only as bytes really arrive. It
// stays usable after a read deadline has interrupted it.
type frameReader struct {
	src  io.Reader
	buf  []byte
	r, w int // unread: buf[r:w]
	left int // bytes of the current message's body not yet taken
	got  int64
}

func newFrameReader(src io.Reader) *frameReader {
	return &frameReader{src: src, buf: make([]byte, readBufferSize)}
}

// buffered reports whether bytes are waiting that need no read.
func (f *frameReader) buffered() bool { return f.r < f.w }

// fill waits until n bytes are in the buffer. The buffer doubles when it is
// full: a length word by itself reserves nothing.
func (f *frameReader) fill(n int) error {
	for f.w-f.r < n {
		if f.r > 0 && (f.r == f.w || len(f.buf)-f.r < n) {
			f.w = copy(f.buf, f.buf[f.r:f.w])
			f.r = 0
		}
		if f.w == len(f.buf) {
			grown := make([]byte, min(2*len(f.buf), max(n, readBufferSize)))
			copy(grown, f.buf)
			f.buf = grown
		}
		m, err := f.src.Read(f.buf[f.w:])
		f.w += m
		f.got += int64(m)
		if m == 0 && err != nil {
			if err == io.EOF && f.w > f.r {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// startup reads a message without a type: the first ones of a connection. The
// body is borrowed until the next call.
func (f *frameReader) startup() ([]byte, error) {
	if err := f.fill(4); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(f.buf[f.r:])
	if n < 8 || n > maxStartupLength {
		return nil, &frameError{"invalid length of startup packet", false}
	}
	if err := f.fill(int(n)); err != nil {
		return nil, err
	}
	body := f.buf[f.r+4 : f.r+int(n)]
	f.r += int(n)
	return body, nil
}

// next reads a message's type and length, and gives the length of its body.
// What the caller did not take of the message before is skipped.
func (f *frameReader) next(limit func(typ byte) int) (typ byte, n int, err error) {
	if err := f.skip(); err != nil {
		return 0, 0, err
	}
	if len(f.buf) > keepBufferSize && f.w-f.r <= readBufferSize {
		small := make([]byte, readBufferSize)
		f.w = copy(small, f.buf[f.r:f.w])
		f.buf, f.r = small, 0
	}
	if err := f.fill(1); err != nil {
		return 0, 0, err
	}
	typ = f.buf[f.r]
	most := limit(typ)
	if most == 0 {
		return 0, 0, &frameError{fmt.Sprintf("invalid frontend message type %d", typ), true}
	}
	if err := f.fill(5); err != nil {
		return 0, 0, err
	}
	length := binary.BigEndian.Uint32(f.buf[f.r+1:])
	if length < 4 || length > uint32(most) {
		return 0, 0, &frameError{"invalid message length", false}
	}
	f.r += 5
	f.left = int(length) - 4
	return typ, f.left, nil
}

// body takes the whole body of the current message, borrowed until the next call.
func (f *frameReader) body() ([]byte, error) {
	if err := f.fill(f.left); err != nil {
		return nil, unexpected(err)
	}
	b := f.buf[f.r : f.r+f.left]
	f.r += f.left
	f.left = 0
	return b, nil
}

// some takes up to len(p) bytes of the current message's body.
func (f *frameReader) some(p []byte) (int, error) {
	if err := f.fill(1); err != nil {
		return 0, unexpected(err)
	}
	n := copy(p[:min(len(p), f.left)], f.buf[f.r:f.w])
	f.r += n
	f.left -= n
	return n, nil
}

// skip drops the rest of the current message.
func (f *frameReader) skip() error {
	for f.left > 0 {
		if err := f.fill(1); err != nil {
			return unexpected(err)
		}
		n := min(f.left, f.w-f.r)
		f.r += n
		f.left -= n
	}
	return nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// clientLimit gives the greatest length of a message that a client may send
// after it has logged in, 0 for an unknown type.
func clientLimit(typ byte) int {
	switch typ {
	case 'Q', 'P', 'B', 'F', 'd':
		return maxLargeLength
	case 'C', 'D', 'E', 'H', 'S', 'X', 'c', 'f':
		return maxSmallLength
	}
	return 0
}

// authLimit is clientLimit of a client that is logging in.
func authLimit(typ byte) int {
	if typ == 'p' {
		return maxAuthLength
	}
	return 0
}
