package wire

import (
	"context"
	"slices"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/session"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A portal is what the connection keeps of a session's portal: how its rows are sent.
type portal struct {
	cols    []session.ResultColumn
	formats []int16 // one per column; nil: all text
}

// query runs a simple query.
func (c *conn) query(ctx context.Context, body []byte) error {
	if err := c.decode(&c.msg.query, body); err != nil {
		return err
	}
	if err := types.CheckUTF8(body[:len(body)-1]); err != nil {
		return err
	}
	c.results.copying = false
	return c.ses.Query(ctx, c.msg.query.String, &c.results)
}

// parse prepares a statement.
func (c *conn) parse(ctx context.Context, body []byte) error {
	m := &c.msg.parse
	if err := c.decode(m, body); err != nil {
		return err
	}
	text := body[len(m.Name)+1:]
	if err := types.CheckUTF8(text[:len(m.Query)]); err != nil {
		return err
	}
	oids := make([]types.OID, len(m.ParameterOIDs))
	for i, o := range m.ParameterOIDs {
		oids[i] = types.OID(o)
	}
	if err := c.ses.Parse(ctx, m.Name, m.Query, oids); err != nil {
		return err
	}
	return c.out.empty('1')
}

// bind makes a portal.
func (c *conn) bind(ctx context.Context, body []byte) error {
	m := &c.msg.bind
	if err := c.decode(m, body); err != nil {
		return err
	}
	delete(c.portals, m.DestinationPortal)
	if err := c.ses.Bind(ctx, m.DestinationPortal, m.PreparedStatement, m.ParameterFormatCodes, m.Parameters); err != nil {
		return err
	}
	cols, err := c.ses.DescribePortal(m.DestinationPortal)
	if err != nil {
		return err
	}
	formats, err := resultFormats(m.ResultFormatCodes, len(cols))
	if err != nil {
		c.ses.ClosePortal(m.DestinationPortal)
		return err
	}
	c.portals[m.DestinationPortal] = portal{cols, formats}
	return c.out.empty('2')
}

// resultFormats gives one format per column, nil where all are text.
func resultFormats(codes []int16, columns int) ([]int16, error) {
	if len(codes) > 1 && len(codes) != columns {
		return nil, pgerr.Newf(pgerr.ProtocolViolation, "bind message has %d result formats but query has %d columns", len(codes), columns)
	}
	for _, f := range codes {
		if f != 0 && f != 1 {
			return nil, pgerr.Newf(pgerr.InvalidParameterValue, "unsupported format code: %d", f)
		}
	}
	switch {
	case !slices.Contains(codes, 1):
		return nil, nil
	case len(codes) == 1:
		return slices.Repeat(codes, columns), nil
	}
	return codes, nil
}

// describe describes a statement ('S') or a portal ('P').
func (c *conn) describe(body []byte) error {
	m := &c.msg.describe
	if err := c.decode(m, body); err != nil {
		return err
	}
	var cols []session.ResultColumn
	var formats []int16
	switch m.ObjectType {
	case 'S':
		params, described, err := c.ses.DescribeStatement(m.Name)
		if err != nil {
			return err
		}
		c.out.begin('t')
		c.out.int16(len(params))
		for _, p := range params {
			c.out.int32(uint32(p))
		}
		if err := c.out.end(); err != nil {
			return err
		}
		cols = described
	case 'P':
		described, err := c.ses.DescribePortal(m.Name)
		if err != nil {
			return err
		}
		cols = described
		if p := c.portals[m.Name]; len(p.formats) == len(cols) {
			formats = p.formats
		}
	default:
		return pgerr.Newf(pgerr.ProtocolViolation, "invalid DESCRIBE message subtype %d", m.ObjectType)
	}
	if cols == nil {
		return c.out.empty('n')
	}
	return c.results.describe(cols, formats)
}

// execute runs a portal.
func (c *conn) execute(ctx context.Context, body []byte) error {
	m := &c.msg.execute
	if err := c.decode(m, body); err != nil {
		return err
	}
	p, ok := c.portals[m.Portal]
	if !ok { // a cursor of SQL's, or none
		cols, err := c.ses.DescribePortal(m.Portal)
		if err != nil {
			return err
		}
		p.cols = cols
	}
	r := &c.results
	r.cols, r.formats, r.copying = p.cols, p.formats, false
	suspended, err := c.ses.Execute(ctx, m.Portal, int(max(int32(m.MaxRows), 0)), r)
	if err != nil || !suspended {
		return err
	}
	return c.out.empty('s')
}

// closeNamed closes a statement ('S') or a portal ('P'), if there is one.
func (c *conn) closeNamed(body []byte) error {
	m := &c.msg.close
	if err := c.decode(m, body); err != nil {
		return err
	}
	switch m.ObjectType {
	case 'S':
		c.ses.CloseStatement(m.Name)
	case 'P':
		delete(c.portals, m.Name)
		c.ses.ClosePortal(m.Name)
	default:
		return pgerr.Newf(pgerr.ProtocolViolation, "invalid CLOSE message subtype %d", m.ObjectType)
	}
	return c.out.empty('3')
}

// sync ends an extended-protocol batch.
func (c *conn) sync(ctx context.Context) error {
	failed := c.failed
	c.failed, c.skipping = false, false
	return c.ses.Sync(ctx, failed)
}
