package engine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/parser"
	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/binder"
	"github.com/helios-sql/helios-sql/sql/session"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// A copyFormat is how COPY writes and reads lines: the text format or CSV, by
// the manual's page of COPY.
type copyFormat struct {
	csv    bool
	delim  byte
	quote  byte
	null   string
	header bool
}

func copyOptions(opts []ast.Option) (copyFormat, error) {
	f := copyFormat{delim: '\t', quote: '"', null: `\N`}
	var delim, null *string
	for i, o := range opts {
		v := opts[i].Value
		switch strings.ToLower(o.Name) {
		case "format":
			switch strings.ToLower(v) {
			case "text":
			case "csv":
				f.csv = true
			default:
				return f, pgerr.Unsupported(int(o.Pos), "COPY format %q", v)
			}
		case "csv":
			f.csv = true
		case "header":
			on, err := boolean(v)
			if v == "" {
				on = "on"
			} else if err != nil {
				return f, err
			}
			f.header = on == "on"
		case "delimiter", "delimiters":
			delim = &v
		case "null":
			null = &v
		case "quote":
			if len(v) != 1 {
				return f, pgerr.Newf(pgerr.FeatureNotSupported, "COPY quote must be a single one-byte character").At(int(o.Pos))
			}
			f.quote = v[0]
		case "encoding":
			if _, err := utf8Only(v); err != nil {
				return f, err
			}
		case "freeze":
		default:
			return f, pgerr.Newf(pgerr.SyntaxError, "option %q not recognized", o.Name).At(int(o.Pos))
		}
	}
	if f.csv {
		f.delim, f.null = ',', ""
	}
	if delim != nil {
		if len(*delim) != 1 {
			return f, pgerr.Newf(pgerr.FeatureNotSupported, "COPY delimiter must be a single one-byte character")
		}
		f.delim = (*delim)[0]
	}
	if null != nil {
		f.null = *null
	}
	return f, nil
}

func (s *Session) copy(ctx context.Context, n *ast.Copy, out *result) (string, error) {
	f, err := copyOptions(n.Options)
	if err != nil {
		return "", err
	}
	if n.From {
		if lowerASCII(n.Target) != "stdin" {
			return "", pgerr.Unsupported(int(n.Pos), "COPY FROM a file or program").WithHint(`Use COPY FROM STDIN, or psql's \copy.`)
		}
		return s.copyIn(ctx, n, f, out)
	}
	if lowerASCII(n.Target) != "stdout" {
		return "", pgerr.Unsupported(int(n.Pos), "COPY TO a file or program").WithHint(`Use COPY TO STDOUT, or psql's \copy.`)
	}
	return s.copyOut(ctx, n, f, out)
}

func (s *Session) copyOut(ctx context.Context, n *ast.Copy, f copyFormat, out *result) (string, error) {
	var q *ast.Select
	if n.Table != nil {
		core := &ast.SelectCore{From: []ast.TableRef{n.Table}}
		for _, c := range n.Columns {
			core.Targets = append(core.Targets, ast.Target{X: &ast.ColumnRef{Parts: []string{c}}})
		}
		if len(n.Columns) == 0 {
			core.Targets = []ast.Target{{X: &ast.ColumnRef{Star: true}}}
		}
		q = &ast.Select{Body: core}
	} else if sel, ok := n.Query.(*ast.Query); ok {
		q = sel.Select
	} else {
		return "", pgerr.Unsupported(int(n.Pos), "COPY of a statement that is no query")
	}
	st, err := s.analyze(ast.Parsed{Stmt: &ast.Query{Select: q}}, nil)
	if err != nil {
		return "", err
	}
	tx := s.begin(false)
	if err := s.prepareRead(ctx, tx, st); err != nil {
		return "", err
	}
	if err := out.CopyOut(len(st.cols), false); err != nil {
		return "", err
	}
	var line, field []byte
	if f.header {
		for i, c := range st.cols {
			if i > 0 {
				line = append(line, f.delim)
			}
			line = f.appendField(line, []byte(c.Name))
		}
		if err := out.CopyData(append(line, '\n')); err != nil {
			return "", err
		}
	}
	var spans []types.Span
	rows := 0
	err = s.rows(ctx, tx, st, nil, func(row types.Row) error {
		spans = row.Spans(len(st.cols), spans)
		line = line[:0]
		for i, sp := range spans {
			if i > 0 {
				line = append(line, f.delim)
			}
			if sp.Len < 0 {
				line = append(line, f.null...)
				continue
			}
			field = s.format.AppendText(field[:0], st.cols[i].Type.OID, row[sp.Off:sp.Off+sp.Len])
			line = f.appendField(line, field)
		}
		rows++
		return out.CopyData(append(line, '\n'))
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("COPY %d", rows), nil
}

// appendField writes a value that is not NULL.
func (f *copyFormat) appendField(dst, v []byte) []byte {
	if f.csv {
		if string(v) != f.null && !bytes.ContainsAny(v, string([]byte{f.delim, f.quote, '\n', '\r'})) && string(v) != `\.` {
			return append(dst, v...)
		}
		dst = append(dst, f.quote)
		for _, c := range v {
			if c == f.quote {
				dst = append(dst, f.quote)
			}
			dst = append(dst, c)
		}
		return append(dst, f.quote)
	}
	for _, c := range v {
		switch c {
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		case '\v':
			dst = append(dst, `\v`...)
		case '\\', f.delim:
			dst = append(dst, '\\', c)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

func (s *Session) copyIn(ctx context.Context, n *ast.Copy, f copyFormat, out *result) (string, error) {
	if n.Table == nil {
		return "", pgerr.Newf(pgerr.SyntaxError, "COPY query cannot be used with COPY FROM")
	}
	tx := s.begin(false)
	if err := tx.writable("COPY FROM"); err != nil {
		return "", err
	}
	v, err := s.read(ctx, tx, nil)
	if err != nil {
		return "", err
	}
	rel := s.lookup(v.cat, n.Table.Name)
	if rel == nil {
		return "", pgerr.Newf(pgerr.UndefinedTable, "relation %q does not exist", strings.Join(n.Table.Name, "."))
	}
	if rel.Kind != catalog.Table {
		return "", pgerr.Newf(pgerr.WrongObjectType, "cannot copy to %s %q", rel.Kind, rel.Name)
	}
	target, defaults, err := s.copyColumns(rel, n, tx)
	if err != nil {
		return "", err
	}
	in, err := out.CopyIn(len(target), false)
	if err != nil {
		return "", err
	}
	rows, err := s.readCopy(in, f, rel, target, defaults)
	if err != nil {
		return "", err
	}
	o, err := tx.overlay(rel)
	if err != nil {
		return "", err
	}
	before := o.clone()
	w := newTableWriter(rel, o, &s.format)
	inserted, err := w.insertAll(&binder.DML{Kind: binder.Insert}, rows, nil)
	if err != nil {
		tx.overlays[rel.ID] = before
		return "", err
	}
	return fmt.Sprintf("COPY %d", inserted.Len()), nil
}

// copyColumns finds the columns that the lines fill, and the values of the others.
func (s *Session) copyColumns(rel *catalog.Relation, n *ast.Copy, tx *transaction) (target []int, defaults [][]byte, err error) {
	for _, name := range n.Columns {
		at := -1
		for i, c := range rel.Columns {
			if c.Name == name {
				at = i
			}
		}
		if at < 0 {
			return nil, nil, pgerr.Newf(pgerr.UndefinedColumn, "column %q of relation %q does not exist", name, rel.Name)
		}
		target = append(target, at)
	}
	if len(n.Columns) == 0 {
		for i := range rel.Columns {
			target = append(target, i)
		}
	}
	defaults = make([][]byte, len(rel.Columns))
	b := s.binder(tx.view.cat, nil)
	ec := s.evalContext(tx)
	for i, c := range rel.Columns {
		if defaults[i] = []byte{types.HeaderNull}; i >= len(rel.Defaults) || rel.Defaults[i] == "" {
			continue
		}
		a, err := parser.ParseExpr(rel.Defaults[i])
		if err != nil {
			return nil, nil, err
		}
		x, err := b.BindScalar(a, nil, "")
		if err != nil {
			return nil, nil, err
		}
		if x, err = b.CoerceAssign(x, c.Type, c.Name, 0); err != nil {
			return nil, nil, err
		}
		d, err := evalConst(x, ec)
		if err != nil {
			return nil, nil, err
		}
		defaults[i] = types.AppendDatum(nil, c.Type.OID, d)
	}
	return target, defaults, nil
}

// readCopy reads all lines into rows.
func (s *Session) readCopy(in session.CopyReader, f copyFormat, rel *catalog.Relation, target []int, defaults [][]byte) (*zset.Batch, error) {
	r := &copyLines{r: bufio.NewReaderSize(in, 64<<10), format: f}
	rows := &zset.Batch{}
	values := make([][]byte, len(rel.Columns))
	var fields []copyField
	budget := s.memory
	if f.header {
		if _, err := r.next(nil); err != nil && err != io.EOF {
			return nil, err
		}
	}
	for {
		var err error
		if fields, err = r.next(fields[:0]); err == io.EOF {
			return rows, nil
		} else if err != nil {
			r.line++ // it would have been the next
			return nil, r.where(rel, "", err)
		}
		if len(fields) < len(target) {
			return nil, r.where(rel, "", pgerr.Newf(pgerr.BadCopyFileFormat, "missing data for column %q", rel.Columns[target[len(fields)]].Name))
		}
		if len(fields) > len(target) {
			return nil, r.where(rel, "", pgerr.Newf(pgerr.BadCopyFileFormat, "extra data after last expected column"))
		}
		copy(values, defaults)
		for i, fl := range fields {
			c := rel.Columns[target[i]]
			if fl.null {
				values[target[i]] = []byte{types.HeaderNull}
				continue
			}
			v, err := s.format.AppendFromText(nil, c.Type, fl.text)
			if err != nil {
				return nil, r.where(rel, fmt.Sprintf(", column %s: \"%s\"", c.Name, fl.text), err)
			}
			values[target[i]] = v
		}
		row := rows.Begin()
		for _, v := range values {
			row = append(row, v...)
		}
		rows.End(row, 1)
		if rows.Bytes() > budget {
			return nil, pgerr.Newf(pgerr.OutOfMemory, "COPY brings more than the %d bytes that a query may use", budget).
				WithHint("Copy in several parts, or raise helios.query_memory.")
		}
	}
}

// where says on which line an error was found.
func (c *copyLines) where(rel *catalog.Relation, column string, err error) error {
	e := pgerr.Flatten(err)
	e.Where = fmt.Sprintf("COPY %s, line %d%s", rel.Name, c.line, column)
	return e
}

type copyField struct {
	text []byte
	null bool
}

// copyLines splits the client's data into lines of fields.
type copyLines struct {
	r      *bufio.Reader
	format copyFormat
	line   int
}

// next reads a line's fields; io.EOF at the end of the data or at \. .
func (c *copyLines) next(fields []copyField) ([]copyField, error) {
	line, err := c.r.ReadBytes('\n')
	if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0) {
		return nil, err
	}
	c.line++
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	if string(line) == `\.` {
		_, err := io.Copy(io.Discard, c.r)
		if err == nil {
			err = io.EOF
		}
		return nil, err
	}
	if c.format.csv {
		return c.csvFields(line, fields)
	}
	return c.textFields(line, fields)
}

func (c *copyLines) textFields(line []byte, fields []copyField) ([]copyField, error) {
	start := 0
	for i := 0; i <= len(line); i++ {
		if i < len(line) && line[i] == '\\' {
			i++
			continue
		}
		if i >= len(line) || line[i] == c.format.delim {
			raw := line[start:min(i, len(line))]
			start = i + 1
			if string(raw) == c.format.null {
				fields = append(fields, copyField{null: true})
				continue
			}
			fields = append(fields, copyField{text: unescape(raw)})
		}
	}
	return fields, nil
}

// unescape resolves the text format's backslashes.
func unescape(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '\\' || i+1 == len(raw) {
			out = append(out, c)
			continue
		}
		i++
		switch c = raw[i]; c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'v':
			c = '\v'
		case 'x':
			v, n := digits(raw[i+1:], 16, 2)
			if n > 0 {
				c, i = v, i+n
			}
		default:
			if v, n := digits(raw[i:], 8, 3); n > 0 {
				c, i = v, i+n-1
			}
		}
		out = append(out, c)
	}
	return out
}

// digits reads up to max digits of a base.
func digits(b []byte, base, max int) (v byte, n int) {
	for n < max && n < len(b) {
		d := strings.IndexByte("0123456789abcdef", b[n]|0x20)
		if b[n] < 'A' {
			d = int(b[n]) - '0'
		}
		if d < 0 || d >= base {
			break
		}
		v = v*byte(base) + byte(d)
		n++
	}
	return v, n
}

// csvFields reads a record, which may go on over several lines.
func (c *copyLines) csvFields(line []byte, fields []copyField) ([]copyField, error) {
	f := &c.format
	var cur []byte
	quoted, inside := false, false
	for i := 0; ; i++ {
		if i >= len(line) {
			if inside {
				more, err := c.r.ReadBytes('\n')
				if err != nil && len(more) == 0 {
					return nil, pgerr.Newf(pgerr.BadCopyFileFormat, "unterminated CSV quoted field")
				}
				c.line++
				cur = append(cur, '\n')
				line, i = bytes.TrimSuffix(bytes.TrimSuffix(more, []byte("\n")), []byte("\r")), -1
				continue
			}
			return append(fields, csvField(cur, quoted, f.null)), nil
		}
		ch := line[i]
		switch {
		case inside && ch == f.quote:
			if i+1 < len(line) && line[i+1] == f.quote {
				cur = append(cur, ch)
				i++
			} else {
				inside = false
			}
		case inside:
			cur = append(cur, ch)
		case ch == f.quote:
			inside, quoted = true, true
		case ch == f.delim:
			fields = append(fields, csvField(cur, quoted, f.null))
			cur, quoted = nil, false
		default:
			cur = append(cur, ch)
		}
	}
}

func csvField(text []byte, quoted bool, null string) copyField {
	return copyField{text: text, null: !quoted && string(text) == null}
}
