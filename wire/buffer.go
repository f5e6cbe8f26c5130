package wire

import (
	"encoding/binary"
	"io"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// flushSize is how much may wait in a buffer before it is sent.
const flushSize = 64 << 10

// A buffer encodes messages to a client and sends many of them with one write.
type buffer struct {
	dst   io.Writer
	buf   []byte
	start int // of the message being written; −1 if none
	sent  int64
	err   error // of the connection; nothing is sent any more
}

func newBuffer(dst io.Writer) *buffer {
	return &buffer{dst: dst, buf: make([]byte, 0, 4<<10), start: -1}
}

// begin starts a message.
func (b *buffer) begin(typ byte) {
	b.start = len(b.buf)
	b.buf = append(b.buf, typ, 0, 0, 0, 0)
}

// end finishes the message.
func (b *buffer) end() error {
	n := len(b.buf) - b.start - 1
	if n > maxLargeLength {
		b.abandon()
		return pgerr.Newf(pgerr.ProgramLimitExceeded, "message of %d bytes is too large for the protocol", n)
	}
	binary.BigEndian.PutUint32(b.buf[b.start+1:], uint32(n))
	b.start = -1
	if len(b.buf) >= flushSize {
		return b.flush()
	}
	return nil
}

// abandon drops the message that was begun, if one was.
func (b *buffer) abandon() {
	if b.start >= 0 {
		b.buf = b.buf[:b.start]
		b.start = -1
	}
}

// empty writes a message without a body.
func (b *buffer) empty(typ byte) error {
	b.begin(typ)
	return b.end()
}

func (b *buffer) str(s string) { b.buf = append(append(b.buf, s...), 0) }
func (b *buffer) int16(v int)  { b.buf = binary.BigEndian.AppendUint16(b.buf, uint16(v)) }
func (b *buffer) int32(v uint32) {
	b.buf = binary.BigEndian.AppendUint32(b.buf, v)
}

// flush sends what is complete.
func (b *buffer) flush() error {
	if b.err != nil {
		b.buf = b.buf[:0]
		return b.err
	}
	if len(b.buf) == 0 {
		return nil
	}
	n, err := b.dst.Write(b.buf)
	b.sent += int64(n)
	b.err = err
	if cap(b.buf) > keepBufferSize {
		b.buf = make([]byte, 0, flushSize)
	}
	b.buf = b.buf[:0]
	return err
}
