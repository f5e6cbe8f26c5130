package wire

import (
	"encoding/binary"
	"strings"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/session"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A results encodes a statement's results into the connection's buffer.
type results struct {
	c       *conn
	zone    types.Format
	cols    []session.ResultColumn // of the rows that come
	formats []int16                // one per column; nil: all text
	spans   []types.Span
	copying bool // a COPY … TO STDOUT is under way
}

var _ session.ResultWriter = (*results)(nil)

// Columns describes the rows of a simple query.
func (r *results) Columns(cols []session.ResultColumn) error {
	r.cols, r.formats = cols, nil
	return r.describe(cols, nil)
}

// describe writes a RowDescription.
func (r *results) describe(cols []session.ResultColumn, formats []int16) error {
	b := r.c.out
	b.begin('T')
	b.int16(len(cols))
	for i, col := range cols {
		b.str(clean(col.Name))
		b.int32(col.TableOID)
		b.int16(int(col.Attr))
		b.int32(uint32(col.Type.OID))
		b.int16(int(col.Type.OID.Size()))
		b.int32(uint32(col.Type.Mod))
		format := int16(0)
		if formats != nil {
			format = formats[i]
		}
		b.int16(int(format))
	}
	return b.end()
}

// Row writes a DataRow. Cost: a copy of the row in its output form.
func (r *results) Row(row types.Row) error {
	b := r.c.out
	b.begin('D')
	r.spans = row.Spans(len(r.cols), r.spans)
	buf := append(b.buf, byte(len(r.spans)>>8), byte(len(r.spans)))
	for i, s := range r.spans {
		if s.Len < 0 {
			buf = append(buf, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		at := len(buf)
		buf = append(buf, 0, 0, 0, 0)
		payload := row[s.Off : s.Off+s.Len]
		if r.formats != nil && r.formats[i] == 1 {
			buf = types.AppendBinary(buf, r.cols[i].Type.OID, payload)
		} else {
			buf = r.zone.AppendText(buf, r.cols[i].Type.OID, payload)
		}
		binary.BigEndian.PutUint32(buf[at:], uint32(len(buf)-at-4))
	}
	b.buf = buf
	return b.end()
}

// Complete ends a statement.
func (r *results) Complete(tag string) error {
	c := r.c
	if r.copying {
		r.copying = false
		if err := c.out.empty('c'); err != nil {
			return err
		}
	}
	if c.stale {
		c.setZone(c.ses.Parameters()) // ROLLBACK may have brought back another
	}
	c.out.begin('C')
	c.out.str(tag)
	return c.out.end()
}

// Empty answers an empty query string.
func (r *results) Empty() error { return r.c.out.empty('I') }

// Notice writes a NoticeResponse.
func (r *results) Notice(n *pgerr.Error) error { return r.c.sendError('N', n) }

// Parameter notes a changed setting, which the client is told before the next
// ReadyForQuery, once for all changes.
func (r *results) Parameter(name, value string) error {
	r.c.stale = true
	r.c.setZone([][2]string{{name, value}})
	return nil
}

// setZone takes the session's time zone, which text output needs, from its settings.
func (c *conn) setZone(params [][2]string) {
	for _, p := range params {
		if p[0] != "TimeZone" {
			continue
		}
		if loc, ok := types.LoadZone(p[1]); ok {
			c.results.zone.TimeZone = loc
		} else if loc, ok := types.ZoneOf(p[1]); ok {
			c.results.zone.TimeZone = loc
		}
	}
}

// Flush sends what is buffered.
func (r *results) Flush() error { return r.c.out.flush() }

// clean makes a text fit for a message: it ends at a zero byte.
func clean(s string) string {
	if before, _, found := strings.Cut(s, "\x00"); found {
		return before
	}
	return s
}
