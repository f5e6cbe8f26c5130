package cdc

import (
	"encoding/binary"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
)

const chunkBytes = 256 << 10 // of packed rows that the sink is given at once

// A copier turns one table's binary COPY into packed rows.
type copier struct {
	t    *tableState
	emit func(*zset.Batch) error

	batch *zset.Batch
	arena []byte
	ended bool
}

var copySignature = []byte("PGCOPY\n\xff\r\n\x00")

func (c *copier) copy(f *frames, sql string) error {
	if err := f.startCopy(sql, 'H'); err != nil {
		return err
	}
	var failed error
	for header := true; ; {
		typ, body, err := f.next()
		if err != nil {
			return &lostError{err}
		}
		switch typ {
		case 'd':
			if header {
				if body, err = copyHeader(body); err != nil {
					return err
				}
				header = false
			}
			for len(body) > 0 {
				if body, err = c.tuple(body); err != nil {
					return err
				}
			}
		case 'c', 'C', 'N', 'S':
		case 'E':
			failed = serverError(body)
		case 'Z':
			if failed == nil && !c.ended {
				failed = pgerr.Newf(pgerr.BadCopyFileFormat, "the copy ended without a trailer")
			}
			if failed != nil {
				return failed
			}
			return c.flush()
		default:
			return pgerr.Newf(pgerr.ProtocolViolation, "unexpected message of type %q", typ)
		}
	}
}

func copyHeader(body []byte) ([]byte, error) {
	n := len(copySignature)
	if len(body) < n+8 || string(body[:n]) != string(copySignature) {
		return nil, pgerr.Newf(pgerr.BadCopyFileFormat, "COPY file signature not recognized")
	}
	if ext := int(binary.BigEndian.Uint32(body[n+4:])); ext <= len(body)-n-8 {
		return body[n+8+ext:], nil
	}
	return nil, pgerr.Newf(pgerr.BadCopyFileFormat, "invalid COPY file header (missing extension area)")
}

// tuple appends one row to the batch and gives what follows it. A CopyData
// message from the server holds whole rows.
func (c *copier) tuple(body []byte) ([]byte, error) {
	cut := func() ([]byte, error) { return nil, pgerr.Newf(pgerr.BadCopyFileFormat, "row cut short") }
	if len(body) < 2 {
		return cut()
	}
	n := int16(binary.BigEndian.Uint16(body))
	body = body[2:]
	if n == -1 {
		c.ended = true
		return body, nil
	}
	if int(n) != len(c.t.columns) || c.ended {
		return nil, pgerr.Newf(pgerr.BadCopyFileFormat, "row field count is %d, expected %d", n, len(c.t.columns))
	}
	if c.batch == nil {
		c.batch = new(zset.Batch)
		c.arena = make([]byte, 0, chunkBytes+chunkBytes/8)
	}
	arena := c.arena
	for i := range c.t.columns {
		if len(body) < 4 {
			return cut()
		}
		size := int(int32(binary.BigEndian.Uint32(body)))
		body = body[4:]
		if size < 0 {
			arena = types.AppendNull(arena)
			continue
		}
		if size > len(body) {
			return cut()
		}
		col, value := &c.t.columns[i], body[:size]
		body = body[size:]
		var err error
		switch {
		case col.typ.OID == types.Text:
			arena = types.AppendValue(arena, value)
		case col.asText:
			arena, err = types.AppendFromText(arena, col.typ, value)
		default:
			arena, err = types.AppendFromBinary(arena, col.typ, value)
		}
		if err != nil {
			return nil, pgerr.Newf(pgerr.CodeOf(err), "column %q of table %s: a value of type %s cannot be read: %w", col.name, c.t.spec, col.typ, err)
		}
	}
	c.batch.End(arena, 1)
	if c.arena = arena; len(arena) >= chunkBytes {
		return body, c.flush()
	}
	return body, nil
}

func (c *copier) flush() error {
	if c.batch == nil {
		return nil
	}
	b := c.batch
	c.batch, c.arena = nil, nil
	return c.emit(b)
}
